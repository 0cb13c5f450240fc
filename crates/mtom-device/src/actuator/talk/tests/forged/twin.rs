//! A device with a key that is written a second time, and lacks what it is told to lack.

use super::{Device, draw, key};
use hmac::{Hmac, Mac};
use mtom_protocol::link::Led::{self, Off, On};
use mtom_protocol::link::keyed::Nonce;
use sha2::Sha256;

/// What a device that has no more than one is given for random.
pub(super) const STALE: Nonce = Nonce([0x77; 16]);

/// What it does not do.
pub(super) struct Lack;

impl Lack {
    pub(super) const NOTHING: u8 = 0;
    /// It does not look at counts.
    pub(super) const COUNT: u8 = 1;
    /// It does not look at more than the first byte of a tag.
    pub(super) const REST_OF_TAG: u8 = 2;
    /// It does not look who speaks.
    pub(super) const SPEAKER: u8 = 3;
    /// It does not draw a nonce.
    pub(super) const NONCE: u8 = 4;
}

pub(super) struct Twin<const LACK: u8> {
    led: Led,
    number: u64,
    line: Vec<u8>,
    secret: Option<Vec<u8>>,
    heard: u32,
    said: u32,
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.len().is_multiple_of(2);
    let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    digits.then(|| (0..text.len()).step_by(2).filter_map(pair).collect())
}

impl<const LACK: u8> Twin<LACK> {
    fn answer(&mut self, line: &str) -> String {
        self.greeted(line).or_else(|| self.told(line)).unwrap_or_else(|| "! no".into())
    }

    fn greeted(&mut self, line: &str) -> Option<String> {
        let hello = unhex(line.strip_prefix("# ")?).filter(|hello| hello.len() == 16)?;
        let nonce = if LACK == Lack::NONCE { STALE.0 } else { draw()?.0 };
        let key: Vec<u8> = unhex(&key().digits().to_string())?;
        let tag = mac(&key, &[b"mtom link 1 welcome", &hello, &nonce]);
        self.secret = Some(mac(&key, &[b"mtom link 1 secret", &hello, &nonce]));
        (self.heard, self.said) = (0, 0);
        Some(format!("# {} {}", hex(&nonce), hex(&tag[..8])))
    }

    fn told(&mut self, line: &str) -> Option<String> {
        let secret = self.secret.clone()?;
        let (counted, tag) = line.rsplit_once(' ')?;
        let (text, count) = counted.rsplit_once(" #")?;
        let (count, tag): (u32, _) = (count.parse().ok()?, unhex(tag)?);
        let len = if LACK == Lack::REST_OF_TAG { 1 } else { 8 };
        let is_by = |speaker: &[u8]| {
            tag.len() == 8 && mac(&secret, &[speaker, counted.as_bytes()])[..len] == tag[..len]
        };
        let is_believed = is_by(b">") || LACK == Lack::SPEAKER && is_by(b"<");
        let is_new = count > self.heard || LACK == Lack::COUNT;
        if !(is_believed && is_new) {
            return None;
        }
        self.heard = count;
        let state = format!("= {} {} TWIN 1.0", self.led, self.number);
        let answer = match text.split_once(' ') {
            None if text == "?" => state,
            Some((letter @ ("h" | "c"), number)) => {
                let number = number.parse().ok()?;
                if number > self.number {
                    (self.led, self.number) = (if letter == "h" { On } else { Off }, number);
                    text.to_owned()
                } else {
                    state
                }
            }
            _ => "! no such line".into(),
        };
        Some(self.sealed(&answer, &secret))
    }

    fn sealed(&mut self, answer: &str, secret: &[u8]) -> String {
        self.said += 1;
        let counted = format!("{answer} #{}", self.said);
        format!("{counted} {}", hex(&mac(secret, &[b"<", counted.as_bytes()])[..8]))
    }
}

impl<const LACK: u8> Device for Twin<LACK> {
    fn start() -> Self {
        Self { led: Off, number: 0, line: Vec::new(), secret: None, heard: 0, said: 0 }
    }

    async fn hear(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut answers = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                answers.push(self.answer(&String::from_utf8_lossy(&line)));
            } else {
                self.line.push(*byte);
            }
        }
        answers
    }

    async fn wait(&mut self) -> Vec<String> {
        let is_half = !std::mem::take(&mut self.line).is_empty();
        let secret = self.secret.clone().filter(|_| is_half);
        secret.map(|secret| self.sealed("! no end", &secret)).into_iter().collect()
    }

    fn led(&self) -> Led {
        self.led
    }
}

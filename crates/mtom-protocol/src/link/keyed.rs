//! The device link with a key: a line that was made by somebody else, or for another moment, is refused.
//!
//! ```text
//! gateway → device  # 00112233445566778899AABBCCDDEEFF                     a nonce: let us talk
//! device → gateway  # FFEEDDCCBBAA99887766554433221100 0123456789ABCDEF    its own, and a tag
//! gateway → device  h 42 #1 0123456789ABCDEF                               then each line has a count
//! device → gateway  h 42 #1 FEDCBA9876543210                               and a tag
//! ```
//! Both sides draw a nonce for each conversation and make a secret of both nonces and the key; so a line of
//! an earlier conversation, of another device or of before a restart has a wrong tag, and nothing needs to be
//! kept for that: a count in flash would cost a write for each line, and would be forgotten with the flash.
//! Within a conversation each side counts its lines, and one that is not above the last is refused: it
//! was said before. Lines may get lost, which the counts survive. A tag covers who speaks, too: what one side
//! says cannot be said back to it.
//!
//! A tag is the beginning of an HMAC-SHA-256, 64 bits as in AES-CCM-8 [RFC 6655]: it can only be guessed on
//! the line itself, which takes some thousands of tries a second, and 2^63 of them. Tags are compared in a time
//! that does not depend on them. Nothing is hidden: who listens knows what the LED is.
//!
//! What surprises: the digits are upper-case, because an original device takes any `c` for a command. Who can
//! write on the link can end a conversation, by beginning another or by mere noise, and can keep lines back;
//! he cannot say anything in it.

use core::fmt::{self, Write as _};
use core::str;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Bytes of a key; as text, two hexadecimal digits each.
pub const KEY_LEN: usize = 32;
/// Bytes of a nonce.
pub const NONCE_LEN: usize = 16;
const SECRET_LEN: usize = 32;
const TAG_LEN: usize = 8;
const TAG_DIGITS: usize = 2 * TAG_LEN;

/// Labels keep what is made of the key apart.
const WELCOME: &[u8] = b"mtom link 1 welcome";
const SECRET: &[u8] = b"mtom link 1 secret";

type Mac256 = Hmac<Sha256>;

/// What a device and its gateway both know, and nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_LEN]);

/// No key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a key of 64 hexadecimal digits")]
pub struct NoKey;

impl Key {
    /// Of bytes that nobody can guess.
    #[must_use]
    pub const fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits; spaces and newlines around them are ignored.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<Self, NoKey> {
        unhex(text.trim().as_bytes()).map(Self).ok_or(NoKey)
    }

    /// The text that [`Key::parse`] reads: a secret, so there is no `Display`.
    #[must_use]
    pub fn digits(&self) -> impl fmt::Display + use<'_> {
        Hex(&self.0)
    }
}

/// Without the key: it shall stand in no log.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A number that its side has never used before and nobody could foretell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(pub [u8; NONCE_LEN]);

/// Draws a nonce from a source that is fit for secrets; `None`: it has failed, and there is no conversation.
pub type Draw = fn() -> Option<Nonce>;

/// Gateway → device: begins a conversation. `Display` writes the line without its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hello(pub Nonce);

impl Hello {
    /// Reads `# <nonce>`, without its newline; `None` when it is another line.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let nonce = trimmed(line).strip_prefix(b"# ")?;
        unhex(nonce).map(|nonce| Self(Nonce(nonce)))
    }
}

impl fmt::Display for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "# {}", Hex(&self.0.0))
    }
}

/// Device → gateway: takes the conversation up. `Display` writes the line without its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    nonce: Nonce,
    tag: [u8; TAG_LEN],
}

impl fmt::Display for Welcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "# {} {}", Hex(&self.nonce.0), Hex(&self.tag))
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Gateway,
    Device,
}

/// Why a line is not believed. `Display` is what a device answers behind its `!`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub enum Forged {
    /// It has no tag.
    Untagged,
    /// Nobody with the key has said so in this conversation.
    WrongTag,
    /// It was said before, or before one that was heard already.
    Old,
    /// There is no conversation: begin one.
    NoConversation,
    /// The device has no key, so it cannot take a conversation up.
    NoKey,
    /// The device has no random numbers to be had.
    NoNonce,
}

impl Forged {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Untagged,
        Self::WrongTag,
        Self::Old,
        Self::NoConversation,
        Self::NoKey,
        Self::NoNonce,
    ];

    /// The device's words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Untagged => "key expected",
            Self::WrongTag => "wrong tag",
            Self::Old => "old count",
            Self::NoConversation => "hello expected",
            Self::NoKey => "no key",
            Self::NoNonce => "no random numbers",
        }
    }

    /// What a device's refusal says of this kind; `None` for any other reason. Nobody vouches for it.
    #[must_use]
    pub fn of_reason(reason: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|forged| forged.reason() == reason)
    }

    /// Why `line` is not believed while there is no conversation.
    #[must_use]
    pub fn without_conversation(line: &[u8]) -> Self {
        if Sealed::parse(line).is_some() { Self::NoConversation } else { Self::Untagged }
    }
}

/// One side of a conversation: gives lines their tags and tells whose tags are right.
#[derive(Clone)]
pub struct Seal {
    secret: [u8; SECRET_LEN],
    side: Side,
    /// The count of the last line that was sealed here.
    said: u32,
    /// The highest count that was heard.
    heard: u32,
}

impl Seal {
    /// The device's side of a conversation that `hello` begins, with a nonce of its own, and what it answers.
    #[must_use]
    pub fn welcoming(key: &Key, hello: Hello, nonce: Nonce) -> (Self, Welcome) {
        let tag = welcome(key, hello, nonce).finalize().into_bytes();
        let mut short = [0; TAG_LEN];
        short.iter_mut().zip(tag).for_each(|(short, byte)| *short = byte);
        (Self::new(key, Side::Device, hello, nonce), Welcome { nonce, tag: short })
    }

    /// The gateway's side, when `line` is the answer to `hello` of somebody who has the key.
    ///
    /// # Errors
    /// [`Forged::WrongTag`] when it is the answer of somebody who has not, or to another hello;
    /// [`Forged::Untagged`] when it is no answer at all.
    pub fn welcomed(key: &Key, hello: Hello, line: &[u8]) -> Result<Self, Forged> {
        let (nonce, tag) = trimmed(line)
            .strip_prefix(b"# ")
            .and_then(last_word)
            .and_then(|(nonce, tag)| unhex(nonce).zip(unhex::<TAG_LEN>(tag)))
            .ok_or(Forged::Untagged)?;
        let nonce = Nonce(nonce);
        let expected = welcome(key, hello, nonce);
        expected.verify_truncated_left(&tag).map_err(|_| Forged::WrongTag)?;
        Ok(Self::new(key, Side::Gateway, hello, nonce))
    }

    fn new(key: &Key, side: Side, hello: Hello, nonce: Nonce) -> Self {
        let secret = made_of(key, SECRET, hello, nonce).finalize().into_bytes().into();
        Self { secret, side, said: 0, heard: 0 }
    }

    /// Writes `text`, a line without its newline, with its count and its tag.
    ///
    /// # Errors
    /// When `line` has no room, or 2^32 lines were said: the conversation is over then.
    pub fn seal(&mut self, text: impl fmt::Display, line: &mut impl fmt::Write) -> fmt::Result {
        self.said = self.said.checked_add(1).ok_or(fmt::Error)?;
        let mut both = Both { mac: self.mac(self.side), line };
        write!(both, "{text} #{}", self.said)?;
        let Both { mac, line } = both;
        let tag = mac.finalize().into_bytes();
        write!(line, " {}", Hex(tag.get(..TAG_LEN).unwrap_or_default()))
    }

    /// What the other side says with `line`, which has no newline: it has the key, says it in this
    /// conversation, and has not said it or anything later before.
    ///
    /// # Errors
    /// Why it is not to be believed; nothing has changed then.
    pub fn open<'a>(&mut self, line: &'a [u8]) -> Result<&'a [u8], Forged> {
        let Sealed { counted, text, count, tag } = Sealed::parse(line).ok_or(Forged::Untagged)?;
        let other = match self.side {
            Side::Gateway => Side::Device,
            Side::Device => Side::Gateway,
        };
        let mac = self.mac(other).chain_update(counted);
        mac.verify_truncated_left(&tag).map_err(|_| Forged::WrongTag)?;
        if count <= self.heard {
            return Err(Forged::Old);
        }
        self.heard = count;
        Ok(text)
    }

    fn mac(&self, speaker: Side) -> Mac256 {
        let speaker: &[u8] = match speaker {
            Side::Gateway => b">",
            Side::Device => b"<",
        };
        keyed(&self.secret).chain_update(speaker)
    }
}

/// Without the secret.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret: _, side, said, heard } = self;
        write!(f, "Seal({side:?}, said {said}, heard {heard})")
    }
}

/// The parts of a line that has a tag.
struct Sealed<'a> {
    /// What the tag is of.
    counted: &'a [u8],
    text: &'a [u8],
    count: u32,
    tag: [u8; TAG_LEN],
}

impl<'a> Sealed<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let (counted, tag) = last_word(trimmed(line))?;
        let (text, count) = last_word(counted)?;
        let count = number(count.strip_prefix(b"#")?)?;
        Some(Self { counted, text, count, tag: unhex(tag)? })
    }
}

/// Writes a line and its MAC at once.
struct Both<'a, W> {
    mac: Mac256,
    line: &'a mut W,
}

impl<W: fmt::Write> fmt::Write for Both<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.mac.update(text.as_bytes());
        self.line.write_str(text)
    }
}

fn welcome(key: &Key, hello: Hello, nonce: Nonce) -> Mac256 {
    made_of(key, WELCOME, hello, nonce)
}

/// No label is the beginning of another, and the nonces have one length: nothing is said in two ways.
fn made_of(key: &Key, label: &[u8], hello: Hello, nonce: Nonce) -> Mac256 {
    keyed(&key.0).chain_update(label).chain_update(hello.0.0).chain_update(nonce.0)
}

fn keyed(key: &[u8; KEY_LEN]) -> Mac256 {
    Mac256::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Splits the last word off.
fn last_word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().rposition(|byte| *byte == b' ')?;
    Some((line.get(..at)?, line.get(at.checked_add(1)?..)?))
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn number(digits: &[u8]) -> Option<u32> {
    let digits = str::from_utf8(digits).ok()?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

fn unhex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value =
                char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok())?;
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

/// Upper-case hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// How much a count and a tag add to a line at most.
pub const SEAL_LEN_MAX: usize = " #4294967295 ".len() + TAG_DIGITS;

#[cfg(test)]
mod tests;

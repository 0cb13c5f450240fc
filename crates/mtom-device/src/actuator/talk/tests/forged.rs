//! Ten thousand lines by somebody who has heard everything that was said and has not the key: nothing
//! moves and nothing is told.
//!
//! The same is done to devices that are broken on purpose. They are another implementation, so what
//! they get right is right twice.

use super::{draw, key, keyed, sealed};
use crate::actuator::tests::Told;
use crate::actuator::{Actuator, Forgetful, LINE_WAIT};
use embedded_io_adapters::tokio_1::FromTokio;
use mtom_protocol::link::Led::{self, Off, On};
use mtom_protocol::link::Request;
use mtom_protocol::link::keyed::{Draw, Hello, Seal};
use std::pin::Pin;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

mod twin;

use twin::{Lack, Twin};

/// Lines that are forged in all.
const FORGED: usize = 10_000;
/// Between two lines that the real gateway says meanwhile.
const STRETCH: usize = 40;
/// Commands of each conversation that is overheard.
const COMMANDS: u64 = 40;

/// A device, seen from its link. The last number is forgotten when its power goes: nothing but the key
/// stands in the way.
trait Device {
    fn start() -> Self;
    /// Hears bytes; says what it answers, one line for each.
    async fn hear(&mut self, bytes: &[u8]) -> Vec<String>;
    /// Is told nothing for so long that half a line has ended.
    async fn wait(&mut self) -> Vec<String>;
    fn led(&self) -> Led;
}

/// Repeatable noise.
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn of<'a>(&mut self, lines: &'a [String]) -> &'a [u8] {
        let at = match self.below(20) {
            // The hello opens the way for all that was said after it.
            0 => 0,
            // Of the conversation that goes on.
            1..10 => lines.len() - 1 - self.below(lines.len().min(8)),
            _ => self.below(lines.len()),
        };
        lines[at].as_bytes()
    }
}

/// Does one of the things that can be done to lines without the key.
fn forge(heard: &[String], noise: &mut Noise) -> Vec<u8> {
    let (one, other) = (noise.of(heard), noise.of(heard));
    let at = noise.below(one.len());
    let mut forged = one.to_vec();
    match noise.below(8) {
        // As it was, once more.
        0 | 1 => {}
        2 => forged[at] ^= 1 << noise.below(7),
        3 => forged.truncate(at),
        4 => forged.insert(at, b"hc? #0\n"[noise.below(7)]),
        // The beginning of one and the end of another.
        5 => forged = [&one[..at], &other[other.len().min(at)..]].concat(),
        // A line of one with the tag of another.
        6 => forged = [&one[..one.len() - 17], &other[other.len() - 17..]].concat(),
        // By chance: who looks at the first byte of a tag alone takes one in 256.
        _ => {
            let letter = ["h", "c"][noise.below(2)];
            let (number, count) = (noise.below(30) + 1, noise.below(1_000_000) + 100);
            let tag = noise.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            forged = format!("{letter} {number} #{count} {tag:016X}\n").into_bytes();
        }
    }
    forged
}

/// The real gateway, and somebody in between.
struct Wire<D> {
    device: D,
    seal: Seal,
    /// What was said with the key, in both directions.
    heard: Vec<String>,
    number: u64,
}

impl<D: Device> Wire<D> {
    async fn new() -> Self {
        let mut device = D::start();
        let (seal, heard) = greeted(&mut device).await;
        Self { device, seal, heard, number: 0 }
    }

    async fn talk(&mut self) {
        for _ in 0..COMMANDS {
            self.command().await;
        }
    }

    /// Asks how the LED is, and turns it over.
    async fn command(&mut self) {
        self.say("?").await;
        self.number += 1;
        let led = if self.number.is_multiple_of(2) { On } else { Off };
        self.say(&Request::Set { led, number: self.number }.to_string()).await;
        assert_eq!(self.device.led(), led);
    }

    /// Says a line, in a new conversation when the device knows nothing of this one.
    async fn say(&mut self, text: &str) {
        if !self.is_answered(text).await {
            let (seal, heard) = greeted(&mut self.device).await;
            self.seal = seal;
            self.heard.extend(heard);
            assert!(self.is_answered(text).await, "{text}");
        }
    }

    async fn is_answered(&mut self, text: &str) -> bool {
        let line = sealed(&mut self.seal, text);
        let answer = self.device.hear(line.as_bytes()).await.remove(0);
        let said = self.seal.open(answer.as_bytes());
        let is_answered = said.is_ok_and(|said| !said.starts_with(b"!"));
        if is_answered {
            self.heard.extend([line, format!("{answer}\n")]);
        }
        is_answered
    }
}

async fn greeted(device: &mut impl Device) -> (Seal, Vec<String>) {
    let hello = Hello(draw().unwrap());
    let welcome = device.hear(format!("{hello}\n").as_bytes()).await.remove(0);
    let seal = Seal::welcomed(&key(), hello, welcome.as_bytes());
    let seal = seal.unwrap_or_else(|error| panic!("{error}: {welcome}"));
    (seal, vec![format!("{hello}\n"), format!("{welcome}\n")])
}

/// How often the device did or said anything that only somebody with the key may have of it.
async fn fooled<D: Device>() -> usize {
    let mut noise = Noise(0x5eed);
    let mut wire = Wire::<D>::new().await;
    wire.talk().await;
    let mut fooled = 0;
    for turn in 1..=FORGED {
        // The device loses its power while the gateway is away, and later once more.
        if turn == FORGED / 4 || turn == FORGED / 4 * 3 {
            wire.device = D::start();
        } else if turn == FORGED / 2 {
            wire.talk().await;
        }
        let is_gateway_there = !(FORGED / 4..FORGED / 2).contains(&turn);
        let was = wire.device.led();
        let mut answers = wire.device.hear(&forge(&wire.heard, &mut noise)).await;
        if noise.below(3) == 0 {
            answers.extend(wire.device.wait().await);
        }
        let is_refusal = |line: &String| line.starts_with("! ") || line.starts_with("# ");
        if wire.device.led() != was || !answers.iter().all(is_refusal) {
            fooled += 1;
        }
        if is_gateway_there && turn.is_multiple_of(STRETCH) {
            // Half a line would end with its first one, and the conversation with that.
            wire.device.wait().await;
            wire.command().await;
        }
    }
    wire.talk().await;
    fooled
}

/// The real one.
struct Real {
    gateway: DuplexStream,
    told: Told,
    served: Pin<Box<dyn Future<Output = ()>>>,
}

impl Device for Real {
    fn start() -> Self {
        Self::with(draw)
    }

    async fn hear(&mut self, bytes: &[u8]) -> Vec<String> {
        let gateway = &mut self.gateway;
        let script = async {
            gateway.write_all(bytes).await.unwrap();
            let mut answers = Vec::new();
            for _ in bytes.iter().filter(|byte| **byte == b'\n') {
                answers.push(line(gateway).await);
            }
            answers
        };
        tokio::select! {
            answers = script => answers,
            () = &mut self.served => panic!("it is served for ever"),
        }
    }

    async fn wait(&mut self) -> Vec<String> {
        let gateway = &mut self.gateway;
        let limit = std::time::Duration::from_millis(LINE_WAIT.as_millis() + 1);
        let answer = tokio::time::timeout(limit, line(gateway));
        tokio::select! {
            answer = answer => answer.into_iter().collect(),
            () = &mut self.served => panic!("it is served for ever"),
        }
    }

    fn led(&self) -> Led {
        if self.told.text().ends_with('+') { On } else { Off }
    }
}

impl Real {
    fn with(draw: Draw) -> Self {
        let (gateway, device) = tokio::io::duplex(4_096);
        let told = Told::default();
        let actuator = Actuator::new(&keyed(0), 0, told.clone(), Forgetful, draw);
        let served = async move {
            let (rx, tx) = tokio::io::split(device);
            actuator.serve(FromTokio::new(rx), FromTokio::new(tx)).await;
        };
        Self { gateway, told, served: Box::pin(served) }
    }
}

async fn line(gateway: &mut DuplexStream) -> String {
    let mut line = Vec::new();
    loop {
        match gateway.read_u8().await.unwrap() {
            b'\n' => return String::from_utf8(line).unwrap(),
            byte => line.push(byte),
        }
    }
}

/// The real one, whose source of random numbers always says the same.
struct Unrandom(Real);

impl Device for Unrandom {
    fn start() -> Self {
        Self(Real::with(|| Some(twin::STALE)))
    }

    async fn hear(&mut self, bytes: &[u8]) -> Vec<String> {
        self.0.hear(bytes).await
    }

    async fn wait(&mut self) -> Vec<String> {
        self.0.wait().await
    }

    fn led(&self) -> Led {
        self.0.led()
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_forged_lines_move_nothing() {
    mtom_time::run(async { assert_eq!(fooled::<Real>().await, 0) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_careless_with_its_key_is_caught() {
    mtom_time::run(async {
        assert_eq!(fooled::<Twin<{ Lack::NOTHING }>>().await, 0);
        assert!(fooled::<Twin<{ Lack::COUNT }>>().await > 0, "does not look at the count");
        assert!(
            fooled::<Twin<{ Lack::REST_OF_TAG }>>().await > 0,
            "looks at a tag's first byte only"
        );
        assert!(fooled::<Twin<{ Lack::SPEAKER }>>().await > 0, "believes what it has said itself");
        assert!(fooled::<Twin<{ Lack::NONCE }>>().await > 0, "has one nonce");
        assert!(fooled::<Unrandom>().await > 0, "has one random number");
    })
    .await;
}

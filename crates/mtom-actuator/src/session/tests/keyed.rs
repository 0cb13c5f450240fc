//! A device with a key, and those who have not its key.

use super::Led::{self, Off, On};
use super::{millis, said, settings};
use crate::report::{Clock, Desired, Report};
use crate::session::{Frame, Memory, Session, Voice};
use crate::settings::{Protocol, Settings};
use mtom_protocol::link::keyed::{Hello, Key, Nonce, Seal};
use mtom_protocol::time::UnixMicros;
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use std::cell::Cell;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

thread_local! {
    static DRAWN: Cell<u8> = const { Cell::new(0) };
}

fn draw() -> Option<Nonce> {
    Some(Nonce([DRAWN.replace(DRAWN.get().wrapping_add(1)); 16]))
}

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

fn keyed() -> Settings {
    Settings { key: Some(key(1)), ..settings(Protocol::Auto) }
}

/// A device that obeys, and what it does otherwise.
struct Device {
    key: Key,
    seal: Option<Seal>,
    led: Led,
    number: u64,
}

impl Device {
    fn new(key: Key) -> Self {
        Self { key, seal: None, led: Off, number: 0 }
    }

    fn hear(&mut self, line: &str) -> Vec<String> {
        if let Some(hello) = Hello::parse(line.as_bytes()) {
            let (seal, welcome) = Seal::welcoming(&self.key, hello, draw().unwrap());
            self.seal = Some(seal);
            return vec![welcome.to_string()];
        }
        let Some(seal) = &mut self.seal else { return vec!["! hello expected".into()] };
        let text = match seal.open(line.as_bytes()) {
            Ok(text) => String::from_utf8(text.to_vec()).unwrap(),
            Err(forged) => return vec![format!("! {forged}")],
        };
        if let Some((letter, number)) = text.split_once(' ') {
            self.led = if letter == "h" { On } else { Off };
            self.number = number.parse().unwrap();
            vec![self.sealed(&text)]
        } else {
            vec![self.state()]
        }
    }

    fn state(&mut self) -> String {
        self.sealed(&format!("= {} {} TEMP_LED 1.0.0", self.led, self.number))
    }

    fn sealed(&mut self, text: &str) -> String {
        let mut line = String::new();
        self.seal.as_mut().unwrap().seal(text, &mut line).unwrap();
        line
    }
}

/// Lives with `peer`, which hears each line at once and answers it, until `end`; from the start `h 42`
/// is desired. Says what was written, without nonces and tags, and what was reported.
fn live(
    settings: &Settings,
    mut peer: impl FnMut(&str, u64) -> Vec<String>,
    end: u64,
) -> Vec<String> {
    let log = Mutex::new(Vec::new());
    let began = Instant::now();
    let clock: Clock = Arc::new(|| UnixMicros(0));
    let reports = |report: Report| log.lock().unwrap().push(said(&report));
    let voice = Voice { report: &reports, clock: &clock, draw };
    let mut memory = Memory::default();
    let mut session = Session::new(settings, &voice, &mut memory, began);
    session.desire(Some(Desired { led: On, number: 42 }));
    let mut now = 0;
    loop {
        let at = began + millis(now);
        if let Some(fault) = session.fault(at) {
            let lasting = if fault.is_lasting { " (lasting)" } else { "" };
            log.lock().unwrap().push(format!("{now}: {}{lasting}", fault.reason));
            break;
        }
        for turn in 0.. {
            assert!(turn < 20, "it never stops writing");
            let Some(frame) = session.next(at) else { break };
            assert_eq!(session.next(at), Some(frame), "the same until something changes");
            let line = String::from_utf8(session.bytes(frame)).unwrap();
            let words: Vec<_> = line.split_whitespace().filter(|word| word.len() < 16).collect();
            log.lock().unwrap().push(format!("{now}: {}", words.join(" ")));
            session.sent(frame, at);
            for answer in peer(line.trim_end(), now) {
                session.receive(format!("{answer}\n").as_bytes(), at);
            }
        }
        let due = session.poll(at).map(|due| due.duration_since(began).as_millis());
        match due.map(|due| u64::try_from(due).unwrap()).filter(|due| *due <= end) {
            Some(due) => now = due,
            None => break,
        }
    }
    session.end(began + millis(now));
    drop(session);
    log.into_inner().unwrap()
}

/// The last thing that was said of forged lines, and everything else.
fn apart(log: Vec<String>) -> (Vec<String>, Option<String>) {
    let (mut forged, rest): (Vec<_>, Vec<_>) =
        log.into_iter().partition(|line| line.starts_with("forged "));
    (rest, forged.pop())
}

#[test]
fn a_device_that_has_the_key_is_told_and_believed() {
    let mut device = Device::new(key(1));
    assert_eq!(
        live(&keyed(), |line, _| device.hear(line), 6_000),
        [
            "0: #",
            "Authenticated",
            "0: h 42 #1",
            "sent h 42",
            "applied h 42",
            "0: ? #2",
            "second TEMP_LED 1.0.0",
            "5000: ? #3",
        ]
    );
    assert_eq!((device.led, device.number), (On, 42));
}

#[test]
fn nobody_else_is_told_anything() {
    const HELLOS: [&str; 3] = ["0: #", "500: #", "1500: #"];
    let wrong_key = "wrong key: the device has another one; name that with key_file, or give it this \
                     one with mtom flash actuator --key-file";
    let mut device = Device::new(key(2));
    let (log, forged) = apart(live(&keyed(), |line, _| device.hear(line), 60_000));
    assert_eq!(log[..3], HELLOS);
    assert_eq!(log[3..], ["WrongKey", &format!("2000: {wrong_key} (lasting)")]);
    assert_eq!((device.led, forged.as_deref()), (Off, Some("forged 3")));
    let no_key = "unauthenticated: the device has no key; give it this one with mtom flash actuator \
                  --key-file, or take key_file away";
    for answer in ["! no key", "! expected h N, c N or ?", "= h 42 TEMP_LED 1.0.0", "h 42"] {
        let (log, _) = apart(live(&keyed(), |_, _| vec![answer.into()], 60_000));
        assert_eq!(log[..3], HELLOS);
        assert_eq!(log[3..], ["Unauthenticated", &format!("2000: {no_key} (lasting)")]);
    }
    let silent = "no answer for 2s; an original device has no key, and is driven without key_file";
    let log = live(&keyed(), |_, _| Vec::new(), 60_000);
    assert_eq!(
        (&log[..3], &log[3..]),
        (&HELLOS.map(String::from)[..], &[format!("2000: {silent}")][..])
    );
    let (log, _) = apart(live(&keyed(), |_, _| vec!["! no random numbers".into()], 60_000));
    assert_eq!(log[3..], ["2000: the device has no random numbers yet"]);
}

#[test]
fn a_welcome_that_was_lost_or_spoilt_is_asked_for_again() {
    let mut device = Device::new(key(1));
    let mut heard = 0;
    let peer = |line: &str, _| {
        heard += 1;
        match heard {
            1 => Vec::new(),
            2 => vec![device.hear(line).remove(0).replace(char::is_numeric, "0")],
            _ => device.hear(line),
        }
    };
    let (log, _) = apart(live(&keyed(), peer, 1_600));
    assert_eq!(log[..5], ["0: #", "500: #", "1500: #", "Authenticated", "1500: h 42 #1"]);
}

#[test]
fn a_welcome_that_comes_late_is_no_wrong_key() {
    let mut device = Device::new(key(1));
    let mut late = Vec::new();
    let peer = |line: &str, _| std::mem::replace(&mut late, device.hear(line));
    let (log, _) = apart(live(&keyed(), peer, 60_000));
    let silent = "no answer for 2s; an original device has no key, and is driven without key_file";
    assert_eq!(log, ["0: #", "500: #", "1500: #", &format!("2000: {silent}")]);
}

#[test]
fn a_device_that_starts_again_is_greeted_again_and_told_again() {
    let mut device = Device::new(key(1));
    let mut is_restarted = false;
    let peer = |line: &str, now| {
        if now == 5_000 && !is_restarted {
            is_restarted = true;
            device = Device::new(key(1));
        }
        device.hear(line)
    };
    let log = live(&keyed(), peer, 6_000);
    let again = ["5000: ? #3", "5000: #", "Authenticated", "5000: h 42 #1", "sent h 42"];
    assert_eq!(log[7..], again);
    assert_eq!(device.led, On);
}

#[test]
fn what_was_said_before_or_by_somebody_else_is_not_believed() {
    let mut device = Device::new(key(1));
    let mut heard: Vec<String> = Vec::new();
    let peer = |line: &str, now| {
        if now >= 5_000 {
            // The device is gone; somebody says all again that was said, and what he likes.
            let mut all = heard.clone();
            all.extend([line.into(), "c 99".into(), "= c 99 TEMP_LED 1.0.0".into()]);
            return all;
        }
        let answers = device.hear(line);
        heard.push(line.into());
        heard.extend(answers.clone());
        answers
    };
    let (log, forged) = apart(live(&keyed(), peer, 60_000));
    assert_eq!(log[7..], ["5000: ? #3", "7000: no answer for 2s"]);
    assert_eq!(forged.as_deref(), Some("forged 9"));
}

#[test]
fn a_device_that_wants_a_key_is_not_taken_for_an_original_one() {
    let log = live(&settings(Protocol::Auto), |_, _| vec!["! key expected".into()], 60_000);
    let wanted = "wrong key: the device has a key, and this actuator none; name it with key_file";
    // The fault is found at the next turn.
    assert_eq!(log, ["0: ?", "WrongKey", &format!("300: {wanted} (lasting)")]);
}

#[test]
fn without_random_numbers_nothing_is_said() {
    let clock: Clock = Arc::new(|| UnixMicros(0));
    let voice = Voice { report: &|_| {}, clock: &clock, draw: || None };
    let (settings, mut memory, now) = (keyed(), Memory::default(), Instant::now());
    let mut session = Session::new(&settings, &voice, &mut memory, now);
    assert_eq!(session.next(now), None);
    assert_eq!(session.fault(now).unwrap().reason, "this system gives no random numbers");
}

#[test]
fn frames_are_the_bytes_of_the_specification() {
    let (settings, clock) = (settings(Protocol::Auto), Arc::new(|| UnixMicros(0)) as Clock);
    let voice = Voice { report: &|_| {}, clock: &clock, draw: || None };
    let mut memory = Memory::default();
    let mut session = Session::new(&settings, &voice, &mut memory, Instant::now());
    let desired = Desired { led: On, number: u64::MAX };
    let nonce = Nonce([0xab; 16]);
    for (frame, bytes) in [
        (Frame::Ask, "?\n"),
        (Frame::Line(desired), "h 18446744073709551615\n"),
        (Frame::Bare(desired), "h"),
        (Frame::Hello(Hello(nonce)), "# ABABABABABABABABABABABABABABABAB\n"),
    ] {
        assert_eq!(session.bytes(frame), bytes.as_bytes());
    }
}

proptest! {
    // Unoptimised, each line takes a good part of a millisecond.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(64)))]

    #[test]
    fn without_the_key_no_bytes_are_believed(pieces: Vec<Vec<u8>>, at in any::<u8>()) {
        let clock: Clock = Arc::new(|| UnixMicros(0));
        let log = Mutex::new(Vec::new());
        let reports = |report: Report| log.lock().unwrap().push(report);
        let voice = Voice { report: &reports, clock: &clock, draw };
        let (settings, mut memory, mut now) = (keyed(), Memory::default(), Instant::now());
        let mut session = Session::new(&settings, &voice, &mut memory, now);
        session.desire(Some(Desired { led: On, number: 42 }));
        let mut device = Device::new(key(1));
        for (turn, piece) in pieces.iter().enumerate() {
            now += millis(10);
            session.receive(piece, now);
            session.receive(b"\n", now);
            while let Some(frame) = session.next(now) {
                let line = session.bytes(frame);
                session.sent(frame, now);
                if turn == usize::from(at) % 4 {
                    let line = String::from_utf8(line).unwrap();
                    for answer in device.hear(line.trim_end()) {
                        session.receive(format!("{answer}\n").as_bytes(), now);
                    }
                }
            }
            prop_assert!(session.poll(now).is_none_or(|at| at > now));
        }
        drop(session);
        let is_true = |report: &Report| match report {
            Report::Applied { led, number, .. } | Report::State { led, number } => {
                (*led, *number) == (device.led, device.number)
            }
            _ => true,
        };
        prop_assert!(log.into_inner().unwrap().iter().all(is_true));
    }
}

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use super::{Forged, Hello, Key, NoKey, Nonce, SEAL_LEN_MAX, Seal, Welcome};
use crate::link::{LINE_LEN_MAX, Led, Report, Request};
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::Index;

const DIGITS: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";
const HELLO: &str = "# 00112233445566778899AABBCCDDEEFF";
const WELCOME: &str = "# FFEEDDCCBBAA99887766554433221100 1A9E2F6A9596FD8D";

fn key() -> Key {
    Key::parse(DIGITS).unwrap()
}

fn hello() -> Hello {
    Hello::parse(HELLO.as_bytes()).unwrap()
}

fn nonce(byte: u8) -> Nonce {
    Nonce([byte; 16])
}

/// The gateway's side and the device's.
fn conversation() -> (Seal, Seal) {
    let gateway = Seal::welcomed(&key(), hello(), WELCOME.as_bytes()).unwrap();
    (gateway, device(&key(), hello()).0)
}

fn device(key: &Key, hello: Hello) -> (Seal, Welcome) {
    let nonce = Hello::parse(b"# FFEEDDCCBBAA99887766554433221100").unwrap().0;
    Seal::welcoming(key, hello, nonce)
}

fn sealed(seal: &mut Seal, text: &str) -> String {
    let mut line = String::new();
    seal.seal(text, &mut line).unwrap();
    line
}

/// The tags are those of another implementation of HMAC-SHA-256.
#[test]
fn a_conversation_is_the_bytes_of_the_specification() {
    assert_eq!(hello().to_string(), HELLO);
    assert_eq!(device(&key(), hello()).1.to_string(), WELCOME);
    let (mut gateway, mut device) = conversation();
    for (text, line) in [("h 42", "h 42 #1 5318886198BDF593"), ("?", "? #2 4006F1A0CD0A1124")] {
        assert_eq!(sealed(&mut gateway, text), line);
        assert_eq!(device.open(line.as_bytes()), Ok(text.as_bytes()));
    }
    for (text, line) in [
        ("h 42", "h 42 #1 F43A2A6D73F4F167"),
        ("= h 42 TEMP_LED 1.0.0", "= h 42 TEMP_LED 1.0.0 #2 910B79581BF9A05E"),
        ("! expected h N, c N or ?", "! expected h N, c N or ? #3 5EA25887F959334D"),
    ] {
        assert_eq!(sealed(&mut device, text), line);
        // As over a serial port that ends lines so.
        assert_eq!(gateway.open(format!("{line}\r").as_bytes()), Ok(text.as_bytes()));
    }
    let last = "c 18446744073709551615 #4294967295 49E0AC633F805D10";
    gateway.said = u32::MAX - 1;
    assert_eq!(sealed(&mut gateway, "c 18446744073709551615"), last);
    assert!(device.open(last.as_bytes()).is_ok());
    // Then it is over, and the next one is not said under a count that was used.
    assert!(gateway.seal("?", &mut String::new()).is_err());
}

#[test]
fn no_digit_of_a_greeting_is_a_command_of_an_original_device() {
    for byte in 0..=255 {
        let (_, welcome) = Seal::welcoming(&key(), Hello(nonce(byte)), nonce(byte));
        let said = format!("{}{welcome}", Hello(nonce(byte)));
        assert!(said.bytes().all(|byte| Led::from_byte(byte).is_none()), "{said}");
    }
}

#[test]
fn a_key_is_64_hexadecimal_digits_and_stands_in_no_log() {
    let lower = format!(" {}\r\n", DIGITS.to_lowercase());
    assert_eq!(Key::parse(&lower), Ok(key()));
    assert_eq!(key().digits().to_string(), DIGITS);
    for text in ["", "00", &DIGITS[1..], &format!("{DIGITS}0"), &DIGITS.replace('A', "g")] {
        assert_eq!(Key::parse(text), Err(NoKey), "{text:?}");
    }
    let (gateway, _) = conversation();
    let shown = format!("{:?} {gateway:?}", key());
    assert_eq!(shown, "Key(…) Seal(Gateway, said 0, heard 0)");
}

#[test]
fn a_line_is_believed_once_and_in_its_order_but_may_get_lost() {
    let (mut gateway, mut device) = conversation();
    let lines: Vec<String> = (0..4).map(|at| sealed(&mut gateway, &format!("h {at}"))).collect();
    let mut hear = |at: usize| device.open(lines[at].as_bytes()).map(drop);
    assert_eq!([hear(0), hear(2)], [Ok(()), Ok(())]);
    assert_eq!([hear(0), hear(1), hear(2)], [Err(Forged::Old); 3]);
    assert_eq!(hear(3), Ok(()));
}

#[test]
fn what_one_side_says_cannot_be_said_back_to_it() {
    let (mut gateway, mut device) = conversation();
    let line = sealed(&mut gateway, "h 42");
    assert_eq!(gateway.open(line.as_bytes()), Err(Forged::WrongTag));
    let line = sealed(&mut device, "h 42");
    assert_eq!(device.open(line.as_bytes()), Err(Forged::WrongTag));
}

#[test]
fn another_key_another_hello_and_another_conversation_are_told() {
    let other = Key::new([7; 32]);
    let welcome = device(&key(), hello()).1.to_string();
    let tried = |key: &Key, hello: Hello| {
        Seal::welcomed(key, hello, welcome.as_bytes()).map(drop).unwrap_err()
    };
    assert_eq!(tried(&other, hello()), Forged::WrongTag);
    assert_eq!(tried(&key(), Hello(nonce(1))), Forged::WrongTag);
    let (mut gateway, _) = conversation();
    let line = sealed(&mut gateway, "h 42");
    // After a restart of the device, of the gateway, and beside another device.
    for (key, hello, nonce) in [
        (key(), hello(), nonce(1)),
        (key(), Hello(nonce(1)), Hello::parse(&WELCOME.as_bytes()[..34]).unwrap().0),
        (other, hello(), Hello::parse(&WELCOME.as_bytes()[..34]).unwrap().0),
    ] {
        let (mut device, _) = Seal::welcoming(&key, hello, nonce);
        assert_eq!(device.open(line.as_bytes()), Err(Forged::WrongTag));
    }
}

#[test]
fn what_has_no_tag_is_told_from_what_has_a_wrong_one() {
    let (mut gateway, mut device) = conversation();
    let line = sealed(&mut gateway, "h 42");
    for untagged in ["", " ", "h", "?", "h 42", "h 42 #1", "h 42 #1 ", "h 42 1 5318886198BDF593"] {
        assert_eq!(device.open(untagged.as_bytes()), Err(Forged::Untagged), "{untagged:?}");
    }
    for len in 0..line.len() {
        assert_eq!(device.open(&line.as_bytes()[..len]), Err(Forged::Untagged), "{len}");
    }
    for wrong in
        ["h 43 #1 5318886198BDF593", "h 42 #2 5318886198BDF593", "h 42 #01 5318886198BDF593"]
    {
        assert_eq!(device.open(wrong.as_bytes()), Err(Forged::WrongTag), "{wrong:?}");
    }
    assert_eq!(device.open(line.as_bytes()), Ok(&b"h 42"[..]));
}

#[test]
fn refusals_are_words_that_a_gateway_knows() {
    for forged in Forged::ALL {
        let line = format!("! {forged}");
        let Ok(Report::Refused { reason }) = Report::parse(line.as_bytes()) else {
            panic!("{line}")
        };
        assert_eq!(Forged::of_reason(reason), Some(forged));
    }
    for reason in ["", "key", "key expected, please", "expected h N, c N or ?"] {
        assert_eq!(Forged::of_reason(reason), None, "{reason:?}");
    }
}

#[test]
fn the_longest_lines_keep_the_limit() {
    let name = "n".repeat(20);
    let state =
        Report::State { led: Led::On, number: u64::MAX, name: &name, version: "10.100.100" };
    assert!(state.to_string().len() + SEAL_LEN_MAX <= LINE_LEN_MAX);
    assert!(WELCOME.len() <= LINE_LEN_MAX);
    let (mut gateway, _) = conversation();
    gateway.said = u32::MAX - 1;
    assert_eq!(sealed(&mut gateway, "?").len(), "?".len() + SEAL_LEN_MAX);
}

/// One of the ways in which a line is damaged or forged.
#[derive(Debug)]
enum Change {
    Flip(Index, u8),
    Truncate(Index),
    Insert(Index, u8),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        any::<Index>().prop_map(Change::Truncate),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
    ]
}

impl Change {
    fn of(&self, line: &str) -> Vec<u8> {
        let mut bytes = line.as_bytes().to_vec();
        let len = bytes.len();
        match self {
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Self::Truncate(at) => bytes.truncate(at.index(len)),
            Self::Insert(at, byte) => bytes.insert(at.index(len + 1), *byte),
        }
        bytes
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_and_none_are_believed(bytes: Vec<u8>) {
        let (mut gateway, mut device) = conversation();
        prop_assert!(gateway.open(&bytes).is_err());
        prop_assert!(device.open(&bytes).is_err());
        prop_assert!(Seal::welcomed(&key(), hello(), &bytes).is_err());
        let _ = Hello::parse(&bytes);
    }

    #[test]
    fn what_is_sealed_is_opened(
        bytes: [u8; 32], hello: [u8; 16], nonce: [u8; 16], texts in proptest::collection::vec("[ -~]{1,60}", 1..9),
    ) {
        let (key, hello) = (Key::new(bytes), Hello(Nonce(hello)));
        let (mut device, welcome) = Seal::welcoming(&key, hello, Nonce(nonce));
        let mut gateway = Seal::welcomed(&key, hello, welcome.to_string().as_bytes()).unwrap();
        for text in &texts {
            let line = sealed(&mut gateway, text);
            prop_assert_eq!(device.open(line.as_bytes()), Ok(text.as_bytes()));
            let line = sealed(&mut device, text);
            prop_assert_eq!(gateway.open(line.as_bytes()), Ok(text.as_bytes()));
        }
    }

    #[test]
    fn a_line_that_was_changed_anywhere_is_refused_or_means_the_same(
        on: bool, number: u64, change in change(),
    ) {
        let (mut gateway, mut device) = conversation();
        let request = Request::Set { led: if on { Led::On } else { Led::Off }, number };
        let line = sealed(&mut gateway, &request.to_string());
        let changed = change.of(&line);
        if let Ok(text) = device.open(&changed) {
            // The case of a tag's digits, and the carriage return, say nothing.
            prop_assert_eq!(Request::parse(text), Ok(request));
            prop_assert!(changed.to_ascii_uppercase().starts_with(line.to_ascii_uppercase().as_bytes()));
        }
    }
}

//! MQTT packets as somebody in between sees them: where one ends, what it publishes, what it acknowledges.

/// What a packet is to somebody in between.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// A reading with a number, under a packet id.
    Reading {
        id: u16,
        number: u64,
    },
    /// The packet id is acknowledged.
    Acknowledgement {
        id: u16,
    },
    Other,
}

/// The next packet in `bytes` and its length; `None`: more has to come.
pub(crate) fn next(bytes: &[u8]) -> Option<(Packet, usize)> {
    let (mut len, mut place) = (0, 1);
    loop {
        let digit = usize::from(*bytes.get(place)?);
        len |= (digit & 0x7f) << (7 * (place - 1));
        place += 1;
        if digit & 0x80 == 0 {
            break;
        }
    }
    let body = bytes.get(place..place + len)?;
    let packet = match bytes[0] >> 4 {
        3 if bytes[0] & 0x06 != 0 => reading(body),
        4 => body.get(..2).map(|id| Packet::Acknowledgement { id: number(id) }),
        _ => None,
    };
    Some((packet.unwrap_or(Packet::Other), place + len))
}

fn number(two: &[u8]) -> u16 {
    u16::from_be_bytes([two[0], two[1]])
}

/// The payload is whatever follows; where there are properties they come before it.
fn reading(body: &[u8]) -> Option<Packet> {
    let topic = usize::from(number(body.get(..2)?));
    let id = number(body.get(2 + topic..4 + topic)?);
    Some(Packet::Reading { id, number: number_of(body.get(4 + topic..)?)? })
}

/// The payload of the reading with that number: `N-th ` as a temperature that no other has.
pub(crate) fn celsius(number: u64) -> String {
    format!("{}.{:03}", number / 1_000, number % 1_000)
}

/// The number of the reading with that temperature.
pub(crate) fn number_at(celsius: f64) -> u64 {
    // Some thousands: exact.
    format!("{:.0}", celsius * 1_000.0).parse().unwrap()
}

/// The number in what follows the packet id: `temperature":N` as JSON, or `N °C` as the last word.
fn number_of(rest: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(rest);
    let value = match text.split_once("temperature\":") {
        Some((_, value)) => value.split(',').next()?,
        None => {
            text.strip_suffix(" °C")?.rsplit(|c: char| !c.is_ascii_digit() && c != '.').next()?
        }
    };
    value.parse().ok().map(number_at)
}

#[test]
fn packets_are_told_apart_however_they_are_cut() {
    let json = br#"{"temperature":1.007,"boot":"b","seq":1007}"#;
    let mut publish = vec![0x32, 0, 0, 3, b'a', b'/', b'b', 0x12, 0x34];
    publish.extend(json);
    publish[1] = u8::try_from(publish.len() - 2).unwrap();
    for len in 0..publish.len() {
        assert_eq!(next(&publish[..len]), None);
    }
    let expected = Packet::Reading { id: 0x1234, number: 1_007 };
    assert_eq!(next(&publish), Some((expected, publish.len())));
    let acknowledgement = Packet::Acknowledgement { id: 0x1234 };
    assert_eq!(next(&[0x40, 2, 0x12, 0x34, 0xd0]), Some((acknowledgement, 4)));
    let mut text = vec![0x32, 0, 0, 1, b'a', 0, 1, 3, 0x26, 0, 0];
    text.extend("0.012 °C".bytes());
    text[1] = u8::try_from(text.len() - 2).unwrap();
    assert_eq!(next(&text).unwrap().0, Packet::Reading { id: 1, number: 12 });
    assert_eq!(next(&[0xd0, 0]), Some((Packet::Other, 2)));
}

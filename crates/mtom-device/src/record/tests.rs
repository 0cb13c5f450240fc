use super::{DeciCelsius, RECORD_LEN, Record, Taken, UPTIME};
use mtom_protocol::time::UnixMicros;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

fn records() -> impl Strategy<Value = Record> {
    let taken = prop_oneof![
        (0..=i64::MAX).prop_map(|at| Taken::At(UnixMicros(at))),
        (0..UPTIME).prop_map(Taken::Uptime),
    ];
    (any::<u64>(), any::<u32>(), any::<i16>(), taken).prop_map(|(boot, seq, tenths, taken)| {
        Record { boot, seq, celsius: DeciCelsius(tenths), taken }
    })
}

#[test]
fn a_record_stands_in_flash_as_it_always_has() {
    let record = Record {
        boot: 0x0123_4567_89ab_cdef,
        seq: 7,
        celsius: DeciCelsius(-5),
        taken: Taken::At(UnixMicros(1_795_478_400_000_000)),
    };
    let at = [
        0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, 0x00, 0xe0, 0x3b, 0x64, 0xfa, 0x60, 0x06,
        0x00, 0x07, 0x00, 0x00, 0x00, 0xfb, 0xff, 0x00, 0x00,
    ];
    assert_eq!(record.to_bytes(), at);
    assert_eq!(Record::from_bytes(&at), Some(record));
    let unset = Record { taken: Taken::Uptime(1), ..record };
    assert_eq!(unset.to_bytes()[8..16], [1, 0, 0, 0, 0, 0, 0, 0x80]);
}

#[test]
fn a_time_before_1970_is_none_and_does_not_become_an_uptime() {
    let record =
        Record { boot: 1, seq: 1, celsius: DeciCelsius(0), taken: Taken::At(UnixMicros(-1)) };
    let read = Record::from_bytes(&record.to_bytes()).unwrap();
    assert_eq!(read.taken, Taken::At(UnixMicros(0)));
}

proptest! {
    #[test]
    fn what_was_written_is_read(record in records()) {
        prop_assert_eq!(Record::from_bytes(&record.to_bytes()), Some(record));
    }

    #[test]
    fn any_bytes_are_a_record_or_too_few(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        // Two bytes of the 24 are spare.
        prop_assert_eq!(Record::from_bytes(&bytes).is_some(), bytes.len() >= RECORD_LEN - 2);
        if let Some(record) = Record::from_bytes(&bytes) {
            prop_assert!(bytes.starts_with(&record.to_bytes()[..RECORD_LEN - 2]));
        }
    }
}

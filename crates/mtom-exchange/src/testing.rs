//! Records and files for tests.

use crate::format::Format;
use crate::reader::{Bad, OpenError, Reader};
use crate::record::{AT_MAX, AT_MIN, Defaults, Record, TEXT_LEN_MAX};
use crate::writer::Writer;
use mtom_protocol::payload::plausible;
use mtom_protocol::reading::ReadingKey;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use proptest::prelude::*;
use std::io::{Cursor, Seek, SeekFrom, Write};
use std::sync::Arc;

/// A record as the gateway stores them.
pub(crate) fn record(device: &str, quantity: &str, value: f64, unit: Unit) -> Record {
    Record {
        id: Some(7),
        at: UnixMicros(1_763_885_190_123_456),
        arrived_at: Some(UnixMicros(1_763_885_190_200_000)),
        taken_at: Some(UnixMicros(1_763_885_190_123_456)),
        suspect: false,
        topic: Arc::from(format!("{device}/{quantity}")),
        device: Arc::from(device),
        quantity: Arc::from(quantity),
        value,
        unit,
        key: Some(ReadingKey { boot: "b1".into(), seq: 41 }),
    }
}

/// What the golden files hold: the usual, the missing, and the awkward.
pub(crate) fn samples() -> Vec<Record> {
    let usual = record("Environ", "Temperature", 23.4, Unit::Celsius);
    let bare = Record {
        id: None,
        at: UnixMicros(1_763_885_190_000_000),
        arrived_at: None,
        taken_at: None,
        suspect: true,
        key: None,
        ..record("Keller, links", "humidity", -0.0, Unit::Percent)
    };
    let awkward = Record {
        key: Some(ReadingKey { boot: "@boot \"1\"".into(), seq: u64::MAX }),
        topic: Arc::from("a = b"),
        ..record("=1+1", "'air' °", 1e-7, Unit::HectoPascal)
    };
    vec![usual, bare, awkward]
}

pub(crate) fn write(format: Format, records: &[Record]) -> Vec<u8> {
    let mut writer = Writer::new(format, Vec::new()).unwrap();
    for record in records {
        writer.write(record).unwrap();
    }
    writer.finish().unwrap()
}

pub(crate) fn open(format: Format, bytes: &[u8], defaults: Defaults) -> Result<Reader, OpenError> {
    if format != Format::Parquet {
        return Reader::stream(format, Box::new(Cursor::new(bytes.to_vec())), defaults);
    }
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    Reader::open(format, file, defaults)
}

pub(crate) fn read(format: Format, bytes: &[u8], defaults: Defaults) -> Vec<Result<Record, Bad>> {
    let reader = open(format, bytes, defaults).unwrap();
    reader.map(|entry| entry.unwrap().record).collect()
}

/// What a file says, entry by entry, for `expect!`.
pub(crate) fn told(format: Format, bytes: &[u8], defaults: Defaults) -> String {
    let mut told = String::new();
    for entry in read(format, bytes, defaults) {
        match entry {
            Ok(record) => {
                let Record { at, device, quantity, value, unit, topic, key, .. } = record;
                let (at, unit) = (at.rfc3339(), unit.symbol());
                let key = key.map(|key| format!(" {}#{}", key.boot, key.seq)).unwrap_or_default();
                told += &format!("{at} {device} | {quantity} | {value:?} {unit} | {topic}{key}\n");
            }
            Err(bad) => told += &format!("{bad} [{}] {}\n", bad.code, bad.head),
        }
    }
    told
}

/// Equal to the last bit.
pub(crate) fn assert_same(read: &[Result<Record, Bad>], written: &[Record]) {
    assert_eq!(read.len(), written.len(), "{read:?}");
    for (read, written) in read.iter().zip(written) {
        let read = read.as_ref().unwrap();
        assert_eq!(read, written);
        assert_eq!(read.value.to_bits(), written.value.to_bits());
    }
}

/// Any record that can be written, with texts of `text`.
pub(crate) fn any_record(
    text: impl Strategy<Value = String> + Clone + 'static,
    at: std::ops::Range<i64>,
) -> impl Strategy<Value = Record> {
    let text =
        text.prop_filter("texts have a length", |text| (1..=TEXT_LEN_MAX).contains(&text.len()));
    let name = text.clone().prop_map(|text| Arc::<str>::from(text.as_str()));
    let time = proptest::option::of((AT_MIN.0..=AT_MAX.0).prop_map(UnixMicros));
    let key = proptest::option::of(
        (text, any::<u64>()).prop_map(|(boot, seq)| ReadingKey { boot: boot.into(), seq }),
    );
    let number = proptest::sample::select(Unit::ALL.to_vec())
        .prop_flat_map(|unit| (any_value(unit), Just(unit)));
    (
        (proptest::option::of(any::<u64>()), at.prop_map(UnixMicros), time.clone(), time),
        (any::<bool>(), name.clone(), name.clone(), name, number, key),
    )
        .prop_map(|((id, at, arrived_at, taken_at), rest)| {
            let (suspect, topic, device, quantity, (value, unit), key) = rest;
            Record {
                id,
                at,
                arrived_at,
                taken_at,
                suspect,
                topic,
                device,
                quantity,
                value,
                unit,
                key,
            }
        })
}

/// Any number that can be a measurement, of any size.
fn any_value(unit: Unit) -> impl Strategy<Value = f64> {
    let (min, max) = unit.range();
    let usual = (min.max(-1e3)..=max.min(1e3)).prop_map(|value| (value * 10.0).round() / 10.0);
    prop_oneof![
        any::<f64>(),
        min.max(-1e3)..=max.min(1e3),
        usual,
        Just(0.0),
        Just(-0.0),
        Just(5e-324),
    ]
    .prop_map(move |value| if plausible(value, unit).is_ok() { value } else { 1.0 })
}

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use super::*;
use crate::record::{AT_MAX, AT_MIN};
use crate::testing::{any_record, assert_same, open, read, record, samples, write};
use crate::writer::{WriteError, Writer};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use proptest::prelude::*;
use std::sync::Arc;

/// Any text that a tag of line protocol has a form for.
const TAG: &str = r"[^\n\r\\]{0,20}[^\n\r\\]|[=,\\ \t'#]{1,5}x";
/// Any text at all, also those that begin like formulas.
const TEXT: &str = r#"(?s).{0,20}|[=+@\t\r\n"',;\\-]{1,6}"#;
/// What line protocol and SenML can count: 1978-07-05 to 2262.
const AT: std::ops::Range<i64> = 268_444_800_000_000..9_223_372_036_854_775;

/// What line protocol and SenML keep.
fn reduced(record: &Record) -> Record {
    Record { id: None, ..record.clone() }
}

proptest! {
    #[test]
    fn csv_brings_every_record_back(records in prop::collection::vec(any_record(TEXT, AT_MIN.0..AT_MAX.0), 0..8)) {
        assert_same(&read(Format::Csv, &write(Format::Csv, &records), Defaults::default()), &records);
    }

    #[test]
    fn json_lines_bring_every_record_back(records in prop::collection::vec(any_record(TEXT, AT_MIN.0..AT_MAX.0), 0..8)) {
        let bytes = write(Format::JsonLines, &records);
        assert_same(&read(Format::JsonLines, &bytes, Defaults::default()), &records);
    }

    #[test]
    fn parquet_brings_every_record_back(records in prop::collection::vec(any_record(TEXT, AT_MIN.0..AT_MAX.0), 0..8)) {
        let bytes = write(Format::Parquet, &records);
        assert_same(&read(Format::Parquet, &bytes, Defaults::default()), &records);
    }

    #[test]
    fn line_protocol_brings_back_what_it_has_words_for(records in prop::collection::vec(any_record(TAG, AT), 0..8)) {
        let bytes = write(Format::LineProtocol, &records);
        let kept: Vec<_> = records.iter().map(reduced).collect();
        assert_same(&read(Format::LineProtocol, &bytes, Defaults::default()), &kept);
    }

    #[test]
    fn senml_brings_back_what_it_has_words_for(records in prop::collection::vec(any_record(TEXT, AT), 0..8)) {
        let mut writer = Writer::new(Format::SenMl, Vec::new()).unwrap();
        // 10^308 hPa has no Pa.
        let kept: Vec<_> = records.iter().filter(|record| writer.write(record).is_ok()).map(reduced).collect();
        let bytes = writer.finish().unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap().is_array());
        assert_same(&read(Format::SenMl, &bytes, Defaults::default()), &kept);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0_usize..6) {
        for format in Format::ALL {
            let start = ["", "at,value\n", "{", "[{", "PAR1", "m f=1\n"][start].as_bytes();
            let bytes = [start, &bytes].concat();
            if let Ok(reader) = open(format, &bytes, Defaults::default()) {
                prop_assert!(reader.map(Result::unwrap).count() <= bytes.len());
            }
        }
    }

    #[test]
    fn a_file_with_a_slip_never_panics_and_loses_no_more_than_its_neighbours(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        format in prop::sample::select(Format::ALL.to_vec()),
    ) {
        let records: Vec<Record> = (0..50).map(|n| record("a", "b", f64::from(n), Unit::Volt)).collect();
        let mut bytes = write(format, &records);
        // The header of CSV says what everything means; the first byte of JSON what it is.
        let start = if format == Format::Csv { csv::HEADER.len() } else { 1 };
        let at = start + at.index(bytes.len() - start);
        bytes[at] = byte;
        let Ok(reader) = open(format, &bytes, Defaults::default()) else {
            prop_assert_eq!(format, Format::Parquet);
            return Ok(());
        };
        let good = reader.filter_map(|entry| entry.unwrap().record.ok()).count();
        match format {
            Format::Csv | Format::JsonLines | Format::LineProtocol | Format::SenMl => prop_assert!(good >= 48, "{good}"),
            // A damaged page takes its group with it.
            Format::Parquet => {}
        }
    }

    #[test]
    fn the_rest_behind_a_position_is_the_same_rest(skipped in 0_usize..8, format in prop::sample::select(Format::ALL.to_vec())) {
        let mut bytes = write(format, &samples());
        match format {
            Format::JsonLines | Format::LineProtocol => bytes.extend_from_slice(b"nonsense\nf,device=d a=1,b=x,c=3 1\n\n"),
            Format::Csv => bytes.extend_from_slice(b"nonsense\n"),
            Format::SenMl => bytes.extend_from_slice(b"[{\"bn\":\"d/\",\"bt\":1e9},{\"n\":\"q\",\"v\":1},{}]"),
            Format::Parquet => {}
        }
        let all: Vec<_> = open(format, &bytes, Defaults::default()).unwrap().map(Result::unwrap).collect();
        let mut resumed = open(format, &bytes, Defaults::default()).unwrap();
        let is_there = resumed.skip_to(skipped as u64).unwrap();
        prop_assert_eq!(is_there, skipped <= all.len());
        let rest: Vec<_> = resumed.map(Result::unwrap).collect();
        prop_assert_eq!(&rest[..], all.get(skipped..).unwrap_or_default());
    }
}

#[test]
fn damaged_parquet_never_panics() {
    let records: Vec<Record> =
        (0..300).map(|n| record("a", "b", f64::from(n), Unit::Volt)).collect();
    let whole = write(Format::Parquet, &records);
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % below
    };
    for _ in 0..3_000 {
        let mut bytes = whole.clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            bytes[at] = u8::try_from(next(256)).unwrap();
        }
        if next(4) == 0 {
            bytes.truncate(next(bytes.len()));
        }
        if let Ok(reader) = open(Format::Parquet, &bytes, Defaults::default()) {
            assert!(reader.map(Result::unwrap).count() <= 10_000);
        }
    }
}

#[test]
fn a_stream_of_parquet_is_refused() {
    let source = Box::new(io::empty());
    let error = Reader::stream(Format::Parquet, source, Defaults::default()).unwrap_err();
    assert!(matches!(error, OpenError::NeedsFile));
}

#[test]
fn an_error_of_the_source_ends_the_entries() {
    struct Failing(u8);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 == 2 {
                return Err(io::Error::other("the disk is gone"));
            }
            let line = b"a,device=d b=1 1763885190123456000\n";
            buffer[..line.len()].copy_from_slice(line);
            Ok(line.len())
        }
    }
    let source = Box::new(Failing(0));
    let mut reader = Reader::stream(Format::LineProtocol, source, Defaults::default()).unwrap();
    assert!(reader.next().unwrap().unwrap().record.is_ok());
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
    assert_eq!(reader.position(), 1);
}

#[test]
fn the_head_of_a_bad_line_is_short_and_has_no_control_characters() {
    let long = format!("at,value\n\u{1b}[2J,{}\n", "é".repeat(500));
    let bad = read(Format::Csv, long.as_bytes(), Defaults::default()).remove(0).unwrap_err();
    assert!(bad.head.len() <= HEAD_LEN_MAX && !bad.head.chars().any(char::is_control), "{bad:?}");
}

#[test]
fn lines_beyond_the_limit_are_bad_and_the_next_one_is_not() {
    let filler = "x".repeat(3 * LINE_LEN_MAX);
    let good = record("Environ", "Temperature", 1.5, Unit::Celsius);
    for format in [Format::Csv, Format::JsonLines, Format::LineProtocol, Format::SenMl] {
        let text = String::from_utf8(write(format, &[good.clone(), good.clone()])).unwrap();
        let (head, tail) = text.rsplit_once("Environ").unwrap();
        let (before, start) = head.rsplit_once('\n').unwrap();
        let separator = if format == Format::SenMl { ",\n" } else { "\n" };
        let broken = format!("{before}\n{start}{filler}{tail}");
        let broken = broken.trim_end_matches(['\n', ']']);
        let text = format!("{broken}{separator}{start}Environ{tail}");
        let found = read(format, text.as_bytes(), Defaults::default());
        let kinds: Vec<bool> = found.iter().map(Result::is_ok).collect();
        assert_eq!(kinds, [true, false, true], "{format}: {found:?}");
        assert_eq!(found[1].as_ref().unwrap_err().code, "too_long", "{format}");
    }
}

#[test]
fn what_a_format_has_no_form_for_is_refused_and_leaves_the_file_whole() {
    let good = record("a", "b", 1.0, Unit::None);
    let nameless = Record { device: Arc::from(""), ..good.clone() };
    let endless = Record { value: f64::INFINITY, ..good.clone() };
    let ancient = Record { at: UnixMicros(i64::MIN), ..good.clone() };
    let broken = Record { device: Arc::from("a\nb"), ..good.clone() };
    let early = Record { at: UnixMicros(1), ..good.clone() };
    for format in Format::ALL {
        let mut writer = Writer::new(format, Vec::new()).unwrap();
        let mut kept = 0;
        for record in [&nameless, &good, &endless, &ancient, &broken, &early, &good] {
            match writer.write(record) {
                Ok(()) => kept += 1,
                Err(WriteError::Unwritable { reason }) => assert!(
                    reason.contains("expected")
                        || reason.contains("has no")
                        || reason.contains("SenML"),
                    "{reason}"
                ),
                Err(WriteError::Io(error)) => panic!("{error}"),
            }
        }
        assert_eq!(writer.written(), kept);
        let read = read(format, &writer.finish().unwrap(), Defaults::default());
        assert_eq!(read.iter().filter(|record| record.is_ok()).count() as u64, kept, "{format}");
    }
}

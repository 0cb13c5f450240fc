use super::write::GROUP_LEN;
use crate::format::Format;
use crate::reader::OpenError;
use crate::record::{Defaults, Record};
use crate::testing::{assert_same, open, read, record, samples, write};
use expect_test::expect;
use jiff::tz::{TimeZone, offset};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::printer::print_schema;
use std::sync::Arc;

#[test]
fn a_file_looks_so() {
    let bytes = write(Format::Parquet, &samples());
    assert_same(&read(Format::Parquet, &bytes, Defaults::default()), &samples());
    let file = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    let mut told = Vec::new();
    print_schema(&mut told, file.metadata().file_metadata().schema());
    let mut told = String::from_utf8(told).unwrap();
    for row in file.get_row_iter(None).unwrap() {
        told += &format!("{}\n", row.unwrap());
    }
    expect![[r#"
        message mtom {
          OPTIONAL INT64 id (INTEGER(64,false));
          REQUIRED INT64 time (TIMESTAMP(MICROS,true));
          OPTIONAL INT64 arrived_at (TIMESTAMP(MICROS,true));
          OPTIONAL INT64 taken_at (TIMESTAMP(MICROS,true));
          REQUIRED BOOLEAN suspect;
          REQUIRED BYTE_ARRAY topic (STRING);
          REQUIRED BYTE_ARRAY device (STRING);
          REQUIRED BYTE_ARRAY quantity (STRING);
          REQUIRED DOUBLE value;
          REQUIRED BYTE_ARRAY unit (STRING);
          OPTIONAL BYTE_ARRAY boot (STRING);
          OPTIONAL INT64 seq (INTEGER(64,false));
        }
        {id: 7, time: 2025-11-23 08:06:30.123456 +00:00, arrived_at: 2025-11-23 08:06:30.200000 +00:00, taken_at: 2025-11-23 08:06:30.123456 +00:00, suspect: false, topic: "Environ/Temperature", device: "Environ", quantity: "Temperature", value: 23.4, unit: "°C", boot: "b1", seq: 41}
        {id: null, time: 2025-11-23 08:06:30.000000 +00:00, arrived_at: null, taken_at: null, suspect: true, topic: "Keller, links/humidity", device: "Keller, links", quantity: "humidity", value: -0E0, unit: "%", boot: null, seq: null}
        {id: 7, time: 2025-11-23 08:06:30.123456 +00:00, arrived_at: 2025-11-23 08:06:30.200000 +00:00, taken_at: 2025-11-23 08:06:30.123456 +00:00, suspect: false, topic: "a = b", device: "=1+1", quantity: "'air' °", value: 0.0000001, unit: "hPa", boot: "@boot "1"", seq: 18446744073709551615}
    "#]].assert_eq(&told);
}

#[test]
fn a_file_of_several_groups_comes_back_in_order() {
    let records: Vec<Record> = (0..GROUP_LEN as u64 + 5_000)
        .map(|n| Record {
            id: Some(n),
            at: UnixMicros(n.cast_signed() * 1_000_001),
            ..record("a", if n % 3 == 0 { "b" } else { "c" }, n as f64 / 10.0, Unit::Volt)
        })
        .collect();
    let bytes = write(Format::Parquet, &records);
    assert_same(&read(Format::Parquet, &bytes, Defaults::default()), &records);
}

/// A file with the columns `time`, `device` and `temp`, as another program may write it.
fn of_another(compression: Compression) -> Vec<u8> {
    let schema =
        "message x { optional int64 time (TIMESTAMP(MILLIS,false)); optional binary device (UTF8);
        optional float temp; optional double more; }";
    let properties = WriterProperties::builder().set_compression(compression).build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let times = [1_763_885_190_000, 1_763_885_190_500];
    column.typed::<Int64Type>().write_batch(&times, Some(&[1, 0, 1]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let names = [ByteArray::from("a"), ByteArray::from(vec![0xff]), ByteArray::from("c")];
    column.typed::<ByteArrayType>().write_batch(&names, Some(&[1, 1, 1]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<FloatType>().write_batch(&[0.5, 1.5, 2.5], Some(&[1, 1, 1]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&[], Some(&[0, 0, 0]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    file.into_inner().unwrap()
}

#[test]
fn files_of_others_are_read_and_bad_rows_have_their_reason() {
    let defaults = Defaults {
        quantity: Some(Arc::from("temp")),
        zone: TimeZone::fixed(offset(8)),
        ..Defaults::default()
    };
    let told = crate::testing::told(Format::Parquet, &of_another(Compression::SNAPPY), defaults);
    expect![[r#"
        2025-11-23T00:06:30.000000Z a | temp | 0.5 °C | a/temp
        row 2: not UTF-8: expected text in UTF-8 [not_utf8] 
        2025-11-23T00:06:30.500000Z c | temp | 2.5 °C | c/temp
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_file_of_another_kind_is_one_clear_error() {
    for bytes in [b"".as_slice(), b"PAR1", b"at,value\n2026-01-01T00:00:00Z,1\n"] {
        let error = open(Format::Parquet, bytes, Defaults::default()).unwrap_err().to_string();
        assert!(
            error.ends_with("expected a Parquet file with at least the columns `time` and `value`"),
            "{error}"
        );
    }
    let schema = Arc::new(
        parse_message_type("message x { required int64 at; required double value; }").unwrap(),
    );
    let bytes = SerializedFileWriter::new(Vec::new(), schema, Arc::default())
        .unwrap()
        .into_inner()
        .unwrap();
    let error = open(Format::Parquet, &bytes, Defaults::default()).unwrap_err();
    assert!(
        matches!(&error, OpenError::NotThisFormat { found, .. } if found.contains("`at`")),
        "{error}"
    );
}

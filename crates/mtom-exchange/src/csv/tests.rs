use crate::format::Format;
use crate::record::Defaults;
use crate::testing::{assert_same, open, read, record, samples, told, write};
use expect_test::expect;
use jiff::tz::{TimeZone, offset};
use mtom_protocol::unit::Unit;
use std::sync::Arc;

fn check(text: &str, defaults: Defaults, expected: expect_test::Expect) {
    expected.assert_eq(&told(Format::Csv, text.as_bytes(), defaults));
}

/// What somebody says who brings in the original's table.
fn original() -> Defaults {
    Defaults {
        device: Some(Arc::from("Environ")),
        quantity: Some(Arc::from("Temperature")),
        zone: TimeZone::fixed(offset(8)),
        ..Defaults::default()
    }
}

#[test]
fn a_file_looks_so() {
    let bytes = write(Format::Csv, &samples());
    expect![[r#"
        id,time,arrived_at,taken_at,suspect,topic,device,quantity,value,unit,boot,seq
        7,2025-11-23T08:06:30.123456Z,2025-11-23T08:06:30.200000Z,2025-11-23T08:06:30.123456Z,false,Environ/Temperature,Environ,Temperature,23.4,°C,b1,41
        ,2025-11-23T08:06:30.000000Z,,,true,"Keller, links/humidity","Keller, links",humidity,-0.0,%,,
        7,2025-11-23T08:06:30.123456Z,2025-11-23T08:06:30.200000Z,2025-11-23T08:06:30.123456Z,false,a = b,'=1+1,''air' °,1e-7,hPa,"'@boot ""1""",18446744073709551615
    "#]].assert_eq(std::str::from_utf8(&bytes).unwrap());
    assert_same(&read(Format::Csv, &bytes, Defaults::default()), &samples());
}

#[test]
fn no_text_begins_like_a_formula() {
    for text in [
        "=1+1", "+1", "-1", "@a", "\ta", "\ra", "\na", "＝1", "'=1", "''", "\"=1\"", " =1", ",=1",
        ";=1",
    ] {
        let record = record(text, text, 1.0, Unit::None);
        let bytes = write(Format::Csv, std::slice::from_ref(&record));
        // With another header nothing is taken away: these are the cells that a spreadsheet sees.
        let seen = std::str::from_utf8(&bytes).unwrap().replacen("seq\n", "seq \n", 1);
        let seen = read(Format::Csv, seen.as_bytes(), Defaults::default()).remove(0).unwrap();
        for cell in [&seen.topic, &seen.device, &seen.quantity] {
            assert!(!cell.starts_with(super::FORMULA), "{cell}");
        }
        assert_same(&read(Format::Csv, &bytes, Defaults::default()), &[record]);
    }
}

#[test]
fn the_table_of_the_original_is_read_in_its_zone() {
    check(
        "time,temp\n2023-07-10 20:00:02,16.1\n\"2023-07-10 20:00:04\",77\r\n2023-07-10T20:00:06Z,-3\n",
        original(),
        expect![[r#"
            2023-07-10T12:00:02.000000Z Environ | Temperature | 16.1 °C | Environ/Temperature
            2023-07-10T12:00:04.000000Z Environ | Temperature | 77.0 °C | Environ/Temperature
            2023-07-10T20:00:06.000000Z Environ | Temperature | -3.0 °C | Environ/Temperature
        "#]],
    );
}

#[test]
fn columns_stand_in_any_order_and_others_are_passed_over() {
    check(
        "\u{feff}Value;unit;Note;Device;Time\n23,5;°C;x;a;2026-01-01 00:00:00\n77;°F;\"y;z\";b;2026-01-01 00:00:00\n1;;;c;2026-01-01 00:00:00",
        original(),
        expect![[r#"
            line 2: decimal comma: expected a point, as in 23.4 [decimal_comma] 23,5;°C;x;a;2026-01-01 00:00:00
            2025-12-31T16:00:00.000000Z b | Temperature | 77.0 °F | b/Temperature
            2025-12-31T16:00:00.000000Z c | Temperature | 1.0 °C | c/Temperature
        "#]],
    );
    check(
        "time\tvalue\n2026-01-01 00:00:00\t1\n",
        original(),
        expect![[r#"
        2025-12-31T16:00:00.000000Z Environ | Temperature | 1.0 °C | Environ/Temperature
    "#]],
    );
}

#[test]
fn each_bad_line_has_its_reason_and_stops_nothing() {
    check(
        "at,value,unit,device,quantity,boot,seq\n\
         2026-01-01T00:00:00Z,1,V,a,b,,\n\
         2026-01-01T00:00:00Z,NaN,V,a,b,,\n\
         2026-01-01T00:00:00Z,-300,°C,a,b,,\n\
         2026-01-01T00:00:00Z,-127,°C,a,b,,\n\
         2026-01-01T00:00:00Z,,V,a,b,,\n\
         2026-01-01T00:00:00Z,\"1,5\",V,a,b,,\n\
         yesterday,1,V,a,b,,\n\
         ,1,V,a,b,,\n\
         2026-01-01T00:00:00Z,1,furlong,a,b,,\n\
         2026-01-01T00:00:00Z,1,V,,b,,\n\
         2026-01-01T00:00:00Z,1,V,a,b,boot,\n\
         2026-01-01T00:00:00Z,1,V,a,b,boot,-1\n\
         2026-01-01T00:00:00Z,1,V,a,b,boot,18446744073709551616\n\
         2026-01-01T00:00:00Z,1,V\n\
         \n\
         2026-01-01T00:00:00Z,2,V,\"a\nb\",b,,\n\
         2026-01-01T00:00:00Z,1,V,\"a,b,,\n\
         2026-01-01T00:00:00Z,3,V,a,b,,\n",
        Defaults::default(),
        expect![[r#"
            2026-01-01T00:00:00.000000Z a | b | 1.0 V | a/b
            line 3: not a finite number: expected one like 23.4 [not_finite] 2026-01-01T00:00:00Z,NaN,V,a,b,,
            line 4: outside the physical range: expected -273.15 to 3000 °C [out_of_range] 2026-01-01T00:00:00Z,-300,°C,a,b,,
            line 5: -127 °C is a DS18B20 that has lost its wire: check the sensor's cable [sensor_lost] 2026-01-01T00:00:00Z,-127,°C,a,b,,
            line 6: not a number: expected one like 23.4, with its unit or without [not_a_number] 2026-01-01T00:00:00Z,,V,a,b,,
            line 7: decimal comma: expected a point, as in 23.4 [decimal_comma] 2026-01-01T00:00:00Z,"1,5",V,a,b,,
            line 8: time cannot be read: expected 2026-11-23T08:06:30Z or 2026-11-23 08:06:30 [time] yesterday,1,V,a,b,,
            line 9: no time: expected one in the file [time] ,1,V,a,b,,
            line 10: unknown unit: expected °C, °F, K, %, Pa, hPa, V, A, W, lx, ppm or none [unknown_unit] 2026-01-01T00:00:00Z,1,furlong,a,b,,
            line 11: no device: expected one in the file or as a default [unnamed] 2026-01-01T00:00:00Z,1,V,,b,,
            line 12: seq and boot: expected both or neither [key] 2026-01-01T00:00:00Z,1,V,a,b,boot,
            line 13: not a whole number: expected id and seq from 0 to 2^64-1 [integer] 2026-01-01T00:00:00Z,1,V,a,b,boot,-1
            line 14: not a whole number: expected id and seq from 0 to 2^64-1 [integer] 2026-01-01T00:00:00Z,1,V,a,b,boot,18446744073709551616
            line 15: 3 cells: expected 7 [cells] 2026-01-01T00:00:00Z,1,V
            2026-01-01T00:00:00.000000Z a
            b | b | 2.0 V | a
            b/b
            line 19: a quote that is not closed within 65536 bytes, or a longer line [too_long] 2026-01-01T00:00:00Z,1,V,"a,b,,
            2026-01-01T00:00:00.000000Z a | b | 3.0 V | a/b
        "#]],
    );
}

#[test]
fn bytes_that_are_not_utf_8_are_bad() {
    let text = [
        b"at,value,device,quantity\n2026-01-01T00:00:00Z,1,\xff,b\n".as_slice(),
        b"2026-01-01T00:00:00Z,2,a,b\n",
    ]
    .concat();
    expect![[r#"
        line 2: not UTF-8: expected text in UTF-8 [not_utf8] 2026-01-01T00:00:00Z,1,�,b
        2026-01-01T00:00:00.000000Z a | b | 2.0  | a/b
    "#]]
    .assert_eq(&told(Format::Csv, &text, Defaults::default()));
}

#[test]
fn a_file_without_its_header_is_one_clear_error() {
    for text in [
        "",
        "\n\n",
        "2026-01-01T00:00:00Z,1\n",
        "time,device\n",
        "at,time,value\n",
        "PAR1\0\0",
        "\"\n",
    ] {
        let error =
            open(Format::Csv, text.as_bytes(), Defaults::default()).unwrap_err().to_string();
        assert!(
            error.starts_with("not csv: ") && error.contains("expected a first line"),
            "{error}"
        );
    }
}

#[test]
fn of_the_hour_that_a_clock_shows_twice_the_first_counts() {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    check(
        "time,temp\n2026-10-25 02:30:00,1\n2026-03-29 02:30:00,2\n",
        Defaults { zone, ..original() },
        expect![[r#"
            2026-10-25T00:30:00.000000Z Environ | Temperature | 1.0 °C | Environ/Temperature
            2026-03-29T01:30:00.000000Z Environ | Temperature | 2.0 °C | Environ/Temperature
        "#]],
    );
}

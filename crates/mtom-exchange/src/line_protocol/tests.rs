use crate::format::Format;
use crate::record::{Defaults, Precision, Record};
use crate::testing::{assert_same, open, read, samples, told, write};
use expect_test::expect;
use mtom_protocol::time::UnixMicros;

#[test]
fn a_file_looks_so() {
    let bytes = write(Format::LineProtocol, &samples());
    expect![[r#"
        mtom,boot=b1,device=Environ,topic=Environ/Temperature,unit=°C Temperature=23.4,seq=41u,arrived_at_micros=1763885190200000i,taken_at_micros=1763885190123456i 1763885190123456000
        mtom,device=Keller\,\ links,topic=Keller\,\ links/humidity,unit=% humidity=-0.0,suspect=true 1763885190000000000
        mtom,boot=@boot\ "1",device=\=1+1,topic=a\ \=\ b,unit=hPa 'air'\ °=1e-7,seq=18446744073709551615u,arrived_at_micros=1763885190200000i,taken_at_micros=1763885190123456i 1763885190123456000
    "#]].assert_eq(std::str::from_utf8(&bytes).unwrap());
    let kept: Vec<_> = samples().into_iter().map(|record| Record { id: None, ..record }).collect();
    assert_same(&read(Format::LineProtocol, &bytes, Defaults::default()), &kept);
}

#[test]
fn lines_of_others_are_read_field_by_field() {
    let text = r#"# a comment
environ,device=env1 temperature=23.4 1735689600000000000
  cpu,region=eu,host=server\ A usage=1i,idle=2u,up=true,name="a, \"b\" = c",load=1e-2 1735689600000000999
weather temperature=82
air\,out\ a=b,unit=°F te\=mp=-1.5 1
m,unit=none,boot=x humidity=1 1
m,boot=x,device=d seq=7u,a=1 1
m,boot=x,device=d seq=7,a=1 1
m\x,device=a\b\\,c a=1 1
"#;
    let now = Some(UnixMicros(1_763_885_190_000_000));
    let defaults = Defaults { now, ..Defaults::default() };
    expect![[r#"
        2025-01-01T00:00:00.000000Z env1 | temperature | 23.4 °C | env1/temperature
        2025-01-01T00:00:00.000000Z cpu/server A/eu | usage | 1.0  | cpu/server A/eu/usage
        2025-01-01T00:00:00.000000Z cpu/server A/eu | idle | 2.0  | cpu/server A/eu/idle
        line 3: up: a text or a boolean: expected a number [not_a_number] cpu,region=eu,host=server\ A usage=1i,idle=2u,up=true,name="a, \"b\" = c",load=1e-2 1735689600000000999
        line 3: name: a text or a boolean: expected a number [not_a_number] cpu,region=eu,host=server\ A usage=1i,idle=2u,up=true,name="a, \"b\" = c",load=1e-2 1735689600000000999
        2025-01-01T00:00:00.000000Z cpu/server A/eu | load | 0.01  | cpu/server A/eu/load
        2025-11-23T08:06:30.000000Z weather | temperature | 82.0 °C | weather/temperature
        1970-01-01T00:00:00.000000Z air,out a=b | te=mp | -1.5 °F | air,out a=b/te=mp
        1970-01-01T00:00:00.000000Z m | humidity | 1.0  | m/humidity
        1970-01-01T00:00:00.000000Z d | a | 1.0  | d/a x#7
        1970-01-01T00:00:00.000000Z d | seq | 7.0  | d/seq
        1970-01-01T00:00:00.000000Z d | a | 1.0  | d/a
        1970-01-01T00:00:00.000000Z a\b\,c | a | 1.0  | a\b\,c/a
    "#]].assert_eq(&told(Format::LineProtocol, text.as_bytes(), defaults));
}

#[test]
fn each_bad_line_has_its_reason_and_stops_nothing() {
    let text = "m a=1\n\
        m a=nan 1\n\
        m a= 1\n\
        m a 1\n\
        m\n\
        m,a a=1 1\n\
        m,a= a=1 1\n\
        ,a=b a=1 1\n\
        m a=\"x 1\n\
        m a=1 now\n\
        m a=1 99999999999999999999\n\
        m a=9007199254740993i 1\n\
        m a=1x 1\n\
        m,unit=furlong a=1 1\n\
        m,boot=b,device=d seq=7u 1\n\
        m,boot=b,device=d a=1,seq=-1u 1\n\
        m,unit=K temperature=-1 1\n\
        m a=1 1\n";
    expect![[r#"
        line 1: no time: expected one in the file [time] m a=1
        line 2: not a finite number: expected one like 23.4 [not_finite] m a=nan 1
        line 3: not line protocol: expected field=value, neither of them empty [syntax] m a= 1
        line 4: not line protocol: expected field=value [syntax] m a 1
        line 5: not line protocol: expected field=value [syntax] m
        line 6: not line protocol: expected tag=value [syntax] m,a a=1 1
        line 7: not line protocol: expected tag=value, neither of them empty [syntax] m,a= a=1 1
        line 8: not line protocol: expected a measurement first [syntax] ,a=b a=1 1
        line 9: not line protocol: expected a closing quote [syntax] m a="x 1
        line 10: timestamp: expected a whole number [time] m a=1 now
        line 11: timestamp: expected a whole number [time] m a=1 99999999999999999999
        line 12: a: a whole number beyond 2^53: expected one that is exact [inexact] m a=9007199254740993i 1
        line 13: a: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=1x 1
        line 14: unknown unit: expected °C, °F, K, %, Pa, hPa, V, A, W, lx, ppm or none [unknown_unit] m,unit=furlong a=1 1
        line 15: no field with a number [no_number] m,boot=b,device=d seq=7u 1
        line 16: seq: expected a whole number from 0 to 2^64-1 with a u behind it [key] m,boot=b,device=d a=1,seq=-1u 1
        line 17: outside the physical range: expected 0 to 3273.15 K [out_of_range] m,unit=K temperature=-1 1
        1970-01-01T00:00:00.000000Z m | a | 1.0  | m/a
    "#]].assert_eq(&told(Format::LineProtocol, text.as_bytes(), Defaults::default()));
}

#[test]
fn a_timestamp_counts_what_the_caller_says() {
    for (precision, text) in [
        (Precision::Nanoseconds, "1735689600123456789"),
        (Precision::Microseconds, "1735689600123456"),
        (Precision::Milliseconds, "1735689600123"),
        (Precision::Seconds, "1735689600"),
    ] {
        let line = format!("m a=1 {text}\n");
        let defaults = Defaults { precision, ..Defaults::default() };
        let record = read(Format::LineProtocol, line.as_bytes(), defaults).remove(0).unwrap();
        let micros = 1_735_689_600_123_456;
        let cut = match precision {
            Precision::Milliseconds => micros / 1_000 * 1_000,
            Precision::Seconds => micros / 1_000_000 * 1_000_000,
            Precision::Nanoseconds | Precision::Microseconds => micros,
        };
        assert_eq!(record.at.0, cut);
    }
}

#[test]
fn a_file_of_another_kind_is_one_clear_error() {
    for text in ["{}", "[", "\0"] {
        let error = open(Format::LineProtocol, text.as_bytes(), Defaults::default()).unwrap_err();
        assert!(error.to_string().starts_with("not lp: it begins with"), "{error}");
    }
}

fn check(text: &str, expected: expect_test::Expect) {
    expected.assert_eq(&told(Format::LineProtocol, text.as_bytes(), Defaults::default()));
}

// Ours have the measurement `mtom` and their type; whatever differs in either is a field like any.
#[test]
fn fields_that_are_named_like_ours_are_measurements_of_others() {
    check(
        "environ,device=d temperature=1,arrived_at_micros=1i,taken_at_micros=2i 1000
environ,device=d suspect=true,seq=7u 1000
environ,device=d,boot=b suspect=1,seq=7i 1000
mtom,device=d a=1,arrived_at_micros=1,suspect=false,taken_at_micros=2u 1000
",
        expect![[r#"
            1970-01-01T00:00:00.000001Z d | temperature | 1.0 °C | d/temperature
            1970-01-01T00:00:00.000001Z d | arrived_at_micros | 1.0  | d/arrived_at_micros
            1970-01-01T00:00:00.000001Z d | taken_at_micros | 2.0  | d/taken_at_micros
            line 2: suspect: a text or a boolean: expected a number [not_a_number] environ,device=d suspect=true,seq=7u 1000
            1970-01-01T00:00:00.000001Z d | seq | 7.0  | d/seq
            1970-01-01T00:00:00.000001Z d | suspect | 1.0  | d/suspect
            1970-01-01T00:00:00.000001Z d | seq | 7.0  | d/seq
            1970-01-01T00:00:00.000001Z d | a | 1.0  | d/a
            1970-01-01T00:00:00.000001Z d | arrived_at_micros | 1.0  | d/arrived_at_micros
            line 4: suspect: a text or a boolean: expected a number [not_a_number] mtom,device=d a=1,arrived_at_micros=1,suspect=false,taken_at_micros=2u 1000
            1970-01-01T00:00:00.000001Z d | taken_at_micros | 2.0  | d/taken_at_micros
        "#]],
    );
    // Under our measurement they say when it arrived, not what was measured.
    let ours = b"mtom,device=d a=1,arrived_at_micros=1i,taken_at_micros=2i,suspect=true 1000\n";
    let [Ok(record)] = &read(Format::LineProtocol, ours, Defaults::default())[..] else {
        panic!("one record")
    };
    assert_eq!(record.arrived_at, Some(UnixMicros(1)));
    assert_eq!(record.taken_at, Some(UnixMicros(2)));
    assert!(record.suspect);
}

#[test]
fn numbers_with_a_wrong_suffix_or_beyond_their_type_are_bad_one_by_one() {
    check(
        "m a=1x,b=1f,c=1ii,d=i,e=u,f=-1u,g=1.5i,h=1e3i,i=0x10,ok=1 1000
m a=9223372036854775807i,b=9223372036854775808i,c=18446744073709551615u,d=18446744073709551616u 1000
m a=9007199254740992i,b=-9007199254740992i,c=9007199254740993u 1000
m a=1e309,b=-1e309,c=nan,d=inf 1000
m a=1,5 1000
m a=,b=1 1000
m,boot=b seq=18446744073709551616u,a=1 1000
m,boot=b seq=18446744073709551615u,a=1 1000
m,boot=b seq=-1u,a=1 1000
mtom a=1,arrived_at_micros=9223372036854775808i 1000
mtom a=1,taken_at_micros=1.5i 1000
mtom a=1,arrived_at_micros=9223372036854775807i 1000
",
        expect![[r#"
            line 1: a: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=1x,b=1f,c=1ii,d=i,e=u,f=-1u,g=1.5i,h=1e3i,i=0x10,ok=1 1000
            line 1: b: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=1x,b=1f,c=1ii,d=i,e=u,f=-1u,g=1.5i,h=1e3i,i=0x10,ok=1 1000
            line 1: c: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=1x,b=1f,c=1ii,d=i,e=u,f=-1u,g=1.5i,h=1e3i,i=0x10,ok=1 1000
            line 1: d: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=1x,b=1f,c=1ii,d=i,e=u,f=-1u,g=1.5i,h=1e3i,i=0x10,ok=1 1000
            line 1: e: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=1x,b=1f,c=1ii,d=i,e=u,f=-1u,g=1.5i,h=1e3i,i=0x10,ok=1 1000
            line 1: f: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=1x,b=1f,c=1ii,d=i,e=u,f=-1u,g=1.5i,h=1e3i,i=0x10,ok=1 1000
            line 1: g: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=1x,b=1f,c=1ii,d=i,e=u,f=-1u,g=1.5i,h=1e3i,i=0x10,ok=1 1000
            line 1: h: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=1x,b=1f,c=1ii,d=i,e=u,f=-1u,g=1.5i,h=1e3i,i=0x10,ok=1 1000
            line 1: i: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=1x,b=1f,c=1ii,d=i,e=u,f=-1u,g=1.5i,h=1e3i,i=0x10,ok=1 1000
            1970-01-01T00:00:00.000001Z m | ok | 1.0  | m/ok
            line 2: a: a whole number beyond 2^53: expected one that is exact [inexact] m a=9223372036854775807i,b=9223372036854775808i,c=18446744073709551615u,d=18446744073709551616u 1000
            line 2: b: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=9223372036854775807i,b=9223372036854775808i,c=18446744073709551615u,d=18446744073709551616u 1000
            line 2: c: a whole number beyond 2^53: expected one that is exact [inexact] m a=9223372036854775807i,b=9223372036854775808i,c=18446744073709551615u,d=18446744073709551616u 1000
            line 2: d: not a number: expected one like 23.4, with its unit or without [not_a_number] m a=9223372036854775807i,b=9223372036854775808i,c=18446744073709551615u,d=18446744073709551616u 1000
            1970-01-01T00:00:00.000001Z m | a | 9007199254740992.0  | m/a
            1970-01-01T00:00:00.000001Z m | b | -9007199254740992.0  | m/b
            line 3: c: a whole number beyond 2^53: expected one that is exact [inexact] m a=9007199254740992i,b=-9007199254740992i,c=9007199254740993u 1000
            line 4: not a finite number: expected one like 23.4 [not_finite] m a=1e309,b=-1e309,c=nan,d=inf 1000
            line 4: not a finite number: expected one like 23.4 [not_finite] m a=1e309,b=-1e309,c=nan,d=inf 1000
            line 4: not a finite number: expected one like 23.4 [not_finite] m a=1e309,b=-1e309,c=nan,d=inf 1000
            line 4: not a finite number: expected one like 23.4 [not_finite] m a=1e309,b=-1e309,c=nan,d=inf 1000
            line 5: not line protocol: expected field=value [syntax] m a=1,5 1000
            line 6: not line protocol: expected field=value, neither of them empty [syntax] m a=,b=1 1000
            line 7: seq: expected a whole number from 0 to 2^64-1 with a u behind it [key] m,boot=b seq=18446744073709551616u,a=1 1000
            1970-01-01T00:00:00.000001Z m | a | 1.0  | m/a b#18446744073709551615
            line 9: seq: expected a whole number from 0 to 2^64-1 with a u behind it [key] m,boot=b seq=-1u,a=1 1000
            line 10: arrived_at_micros: expected whole microseconds with an i behind them [time] mtom a=1,arrived_at_micros=9223372036854775808i 1000
            line 11: taken_at_micros: expected whole microseconds with an i behind them [time] mtom a=1,taken_at_micros=1.5i 1000
            line 12: time 9223372036854775807 µs: expected one of the years 0 to 9999 [time] mtom a=1,arrived_at_micros=9223372036854775807i 1000
        "#]],
    );
}

#[test]
fn units_that_are_not_known_and_times_that_are_none_make_the_whole_line_bad() {
    check(
        "m,device=d,unit=furlong a=1,b=2 1000
m,device=d,unit=°c a=1 1000
m,device=d,unit=K a=-1,b=1 1000
m,device=d a=1 1000.5
m,device=d a=1 9223372036854775808
m,device=d a=1 1000 2000
m,device=d a=1
",
        expect![[r#"
            line 1: unknown unit: expected °C, °F, K, %, Pa, hPa, V, A, W, lx, ppm or none [unknown_unit] m,device=d,unit=furlong a=1,b=2 1000
            line 2: unknown unit: expected °C, °F, K, %, Pa, hPa, V, A, W, lx, ppm or none [unknown_unit] m,device=d,unit=°c a=1 1000
            line 3: outside the physical range: expected 0 to 3273.15 K [out_of_range] m,device=d,unit=K a=-1,b=1 1000
            1970-01-01T00:00:00.000001Z d | b | 1.0 K | d/b
            line 4: timestamp: expected a whole number [time] m,device=d a=1 1000.5
            line 5: timestamp: expected a whole number [time] m,device=d a=1 9223372036854775808
            line 6: timestamp: expected a whole number [time] m,device=d a=1 1000 2000
            line 7: no time: expected one in the file [time] m,device=d a=1
        "#]],
    );
}

use super::{LINE_LEN_MAX, Led, LineError, Report, Request};
use proptest::prelude::{any, prop_assert_eq, proptest};

#[test]
fn requests_are_the_bytes_of_the_specification() {
    for (line, request) in [
        ("h 42", Request::Set { led: Led::On, number: 42 }),
        ("c 18446744073709551615", Request::Set { led: Led::Off, number: u64::MAX }),
        ("h", Request::Bare(Led::On)),
        ("c", Request::Bare(Led::Off)),
        ("?", Request::Ask),
    ] {
        assert_eq!(Request::parse(line.as_bytes()), Ok(request));
        assert_eq!(request.to_string(), line);
    }
    assert_eq!(Request::parse(b"s"), Ok(Request::Bare(Led::Off)));
    assert_eq!(Request::parse(b"h 42\r"), Ok(Request::Set { led: Led::On, number: 42 }));
}

#[test]
fn reports_are_the_bytes_of_the_specification() {
    for (line, report) in [
        ("h 42", Report::Applied { led: Led::On, number: 42 }),
        (
            "= h 42 TEMP_LED 1.0.0",
            Report::State { led: Led::On, number: 42, name: "TEMP_LED", version: "1.0.0" },
        ),
        ("! unknown line", Report::Refused { reason: "unknown line" }),
    ] {
        assert_eq!(Report::parse(line.as_bytes()), Ok(report));
        assert_eq!(report.to_string(), line);
    }
}

#[test]
fn anything_else_is_refused() {
    for line in ["", "x", "h  42", "h -1", "h +1", "h 1.5", "h 18446744073709551616", "hh", "? 1"] {
        assert_eq!(Request::parse(line.as_bytes()), Err(LineError::NotARequest), "{line:?}");
    }
    for line in ["h", "= h 42", "= h 42 NAME", "= h x NAME 1", "= h 1 A B C", "= q 1 A B", ""] {
        assert_eq!(Report::parse(line.as_bytes()), Err(LineError::NotAReport), "{line:?}");
    }
    assert_eq!(Request::parse("h 4²".as_bytes()), Err(LineError::NotAscii));
    assert_eq!(Request::parse(&[b'h'; LINE_LEN_MAX + 1]), Err(LineError::TooLong));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = Request::parse(&bytes);
        let _ = Report::parse(&bytes);
    }

    #[test]
    fn what_is_written_reads_back(on: bool, number in any::<u64>()) {
        let led = if on { Led::On } else { Led::Off };
        let request = Request::Set { led, number };
        prop_assert_eq!(Request::parse(request.to_string().as_bytes()), Ok(request));
        let report = Report::State { led, number, name: "N", version: "0" };
        let line = report.to_string();
        prop_assert_eq!(Report::parse(line.as_bytes()), Ok(report));
    }
}

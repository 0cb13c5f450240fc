use super::{BARE_WAIT, Ended, LINE_WAIT, Line};
use crate::actuator::serve::understand;
use crate::actuator::talk::{Heard, Refusal, Talk};
use embassy_time::Instant;
use mtom_protocol::link::Led::{Off, On};
use mtom_protocol::link::{LINE_LEN_MAX, Led, Request};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

/// A request, or why it is none.
type Parsed = Result<Request, &'static str>;

const UNKNOWN: Parsed = Err("expected h N, c N or ?");

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn set(led: Led, number: u64) -> Parsed {
    Ok(Request::Set { led, number })
}

fn bare(led: Led) -> Parsed {
    Ok(Request::Bare(led))
}

/// As a device without a key understands it.
fn parse(ended: Ended<'_>) -> Parsed {
    match understand(ended, &mut Talk::new(None, || None), at(0)) {
        Ok(Heard::Request(request)) => Ok(request),
        Err(Refusal::Senseless(reason)) => Err(reason),
        other => panic!("{other:?}"),
    }
}

/// Feeds `(at in ms, bytes)`, waking the line exactly when it asks for it, and lets a minute pass.
fn run(script: &[(u64, &[u8])]) -> Vec<Parsed> {
    let (mut line, mut parsed) = (Line::new(), Vec::new());
    let pass = |line: &mut Line, parsed: &mut Vec<Parsed>, until: Instant| {
        while let Some(due) = line.deadline().filter(|due| *due <= until) {
            parsed.extend(line.poll(due).map(parse));
        }
    };
    for (millis, bytes) in script {
        pass(&mut line, &mut parsed, at(millis.saturating_sub(1)));
        for byte in *bytes {
            parsed.extend(line.take(*byte, at(*millis)).map(parse));
        }
    }
    pass(&mut line, &mut parsed, at(60_000));
    assert_eq!(line.deadline(), None);
    parsed
}

#[track_caller]
fn check(script: &[(u64, &[u8])], expected: &[Parsed]) {
    assert_eq!(run(script), expected, "{script:?}");
}

#[test]
fn a_newline_ends_a_line() {
    check(&[(0, b"h 42\n")], &[set(On, 42)]);
    check(&[(0, b"h 42\r\n?\r\ns 1\n")], &[set(On, 42), Ok(Request::Ask), set(Off, 1)]);
    check(&[(0, b"h 18446744073709551615\n")], &[set(On, u64::MAX)]);
}

#[test]
fn a_line_may_come_in_pieces() {
    let pieces: [(u64, &[u8]); 5] =
        [(0, b"h"), (10, b" "), (900, b"4"), (1_800, b"2"), (2_700, b"\n")];
    check(&pieces, &[set(On, 42)]);
    // Once the bare byte was obeyed, the rest is no line any more.
    check(&[(0, b"h"), (51, b" 42\n")], &[bare(On), UNKNOWN]);
}

#[test]
fn a_bare_byte_is_a_command_when_its_wait_is_over() {
    let mut line = Line::new();
    assert_eq!(line.take(b'h', at(7)), None);
    assert_eq!((line.deadline(), line.poll(at(56))), (Some(at(7) + BARE_WAIT), None));
    assert_eq!(line.poll(at(57)), Some(Ended::Bare(On)));
    assert_eq!(line.deadline(), None);
    // With its newline there is nothing to wait for.
    check(&[(0, b"h\n"), (1, b"s\r\n")], &[bare(On), bare(Off)]);
    check(&[(0, b"h"), (49, b"\n")], &[bare(On)]);
}

#[test]
fn of_several_bare_bytes_the_last_one_wins() {
    check(&[(0, b"hchc")], &[bare(Off)]);
    check(&[(0, b"h"), (60, b"s")], &[bare(On), bare(Off)]);
    // A gateway that never pauses is obeyed every 50 ms all the same.
    let steady: [(u64, &[u8]); 5] = [(0, b"h"), (30, b"h"), (60, b"c"), (90, b"c"), (120, b"h")];
    check(&steady, &[bare(On), bare(Off), bare(On)]);
}

#[test]
fn what_means_nothing_is_refused() {
    for line in ["", "x", "h  42", "h -1", "h +1", "h 1.5", "h 18446744073709551616", "hh", "??"] {
        check(&[(0, format!("{line}\n").as_bytes())], &[UNKNOWN]);
    }
    check(&[(0, b"h \xff\n")], &[Err("not ASCII")]);
    check(&[(0, b"nonsense\nh 1\n")], &[UNKNOWN, set(On, 1)]);
}

#[test]
fn a_line_over_the_limit_is_refused_whole() {
    // The end of a long line looks like a command: it must not be obeyed.
    let mut long = vec![b'x'; LINE_LEN_MAX + 2];
    long.extend_from_slice(b"h 42\n?\n");
    check(&[(0, &long)], &[Err("line too long"), Ok(Request::Ask)]);
    check(&[(0, &[b'h'; LINE_LEN_MAX + 2])], &[Err("line without an end")]);
    let mut longest = b"h ".to_vec();
    longest.resize(LINE_LEN_MAX - 1, b'0');
    longest.extend_from_slice(b"7\r\n");
    check(&[(0, &longest)], &[set(On, 7)]);
}

#[test]
fn a_line_without_an_end_does_not_spoil_the_next() {
    check(&[(0, b"h 4"), (1_500, b"h 5\n")], &[Err("line without an end"), set(On, 5)]);
    let mut line = Line::new();
    b"h 4".iter().for_each(|byte| assert_eq!(line.take(*byte, at(5)), None));
    assert_eq!(line.deadline(), Some(at(5) + LINE_WAIT));
}

#[test]
fn a_link_that_closes_ends_a_bare_command_and_forgets_a_line() {
    let cases: [(&[u8], Option<Led>); 4] =
        [(b"h", Some(On)), (b"hc", Some(Off)), (b"h 4", None), (b"x", None)];
    for (bytes, expected) in cases {
        let mut line = Line::new();
        bytes.iter().for_each(|byte| assert_eq!(line.take(*byte, at(0)), None));
        assert_eq!((line.close(), line.deadline(), line.close()), (expected, None, None));
    }
}

proptest! {
    #[test]
    fn every_wait_ends_and_the_next_line_is_understood(
        pieces: Vec<(u16, Vec<u8>)>,
        number: u64,
    ) {
        let mut line = Line::new();
        let mut now = at(0);
        for (wait, bytes) in &pieces {
            now += embassy_time::Duration::from_millis(u64::from(*wait % 2_000));
            let _ = line.poll(now);
            for byte in bytes {
                let _ = line.take(*byte, now);
            }
            prop_assert!(line.deadline().is_none_or(|due| due > now));
        }
        if let Some(due) = line.deadline() {
            prop_assert!(line.poll(due).is_some());
        }
        let text = format!("c {number}\n");
        let mut parsed = Vec::new();
        for byte in text.bytes() {
            parsed.extend(line.take(byte, now).map(parse));
        }
        prop_assert_eq!(parsed, [set(Off, number)]);
    }

    #[test]
    fn lines_mean_the_same_in_pieces_of_any_size(
        lines in proptest::collection::vec("(h|c|h [0-9]{1,3}|c [0-9]{1,3}|\\?|[a-z]{1,3}x)", 0..20),
    ) {
        let bytes: Vec<u8> = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
        let whole = run(&[(0, &bytes)]);
        let pieces: Vec<(u64, &[u8])> = bytes.chunks(1).map(|piece| (0, piece)).collect();
        prop_assert_eq!(whole.len(), lines.len());
        prop_assert_eq!(run(&pieces), whole);
    }

    #[test]
    fn noise_never_asks_for_light(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let quiet: Vec<u8> = bytes.into_iter().filter(|byte| *byte != b'h').collect();
        let lights = |parsed: &Parsed| {
            matches!(parsed, Ok(Request::Bare(On) | Request::Set { led: On, .. }))
        };
        prop_assert!(!run(&[(0, &quiet)]).iter().any(lights));
    }
}

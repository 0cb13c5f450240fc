use super::{Actuator, BARE_WAIT, Board, IdentityError, LINE_WAIT};
use core::time::Duration;
use mtom_protocol::link::{LINE_LEN_MAX, Led, Report};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

/// Writes down what happens, in its order: `+` lit, `-` dark, `>` a line.
#[derive(Default)]
struct Log {
    text: String,
    led: Option<Led>,
}

impl Board for Log {
    fn set_led(&mut self, led: Led) {
        assert_ne!(self.led.unwrap_or(Led::Off), led, "set without a change");
        self.led = Some(led);
        self.text.push(if led == Led::On { '+' } else { '-' });
    }

    fn reply(&mut self, report: Report<'_>) {
        let line = report.to_string();
        assert!(line.len() <= LINE_LEN_MAX && line.is_ascii(), "{line:?}");
        self.text.push_str(&format!(">{line};"));
    }
}

fn actuator() -> Actuator<'static> {
    Actuator::new("TEMP_LED", "1.0.0", 0).unwrap()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Feeds `(at in ms, bytes)` and then lets a minute pass, waking it exactly when it asks for it.
fn run(mut actuator: Actuator<'_>, script: &[(u64, &[u8])]) -> (String, Led) {
    let mut log = Log::default();
    let pass = |actuator: &mut Actuator<'_>, log: &mut Log, until: Duration| {
        while let Some(at) = actuator.deadline().filter(|at| *at <= until) {
            actuator.poll(at, log);
        }
    };
    for (at, bytes) in script {
        pass(&mut actuator, &mut log, millis(at.saturating_sub(1)));
        actuator.receive(bytes, millis(*at), &mut log);
    }
    pass(&mut actuator, &mut log, millis(60_000));
    assert_eq!(actuator.deadline(), None);
    (log.text, actuator.led())
}

#[track_caller]
fn check(script: &[(u64, &[u8])], expected: &str) {
    assert_eq!(run(actuator(), script).0, expected, "{script:?}");
}

#[test]
fn a_command_changes_the_pin_and_is_then_answered() {
    check(&[(0, b"h 42\n")], "+>h 42;");
    check(&[(0, b"h 42\n"), (9, b"c 43\n")], "+>h 42;->c 43;");
    check(&[(0, b"h 42\nh 43\n")], "+>h 42;>h 43;");
    check(&[(0, b"s 1\n")], ">c 1;");
    check(&[(0, b"h 18446744073709551615\n")], "+>h 18446744073709551615;");
}

#[test]
fn a_question_is_answered_with_the_state() {
    check(&[(0, b"?\n")], ">= c 0 TEMP_LED 1.0.0;");
    check(&[(0, b"h 42\n?\n")], "+>h 42;>= h 42 TEMP_LED 1.0.0;");
}

#[test]
fn an_old_number_changes_nothing_and_learns_the_state() {
    let state = ">= h 42 TEMP_LED 1.0.0;";
    check(&[(0, b"h 42\nc 42\n")], &format!("+>h 42;{state}"));
    check(&[(0, b"h 42\nc 41\n")], &format!("+>h 42;{state}"));
    check(&[(0, b"h 42\nh 42\n")], &format!("+>h 42;{state}"));
    check(&[(0, b"h 0\n")], ">= c 0 TEMP_LED 1.0.0;");
    let kept = Actuator::new("A", "1", 42).unwrap();
    assert_eq!(run(kept, &[(0, b"h 42\nh 43\n")]).0, ">= c 42 A 1;+>h 43;");
}

#[test]
fn a_bare_byte_is_obeyed_after_its_wait_and_not_answered() {
    let mut actuator = actuator();
    let mut log = Log::default();
    actuator.receive(b"h", millis(0), &mut log);
    actuator.poll(millis(49), &mut log);
    assert_eq!(log.text, "");
    assert_eq!(actuator.deadline(), Some(BARE_WAIT));
    actuator.poll(millis(50), &mut log);
    assert_eq!((log.text.as_str(), actuator.led(), actuator.last_number()), ("+", Led::On, 0));
    assert_eq!(actuator.deadline(), None);
}

#[test]
fn of_several_bare_bytes_the_last_one_wins() {
    check(&[(0, b"hchc")], "");
    check(&[(0, b"hcch")], "+");
    check(&[(0, b"h"), (60, b"s")], "+-");
    // A gateway that never pauses is obeyed every 50 ms all the same.
    check(&[(0, b"h"), (30, b"h"), (60, b"c"), (90, b"c"), (120, b"h")], "+-+");
}

#[test]
fn a_bare_byte_with_its_newline_is_obeyed_at_once() {
    check(&[(0, b"h\n")], "+");
    check(&[(0, b"h\r\ns\n")], "+-");
    check(&[(0, b"h"), (49, b"\n")], "+");
}

#[test]
fn a_line_may_come_in_pieces() {
    check(&[(0, b"h"), (10, b" "), (900, b"4"), (1_800, b"2"), (2_700, b"\n")], "+>h 42;");
    // Once the bare byte was obeyed, the rest is no line any more.
    check(&[(0, b"h"), (51, b" 42\n")], "+>! expected h N, c N or ?;");
}

#[test]
fn a_carriage_return_does_no_harm() {
    check(&[(0, b"h 42\r\n?\r\n")], "+>h 42;>= h 42 TEMP_LED 1.0.0;");
}

#[test]
fn what_means_nothing_is_refused_and_changes_nothing() {
    for line in ["", "x", "h  42", "h -1", "h +1", "h 1.5", "h 18446744073709551616", "hh", "??"] {
        check(&[(0, format!("{line}\n").as_bytes())], ">! expected h N, c N or ?;");
    }
    check(&[(0, b"h \xff\n")], ">! not ASCII;");
    check(&[(0, b"nonsense\nh 1\n")], ">! expected h N, c N or ?;+>h 1;");
}

#[test]
fn a_line_over_the_limit_is_refused_whole() {
    // The end of a long line looks like a command: it must not be obeyed.
    let mut long = vec![b'x'; LINE_LEN_MAX + 2];
    long.extend_from_slice(b"h 42\n?\n");
    check(&[(0, &long)], ">! line too long;>= c 0 TEMP_LED 1.0.0;");
    let letters = [b'h'; LINE_LEN_MAX + 2];
    check(&[(0, &letters)], ">! line without an end;");
    let mut longest = b"h ".to_vec();
    longest.resize(LINE_LEN_MAX - 1, b'0');
    longest.extend_from_slice(b"7\r\n");
    check(&[(0, &longest)], "+>h 7;");
}

#[test]
fn a_line_without_an_end_does_not_spoil_the_next() {
    check(&[(0, b"h 4"), (1_500, b"h 5\n")], ">! line without an end;+>h 5;");
    let mut actuator = actuator();
    actuator.receive(b"h 4", millis(5), &mut Log::default());
    assert_eq!(actuator.deadline(), Some(millis(5) + LINE_WAIT));
}

#[test]
fn a_link_that_closes_ends_a_bare_command_and_forgets_a_line() {
    for (bytes, expected) in [(&b"h"[..], "+"), (b"hch", "+"), (b"h 4", ""), (b"x", "")] {
        let (mut actuator, mut log) = (actuator(), Log::default());
        actuator.receive(bytes, millis(0), &mut log);
        actuator.disconnect(millis(1), &mut log);
        assert_eq!((log.text.as_str(), actuator.deadline()), (expected, None));
        actuator.receive(b"?\n", millis(2), &mut log);
        assert!(log.text.contains(">= "), "{}", log.text);
    }
}

#[test]
fn the_lease_ends_by_itself_and_every_request_renews_it() {
    let leased = || actuator().with_lease(millis(500));
    assert_eq!(
        run(leased(), &[(0, b"h 42\n")]),
        ("+>h 42;->= c 42 TEMP_LED 1.0.0;".into(), Led::Off)
    );
    let renewed = run(leased(), &[(0, b"h 42\n"), (400, b"?\n"), (800, b"c 43\n")]);
    assert_eq!(renewed.0, "+>h 42;>= h 42 TEMP_LED 1.0.0;->c 43;");
    // Noise is no sign of a living gateway.
    let (text, _) = run(leased(), &[(0, b"h 42\n"), (499, b"x\n"), (600, b"?\n")]);
    assert_eq!(
        text,
        "+>h 42;>! expected h N, c N or ?;->= c 42 TEMP_LED 1.0.0;>= c 42 TEMP_LED 1.0.0;"
    );
}

#[test]
fn a_name_that_would_break_the_line_is_refused() {
    for name in ["", "TEMP LED", "a\nb", "ü", "123456789012345678901234567890123"] {
        assert_eq!(Actuator::new(name, "1", 0).err(), Some(IdentityError::Name), "{name:?}");
    }
    for version in ["", "1 0", "12345678901234567"] {
        assert_eq!(Actuator::new("A", version, 0).err(), Some(IdentityError::Version));
    }
}

#[test]
fn the_longest_state_line_keeps_the_limit() {
    let (name, version) = ("n".repeat(super::NAME_LEN_MAX), "v".repeat(super::VERSION_LEN_MAX));
    let actuator = Actuator::new(&name, &version, u64::MAX).unwrap();
    run(actuator, &[(0, b"?\n")]);
}

/// What the LED must be after whole lines, said again in the simplest way.
fn model(lines: &[String]) -> (Led, u64) {
    let (mut led, mut last) = (Led::Off, 0);
    for line in lines {
        match line.split_once(' ') {
            Some((letter, number)) => {
                let number = number.parse().unwrap();
                if number > last {
                    (led, last) = (if letter == "h" { Led::On } else { Led::Off }, number);
                }
            }
            None if line == "?" => {}
            None => led = if line == "h" { Led::On } else { Led::Off },
        }
    }
    (led, last)
}

proptest! {
    #[test]
    fn no_bytes_panic_and_every_wait_ends(pieces: Vec<(u16, Vec<u8>)>) {
        let (mut actuator, mut log) = (actuator().with_lease(millis(700)), Log::default());
        let mut now = Duration::ZERO;
        for (wait, bytes) in &pieces {
            now += millis(u64::from(*wait % 2_000));
            actuator.receive(bytes, now, &mut log);
            prop_assert!(actuator.deadline().is_none_or(|at| at > now));
        }
        while let Some(at) = actuator.deadline() {
            actuator.poll(at, &mut log);
            prop_assert!(actuator.deadline().is_none_or(|next| next > at));
        }
        prop_assert_eq!(log.led.unwrap_or(Led::Off), Led::Off);
    }

    #[test]
    fn lines_mean_the_same_in_pieces_of_any_size(
        lines in proptest::collection::vec("(h|c|h [0-9]{1,3}|c [0-9]{1,3}|\\?)", 0..20),
        sizes in proptest::collection::vec(1_usize..7, 1..9),
    ) {
        let bytes: Vec<u8> = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
        let (mut actuator, mut log) = (actuator(), Log::default());
        let (mut rest, mut sizes) = (&bytes[..], sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, others) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            actuator.receive(piece, Duration::ZERO, &mut log);
            rest = others;
        }
        prop_assert_eq!((actuator.led(), actuator.last_number()), model(&lines));
    }

    #[test]
    fn noise_never_lights_the_led(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let quiet: Vec<u8> = bytes.into_iter().filter(|byte| *byte != b'h').collect();
        let (text, led) = run(actuator(), &[(0, &quiet)]);
        prop_assert_eq!(led, Led::Off);
        prop_assert!(!text.contains('+'));
    }
}

//! A device that is not any more as it was.

use super::Do::{Hear, Want};
use super::Led::{Off, On};
use super::{HELLO, check, live, settings};
use crate::settings::{Drift, Protocol, Settings};

#[test]
fn drift_is_corrected_at_once() {
    // The board restarted and remembers nothing.
    check(
        Protocol::Auto,
        &[
            (0, Want(On, 42)),
            (5, HELLO),
            (9, Hear("h 42\n")),
            (3_000, HELLO),
            (3_004, Hear("h 42\n")),
        ],
        4_000,
        &[
            "0: ?\\n",
            "second TEMP_LED 1.0.0",
            "state c 0",
            "5: h 42\\n",
            "sent h 42",
            "applied h 42",
            "state c 0",
            "3000: h 42\\n",
            "sent h 42",
            "applied h 42",
        ],
    );
}

#[test]
fn an_ended_lease_needs_a_new_number() {
    check(
        Protocol::Auto,
        &[
            (0, Want(On, 42)),
            (5, HELLO),
            (9, Hear("h 42\n")),
            (900, Hear("= c 42 TEMP_LED 1.0.0\n")),
            (901, Want(On, 43)),
            (903, Hear("h 43\n")),
        ],
        4_000,
        &[
            "0: ?\\n",
            "second TEMP_LED 1.0.0",
            "state c 0",
            "5: h 42\\n",
            "sent h 42",
            "applied h 42",
            "state c 42",
            "drifted c 42 false",
            "ahead c 42",
            "900: h 42\\n",
            "sent h 42",
            "901: h 43\\n",
            "sent h 43",
            "applied h 43",
        ],
    );
}

fn adopting() -> Settings {
    Settings { drift: Drift::Adopt, ..settings(Protocol::Auto) }
}

#[test]
fn a_hand_on_the_device_is_adopted_until_something_else_is_desired() {
    let script = [
        (0, Want(On, 42)),
        (5, HELLO),
        (9, Hear("h 42\n")),
        (5_009, Hear("= h 42 TEMP_LED 1.0.0\n")),
        (10_009, Hear("= c 42 TEMP_LED 1.0.0\n")),
        (15_009, Hear("= c 42 TEMP_LED 1.0.0\n")),
        (16_000, Want(Off, 43)),
        (16_009, Hear("c 43\n")),
    ];
    let log = live(&adopting(), &script, 16_100);
    let at = log.iter().position(|line| line == "state c 42").unwrap();
    let rest: Vec<_> = log[at..].iter().filter(|line| !line.ends_with("?\\n")).collect();
    assert_eq!(
        rest,
        ["state c 42", "drifted c 42 true", "16000: c 43\\n", "sent c 43", "applied c 43"]
    );
}

#[test]
fn what_follows_a_long_silence_may_be_a_lease_that_ended_and_is_corrected() {
    let script = [
        (0, Want(On, 42)),
        (5, HELLO),
        (9, Hear("h 42\n")),
        // This process stood still for half a minute: no fault was noticed.
        (60_000, Hear("= c 42 TEMP_LED 1.0.0\n")),
    ];
    let patient = Settings { answer_timeout: std::time::Duration::from_secs(120), ..adopting() };
    let log = live(&patient, &script, 60_000);
    assert!(log.contains(&"ahead c 42".to_owned()), "{log:?}");
    assert!(!log.iter().any(|line| line.starts_with("drifted")), "{log:?}");
}

#[test]
fn a_board_that_restarted_is_no_hand_and_is_told_again() {
    let script = [(0, Want(On, 42)), (5, HELLO), (9, Hear("h 42\n")), (3_000, HELLO)];
    let log = live(&adopting(), &script, 3_100);
    assert!(log.ends_with(&["3000: h 42\\n".into(), "sent h 42".into()]), "{log:?}");
}

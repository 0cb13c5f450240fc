use super::*;
use crate::LinkAddress;
use mtom_protocol::link::Led::{Off, On};
use mtom_protocol::time::UnixMicros;
use std::sync::{Arc, Mutex};

/// What happens to a switch at a time.
#[derive(Clone, Copy)]
enum Do {
    Want(Led, u64),
    Hear(&'static str, &'static str),
    Kept(&'static str, &'static str),
}
use Do::{Hear, Kept, Want};

const TASMOTA: &str = "mqtt+tasmota:p";
const LWT: &str = "tele/p/LWT";
const RESULT: &str = "stat/p/RESULT";
const IS_ON: &str = r#"{"POWER":"ON"}"#;
const IS_OFF: &str = r#"{"POWER":"OFF"}"#;

fn said(report: &Report) -> String {
    match report {
        Report::Link { state, reason } => format!("{state:?} {reason}").trim_end().to_owned(),
        Report::Sent { led, number, .. } => format!("sent {led} {number}"),
        Report::Applied { led, number, .. } => format!("applied {led} {number}"),
        Report::State { led, number } => format!("state {led} {number}"),
        Report::Drifted { led, is_adopted, .. } => format!("drifted {led} {is_adopted}"),
        other => format!("{other:?}"),
    }
}

fn live(link: &str, script: &[(u64, Do)], end: u64) -> Vec<String> {
    live_with(&Settings::new("LED", link.parse().unwrap()), script, end)
}

/// Lives through `script`, `(at in ms, what)`, until `end`; each line has its time. The broker takes
/// everything at once.
fn live_with(settings: &Settings, script: &[(u64, Do)], end: u64) -> Vec<String> {
    let LinkAddress::Mqtt(address) = &settings.link else { panic!("a switch") };
    let (log, time) = (Mutex::new(Vec::new()), Mutex::new(0));
    let began = Instant::now();
    let clock: crate::Clock = Arc::new(|| UnixMicros(0));
    let reports = |report: Report| {
        log.lock().unwrap().push(format!("{} {}", time.lock().unwrap(), said(&report)))
    };
    let voice = Voice { report: &reports, clock: &clock, draw: || None };
    let mut memory = Memory::default();
    let mut switch = Switch::new(settings, address, &voice, &mut memory, began);
    let mut script = script.iter().peekable();
    let mut now = 0;
    loop {
        *time.lock().unwrap() = now;
        let at = began + Duration::from_millis(now);
        while let Some((_, what)) = script.next_if(|(at, _)| *at <= now) {
            match *what {
                Want(led, number) => switch.desire(Some(Desired { led, number })),
                Hear(topic, payload) | Kept(topic, payload) => {
                    let is_kept = matches!(what, Kept(..));
                    let heard = Heard { topic, payload: payload.as_bytes(), is_kept };
                    if !switch.hear(heard, at) {
                        log.lock().unwrap().push(format!("{now} unknown"));
                    }
                }
            }
        }
        switch.poll(at);
        while let Some(message) = switch.next(at) {
            if message == Message::Ask {
                log.lock().unwrap().push(format!("{now} asked"));
            }
            switch.sent(message, at);
        }
        let due = switch.due(at).map(|due| u64::try_from((due - began).as_millis()).unwrap());
        let next = script.peek().map(|(at, _)| *at);
        match due.into_iter().chain(next).min().filter(|next| *next <= end) {
            Some(next) => now = next,
            None => break,
        }
    }
    log.into_inner().unwrap()
}

#[test]
fn a_command_is_applied_when_the_device_says_so() {
    let log = live(
        TASMOTA,
        &[
            (0, Kept(LWT, "Online")),
            (0, Hear(RESULT, IS_OFF)),
            (10, Want(On, 5)),
            (30, Hear(RESULT, IS_ON)),
        ],
        1_000,
    );
    assert_eq!(log, ["0 Up", "0 state c 0", "0 asked", "10 sent h 5", "30 applied h 5"]);
}

#[test]
fn a_command_without_an_answer_is_repeated_ever_more_slowly() {
    let log = live(TASMOTA, &[(0, Kept(LWT, "Online")), (0, Want(On, 5))], 8_000);
    let sent = |at| format!("{at} sent h 5");
    let wanted = [
        "0 Up".into(),
        sent(0),
        "0 asked".into(),
        sent(500),
        sent(1_500),
        sent(3_500),
        sent(7_500),
    ];
    assert_eq!(log, wanted);
}

#[test]
fn a_device_that_is_offline_is_told_the_newest_when_it_comes_back_and_nothing_before() {
    let log = live(
        TASMOTA,
        &[
            (0, Kept(LWT, "Offline")),
            (10, Want(On, 5)),
            (20, Want(Off, 6)),
            (30, Want(On, 7)),
            (9_000, Hear(LWT, "Online")),
            (9_010, Hear(RESULT, IS_ON)),
        ],
        10_000,
    );
    let away = "0 Away mqtt+tasmota:p: the broker says that the device is offline; is it on?";
    assert_eq!(log, [away, "9000 Up", "9000 sent h 7", "9000 asked", "9010 applied h 7"]);
}

#[test]
fn a_device_that_restarted_is_told_again() {
    let log = live(
        TASMOTA,
        &[
            (0, Hear(LWT, "Online")),
            (0, Want(On, 5)),
            (10, Hear(RESULT, IS_ON)),
            (2_000, Hear(LWT, "Offline")),
            (3_000, Hear(LWT, "Online")),
            (3_010, Hear(RESULT, IS_OFF)),
            (3_020, Hear(RESULT, IS_ON)),
        ],
        3_400,
    );
    assert_eq!(
        log[5..],
        ["3000 Up", "3000 sent h 5", "3000 asked", "3010 state c 5", "3020 applied h 5"]
    );
}

#[test]
fn a_button_that_was_pressed_is_told_and_put_right() {
    let log = live(
        TASMOTA,
        &[
            (0, Hear(LWT, "Online")),
            (0, Want(On, 5)),
            (10, Hear(RESULT, IS_ON)),
            (4_000, Hear(RESULT, IS_OFF)),
            (4_010, Hear(RESULT, IS_ON)),
        ],
        5_000,
    );
    assert_eq!(
        log[3..],
        [
            "10 applied h 5",
            "4000 state c 5",
            "4000 drifted c false",
            "4000 sent h 5",
            "4010 applied h 5"
        ]
    );
}

#[test]
fn a_button_that_is_pressed_all_the_time_is_put_right_twice_a_second() {
    let mut script = vec![(0, Hear(LWT, "Online")), (0, Want(On, 5))];
    script.extend((1..40).flat_map(|turn| {
        [(turn * 50, Hear(RESULT, IS_ON)), (turn * 50 + 10, Hear(RESULT, IS_OFF))]
    }));
    let log = live(TASMOTA, &script, 2_000);
    let sent = log.iter().filter(|line| line.contains("sent")).count();
    assert!((3..=5).contains(&sent), "{sent}: {log:?}");
}

#[test]
fn what_the_broker_kept_is_no_answer() {
    let log = live(
        "mqtt:s?state=t",
        &[(0, Kept("t", "ON")), (0, Want(On, 5)), (400, Kept("t", "ON"))],
        450,
    );
    assert_eq!(log, ["0 Up", "0 state h 0", "0 sent h 5"]);
}

/// ESPHome says nothing when it is told what it is already.
#[test]
fn a_device_that_says_nothing_new_is_taken_at_its_last_word_after_a_while() {
    let log = live(
        "mqtt+esphome:n/r",
        &[(0, Kept("n/status", "online")), (0, Kept("n/switch/r/state", "ON")), (0, Want(On, 5))],
        5_000,
    );
    assert_eq!(log, ["0 Up", "0 state h 0", "0 sent h 5", "500 applied h 5"]);
}

#[test]
fn a_switch_without_a_state_is_only_told_and_told_again_at_each_refresh() {
    let log = live("mqtt:s", &[(0, Want(On, 5))], 60_000);
    assert_eq!(log, ["0 Up", "0 sent h 5", "60000 sent h 5"]);
}

#[test]
fn who_speaks_is_there() {
    let log = live(TASMOTA, &[(0, Kept(LWT, "Offline")), (10, Hear(RESULT, IS_ON))], 20);
    assert_eq!(log[1..], ["10 Up", "10 state h 0", "10 asked"]);
}

#[test]
fn a_newer_state_replaces_an_older_one_at_once() {
    let log = live(
        TASMOTA,
        &[
            (0, Hear(LWT, "Online")),
            (0, Want(On, 5)),
            (100, Want(Off, 6)),
            (110, Hear(RESULT, IS_ON)),
            (120, Hear(RESULT, IS_OFF)),
        ],
        900,
    );
    assert_eq!(log[3..], ["100 sent c 6", "110 state h 6", "120 applied c 6"]);
}

#[test]
fn other_messages_mean_nothing() {
    let script =
        [(0, Hear(LWT, "Online")), (1, Hear(RESULT, r#"{"Module":"x"}"#)), (2, Hear("a/b", "ON"))];
    assert_eq!(live(TASMOTA, &script, 3), ["0 Up", "0 asked", "1 unknown", "2 unknown"]);
}

#[test]
fn a_button_that_is_adopted_stands_until_something_else_is_desired() {
    let settings =
        Settings { drift: Drift::Adopt, ..Settings::new("LED", TASMOTA.parse().unwrap()) };
    let log = live_with(
        &settings,
        &[
            (0, Hear(LWT, "Online")),
            (0, Want(On, 5)),
            (10, Hear(RESULT, IS_ON)),
            (4_000, Hear(RESULT, IS_OFF)),
            (200_000, Want(Off, 6)),
            (200_010, Hear(RESULT, IS_OFF)),
            (200_020, Want(On, 7)),
        ],
        200_100,
    );
    assert_eq!(
        log[4..],
        [
            "4000 state c 5",
            "4000 drifted c true",
            "200000 sent c 6",
            "200010 applied c 6",
            "200020 sent h 7"
        ],
        "{log:?}"
    );
}

const NODE: &str = "mqtt+sparkplug:g/n/d/L";
const BIRTH: &str = "spBv1.0/g/DBIRTH/n/d";
const DATA: &str = "spBv1.0/g/DDATA/n/d";
const DEATH: &str = "spBv1.0/g/DDEATH/n/d";
/// The metric L, number 7, a Boolean that is false.
const BORN_OFF: &str = "\x12\x09\x0a\x01L\x10\x07\x20\x0b\x70\x00";
/// Number 7 is true.
const DATA_ON: &str = "\x12\x04\x10\x07\x70\x01";

#[test]
fn a_metric_is_told_nothing_before_its_birth_and_the_newest_after_it() {
    let log = live(
        NODE,
        &[
            (0, Want(On, 5)),
            (10, Hear(BIRTH, BORN_OFF)),
            (20, Hear(DATA, DATA_ON)),
            (30, Hear(DEATH, "")),
            (40, Want(Off, 6)),
            (50, Want(On, 7)),
            (60, Hear(BIRTH, BORN_OFF)),
            (70, Hear(DATA, DATA_ON)),
        ],
        100,
    );
    let away =
        "30 Away mqtt+sparkplug:g/n/d/L: the broker says that the device is offline; is it on?";
    let wanted = [
        "0 asked",
        "10 Up",
        "10 state c 0",
        "10 sent h 5",
        "20 applied h 5",
        away,
        "60 Up",
        "60 state c 0",
        "60 sent h 7",
        "70 applied h 7",
    ];
    assert_eq!(log, wanted, "it is asked for its births once");
}

#[test]
fn a_metric_that_is_so_already_reports_nothing_and_is_taken_at_its_birth() {
    let log = live(NODE, &[(0, Hear(BIRTH, BORN_OFF)), (10, Want(Off, 5))], 600);
    assert_eq!(log, ["0 Up", "0 state c 0", "10 sent c 5", "510 applied c 5"]);
}

#[test]
fn a_birth_without_the_metric_is_said_and_kept_copies_mean_nothing() {
    let log =
        live(NODE, &[(0, Kept(BIRTH, BORN_OFF)), (0, Want(On, 5)), (10, Hear(BIRTH, ""))], 600);
    let offline =
        "10 Away mqtt+sparkplug:g/n/d/L: the broker says that the device is offline; is it on?";
    let missing =
        "10 Away mqtt+sparkplug:g/n/d/L: its birth has no metric of that name that is a Boolean";
    assert_eq!(log, ["0 unknown", "0 asked", offline, missing]);
}

use super::{Memory, Session, Voice};
use crate::report::{Clock, Desired, Report, Version};
use crate::settings::{Protocol, Settings};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use proptest::prelude::{any, prop_assert, proptest};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

mod drift;
mod keyed;

/// What happens to a session at a time.
#[derive(Clone)]
enum Do {
    Want(Led, u64),
    Hear(&'static str),
}
use Do::{Hear, Want};
use Led::{Off, On};

fn settings(protocol: Protocol) -> Settings {
    Settings { protocol, ..Settings::new("LED", "tcp:led:7000".parse().unwrap()) }
}

fn said(report: &Report) -> String {
    match report {
        Report::Link { state, reason } => format!("link {state:?} {reason}"),
        Report::Identified { version: Version::Original } => "original".into(),
        Report::Identified { version: Version::Second { name, firmware } } => {
            format!("second {name} {firmware}")
        }
        Report::Sent { led, number, .. } => format!("sent {led} {number}"),
        Report::Applied { led, number, .. } => format!("applied {led} {number}"),
        Report::State { led, number } => format!("state {led} {number}"),
        Report::Drifted { led, number, is_adopted } => {
            format!("drifted {led} {number} {is_adopted}")
        }
        Report::Refused { number, reason } => format!("refused {number} {reason}"),
        Report::Ahead { led, number } => format!("ahead {led} {number}"),
        Report::Noise { lines } => format!("noise {lines}"),
        Report::Forged { lines } => format!("forged {lines}"),
        Report::Trusted { trust } => format!("{trust:?}"),
        Report::Found { id } => format!("found {id}"),
    }
}

/// Lives through `script`, `(at in ms, what)`, until `end`. Writes succeed at once.
fn live(settings: &Settings, script: &[(u64, Do)], end: u64) -> Vec<String> {
    let log = Mutex::new(Vec::new());
    let began = Instant::now();
    let clock: Clock = Arc::new(|| UnixMicros(0));
    let reports = |report: Report| log.lock().unwrap().push(said(&report));
    let voice = Voice { report: &reports, clock: &clock, draw: || None };
    let mut memory = Memory::default();
    let mut session = Session::new(settings, &voice, &mut memory, began);
    let mut script = script.iter().peekable();
    let mut now = 0;
    loop {
        while let Some((_, what)) = script.next_if(|(at, _)| *at <= now) {
            match what {
                Want(led, number) => session.desire(Some(Desired { led: *led, number: *number })),
                Hear(text) => session.receive(text.as_bytes(), began + millis(now)),
            }
        }
        let at = began + millis(now);
        if let Some(fault) = session.fault(at) {
            let lasting = if fault.is_lasting { " (lasting)" } else { "" };
            log.lock().unwrap().push(format!("{now}: {}{lasting}", fault.reason));
            break;
        }
        for turn in 0.. {
            assert!(turn < 3, "it never stops writing");
            let Some(frame) = session.next(at) else { break };
            let bytes = String::from_utf8(session.bytes(frame)).unwrap();
            log.lock().unwrap().push(format!("{now}: {}", bytes.escape_default()));
            session.sent(frame, at);
        }
        let due = session
            .poll(at)
            .map(|due| u64::try_from(due.duration_since(began).as_millis()).unwrap());
        let next = [due, script.peek().map(|(at, _)| *at)].into_iter().flatten().min();
        match next.filter(|next| *next <= end) {
            Some(next) => now = next,
            None => break,
        }
    }
    drop(session);
    log.into_inner().unwrap()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[track_caller]
fn check(protocol: Protocol, script: &[(u64, Do)], end: u64, expected: &[&str]) {
    assert_eq!(live(&settings(protocol), script, end), expected);
}

const HELLO: Do = Hear("= c 0 TEMP_LED 1.0.0\n");

#[test]
fn a_device_that_answers_gets_numbers_and_is_believed() {
    check(
        Protocol::Auto,
        &[
            (0, Want(On, 42)),
            (5, HELLO),
            (9, Hear("h 42\n")),
            (20, Want(Off, 43)),
            (24, Hear("c 43\n")),
        ],
        4_000,
        &[
            "0: ?\\n",
            "second TEMP_LED 1.0.0",
            "state c 0",
            "5: h 42\\n",
            "sent h 42",
            "applied h 42",
            "20: c 43\\n",
            "sent c 43",
            "applied c 43",
        ],
    );
}

#[test]
fn a_silent_device_gets_bare_bytes_and_is_never_believed() {
    check(
        Protocol::Auto,
        &[(0, Want(On, 1)), (1_000, Want(Off, 2))],
        62_000,
        &[
            "0: ?\\n",
            "original",
            "300: h",
            "sent h 1",
            "1000: c",
            "sent c 2",
            // Boards that restart when their port opens hear nothing before this.
            "2300: ?\\n",
            "61000: c",
            "sent c 2",
        ],
    );
}

#[test]
fn a_board_that_restarts_when_its_port_opens_gets_its_state_early() {
    check(
        Protocol::Auto,
        &[(0, Want(On, 1))],
        63_000,
        &[
            "0: ?\\n",
            "original",
            "300: h",
            "sent h 1",
            "2300: h",
            "sent h 1",
            "2300: ?\\n",
            "62300: h",
            "sent h 1",
            "62300: ?\\n",
        ],
    );
}

#[test]
fn an_answer_that_comes_late_still_counts() {
    check(
        Protocol::Auto,
        &[(0, Want(On, 42)), (340, Hear("= c 7 LATE 2.0\n")), (410, Hear("h 42\n"))],
        3_000,
        &[
            "0: ?\\n",
            "original",
            "300: h",
            "sent h 42",
            "second LATE 2.0",
            "state c 7",
            // Not before the device has taken the bare byte for what it is.
            "400: h 42\\n",
            "sent h 42",
            "applied h 42",
        ],
    );
}

#[test]
fn the_original_protocol_is_bare_bytes_and_nothing_else() {
    let mut original = settings(Protocol::Original);
    original.first_refresh = original.refresh;
    let script = [
        (0, Want(On, 1)),
        (10, Hear("= h 1 LIAR 1\nh 1\n! no\n")),
        (20, Want(Off, 2)),
        (30, Want(Off, 3)),
    ];
    let expected = [
        "original",
        "0: h",
        "sent h 1",
        "20: c",
        "sent c 2",
        "30: c",
        "sent c 3",
        "60030: c",
        "sent c 3",
        "120030: c",
        "sent c 3",
    ];
    assert_eq!(live(&original, &script, 180_000), expected);
}

#[test]
fn the_second_protocol_sends_at_once_and_takes_silence_for_a_fault() {
    check(
        Protocol::Second,
        &[(0, Want(On, 1))],
        9_000,
        &[
            "0: h 1\\n",
            "sent h 1",
            "0: ?\\n",
            "500: h 1\\n",
            "sent h 1",
            "1500: h 1\\n",
            "sent h 1",
            "2000: no answer for 2s",
        ],
    );
}

#[test]
fn without_an_answer_the_same_number_is_sent_again_ever_more_rarely() {
    let alive = "= c 0 TEMP_LED 1.0.0\n";
    let script: Vec<_> = std::iter::once((0, Want(On, 9)))
        .chain((0..40).map(|n| (1 + n * 1_000, Hear(alive))))
        .collect();
    let log = live(&settings(Protocol::Auto), &script, 34_000);
    let sent: Vec<_> = log.iter().filter(|line| line.contains(": h 9")).collect();
    assert_eq!(
        sent,
        [
            "1: h 9\\n",
            "501: h 9\\n",
            "1501: h 9\\n",
            "3501: h 9\\n",
            "7501: h 9\\n",
            "15501: h 9\\n",
            "31501: h 9\\n"
        ]
    );
    assert!(!log.iter().any(|line| line.starts_with("applied")));
}

#[test]
fn a_wrong_number_is_not_an_acknowledgement() {
    check(
        Protocol::Auto,
        &[
            (0, Want(On, 42)),
            (5, HELLO),
            (9, Hear("h 41\n")),
            (12, Hear("c 42\n")),
            (15, Hear("h 43\n")),
        ],
        400,
        &[
            "0: ?\\n",
            "second TEMP_LED 1.0.0",
            "state c 0",
            "5: h 42\\n",
            "sent h 42",
            "state h 41",
            "state c 42",
            "ahead c 42",
            "state h 43",
            "ahead h 43",
        ],
    );
}

#[test]
fn every_acknowledged_command_is_reported_also_when_a_newer_one_is_on_its_way() {
    check(
        Protocol::Auto,
        &[
            (0, Want(On, 1)),
            (5, HELLO),
            (6, Want(Off, 2)),
            (7, Want(On, 3)),
            (8, Hear("h 1\n")),
            (9, Hear("c 2\n")),
            (10, Hear("h 3\n")),
            (11, Hear("h 3\n")),
        ],
        4_000,
        &[
            "0: ?\\n",
            "second TEMP_LED 1.0.0",
            "state c 0",
            "5: h 1\\n",
            "sent h 1",
            "6: c 2\\n",
            "sent c 2",
            "7: h 3\\n",
            "sent h 3",
            "applied h 1",
            "applied c 2",
            "applied h 3",
        ],
    );
}

#[test]
fn a_stalled_link_does_not_fill_with_old_states() {
    let led = |number: u64| if number.is_multiple_of(2) { Off } else { On };
    let mut script = vec![(0, Want(On, 0)), (1, HELLO)];
    script.extend((1..100).map(|number| (1 + number, Want(led(number), number))));
    let log = live(&settings(Protocol::Auto), &script, 900);
    let sent: Vec<_> = log.iter().filter(|line| line.starts_with("sent")).collect();
    // Four that nobody has answered, then the newest alone when its time has come.
    assert_eq!(sent, ["sent h 0", "sent h 1", "sent c 2", "sent h 3", "sent h 99"]);
}

#[test]
fn a_device_that_contradicts_itself_does_not_make_a_storm() {
    let script: Vec<_> = [(0, Want(On, 42)), (5, HELLO)]
        .into_iter()
        .chain((0..500).flat_map(|n| [(10 + n * 4, Hear("h 42\n")), (12 + n * 4, HELLO)]))
        .collect();
    let log = live(&settings(Protocol::Auto), &script, 2_000);
    assert!(log.iter().filter(|line| line.starts_with("sent")).count() <= 5, "{log:#?}");
}

#[test]
fn a_device_that_is_ahead_is_reported_once_and_obeys_a_higher_number() {
    check(
        Protocol::Auto,
        &[
            (0, Want(On, 1)),
            (5, Hear("= c 900 TEMP_LED 1.0.0\n")),
            (9, Hear("= c 900 TEMP_LED 1.0.0\n")),
            (12, Want(On, 901)),
            (15, Hear("h 901\n")),
        ],
        4_000,
        &[
            "0: ?\\n",
            "second TEMP_LED 1.0.0",
            "state c 900",
            "ahead c 900",
            "5: h 1\\n",
            "sent h 1",
            "12: h 901\\n",
            "sent h 901",
            "applied h 901",
        ],
    );
}

#[test]
fn a_quiet_device_is_asked_and_its_silence_ends_the_connection() {
    check(
        Protocol::Auto,
        &[
            (0, Want(On, 1)),
            (5, HELLO),
            (9, Hear("h 1\n")),
            (5_010, Hear("= h 1 TEMP_LED 1.0.0\n")),
        ],
        60_000,
        &[
            "0: ?\\n",
            "second TEMP_LED 1.0.0",
            "state c 0",
            "5: h 1\\n",
            "sent h 1",
            "applied h 1",
            "5009: ?\\n",
            "10010: ?\\n",
            "12010: no answer for 2s",
        ],
    );
}

#[test]
fn the_state_is_sent_again_every_refresh() {
    let mut quick = settings(Protocol::Auto);
    (quick.refresh, quick.keep_alive) = (millis(1_000), millis(60_000));
    let script = [
        (0, Want(On, 1)),
        (5, HELLO),
        (9, Hear("h 1\n")),
        (1_009, Hear("= h 1 TEMP_LED 1.0.0\n")),
        (2_009, Hear("= h 1 TEMP_LED 1.0.0\n")),
    ];
    let sent: Vec<_> =
        live(&quick, &script, 2_500).into_iter().filter(|line| line.contains(": h")).collect();
    assert_eq!(sent, ["5: h 1\\n", "1005: h 1\\n", "2005: h 1\\n"]);
}

#[test]
fn a_refusal_is_reported_once_and_made_harmless() {
    check(
        Protocol::Auto,
        &[(0, Want(On, 42)), (5, HELLO), (9, Hear("! \x1b[2J no\n! no\n! no\n"))],
        600,
        &[
            "0: ?\\n",
            "second TEMP_LED 1.0.0",
            "state c 0",
            "5: h 42\\n",
            "sent h 42",
            "refused 42 ?[2J no",
            "505: h 42\\n",
            "sent h 42",
        ],
    );
}

#[test]
fn noise_is_ignored_counted_and_never_repeated_in_words() {
    check(
        Protocol::Auto,
        &[
            (0, Hear("ets Jun  8 2016\r\nrst:0x1\r\n\r\n")),
            (10, Hear("! not a device\n")),
            (20, Hear("x\n")),
            (30, Hear("h\nc\n?\n")),
        ],
        1_500,
        &["noise 2", "0: ?\\n", "10: ?\\n", "original", "noise 7"],
    );
}

#[test]
fn a_question_that_met_the_rest_of_an_old_line_is_asked_again_once() {
    let refused = || Hear("! expected h N, c N or ?\n");
    check(
        Protocol::Auto,
        &[(0, Want(On, 7)), (4, refused()), (5, refused()), (8, HELLO), (10, Hear("h 7\n"))],
        900,
        &[
            "0: ?\\n",
            "noise 1",
            "4: ?\\n",
            "second TEMP_LED 1.0.0",
            "state c 0",
            "8: h 7\\n",
            "sent h 7",
            "applied h 7",
        ],
    );
}

#[test]
fn without_a_desired_state_nothing_is_sent_but_the_question() {
    check(Protocol::Auto, &[(5, HELLO)], 4_000, &["0: ?\\n", "second TEMP_LED 1.0.0", "state c 0"]);
    check(Protocol::Original, &[], 4_000, &["original"]);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_none_is_taken_for_an_acknowledgement(
        pieces: Vec<Vec<u8>>, number in 1_000_000_000_u64.., protocol in 0..3_usize, on in any::<bool>(),
    ) {
        let protocol = [Protocol::Auto, Protocol::Original, Protocol::Second][protocol];
        let (settings, clock) = (settings(protocol), Arc::new(|| UnixMicros(0)) as Clock);
        let log = Mutex::new(Vec::new());
        let reports = |report: Report| log.lock().unwrap().push(report);
        let voice = Voice { report: &reports, clock: &clock, draw: || None };
        let (mut memory, mut now) = (Memory::default(), Instant::now());
        let mut session = Session::new(&settings, &voice, &mut memory, now);
        session.desire(Some(Desired { led: if on { On } else { Off }, number }));
        for piece in &pieces {
            now += millis(100);
            session.receive(piece, now);
            if let Some(frame) = session.next(now) {
                session.sent(frame, now);
            }
            prop_assert!(session.poll(now).is_none_or(|at| at > now));
        }
        drop(session);
        let applied = |report: &Report| matches!(report, Report::Applied { .. });
        prop_assert!(!log.into_inner().unwrap().iter().any(applied));
    }
}

use super::Board;
use crate::settings::Actuator;
use crate::view::{ActuatorView, LinkState, View, Wanted};
use mtom_actuator::{Drift, LinkState as State, Protocol, Report};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A board with one actuator, and the clock that it reads.
struct Rig {
    board: Board,
    view: View,
    now: Arc<AtomicI64>,
}

impl Rig {
    fn new() -> Self {
        let (view, now) = (View::default(), Arc::new(AtomicI64::new(0)));
        let clock = {
            let now = Arc::clone(&now);
            Arc::new(move || UnixMicros(now.load(Ordering::SeqCst)))
        };
        let (board, _) = Board::new(view.clone(), clock);
        board.add(&Actuator {
            name: "LED".into(),
            key: None,
            link: "ble:LED".parse().unwrap(),
            refresh: Duration::from_secs(60),
            protocol: Protocol::Auto,
            drift: Drift::Correct,
            simulated: false,
        });
        Self { board, view, now }
    }

    /// The link says so at a time; how it is shown then.
    fn link(&self, now: i64, state: State, reason: &str) -> ActuatorView {
        self.now.store(now, Ordering::SeqCst);
        self.board.report("LED", Report::Link { state, reason: reason.into() });
        self.view.snapshot().actuators.remove(0)
    }
}

#[tokio::test]
async fn a_command_is_announced_until_it_is_written() {
    let Rig { board, .. } = Rig::new();
    assert!(!board.is_coming());
    board.announce();
    board.announced().await;
    assert!(board.is_coming());
    let (at, rule, cause) = (UnixMicros(1), "heat".into(), "26 °C".into());
    board.want("LED", Wanted { led: Led::On, number: 1, at, rule, cause });
    assert!(!board.is_coming());
}

#[test]
fn a_link_that_is_tried_again_and_again_tells_since_when_it_is_not_up() {
    let rig = Rig::new();
    let shown = rig.link(1, State::Up, "");
    assert_eq!((shown.link_since, shown.link_down_since), (UnixMicros(1), None));
    for (now, state) in [
        (2, State::Broken),
        (3, State::Searching),
        (4, State::Connecting),
        (5, State::Away),
        (6, State::Searching),
    ] {
        let shown = rig.link(now, state, "gone");
        let ages = (shown.link_since, shown.link_down_since);
        assert_eq!(ages, (UnixMicros(now), Some(UnixMicros(2))), "{state:?}");
        assert_eq!(shown.link_reason, "gone");
    }
    // Another reason is no other state.
    let shown = rig.link(7, State::Searching, "still gone");
    assert_eq!((shown.link_since, &*shown.link_reason), (UnixMicros(6), "still gone"));
    let shown = rig.link(8, State::Up, "");
    assert_eq!((shown.link_state, shown.link_down_since), (LinkState::Up, None));
}

#[test]
fn one_that_never_was_up_is_not_up_since_the_start() {
    let shown = Rig::new().link(9, State::Connecting, "");
    assert_eq!(shown.link_down_since, Some(UnixMicros(0)));
}

#[test]
fn tries_that_end_as_the_last_one_did_are_one_line_in_the_log() {
    let rig = Rig::new();
    rig.link(1, State::Up, "");
    for now in 0..100_u8 {
        let state = [State::Away, State::Searching, State::Connecting][usize::from(now) % 3];
        rig.link(now.into(), state, "not found");
    }
    rig.link(100, State::Up, "");
    let log: Vec<String> =
        rig.view.snapshot().log.iter().map(|entry| entry.event.to_string()).collect();
    assert_eq!(log, ["link to LED up", "link to LED away: not found", "link to LED up"]);
}

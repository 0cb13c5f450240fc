//! What flows is counted for a minute, and what is broken is known until it works again.

use super::{Flow, Meter};
use crate::view::{Counts, LogEvent};
use mtom_protocol::link::Led;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::time::Duration;

const START: UnixMicros = UnixMicros(1_795_421_190_000_000);

fn after(seconds: u64) -> UnixMicros {
    START.saturating_add(Duration::from_secs(seconds))
}

fn received(received: u64) -> Counts {
    Counts { received, ..Counts::default() }
}

fn stored(arrived_at: UnixMicros, taken_at: Option<UnixMicros>, suspect: bool) -> StoredReading {
    let reading = Reading {
        topic: "Environ/Temperature".into(),
        device: "Environ".into(),
        quantity: "Temperature".into(),
        value: 21.0,
        unit: Unit::Celsius,
        taken_at,
        key: None,
    };
    StoredReading { id: 1, reading, at: arrived_at, arrived_at, suspect }
}

#[test]
fn what_was_there_before_has_not_flown_and_what_came_is_over_after_a_minute() {
    let mut meter = Meter::default();
    meter.counts(received(1_000_000), after(0));
    meter.counts(received(1_000_003), after(1));
    meter.counts(received(1_000_005), after(30));
    assert_eq!(meter.flow(after(30)).received_per_minute, 5);
    assert_eq!(meter.flow(after(60)).received_per_minute, 5);
    assert_eq!(meter.flow(after(61)).received_per_minute, 2);
    assert_eq!(meter.flow(after(90)).received_per_minute, 0);
    meter.counts(received(1_000_006), after(90));
    assert_eq!(meter.flow(after(90)).received_per_minute, 1, "a second takes its place again");
}

#[test]
fn a_clock_that_steps_back_counts_nothing_twice() {
    let mut meter = Meter::default();
    meter.reading(&stored(after(70), None, false));
    meter.reading(&stored(after(10), None, false));
    assert_eq!(meter.flow(after(70)).stored_per_minute, 1);
}

#[test]
fn the_way_to_us_is_told_by_a_clock_that_can_be_believed() {
    let mut meter = Meter::default();
    meter.reading(&stored(after(5), Some(after(9)), false));
    meter.reading(&stored(after(5), Some(after(4)), true));
    assert_eq!(meter.flow(after(5)).taken_to_arrived, None);
    meter.reading(&stored(after(5), Some(after(3)), false));
    assert_eq!(meter.flow(after(5)).taken_to_arrived, Some(Duration::from_secs(2)));
}

#[test]
fn a_broker_is_away_since_it_went_until_it_is_back() {
    let mut meter = Meter::default();
    let lost =
        |reason: &str| LogEvent::BrokerLost { url: "mqtt://x:1".into(), reason: reason.into() };
    meter.said(&lost("reset"), after(1));
    meter.said(&lost("refused"), after(4));
    let found = meter.flow(after(5)).broker_lost.unwrap();
    assert_eq!((found.since, &*found.reason), (after(1), "refused"));
    meter.said(&LogEvent::BrokerConnected { url: "mqtt://x:1".into() }, after(6));
    assert_eq!(meter.flow(after(6)).broker_lost, None);
}

#[test]
fn a_session_that_a_broker_forgot_is_counted() {
    let mut meter = Meter::default();
    let forgot = LogEvent::BrokerForgot { url: "mqtt://x:1".into() };
    assert_eq!(meter.flow(after(0)).broker_sessions_lost, 0);
    meter.said(&forgot, after(1));
    meter.said(&forgot, after(2));
    assert_eq!(meter.flow(after(3)).broker_sessions_lost, 2);
    assert_eq!(meter.sessions_lost(), 2);
}

#[test]
fn commands_are_counted_and_timed_and_a_disk_fails_until_it_takes_again() {
    let mut meter = Meter::default();
    let actuator = || "TEMP_LED".to_owned();
    let (led, cause) = (Led::On, String::new());
    meter.said(&LogEvent::Decided { rule: "r".into(), actuator: actuator(), led, cause }, after(1));
    let applied = LogEvent::Applied { actuator: actuator(), number: 1, led, latency_micros: 900 };
    meter.said(&applied, after(1));
    meter.failing(after(2));
    meter.failing(after(3));
    let expected = Flow {
        decided_per_minute: 1,
        applied_per_minute: 1,
        decided_to_applied: Some(Duration::from_micros(900)),
        failing_since: Some(after(2)),
        ..Flow::default()
    };
    assert_eq!(meter.flow(after(3)), expected);
    meter.stored(Duration::from_millis(4));
    let flow = meter.flow(after(3));
    assert_eq!(
        (flow.failing_since, flow.arrived_to_stored),
        (None, Some(Duration::from_millis(4)))
    );
}

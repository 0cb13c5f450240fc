//! The golden JSON of the border, and the page's types.

use super::{
    Actuator, Actuators, Applied, Availability, Command, Commands, Counts, Desired, Frame, Latest,
    LedState, LinkWord, Listens, Log, LogLine, Reading, ReadingPage, Rule, RuleSet, RuleSets,
    Rules, State, Status, TrustWord, Why, Zone,
};
use crate::alerts::{Alert, Alerts};
use crate::clients;
use crate::controllers;
use crate::devices::{Device, Devices, Series, SeriesList};
use crate::discovered;
use crate::events::LogEvent;
use crate::homeassistant;
use crate::pair::{Pairing, PairingWord};
use crate::past::{Chart, ChartPoint, Database, Gap, Storage};
use crate::path::{AlertsStuck, BrokerLost, Path, RulesBlind, RulesRefused};
use crate::problem::{ProblemBody, RuleMistake, TextPlace};
use crate::rejects::{Reject, Rejects};
use crate::replay::wire;
use crate::scan::{BluetoothKind, InReach, Reach};
use crate::simulator::Simulated;
use crate::standing::{ActuatorState, PendingTimer, RuleState, RuleStates, RuleTotals, StateWord};
use crate::trial::{RuleCase, RuleCases};
use expect_test::{Expect, expect, expect_file};
use mtom_gateway::availability;
use mtom_gateway::view::{
    ActuatorView, AlertCounts, Counts as Account, Hop, LinkState, LogEntry, LogEvent as Said,
    Snapshot, Told, Trust, Update, Wanted,
};
use mtom_protocol::link::Led;
use mtom_protocol::reading::{Reading as Measured, ReadingKey, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::sync::Arc;
use ts_rs::{Config, TS};

const AT: UnixMicros = UnixMicros(1_795_421_190_123_456);

/// `UPDATE_EXPECT=1 cargo test -p mtom-dashboard` writes the file anew.
#[test]
fn the_types_of_the_page_are_these() {
    let config = Config::new().with_large_int("number");
    let mut text = String::from(
        "// What the gateway says, as TypeScript. Made from the Rust types of mtom-dashboard by\n\
         // `UPDATE_EXPECT=1 cargo test -p mtom-dashboard`: change those, not this file.\n",
    );
    declare::<Frame<'_>>(&config, &mut text);
    declare::<Reading<'_>>(&config, &mut text);
    declare::<Availability<'_>>(&config, &mut text);
    declare::<Actuator<'_>>(&config, &mut text);
    declare::<Desired<'_>>(&config, &mut text);
    declare::<State>(&config, &mut text);
    declare::<LedState>(&config, &mut text);
    declare::<LinkWord>(&config, &mut text);
    declare::<TrustWord>(&config, &mut text);
    declare::<LogLine<'_>>(&config, &mut text);
    declare::<Log<'_>>(&config, &mut text);
    declare::<LogEvent<'_>>(&config, &mut text);
    declare::<Counts>(&config, &mut text);
    declare::<Status<'_>>(&config, &mut text);
    declare::<Zone<'_>>(&config, &mut text);
    declare::<Listens<'_>>(&config, &mut text);
    declare::<Rules<'_>>(&config, &mut text);
    declare::<Rule<'_>>(&config, &mut text);
    declare::<Latest<'_>>(&config, &mut text);
    declare::<ReadingPage<'_>>(&config, &mut text);
    declare::<Actuators<'_>>(&config, &mut text);
    declare::<Pairing>(&config, &mut text);
    declare::<PairingWord>(&config, &mut text);
    declare::<Reach<'_>>(&config, &mut text);
    declare::<InReach<'_>>(&config, &mut text);
    declare::<BluetoothKind>(&config, &mut text);
    declare::<Rejects<'_>>(&config, &mut text);
    declare::<Reject<'_>>(&config, &mut text);
    declare::<Commands<'_>>(&config, &mut text);
    declare::<Command<'_>>(&config, &mut text);
    declare::<Why<'_>>(&config, &mut text);
    declare::<Alerts<'_>>(&config, &mut text);
    declare::<Alert<'_>>(&config, &mut text);
    declare::<Chart>(&config, &mut text);
    declare::<ChartPoint>(&config, &mut text);
    declare::<Gap>(&config, &mut text);
    declare::<Storage>(&config, &mut text);
    declare::<Database>(&config, &mut text);
    declare::<RuleSets<'_>>(&config, &mut text);
    declare::<RuleSet<'_>>(&config, &mut text);
    declare::<Applied>(&config, &mut text);
    declare::<ProblemBody>(&config, &mut text);
    declare::<RuleMistake>(&config, &mut text);
    declare::<TextPlace>(&config, &mut text);
    declare::<Devices<'_>>(&config, &mut text);
    declare_clients(&config, &mut text);
    declare_house(&config, &mut text);
    declare::<Path<'_>>(&config, &mut text);
    declare::<BrokerLost<'_>>(&config, &mut text);
    declare_rule_troubles(&config, &mut text);
    declare::<Simulated<'_>>(&config, &mut text);
    declare::<Device<'_>>(&config, &mut text);
    declare::<SeriesList<'_>>(&config, &mut text);
    declare::<Series<'_>>(&config, &mut text);
    declare_rule_states(&config, &mut text);
    declare::<RuleCases>(&config, &mut text);
    declare::<RuleCase>(&config, &mut text);
    declare::<wire::Line<'_>>(&config, &mut text);
    declare::<wire::Progress>(&config, &mut text);
    declare::<wire::Comparison<'_>>(&config, &mut text);
    declare::<wire::Account<'_>>(&config, &mut text);
    declare::<wire::Band>(&config, &mut text);
    declare::<wire::Difference<'_>>(&config, &mut text);
    declare::<wire::Only>(&config, &mut text);
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
    expect_file!["../../../../web/wire.d.ts"].assert_eq(&text);
}

fn declare_clients(config: &Config, text: &mut String) {
    declare::<clients::Clients<'_>>(config, text);
    declare::<clients::Client<'_>>(config, text);
    declare::<clients::Refused<'_>>(config, text);
    declare::<controllers::Controllers>(config, text);
    declare::<controllers::Controller>(config, text);
}

fn declare_house(config: &Config, text: &mut String) {
    declare::<homeassistant::HomeAssistant>(config, text);
    declare::<homeassistant::HomeAssistantConnection>(config, text);
    declare::<homeassistant::HomeAssistantWord>(config, text);
    declare::<homeassistant::LeftBehind>(config, text);
    declare::<discovered::DiscoveredThings>(config, text);
    declare::<discovered::DiscoveredCounts>(config, text);
    declare::<discovered::DiscoveredThing>(config, text);
    declare::<discovered::DiscoveredStanding>(config, text);
}

fn declare_rule_states(config: &Config, text: &mut String) {
    declare::<RuleStates>(config, text);
    declare::<RuleTotals>(config, text);
    declare::<RuleState>(config, text);
    declare::<StateWord>(config, text);
    declare::<ActuatorState>(config, text);
    declare::<PendingTimer>(config, text);
}

fn declare_rule_troubles(config: &Config, text: &mut String) {
    declare::<RulesRefused<'_>>(config, text);
    declare::<RulesBlind>(config, text);
    declare::<AlertsStuck>(config, text);
}

fn declare<T: TS>(config: &Config, text: &mut String) {
    text.push('\n');
    if let Some(docs) = T::docs() {
        text.push_str(&docs);
    }
    text.push_str("export ");
    text.push_str(&T::decl(config));
    text.push('\n');
}

#[track_caller]
fn check(body: &impl serde::Serialize, expected: &Expect) {
    let mut text = serde_json::to_string_pretty(body).unwrap();
    text.push('\n');
    expected.assert_eq(&text);
}

fn stored(value: f64, unit: Unit) -> StoredReading {
    StoredReading {
        id: 7,
        at: AT,
        arrived_at: AT,
        suspect: false,
        reading: Measured {
            topic: "Environ/Temperature".into(),
            device: "Environ".into(),
            quantity: "Temperature".into(),
            value,
            unit,
            taken_at: None,
            key: None,
        },
    }
}

#[test]
fn a_reading_as_json() {
    let mut reading = stored(26.5, Unit::Celsius);
    reading.reading.taken_at = Some(AT);
    reading.reading.key = Some(ReadingKey { boot: "b1".into(), seq: 7 });
    check(
        &Reading::from(&reading),
        &expect![[r#"
        {
          "id": 7,
          "device": "Environ",
          "quantity": "Temperature",
          "topic": "Environ/Temperature",
          "value": 26.5,
          "unit": "°C",
          "celsius": 26.5,
          "fahrenheit": 79.7,
          "at": "2026-11-23T08:06:30.123456Z",
          "at_micros": 1795421190123456,
          "arrived_at": "2026-11-23T08:06:30.123456Z",
          "arrived_at_micros": 1795421190123456,
          "taken_at": "2026-11-23T08:06:30.123456Z",
          "taken_at_micros": 1795421190123456,
          "suspect": false,
          "boot": "b1",
          "seq": 7
        }
    "#]],
    );
    check(
        &Reading::from(&stored(40.0, Unit::Percent)),
        &expect![[r#"
        {
          "id": 7,
          "device": "Environ",
          "quantity": "Temperature",
          "topic": "Environ/Temperature",
          "value": 40.0,
          "unit": "%",
          "celsius": null,
          "fahrenheit": null,
          "at": "2026-11-23T08:06:30.123456Z",
          "at_micros": 1795421190123456,
          "arrived_at": "2026-11-23T08:06:30.123456Z",
          "arrived_at_micros": 1795421190123456,
          "taken_at": null,
          "taken_at_micros": null,
          "suspect": false,
          "boot": null,
          "seq": null
        }
    "#]],
    );
}

#[test]
fn twenty_five_degrees_are_seventy_seven() {
    for (value, unit) in [(25.0, Unit::Celsius), (77.0, Unit::Fahrenheit)] {
        let json = serde_json::to_value(Reading::from(&stored(value, unit))).unwrap();
        assert_eq!(
            (json["celsius"].as_f64(), json["fahrenheit"].as_f64()),
            (Some(25.0), Some(77.0))
        );
    }
    // A number that a device has sent comes back as it was.
    let json = serde_json::to_value(Reading::from(&stored(70.1, Unit::Fahrenheit))).unwrap();
    assert_eq!(json["fahrenheit"], 70.1);
}

fn snapshot() -> Snapshot {
    Snapshot {
        latest: vec![Arc::new(stored(26.5, Unit::Celsius))],
        availability: vec![availability::Availability {
            device: "Environ".into(),
            is_available: false,
            since: AT,
            is_learnt_late: false,
        }],
        availability_refused: 0,
        sparkplug: mtom_gateway::sparkplug::SparkplugCounts::default(),
        actuators: vec![ActuatorView {
            name: "TEMP_LED".into(),
            link: "tcp:127.0.0.1:7000".into(),
            link_state: LinkState::Up,
            link_reason: String::new(),
            link_since: AT,
            link_down_since: None,
            simulated: true,
            desired: Some(Wanted {
                led: Led::On,
                number: 42,
                at: AT,
                rule: "original".into(),
                cause: "reading 7".into(),
            }),
            reported: Some(Told { led: Led::Off, number: 41, at: AT }),
            sent: None,
            firmware: Some("TEMP_LED 1.0.0".into()),
            trust: Some(Trust::Authenticated),
            latency_micros: Some(2_100),
        }],
        log: vec![LogEntry {
            id: 3,
            at: AT,
            hop: Hop::Rules,
            event: Said::Decided {
                rule: "original".into(),
                actuator: "TEMP_LED".into(),
                led: Led::On,
                cause: "reading 7".into(),
            },
        }],
        counts: Account { received: 1, stored: 1, ..Account::default() },
        rules: Arc::new([]),
        drain: None,
        alerts: AlertCounts::default(),
        forwarded: None,
        broker_sessions_lost: 0,
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "most of them are the expected JSON")]
fn a_snapshot_as_json() {
    let snapshot = snapshot();
    check(
        &Frame::snapshot(&snapshot, AT),
        &expect![[r#"
            {
              "type": "snapshot",
              "now": "2026-11-23T08:06:30.123456Z",
              "now_micros": 1795421190123456,
              "readings": [
                {
                  "id": 7,
                  "device": "Environ",
                  "quantity": "Temperature",
                  "topic": "Environ/Temperature",
                  "value": 26.5,
                  "unit": "°C",
                  "celsius": 26.5,
                  "fahrenheit": 79.7,
                  "at": "2026-11-23T08:06:30.123456Z",
                  "at_micros": 1795421190123456,
                  "arrived_at": "2026-11-23T08:06:30.123456Z",
                  "arrived_at_micros": 1795421190123456,
                  "taken_at": null,
                  "taken_at_micros": null,
                  "suspect": false,
                  "boot": null,
                  "seq": null
                }
              ],
              "availability": [
                {
                  "device": "Environ",
                  "available": false,
                  "since": "2026-11-23T08:06:30.123456Z",
                  "since_micros": 1795421190123456,
                  "since_latest": false
                }
              ],
              "actuators": [
                {
                  "name": "TEMP_LED",
                  "link": "tcp:127.0.0.1:7000",
                  "link_state": "up",
                  "link_reason": "",
                  "link_since": "2026-11-23T08:06:30.123456Z",
                  "link_since_micros": 1795421190123456,
                  "link_down_since": null,
                  "link_down_since_micros": null,
                  "simulated": true,
                  "desired": {
                    "led": "on",
                    "number": 42,
                    "at": "2026-11-23T08:06:30.123456Z",
                    "at_micros": 1795421190123456,
                    "rule": "original",
                    "cause": "reading 7"
                  },
                  "reported": {
                    "led": "off",
                    "number": 41,
                    "at": "2026-11-23T08:06:30.123456Z",
                    "at_micros": 1795421190123456
                  },
                  "sent": null,
                  "firmware": "TEMP_LED 1.0.0",
                  "trust": "authenticated",
                  "latency_micros": 2100
                }
              ],
              "log": [
                {
                  "id": 3,
                  "at": "2026-11-23T08:06:30.123456Z",
                  "at_micros": 1795421190123456,
                  "hop": "rules",
                  "text": "rule original: TEMP_LED on because reading 7",
                  "event": {
                    "kind": "decided",
                    "rule": "original",
                    "actuator": "TEMP_LED",
                    "led": "on",
                    "cause": "reading 7"
                  }
                }
              ],
              "counts": {
                "received": 1,
                "stored": 1,
                "duplicate": 0,
                "rejected": 0,
                "in_flight": 0,
                "ignored": 0
              },
              "rules": []
            }
        "#]],
    );
    let update = Update::Actuator(snapshot.actuators[0].clone());
    let frame = serde_json::to_value(Frame::from(&update)).unwrap();
    assert_eq!(frame["type"], "actuator");
}

/// Every event has its own `kind`, and the page has a sentence for each (`web/test/events.test.js`).
#[test]
fn a_lost_update_is_said_in_numbers() {
    check(
        &Frame::Lagged { lagged: 12 },
        &expect![[r#"
        {
          "type": "lagged",
          "lagged": 12
        }
    "#]],
    );
}

#[test]
fn several_changes_are_one_batch() {
    let frames = vec![Frame::Lagged { lagged: 1 }, Frame::Lagged { lagged: 2 }];
    let json = Frame::Batch { frames }.json();
    let frames = r#"[{"type":"lagged","lagged":1},{"type":"lagged","lagged":2}]"#;
    assert_eq!(json, format!(r#"{{"type":"batch","frames":{frames}}}"#));
}

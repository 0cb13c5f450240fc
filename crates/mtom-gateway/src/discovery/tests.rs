//! What is heard becomes readings, under names that stay.

use super::{Counts, Discovered, Standing};
use crate::settings::HomeAssistant;
use bytes::Bytes;
use mtom_broker::intake::Message;
use std::fmt::Write;
use std::path::Path;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const TEMPERATURE: &str = r#"{"dev":{"ids":"k1","name":"Kitchen"},"stat_t":"kitchen/state","dev_cla":"temperature","unit_of_meas":"°C","val_tpl":"{{ value_json.t }}"}"#;

fn open(dir: &Path, filters: &[&str]) -> Discovered {
    let filters: Vec<_> = filters.iter().map(|filter| (*filter).to_owned()).collect();
    Discovered::open(dir, &HomeAssistant { discover: true, ..HomeAssistant::default() }, &filters)
}

/// Hears configs on `sensor/<topic>`.
fn hear(discovered: &Discovered, configs: &[(&str, &str)]) {
    for (topic, config) in configs {
        let topic = format!("homeassistant/sensor/{topic}/config");
        assert!(discovered.heard(&topic, config.as_bytes()), "{topic}");
    }
}

/// What a message says; `None`: it is nobody's who was discovered.
fn said(discovered: &Discovered, topic: &str, payload: &str) -> Option<String> {
    let message = Message {
        topic: topic.into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        retained_copy: false,
        properties: Vec::new(),
    };
    assert_eq!(discovered.listens(topic), discovered.decode(&message).is_some());
    let mut out = String::new();
    for outcome in discovered.decode(&message)? {
        let _ = match outcome {
            Ok(reading) => {
                let (device, quantity) = (&reading.device, &reading.quantity);
                let unit = reading.unit.symbol();
                write!(out, "{device} | {quantity} | {} {unit}; ", reading.value)
            }
            Err(reason) => write!(out, "{}; ", reason.code()),
        };
    }
    Some(out)
}

/// Writes what it has to keep, at its end.
async fn kept(discovered: &Discovered) {
    let stop = CancellationToken::new();
    let mut keeping = JoinSet::new();
    keeping.spawn(discovered.clone().keep(stop.clone()));
    // The paused clock goes on when nobody has anything to do: what was told is written by then.
    tokio::time::sleep(super::WRITE_DELAY * 2).await;
    stop.cancel();
    keeping.join_next().await.unwrap().unwrap();
}

#[test]
fn a_config_is_heard_replaced_and_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let changed = discovered.changed();
    assert_eq!(said(&discovered, "kitchen/state", "{}"), None);
    hear(&discovered, &[("k1", TEMPERATURE), ("k1", TEMPERATURE)]);
    assert_eq!(*changed.borrow(), 1, "what is said again changes nothing");
    let message = r#"{"t":21.5}"#;
    let reading = "Kitchen | temperature | 21.5 °C; ";
    assert_eq!(said(&discovered, "kitchen/state", message).as_deref(), Some(reading));
    assert_eq!(said(&discovered, "kitchen/state", "oops").as_deref(), Some("not_json; "));
    assert_eq!(said(&discovered, "kitchen/state", "{}").as_deref(), Some(""));
    hear(&discovered, &[("k1", &TEMPERATURE.replace("°C", "°F"))]);
    let reading = "Kitchen | temperature | 70 °F; ";
    assert_eq!(said(&discovered, "kitchen/state", r#"{"t":70}"#).as_deref(), Some(reading));
    hear(&discovered, &[("k1", ""), ("never", "")]);
    assert_eq!(said(&discovered, "kitchen/state", message), None);
    assert!(discovered.list().is_empty() && discovered.topics().is_empty());
    assert_eq!(discovered.counts(), Counts::default());
}

#[test]
fn what_is_no_config_is_not_taken_for_one() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    for (topic, payload) in [
        ("homeassistant/sensor/a/config", &b"23.4"[..]),
        ("homeassistant/sensor/a/config", b"\xff{"),
        ("homeassistant/sensor/a/state", b"{}"),
        ("homeassistant/status", b"online"),
        ("other/sensor/a/config", b"{}"),
    ] {
        assert!(!discovered.heard(topic, payload), "{topic}");
    }
    let off = HomeAssistant { discover: false, ..HomeAssistant::default() };
    let off = Discovered::open(dir.path(), &off, &[]);
    assert!(!off.heard("homeassistant/sensor/k1/config", TEMPERATURE.as_bytes()));
    assert!(off.filters().is_empty());
}

#[test]
fn two_things_of_one_name_are_two_series() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let other = TEMPERATURE.replace("k1", "k2").replace("kitchen/", "attic/");
    let outside = TEMPERATURE.replace("value_json.t ", "value_json.out ");
    hear(&discovered, &[("a", TEMPERATURE), ("b", &other), ("c", &outside), ("d", &outside)]);
    let said = |topic: &str| said(&discovered, topic, r#"{"t":20,"out":5}"#).unwrap();
    assert_eq!(
        said("kitchen/state"),
        "Kitchen | temperature | 20 °C; Kitchen | c | 5 °C; Kitchen | d | 5 °C; "
    );
    assert_eq!(said("attic/state"), "Kitchen (k2) | temperature | 20 °C; ");
}

#[tokio::test(start_paused = true)]
async fn names_outlive_the_process_and_who_had_them_first() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    hear(&discovered, &[("a", TEMPERATURE), ("b", TEMPERATURE), ("bad", "{")]);
    hear(&discovered, &[("a", "")]);
    let expected = "Kitchen | b | 20 °C; ";
    assert_eq!(said(&discovered, "kitchen/state", r#"{"t":20}"#).unwrap(), expected);
    kept(&discovered).await;
    let again = open(dir.path(), &[]);
    assert_eq!(said(&again, "kitchen/state", r#"{"t":20}"#).unwrap(), expected);
    assert_eq!(again.list().len(), 1);
    // What stands in the file is from outside too.
    std::fs::write(dir.path().join(super::file::FILE), "{}\n[]\nnonsense\n{\"topic\":\"a\"}\n")
        .unwrap();
    assert!(open(dir.path(), &[]).list().is_empty());
}

#[test]
fn a_topic_that_a_filter_names_is_read_as_it_always_was() {
    let dir = tempfile::tempdir().unwrap();
    for (filter, is_named) in
        [("kitchen/#", true), ("#", false), ("+/state", false), ("attic/#", false)]
    {
        let discovered = open(dir.path(), &[filter]);
        hear(&discovered, &[("k1", TEMPERATURE)]);
        assert_eq!(discovered.listens("kitchen/state"), !is_named, "{filter}");
        let standing = discovered.list().remove(0).standing;
        assert_eq!(matches!(standing, Standing::Named { .. }), is_named, "{standing:?}");
    }
}

#[test]
fn what_gateways_say_themselves_is_nobodys_reading() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let own = TEMPERATURE.replacen('{', r#"{"o":{"name":"mtom"},"#, 1);
    hear(&discovered, &[("own", &own)]);
    assert!(discovered.list().is_empty() && !discovered.listens("kitchen/state"));
}

#[test]
fn configs_are_bounded_and_those_that_are_not_taken_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let padded = TEMPERATURE.replacen('{', &format!(r#"{{"x":"{}","#, "y".repeat(60_000)), 1);
    for number in 0..150 {
        hear(&discovered, &[(&format!("s{number}"), &padded)]);
    }
    let counts = discovered.counts();
    assert_eq!(counts.configs + counts.refused, 150);
    assert!(counts.configs < 140 && counts.configs > 130, "{counts:?}");
    // Those that are known are heard on.
    hear(&discovered, &[("s0", TEMPERATURE), ("s1", "")]);
    assert_eq!(discovered.counts().configs, counts.configs - 1);
}

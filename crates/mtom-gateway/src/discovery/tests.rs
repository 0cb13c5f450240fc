//! What is heard becomes readings, under names that stay.

use super::{Around, Counts, Cover, Discovered, Plans, Standing};
use crate::settings::HomeAssistant;
use bytes::Bytes;
use mtom_broker::intake::{Delivery, Message};
use mtom_protocol::payload::decode;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::topic::matches;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

mod there;

const TEMPERATURE: &str = r#"{"dev":{"ids":"k1","name":"Kitchen"},"stat_t":"kitchen/state","dev_cla":"temperature","unit_of_meas":"°C","val_tpl":"{{ value_json.t }}"}"#;

fn open(dir: &Path, filters: &[&str]) -> Discovered {
    among(dir, filters, &[])
}

/// When the newest temperature was measured.
const NEWEST: UnixMicros = UnixMicros(1_000_000);

/// With those filters of `ingest.topics`, and among series of others: device, quantity and topic.
fn among(dir: &Path, filters: &[&str], known: &[[&str; 3]]) -> Discovered {
    let is_shared = filters.iter().any(|filter| filter.starts_with("$share/"));
    let filters: Vec<_> = filters.iter().map(|filter| (*filter).to_owned()).collect();
    let cover = move |name: &str| match filters.iter().find(|filter| matches(filter, name)) {
        None => Cover::None,
        Some(filter) if filter == "#" => Cover::Everything,
        Some(_) => Cover::Named,
    };
    let known: Vec<_> = known.iter().map(|series| series.map(str::to_owned)).collect();
    let known = move |device: &str| {
        let its = known.iter().filter(|[of, _, _]| of == device);
        its.map(|[_, _, topic]| topic.as_str().into()).collect()
    };
    let newest = |_: &str, quantity: &str| (quantity == "temperature").then_some(NEWEST);
    let around = Around {
        cover: Arc::new(cover),
        known: Arc::new(known),
        newest: Arc::new(newest),
        is_shared,
    };
    Discovered::open(dir, &HomeAssistant { discover: true, ..HomeAssistant::default() }, around)
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
    told(&delivery(discovered, topic, payload, false))
}

/// A message as it comes through the door.
fn delivery(discovered: &Discovered, topic: &str, payload: &str, retained_copy: bool) -> Delivery {
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    let message = Message { topic: topic.into(), payload, retained_copy, properties: Vec::new() };
    Delivery::unawaited(message).with(discovered.note(topic))
}

/// What it says when it is read.
fn told(delivery: &Delivery) -> Option<String> {
    let mut out = String::new();
    for outcome in Plans::of(delivery)?.decode(&delivery.message).0 {
        let _ = match outcome {
            Ok(reading) => {
                let (device, quantity) = (&reading.device, &reading.quantity);
                let unit = reading.unit.symbol();
                let at = reading.taken_at.map(|at| format!(" at {}", at.0)).unwrap_or_default();
                let key = reading.key.map(|key| format!(" {}#{}", key.boot, key.seq));
                let key = key.unwrap_or_default();
                write!(out, "{device} | {quantity} | {} {unit}{at}{key}; ", reading.value)
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
    assert_eq!(said(&discovered, "kitchen/state", "{}"), None);
    hear(&discovered, &[("k1", TEMPERATURE), ("k1", TEMPERATURE)]);
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
    assert!(discovered.list().is_empty() && discovered.read().topics().is_empty());
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
    let off = Discovered::open(dir.path(), &off, Around::none());
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
    // Names that differ in a letter's case are two everywhere.
    hear(&discovered, &[("e", &other.replace("k2", "k3").replace("\"Kitchen", "\"kitchen"))]);
    assert_eq!(
        said("attic/state"),
        "Kitchen (k2) | temperature | 20 °C; kitchen | temperature | 20 °C; "
    );
}

#[test]
fn gateways_that_share_give_the_same_names_whatever_came_first() {
    let other = TEMPERATURE.replace("k1", "k2").replace("kitchen/", "attic/");
    for configs in [[("a", TEMPERATURE), ("b", &other)], [("b", &other), ("a", TEMPERATURE)]] {
        let dir = tempfile::tempdir().unwrap();
        let discovered = open(dir.path(), &["$share/g/Environ/#"]);
        hear(&discovered, &configs);
        let said = |topic: &str| said(&discovered, topic, r#"{"t":20}"#).unwrap();
        assert_eq!(said("kitchen/state"), "Kitchen (k1) | temperature | 20 °C; ");
        assert_eq!(said("attic/state"), "Kitchen (k2) | temperature | 20 °C; ");
    }
}

#[test]
fn a_number_that_is_free_again_is_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let names = || {
        let said = said(&discovered, "kitchen/state", r#"{"t":20}"#).unwrap();
        said.replace("Kitchen | ", "").replace(" | 20 °C", "")
    };
    hear(&discovered, &["1/c", "2/c", "3/c", "4/c"].map(|topic| (topic, TEMPERATURE)));
    assert_eq!(names(), "temperature; c; c 2; c 3; ");
    hear(&discovered, &[("3/c", ""), ("5/c", TEMPERATURE), ("6/c", TEMPERATURE)]);
    assert_eq!(names(), "temperature; c; c 3; c 2; c 4; ");
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
    for (filters, is_named) in [
        (&["kitchen/#"][..], true),
        (&["+/state"], true),
        (&["+/#"], true),
        (&["attic/#"], false),
        (&["#"], false),
    ] {
        let discovered = open(dir.path(), filters);
        hear(&discovered, &[("k1", TEMPERATURE)]);
        assert_eq!(discovered.note("kitchen/state").is_none(), is_named, "{filters:?}");
        let standing = discovered.list().remove(0).standing;
        let is_shown = matches!(standing, Standing::Named { second: None, .. });
        assert_eq!(is_shown, is_named, "{standing:?}");
    }
}

#[test]
fn with_everything_a_config_adds_only_what_nobody_reads_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &["#"]);
    hear(&discovered, &[("k1", TEMPERATURE)]);
    let topic = "kitchen/state";
    for payload in [r#"{"t":21.5,"battery":3}"#, "21.5 °C", r#"{"t":"21.5","battery":3}"#] {
        let delivery = delivery(&discovered, topic, payload, false);
        let without = decode(topic, payload.as_bytes());
        let plans = Plans::of(&delivery).unwrap();
        assert!(plans.is_second());
        assert_eq!(plans.decode(&delivery.message), (without, false), "{payload}");
    }
    let said = |payload| said(&discovered, topic, payload).unwrap();
    assert_eq!(said(r#"{"t":"21.5"}"#), "Kitchen | temperature | 21.5 °C; ");
    assert_eq!(said(r#"{"t":"warm"}"#), "no_number; ");
    let standing = discovered.list().remove(0).standing;
    let second = Some(("temperature".to_owned(), "°C"));
    assert_eq!(standing, Standing::Named { topic: topic.into(), second });
    // Its own readings there are not somebody else's.
    let named = TEMPERATURE.replace("\"Kitchen\"", "\"kitchen/state\"").replace("dev_cla", "x");
    hear(&discovered, &[("k1", &named.replace("sensor", "x"))]);
    let before = discovered.list();
    for reading in decode(topic, br#"{"k1":21.5}"#) {
        discovered.meets(&reading.unwrap());
    }
    assert_eq!(discovered.list(), before);
}

#[test]
fn how_a_message_is_read_is_decided_when_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    hear(&discovered, &[("k1", TEMPERATURE)]);
    let waiting = delivery(&discovered, "kitchen/state", r#"{"t":21.5}"#, false);
    hear(&discovered, &[("k1", "")]);
    // Of what comes now nobody wants anything.
    assert!(discovered.note("kitchen/state").is_none());
    assert_eq!(told(&waiting).unwrap(), "Kitchen | temperature | 21.5 °C; ");
}

#[test]
fn a_message_says_its_time_and_its_key_as_plain_json_does() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let out = TEMPERATURE.replace("value_json.t ", "value_json.out ");
    hear(&discovered, &[("in", TEMPERATURE), ("out", &out)]);
    let topic = "kitchen/state";
    let reads = |payload, is_kept| told(&delivery(&discovered, topic, payload, is_kept)).unwrap();
    let payload = r#"{"t":20,"out":5,"time":"1970-01-01T00:00:01Z","boot":"b1","seq":7}"#;
    let both =
        "Kitchen | temperature | 20 °C at 1000000 b1#7; Kitchen | out | 5 °C at 1000000 b1#7; ";
    assert_eq!((reads(payload, false).as_str(), reads(payload, true).as_str()), (both, both));
    // It was not written for us: what cannot be read is not meant.
    for payload in [
        r#"{"t":20,"time":"12:30"}"#,
        r#"{"t":20,"time":12}"#,
        r#"{"t":20,"seq":7}"#,
        r#"{"t":20,"boot":"","seq":7}"#,
        r#"{"t":20,"boot":"b1","seq":-7}"#,
    ] {
        assert_eq!(reads(payload, false), "Kitchen | temperature | 20 °C; ", "{payload}");
        assert_eq!(reads(payload, true), "", "when it was measured is unknown");
    }
    let bee = TEMPERATURE.replace("kitchen/state", "zigbee2mqtt/bee").replace("k1", "k2");
    let plug = TEMPERATURE.replace("kitchen/state", "tele/plug/SENSOR").replace("k1", "k3");
    hear(&discovered, &[("bee", &bee), ("plug", &plug)]);
    let said = |topic: &str, payload: &str| said(&discovered, topic, payload).unwrap();
    assert_eq!(
        said("zigbee2mqtt/bee", r#"{"t":20,"last_seen":1000}"#),
        "Kitchen (k2) | temperature | 20 °C at 1000000; "
    );
    let plug = |time: &str| said("tele/plug/SENSOR", &format!(r#"{{"t":20,"Time":"{time}"}}"#));
    assert_eq!(
        plug("1970-01-01T01:00:01+01:00"),
        "Kitchen (k3) | temperature | 20 °C at 1000000; "
    );
    assert_eq!(plug("1970-01-01T01:00:01"), "Kitchen (k3) | temperature | 20 °C; ");
}

/// What is not read, with its word.
fn not_read(discovered: &Discovered) -> Vec<(String, &'static str)> {
    let codes = discovered.list().into_iter().filter_map(|shown| match shown.standing {
        Standing::NotRead { code, .. } => Some((shown.key, code)),
        _ => None,
    });
    codes.collect()
}

#[test]
fn sensors_that_are_too_many_for_one_topic_say_so_and_are_read_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let most = super::fate::PLANS_LEN_MAX;
    for number in 0..=most {
        hear(&discovered, &[(&format!("s{number}"), TEMPERATURE)]);
    }
    assert_eq!(not_read(&discovered), [(format!("s{most}"), "too_many")]);
    let counts = discovered.counts();
    assert_eq!((counts.sensors, counts.not_read), (most as u64, 1));
    // Of the others every one is read.
    let said = said(&discovered, "kitchen/state", r#"{"t":20}"#).unwrap();
    assert_eq!(said.matches("20 °C").count(), most);
    hear(&discovered, &[("s3", "")]);
    assert!(not_read(&discovered).is_empty());
    assert_eq!(discovered.counts().sensors, most as u64);
}

#[test]
fn one_identifier_is_one_thing() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let one = TEMPERATURE.replacen('{', r#"{"uniq_id":"u1","#, 1);
    let two = one.replace("value_json.t ", "value_json.out ");
    let switch = r#"{"cmd_t":"lamp/set","uniq_id":"u1"}"#;
    hear(&discovered, &[("a", &one), ("b", &two)]);
    assert!(discovered.heard("homeassistant/switch/c/config", switch.as_bytes()));
    let said = || said(&discovered, "kitchen/state", r#"{"t":20,"out":5}"#).unwrap();
    assert_eq!(not_read(&discovered), [("b".to_owned(), "unique_id")]);
    assert_eq!(said(), "Kitchen | temperature | 20 °C; ");
    // Said anew it is the same thing still.
    hear(&discovered, &[("a", &one.replace("°C", "°F"))]);
    assert_eq!(said(), "Kitchen | temperature | 20 °F; ");
    // Of those that wait the first one has it.
    hear(&discovered, &[("d", &two.replace("out", "t")), ("a", "")]);
    assert_eq!(said(), "Kitchen | temperature | 5 °C; ");
    assert_eq!(not_read(&discovered), [("d".to_owned(), "unique_id")]);
    let d = discovered.list().into_iter().find(|shown| shown.key == "d").unwrap().standing;
    assert!(
        matches!(&d, Standing::NotRead { reason, .. } if reason.contains("sensor/b/config")),
        "{d:?}"
    );
    // One that waits for nobody any more does not keep it from the next.
    hear(&discovered, &[("e", &two), ("d", ""), ("b", "")]);
    assert_eq!(said(), "Kitchen | temperature | 5 °C; ");
    assert!(not_read(&discovered).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_else_has_is_not_given() {
    let dir = tempfile::tempdir().unwrap();
    let message = r#"{"t":20}"#;
    let said = |discovered: &Discovered| said(discovered, "kitchen/state", message).unwrap();
    // Somebody has sent under that name.
    let known = [["Kitchen", "temperature", "Kitchen/temperature"]];
    let discovered = among(dir.path(), &[], &known);
    hear(&discovered, &[("k1", TEMPERATURE)]);
    assert_eq!(said(&discovered), "Kitchen (k1) | temperature | 20 °C; ");
    // It itself had.
    let discovered = among(dir.path(), &[], &[["Kitchen", "temperature", "kitchen/state"]]);
    hear(&discovered, &[("k1", TEMPERATURE)]);
    assert_eq!(said(&discovered), "Kitchen | temperature | 20 °C; ");
    // Somebody had sent something else under that name.
    let discovered = among(dir.path(), &[], &[["Kitchen", "pressure", "Kitchen/pressure"]]);
    hear(&discovered, &[("k1", TEMPERATURE)]);
    assert_eq!(said(&discovered), "Kitchen (k1) | temperature | 20 °C; ");
    // Gone and there again it is called as it was.
    let discovered = among(dir.path(), &[], &[["Kitchen", "temperature", "kitchen/state"]]);
    hear(&discovered, &[("k1", TEMPERATURE), ("k1", "")]);
    hear(&discovered, &[("k1", &TEMPERATURE.replace("kitchen/state", "kitchen/new"))]);
    assert_eq!(
        told(&delivery(&discovered, "kitchen/new", message, false)).unwrap(),
        "Kitchen | temperature | 20 °C; "
    );
    hear(&discovered, &[("k1", TEMPERATURE)]);
    // Somebody else of the same name begins to send.
    let humidity = TEMPERATURE.replace("\"temperature\"", "\"humidity\"").replace("°C", "%");
    hear(&discovered, &[("h", &humidity)]);
    let meets = |topic: &str| {
        for reading in decode(topic, b"20") {
            discovered.meets(&reading.unwrap());
        }
    };
    // Of another quantity it is another device all the same.
    let waiting = delivery(&discovered, "kitchen/state", message, false);
    meets("Kitchen/pressure");
    let both = "Kitchen (k1) | temperature | 20 °C; Kitchen (k1) | humidity | 20 %; ";
    assert_eq!(said(&discovered), both);
    // What came before and is read now has no name that is somebody else's, however often it was given up.
    assert_eq!(told(&waiting).unwrap(), both);
    meets("Kitchen (k1)/pressure");
    let both = both.replace("Kitchen (k1)", "Kitchen 2");
    assert_eq!((said(&discovered), told(&waiting).unwrap()), (both.clone(), both.clone()));
    kept(&discovered).await;
    assert_eq!(said(&open(dir.path(), &[])), both);
}

#[test]
fn what_gateways_say_themselves_is_nobodys_reading() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let own = TEMPERATURE.replacen('{', r#"{"o":{"name":"mtom"},"#, 1);
    hear(&discovered, &[("own", &own)]);
    assert!(discovered.list().is_empty() && discovered.note("kitchen/state").is_none());
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

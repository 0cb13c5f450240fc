//! Births, data and deaths in the order in which nodes and brokers bring them, and in none.

use super::questions::{PAUSE_MAX, PAUSE_MIN};
use super::{Found, Sparkplug, SparkplugCounts};
use crate::availability::Who;
use mtom_broker::intake::{Delivery, Message};
use mtom_protocol::payload::sparkplug::{
    BD_SEQ, BOOLEAN, Metric, Payload, PropertySet, PropertyValue, Value, property_value,
};
use mtom_protocol::time::UnixMicros;

mod limits;

const NOW: UnixMicros = UnixMicros(1_795_421_190_000_000);
const INT16: u32 = 2;
const INT64: u32 = 4;
const DOUBLE: u32 = 10;
const STRING: u32 = 12;

fn metric(name: &str, alias: u64, datatype: u32, value: Value) -> Metric {
    Metric {
        name: (!name.is_empty()).then(|| name.into()),
        alias: Some(alias),
        datatype: (datatype > 0).then_some(datatype),
        value: Some(value),
        ..Metric::default()
    }
}

fn session(number: u64) -> Metric {
    Metric { alias: None, ..metric(BD_SEQ, 0, INT64, Value::Long(number)) }
}

/// A message that was sent a second ago.
fn message(topic: &str, seq: Option<u64>, metrics: &[Metric]) -> Message {
    let timestamp = u64::try_from(NOW.millis()).ok().map(|now| now - 1_000);
    let payload = Payload { timestamp, metrics: metrics.to_vec(), seq };
    Message {
        topic: format!("spBv1.0/{topic}").into(),
        payload: payload.bytes().into(),
        retained_copy: false,
        properties: Vec::new(),
    }
}

/// What a message says, a line each.
fn lines(found: Found) -> Vec<String> {
    let said = found.said.into_iter().map(|(who, is_there)| {
        let word = if is_there { "there" } else { "gone" };
        match who {
            Who::Device(name) => format!("{name} {word}"),
            Who::Node(name) => format!("{name}/# {word}"),
            Who::Bridge(prefix) => format!("{prefix} {word}"),
        }
    });
    let outcomes = found.outcomes.into_iter().map(|outcome| match outcome {
        Ok(reading) => {
            let age =
                reading.taken_at.map_or("-".into(), |at| NOW.since(at).as_millis().to_string());
            let (device, quantity, value) = (reading.device, reading.quantity, reading.value);
            format!("{device} {quantity} {value} {} {age}", reading.unit.symbol())
        }
        Err(reason) => reason.to_string(),
    });
    said.chain(outcomes).collect()
}

/// The batch of one message, written.
fn read(all: &mut Sparkplug, message: &Message) -> Vec<String> {
    let found = all.read(message, NOW);
    all.keep();
    lines(found)
}

fn wanted(all: &mut Sparkplug) -> Vec<String> {
    all.wanted().iter().map(ToString::to_string).collect()
}

fn node_birth(bd_seq: u64) -> Message {
    let temperature = metric("Supply/Temperature", 1, DOUBLE, Value::Double(21.4));
    message("G/NBIRTH/E", Some(0), &[session(bd_seq), temperature])
}

fn device_birth(seq: u64) -> Message {
    let metrics = [
        metric("Level", 10, INT16, Value::Int(0xfffb)),
        metric("Door", 11, BOOLEAN, Value::Boolean(true)),
        metric("Serial", 12, STRING, Value::Text("A-1".into())),
        metric("Device Control/Reboot", 13, BOOLEAN, Value::Boolean(false)),
    ];
    message("G/DBIRTH/E/D", Some(seq), &metrics)
}

fn level(seq: u64, value: u32) -> Message {
    message("G/DDATA/E/D", Some(seq), &[metric("", 10, 0, Value::Int(value))])
}

const BORN_FIRST: &str =
    "Sparkplug: expected the birth that names this metric first; it was asked for";

#[test]
fn data_mean_what_the_births_have_named() {
    let mut all = Sparkplug::default();
    assert_eq!(
        read(&mut all, &node_birth(7)),
        ["G/E there", "G/E Supply/Temperature 21.4 °C 1000"]
    );
    assert_eq!(
        read(&mut all, &device_birth(1)),
        ["G/E/D there", "G/E/D Level -5  1000", "G/E/D Door 1  1000"]
    );
    assert_eq!(read(&mut all, &level(2, 7)), ["G/E/D Level 7  1000"]);
    let mut said = metric("", 1, 0, Value::Double(22.0));
    said.timestamp = u64::try_from(NOW.millis()).ok().map(|now| now - 250);
    let data = message("G/NDATA/E", Some(3), &[said]);
    assert_eq!(read(&mut all, &data), ["G/E Supply/Temperature 22 °C 250"], "its own time");
    let text = message("G/DDATA/E/D", Some(4), &[metric("", 12, 0, Value::Text("B".into()))]);
    assert_eq!(read(&mut all, &text), [""; 0]);
    let counts = SparkplugCounts { nodes: 1, births: 2, ..SparkplugCounts::default() };
    assert_eq!((all.counts(), wanted(&mut all)), (counts, vec![]));
}

#[test]
fn a_unit_of_the_birth_is_that_of_the_data() {
    let mut all = Sparkplug::default();
    let text = property_value::Value::Text("hPa".into());
    let value = PropertyValue { datatype: Some(STRING), value: Some(text) };
    let properties = PropertySet { keys: vec!["engUnit".into()], values: vec![value] };
    let pressure = metric("Pressure", 3, DOUBLE, Value::Double(1_013.0));
    let birth = Metric { properties: Some(properties), ..pressure };
    read(&mut all, &node_birth(0));
    read(&mut all, &message("G/DBIRTH/E/D", Some(1), &[birth]));
    let data = message("G/DDATA/E/D", Some(2), &[metric("", 3, 0, Value::Double(1_012.5))]);
    assert_eq!(read(&mut all, &data), ["G/E/D Pressure 1012.5 hPa 1000"]);
}

#[test]
fn a_node_that_was_born_before_is_asked_for_its_births_and_not_too_often() {
    let mut all = Sparkplug::default();
    assert_eq!(read(&mut all, &level(9, 7)), [BORN_FIRST]);
    assert_eq!(wanted(&mut all), ["G/E"]);
    assert_eq!(read(&mut all, &level(10, 7)), [BORN_FIRST]);
    assert_eq!(wanted(&mut all), [""; 0]);
    let later = NOW.saturating_add(PAUSE_MIN);
    lines(all.read(&level(11, 7), later));
    all.keep();
    assert_eq!((wanted(&mut all), all.counts().rebirths), (vec!["G/E".to_owned()], 2));
    // What says all of itself is read meanwhile.
    let whole = message("G/DDATA/E/D", Some(12), &[metric("Level", 10, INT16, Value::Int(8))]);
    assert_eq!(read(&mut all, &whole), ["G/E/D Level 8  1000"]);
    read(&mut all, &node_birth(1));
    read(&mut all, &device_birth(1));
    assert_eq!(read(&mut all, &level(2, 9)), ["G/E/D Level 9  1000"]);
}

#[test]
fn missing_messages_are_counted_and_the_births_asked_for() {
    let mut all = Sparkplug::default();
    read(&mut all, &node_birth(1));
    read(&mut all, &device_birth(1));
    assert_eq!(read(&mut all, &level(3, 7)), ["G/E/D Level 7  1000"], "it is read all the same");
    assert_eq!((all.counts().gaps, wanted(&mut all)), (1, vec!["G/E".to_owned()]));
    assert_eq!(read(&mut all, &level(3, 7)), ["G/E/D Level 7  1000"]);
    assert_eq!(all.counts().gaps, 1, "what comes again is not missing");
    for seq in (4..=255).chain([0, 1]) {
        read(&mut all, &level(seq, 7));
    }
    assert_eq!(all.counts().gaps, 1, "behind 255 comes 0");
}

#[test]
fn with_a_node_its_devices_have_gone_and_a_late_death_is_of_nobody() {
    let mut all = Sparkplug::default();
    read(&mut all, &node_birth(1));
    read(&mut all, &device_birth(1));
    assert_eq!(read(&mut all, &message("G/DDEATH/E/D", Some(2), &[])), ["G/E/D gone"]);
    read(&mut all, &device_birth(3));
    let death = |bd_seq| message("G/NDEATH/E", None, &[session(bd_seq)]);
    assert_eq!(read(&mut all, &death(0)), [""; 0], "another session's");
    assert_eq!(all.counts().deaths_stale, 1);
    assert_eq!(read(&mut all, &level(4, 7)), ["G/E/D Level 7  1000"]);
    assert_eq!(read(&mut all, &death(1)), ["G/E/# gone"]);
    assert_eq!(all.counts().nodes, 0);
    assert_eq!(read(&mut all, &level(5, 7)), [BORN_FIRST], "its numbers have gone with it");
    assert_eq!(
        read(&mut all, &node_birth(2)),
        ["G/E there", "G/E Supply/Temperature 21.4 °C 1000"]
    );
    // The death between these two was missed.
    assert_eq!(read(&mut all, &node_birth(3))[..2], ["G/E/# gone", "G/E there"]);
    assert_eq!(read(&mut Sparkplug::default(), &death(5)), ["G/E/# gone"], "nobody knew it");
}

#[test]
fn a_batch_that_was_not_written_is_read_again_as_it_was() {
    let mut all = Sparkplug::default();
    read(&mut all, &node_birth(1));
    read(&mut all, &device_birth(1));
    let other = message("G/DBIRTH/E/D", Some(3), &[metric("Other", 10, INT16, Value::Int(1))]);
    for _ in 0..3 {
        assert_eq!(lines(all.read(&level(2, 7), NOW)), ["G/E/D Level 7  1000"]);
        assert_eq!(lines(all.read(&other, NOW))[1..], ["G/E/D Other 1  1000"]);
        assert_eq!(all.counts().births, 3);
        all.undo();
        assert_eq!(all.counts().births, 2, "it is counted when it is written");
    }
    assert_eq!((all.counts().gaps, wanted(&mut all)), (0, vec![]));
    // Shown without a disk: what comes again is read from the births before it, what does not is kept.
    let awaited = |message: &Message| Delivery::awaited(message.clone()).0;
    let shown = |all: &mut Sparkplug, batch: &[Delivery]| {
        batch.iter().for_each(|delivery| drop(all.read(&delivery.message, NOW)));
        all.keep_what_comes_once(batch, NOW);
    };
    shown(&mut all, &[awaited(&other)]);
    assert_eq!(lines(all.read(&level(2, 7), NOW)), ["G/E/D Level 7  1000"]);
    all.undo();
    // A death that comes again, and the births behind it that do not.
    let death = message("G/NDEATH/E", None, &[session(1)]);
    let births = [node_birth(2), device_birth(1)].map(Delivery::unawaited);
    let [node, device] = births;
    shown(&mut all, &[awaited(&death), node, device]);
    assert_eq!(read(&mut all, &death), [""; 0], "of the session before");
    assert_eq!(read(&mut all, &level(2, 8)), ["G/E/D Level 8  1000"]);
}

#[test]
fn without_a_disk_a_node_is_asked_once_in_a_while_too() {
    let mut all = Sparkplug::default();
    for _ in 0..5 {
        all.read(&level(9, 7), NOW);
        all.undo();
        all.read(&level(9, 7), NOW);
        all.keep_what_comes_once(&[], NOW);
    }
    assert_eq!((wanted(&mut all), all.counts().rebirths), (vec!["G/E".to_owned()], 1));
}

#[test]
fn a_node_whose_births_cannot_be_taken_is_asked_ever_more_seldom() {
    let mut all = Sparkplug::default();
    let broken = Message { payload: b"23.4".as_slice().into(), ..device_birth(1) };
    let (mut now, mut asked) = (NOW, Vec::new());
    let mut since = 0;
    // As a node does that answers at once, and says its data each second.
    while asked.len() < 10 {
        all.read(&level(2, 7), now);
        if !all.wanted().is_empty() {
            asked.push(since);
            since = 0;
            lines(all.read(&node_birth(1), now));
            assert_eq!(lines(all.read(&broken, now)).len(), 1);
        }
        all.keep();
        now = now.saturating_add(std::time::Duration::from_secs(1));
        since += 1;
    }
    assert_eq!(asked, [0, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
    assert_eq!(PAUSE_MAX.as_secs(), 3_600);
    // Once they can be taken it is as any other.
    now = now.saturating_add(PAUSE_MAX);
    all.read(&level(2, 7), now);
    assert_eq!(wanted(&mut all), ["G/E"]);
    all.read(&node_birth(1), now);
    all.read(&device_birth(1), now);
    all.read(&message("G/NDEATH/E", None, &[session(1)]), now);
    now = now.saturating_add(PAUSE_MAX);
    all.read(&level(2, 7), now);
    assert_eq!(wanted(&mut all), ["G/E"]);
    all.read(&level(3, 7), now.saturating_add(PAUSE_MIN));
    assert_eq!(wanted(&mut all), ["G/E"]);
}

#[test]
fn a_device_that_is_not_born_again_with_its_node_has_gone() {
    let mut all = Sparkplug::default();
    read(&mut all, &node_birth(1));
    read(&mut all, &device_birth(1));
    let other = |seq| message("G/DBIRTH/E/F", Some(seq), &[]);
    read(&mut all, &other(2));
    assert_eq!(read(&mut all, &node_birth(1))[0], "G/E there", "the same session");
    assert_eq!(read(&mut all, &device_birth(1))[0], "G/E/D there");
    // A message is missing: its birth may be.
    assert_eq!(read(&mut all, &level(3, 7)), ["G/E/D Level 7  1000"]);
    assert_eq!(wanted(&mut all), ["G/E"]);
    read(&mut all, &node_birth(1));
    read(&mut all, &device_birth(1));
    assert_eq!(read(&mut all, &level(2, 7)), ["G/E/F gone", "G/E/D Level 7  1000"]);
    assert_eq!(read(&mut all, &level(3, 7)), ["G/E/D Level 7  1000"], "it is said once");
    assert_eq!(read(&mut all, &other(4)), ["G/E/F there"]);
}

#[test]
fn a_name_goes_before_a_number_and_a_number_of_two_is_none() {
    let mut all = Sparkplug::default();
    read(&mut all, &node_birth(1));
    let births = [
        metric("Level", 10, INT16, Value::Int(1)),
        metric("Other", 11, INT16, Value::Int(2)),
        metric("A", 12, INT16, Value::Int(3)),
        metric("B", 12, INT16, Value::Int(4)),
    ];
    read(&mut all, &message("G/DBIRTH/E/D", Some(1), &births));
    let mut said = |metrics: &[Metric]| read(&mut all, &message("G/DDATA/E/D", None, metrics));
    assert_eq!(said(&[metric("Level", 11, 0, Value::Int(5))]), ["G/E/D Level 5  1000"]);
    let empty = Metric { name: Some(Vec::new()), ..metric("", 11, 0, Value::Int(6)) };
    assert_eq!(said(&[empty]), ["G/E/D Other 6  1000"], "an empty name is none");
    assert_eq!(said(&[metric("", 12, 0, Value::Int(7))]), [BORN_FIRST]);
    assert_eq!(said(&[metric("B", 12, 0, Value::Int(8))]), ["G/E/D B 8  1000"]);
    let wrong = Metric { name: Some(vec![0xff]), alias: None, ..births[0].clone() };
    let quantity = "quantity: expected a text of 1 to 256 bytes without control characters";
    assert_eq!(said(&[wrong, births[0].clone()]), [quantity, "G/E/D Level 1  1000"]);
}

#[test]
fn what_is_bad_or_for_no_history_is_no_reading() {
    let mut all = Sparkplug::default();
    read(&mut all, &node_birth(1));
    let quality = |number| {
        let value = Some(property_value::Value::Int(number));
        let value = PropertyValue { datatype: Some(3), value };
        let properties = Some(PropertySet { keys: vec!["Quality".into()], values: vec![value] });
        Metric { properties, ..metric("Level", 10, INT16, Value::Int(number)) }
    };
    assert_eq!(read(&mut all, &message("G/DBIRTH/E/D", Some(1), &[quality(0)])), ["G/E/D there"]);
    let passing = Metric { is_transient: Some(true), ..quality(192) };
    let data = [quality(0), quality(500), passing, quality(192)];
    let data = message("G/DDATA/E/D", Some(2), &data);
    assert_eq!(read(&mut all, &data), ["G/E/D Level 192  1000"]);
}

#[test]
fn what_is_historical_has_its_own_time_or_none_at_all() {
    let mut all = Sparkplug::default();
    read(&mut all, &node_birth(1));
    read(&mut all, &device_birth(1));
    let mut past = metric("", 10, 0, Value::Int(3));
    past.is_historical = Some(true);
    let without = message("G/DDATA/E/D", Some(2), &[past.clone()]);
    assert_eq!(
        read(&mut all, &without),
        ["time cannot be read: expected RFC 3339 with a zone, as in 2026-11-23T08:06:30Z"]
    );
    past.timestamp = u64::try_from(NOW.millis()).ok().map(|now| now - 3_600_000);
    let dated = message("G/DDATA/E/D", Some(3), &[past]);
    let found = all.read(&dated, NOW);
    assert!(found.past.contains(&0) && found.past.len() == 1);
    assert_eq!(lines(found), ["G/E/D Level 3  3600000"]);
    assert!(all.read(&level(4, 7), NOW).past.is_empty());
}

#[test]
fn commands_hosts_and_kept_copies_are_nothing_and_what_is_wrong_is_said() {
    let mut all = Sparkplug::default();
    for topic in ["G/NCMD/E", "G/DCMD/E/D", "STATE/host"] {
        assert_eq!(read(&mut all, &message(topic, None, &[])), [""; 0], "{topic}");
    }
    let kept = Message { retained_copy: true, ..node_birth(1) };
    assert_eq!(read(&mut all, &kept), [""; 0]);
    let broken = Message { payload: b"23.4".as_slice().into(), ..node_birth(1) };
    assert_eq!(read(&mut all, &broken), ["Sparkplug: expected a Sparkplug B payload in protobuf"]);
    assert_eq!(read(&mut all, &message("G/NBIRTH/E/D", None, &[])).len(), 1);
    let mut named = metric(&"n".repeat(300), 5, INT16, Value::Int(1));
    named.alias = Some(5);
    let birth = message("G/DBIRTH/E/D", Some(1), &[named]);
    assert_eq!(read(&mut all, &birth), ["G/E/D there"], "a name that is too long measures nothing");
    let data = message("G/DDATA/E/D", Some(2), &[metric("", 5, 0, Value::Int(1))]);
    assert_eq!(read(&mut all, &data), [""; 0]);
    assert_eq!(all.counts().nodes, 0);
}

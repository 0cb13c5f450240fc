//! Births, data and deaths in the order in which nodes and brokers bring them, and in none.

use super::{Found, METRICS_MAX, NODES_LEN_MAX, REBIRTH_PERIOD, Sparkplug, SparkplugCounts};
use crate::availability::Who;
use mtom_broker::intake::Message;
use mtom_protocol::payload::sparkplug::{
    BD_SEQ, BOOLEAN, METRICS_LEN_MAX, Metric, Payload, PropertySet, PropertyValue, Value,
    property_value,
};
use mtom_protocol::time::UnixMicros;

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
    let found = all.read(message, false, NOW);
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
    let later = NOW.saturating_add(REBIRTH_PERIOD);
    lines(all.read(&level(11, 7), false, later));
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
        assert_eq!(lines(all.read(&level(2, 7), true, NOW)), ["G/E/D Level 7  1000"]);
        assert_eq!(lines(all.read(&other, true, NOW))[1..], ["G/E/D Other 1  1000"]);
        all.undo();
    }
    assert_eq!((all.counts().gaps, wanted(&mut all)), (0, vec![]));
    // Shown without a disk: what comes again is read from the births before it, what does not is kept.
    all.read(&other, true, NOW);
    all.keep_what_was_shown();
    assert_eq!(lines(all.read(&level(2, 7), true, NOW)), ["G/E/D Level 7  1000"]);
    all.undo();
    all.read(&level(2, 7), false, NOW);
    all.read(&other, false, NOW);
    all.keep_what_was_shown();
    assert_eq!(read(&mut all, &level(4, 8)), ["G/E/D Other 8  1000"]);
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
    assert_eq!(read(&mut all, &dated), ["G/E/D Level 3  3600000"]);
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

#[test]
fn no_more_is_remembered_than_there_is_room_for() {
    let mut all = Sparkplug::default();
    let birth = |node: usize, count: usize| {
        let name = |number| format!("m{number}");
        let metric = |number: usize| metric(&name(number), number as u64, STRING, Value::Int(0));
        let metrics: Vec<_> = (0..count).map(metric).collect();
        message(&format!("G/NBIRTH/{node}"), Some(0), &metrics)
    };
    for node in 0..NODES_LEN_MAX {
        assert_eq!(read(&mut all, &birth(node, 1)).len(), 1);
    }
    assert_eq!(
        read(&mut all, &birth(NODES_LEN_MAX, 1)),
        ["Sparkplug: expected at most 1000 nodes"]
    );
    assert_eq!(all.counts().refused, 1);
    read(&mut all, &message("G/NDEATH/7", None, &[]));
    assert_eq!(read(&mut all, &birth(NODES_LEN_MAX, 1)).len(), 1, "one had gone");
    let many = METRICS_MAX / METRICS_LEN_MAX + 1;
    let refused = (0..many).filter(|node| {
        let said = read(&mut all, &birth(node + 10, METRICS_LEN_MAX));
        said[0].contains("200000 in all")
    });
    assert_eq!(refused.count(), 1);
    // The same birth again takes no more room.
    assert_eq!(read(&mut all, &birth(10, METRICS_LEN_MAX)), ["G/10 there"]);
}

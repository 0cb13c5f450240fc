//! Payloads: whatever is published on whatever topic becomes a bounded number of readings and reasons, without
//! a panic; each reading could have been measured, and the same message says the same again.
//!
//! The first line is the topic, the second are user properties as `name=value` with commas between them, and
//! what follows is the payload: text, JSON, SenML, line protocol, what another system says, or Sparkplug B. Where the
//! topic is one of a config for Home Assistant the payload is that, and the second line is a message of its sensors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mtom_protocol::discovery::template::{Payload as Message, Template};
use mtom_protocol::discovery::{self, COMPONENTS_LEN_MAX, Meaning};
use mtom_protocol::payload::sparkplug::{self, Kind, METRICS_LEN_MAX, Payload, Place, Speaker};
use mtom_protocol::payload::{
    NotAReading, Own, READINGS_LEN_MAX, TOPIC_LEN_MAX, Whose, availability, availability_filters,
    decode, describe,
};
use mtom_protocol::reading::Reading;
use mtom_protocol::topic::check_filter;

/// A message that says more numbers may be answered with one reason for all of them.
const OUTCOMES_LEN_MAX: usize = READINGS_LEN_MAX + 1;
const BOOT_LEN_MAX: usize = 64;
const CODE_LEN_MAX: usize = 20;
const REASON_LEN_MAX: usize = 200;

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (Ok(topic), Ok(properties)) = (std::str::from_utf8(line()), std::str::from_utf8(line()))
    else {
        return;
    };
    let payload = line();
    there(topic, payload);
    node(topic, payload);
    told_to_home_assistant(topic, properties, payload);
    let found = decode(topic, payload);
    assert_eq!(found, decode(topic, payload), "the same message says the same again");
    assert!(found.len() <= OUTCOMES_LEN_MAX, "{} outcomes", found.len());
    for outcome in &found {
        match outcome {
            Ok(reading) => {
                check(reading, topic);
                beside(reading.clone(), topic, properties);
            }
            Err(reason) => named(reason),
        }
    }
});

fn check(reading: &Reading, topic: &str) {
    let Reading { device, quantity, value, unit, key, .. } = reading;
    assert_eq!(&*reading.topic, topic);
    let (min, max) = unit.range();
    assert!(value.is_finite() && (min..=max).contains(value), "{value} {unit:?}");
    for name in [device, quantity] {
        assert!((1..=TOPIC_LEN_MAX).contains(&name.len()), "{name:?}");
        assert!(!name.chars().any(char::is_control), "{name:?}");
    }
    if let Some(key) = key {
        assert!((1..=BOOT_LEN_MAX).contains(&key.boot.len()), "{key:?}");
    }
    assert!(reading.celsius().is_none_or(f64::is_finite));
}

/// Who says that it is there is named as a device is; the filters for that are filters.
fn there(topic: &str, payload: &[u8]) {
    if let Some(said) = availability(topic, payload)
        && let Whose::Device(name) = said.whose
    {
        assert!((1..=TOPIC_LEN_MAX).contains(&name.len()) && topic.contains(name));
    }
    for filter in availability_filters(&[topic.to_owned()]) {
        assert_eq!(check_filter(&filter), Ok(()), "{filter:?}");
    }
}

/// A config leads to a bounded number of things, and whatever their sensors find in a message could have been measured
/// or is refused. A template means the same twice.
fn told_to_home_assistant(topic: &str, message: &str, config: &[u8]) {
    let Some(place) = discovery::place("homeassistant", topic) else { return };
    let payload = Message::new(message);
    let own = payload.object().map(|object| Own::of(topic, object)).unwrap_or_default();
    if let Some(template) = std::str::from_utf8(config).ok().and_then(Template::parse) {
        // By what is shown: one that is not a number is not itself.
        let found = || format!("{:?}", template.find(&payload));
        assert_eq!(found(), found());
    }
    let Ok(config) = discovery::read(&place, config) else { return };
    assert!(config.components.len() <= COMPONENTS_LEN_MAX);
    for component in &config.components {
        match &component.meaning {
            Ok(Meaning::Sensor(sensor)) => {
                let names = (&topic.into(), &"a".into(), &"b".into());
                let said = sensor
                    .state(&payload)
                    .map(|state| state.and_then(|(number, unit)| own.reading(names, number, unit)));
                match said {
                    Some(Ok(reading)) => check(&reading, topic),
                    Some(Err(reason)) => named(&reason),
                    None => {}
                }
            }
            Ok(Meaning::Switch(switch)) => assert!(switch.link().starts_with("mqtt:")),
            Ok(Meaning::Other) => {}
            Err(reason) => assert!((1..=CODE_LEN_MAX).contains(&reason.code().len())),
        }
    }
}

/// Sparkplug: what is read means the same when written, and whatever type a metric is said to be, its number could
/// have been measured or is refused.
fn node(topic: &str, payload: &[u8]) {
    let place = sparkplug::place(topic).ok().flatten();
    if let Some(place) = place {
        assert_eq!(place.topic(), topic);
    }
    // Bytes mean the same on whatever topic: most are found on none of theirs.
    let place = place.unwrap_or(Place { group: "a", kind: Kind::Data, node: "b", device: None });
    let mut speaker = Speaker::new(place);
    let payload = match Payload::read(payload) {
        Ok(payload) => payload,
        Err(reason) => return named(&reason),
    };
    assert!(payload.metrics.len() <= METRICS_LEN_MAX);
    // Bytes, for what is no number is not itself.
    let bytes = payload.bytes();
    assert_eq!(Payload::read(&bytes).expect("what was written is read").bytes(), bytes);
    let _ = payload.bd_seq();
    for metric in &payload.metrics {
        let name = metric.called().unwrap_or("a");
        let unit = metric.unit(name);
        let taken_at = metric.timestamp.and_then(sparkplug::time);
        for number in (0..=35).filter_map(|datatype| metric.number(datatype)) {
            match number.and_then(|number| speaker.reading((name, number, unit), taken_at)) {
                Ok(reading) => check(&reading, &place.topic()),
                Err(reason) => named(&reason),
            }
        }
    }
}

/// What stands beside the payload adds a time and a key, and changes nothing else.
fn beside(before: Reading, topic: &str, properties: &str) {
    let mut reading = before.clone();
    let pairs = properties.split(',').filter_map(|pair| pair.split_once('='));
    match describe(&mut reading, pairs) {
        Ok(()) => check(&reading, topic),
        Err(reason) => return named(&reason),
    }
    assert!(before.taken_at.is_none() || reading.taken_at == before.taken_at);
    assert!(before.key.is_none() || reading.key == before.key);
    let reading = Reading { taken_at: before.taken_at, key: before.key.clone(), ..reading };
    assert_eq!(reading, before);
}

/// A reason is one line for people, and one word for counting.
fn named(reason: &NotAReading) {
    let (code, text) = (reason.code(), reason.to_string());
    assert!((1..=CODE_LEN_MAX).contains(&code.len()));
    assert!((1..=REASON_LEN_MAX).contains(&text.len()), "{text}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

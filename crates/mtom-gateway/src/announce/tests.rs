//! Names and configs, what is ours on a broker, and what becomes of a broker that goes away.

use super::config::{self, Series};
use super::names::{Names, is_ours, slug};
use super::obey::{Servant, WORD_AGE_MAX};
use super::{Ears, noted::Noted};
use crate::control::Control;
use crate::view::View;
use mtom_protocol::payload::reading;
use mtom_protocol::unit::Unit;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

mod broker;

const ID: &str = "mtom-1a2b3c4d";

#[test]
fn only_what_gateways_say_is_ours() {
    for (topic, expected) in [
        ("mtom/mtom-1a2b3c4d/gateway", true),
        ("mtom/mtom-1a2b3c4d/reading/Environ/Temperature", true),
        ("mtom/mtom-ffffffff/actuator/LED/state", true),
        ("homeassistant/device/mtom-1a2b3c4d_d_Environ/config", true),
        ("mtom/mtom-1a2b3c4d/temperature", false),
        ("mtom/mtom-1a2b3c4d", false),
        ("mtom/mtom-kitchen0/reading/x", false),
        ("mtom/mtom-1a2b3c4é/reading/x", false),
        ("mtom/kitchen/reading/x", false),
        ("homeassistant/device/mtom-kitchen/config", false),
        ("homeassistant/sensor/attic/state", false),
        ("mtom/é", false),
    ] {
        assert_eq!(is_ours("homeassistant", topic), expected, "{topic}");
    }
    let names = Names::new("homeassistant", ID);
    for topic in [
        names.gateway(),
        names.series("a/b", "c"),
        names.actuator_set("é"),
        names.config_of_gateway(),
        names.config_of_device("Küche"),
    ] {
        assert!(is_ours("homeassistant", &topic), "{topic}");
    }
}

#[test]
fn a_name_in_a_topic_is_plain_and_tells_two_names_apart() {
    assert_eq!(slug("TEMP_LED"), "TEMP_LED");
    let odd =
        ["", "a b", "a/b", "a.b", "温度", "湿度", "#", "+", &"x".repeat(100), &"x".repeat(101)];
    let mut names: Vec<_> = odd.iter().map(ToString::to_string).collect();
    // Who is called as another one's slug.
    names.extend(odd.iter().map(|name| slug(name)));
    let slugs: BTreeSet<_> = names.iter().map(|name| slug(name)).collect();
    assert_eq!(slugs.len(), names.len());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    assert!(slugs.iter().all(|slug| slug.len() <= 80 && slug.chars().all(is_plain)), "{slugs:?}");
}

#[test]
fn no_two_series_have_one_id_and_plain_ones_have_it_of_their_names() {
    let names = Names::new("homeassistant", ID);
    assert_eq!(names.series_id("Environ", "Temperature"), format!("{ID}_d_Environ_Temperature"));
    assert_eq!(names.series_id("a_b", "c"), format!("{ID}_d_a_b_c"));
    let parts = ["a", "a_b", "b_c", "c", "a_b_c", "a b", &slug("a b"), "ä"];
    let all = parts.iter().flat_map(|device| parts.iter().map(move |quantity| (device, quantity)));
    let ids: BTreeSet<_> =
        all.map(|(device, quantity)| names.series_id(device, quantity)).collect();
    assert_eq!(ids.len(), parts.len() * parts.len());
}

#[test]
fn a_device_is_told_with_all_of_its_series() {
    let names = Names::new("homeassistant", ID);
    let series: Vec<_> = [
        ("attic", "co2", 612.0, Unit::PartsPerMillion),
        ("attic", "humidity", 55.0, Unit::Percent),
        ("attic", "linkquality", 97.0, Unit::None),
        ("kitchen/floor", "BME280.Temperature", 70.0, Unit::Fahrenheit),
    ]
    .map(|(device, quantity, value, unit)| {
        Series::of(&reading("t", device, quantity, value, unit).unwrap())
    })
    .into();
    let configs = config::all(&names, &series, &[], Duration::from_secs(60));
    let shown: Vec<_> = configs[1..]
        .iter()
        .map(|config| {
            let topic = &config.topic;
            let config: Value = serde_json::from_slice(&config.payload).unwrap();
            let components = config["cmps"].as_object().unwrap().values();
            let components = components.map(|one| {
                ["name", "unit_of_measurement", "device_class", "state_topic"]
                    .map(|key| one[key].as_str().unwrap_or("-"))
                    .join(" ")
            });
            (topic.as_str(), components.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                "homeassistant/device/mtom-1a2b3c4d_d_attic/config",
                vec![
                    "co2 ppm carbon_dioxide mtom/mtom-1a2b3c4d/reading/attic/co2".to_owned(),
                    "humidity % humidity mtom/mtom-1a2b3c4d/reading/attic/humidity".to_owned(),
                    "linkquality - - mtom/mtom-1a2b3c4d/reading/attic/linkquality".to_owned(),
                ]
            ),
            (
                &format!("homeassistant/device/mtom-1a2b3c4d_d_{}/config", slug("kitchen/floor")),
                vec![format!(
                    "BME280.Temperature °F temperature {}",
                    names.series("kitchen/floor", "BME280.Temperature")
                )]
            ),
        ]
    );
}

#[test]
fn every_config_has_what_home_assistant_insists_on() {
    let names = Names::new("homeassistant", ID);
    let series = [Series::of(&reading("t", "a", "b", 1.0, Unit::Volt).unwrap())];
    let configs = config::all(&names, &series, &["LED".into()], Duration::from_secs(60));
    let mut ids = BTreeSet::new();
    for config::Config { topic, payload, .. } in configs {
        let config: Value = serde_json::from_slice(&payload).unwrap();
        assert!(config["dev"]["ids"].is_array() && config["dev"]["name"].is_string(), "{topic}");
        assert_eq!(config["o"]["name"], "mtom");
        for component in config["cmps"].as_object().unwrap().values() {
            assert!(component["p"].is_string() && component["default_entity_id"].is_string());
            assert!(component.get("object_id").is_none());
            assert!(ids.insert(component["unique_id"].as_str().unwrap().to_owned()), "{component}");
            assert_eq!(component["p"] == "sensor", component["expire_after"] == 60);
        }
    }
}

#[tokio::test]
async fn commands_are_bounded_and_those_that_were_kept_are_not_obeyed() {
    let (ears, mut words, again) = Ears::new("homeassistant", ID, true);
    let set = format!("mtom/{ID}/actuator/LED/set");
    assert!(ears.heard(&set, b"ON", true));
    assert!(ears.heard(&set, b"perhaps", false));
    for _ in 0..100 {
        assert!(ears.heard(&set, b"OFF", false));
    }
    let mut count = 0;
    while let Ok(Some(word)) = tokio::time::timeout(Duration::ZERO, words.next()).await {
        assert_eq!(
            (word.actuator.as_str(), word.led),
            ("LED", Some(mtom_protocol::link::Led::Off))
        );
        count += 1;
    }
    assert_eq!(count, super::ears::WORDS_LEN);
    // Kept, no command, and what found no place.
    assert_eq!(ears.talk().standing().refused, 2 + 100 - super::ears::WORDS_LEN as u64);
    assert!(ears.heard("homeassistant/status", b"online", false));
    again.notified().await;
    assert_eq!(ears.talk().standing().is_there, Some(true));
    for (topic, payload) in [
        ("homeassistant/status", &b"23.4"[..]),
        ("mtom/mtom-ffffffff/actuator/LED/set", b"ON"),
        ("mtom/kitchen/set", b"ON"),
    ] {
        assert!(!ears.heard(topic, payload, false), "{topic}");
    }
    let (deaf, _, _) = Ears::new("homeassistant", ID, false);
    assert!(!deaf.heard(&set, b"ON", false) && deaf.filters().is_empty() && deaf.will().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_word_that_has_waited_is_not_done_and_one_for_nobody_neither() {
    let (ears, words, _) = Ears::new("homeassistant", ID, true);
    let (control, mut requests) = Control::new(Arc::new(|_| Ok(Vec::new())));
    let (names, talk) = (Names::new("homeassistant", ID), ears.talk().clone());
    let view = View::default();
    view.actuator(broker::actuator("LED"));
    assert!(ears.heard(&names.actuator_set("LED"), b"ON", false));
    tokio::time::advance(WORD_AGE_MAX + Duration::from_secs(1)).await;
    assert!(ears.heard(&names.actuator_set("nobody"), b"ON", false));
    let servant = Servant::new(words, names, view, control, talk.clone());
    let served = tokio::time::timeout(Duration::from_secs(1), servant.run()).await;
    assert!(served.is_err() && requests.try_recv().is_err());
    assert_eq!(talk.standing().refused, 2);
}

#[tokio::test]
async fn only_topics_of_ours_are_ever_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut noted = Noted::open(dir.path());
    noted.add("homeassistant/device/mtom-1a2b3c4d/config");
    noted.add("mtom/mtom-1a2b3c4d/gateway");
    noted.write().await;
    let path = dir.path().join("announced");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}Environ/Temperature\nhomeassistant/sensor/a/config\n#\n"))
        .unwrap();
    let topics: Vec<_> = Noted::open(dir.path()).iter().cloned().collect();
    assert_eq!(topics, text.lines().collect::<Vec<_>>());
}

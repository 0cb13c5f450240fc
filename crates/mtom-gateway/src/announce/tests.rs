//! Names and configs, what is ours on a broker, and what becomes of a broker that goes away.

use super::config::{self, Series};
use super::left::leave;
use super::names::{Names, Ours, slug};
use super::obey::{Servant, WORD_AGE_MAX};
use super::sheet::{BARE_LEN_MAX, DEVICE_LEN_MAX, SERIES_LEN_MAX, Sheet};
use super::talk::{WARNINGS_MAX, WARNINGS_PERIOD};
use super::{Ears, noted::Noted};
use crate::control::Control;
use crate::view::View;
use mtom_broker::intake::Manner;
use mtom_protocol::payload::reading;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

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
        assert_eq!(Ours::new("homeassistant", ID).is(topic), expected, "{topic}");
    }
    let names = Names::new("homeassistant", ID);
    for topic in [
        names.gateway(),
        names.series("a/b", "c"),
        names.actuator_set("é"),
        names.config_of_gateway(),
        names.config_of_device("Küche", 1),
    ] {
        assert!(Ours::new("homeassistant", ID).is(&topic), "{topic}");
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
        Series::of(&reading("t", device, quantity, value, unit).unwrap(), 0)
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
    let series = [Series::of(&reading("t", "a", "b", 1.0, Unit::Volt).unwrap(), 0)];
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
    assert!(ears.heard(&set, b"ON", Manner::Copy));
    assert!(ears.heard(&set, b"perhaps", Manner::Now));
    for _ in 0..100 {
        assert!(ears.heard(&set, b"OFF", Manner::Now));
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
    assert!(ears.heard(&set, b"ON", Manner::ToKeep) && ears.heard(&set, b"ON", Manner::Will));
    // Kept ones, no command, a will, and what found no place.
    assert_eq!(ears.talk().standing().refused, 4 + 100 - super::ears::WORDS_LEN as u64);
    assert!(ears.heard("homeassistant/status", b"online", Manner::Now));
    again.started.notified().await;
    assert_eq!(ears.talk().standing().is_there, Some(true));
    for (topic, payload) in [
        ("homeassistant/status", &b"23.4"[..]),
        ("mtom/mtom-ffffffff/actuator/LED/set", b"ON"),
        ("mtom/kitchen/set", b"ON"),
    ] {
        assert!(!ears.heard(topic, payload, Manner::Now), "{topic}");
    }
    let (deaf, _, _) = Ears::new("homeassistant", ID, false);
    assert!(
        !deaf.heard(&set, b"ON", Manner::Now) && deaf.filters().is_empty() && deaf.will().is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn a_word_that_has_waited_is_not_done_and_one_for_nobody_neither() {
    let (ears, words, _) = Ears::new("homeassistant", ID, true);
    let (control, mut requests) = Control::new(Arc::new(|_| Ok(Vec::new())));
    let (names, talk) = (Names::new("homeassistant", ID), ears.talk().clone());
    let view = View::default();
    view.actuator(broker::actuator("LED"));
    assert!(ears.heard(&names.actuator_set("LED"), b"ON", Manner::Now));
    tokio::time::advance(WORD_AGE_MAX + Duration::from_secs(1)).await;
    assert!(ears.heard(&names.actuator_set("nobody"), b"ON", Manner::Now));
    let servant = Servant::new(words, names, view, control, talk.clone());
    let served = tokio::time::timeout(Duration::from_secs(1), servant.run()).await;
    assert!(served.is_err() && requests.try_recv().is_err());
    assert_eq!(talk.standing().refused, 2);
}

#[tokio::test]
async fn only_topics_of_ours_are_ever_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let open = |broker: &str| Noted::open(dir.path(), ID, broker);
    let (mut noted, before) = open("mqtt://a:1883");
    assert_eq!(before, None);
    noted.add("homeassistant/device/mtom-1a2b3c4d/config");
    noted.add("mtom/mtom-1a2b3c4d/gateway");
    noted.write().await;
    let path = dir.path().join("announced");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}Environ/Temperature\nhomeassistant/sensor/a/config\n#\n"))
        .unwrap();
    let ours: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
    // At the broker of now, too, which may be the same one under another name.
    for (broker, before) in [
        ("mqtt://a:1883", None),
        ("mqtt://b:1883", Some("mqtt://a:1883")),
        ("mqtt://b:1883", None),
        ("", Some("mqtt://b:1883")),
        // Our own keeps nothing.
        ("mqtt://a:1883", None),
    ] {
        let (mut noted, found) = open(broker);
        assert_eq!(noted.topics().iter().cloned().collect::<Vec<_>>(), ours, "{broker}");
        assert_eq!(found.as_deref(), before, "{broker}");
        noted.write().await;
    }
}

#[test]
fn what_the_broker_of_before_keeps_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let topics = ["mtom/mtom-1a2b3c4d/gateway", "homeassistant/device/mtom-1a2b3c4d/config"];
    let topics = topics.map(str::to_owned).into_iter().collect();
    let left = leave(dir.path(), "mqtt://old:1883".into(), &topics);
    assert_eq!((left.broker.as_str(), left.topics), ("mqtt://old:1883", 2));
    let text = std::fs::read_to_string(dir.path().join("announced-before")).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), Vec::from_iter(&topics));
}

#[tokio::test]
async fn a_quantity_without_readings_is_told_on_while_its_device_has_others() {
    let dir = tempfile::tempdir().unwrap();
    let names = Names::new("homeassistant", ID);
    let stored = |device: &str, quantity: &str| {
        let reading = reading("t", device, quantity, 1.0, Unit::Volt).unwrap();
        let at = UnixMicros(0);
        Arc::new(StoredReading { id: 1, at, arrived_at: at, suspect: false, reading })
    };
    let start = |latest: &[(&str, &str)], device: &str| {
        let ((mut noted, _), mut sheet) = (Noted::open(dir.path(), ID, ""), Sheet::default());
        sheet.remember(noted.series().clone());
        let mut latest: Vec<_> = latest.iter().map(|(of, one)| stored(of, one)).collect();
        sheet.choose(&mut latest, UnixMicros(0), |_| true);
        let wanted = sheet.wanted(&names, (&latest, &[]), Duration::from_secs(60), Instant::now());
        noted.tells(sheet.remembered());
        let said = wanted.get(&names.config_of_device(device, 0)).map(|config| {
            let config: Value = serde_json::from_slice(config).unwrap();
            config["cmps"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        });
        (noted, said)
    };
    let both = Some(vec!["a".to_owned(), "b".to_owned()]);
    for (latest, device, expected) in [
        (vec![("attic", "a"), ("attic", "b")], "attic", both.clone()),
        (vec![("attic", "b")], "attic", both.clone()),
        // Nothing of it is left: the broker keeps what it has been told.
        (vec![("cellar", "c")], "attic", None),
        (vec![("attic", "a"), ("cellar", "c")], "attic", both.clone()),
        (vec![("attic", "b"), ("attic", "a")], "attic", both),
    ] {
        let (mut noted, said) = start(&latest, device);
        noted.write().await;
        assert_eq!(said, expected, "{latest:?}");
    }
}

#[test]
fn a_device_that_names_its_quantities_anew_each_time_keeps_few_of_those_of_before() {
    let mut sheet = Sheet::default();
    let name = |number: usize| ("attic".into(), format!("q{number}").into());
    sheet.remember((0..500).map(|number| (name(number), Unit::Volt)).collect());
    let reading = reading("t", "attic", "now", 1.0, Unit::Volt).unwrap();
    let at = UnixMicros(0);
    let mut latest =
        vec![Arc::new(StoredReading { id: 1, at, arrived_at: at, suspect: false, reading })];
    sheet.choose(&mut latest, at, |_| true);
    let names = Names::new("homeassistant", ID);
    sheet.wanted(&names, (&latest, &[]), Duration::from_secs(60), Instant::now());
    assert_eq!(sheet.remembered().len(), BARE_LEN_MAX + 1);
}

#[test]
fn what_home_assistant_knows_things_by_stays_as_it_is() {
    let names = Names::new("homeassistant", ID);
    let cases = [
        ("Environ", "Temperature", "Environ_Temperature"),
        ("attic", "carbon_dioxide", "attic.carbon_dioxide"),
        ("a b", "co2", "a_b_c8687a08aa5d6ed2_co2"),
    ];
    for (device, quantity, id) in cases {
        assert_eq!(names.series_id(device, quantity), format!("{ID}_d_{id}"));
    }
    let topics = [names.config_of_device("Environ", 0), names.config_of_device("Environ", 1)];
    let expected = ["d_Environ", "d2_Environ"];
    let expected = expected.map(|rest| format!("homeassistant/device/{ID}_{rest}/config"));
    assert_eq!(topics, expected);
}

#[test]
fn a_name_that_a_person_gave_is_ours_too() {
    let names = Names::new("homeassistant", "house1");
    let ours = Ours::new("homeassistant", "house1");
    let all = [names.gateway(), names.series("a", "b"), names.config_of_device("a", 1)];
    for topic in all.iter().chain([&names.config_of_gateway()]) {
        assert!(ours.is(topic), "{topic}");
    }
    assert!(!ours.is("mtom/house12/reading/a/b") && !ours.is("mtom/house1/temperature"));
}

#[test]
fn a_flood_takes_no_place_of_a_device_that_is_known_and_a_config_stays_short() {
    let readings = |device: &str, count: usize| {
        let device = device.to_owned();
        (0..count).map(move |number| {
            let quantity = format!("q{number:04}");
            let reading = reading("t", &device, &quantity, 1.0, Unit::Volt).unwrap();
            let at = UnixMicros(0);
            Arc::new(StoredReading { id: 1, at, arrived_at: at, suspect: false, reading })
        })
    };
    let flood = ["a1", "a2", "a3"].into_iter().flat_map(|device| readings(device, 1_500));
    let mut latest: Vec<_> = flood.chain(readings("attic", 120)).collect();
    let mut sheet = Sheet::default();
    assert!(sheet.choose(&mut latest, UnixMicros(0), |device| device == "attic"));
    let of = |device: &str| latest.iter().filter(|one| &*one.reading.device == device).count();
    assert_eq!((of("attic"), of("a1"), latest.len()), (120, DEVICE_LEN_MAX, SERIES_LEN_MAX));
    let names = Names::new("homeassistant", ID);
    let wanted = sheet.wanted(&names, (&latest, &[]), Duration::from_secs(60), Instant::now());
    let parts = (0..3).map(|part| &wanted[&names.config_of_device("attic", part)]);
    let sensors = parts.map(|config| {
        let config: Value = serde_json::from_slice(config).unwrap();
        config["cmps"].as_object().unwrap().len()
    });
    assert_eq!(sensors.collect::<Vec<_>>(), [50, 50, 20]);
    assert!(wanted.values().all(|config| config.len() < 64 * 1024));
}

#[tokio::test(start_paused = true)]
async fn a_new_sensor_waits_for_what_comes_with_it() {
    let stored = |quantity: &str| {
        let reading = reading("t", "attic", quantity, 1.0, Unit::Volt).unwrap();
        let at = UnixMicros(0);
        Arc::new(StoredReading { id: 1, at, arrived_at: at, suspect: false, reading })
    };
    let (names, mut sheet) = (Names::new("homeassistant", ID), Sheet::default());
    let mut sensors = |quantities: &[&str]| {
        let mut latest: Vec<_> = quantities.iter().map(|quantity| stored(quantity)).collect();
        sheet.choose(&mut latest, UnixMicros(0), |_| false);
        let wanted = sheet.wanted(&names, (&latest, &[]), Duration::from_secs(60), Instant::now());
        wanted.get(&names.config_of_device("attic", 0)).map(|config| {
            let config: Value = serde_json::from_slice(config).unwrap();
            config["cmps"].as_object().unwrap().len()
        })
    };
    assert_eq!(sensors(&[]), None);
    assert_eq!(sensors(&["humidity"]), None);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(sensors(&["humidity", "temperature"]), None);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(sensors(&["humidity", "temperature"]), Some(2));
}

#[test]
fn the_log_takes_so_many_lines_of_what_anybody_can_cause() {
    let (talk, now) = (super::Talk::default(), Instant::now());
    let said = (0..100).filter(|_| talk.may_warn(now).is_some()).count();
    assert_eq!(said, WARNINGS_MAX as usize);
    assert_eq!(talk.may_warn(now + WARNINGS_PERIOD), Some(100 - u64::from(WARNINGS_MAX)));
}

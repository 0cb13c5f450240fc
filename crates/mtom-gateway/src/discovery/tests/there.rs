//! Devices that say whether they are there, what outlives a crash, and what is bounded.

use super::{NEWEST, TEMPERATURE, delivery, hear, kept, open};
use crate::availability::Who;
use crate::discovery::{Discovered, Of, Plans, file};
use mtom_protocol::payload::decode;
use mtom_protocol::time::UnixMicros;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Who says with a message whether it is there.
fn heard(discovered: &Discovered, topic: &str, payload: &str) -> Vec<(String, bool)> {
    let delivery = delivery(discovered, topic, payload, true);
    let heard = Plans::of(&delivery).unwrap().heard(&delivery.message, 0).into_iter();
    heard
        .map(|one| match one.who {
            Who::Device(name) => (name.to_string(), one.is_available),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_device_says_whether_it_is_there_as_its_config_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &["#"]);
    let lwt = TEMPERATURE.replacen(
        '{',
        r#"{"avty_t":"kitchen/up","pl_avail":"yes","pl_not_avail":0,"#,
        1,
    );
    hear(&discovered, &[("a", &lwt)]);
    assert!(discovered.note("kitchen/up").is_none(), "its readings are not by its config");
    let discovered = open(dir.path(), &["kitchen/up"]);
    let other = lwt.replace("\"temperature\"", "\"humidity\"");
    hear(&discovered, &[("a", &lwt), ("b", &other)]);
    let kitchen = |is_available| vec![("Kitchen".to_owned(), is_available)];
    for (word, expected) in
        [("yes", kitchen(true)), ("0", kitchen(false)), ("online", vec![]), ("", vec![])]
    {
        assert_eq!(heard(&discovered, "kitchen/up", word), expected, "{word}");
    }
    // What the topic says else is as it always was.
    let delivery = delivery(&discovered, "kitchen/up", "23.4 °C", false);
    let (found, _) = Plans::of(&delivery).unwrap().decode(&delivery.message);
    assert_eq!(found, decode("kitchen/up", "23.4 °C".as_bytes()));
    hear(&discovered, &[("a", ""), ("b", "")]);
    assert!(discovered.note("kitchen/up").is_none() && discovered.read().topics().is_empty());
}

#[test]
fn of_several_topics_all_any_or_the_latest_count() {
    let avty = r#"{"~":"kitchen","avty":[{"t":"~/up"},{"t":"bridge","val_tpl":"{{ value_json.state }}"}],"#;
    let bridge = |word: &str| format!(r#"{{"state":"{word}"}}"#);
    let (on, off) = (bridge("online"), bridge("offline"));
    let up = "kitchen/up";
    for (mode, expected) in [
        ("", "+ - + -"),
        (r#""avty_mode":"latest","#, "+ - + -"),
        (r#""avty_mode":"all","#, "? - + -"),
        (r#""avty_mode":"any","#, "+ + + +"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let discovered = open(dir.path(), &[]);
        hear(&discovered, &[("a", &TEMPERATURE.replacen('{', &format!("{avty}{mode}"), 1))]);
        assert_eq!(discovered.read().topics().len(), 3);
        let words = [(up, "online"), ("bridge", &off), ("bridge", &on), (up, "offline")];
        let said = words.map(|(topic, word)| match heard(&discovered, topic, word).as_slice() {
            [] => "?",
            [(_, true)] => "+",
            _ => "-",
        });
        assert_eq!(said.join(" "), expected, "{mode}");
    }
}

#[test]
fn a_word_that_was_said_before_the_config_counts_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let with = |id: &str, own: &str| {
        let head = format!(r#"{{"avty":[{{"t":"bridge"}},{{"t":"{own}"}}],"avty_mode":"all","#);
        let config = TEMPERATURE.replacen('{', &head, 1).replace("\"k1\"", &format!("\"{id}\""));
        config.replace("Kitchen", id).replace("kitchen/state", own)
    };
    hear(&discovered, &[("a", &with("a", "a/up"))]);
    assert_eq!(heard(&discovered, "bridge", "online"), []);
    let there = |who: &str| [(who.to_owned(), true)];
    assert_eq!(heard(&discovered, "a/up", "online"), there("a"));
    // Of another device, and of the same in other words.
    hear(&discovered, &[("b", &with("b", "b/up"))]);
    assert_eq!(heard(&discovered, "b/up", "online"), there("b"));
    hear(&discovered, &[("a", &with("a", "a/up").replace("°C", "°F"))]);
    assert_eq!(heard(&discovered, "a/up", "online"), there("a"));
}

#[test]
fn one_that_had_waited_says_whether_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let one = TEMPERATURE.replacen('{', r#"{"uniq_id":"u1","#, 1);
    let two = one.replacen('{', r#"{"avty_t":"kitchen/up","#, 1);
    hear(&discovered, &[("a", &one), ("b", &two)]);
    assert!(discovered.note("kitchen/up").is_none());
    hear(&discovered, &[("a", "")]);
    assert_eq!(heard(&discovered, "kitchen/up", "offline"), [("Kitchen".to_owned(), false)]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_is_wished_for_when_its_config_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let mut changed = discovered.changed();
    let file = dir.path().join(file::FILE);
    // The file cannot be written at first.
    let new = file.with_extension("new");
    std::fs::create_dir(&new).unwrap();
    hear(&discovered, &[("k1", TEMPERATURE)]);
    let is_waited_for = || discovered.until_written("homeassistant/sensor/k1/config").is_some();
    assert!(is_waited_for() && discovered.until_written("kitchen/state").is_none());
    kept(&discovered).await;
    // It was tried: what is behind it does not wait for ever.
    assert!(!is_waited_for());
    assert!(discovered.topics().is_empty() && !changed.has_changed().unwrap());
    std::fs::remove_dir(&new).unwrap();
    // It is tried again without anything new.
    kept(&discovered).await;
    assert_eq!(
        discovered.topics().into_iter().collect::<Vec<_>>(),
        [("kitchen/state".into(), Of { readings: true, words: false })]
    );
    assert!(changed.has_changed().unwrap());
    changed.mark_unchanged();
    // A config is safe when it is written, and not before.
    hear(&discovered, &[("k1", &TEMPERATURE.replace("kitchen", "attic"))]);
    let safe = discovered.until_written("homeassistant/sensor/k1/config").unwrap().is_safe();
    let mut safe = std::pin::pin!(safe);
    assert!(tokio::time::timeout(Duration::ZERO, safe.as_mut()).await.is_err());
    kept(&discovered).await;
    assert!(std::fs::read_to_string(&file).unwrap().contains("attic/state") && safe.await);
    // What came before the end is written also when both are there.
    for number in 0..20 {
        hear(&discovered, &[("k1", &TEMPERATURE.replace("kitchen/state", &format!("n/{number}")))]);
        let stop = CancellationToken::new();
        stop.cancel();
        discovered.clone().keep(stop).await;
        assert!(std::fs::read_to_string(&file).unwrap().contains(&format!("n/{number}")));
    }
}

#[test]
fn things_and_topics_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    for config in 0..45 {
        let things: Vec<_> = (0..256)
            .map(|thing| format!(r#""{thing}":{{"p":"sensor","stat_t":"t/{config}/{thing}"}}"#))
            .collect();
        let config_of = format!(r#"{{"cmps":{{{}}}}}"#, things.join(","));
        let topic = format!("homeassistant/device/d{config}/config");
        assert!(discovered.heard(&topic, config_of.as_bytes()));
    }
    let counts = discovered.counts();
    assert_eq!((counts.configs, counts.refused), (39, 6));
    assert_eq!(discovered.read().topics().len(), 39 * 256);
}

#[test]
fn a_reading_that_is_known_is_not_later() {
    let dir = tempfile::tempdir().unwrap();
    let discovered = open(dir.path(), &[]);
    let is_later = |topic: &str, at: Option<i64>| {
        let mut reading = decode(topic, b"20").remove(0).unwrap();
        reading.taken_at = at.map(UnixMicros);
        discovered.is_later(&reading)
    };
    let known =
        [None, Some(NEWEST.0), Some(NEWEST.0 + 1)].map(|at| is_later("Kitchen/temperature", at));
    assert_eq!(known, [false, false, true]);
    assert!(is_later("Kitchen/humidity", Some(1)));
}

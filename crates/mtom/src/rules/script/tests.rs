use super::*;
use mtom_protocol::unit::Unit;

const TOPIC: &str = "Environ/Temperature";

#[track_caller]
fn times(text: &str) -> Vec<String> {
    given(text, TOPIC).unwrap().iter().map(|step| show(step.at)).collect()
}

#[track_caller]
fn first(text: &str) -> Reading {
    match &given(text, TOPIC).unwrap()[0].what {
        What::Readings { readings, .. } => readings[0].clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn readings_have_the_topic_of_the_rule_or_their_own_and_are_read_as_messages_are() {
    let plain = first("12:00:00 24.0");
    assert_eq!((&*plain.topic, plain.value, plain.unit), (TOPIC, 24.0, Unit::Celsius));
    let own = first("12:00 Environ/Temperature2 78.5 °F");
    assert_eq!((&*own.quantity, own.value, own.unit), ("Temperature2", 78.5, Unit::Fahrenheit));
    let json = first(r#"12:00:00 Room {"humidity": 41, "unit": "%"}"#);
    assert_eq!((&*json.device, &*json.quantity, json.value), ("Room", "humidity", 41.0));
    assert_eq!(first("12:00:00 -3").value, -3.0);
}

#[test]
fn time_goes_on_by_items_silence_and_restarts() {
    assert_eq!(
        times("12:00:00 24.0 | silence 90s | 12:01:30.25 1 | restart 30s | restart | late 12:00 2"),
        ["12:00:00", "12:01:30", "12:01:30.25", "12:02:00.25", "12:02:00.25", "12:02:00.25"]
    );
    assert_eq!(
        times("23:59:59 1 | Tue 00:00:01 2 | Mon 07:00 3 | 2026-03-29 01:00:00"),
        ["23:59:59", "Tue 00:00:01", "2026-01-12 07:00:00", "2026-03-29 01:00:00"]
    );
    let late = given("12:00:05 1 | late 12:00:01 2", TOPIC).unwrap();
    assert!(
        matches!(&late[1].what, What::Readings { taken_at: Some(at), .. } if show(*at) == "12:00:01")
    );
}

#[test]
fn what_is_expected_has_a_time_an_actuator_a_state_and_perhaps_a_reason() {
    assert_eq!(expect("  ").unwrap(), []);
    let found = expect("12:00:12 TEMP_LED on | 12:00:14 TEMP_LED off (silent)").unwrap();
    for (word, reason) in Reason::WORDS {
        assert_eq!(word, reason.to_string());
        let found = expect(&format!("12:00:12 TEMP_LED on ({word})")).unwrap();
        assert_eq!(found[0].reason, Some(reason));
    }
    let show: Vec<_> =
        found.iter().map(|it| (show(it.at), &*it.actuator, it.led, it.reason)).collect();
    assert_eq!(
        show,
        [
            ("12:00:12".to_owned(), "TEMP_LED", Led::On, None),
            ("12:00:14".to_owned(), "TEMP_LED", Led::Off, Some(Reason::Silent)),
        ]
    );
}

#[test]
fn every_mistake_has_its_place_and_an_example() {
    for (text, position, says) in [
        ("", 0, "12:00:00 24.0"),
        ("12:00:00 24.0 | ", 16, "silence 60s"),
        ("silence 60s", 0, "12:00:00 | silence"),
        ("12:00:00 | silence", 18, "silence 60s"),
        ("12:00:00 | silence long", 19, "silence 60s"),
        ("12:00:00 | silence 5s more", 22, "too much"),
        ("12:00:00 | sillence 5s", 11, "silence 60s"),
        ("12:60:00 24", 0, "12:00:02 26.0 °C"),
        ("25:00 24", 0, "no time"),
        ("12:00:05 24 | 12:00:00 25", 14, "Tue 00:00:05"),
        ("12:00:05 24 | late 12:00:06 25", 19, "not over"),
        ("12:00:00 °C °C", 12, "is no reading"),
        ("12:00:00 24,5", 9, "decimal comma"),
        ("12:00:00 zigbee2mqtt/a/set 1", 27, "is no reading on"),
        ("12:00:00 a/+ 24", 13, "without wildcards"),
        ("Tue", 3, "12:00:02"),
        ("2026-13-01 12:00 1", 0, "2026-03-29"),
    ] {
        let mistake = given(text, TOPIC).unwrap_err();
        assert!(mistake.problem.contains(says), "{text}: {mistake:?}");
        assert_eq!(mistake.position, position, "{text}: {mistake:?}");
    }
    let mistake = given("12:00:00 24.0", "Environ/+").unwrap_err();
    assert!(mistake.problem.contains("Environ/Temperature 24.0"), "{mistake:?}");
    for (text, position, says) in [
        ("12:00:00", 8, "no actuator"),
        ("12:00:00 LAMP", 9, "on or off"),
        ("12:00:00 LAMP onn", 14, "\"onn\""),
        ("12:00:00 LAMP on (tired)", 18, "(silent)"),
        ("LAMP on", 0, "12:00:12 TEMP_LED on"),
        ("12:00:00 LAMP on |", 18, "nothing between"),
        ("12:00:00 LAMP on | 11:00:00 LAMP off", 19, "is before 12:00:00"),
    ] {
        let mistake = expect(text).unwrap_err();
        assert!(mistake.problem.contains(says), "{text}: {mistake:?}");
        assert_eq!(mistake.position, position, "{text}: {mistake:?}");
    }
}

#[test]
fn no_text_panics_and_every_mistake_lies_within_it() {
    let parts = [
        "12:00:00",
        "26.0",
        "°C",
        "|",
        " ",
        "silence",
        "60s",
        "restart",
        "late",
        "override",
        "on",
        "off",
        "(silent)",
        "(",
        ")",
        "Tue",
        "2026-03-29",
        "a/b",
        "{\"t\":1}",
        "é",
        "-",
        ":",
        "99999999999999999999s",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let text: String = (0..random.usize(..12))
            .map(|_| {
                random.choice(parts).unwrap().to_owned() + if random.bool() { " " } else { "" }
            })
            .collect();
        let len = text.chars().count();
        for mistake in [given(&text, TOPIC).err(), expect(&text).err()].into_iter().flatten() {
            assert!(mistake.position <= len, "{text:?}: {mistake:?}");
        }
    }
}

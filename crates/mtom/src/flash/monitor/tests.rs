use super::{acknowledged, answered, hint, last_of};

#[test]
fn a_log_line_proves_a_reading_only_with_its_temperature() {
    assert_eq!(acknowledged("INFO - acknowledged 21.4 °C"), Some("21.4 °C"));
    assert_eq!(acknowledged("acknowledged -0.5 °C"), Some("-0.5 °C"));
    for line in ["measured 21.4 °C", "sent Environ/Temperature 21.4 °C", "not acknowledged yet"] {
        assert_eq!(acknowledged(line), None, "{line}");
    }
}

#[test]
fn the_broker_proves_a_reading_by_the_state_of_the_device() {
    let state = r#"{"boot":"1f","acknowledged":1,"last":"21.4 °C"}"#;
    assert_eq!(last_of(state.as_bytes()).as_deref(), Some("21.4 °C"));
    assert_eq!(last_of(br#"{"last":"1\u001b[2J"}"#).as_deref(), Some("1[2J"));
    for state in [&b"offline"[..], br#"{"boot":"1f"}"#, br#"{"last":21.4}"#, b"[]", b""] {
        assert_eq!(last_of(state), None);
    }
}

#[test]
fn an_actuator_is_understood_in_words() {
    let text = answered("= h 42 TEMP_LED 1.0.0").unwrap();
    assert_eq!(text, "TEMP_LED 1.0.0 answers: LED on, last command 42");
    for line in ["h 42", "! line too long", "INFO - mtom actuator", "= x 1 A B"] {
        assert_eq!(answered(line), None, "{line}");
    }
}

#[test]
fn the_hint_is_of_the_place_where_the_log_ends() {
    for (last, expected) in [
        ("INFO - connecting to WiFi home", "--wifi-ssid"),
        ("no broker: no network yet", "--wifi-ssid"),
        ("no broker: nobody knows the broker's name", "--broker"),
        ("====== PANIC ======", "crashed"),
    ] {
        assert!(hint(last).contains(expected), "{last}");
    }
}

use super::live_url;
use super::model::Model;
use super::screen::paint;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;

fn reading(celsius: f64) -> serde_json::Value {
    json!({
        "device": "Environ", "quantity": "Temperature", "value": celsius, "unit": "°C",
        "celsius": celsius, "at": "2026-11-23T08:06:30.000000Z", "at_micros": 1_000_000,
    })
}

fn snapshot() -> serde_json::Value {
    json!({
        "type": "snapshot",
        "readings": [reading(25.0)],
        "actuators": [{
            "name": "TEMP_LED", "link": "tcp:led:7000",
            "link_state": "searching", "link_reason": "tcp:led:7000: closed by the other end",
            "link_since_micros": 3_000_000, "link_down_since_micros": 2_000_000,
            "desired": {"led": "on"}, "sent": {"led": "on"}, "reported": {"led": "off"},
        }],
        "log": [{"at": "08:06", "text": "sent command 1", "hop": "actuator"}],
        "counts": {"received": 3, "stored": 1, "duplicate": 1, "rejected": 1, "in_flight": 0},
    })
}

#[test]
fn the_screen_shows_both_scales_and_what_the_device_says() {
    let mut model = Model::new(TimeZone::UTC);
    model.take(&snapshot());
    let mut terminal = Terminal::new(TestBackend::new(160, 24)).unwrap();
    terminal.draw(|frame| paint(frame, &model, "connected", 0, 4_000_000)).unwrap();
    let picture = terminal.backend().to_string();
    for expected in [
        "25.0 °C  77.0 °F",
        "3 s ago",
        "LED off, reported",
        "wanted on",
        "link searching since 00:00:03, not up since 00:00:02: closed",
        "sent command 1",
        "received 3 = stored 1 + duplicate 1 + rejected 1 + in flight 0",
    ] {
        assert!(picture.contains(expected), "{expected}:\n{picture}");
    }
}

#[test]
fn a_device_that_has_gone_is_offline_until_it_is_back() {
    let mut model = Model::new(TimeZone::UTC);
    model.take(&snapshot());
    let picture = |model: &Model| {
        let mut terminal = Terminal::new(TestBackend::new(120, 24)).unwrap();
        terminal.draw(|frame| paint(frame, model, "connected", 0, 4_000_000)).unwrap();
        terminal.backend().to_string()
    };
    let said = |available: bool| {
        let since = if available { "08:07" } else { "08:06" };
        json!({"type": "availability", "availability": {
            "device": "Environ", "available": available, "since": since, "since_micros": 2_000_000,
            "since_latest": false,
        }})
    };
    assert_eq!(model.take(&said(false)), ["08:06  Environ  offline"]);
    assert!(picture(&model).contains("offline since 00:00:02"), "{}", picture(&model));
    assert_eq!(model.take(&said(true)), ["08:07  Environ  online"]);
    assert!(picture(&model).contains("3 s ago"), "{}", picture(&model));
    let mut again = snapshot();
    again["availability"] =
        json!([said(false)["availability"], {"device": "b", "available": true}]);
    assert!(model.take(&again).contains(&"08:06  Environ  offline".to_owned()));
    assert!(picture(&model).contains("offline since 00:00:02"));
}

#[test]
fn the_chart_shows_the_first_temperature_and_the_arrows_move_it() {
    let mut model = Model::new(TimeZone::UTC);
    model.take(&snapshot());
    let humidity = json!({
        "device": "Attic", "quantity": "Humidity", "value": 55.0, "unit": "%", "celsius": null,
        "fahrenheit": null, "at": "1970-01-01T00:00:01Z", "at_micros": 1_000_000,
    });
    model.take(&json!({"type": "reading", "reading": humidity}));
    let mut terminal = Terminal::new(TestBackend::new(100, 24)).unwrap();
    let both = ["Attic/Humidity", "Environ/Temperature"];
    for (moves, charted) in [(0, both[1]), (1, both[0]), (-1, both[0]), (2, both[1])] {
        terminal.draw(|frame| paint(frame, &model, "connected", moves, 4_000_000)).unwrap();
        let picture = terminal.backend().to_string();
        assert!(picture.contains(&format!("┌{charted}  ")), "{moves}:\n{picture}");
        assert!(picture.contains(&format!("› {charted}")), "{moves}:\n{picture}");
    }
}

#[test]
fn a_plain_terminal_gets_a_line_per_event_and_no_repetition() {
    let mut model = Model::new(TimeZone::UTC);
    assert_eq!(model.take(&snapshot()).len(), 2);
    let line = model.take(&json!({"type": "reading", "reading": reading(20.0)})).remove(0);
    assert!(line.ends_with("Environ/Temperature  20.0 °C  68.0 °F"), "{line}");
    let actuator = snapshot()["actuators"][0].clone();
    assert!(model.take(&json!({"type": "actuator", "actuator": actuator})).is_empty());
}

#[test]
fn each_frame_of_a_batch_is_taken_in_its_order_and_unknown_ones_are_passed_over() {
    let mut model = Model::new(TimeZone::UTC);
    let frames = [reading(20.0), reading(21.0)].map(|it| json!({"type": "reading", "reading": it}));
    let [first, second] = frames;
    let frames = [first, json!({"type": "new"}), json!(null), second];
    let lines = model.take(&json!({"type": "batch", "frames": frames}));
    let words = lines.iter().map(|line| line.split("  ").nth(2).unwrap());
    assert_eq!(words.collect::<Vec<_>>(), ["20.0 °C", "21.0 °C"]);
    assert_eq!(model.series["Environ/Temperature"].value, 21.0);
}

#[test]
fn what_a_terminal_would_obey_and_unknown_frames_do_nothing() {
    let mut model = Model::new(TimeZone::UTC);
    let mut hostile = reading(1.0);
    hostile["device"] = json!("\u{1b}[2J");
    let line = model.take(&json!({"type": "reading", "reading": hostile})).remove(0);
    assert!(!line.contains('\u{1b}'));
    for frame in [
        json!({}),
        json!({"type": 7}),
        json!([]),
        json!({"type": "reading"}),
        json!(null),
        json!({"type": "batch"}),
    ] {
        assert!(model.take(&frame).is_empty(), "{frame}");
    }
}

#[test]
fn an_address_of_the_page_is_an_address_of_its_live_socket() {
    for dashboard in ["http://127.0.0.1:8080", "http://127.0.0.1:8080/", "127.0.0.1:8080"] {
        assert_eq!(live_url(dashboard).unwrap(), "ws://127.0.0.1:8080/live?batch=true");
    }
    assert!(live_url("http://").is_err() && live_url("http://a/b").is_err());
}

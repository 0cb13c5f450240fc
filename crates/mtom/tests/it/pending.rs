//! How rules are and what they wait for, as the API and the command line tell it.

use crate::mtom::{Mtom, command, mosquitto_pub, output, put};
use crate::soon;
use serde_json::{Value, json};

const RULES: &str = r#"rule=[{name="slow",when="Environ/Temperature",on="celsius >= 25.0",for="1h",max_age="2h",then=[{publish="alarm"}]},{name="damp",when="Environ/Humidity",on="value > 60.0",max_age="never",then=[{actuator="TEMP_LED"}]}]"#;

/// The seconds until something is due.
fn left(state: &Value, pending: &Value) -> i64 {
    let at = |value: &Value| value.as_i64().unwrap();
    (at(&pending["at_micros"]) - at(&state["now_micros"])) / 1_000_000
}

#[tokio::test]
async fn what_each_rule_waits_for_is_told_with_the_time_that_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Mtom::serve("up", folder.path(), &["simulate.actuators=1", RULES]);
    let state = gateway.get("/api/v1/rules/state").await;
    assert_eq!(state["totals"], json!({"on": 0, "off": 0, "unknown": 2}), "{state}");
    assert_eq!(state["rules"][0]["pending"][0]["timer"], "max_age", "{state}");
    if !mosquitto_pub(gateway.ready.mqtt, "Environ/Temperature", "26 °C".as_bytes()) {
        return;
    }
    let state = gateway.get("/api/v1/rules/state").await;
    let slow = &state["rules"][0];
    assert_eq!((&slow["state"], &slow["since"]), (&json!("unknown"), &Value::Null), "{state}");
    let pending = &slow["pending"];
    assert_eq!((&pending[0]["timer"], &pending[0]["does"]), (&json!("for"), &json!("on")));
    assert_eq!((&pending[1]["timer"], &pending[1]["does"]), (&json!("max_age"), &json!("off")));
    assert!((3_500..=3_600).contains(&left(&state, &pending[0])), "{state}");
    assert!((7_100..=7_200).contains(&left(&state, &pending[1])), "{state}");
    assert_eq!(state["actuators"], json!([]), "{state}");

    let first = gateway.get("/api/v1/rules/state?limit=1").await;
    assert_eq!((&first["rules"].as_array().unwrap().len(), &first["next"]), (&1, &json!(1)));
    let second = gateway.get("/api/v1/rules/state?limit=1&after=1").await;
    assert_eq!((&second["rules"][0]["name"], &second["next"]), (&json!("damp"), &Value::Null));
    assert_eq!(second["totals"], first["totals"]);
    let beyond = gateway.get("/api/v1/rules/state?after=9223372036854775807").await;
    assert_eq!((&beyond["rules"], &beyond["next"]), (&json!([]), &Value::Null));

    let path = "/api/v1/actuators/TEMP_LED/set";
    let word = r#"{"led":"on","seconds":600}"#;
    let (status, said) = put(gateway.ready.dashboard, path, "application/json", word).await;
    assert_eq!(status, 204, "{said}");
    let state = gateway.get("/api/v1/rules/state").await;
    let lamp = &state["actuators"][0];
    assert_eq!((&lamp["name"], &lamp["manual"]), (&json!("TEMP_LED"), &json!("on")), "{state}");
    assert_eq!(lamp["pending"]["timer"], "override", "{state}");
    assert!((500..=600).contains(&left(&state, &lamp["pending"])), "{state}");

    let page = gateway.ready.dashboard.port();
    let configuration = format!("[dashboard]\nlisten = \"127.0.0.1:{page}\"\n");
    std::fs::write(gateway.dir.join("mtom.toml"), configuration).unwrap();
    let mut list = command(&["rules", "list"]);
    list.current_dir(&gateway.dir);
    let said = output(list);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("slow                     unknown  -"), "{said}");
    assert!(said.contains("on in 59 min") || said.contains("on in 1 h 0 min"), "{said}");
    assert!(said.contains("TEMP_LED, on by hand, waits for off in"), "{said}");
    assert!(said.ends_with("rules: 2, of them on: 0, off: 0, unknown: 2\n"), "{said}");
}

#[tokio::test]
async fn the_rules_of_a_time_are_those_that_ran_then() {
    let gateway = Mtom::up(&["simulate.actuators=1", RULES]);
    let first = gateway.get("/api/v1/rules").await;
    let text = first["version"]["text"].as_str().unwrap().replace("25.0", "30.0");
    let path = "/api/v1/rules?source=Ada";
    let (status, said) = put(gateway.ready.dashboard, path, "application/toml", &text).await;
    assert_eq!(status, 200, "{said}");
    let second = gateway.get("/api/v1/rules").await;
    assert_eq!(second["until_micros"], Value::Null, "{second}");
    let (began, ended) = [&first, &second]
        .map(|rules| rules["version"]["applied_at_micros"].as_i64().unwrap())
        .into();
    for (at, version, on) in [
        (began, 1, "celsius >= 25.0"),
        (ended - 1, 1, "celsius >= 25.0"),
        (ended, 2, "celsius >= 30.0"),
    ] {
        let then = gateway.get(&format!("/api/v1/rules?at={at}")).await;
        assert_eq!(then["version"]["version"], version, "{then}");
        assert_eq!(then["rules"][0]["on"], on, "{then}");
        let until = if version == 1 { json!(ended) } else { Value::Null };
        assert_eq!(then["until_micros"], until, "{then}");
    }
}

/// A rule whose alerts nobody takes is a part of the path that is broken.
#[tokio::test]
async fn an_alert_that_nobody_takes_is_told_of_the_path() {
    // Nobody listens there.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rule = format!(
        r#"rule=[{{name="heat",when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="never",then=[{{webhook="http://me:word@{address}/hook"}}]}}]"#
    );
    let gateway = Mtom::up(&[&rule]);
    assert_eq!(gateway.get("/api/v1/path").await["alerts_stuck"], Value::Null);
    if !mosquitto_pub(gateway.ready.mqtt, "Environ/Temperature", "26 °C".as_bytes()) {
        return;
    }
    let stuck = soon("a try", async {
        loop {
            let path = gateway.get("/api/v1/path").await;
            if !path["alerts_stuck"].is_null() {
                return path["alerts_stuck"].clone();
            }
        }
    })
    .await;
    assert_eq!((&stuck["waiting"], &stuck["rule"]), (&json!(1), &json!("heat")), "{stuck}");
    assert!(stuck["target"].as_str().unwrap().contains(&address.to_string()), "{stuck}");
    assert!(!stuck.to_string().contains("word"), "{stuck}");
    assert_ne!(stuck["reason"], "", "{stuck}");
}

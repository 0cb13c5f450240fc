//! The commands of rules on the real binary: their cases, the check, the replay, and why.

use crate::mtom::{Mtom, command, mosquitto_pub, output, post, put};
use crate::soon;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// The rule and the case of the issue, word for word but for the alerts and the schedule.
const HEAT: &str = r#"
[[rule]]
name     = "heat lamp"
when     = "Environ/Temperature"
on       = "celsius >= 25.0"
off      = "celsius < 24.5"
for      = "10s"
dwell    = "5s"
max_age  = "10s"
silent   = "off"
then     = [{ actuator = "TEMP_LED" }]

[[rule.test]]
name   = "on once while the heat lasts"
given  = "12:00:00 24.0 | 12:00:02 26.0 | 12:00:04 26.5 | silence 60s"
expect = "12:00:12 TEMP_LED on | 12:00:14 TEMP_LED off (silent)"
"#;

/// Exit code, standard output, standard error.
fn mtom(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = command(arguments);
    command.current_dir(folder);
    let output = output(command);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn cases_pass_fail_or_cannot_be_read_each_with_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("heat.toml"), HEAT).unwrap();
    let (code, said, complaint) = mtom(folder, &["rules", "test", "heat.toml", "--junit", "a.xml"]);
    assert_eq!((code, complaint.as_str()), (0, ""), "{said}");
    assert!(
        said.contains("ok      heat lamp / on once") && said.contains("1 case passes"),
        "{said}"
    );

    let wrong = HEAT.replace("for      = \"10s\"", "for      = \"9s\"");
    std::fs::write(folder.join("wrong.toml"), wrong).unwrap();
    let (code, said, complaint) =
        mtom(folder, &["rules", "test", "wrong.toml", "--junit", "b.xml"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("FAILED") && said.contains("wrong.toml:15"), "{said}");
    assert!(said.contains("~ 12:00:11  TEMP_LED on (reading): expected at 12:00:12"), "{said}");
    assert!(said.contains('█') && said.contains('│'), "{said}");
    assert!(complaint.contains("1 of 1 cases failed"), "{complaint}");
    let junit = std::fs::read_to_string(folder.join("b.xml")).unwrap();
    assert!(junit.contains("tests=\"1\" failures=\"1\""), "{junit}");
    assert!(std::fs::read_to_string(folder.join("a.xml")).unwrap().contains("failures=\"0\""));

    for (from, to, expected) in [
        ("26.5 |", "26.5 °Q |", "bad.toml:15:52: rule \"heat lamp\", case \"on once"),
        ("TEMP_LED on", "TEMP_LET on", "bad.toml:16:20: rule"),
        ("celsius >= 25.0", "celsius >=", "bad.toml:5:23: rule.0.on"),
        ("[[rule]]", "[[rule]", "bad.toml:2:"),
        ("[[rule.test]]", "[[rule.tests]]", "bad.toml:13:"),
    ] {
        std::fs::write(folder.join("bad.toml"), HEAT.replace(from, to)).unwrap();
        let (code, said, complaint) = mtom(folder, &["rules", "test", "bad.toml"]);
        assert_eq!((code, said.as_str()), (2, ""), "{to}: {complaint}");
        assert!(complaint.contains(expected), "{to}: {complaint}");
    }
    assert_eq!(mtom(folder, &["rules", "test", "none.toml"]).0, 2);
}

/// A day of one series around 25 °C with a little noise, one reading each 10 s.
fn day(folder: &Path) {
    let mut text = String::from("time,temp\n");
    for index in 0..8_640_u32 {
        let at =
            mtom_protocol::time::UnixMicros(1_794_787_200_000_000 + i64::from(index) * 10_000_000);
        let noise = f64::from(index * 7_919 % 100) / 150.0;
        let celsius = 24.7 + 1.5 * (f64::from(index) / 600.0).sin() + noise;
        writeln!(text, "{},{celsius:.2}", at.rfc3339()).unwrap();
    }
    std::fs::write(folder.join("day.csv"), text).unwrap();
    let (code, _, complaint) =
        mtom(folder, &["import", "day.csv", "--unit", "°C", "--data", "data"]);
    assert_eq!(code, 0, "{complaint}");
}

const NOISY: &str = "[[rule]]\nname = \"noisy\"\nwhen = \"Environ/Temperature\"\non = \"celsius >= 25.0\"\nmax_age = \"never\"\nthen = [{ actuator = \"TEMP_LED\" }]\n";

#[test]
fn a_check_finds_what_is_wrong_and_what_looks_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    day(folder);
    std::fs::write(folder.join("noisy.toml"), NOISY).unwrap();
    let check = |arguments: &[&str]| {
        let mut all = vec!["rules", "check", "noisy.toml", "--data", "data"];
        all.extend_from_slice(arguments);
        mtom(folder, &all)
    };
    let (code, said, complaint) = check(&[]);
    assert_eq!(code, 0, "{complaint}");
    assert!(said.contains("noisy.toml:4:6: warning: rule \"noisy\", on: chatter"), "{said}");
    assert!(
        said.contains("off = \"celsius < 24.5\" makes it") && said.contains("1 warning"),
        "{said}"
    );
    assert_eq!(check(&["--strict"]).0, 1);

    for (from, to, severity, expected) in [
        ("celsius >= 25.0", "celsius > 30.0 && celsius < 20.0", "error", "never switches on"),
        ("celsius >= 25.0", "celsius >= 77.0", "warning", "looks like °F"),
        ("TEMP_LED", "TEMP_LET", "error", "expected one of TEMP_LED"),
        ("Environ/Temperature", "Environ/Temp", "warning", "there are Environ/Temperature"),
        ("celsius", "celcius", "noisy.toml:4:7", "celsius"),
    ] {
        std::fs::write(folder.join("noisy.toml"), NOISY.replace(from, to)).unwrap();
        let (code, said, _) = check(&[]);
        assert_eq!(code, i32::from(severity != "warning"), "{said}");
        assert!(said.contains(severity) && said.contains(expected), "{to}: {said}");
    }
    let (code, said, _) = mtom(folder, &["rules", "check"]);
    assert!(code == 0 && said.contains("no rule is written"), "{said}");
}

#[test]
fn a_replay_of_what_was_imported_shows_what_the_rules_would_have_done() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    day(folder);
    std::fs::write(
        folder.join("heat.toml"),
        HEAT.replace("max_age  = \"10s\"", "max_age = \"1m\""),
    )
    .unwrap();
    let stretch = ["--since", "2026-11-16T00:00:00Z", "--until", "2026-11-17T00:00:00Z"];
    let replay = |more: &[&str]| {
        let mut all = vec!["rules", "replay", "heat.toml", "--data", "data"];
        all.extend(stretch);
        all.extend_from_slice(more);
        let (code, said, complaint) = mtom(folder, &all);
        assert_eq!(code, 0, "{complaint}");
        said
    };
    let table = replay(&[]);
    assert!(table.contains("8640 readings of 1.0 days"), "{table}");
    assert!(table.contains("0 commands only as it was, + 5 only with the new rules"), "{table}");
    assert!(table.contains('█') && table.contains("5.0 switches a day"), "{table}");
    let json = replay(&["--format", "json"]);
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, differences) = lines.split_last().unwrap();
    assert_eq!((&summary["readings"], &summary["only_new"]), (&8_640.into(), &5.into()));
    assert_eq!(differences.len(), 5, "{json}");
    assert!(differences.iter().all(|line| line["only"] == "new" && line["cause"].is_string()));
}

#[tokio::test]
async fn what_a_gateway_did_replays_to_the_same_commands_and_can_be_asked_why() {
    let rule = r#"rule=[{name="heat",when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="never",then=[{actuator="TEMP_LED"}]}]"#;
    let gateway = Mtom::up(&["simulate.actuators=1", rule]);
    for celsius in ["24", "26", "26.5", "23", "27"] {
        let payload = format!("{celsius} °C");
        if !mosquitto_pub(gateway.ready.mqtt, "Environ/Temperature", payload.as_bytes()) {
            return;
        }
    }
    soon("the last command in the ledger, applied", async {
        loop {
            let commands = gateway.get("/api/v1/commands").await;
            let newest = &commands["commands"][0];
            if newest["led"] == "on" && newest["applied_at"].is_string() {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let dir = gateway.dir.clone();

    let (code, why, complaint) = mtom(&dir, &["why", "TEMP_LED", "--data", "."]);
    assert_eq!(code, 0, "{complaint}");
    for expected in [
        "TEMP_LED is to be on",
        "Environ/Temperature 27 °C",
        "arrived",
        "decided",
        "sent",
        "applied",
    ] {
        assert!(why.contains(expected), "{expected}: {why}");
    }
    assert!(why.contains("rule     heat") && why.contains("before   off"), "{why}");
    let (code, _, complaint) = mtom(&dir, &["why", "TEMP_LET", "--data", "."]);
    assert!(code == 64 && complaint.contains("expected one of TEMP_LED"), "{complaint}");
    let (code, _, complaint) =
        mtom(&dir, &["why", "TEMP_LED", "--data", ".", "--at", "2020-01-01"]);
    assert!(code == 1 && complaint.contains("mtom ledger"), "{complaint}");

    let (_, csv, _) = mtom(&dir, &["ledger", "--data", ".", "--format", "csv"]);
    let leds: Vec<_> = csv.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!(leds, ["off", "on", "off", "on"], "{csv}");
    let (_, json, _) = mtom(&dir, &["ledger", "--data", ".", "--format", "json", "--limit", "1"]);
    let newest: Value = serde_json::from_str(json.trim()).unwrap();
    assert!(newest["latency_micros"].as_u64().is_some(), "{newest}");

    let rule = "[[rule]]\nwhen = \"Environ/Temperature\"\non = \"celsius >= 25.0\"\ndwell = \"0s\"\nmax_age = \"never\"\nthen = [{ actuator = \"TEMP_LED\" }]\n";
    std::fs::write(dir.join("same.toml"), rule).unwrap();
    let replay = ["rules", "replay", "same.toml", "--data", ".", "--since", "1h"];
    let (_, same, complaint) = mtom(&dir, &replay);
    assert!(same.contains("5 readings") && same.contains("no difference"), "{same}{complaint}");
    std::fs::write(dir.join("same.toml"), rule.replace("25.0", "26.8")).unwrap();
    let (_, other, _) = mtom(&dir, &replay);
    assert!(other.contains("- 2 commands only as it was, + 0 only with"), "{other}");
    assert!(other.contains("rule heat: reading 2: Environ/Temperature 26 °C"), "{other}");
    assert!(other.contains("rule heat: reading 4: Environ/Temperature 23 °C"), "{other}");
}

/// A file of one rule for the lamp.
fn file(folder: &Path, name: &str, keys: &str) {
    let rule = format!(
        "[[rule]]\nname = \"heat\"\nwhen = \"Environ/Temperature\"\n{keys}\n\
         dwell = \"0s\"\nmax_age = \"never\"\nthen = [{{ actuator = \"TEMP_LED\" }}]\n"
    );
    std::fs::write(folder.join(name), rule).unwrap();
}

/// The rules of the configuration in a folder, as a gateway and the commands about it read it.
fn configuration(folder: &Path, page: u16) {
    let text = format!("[dashboard]\nlisten = \"127.0.0.1:{page}\"\n[simulate]\nactuators = 1\n");
    std::fs::write(folder.join("mtom.toml"), text).unwrap();
}

async fn lamp_is(gateway: &Mtom, led: &str) -> Value {
    gateway.actuator_when("the lamp's report", |lamp| lamp["reported"]["led"] == led).await
}

fn hot(gateway: &Mtom) -> bool {
    mosquitto_pub(gateway.ready.mqtt, "Environ/Temperature", "26 °C".as_bytes())
}

#[tokio::test]
async fn rules_are_replaced_while_they_run_and_brought_back() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Mtom::serve("up", folder.path(), &["simulate.actuators=1"]);
    let dir = gateway.dir.clone();
    configuration(&dir, gateway.ready.dashboard.port());
    file(&dir, "cold.toml", "on = \"celsius < 20.0\"");
    file(&dir, "wrong.toml", "on = \"celsius >= \"");
    if !hot(&gateway) {
        return;
    }
    lamp_is(&gateway, "on").await;

    let (code, _, complaint) = mtom(&dir, &["rules", "apply", "wrong.toml"]);
    assert!(code == 2 && complaint.contains("wrong.toml:4"), "{code}: {complaint}");
    let (code, said, complaint) = mtom(&dir, &["rules", "apply", "cold.toml"]);
    assert_eq!(code, 0, "{complaint}");
    assert!(said.contains("version 2 runs now"), "{said}");
    assert!(hot(&gateway));
    lamp_is(&gateway, "off").await;
    let why = gateway.get("/api/v1/why?actuator=TEMP_LED").await;
    assert_eq!(why["command"]["condition"], "!(celsius < 20.0), where celsius is 26", "{why}");
    assert_eq!(why["reading"]["celsius"], 26.0, "{why}");

    let (code, said, complaint) = mtom(&dir, &["rules", "rollback", "1"]);
    assert!(code == 0 && said.contains("version 3 runs now"), "{said}{complaint}");
    assert!(hot(&gateway));
    lamp_is(&gateway, "on").await;
    let (code, _, complaint) = mtom(&dir, &["rules", "rollback", "9"]);
    assert!(code == 1 && complaint.contains("no rules of version 9"), "{code}: {complaint}");
    let (_, versions, _) = mtom(&dir, &["rules", "versions"]);
    let sources: Vec<_> =
        versions.lines().map(|line| line.rsplit("from ").next().unwrap()).collect();
    assert_eq!(sources, ["version 1", "cold.toml", "mtom.toml"], "{versions}");

    // What was applied outlives the process.
    drop(gateway);
    let gateway = Mtom::serve("up", &dir, &["simulate.actuators=1"]);
    let rules = gateway.get("/api/v1/rules").await;
    assert_eq!(rules["rules"][0]["name"], "original TEMP_LED", "{rules}");
    drop(gateway);
    // Where none runs, the journal takes them for the next start.
    let (code, said, complaint) = mtom(&dir, &["rules", "rollback", "2", "--data", "."]);
    assert!(code == 0 && said.contains("version 4 runs from the next start"), "{said}{complaint}");
    let (_, shown, _) = mtom(&dir, &["rules", "versions", "--data", ".", "--show", "4"]);
    assert!(shown.contains("celsius < 20.0"), "{shown}");
    let (code, _, complaint) = mtom(&dir, &["rules", "rollback", "9", "--data", "."]);
    assert!(code == 64 && complaint.contains("mtom rules versions"), "{code}: {complaint}");
}

#[tokio::test]
async fn a_time_that_a_condition_must_hold_goes_on_over_kill_nine() {
    let rule = r#"rule=[{name="heat",when="Environ/Temperature",on="celsius >= 25.0",for="3s",dwell="0s",max_age="never",then=[{actuator="TEMP_LED"}]}]"#;
    let sets = ["simulate.actuators=1", rule];
    let mut gateway = Mtom::up(&sets);
    let folder = tempfile::tempdir().unwrap();
    if !hot(&gateway) {
        return;
    }
    // It was acknowledged, so the beginning of the three seconds is on the disk.
    gateway.kill();
    for name in ["mtom.db", "mtom.db-wal"] {
        let _ = std::fs::copy(gateway.dir.join(name), folder.path().join(name));
    }
    let gateway = Mtom::serve("up", folder.path(), &sets);
    lamp_is(&gateway, "on").await;
    let why = gateway.get("/api/v1/why?actuator=TEMP_LED").await;
    let arrived = why["reading"]["arrived_at_micros"].as_i64().unwrap();
    let decided = why["command"]["decided_at_micros"].as_i64().unwrap();
    assert!(decided - arrived >= 3_000_000, "not before its time: {why}");
    let commands = gateway.get("/api/v1/commands").await;
    assert_eq!(commands["commands"].as_array().unwrap().len(), 1, "once: {commands}");
}

#[tokio::test]
async fn a_persons_word_stands_above_the_rules_until_its_time() {
    let gateway = Mtom::up(&["simulate.actuators=1"]);
    if !hot(&gateway) {
        return;
    }
    lamp_is(&gateway, "on").await;
    let set = async |body: &str| {
        let path = "/api/v1/actuators/TEMP_LED/set";
        put(gateway.ready.dashboard, path, "application/json", body).await
    };
    assert_eq!(set(r#"{"led":"off","seconds":600}"#).await.0, 204);
    lamp_is(&gateway, "off").await;
    assert!(hot(&gateway));
    let why = gateway.get("/api/v1/why?actuator=TEMP_LED").await;
    assert_eq!(
        (&why["command"]["rule"], &why["command"]["led"]),
        (&"manual".into(), &"off".into())
    );
    assert_eq!(set(r#"{"led":"auto"}"#).await.0, 204);
    lamp_is(&gateway, "on").await;
    let dashboard = gateway.ready.dashboard;
    let body = r#"{"led":"on"}"#;
    let (status, said) =
        put(dashboard, "/api/v1/actuators/LAMP/set", "application/json", body).await;
    assert!(status == 404 && said.contains("expected TEMP_LED"), "{status}: {said}");
}

#[tokio::test]
async fn the_page_asks_what_changed_rules_would_have_done() {
    let rule = r#"rule=[{name="heat",when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="never",then=[{actuator="TEMP_LED"}]}]"#;
    let gateway = Mtom::up(&["simulate.actuators=1", rule]);
    let dashboard = gateway.ready.dashboard;
    for celsius in ["20 °C", "26 °C", "28 °C", "23 °C", "28 °C"] {
        if !mosquitto_pub(gateway.ready.mqtt, "Environ/Temperature", celsius.as_bytes()) {
            return;
        }
    }
    lamp_is(&gateway, "on").await;
    let rules = gateway.get("/api/v1/rules").await;
    assert_eq!(rules["version"]["version"], 1, "{rules}");
    let text = rules["version"]["text"].as_str().unwrap();
    assert!(text.contains("celsius >= 25.0"), "{text}");

    let replay = async |text: &str| {
        let path = "/api/v1/rules/replay?since=1h";
        let (status, body) = post(dashboard, path, "application/toml", text).await;
        // The lengths of the chunks stand on lines of their own.
        let mut lines = body.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        (status, lines.rfind(Value::is_object).unwrap_or_default())
    };
    let (status, same) = replay(text).await;
    let found = &same["comparison"];
    assert_eq!((status, &found["readings"]), (200, &5.into()), "{same}");
    assert_eq!((&found["only_old"], &found["only_new"]), (&0.into(), &0.into()), "{same}");

    let (_, other) = replay(&text.replace("25.0", "27.0")).await;
    let found = &other["comparison"];
    let (old, new) = (&found["actuators"][0]["old"], &found["actuators"][0]["new"]);
    assert_eq!(found["actuators"][0]["name"], "TEMP_LED");
    assert_eq!((&old["switches"], &new["switches"]), (&3.into(), &3.into()), "{other}");
    assert_eq!(old["shares"].as_array().unwrap().len(), 240, "{other}");
    assert!(old["on_seconds"].as_f64() >= new["on_seconds"].as_f64(), "{other}");
    let (_, higher) = replay(&text.replace("25.0", "30.0")).await;
    let found = &higher["comparison"];
    assert_eq!((&found["only_old"], &found["only_new"]), (&3.into(), &0.into()), "{higher}");
    let first = &found["differences"][0];
    assert_eq!((&first["only"], &first["led"]), (&"old".into(), &"on".into()), "{first}");
    assert_eq!((&first["rule"], &first["reading"]), (&"heat".into(), &2.into()), "{first}");

    let wrong = text.replace("celsius >=", "celcius >=").replace("TEMP_LED", "LAMP");
    let line = |of: &str| text.lines().position(|line| line.contains(of)).unwrap() + 1;
    let put_wrong = async |path: &str| put(dashboard, path, "application/toml", &wrong).await;
    let (status, replayed) = replay(&wrong).await;
    let mistakes = &replayed["mistakes"];
    assert_eq!(status, 422, "{replayed}");
    assert_eq!(mistakes[0]["place"]["line"], line("celsius >="), "{replayed}");
    assert_eq!(mistakes[0]["place"]["length"], "celcius".len(), "{replayed}");
    assert_eq!(mistakes[1]["place"]["length"], "\"LAMP\"".len(), "{replayed}");
    assert!(mistakes[1]["message"].as_str().unwrap().contains("no actuator \"LAMP\""));
    for path in ["/api/v1/rules?check=true", "/api/v1/rules"] {
        let (status, body) = put_wrong(path).await;
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &problem["mistakes"]), (422, mistakes), "{path}: {body}");
    }
}

#[tokio::test]
async fn cases_beside_rules_are_run_over_http_too() {
    let gateway = Mtom::up(&["simulate.actuators=1"]);
    let test = async |text: &str, status: u16| {
        let path = "/api/v1/rules/test";
        let (found, body) = post(gateway.ready.dashboard, path, "application/toml", text).await;
        assert_eq!(found, status, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let cases = test(HEAT, 200).await;
    assert_eq!(cases["cases"].as_array().unwrap().len(), 1, "{cases}");
    let case = &cases["cases"][0];
    assert_eq!((&case["rule"], &case["passed"]), (&"heat lamp".into(), &true.into()), "{case}");

    let failed = test(&HEAT.replace("for      = \"10s\"", "for      = \"9s\""), 200).await;
    let case = &failed["cases"][0];
    assert_eq!((&case["passed"], &case["line"]), (&false.into(), &15.into()), "{case}");
    let said = case["failures"][0].as_str().unwrap();
    assert!(said.contains("12:00:11  TEMP_LED on (reading): expected at 12:00:12"), "{said}");
    let picture = case["picture"].to_string();
    assert!(picture.contains('█') && picture.contains("expected"), "{picture}");

    let wrong = test(&HEAT.replace("26.5 |", "26.5 °Q |"), 422).await;
    let mistake = &wrong["mistakes"][0];
    assert_eq!(
        (&mistake["place"]["line"], &mistake["place"]["column"]),
        (&15.into(), &52.into()),
        "{wrong}"
    );
    assert!(mistake["message"].as_str().unwrap().contains("given"), "{wrong}");
}

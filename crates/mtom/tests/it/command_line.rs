//! What a person meets: help, the configuration, starting twice, stopping.

use crate::mtom::{Mtom, output, run, serving};
use std::net::{TcpListener, UdpSocket};
use std::process::Output;

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in ["up", "gateway", "controller", "sensor", "actuator", "watch"] {
        let help = run(&[command, "--help"]);
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains(&format!("mtom {command}")), "{command}: {help}");
        assert!(help.contains("Example"), "{command}: {help}");
    }
    assert!(String::from_utf8(run(&["--help"]).stdout).unwrap().contains("Example: mtom up"));
}

#[test]
fn the_default_configuration_checks() {
    let default = run(&["config", "default"]);
    assert!(default.status.success());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mtom.toml");
    std::fs::write(&file, default.stdout).unwrap();
    let checked = run(&["config", "check", "--config", file.to_str().unwrap()]);
    assert!(checked.status.success(), "{}", text(&checked));
}

#[test]
fn three_mistakes_are_three_messages_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mtom.toml");
    let toml = "live.listen = \"nowhere\"\nbroker.listen = 1\nstore.uri = \"sqlite\"\n";
    std::fs::write(&file, toml).unwrap();
    let output = run(&["up", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64));
    let text = text(&output);
    for expected in ["3 mistakes", "line 1: live.listen", "line 2: broker.listen", "store.uri"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn mistakes_in_rules_are_said_with_the_others_and_with_their_lines() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mtom.toml");
    let toml = r##"live.listen = "nowhere"
        [[rule]]
        when = "Environ/#/x"
        on = "celcius >= 25.0"
        then = [{ actuator = "NOBODY" }]
    "##;
    std::fs::write(&file, toml).unwrap();
    let output = run(&["config", "check", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64));
    let text = text(&output);
    for expected in [
        "4 mistakes",
        "line 1: live.listen",
        "line 3: rule.0.when",
        "line 4: rule.0.on: column 1: unknown variable `celcius`: did you mean `celsius`?",
        "line 5: rule.0.then: there is no actuator \"NOBODY\": expected \"TEMP_LED\"",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_controller_without_a_live_port_to_hear_is_refused_at_once() {
    let output = run(&["controller", "--from", "http://gateway"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output).contains("--from: ") && text(&output).contains("ws://host:8765"));
}

#[test]
fn ctrl_c_and_terminate_end_it_with_success() {
    for signal in ["-INT", "-TERM"] {
        let mut mtom = Mtom::up(&["simulate.sensors=2", "simulate.actuators=2"]);
        assert_eq!(mtom.stop(signal).code(), Some(0), "{signal}");
    }
}

#[test]
fn a_taken_port_names_who_wants_it_and_how_to_change_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (key, what) in [
        ("broker.listen", "MQTT devices"),
        ("live.listen", "live viewers"),
        ("history.listen", "history viewers"),
        ("forward.tcp.listen", "clients by TCP"),
        ("dashboard.listen", "the page"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let set = format!("{key}={address}");
        let output = output(serving("up", dir.path(), &[&set]));
        let text = text(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for expected in [&address, what, &format!("--set {key}=")] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}

#[test]
fn a_taken_udp_port_names_its_key_too() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let elsewhere = ["forward.udp.targets=[\"127.0.0.1:9\"]", "forward.udp.from=198.51.100.1"];
    for (sets, key, what) in [
        (vec![format!("forward.udp.listen={address}")], "forward.udp.listen", "receivers by UDP"),
        (elsewhere.map(str::to_owned).to_vec(), "forward.udp.from", "targets by UDP"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let sets: Vec<_> = sets.iter().map(String::as_str).collect();
        let output = output(serving("up", dir.path(), &sets));
        let text = text(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for expected in [what, &format!("--set {key}=")] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let mtom = Mtom::up(&[]);
    let output = output(serving("up", &mtom.dir, &[]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("in use by another mtom"), "{}", text(&output));
}

#[test]
fn a_data_folder_that_cannot_be_is_said_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let folder = format!("data.dir={}", file.join("data").display());
    let output = output(serving("up", dir.path(), &[&folder]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("data.dir"), "{}", text(&output));
}

#[test]
fn a_damaged_or_foreign_database_is_refused_untouched() {
    for bytes in [&b"this is no database, whatever its name says"[..], &[0; 8192]] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mtom.db");
        std::fs::write(&file, bytes).unwrap();
        let output = output(serving("up", dir.path(), &[]));
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains("mtom.db"), "{}", text(&output));
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
    }
}

#[test]
fn a_database_of_a_newer_version_is_refused_untouched() {
    let mut mtom = Mtom::up(&[]);
    assert!(mtom.stop("-INT").success());
    let file = mtom.dir.join("mtom.db");
    let database = rusqlite::Connection::open(&file).unwrap();
    database.execute("UPDATE schema_version SET version = 999 WHERE version = (SELECT max(version) FROM schema_version)", []).unwrap();
    drop(database);
    let bytes = std::fs::read(&file).unwrap();
    let output = output(serving("up", &mtom.dir, &[]));
    assert_eq!(output.status.code(), Some(1));
    let text = text(&output);
    assert!(text.contains("mtom.db") && text.contains("999"), "{text}");
    assert!(std::fs::read(&file).unwrap() == bytes, "the file was touched");
}

#[test]
fn an_address_that_others_can_reach_is_refused_with_an_explanation() {
    let dir = tempfile::tempdir().unwrap();
    let output = output(serving("up", dir.path(), &["live.listen=0.0.0.0:0"]));
    assert_eq!(output.status.code(), Some(64));
    let text = text(&output);
    assert!(text.contains("live.listen") && text.contains("security.insecure"), "{text}");
    let meant = Mtom::up(&["live.listen=0.0.0.0:0", "security.insecure=true"]);
    assert!(meant.ready.live.ip().is_unspecified());
}

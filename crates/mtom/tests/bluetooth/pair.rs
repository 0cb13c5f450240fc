//! Whom a device obeys: who has its key, and whom it was paired with.

use crate::guest::Guest;
use crate::mtom::{Gateway, command, device};
use crate::process::{Process, said_by, until};
use serde_json::Value;
use std::path::Path;

/// The gateway's end.
const LINK: &str = "ble:TEMP_LED?adapter=hci0";
const PATH: &str = "/api/v1/actuators/LAMP/pair";
const LOG: &str = "actuator-hci1";

/// On its own controller, with its memory in a file.
fn lamp(guest: &Guest, arguments: &[&str]) -> Process {
    let all = [&["--ble", "hci1", "--lease", "none"], arguments].concat();
    device(guest, LOG, &all)
}

/// What the device has said beside its answers.
fn log(guest: &Guest) -> String {
    std::fs::read_to_string(guest.logs().join(format!("{LOG}.log"))).unwrap_or_default()
}

/// The devices that bluetoothd has a bond with.
fn paired() -> String {
    said_by("bluetoothctl", &["devices", "Paired"])
}

/// The command of a person, and whether it said that it was done.
fn pair(gateway: &Gateway, passkey: &str) -> (bool, String) {
    let (said, place) = (gateway.place(), "--set");
    let mut pair = command(&["actuator", "pair", "LAMP", "--passkey", passkey, place, &said]);
    let ended = pair.output().unwrap();
    let both = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8_lossy(&both).into_owned())
}

pub(crate) fn with_the_same_key_it_obeys_and_with_another_nobody(guest: &mut Guest) {
    guest.start(2);
    for name in ["ours", "another"] {
        let file = format!("/tmp/{name}.key");
        let _ = std::fs::remove_file(&file);
        assert!(command(&["actuator", "key", &file]).status().unwrap().success());
    }
    let mut lamp = lamp(guest, &["--key-file", "/tmp/ours.key"]);
    let mut gateway = Gateway::up_with(guest, LINK, r#",key_file="/tmp/another.key""#);
    gateway.publish("25.0");
    let shown = gateway.lamp_when("the other key is told", |lamp| lamp["trust"] == "wrong key");
    assert_eq!((&shown["sent"], &shown["reported"]), (&Value::Null, &Value::Null), "{shown}");
    gateway.stop();
    assert_eq!(lamp.said_since(), [""; 0], "told nothing");
    let gateway = Gateway::up_with(guest, LINK, r#",key_file="/tmp/ours.key""#);
    gateway.publish("25.0");
    assert_eq!(gateway.lamp_is("on")["trust"], "authenticated");
    lamp.says("LED on");
}

pub(crate) fn by_the_digits_that_it_shows_and_for_good(guest: &mut Guest) {
    guest.start(2);
    let state = "/tmp/paired.state";
    let _ = std::fs::remove_file(state);
    let mut lamp_new = lamp(guest, &["--state", state, "--pairing", "10m"]);
    let mut gateway = Gateway::up(guest, LINK);
    gateway.publish("25.0");
    by_shown_digits(guest, &gateway, 1);
    gateway.lamp_is("on");
    lamp_new.says("LED on");
    assert!(paired().contains("TEMP_LED"), "{}", paired());
    // Once more: the gateway's computer forgets the bond first, and the device still has it.
    by_shown_digits(guest, &gateway, 2);
    gateway.publish("24.0");
    gateway.lamp_is("off");
    lamp_new.says("LED off");
    assert!(paired().contains("TEMP_LED"), "{}", paired());
    // Both start again, outside of any window: the bond is kept on both sides.
    gateway.stop();
    assert!(lamp_new.stop().success());
    assert!(Path::new(state).exists());
    let mut lamp = lamp(guest, &["--state", state, "--pairing", "1s"]);
    let gateway = Gateway::up(guest, LINK);
    gateway.publish("25.0");
    gateway.lamp_is("on");
    lamp.says("LED on");
    assert!(log(guest).contains("paired with 1 others"), "{}", log(guest));
}

/// The API's way, with the digits that the device shows for the `time`th time.
fn by_shown_digits(guest: &Guest, gateway: &Gateway, time: usize) {
    let begun = gateway.ask("POST", PATH, "{}");
    // The link may have seen it already.
    assert!(begun["state"] == "begun" || begun["state"] == "searching", "{begun}");
    let told = until("the digits are wanted", || {
        let told = gateway.ask("GET", PATH, "");
        ["passkey", "failed"].iter().any(|word| told["state"] == *word).then_some(told)
    });
    assert_eq!(told["state"], "passkey", "{told}");
    let digits = until("the device shows them", || {
        let said = log(guest);
        let shown = said.split("passkey ").nth(time)?;
        Some(shown.get(..6)?.to_owned())
    });
    gateway.ask("PUT", PATH, &format!(r#"{{"passkey":"{digits}"}}"#));
    let told = until("it ends", || {
        let told = gateway.ask("GET", PATH, "");
        ["paired", "failed"].iter().any(|word| told["state"] == *word).then_some(told)
    });
    assert_eq!(told["state"], "paired", "{told}");
}

pub(crate) fn with_wrong_digits_it_is_not_and_obeys_nobody(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = lamp(guest, &["--pairing", "10m", "--passkey", "123456"]);
    let gateway = Gateway::up(guest, LINK);
    gateway.publish("25.0");
    let (is_done, said) = pair(&gateway, "654321");
    assert!(!is_done && said.contains("the passkey is wrong"), "{said}");
    assert!(!paired().contains("TEMP_LED"), "{}", paired());
    assert_eq!(gateway.lamp()["reported"], Value::Null);
    assert_eq!(lamp.said_since(), [""; 0], "it obeys nobody");
    let (is_done, said) = pair(&gateway, "123456");
    assert!(is_done && said.contains("LAMP is paired: ble:"), "{said}");
    gateway.lamp_is("on");
    lamp.says("LED on");
}

pub(crate) fn outside_its_window_a_stranger_is_not_let_in(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = lamp(guest, &["--pairing", "1s", "--passkey", "123456"]);
    let gateway = Gateway::up(guest, LINK);
    gateway.publish("25.0");
    until("a stranger is turned away", || {
        log(guest).contains("a stranger is not let in").then_some(())
    });
    // This is what the daemon of Debian 12 crashes of now and then.
    let (is_done, said) = (0..5)
        .find_map(|_| {
            let crashes = guest.crashes();
            let outcome = pair(&gateway, "123456");
            (guest.crashes() == crashes).then_some(outcome)
        })
        .expect("bluetoothd that stands");
    assert!(!is_done && said.contains("switch it off and on"), "{said}");
    assert!(!paired().contains("TEMP_LED"), "{}", paired());
    assert_eq!(lamp.said_since(), [""; 0], "it obeys nobody");
}

pub(crate) fn by_a_number_that_is_compared_at_both_ends_and_for_good(guest: &mut Guest) {
    guest.start(2);
    let state = "/tmp/compared.state";
    let _ = std::fs::remove_file(state);
    let mut lamp_new = lamp(guest, &["--state", state, "--pairing", "10m", "--compare"]);
    let mut gateway = Gateway::up(guest, LINK);
    let number = compared(guest, &gateway, 1);
    // The button is asked, and the LED has nothing to do with it.
    lamp_new.signal("USR1");
    gateway.ask("PUT", PATH, r#"{"same":true}"#);
    let told = ended(&gateway);
    assert_eq!(told["state"], "paired", "{number}: {told}");
    assert!(paired().contains("TEMP_LED"), "{}", paired());
    assert_eq!(lamp_new.said_since(), [""; 0], "a press was an answer");
    gateway.publish("25.0");
    gateway.lamp_is("on");
    lamp_new.says("LED on");
    // Both start again, outside of any window: the bond is kept on both sides.
    gateway.stop();
    assert!(lamp_new.stop().success());
    let mut lamp = lamp(guest, &["--state", state, "--pairing", "1s", "--compare"]);
    let gateway = Gateway::up(guest, LINK);
    gateway.publish("25.0");
    gateway.lamp_is("on");
    lamp.says("LED on");
    assert!(log(guest).contains("paired with 1 others"), "{}", log(guest));
}

pub(crate) fn by_numbers_that_differ_it_is_not_and_obeys_nobody(guest: &mut Guest) {
    guest.start(2);
    let says = |word| lamp(guest, &["--pairing", "10m", "--compare", word]);
    let mut there = says("different");
    let gateway = Gateway::up(guest, LINK);
    gateway.publish("25.0");
    gateway.ask("POST", PATH, "{}");
    let told = ended(&gateway);
    assert_eq!(told["state"], "failed", "{told}");
    let reason = told["reason"].as_str().unwrap();
    assert!(reason.contains("nobody has said at the device that the numbers"), "{reason}");
    is_obeyed_by_nobody(&gateway, &mut there);
    let said = log(guest);
    assert_eq!(said.matches("not paired").count(), 1, "one error, and a clear one: {said}");
    assert!(said.contains("not said at both ends that the numbers are the same"), "{said}");
    assert!(there.stop().success());
    let mut lamp = says("same");
    compared(guest, &gateway, 2);
    gateway.ask("PUT", PATH, r#"{"same":false}"#);
    let told = ended(&gateway);
    let reason = told["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("the numbers are not the same"), "{told}");
    is_obeyed_by_nobody(&gateway, &mut lamp);
    // And what was a mistake is made good.
    compared(guest, &gateway, 3);
    gateway.ask("PUT", PATH, r#"{"same":true}"#);
    assert_eq!(ended(&gateway)["state"], "paired");
    gateway.lamp_is("on");
    lamp.says("LED on");
}

pub(crate) fn a_number_that_nobody_compares_ends_by_itself(guest: &mut Guest) {
    guest.start(2);
    let mut there = lamp(guest, &["--pairing", "10m", "--compare", "ask"]);
    let gateway = Gateway::up(guest, LINK);
    gateway.publish("25.0");
    compared(guest, &gateway, 1);
    gateway.ask("PUT", PATH, r#"{"same":true}"#);
    let told = ended(&gateway);
    let reason = told["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("nobody has said at the device that the numbers"), "{told}");
    is_obeyed_by_nobody(&gateway, &mut there);
    assert!(there.stop().success());
    let mut lamp = lamp(guest, &["--pairing", "10m", "--compare", "same"]);
    compared(guest, &gateway, 2);
    let told = ended(&gateway);
    let reason = told["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("nobody has said here in time"), "{told}");
    is_obeyed_by_nobody(&gateway, &mut lamp);
}

pub(crate) fn an_end_that_can_show_nothing_is_not_paired(guest: &mut Guest) {
    guest.start(2);
    let state = "/tmp/shown.state";
    let _ = std::fs::remove_file(state);
    let arguments = ["--state", state, "--pairing", "10m", "--compare", "same"];
    let mut first = lamp(guest, &arguments);
    let mut gateway = Gateway::up(guest, LINK);
    let address = until("the daemon knows it", || {
        let said = said_by("bluetoothctl", &["devices"]);
        let line = said.lines().find(|line| line.ends_with(" TEMP_LED"))?;
        line.split(' ').nth(1).map(str::to_owned)
    });
    gateway.stop();
    // It would say no where nobody is asked.
    guest.kill_daemon();
    until("the one without a display is refused", || {
        // NoInputNoOutput, and a random address.
        let pair = format!("echo bondable on; echo pair -c 3 -t 2 {address}");
        let says = format!(
            "({pair}; for i in 1 2 3 4 5 6; do sleep 1; echo yes; done) | btmgmt --index 0"
        );
        said_by("sh", &["-c", &says]);
        log(guest).contains("without digits that a person has seen").then_some(())
    });
    assert!(first.stop().success());
    let before = log(guest).len();
    let mut lamp = lamp(guest, &arguments);
    let known = until("it says whom it knows", || {
        let said = log(guest);
        let (_, known) = said.get(before..)?.split_once("paired with ")?;
        Some(known.get(..1)?.to_owned())
    });
    assert_eq!(known, "0", "{}", log(guest));
    assert_eq!(lamp.said_since(), [""; 0], "it obeys nobody");
}

/// A pairing begins, and both ends show one number, for the `time`th time at the device.
fn compared(guest: &Guest, gateway: &Gateway, time: usize) -> String {
    let begun = gateway.ask("POST", PATH, "{}");
    // The link may have seen it already.
    assert!(begun["state"] == "begun" || begun["state"] == "searching", "{begun}");
    let told = until("the numbers are shown", || {
        let told = gateway.ask("GET", PATH, "");
        ["compare", "failed"].iter().any(|word| told["state"] == *word).then_some(told)
    });
    assert_eq!(told["state"], "compare", "{told}");
    let there = until("the device shows it", || {
        let said = log(guest);
        let shown = said.split("number ").nth(time)?;
        Some(shown.get(..6)?.to_owned())
    });
    assert_eq!(told["number"], there.as_str(), "{told}");
    there
}

fn ended(gateway: &Gateway) -> Value {
    until("the pairing ends", || {
        let told = gateway.ask("GET", PATH, "");
        ["paired", "failed"].iter().any(|word| told["state"] == *word).then_some(told)
    })
}

fn is_obeyed_by_nobody(gateway: &Gateway, lamp: &mut Process) {
    assert!(!paired().contains("TEMP_LED"), "{}", paired());
    assert_eq!(gateway.lamp()["reported"], Value::Null);
    assert_eq!(lamp.said_since(), [""; 0], "it obeys nobody");
}

//! Bluetooth LE: our device's own code on a controller of its own, past the kernel, and the gateway by
//! way of BlueZ.

use crate::guest::Guest;
use crate::mtom::{Gateway, device, newest_only};
use crate::process::{Process, said_by, until};

/// The gateway's end.
const LINK: &str = "ble:TEMP_LED?adapter=hci0";

/// On this controller.
fn lamp(guest: &Guest, controller: u16) -> Process {
    let hci = format!("hci{controller}");
    device(guest, &format!("actuator-{hci}"), &["--ble", &hci, "--lease", "none"])
}

/// The whole path: a reading, the rule, the radio, the LED, and its word.
pub(crate) fn by_name_it_is_told_and_says_that_it_obeyed(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = lamp(guest, 1);
    let gateway = Gateway::up(guest, LINK);
    for (celsius, led) in [("25.0", "on"), ("24.9", "off")] {
        gateway.publish(celsius);
        let shown = gateway.lamp_is(led);
        assert_eq!(shown["link_state"], "up", "{shown}");
        assert!(shown["firmware"].as_str().is_some_and(|it| it.starts_with("TEMP_LED ")));
        // It begins dark, so that only the first command changes anything before the second.
        lamp.says(&format!("LED {led}"));
    }
}

pub(crate) fn by_btleplug_too(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = lamp(guest, 1);
    let said = said_by("drive", &[LINK, "on", "off"]);
    assert!(said.contains("Applied { led: Off, number: 2"), "{said}");
    lamp.says("LED on");
    lamp.says("LED off");
}

pub(crate) fn a_scan_lists_it_with_what_to_write(guest: &mut Guest) {
    guest.start(2);
    let _lamp = lamp(guest, 1);
    let line = until("a line of the scan", || {
        let said = said_by("mtom", &["actuator", "scan", "--adapter", "hci0", "--for", "4s"]);
        said.lines().find(|line| line.contains(" TEMP_LED ")).map(str::to_owned)
    });
    let words: Vec<&str> = line.split_whitespace().collect();
    assert!(words[0].starts_with("ble:") && words[2] == "LE" && line.ends_with("UART"), "{line}");
}

pub(crate) fn a_gateway_that_ends_lets_go_of_it(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = lamp(guest, 1);
    let mut gateway = Gateway::up(guest, LINK);
    gateway.publish("25.0");
    gateway.lamp_is("on");
    assert!(connected().contains("TEMP_LED"), "{}", connected());
    gateway.stop();
    assert!(!connected().contains("TEMP_LED"), "{}", connected());
    lamp.says("LED on");
    let gateway = Gateway::up(guest, LINK);
    gateway.publish("24.9");
    gateway.lamp_is("off");
    lamp.says("LED off");
}

pub(crate) fn killed_it_is_missed_and_back_it_hears_the_newest_only(guest: &mut Guest) {
    guest.start(2);
    let mut lamp_killed = lamp(guest, 1);
    // The other end of the connection hears nothing of it; the last resort frees the adapter.
    let gateway = Gateway::up(guest, &format!("{LINK}&power=cycle"));
    gateway.publish("25.0");
    let before = gateway.lamp_is("on");
    lamp_killed.kill();
    for celsius in ["24.9", "26.0", "24.0"] {
        gateway.publish(celsius);
    }
    let missed = gateway.lamp_when("it is missed", |lamp| lamp["link_state"] != "up");
    assert_eq!(missed["reported"], before["reported"], "nobody has said anything new");
    gateway.publish("27.0");
    let mut lamp = lamp(guest, 1);
    gateway.lamp_is("on");
    lamp.says("LED on");
    newest_only(&mut lamp, "on");
}

pub(crate) fn an_adapter_that_was_off_goes_on_where_it_was(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = lamp(guest, 1);
    let gateway = Gateway::up(guest, LINK);
    gateway.publish("25.0");
    gateway.lamp_is("on");
    guest.power(0, false);
    gateway.lamp_when("it says what is wrong and what to do", |lamp| {
        let reason = lamp["link_reason"].as_str().unwrap_or_default();
        reason.contains("adapter hci0 is switched off: bluetoothctl power on")
    });
    gateway.publish("24.9");
    guest.power(0, true);
    gateway.lamp_is("off");
    lamp.says("LED on");
    lamp.says("LED off");
}

pub(crate) fn a_bluetoothd_that_starts_again_finds_it_again(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = lamp(guest, 1);
    let gateway = Gateway::up(guest, LINK);
    gateway.publish("25.0");
    gateway.lamp_is("on");
    guest.kill_daemon();
    gateway.lamp_when("it says what is wrong and what to do", |lamp| {
        let reason = lamp["link_reason"].as_str().unwrap_or_default();
        reason.contains("bluetoothd does not run: install bluez")
    });
    gateway.publish("24.9");
    guest.start_daemon();
    gateway.lamp_is("off");
    lamp.says("LED on");
    lamp.says("LED off");
}

pub(crate) fn of_two_with_one_name_neither_is_taken_until_one_is_chosen(guest: &mut Guest) {
    guest.start(3);
    let mut lamps = [lamp(guest, 1), lamp(guest, 2)];
    let mut gateway = Gateway::up(guest, LINK);
    gateway.publish("25.0");
    let asked = gateway.lamp_when("it asks which", |lamp| {
        let reason = lamp["link_reason"].as_str().unwrap_or_default();
        reason.contains("2 devices call themselves TEMP_LED: ")
    });
    assert_eq!(asked["sent"], serde_json::Value::Null, "{asked}");
    let reason = asked["link_reason"].as_str().unwrap();
    let (_, chosen) = reason.split_once("as in ").unwrap();
    gateway.stop();
    let gateway = Gateway::up(guest, &format!("{chosen}?adapter=hci0"));
    gateway.publish("25.0");
    gateway.lamp_is("on");
    let lit = until("one is lit", || {
        let said: Vec<String> = lamps.iter_mut().flat_map(Process::said_since).collect();
        (!said.is_empty()).then_some(said)
    });
    assert_eq!(lit, ["LED on"]);
}

/// The devices that bluetoothd holds a connection with.
fn connected() -> String {
    said_by("bluetoothctl", &["devices", "Connected"])
}

//! Classic Bluetooth: the serial port profile, whose other end is a device's controller on the same
//! bluetoothd.

use crate::guest::Guest;
use crate::mtom::{Gateway, device, newest_only};
use crate::process::Process;

fn lamp(guest: &Guest, more: &[&str]) -> Process {
    device(guest, "actuator-hci1", &[&["--spp", "hci1"], more].concat())
}

fn obeys(gateway: &Gateway, lamp: &mut Process) {
    for (celsius, led) in [("25.0", "on"), ("24.9", "off")] {
        gateway.publish(celsius);
        let shown = gateway.lamp_is(led);
        assert_eq!(shown["link_state"], "up", "{shown}");
        lamp.says(&format!("LED {led}"));
    }
}

/// It is searched by its name, then asked for its channel.
pub(crate) fn by_name_and_profile_it_obeys(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = lamp(guest, &["--lease", "none"]);
    let gateway = Gateway::up(guest, "spp:TEMP_LED?adapter=hci0");
    obeys(&gateway, &mut lamp);
}

/// It is not asked.
pub(crate) fn by_address_and_channel_it_obeys(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = lamp(guest, &["--lease", "none"]);
    let address = guest.address(1);
    let gateway = Gateway::up(guest, &format!("spp:{address}?adapter=hci0&channel=1"));
    obeys(&gateway, &mut lamp);
}

/// The original's: bare bytes, no answer, and no claim that there was one.
pub(crate) fn an_original_device_is_shown_as_sent(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = lamp(guest, &["--original"]);
    let gateway = Gateway::up(guest, "spp:TEMP_LED?adapter=hci0");
    for (celsius, led) in [("25.0", "on"), ("24.9", "off")] {
        gateway.publish(celsius);
        lamp.says(&format!("LED {led}"));
        let shown = gateway.lamp_when("it was sent", |lamp| {
            lamp["sent"]["led"] == led && lamp["sent"]["number"] == lamp["desired"]["number"]
        });
        assert_eq!(shown["reported"], serde_json::Value::Null, "{shown}");
        assert_eq!(shown["firmware"], serde_json::Value::Null, "{shown}");
    }
}

pub(crate) fn killed_it_is_missed_and_back_it_hears_the_newest_only(guest: &mut Guest) {
    guest.start(2);
    let mut killed = lamp(guest, &["--lease", "none"]);
    let gateway = Gateway::up(guest, "spp:TEMP_LED?adapter=hci0");
    gateway.publish("25.0");
    let before = gateway.lamp_is("on");
    killed.kill();
    for celsius in ["24.9", "26.0", "24.0"] {
        gateway.publish(celsius);
    }
    let missed = gateway.lamp_when("it is missed", |lamp| lamp["link_state"] != "up");
    assert_eq!(missed["reported"], before["reported"], "nobody has said anything new");
    gateway.publish("27.0");
    let mut lamp = lamp(guest, &["--lease", "none"]);
    gateway.lamp_is("on");
    lamp.says("LED on");
    newest_only(&mut lamp, "on");
}

/// Each fifth line is lost, each other is late.
pub(crate) fn of_lines_that_are_lost_or_late_the_newest_counts(guest: &mut Guest) {
    guest.start(2);
    let faults = ["--fault", "drop=0.2,slow=20ms", "--seed", "7", "--lease", "none"];
    let mut lamp = lamp(guest, &faults);
    let gateway = Gateway::up(guest, "spp:TEMP_LED?adapter=hci0");
    for celsius in ["30", "20", "31", "19", "32", "18", "33", "17", "34", "16", "35"] {
        gateway.publish(celsius);
    }
    gateway.lamp_is("on");
    let said = lamp.said_since();
    assert_eq!(said.last().map(String::as_str), Some("LED on"), "{said:?}");
}

/// Its socket stays open.
pub(crate) fn one_that_dies_without_a_word_is_missed(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = lamp(guest, &["--fault", "die-after=3", "--lease", "none"]);
    let gateway = Gateway::up(guest, "spp:TEMP_LED?adapter=hci0");
    gateway.publish("30");
    gateway.lamp_is("on");
    lamp.says("LED on");
    let missed = gateway.lamp_when("it is missed", |lamp| lamp["link_state"] == "broken");
    let reason = missed["link_reason"].as_str().unwrap();
    assert!(reason.ends_with("no answer for 2s"), "{missed}");
}

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

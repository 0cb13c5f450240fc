//! A serial port that the system makes of classic Bluetooth, as the original's controller had it:
//! `/dev/rfcomm0`.

use crate::guest::Guest;
use crate::mtom::{Gateway, device};
use crate::process::said_by;

const PORT: &str = "/dev/rfcomm0";

pub(crate) fn over_a_bound_port_it_obeys(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = device(guest, "actuator-hci1", &["--spp", "hci1", "--lease", "none"]);
    let address = guest.address(1);
    let said = said_by("rfcomm", &["-i", "hci0", "bind", "0", &address, "1"]);
    assert!(std::path::Path::new(PORT).exists(), "{said}");
    let gateway = Gateway::up(guest, &format!("serial:{PORT}"));
    for (celsius, led) in [("25.0", "on"), ("24.9", "off")] {
        gateway.publish(celsius);
        gateway.lamp_is(led);
        lamp.says(&format!("LED {led}"));
    }
    drop(gateway);
    said_by("rfcomm", &["release", "0"]);
}

/// Silent, and at the speed that the original's port has.
pub(crate) fn an_original_device_is_shown_as_sent(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = device(guest, "actuator-hci1", &["--spp", "hci1", "--original"]);
    let address = guest.address(1);
    said_by("rfcomm", &["-i", "hci0", "bind", "0", &address, "1"]);
    let gateway = Gateway::up(guest, &format!("serial:{PORT}?baud=115200"));
    gateway.publish("25.0");
    lamp.says("LED on");
    let shown = gateway.lamp_when("it was sent", |lamp| lamp["sent"]["led"] == "on");
    assert_eq!(shown["reported"], serde_json::Value::Null, "{shown}");
    drop(gateway);
    said_by("rfcomm", &["release", "0"]);
}

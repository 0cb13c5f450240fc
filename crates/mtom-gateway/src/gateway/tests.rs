use super::listening::is_for;

#[test]
fn a_filter_that_begins_with_a_wildcard_leaves_out_what_devices_say_about_themselves() {
    for (filter, name, expected) in [
        ("#", "Environ/Temperature", true),
        ("#", "mtom/a/status", false),
        ("+/a/status", "mtom/a/status", false),
        ("#", "homeassistant/sensor/a/config", false),
        ("#", "homeassistant/config", true),
        ("#", "homeassistant/status", false),
        ("#", "homeassistant/device/a/config", false),
        ("#", "homeassistant/sensor/node/a/config", false),
        ("#", "homeassistant/sensor/sensorBedroom/state", true),
        ("+/sensor/+/state", "homeassistant/sensor/sensorBedroom/state", true),
        ("#", "mtom/a/state", false),
        ("#", "mtom/a/settings", false),
        ("#", "mtom/a/set", false),
        ("#", "mtom/status", true),
        ("#", "mtom/a/b/status", true),
        ("#", "mtom/kitchen/temperature", true),
        ("mtom/#", "mtom/a/status", true),
        ("homeassistant/#", "homeassistant/sensor/a/config", true),
        ("homeassistant/+/a", "homeassistant/b/a", true),
        ("#", "mtomato/a", true),
        ("#", "$SYS/broker/uptime", false),
    ] {
        assert_eq!(is_for(filter, name), expected, "{filter} {name}");
    }
}

use super::listening::{cover, is_for};
use crate::announce::Ours;
use crate::discovery::Cover;

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

#[test]
fn a_topic_is_covered_by_every_filter_that_is_meant_for_it() {
    let filters = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let spoken = filters(&["lamp/state"]);
    for (list, name, expected) in [
        (&["Environ/#"][..], "kitchen/state", Cover::None),
        (&["Environ/#"], "Environ/Temperature", Cover::Named),
        (&["+/+"], "kitchen/state", Cover::Named),
        (&["+/#"], "kitchen/state", Cover::Named),
        (&["#"], "kitchen/state", Cover::Everything),
        (&["#", "kitchen/#"], "kitchen/state", Cover::Named),
        // What nobody reads there without a config is not covered.
        (&["#"], "mtom/a/state", Cover::None),
        (&["#"], "lamp/state", Cover::Past),
        (&["#"], "spBv1.0/G/DDATA/E/D", Cover::Past),
        (&["Environ/#"], "mtom/mtom-0123abcd/reading/a/b", Cover::Past),
    ] {
        let found =
            cover(&filters(list), Ours::new("homeassistant", "mtom-1a2b3c4d"), &spoken)(name);
        assert_eq!(found, expected, "{list:?} {name}");
    }
}

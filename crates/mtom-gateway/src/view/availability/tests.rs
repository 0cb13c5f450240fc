use super::{Heard, StoredReading, UnixMicros, View, Who};
use mtom_protocol::reading::Reading;
use mtom_protocol::unit::Unit;
use std::sync::Arc;

const NOW: UnixMicros = UnixMicros(1_795_421_190_000_000);

fn stored(topic: &str, device: &str, quantity: &str) -> Arc<StoredReading> {
    let reading = Reading {
        topic: topic.into(),
        device: device.into(),
        quantity: quantity.into(),
        value: 1.0,
        unit: Unit::None,
        taken_at: None,
        key: None,
    };
    let at = UnixMicros(NOW.0 - 1_000_000);
    Arc::new(StoredReading { id: 1, at, arrived_at: at, suspect: false, reading })
}

fn changes(view: &View, heard: &[Heard]) -> Vec<String> {
    let changed = view.availability(heard, &[], NOW);
    let word = |is_there| if is_there { "there" } else { "gone" };
    changed.iter().map(|of| format!("{} {}", of.device, word(of.is_available))).collect()
}

#[test]
fn with_a_node_go_its_own_devices_and_nobody_else() {
    let view = View::default();
    let of_sparkplug = |device| stored("spBv1.0/any", device, "q");
    view.readings(&[
        of_sparkplug("G/D"),
        of_sparkplug("G/E"),
        of_sparkplug("G/E!"),
        of_sparkplug("G/E/A"),
        of_sparkplug("G/E/B"),
        stored("spBv1.0/any", "G/E/B", "r"),
        of_sparkplug("G/E0"),
        of_sparkplug("G/E2/C"),
        stored("G/E/other/q", "G/E/other", "q"),
    ]);
    let heard = |who, is_available| Heard::now(who, is_available, 0);
    // One of whom nothing was read yet.
    assert_eq!(changes(&view, &[heard(Who::Device("G/E/new".into()), true)]), ["G/E/new there"]);
    let gone = ["G/E gone", "G/E/A gone", "G/E/B gone", "G/E/new gone"];
    assert_eq!(changes(&view, &[heard(Who::Node("G/E".into()), false)]), gone);
}

#[test]
fn a_bridge_that_goes_and_comes_within_a_batch_does_so_for_all_behind_it() {
    let view = View::default();
    let behind = |device: &str| stored(&format!("zigbee2mqtt/{device}"), device, "q");
    view.readings(&[behind("a"), behind("b"), stored("b/c", "b", "c"), stored("c/d", "c", "d")]);
    let bridge = |is_available| Heard::now(Who::Bridge("zigbee2mqtt/"), is_available, 0);
    let twice = ["a gone", "b gone", "a there", "b there"];
    assert_eq!(changes(&view, &[bridge(false), bridge(false), bridge(true)]), twice);
}

//! Devices and series are those of the newest readings.

use super::{Devices, SeriesList};
use expect_test::expect;
use mtom_gateway::availability::Availability;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;

fn stored(id: u64, device: &str, quantity: &str, unit: Unit) -> StoredReading {
    let at = UnixMicros(1_795_421_190_000_000 + i64::try_from(id).unwrap() * 1_000_000);
    let reading = Reading {
        topic: format!("{device}/{quantity}").into(),
        device: device.into(),
        quantity: quantity.into(),
        value: 21.5,
        unit,
        taken_at: None,
        key: None,
    };
    StoredReading { id, at, arrived_at: UnixMicros(at.0 + 7), suspect: false, reading }
}

#[test]
fn a_device_has_its_series_and_was_heard_with_the_last_of_them() {
    let latest = [
        stored(3, "cellar", "Temperature", Unit::Celsius),
        stored(1, "attic", "Temperature", Unit::Celsius),
        stored(2, "cellar", "Humidity", Unit::Percent),
    ];
    let since = UnixMicros(1_795_421_190_000_000);
    let said = [Availability {
        device: "cellar".into(),
        is_available: false,
        since,
        is_learnt_late: true,
    }];
    let devices = Devices::new(latest.iter(), &said);
    let shown: Vec<_> = devices
        .devices
        .iter()
        .map(|device| {
            let said = serde_json::to_string(&device.availability).unwrap();
            format!("{} {} {} {said}", device.name, device.heard_at, device.readings.len())
        })
        .collect();
    expect![[r#"
        attic 2026-11-23T08:06:31.000007Z 1 null
        cellar 2026-11-23T08:06:33.000007Z 2 {"device":"cellar","available":false,"since":"2026-11-23T08:06:30.000000Z","since_micros":1795421190000000,"since_latest":true}"#]]
    .assert_eq(&shown.join("\n"));
    let series = SeriesList::new(latest.iter());
    expect![[r#"{"series":[{"device":"attic","quantity":"Temperature","unit":"°C","topic":"attic/Temperature","last_at":"2026-11-23T08:06:31.000000Z","last_at_micros":1795421191000000},{"device":"cellar","quantity":"Humidity","unit":"%","topic":"cellar/Humidity","last_at":"2026-11-23T08:06:32.000000Z","last_at_micros":1795421192000000},{"device":"cellar","quantity":"Temperature","unit":"°C","topic":"cellar/Temperature","last_at":"2026-11-23T08:06:33.000000Z","last_at_micros":1795421193000000}]}"#]]
    .assert_eq(&serde_json::to_string(&series).unwrap());
}

use super::{device, note, sorted, table};
use expect_test::expect;
use mtom_actuator::{Kind, Sighting};
use std::collections::BTreeMap;

fn sighting(id: &str, name: Option<&str>, signal_dbm: Option<i16>) -> Sighting {
    let (id, name) = (id.parse().unwrap(), name.map(str::to_owned));
    Sighting { id, name, kind: Kind::Le, signal_dbm, has_service: None }
}

#[test]
fn what_is_in_reach_is_listed_by_strength_with_what_to_write() {
    let mut devices = BTreeMap::new();
    let mut led = sighting("C6:55:44:33:22:11", None, Some(-70));
    note(&mut devices, led.clone());
    // Its name and its service come later, the signal goes again.
    led = Sighting { name: Some("TEMP_LED".into()), signal_dbm: None, ..led };
    note(&mut devices, Sighting { has_service: Some(true), ..led.clone() });
    note(&mut devices, led);
    note(&mut devices, sighting("D0:00:00:00:00:01", Some("\u{1b}[31mevil"), Some(-40)));
    let classic = sighting("00:11:22:33:44:55", Some("TEMP_LED"), None);
    note(&mut devices, Sighting { kind: Kind::Classic, has_service: Some(false), ..classic });
    expect![[r"
        LINK                     NAME                     KIND       SIGNAL  SERVICE
        ble:D0:00:00:00:00:01    ?[31mevil                LE        -40 dBm
        ble:C6:55:44:33:22:11    TEMP_LED                 LE        -70 dBm  UART
        spp:00:11:22:33:44:55    TEMP_LED                 classic            no serial port"]]
    .assert_eq(&table(&devices).join("\n"));
    // The API says the same, in the same order.
    let links: Vec<String> = sorted(&devices).into_iter().map(|it| device(it).link).collect();
    let expected = ["ble:D0:00:00:00:00:01", "ble:C6:55:44:33:22:11", "spp:00:11:22:33:44:55"];
    assert_eq!(links, expected);
}

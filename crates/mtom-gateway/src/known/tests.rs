use super::Known;
use mtom_actuator::LinkAddress;

fn link(text: &str) -> LinkAddress {
    text.parse().unwrap()
}

#[test]
fn a_name_leads_to_the_same_device_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let id = "C6:55:44:33:22:11".parse().unwrap();
    let known = Known::open(folder.path());
    assert_eq!(known.of(&link("ble:Warm LED")), None);
    known.keep(&link("ble:Warm LED?adapter=hci1"), id).unwrap();
    known.keep(&link("spp:Warm LED"), "C6:55:44:33:22:12".parse().unwrap()).unwrap();
    drop(known);
    let known = Known::open(folder.path());
    let of = |text| known.of(&link(text)).map(|id| id.to_string());
    assert_eq!(of("ble:Warm LED").as_deref(), Some("C6:55:44:33:22:11"));
    assert_eq!(of("spp:Warm LED?channel=3").as_deref(), Some("C6:55:44:33:22:12"));
    assert_eq!(of("ble:Cold LED"), None);
    let file = std::fs::read_to_string(folder.path().join("bluetooth")).unwrap();
    assert!(file.ends_with("\nC6:55:44:33:22:11 ble:Warm LED\nC6:55:44:33:22:12 spp:Warm LED\n"));
}

#[test]
fn what_needs_no_memory_gets_none() {
    let folder = tempfile::tempdir().unwrap();
    let known = Known::open(folder.path());
    for text in ["ble:C6:55:44:33:22:11", "tcp:host:1", "serial:COM1"] {
        known.keep(&link(text), "C6:55:44:33:22:11".parse().unwrap()).unwrap();
        assert_eq!(known.of(&link(text)), None);
    }
    assert!(!folder.path().join("bluetooth").exists());
}

#[test]
fn a_file_that_somebody_has_spoilt_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "# a word\nnonsense\n\u{0} ble:X\nC6:55:44:33:22:11 ble:LED\nC6:55 ble:Y\n";
    std::fs::write(folder.path().join("bluetooth"), lines).unwrap();
    let known = Known::open(folder.path());
    assert!(known.of(&link("ble:LED")).is_some());
    assert_eq!((known.of(&link("ble:X")), known.of(&link("ble:Y"))), (None, None));
}

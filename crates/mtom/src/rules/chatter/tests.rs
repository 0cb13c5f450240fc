use super::*;
use mtom_protocol::payload::decode;

fn keys(on: &str, off: Option<&str>) -> Vec<String> {
    let spec =
        RuleSpec { on: on.into(), off: off.map(str::to_owned), ..RuleSpec::original("LAMP") };
    let found = variants(&[spec]);
    let keys = found.into_iter().filter_map(|variant| match variant.kind {
        Kind::Key(key) => Some(key),
        Kind::Own | Kind::Bare => None,
    });
    keys.collect()
}

#[test]
fn a_rule_that_compares_once_is_tried_with_an_off_of_its_own() {
    let found = keys("celsius >= 25.0", None);
    assert_eq!(found[..2], ["off = \"celsius < 24.5\"", "off = \"celsius < 24.0\""]);
    assert!(found.contains(&"for = \"10s\"".to_owned()), "{found:?}");
    assert_eq!(keys("celsius < 5", None)[0], "off = \"celsius > 5.5\"");
    for (on, off) in [
        ("celsius >= 25.0", Some("celsius < 24.0")),
        ("celsius >= 25.0 && value > 3.0", None),
        ("25.0 <= celsius", None),
        ("!(celsius >= 25.0)", None),
        ("celsius == 25.0", None),
    ] {
        assert!(keys(on, off).iter().all(|key| key.starts_with("for")), "{on}");
    }
}

#[test]
fn a_noisy_threshold_switches_with_every_reading_and_a_margin_makes_it_calm() {
    let spec = RuleSpec { max_age: None, ..RuleSpec::original("LAMP") };
    let found = variants(&[spec]);
    let mut trial = Trial::new(&found, UnixMicros(0));
    for second in 0..3_600_i64 {
        let payload = if second % 2 == 0 { "25.1 °C" } else { "24.9 °C" };
        let reading = decode("Environ/Temperature", payload.as_bytes()).remove(0).unwrap();
        let at = UnixMicros(second * 1_000_000);
        let id = second.unsigned_abs() + 1;
        trial.reading(&StoredReading { id, at, arrived_at: at, suspect: false, reading });
    }
    let outcome = trial.finish(UnixMicros(3_600_000_000));
    let of = |wanted: &dyn Fn(&Kind) -> bool| {
        outcome.iter().find(|(variant, _)| wanted(&variant.kind)).map(|(_, count)| *count).unwrap()
    };
    assert!((of(&|kind| *kind == Kind::Bare) - 3_599.0).abs() < 2.0, "{outcome:?}");
    assert_eq!(of(&|kind| matches!(kind, Kind::Key(key) if key.starts_with("off"))), 0.0);
    assert_eq!(of(&|kind| matches!(kind, Kind::Key(key) if key.starts_with("for"))), 0.0);
}

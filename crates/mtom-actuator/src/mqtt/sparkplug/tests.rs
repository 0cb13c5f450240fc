//! What a node's messages say about the one metric that is a switch.

use super::{Ear, Metric, Says};
use mtom_protocol::link::Led;
use mtom_protocol::payload::sparkplug::{
    self, BD_SEQ, BOOLEAN, Payload, PropertySet, PropertyValue, Value, property_value,
};
use mtom_protocol::time::UnixMicros;

const LED: &str = "Outputs/LED";

fn switch() -> Metric {
    Metric::parse("plant/pump/relay/Outputs/LED").unwrap()
}

fn metric(
    name: Option<&str>,
    alias: Option<u64>,
    datatype: u32,
    value: Value,
) -> sparkplug::Metric {
    let (name, datatype) = (name.map(Into::into), Some(datatype));
    sparkplug::Metric { name, alias, datatype, value: Some(value), ..Default::default() }
}

fn led(name: Option<&str>, alias: Option<u64>, is_on: bool) -> sparkplug::Metric {
    metric(name, alias, BOOLEAN, Value::Boolean(is_on))
}

fn payload(metrics: &[sparkplug::Metric]) -> Vec<u8> {
    Payload { metrics: metrics.to_vec(), ..Payload::default() }.bytes()
}

fn session(number: u64) -> Vec<u8> {
    payload(&[metric(Some(BD_SEQ), None, 4, Value::Long(number))])
}

fn check(ear: &mut Ear<'_>, topic: &str, payload: &[u8], expected: Option<Says>) {
    assert_eq!(ear.hear(&format!("spBv1.0/{topic}"), payload), expected, "{topic}");
}

#[test]
fn a_metric_is_followed_from_its_birth_by_its_number() {
    let switch = switch();
    let mut ear = Ear::new(&switch);
    let on = [led(None, Some(7), true)];
    check(&mut ear, "plant/DDATA/pump/relay", &payload(&on), Some(Says::Nothing));
    check(&mut ear, "plant/NBIRTH/pump", &session(1), Some(Says::Nothing));
    let birth = payload(&[led(Some("Other"), Some(6), true), led(Some(LED), Some(7), false)]);
    check(&mut ear, "plant/DBIRTH/pump/relay", &birth, Some(Says::Born(Some(false))));
    check(&mut ear, "plant/DDATA/pump/relay", &payload(&on), Some(Says::Is(true)));
    let by_name = [led(Some(LED), None, false)];
    check(&mut ear, "plant/DDATA/pump/relay", &payload(&by_name), Some(Says::Is(false)));
    let mut past = led(None, Some(7), true);
    past.is_historical = Some(true);
    check(&mut ear, "plant/DDATA/pump/relay", &payload(&[past]), Some(Says::Nothing));
    let several = [led(None, Some(7), false), led(None, Some(6), false), led(None, Some(7), true)];
    check(&mut ear, "plant/DDATA/pump/relay", &payload(&several), Some(Says::Is(true)));
    check(&mut ear, "plant/DDEATH/pump/relay", &payload(&[]), Some(Says::Gone));
    // A new session gives new numbers.
    check(&mut ear, "plant/NBIRTH/pump", &session(2), Some(Says::Nothing));
    check(&mut ear, "plant/DDATA/pump/relay", &payload(&on), Some(Says::Nothing));
    check(&mut ear, "plant/NDEATH/pump", &session(1), Some(Says::Nothing));
    check(&mut ear, "plant/NDEATH/pump", &session(2), Some(Says::Gone));
}

#[test]
fn a_device_that_is_not_born_again_with_its_node_has_gone() {
    let switch = switch();
    let mut ear = Ear::new(&switch);
    let birth = payload(&[led(Some(LED), Some(7), true)]);
    let data = payload(&[led(None, Some(9), true)]);
    check(&mut ear, "plant/NDATA/pump", &data, Some(Says::Nothing));
    for _ in 0..2 {
        check(&mut ear, "plant/NBIRTH/pump", &session(1), Some(Says::Nothing));
        assert_eq!(ear.alias(), None, "its number has gone with the birth");
        check(&mut ear, "plant/DBIRTH/pump/relay", &birth, Some(Says::Born(Some(true))));
        assert_eq!(ear.alias(), Some(7));
        check(&mut ear, "plant/NDATA/pump", &data, Some(Says::Nothing));
    }
    check(&mut ear, "plant/NBIRTH/pump", &session(1), Some(Says::Nothing));
    check(&mut ear, "plant/NDATA/pump", &data, Some(Says::Gone));
    check(&mut ear, "plant/NDATA/pump", &data, Some(Says::Nothing));
    check(&mut ear, "plant/DBIRTH/pump/relay", &birth, Some(Says::Born(Some(true))));
}

#[test]
fn a_name_goes_before_a_number_and_what_is_bad_says_nothing() {
    let switch = switch();
    let mut ear = Ear::new(&switch);
    let quality = |number| {
        let value = Some(property_value::Value::Int(number));
        let value = PropertyValue { datatype: Some(3), value };
        let properties = Some(PropertySet { keys: vec!["Quality".into()], values: vec![value] });
        sparkplug::Metric { properties, ..led(Some(LED), Some(7), true) }
    };
    check(&mut ear, "plant/DBIRTH/pump/relay", &payload(&[quality(500)]), Some(Says::Born(None)));
    let other = [led(Some("Other"), Some(7), true)];
    check(&mut ear, "plant/DDATA/pump/relay", &payload(&other), Some(Says::Nothing));
    check(&mut ear, "plant/DDATA/pump/relay", &payload(&[quality(0)]), Some(Says::Nothing));
    check(&mut ear, "plant/DDATA/pump/relay", &payload(&[quality(192)]), Some(Says::Is(true)));
    let empty = [led(Some(""), Some(7), false)];
    check(&mut ear, "plant/DDATA/pump/relay", &payload(&empty), Some(Says::Is(false)));
}

#[test]
fn a_birth_without_it_says_so_and_null_says_nothing() {
    let switch = switch();
    let mut ear = Ear::new(&switch);
    let other_type = [metric(Some(LED), None, 3, Value::Int(1))];
    for without in [&[][..], &[led(Some("Other"), None, true)], &other_type] {
        check(&mut ear, "plant/DBIRTH/pump/relay", &payload(without), Some(Says::Missing));
    }
    let mut null = led(Some(LED), Some(1), true);
    null.is_null = Some(true);
    check(&mut ear, "plant/DBIRTH/pump/relay", &payload(&[null]), Some(Says::Born(None)));
}

#[test]
fn what_is_of_somebody_else_or_unreadable_is_passed_over() {
    let switch = switch();
    let mut ear = Ear::new(&switch);
    let birth = payload(&[led(Some(LED), None, true)]);
    for topic in [
        "plant/DBIRTH/pump/other",
        "plant/DBIRTH/other/relay",
        "other/DBIRTH/pump/relay",
        "plant/NDEATH/other",
        "plant/DCMD/pump/relay",
        "STATE/host",
        "plant",
    ] {
        check(&mut ear, topic, &birth, None);
    }
    check(&mut ear, "plant/DBIRTH/pump/relay", b"on", None);
}

#[test]
fn a_metric_of_the_node_itself_needs_no_device() {
    let switch = Metric::parse("plant/pump//Outputs/LED").unwrap();
    assert_eq!(
        switch.topics,
        ["NBIRTH", "NDATA", "NDEATH"].map(|w| format!("spBv1.0/plant/{w}/pump"))
    );
    assert_eq!(switch.set(), "spBv1.0/plant/NCMD/pump");
    let mut ear = Ear::new(&switch);
    let birth = payload(&[led(Some(LED), Some(3), true)]);
    check(&mut ear, "plant/NBIRTH/pump", &birth, Some(Says::Born(Some(true))));
    check(
        &mut ear,
        "plant/NDATA/pump",
        &payload(&[led(None, Some(3), false)]),
        Some(Says::Is(false)),
    );
    check(&mut ear, "plant/DDATA/pump/relay", &payload(&[led(None, Some(3), true)]), None);
    check(&mut ear, "plant/NDEATH/pump", &session(0), Some(Says::Gone));
    for wrong in ["", "a", "a/b", "a/b/c", "a/b/c/", "/b/c/d", "a//c/d"] {
        assert_eq!(Metric::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn commands_are_those_of_the_specification() {
    let switch = switch();
    assert_eq!(switch.set(), "spBv1.0/plant/DCMD/pump/relay");
    assert_eq!(switch.ask(), "spBv1.0/plant/NCMD/pump");
    let now = UnixMicros(1_795_421_190_000_000);
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(
        hex(switch.command(Led::On, None, now)),
        "08f0eec4bba03412180a0b4f7574707574732f4c454418f0eec4bba034200b7001"
    );
    // Its number stands instead of its name, and not beside it.
    assert_eq!(
        hex(switch.command(Led::Off, Some(7), now)),
        "08f0eec4bba034120d100718f0eec4bba034200b7000"
    );
    assert_eq!(
        hex(Metric::rebirth(now)),
        "08f0eec4bba03412210a144e6f646520436f6e74726f6c2f5265626972746818f0eec4bba034200b7001"
    );
}

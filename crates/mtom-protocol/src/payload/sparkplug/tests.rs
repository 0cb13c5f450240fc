//! Golden payloads, as the Python library pysparkplug 0.6 encodes them, and what is no Sparkplug.

use super::{
    BOOLEAN, Kind, METRICS_LEN_MAX, Metric, Named, PAYLOAD_LEN_MAX, Payload, Place, PropertySet,
    PropertyValue, Speaker, Value, place, property_value, time,
};
use crate::payload::NotAReading;
use crate::time::UnixMicros;
use crate::unit::Unit;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

const AT: UnixMicros = UnixMicros(1_795_421_190_000_000);
const NBIRTH: &str = "08f0eec4bba03412120a05626453657118f0eec4bba0342004580712210a144e6f646520436f6e74726f6c2f526562697274681\
8f0eec4bba034200b700012240a12537570706c792f54656d7065726174757265100118f0eec4bba0342009653333ab411800";
const DBIRTH: &str = "08f0eec4bba03412210a0b54656d7065726174757265100a18f0eec4bba034200a69666666666666374012160a054c6576656c10\
0b18f0eec4bba034200250fbff0312130a04446f6f72100c18f0eec4bba034200b700112180a05436f756e74100d18f0eec4bba03420085880808\
0801012180a0653657269616c100e18f0eec4bba034200c7a03412d3112150a05536d616c6c100f18f0eec4bba034200150ff0112170a04576f72\
64101018f0eec4bba034200750ffffffff0f121b0a03426967101118f0eec4bba0342004\
58d6ffffffffffffffff0112160a03496e74101218f0eec4bba03420035090ddfbff0f1801";
const DDATA: &str = "08f0eec4bba0341214100a18f0eec4bba034200a6900000000008038401802";
const NDEATH: &str = "08f0eec4bba03412120a05626453657118f0eec4bba03420045807";

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn payload(hex: &str) -> Payload {
    let read = Payload::read(&bytes(hex)).unwrap();
    assert_eq!(Payload::read(&read.bytes()), Ok(read.clone()));
    read
}

/// Each metric as its name or number and what it measures.
fn numbers(payload: &Payload) -> Vec<String> {
    let shown = |metric: &Metric| {
        let name = metric
            .called()
            .map(ToString::to_string)
            .or(metric.alias.map(|alias| alias.to_string()))
            .unwrap();
        let number = match metric.number(metric.datatype.unwrap()) {
            None => "-".to_string(),
            Some(Ok(number)) => number.to_string(),
            Some(Err(reason)) => reason.code().to_string(),
        };
        alloc::format!("{name} {number}")
    };
    payload.metrics.iter().map(shown).collect()
}

#[test]
fn births_data_and_deaths_of_a_foreign_node_are_read() {
    let birth = payload(NBIRTH);
    assert_eq!((birth.seq, birth.bd_seq()), (Some(0), Some(7)));
    assert_eq!(birth.timestamp.and_then(time), Some(AT));
    assert_eq!(
        numbers(&birth),
        ["bdSeq 7", "Node Control/Rebirth 0", "Supply/Temperature 21.4"],
        "a number of 32 bits is what was meant by it"
    );
    assert_eq!(
        numbers(&payload(DBIRTH)),
        [
            "Temperature 23.4",
            "Level -5",
            "Door 1",
            "Count 4294967296",
            "Serial -",
            "Small -1",
            "Word 4294967295",
            "Big -42",
            "Int -70000",
        ]
    );
    assert_eq!(numbers(&payload(DDATA)), ["10 24.5"]);
    assert_eq!(payload(NDEATH).bd_seq(), Some(7));
}

#[test]
fn a_command_is_what_others_send() {
    let said = Payload::command(Named::Name("Outputs/LED"), true, AT);
    // With the datatype, which clause 6.4.24 asks for and pysparkplug leaves out.
    let expected = "08f0eec4bba03412180a0b4f7574707574732f4c454418f0eec4bba034200b7001";
    assert_eq!(said.bytes(), bytes(expected));
    assert_eq!(said.metrics.first().and_then(Metric::truth), Some(Ok(true)));
    // By its number, and then without its name.
    let said = Payload::command(Named::Alias(7), false, AT);
    let expected = "08f0eec4bba034120d100718f0eec4bba034200b7000";
    assert_eq!(said.bytes(), bytes(expected));
}

fn metric(datatype: u32, value: Value) -> Option<Result<f64, NotAReading>> {
    Metric { value: Some(value), ..Metric::default() }.number(datatype)
}

#[test]
fn whole_numbers_are_twos_complement_in_either_width() {
    for (datatype, value, expected) in [
        (1, Value::Int(0xff), -1.0),
        (1, Value::Int(0xffff_ffff), -1.0),
        (1, Value::Int(0x80), -128.0),
        (1, Value::Long(u64::MAX), -1.0),
        (2, Value::Int(0xfffb), -5.0),
        (2, Value::Int(0x7fff), 32_767.0),
        (3, Value::Int(0xfffe_ee90), -70_000.0),
        (4, Value::Long(u64::MAX - 41), -42.0),
        (5, Value::Int(0xff), 255.0),
        (6, Value::Int(0xffff), 65_535.0),
        (7, Value::Int(u32::MAX), 4_294_967_295.0),
        (7, Value::Long(u64::from(u32::MAX)), 4_294_967_295.0),
        (8, Value::Long(1 << 53), 9_007_199_254_740_992.0),
        (9, Value::Float(-0.1), -0.1),
        (10, Value::Double(1e300), 1e300),
        (BOOLEAN, Value::Boolean(false), 0.0),
    ] {
        assert_eq!(metric(datatype, value.clone()), Some(Ok(expected)), "{datatype} {value:?}");
    }
    for (datatype, value, code) in [
        (1, Value::Int(0x1ff), "not_a_number"),
        (5, Value::Int(0x100), "not_a_number"),
        (5, Value::Int(0xffff_ffff), "not_a_number"),
        (7, Value::Long(1 << 32), "not_a_number"),
        (8, Value::Long((1 << 53) + 1), "inexact"),
        (4, Value::Long(i64::MIN.cast_unsigned()), "inexact"),
        (3, Value::Double(1.0), "not_a_number"),
        (10, Value::Int(1), "not_a_number"),
        (BOOLEAN, Value::Int(1), "not_a_number"),
    ] {
        let reason = metric(datatype, value.clone()).unwrap().unwrap_err();
        assert_eq!(reason.code(), code, "{datatype} {value:?}");
    }
    for datatype in [0, 12, 13, 16, 19, 22, 99] {
        assert_eq!(metric(datatype, Value::Int(1)), None, "{datatype} measures nothing");
    }
    let null = Metric { is_null: Some(true), value: Some(Value::Int(1)), ..Metric::default() };
    assert_eq!(null.number(3), None);
    let nothing = Metric::default();
    assert_eq!(
        (nothing.number(3), nothing.number(10), nothing.number(BOOLEAN)),
        (None, None, None)
    );
}

#[test]
fn a_unit_is_what_the_property_says_or_the_name_implies() {
    let unit = |name: &str, said: Option<&str>| {
        let properties = said.map(|said| PropertySet {
            keys: alloc::vec!["quality".into(), "EngUnit".into()],
            values: [Some("192"), Some(said)]
                .map(|text| PropertyValue {
                    datatype: Some(12),
                    value: text.map(|text| property_value::Value::Text(text.into())),
                })
                .into(),
        });
        Metric { properties, ..Metric::default() }.unit(name)
    };
    for (name, said, expected) in [
        ("Supply/Temperature", None, Unit::Celsius),
        ("Supply/Level", None, Unit::None),
        ("Supply/Temperature", Some("degF"), Unit::Fahrenheit),
        ("Supply/Level", Some(" % "), Unit::Percent),
        ("Supply", Some("hPa"), Unit::HectoPascal),
        ("Supply/Temperature", Some("kWh"), Unit::None),
    ] {
        assert_eq!(unit(name, said), expected, "{name} {said:?}");
    }
}

#[test]
fn a_topic_says_whose_message_it_is() {
    let of = |kind, device| Some(Place { kind, group: "G", node: "E", device });
    for (topic, expected, name) in [
        ("spBv1.0/G/NBIRTH/E", of(Kind::Birth, None), "G/E"),
        ("spBv1.0/G/NDATA/E", of(Kind::Data, None), "G/E"),
        ("spBv1.0/G/NDEATH/E", of(Kind::Death, None), "G/E"),
        ("spBv1.0/G/NCMD/E", of(Kind::Command, None), "G/E"),
        ("spBv1.0/G/DBIRTH/E/D", of(Kind::Birth, Some("D")), "G/E/D"),
        ("spBv1.0/G/DCMD/E/D", of(Kind::Command, Some("D")), "G/E/D"),
        ("spBv1.0/STATE/scada", None, ""),
    ] {
        let found = place(topic).unwrap();
        assert_eq!(found, expected, "{topic}");
        if let Some(place) = found {
            assert_eq!((place.topic(), place.name()), (topic.into(), name.into()));
        }
    }
    for topic in [
        "spBv1.0/",
        "spBv1.0/G/NBIRTH",
        "spBv1.0/G/NBIRTH/",
        "spBv1.0/G/NBIRTH/E/D",
        "spBv1.0/G/DBIRTH/E",
        "spBv1.0/G/DBIRTH/E/",
        "spBv1.0/G/DBIRTH/E/D/more",
        "spBv1.0/G/XBIRTH/E",
        "spBv1.0/G/ÄBIRTH/E",
        "spBv1.0/G/N/E",
        "spBv1.0//NBIRTH/E",
        "spAv1.0/G/NBIRTH/E",
    ] {
        assert_eq!(place(topic).unwrap_err().code(), "sparkplug", "{topic}");
    }
    assert_eq!(place("spBv1.0/G/N\u{1}/E"), Err(NotAReading::TopicControl));
    let long = alloc::format!("spBv1.0/G/NBIRTH/{}", "E".repeat(300));
    assert_eq!(place(&long), Err(NotAReading::TopicTooLong { len: long.len() }));
}

#[test]
fn what_is_no_payload_or_too_much_of_one_is_refused_before_it_takes_room() {
    for bytes in [&b"23.4"[..], b"{\"temperature\":1}", &[0x12, 0x05, 0x0a], &[0xff; 20], &[0x12]] {
        let refused = Payload::read(bytes);
        assert_eq!(refused.unwrap_err().code(), "sparkplug", "{bytes:?}");
    }
    assert_eq!(Payload::read(b""), Ok(Payload::default()));
    let many = |count: usize| [0x12, 0].repeat(count);
    assert_eq!(Payload::read(&many(METRICS_LEN_MAX)).unwrap().metrics.len(), METRICS_LEN_MAX);
    assert_eq!(
        Payload::read(&many(METRICS_LEN_MAX + 1)),
        Err(NotAReading::Sparkplug("at most 2048 metrics in a message"))
    );
    let len = PAYLOAD_LEN_MAX + 1;
    let long = NotAReading::Sparkplug("a payload of at most 256 KiB");
    assert_eq!(Payload::read(&alloc::vec![0; len]), Err(long));
}

#[test]
fn a_reading_is_checked_as_any_other() {
    let place = place("spBv1.0/G/DDATA/E/D").unwrap().unwrap();
    let of =
        |name: &str, number| Speaker::new(place).reading((name, number, Unit::Celsius), Some(AT));
    let read = of("Supply/Temperature", 21.5).unwrap();
    assert_eq!(&*read.topic, "spBv1.0/G/DDATA/E/D");
    assert_eq!((&*read.device, &*read.quantity), ("G/E/D", "Supply/Temperature"));
    assert_eq!((read.value, read.unit, read.taken_at), (21.5, Unit::Celsius, Some(AT)));
    assert_eq!(of("T", f64::NAN).unwrap_err(), NotAReading::NotFinite);
    assert_eq!(of("T", -300.0).unwrap_err().code(), "out_of_range");
    assert_eq!(of("", 1.0).unwrap_err(), NotAReading::Quantity);
    assert_eq!(time(u64::MAX), None);
}

#[test]
fn a_text_that_is_none_costs_nothing_else() {
    // Its name, its value, and a property of it: 0xff is no UTF-8.
    let wrong = [0x0a, 1, 0xff, 0x4a, 8, 0x0a, 1, 0xfe, 0x12, 3, 0x42, 1, 0xff, 0x7a, 1, 0xff];
    let right = [0x0a, 1, b'a', 0x20, 3, 0x50, 7];
    let payload = [&[0x12, 16][..], &wrong, &[0x12, 7], &right].concat();
    let read = Payload::read(&payload).unwrap();
    let names: Vec<_> = read.metrics.iter().map(Metric::called).collect();
    assert_eq!(names, [Some(""), Some("a")]);
    let units: Vec<_> = read.metrics.iter().map(|metric| metric.unit("pressure")).collect();
    assert_eq!(units, [Unit::None; 2]);
    let numbers: Vec<_> = read.metrics.iter().map(|metric| metric.number(3)).collect();
    assert_eq!(numbers, [Some(Err(NotAReading::NotANumber)), Some(Ok(7.0))]);
}

#[test]
fn what_is_bad_or_stale_does_not_hold() {
    use property_value::Value::{Int, Long, Text};
    let with = |key: &str, value| {
        let value = PropertyValue { datatype: Some(3), value: Some(value) };
        let properties = PropertySet { keys: alloc::vec![key.into()], values: alloc::vec![value] };
        let read = Metric { properties: Some(properties), ..Metric::default() };
        let payload = Payload { metrics: alloc::vec![read], ..Payload::default() };
        Payload::read(&payload.bytes()).unwrap().metrics.iter().all(Metric::is_good)
    };
    assert!(Metric::default().is_good());
    assert!(with("Quality", Int(192)) && with("quality", Long(192)) && with("Other", Int(0)));
    assert!(with("Quality", Text("192".into())), "it says nothing that is known");
    for value in [Int(0), Int(500), Long(500)] {
        assert!(!with("Quality", value.clone()), "{value:?}");
    }
}

use crate::payload::READINGS_LEN_MAX;
use crate::payload::tests::check;
use expect_test::expect;

const TOPIC: &str = "home/kitchen";

// RFC 8428, section 5.1.1: a name that is the device's.
#[test]
fn a_single_data_point_of_a_named_device() {
    check(
        TOPIC,
        br#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#,
        expect![[r#"
        urn:dev:ow:10e2073a01080063 | value | 23.1 °C
    "#]],
    );
}

// Section 5.1.2 and 5.1.3.
#[test]
fn base_values_are_resolved() {
    check(
        TOPIC,
        br#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},{"n":"current","u":"A","v":1.2}]"#,
        expect![[r#"
            urn:dev:ow:10e2073a01080063 | voltage | 120.1 V
            urn:dev:ow:10e2073a01080063 | current | 1.2 A
        "#]],
    );
    check(
        TOPIC,
        br#"[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
            {"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3},{"n":"current","t":0.000001,"v":1.7}]"#,
        expect![[r#"
            urn:dev:ow:10e2073a0108006 | voltage | 120.1 V @2010-06-08T18:01:16.001000Z
            urn:dev:ow:10e2073a0108006 | current | 1.2 A @2010-06-08T18:01:11.001000Z
            urn:dev:ow:10e2073a0108006 | current | 1.3 A @2010-06-08T18:01:12.001000Z
            urn:dev:ow:10e2073a0108006 | current | 1.7 A @2010-06-08T18:01:16.001001Z
        "#]],
    );
    check(
        TOPIC,
        br#"[{"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":25.2},{"n":"humidity","u":"%RH","v":30},
            {"bn":"2001:db8::1/","bv":20,"bu":"Cel","n":"temperature","v":12.3},{"n":"outside","u":"Cel"}]"#,
        expect![[r#"
            2001:db8::2 | temperature | 25.2 °C @2011-10-31T16:27:09.000000Z
            2001:db8::2 | humidity | 30 % @2011-10-31T16:27:09.000000Z
            2001:db8::1 | temperature | 32.3 °C @2011-10-31T16:27:09.000000Z
            2001:db8::1 | outside | 20 °C @2011-10-31T16:27:09.000000Z
        "#]],
    );
}

// Section 5.1.4 (shortened): places have no unit here, and disturb nothing.
#[test]
fn a_unit_that_is_not_known_costs_its_own_record() {
    check(
        TOPIC,
        br#"[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},
            {"u":"lon","v":24.30621},{"u":"lat","v":60.07965},{"t":60,"v":20.3}]"#,
        expect![[r#"
            urn:dev:ow:10e2073a01080063 | value | 20 % @2011-10-31T13:24:24.000000Z
            unknown_unit
            unknown_unit
            urn:dev:ow:10e2073a01080063 | value | 20.3 % @2011-10-31T13:25:24.000000Z
        "#]],
    );
}

#[test]
fn a_short_name_is_a_quantity_of_the_topic_as_a_key_in_json_is() {
    check(
        TOPIC,
        br#"[{"n":"temperature","u":"Cel","v":23.4},{"n":"attic/humidity","v":40},{"n":"count","v":7}]"#,
        expect![[r#"
            home/kitchen | temperature | 23.4 °C
            attic | humidity | 40 %
            home/kitchen | count | 7 
        "#]],
    );
    check(
        "Environ/Temperature",
        br#"[{"n":"temperature","u":"K","v":296.55}]"#,
        expect![[r#"
        Environ | Temperature | 296.55 K
    "#]],
    );
}

#[test]
fn every_unit_of_the_table_is_understood() {
    check(
        TOPIC,
        br#"[{"n":"a","u":"Cel","v":1},{"n":"b","u":"%RH","v":1},{"n":"c","u":"K","v":1},{"n":"d","u":"Pa","v":1},
            {"n":"e","u":"V","v":1},{"n":"f","u":"A","v":1},{"n":"g","u":"W","v":1},{"n":"h","u":"lx","v":1},
            {"n":"i","u":"hPa","v":1},{"n":"j","u":"ppm","v":1},{"n":"k","u":"/","v":1},{"n":"l","u":"%EL","v":1}]"#,
        expect![[r#"
            home/kitchen | a | 1 °C
            home/kitchen | b | 1 %
            home/kitchen | c | 1 K
            home/kitchen | d | 1 Pa
            home/kitchen | e | 1 V
            home/kitchen | f | 1 A
            home/kitchen | g | 1 W
            home/kitchen | h | 1 lx
            home/kitchen | i | 1 hPa
            home/kitchen | j | 1 ppm
            home/kitchen | k | 1 
            home/kitchen | l | 1 %
        "#]],
    );
}

#[test]
fn a_time_relative_to_now_is_none() {
    check(
        TOPIC,
        br#"[{"n":"a","v":1},{"n":"a","t":-60,"v":2},{"n":"a","t":268435455,"v":3},{"n":"a","t":268435456,"v":4}]"#,
        expect![[r#"
            home/kitchen | a | 1 
            home/kitchen | a | 2 
            home/kitchen | a | 3 
            home/kitchen | a | 4  @1978-07-04T21:24:16.000000Z
        "#]],
    );
}

// Section 5.1.5 has texts, booleans and data in one pack.
#[test]
fn records_without_a_number_are_passed_over() {
    check(
        TOPIC,
        br#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},{"n":"label","vs":"Machine Room"},
            {"n":"open","vb":false},{"n":"nfc-reader","vd":"aGkgCg"},{"n":"energy","s":7}]"#,
        expect![[r#"
            urn:dev:ow:10e2073a01080063 | temp | 23.1 °C
        "#]],
    );
}

#[test]
fn a_pack_without_any_number_is_nothing_and_no_mistake() {
    for payload in [
        r#"[{"n":"label","vs":"Machine Room"}]"#,
        r#"[{"bn":"urn:dev:ow:10e2073a01080063:"},{"n":"open","vb":false},{"n":"tag","vd":"aGkgCg"}]"#,
    ] {
        assert_eq!(crate::payload::decode(TOPIC, payload.as_bytes()), [], "{payload}");
    }
}

#[test]
fn an_array_of_something_else_is_no_senml() {
    for payload in ["[]", "[{}]", "[1]", r#"[{"temperature":1}]"#, r#"[{"temperature":1},{"a":2}]"#]
    {
        check(
            TOPIC,
            payload.as_bytes(),
            expect![[r#"
            not_json
        "#]],
        );
    }
}

// Section 12.1: C is coulomb, F is farad.
#[test]
fn coulomb_and_farad_are_no_temperatures() {
    check(
        TOPIC,
        br#"[{"n":"charge","u":"C","v":21},{"n":"capacity","u":"F","v":1},{"n":"temperature","u":"Cel","v":21}]"#,
        expect![[r#"
            unknown_unit
            unknown_unit
            home/kitchen | temperature | 21 °C
        "#]],
    );
    check(
        TOPIC,
        br#"[{"bu":"C","n":"temperature","v":21}]"#,
        expect![[r#"
        unknown_unit
    "#]],
    );
}

#[test]
fn each_mistake_has_its_reason() {
    for (payload, reason) in [
        (r#"[{"n":"a","u":"Cel"}]"#, "SenML: expected a record with a number in v"),
        (r#"[{"v":1}]"#, "SenML: expected a name in n or bn"),
        (r#"[{"n":1,"v":1}]"#, "SenML: expected a text in n"),
        (r#"[{"n":"a","v":"1"}]"#, "SenML: expected a number in v"),
        (r#"[{"n":"a","u":1,"v":1}]"#, "SenML: expected a text in u"),
        (r#"[{"bn":1,"n":"a","v":1},{"n":"b","v":1}]"#, "SenML: expected a text in bn"),
        (r#"[{"bu":1,"n":"a","v":1}]"#, "SenML: expected a text in bu"),
        (r#"[{"bv":"1","n":"a","v":1}]"#, "SenML: expected a number in bv"),
        (r#"[{"bver":11,"n":"a","v":1}]"#, "SenML: expected bver up to 10, or 26"),
        (r#"[{"n":"a","v":1,"must_":1}]"#, "SenML: expected no label that ends with _"),
        (
            r#"[{"n":"a","v":1,"t":1e30}]"#,
            "SenML: expected seconds in t and bt up to the year 9999, as in 1735689600.5",
        ),
        (
            r#"[{"n":"a","v":1,"t":"now"}]"#,
            "SenML: expected seconds in t and bt up to the year 9999, as in 1735689600.5",
        ),
        (
            r#"[{"n":"a\n","v":1}]"#,
            "quantity: expected a text of 1 to 256 bytes without control characters",
        ),
        (
            r#"[{"n":"a\n/b","v":1}]"#,
            "device: expected a text of 1 to 256 bytes without control characters",
        ),
    ] {
        let outcomes = crate::payload::decode(TOPIC, payload.as_bytes());
        let reasons: Vec<_> =
            outcomes.iter().map(|o| o.as_ref().unwrap_err().to_string()).collect();
        assert_eq!(reasons, [reason], "{payload}");
    }
    check(
        TOPIC,
        br#"[{"n":"a","u":"Cel","v":-127},{"n":"b","u":"Cel","v":-300},{"n":"c","v":1}]"#,
        expect![[r#"
            sensor_lost
            out_of_range
            home/kitchen | c | 1 
        "#]],
    );
    let pack = vec![r#"{"n":"a","v":1}"#; READINGS_LEN_MAX + 1].join(",");
    check(
        TOPIC,
        format!("[{pack}]").as_bytes(),
        expect![[r#"
        too_many
    "#]],
    );
}

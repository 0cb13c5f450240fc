use crate::payload::READINGS_LEN_MAX;
use crate::payload::tests::check;
use expect_test::expect;

const TOPIC: &str = "telegraf";

#[test]
fn a_line_is_the_reading_of_the_device_in_its_tag() {
    check(
        TOPIC,
        b"environ,device=env1 temperature=23.4 1735689600000000000",
        expect![[r#"
        env1 | temperature | 23.4 °C @2025-01-01T00:00:00.000000Z
    "#]],
    );
    check(
        TOPIC,
        b"environ,device=env1 temperature=23.4,humidity=40i,count=7u,on=true,text=\"a b\"",
        expect![[r#"
            env1 | temperature | 23.4 °C
            env1 | humidity | 40 %
            env1 | count | 7 
        "#]],
    );
}

// InfluxDB's own example, and two of Telegraf.
#[test]
fn without_such_a_tag_series_that_are_two_stay_two() {
    check(
        TOPIC,
        b"weather,location=us-midwest temperature=82 1465839830100400200\nweather,location=us-east temperature=75\nplain temp=1",
        expect![[r#"
            weather/us-midwest | temperature | 82 °C @2016-06-13T17:43:50.100400Z
            weather/us-east | temperature | 75 °C
            plain | temp | 1 °C
        "#]],
    );
    check(
        TOPIC,
        b"cpu,cpu=cpu0,host=pi usage_idle=98.2,usage_user=1.1 1735689600000000000\ncpu,cpu=cpu1,host=pi usage_idle=97.1 1735689600000000000\nmem,host=pi used_percent=41.5",
        expect![[r#"
            pi | cpu.cpu0.usage_idle | 98.2  @2025-01-01T00:00:00.000000Z
            pi | cpu.cpu0.usage_user | 1.1  @2025-01-01T00:00:00.000000Z
            pi | cpu.cpu1.usage_idle | 97.1  @2025-01-01T00:00:00.000000Z
            pi | mem.used_percent | 41.5 
        "#]],
    );
}

// Telegraf's `disk` with a tag of its own, and its `mqtt_consumer`.
#[test]
fn a_tag_that_others_have_too_keeps_series_apart() {
    check(
        TOPIC,
        b"disk,device=sda1,host=pi1,path=/ used_percent=41\ndisk,device=sda1,host=pi2,path=/ used_percent=42\ndisk,device=sda1,path=/ used_percent=43",
        expect![[r#"
            pi1 | disk.sda1./.used_percent | 41 
            pi2 | disk.sda1./.used_percent | 42 
            sda1 | used_percent | 43 
        "#]],
    );
    check(
        TOPIC,
        b"mqtt_consumer,host=pi,topic=a/cpu value=45i\nmqtt_consumer,host=pi,topic=b/cpu value=1i\nvm,boot=uefi size=1,seq=7i\nvm,boot=b1 size=1,seq=7u",
        expect![[r#"
            pi | mqtt_consumer.a/cpu.value | 45 
            pi | mqtt_consumer.b/cpu.value | 1 
            vm/uefi | size | 1 
            vm/uefi | seq | 7 
            vm | size | 1  b1#7
        "#]],
    );
}

#[test]
fn a_unit_speaks_about_the_numbers_that_it_can_be_true_of() {
    check(
        TOPIC,
        "environ,device=env1,unit=°C temperature=23.4,humidity=40\nenviron,device=env1,unit=°F temperature=77,humidity=40,power=1\nenviron,device=env1,unit=W power=5,temperature=21".as_bytes(),
        expect![[r#"
            env1 | temperature | 23.4 °C
            env1 | humidity | 40 %
            env1 | temperature | 77 °F
            env1 | humidity | 40 %
            env1 | power | 1 °F
            env1 | power | 5 W
            env1 | temperature | 21 °C
        "#]],
    );
    check(
        TOPIC,
        b"ipmi_sensor,host=pi,name=ambient,unit=degrees_c value=20,status=1i\nipmi_sensor,device=bmc,unit=degrees_c temperature=20",
        expect![[r#"
            pi | ipmi_sensor.ambient.degrees_c.value | 20 
            pi | ipmi_sensor.ambient.degrees_c.status | 1 
            bmc | temperature | 20 °C
        "#]],
    );
    // Of our own lines it is the unit, and theirs is the device, also where somebody has put a host beside it.
    check(
        TOPIC,
        "mtom,device=env1,host=pi,topic=a/b,unit=°C humidity=40".as_bytes(),
        expect![[r#"
            env1 | humidity | 40 °C
        "#]],
    );
}

#[test]
fn lines_without_any_number_are_nothing_and_no_mistake() {
    for payload in ["m a=\"on\"", "m a=true,b=\"x y\" 1735689600000000000\nm a=f"] {
        assert_eq!(crate::payload::decode(TOPIC, payload.as_bytes()), [], "{payload}");
    }
}

#[test]
fn what_is_escaped_is_taken_as_it_was_meant() {
    check(
        TOPIC,
        br#"my\ room,device=shelf\,\ left\=1,note=a\b air\ temp=1,"quoted"=2 7000"#,
        expect![[r#"
            shelf, left=1 | air temp | 1  @1970-01-01T00:00:00.000007Z
            shelf, left=1 | "quoted" | 2  @1970-01-01T00:00:00.000007Z
        "#]],
    );
}

#[test]
fn lines_of_our_own_export_have_unit_and_key_and_no_more_quantities() {
    check(
        TOPIC,
        "mtom,boot=b1,device=env1,topic=a/b,unit=°F temp=77,seq=7u,arrived_at_micros=1i,taken_at_micros=2i,suspect=true 1735689600000000000\nmtom,device=env1,topic=a/b,unit=none temperature=1".as_bytes(),
        expect![[r#"
            env1 | temp | 77 °F @2025-01-01T00:00:00.000000Z b1#7
            env1 | temperature | 1 
        "#]],
    );
}

#[test]
fn a_bad_line_or_number_disturbs_no_other() {
    check(
        TOPIC,
        b"# comment\nm,device=d a=1x,b=nan,c=9007199254740993i,d=1.5i,e=2\n\nm,device=d a\nm,device=d a=3\r\n",
        expect![[r#"
            not_a_number
            not_finite
            inexact
            not_a_number
            d | e | 2 
            line_protocol
            d | a | 3 
        "#]],
    );
}

#[test]
fn each_mistake_has_its_reason() {
    for (payload, reason) in [
        ("m,device a=1", "line protocol: expected tag=value, neither of them empty"),
        ("m,device= a=1", "line protocol: expected tag=value, neither of them empty"),
        ("m a=1,5", "line protocol: expected field=value, neither of them empty"),
        ("m a=,b=1", "line protocol: expected field=value, neither of them empty"),
        ("m a=\"b", "line protocol: expected a closing quote"),
        ("m a=1 2.5", "line protocol: expected whole nanoseconds behind the fields"),
        ("m a=1 1 2", "line protocol: expected whole nanoseconds behind the fields"),
        (
            "mtom,unit=furlong a=1",
            "unknown unit: expected °C, °F, K, %, Pa, hPa, V, A, W, lx, ppm or none",
        ),
        (
            "m,boot=b a=1,seq=18446744073709551615u",
            "seq and boot: expected both, seq a whole number from 0, boot a text of 1 to 64 bytes",
        ),
    ] {
        let outcomes = crate::payload::decode(TOPIC, payload.as_bytes());
        let reasons: Vec<_> =
            outcomes.iter().map(|o| o.as_ref().unwrap_err().to_string()).collect();
        assert_eq!(reasons, [reason], "{payload}");
    }
    let lines = vec!["m a=1"; READINGS_LEN_MAX + 1].join("\n");
    check(
        TOPIC,
        lines.as_bytes(),
        expect![[r#"
        too_many
    "#]],
    );
}

#[test]
fn a_text_that_is_something_else_keeps_its_reason() {
    for (payload, code) in [
        ("hello world", "not_a_number"),
        ("set temp = 5", "not_a_number"),
        ("a=b", "not_a_number"),
        ("T=23.4 H=40", "not_a_number"),
        ("temp=23.4, hum=40.1", "not_a_number"),
        ("temp, hum=40.1", "not_a_number"),
        ("temp,,hum=23.4 hum=40.1", "not_a_number"),
        ("temp:23.4, hum=40.1", "not_a_number"),
        ("23 a=1", "unknown_unit"),
        ("23,4 a=1", "decimal_comma"),
    ] {
        let outcomes = crate::payload::decode(TOPIC, payload.as_bytes());
        let codes: Vec<_> = outcomes.iter().map(|o| o.as_ref().unwrap_err().code()).collect();
        assert_eq!(codes, [code], "{payload}");
    }
}

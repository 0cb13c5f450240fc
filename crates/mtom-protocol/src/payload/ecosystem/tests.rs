//! Payloads as the documentation and the logs of these systems show them.

use crate::payload::decode;
use crate::payload::tests::check;
use expect_test::expect;

mod plain;

/// No reading and no mistake.
fn check_nothing(messages: &[(&str, &str)]) {
    for (topic, payload) in messages {
        assert_eq!(decode(topic, payload.as_bytes()), [], "{topic} {payload}");
    }
}

#[test]
fn tasmota_names_device_quantity_and_unit() {
    check(
        "tele/plug/SENSOR",
        br#"{"Time":"2026-11-23T08:06:30","DS18B20":{"Id":"01131B123456","Temperature":23.4},"TempUnit":"C"}"#,
        expect![[r#"
            plug | DS18B20.Temperature | 23.4 °C
        "#]],
    );
    check(
        "tele/plug/SENSOR",
        br#"{"Time":"2026-11-23T08:06:30","AM2301":{"Temperature":76.1,"Humidity":58.2,"DewPoint":60.4},"TempUnit":"F"}"#,
        expect![[r#"
            plug | AM2301.DewPoint | 60.4 °F
            plug | AM2301.Humidity | 58.2 %
            plug | AM2301.Temperature | 76.1 °F
        "#]],
    );
    check(
        "tele/home/attic/SENSOR",
        br#"{"Time":"2026-11-23T08:06:30+01:00","BME280":{"Temperature":21.2,"Humidity":41.0,"DewPoint":7.6,"Pressure":1013.2,"SeaPressure":1021.9},"BH1750":{"Illuminance":112},"SCD40":{"CarbonDioxide":621},"PressureUnit":"hPa","TempUnit":"C"}"#,
        expect![[r#"
            home/attic | BH1750.Illuminance | 112 lx @2026-11-23T07:06:30.000000Z
            home/attic | BME280.DewPoint | 7.6 °C @2026-11-23T07:06:30.000000Z
            home/attic | BME280.Humidity | 41 % @2026-11-23T07:06:30.000000Z
            home/attic | BME280.Pressure | 1013.2 hPa @2026-11-23T07:06:30.000000Z
            home/attic | BME280.SeaPressure | 1021.9 hPa @2026-11-23T07:06:30.000000Z
            home/attic | BME280.Temperature | 21.2 °C @2026-11-23T07:06:30.000000Z
            home/attic | SCD40.CarbonDioxide | 621 ppm @2026-11-23T07:06:30.000000Z
        "#]],
    );
    check(
        "tele/athomspv3a/SENSOR",
        br#"{"Time":"2024-01-14T18:03:15","ENERGY":{"TotalStartTime":"2024-01-14T18:02:42","Total":1066.000,"Yesterday":0.000,"Today":0.000,"Period":0.00,"Power":12.50,"ApparentPower":14.00,"ReactivePower":6.00,"Factor":0.89,"Voltage":227.7,"Current":0.061}}"#,
        expect![[r#"
            athomspv3a | ENERGY.ApparentPower | 14 
            athomspv3a | ENERGY.Current | 0.061 A
            athomspv3a | ENERGY.Factor | 0.89 
            athomspv3a | ENERGY.Period | 0 
            athomspv3a | ENERGY.Power | 12.5 W
            athomspv3a | ENERGY.ReactivePower | 6 
            athomspv3a | ENERGY.Today | 0 
            athomspv3a | ENERGY.Total | 1066 
            athomspv3a | ENERGY.Voltage | 227.7 V
            athomspv3a | ENERGY.Yesterday | 0 
        "#]],
    );
}

#[test]
fn tasmota_that_has_lost_a_sensor_says_null_or_what_the_driver_says() {
    check(
        "tele/plug/SENSOR",
        br#"{"Time":"2026-11-23T08:06:30","DS18B20-1":{"Id":"01131B123456","Temperature":-127},"DS18B20-2":{"Id":"01131B123457","Temperature":null},"BMP280":{"Pressure":760.1},"PressureUnit":"mmHg","TempUnit":"C"}"#,
        expect![[r#"
            plug | BMP280.Pressure | 760.1 
            sensor_lost
        "#]],
    );
    check(
        "tele/plug/SENSOR",
        b"{\"Time\":",
        expect![[r#"
        not_json
    "#]],
    );
}

#[test]
fn what_tasmota_says_about_itself_is_nothing() {
    check_nothing(&[
        ("tele/plug/LWT", "Online"),
        ("tele/plug/LWT", "Offline"),
        (
            "tele/plug/STATE",
            r#"{"Time":"2018-05-22T02:09:09","Uptime":"0T00:17:28","Vcc":3.486,"POWER":"OFF","Wifi":{"AP":1,"RSSI":88}}"#,
        ),
        ("tele/plug/STATE", r#"{"Time":"2018-05-22T02:09:09","UptimeSec":1048,"Heap":25}"#),
        ("tele/plug/STATE", r#"{"POWER1":"OFF","Dimmer":50}"#),
        ("tele/plug/INFO1", r#"{"Info1":{"Module":"Sonoff Basic","Version":"14.2.0(tasmota)"}}"#),
        ("tele/plug/SENSOR", r#"{"Time":"2026-11-23T08:06:30","Switch1":"ON"}"#),
        ("stat/plug/RESULT", r#"{"POWER":"ON"}"#),
        ("stat/plug/POWER", "ON"),
        ("stat/plug/POWER2", "OFF"),
        (
            "stat/plug/STATUS10",
            r#"{"StatusSNS":{"Time":"2025-02-16T21:28:28","ENERGY":{"Total":0}}}"#,
        ),
        ("stat/plug/STATUS0", r#"{"Status":{"Power":1},"StatusPRM":{"BootCount":7}}"#),
        ("tasmota/discovery/DC4F22D3A8B4/config", r#"{"ip":"192.168.1.7","ver":1,"rl":[1,0]}"#),
        ("tasmota/discovery/DC4F22D3A8B4/sensors", r#"{"sn":{"DS18B20":{"Temperature":21}}}"#),
        ("cmnd/plug/POWER", "TOGGLE"),
        ("cmnd/plug/POWER", ""),
    ]);
}

#[test]
fn zigbee2mqtt_names_device_quantity_and_unit() {
    check(
        "zigbee2mqtt/0x00158d00036c1821",
        br#"{"temperature":22.75,"linkquality":97,"humidity":55.43,"pressure":1000.6,"battery":86,"voltage":2975}"#,
        expect![[r#"
            0x00158d00036c1821 | battery | 86 %
            0x00158d00036c1821 | humidity | 55.43 %
            0x00158d00036c1821 | linkquality | 97 
            0x00158d00036c1821 | pressure | 1000.6 hPa
            0x00158d00036c1821 | temperature | 22.75 °C
            0x00158d00036c1821 | voltage | 2975 
        "#]],
    );
    check(
        "zigbee2mqtt/kitchen/floor/plug",
        br#"{"state":"ON","power":12.5,"current":0.06,"voltage":230,"energy":1.07,"device_temperature":31,"linkquality":120,"update":{"installed_version":587806257,"latest_version":587806257,"state":"idle"}}"#,
        expect![[r#"
            kitchen/floor/plug | current | 0.06 A
            kitchen/floor/plug | device_temperature | 31 °C
            kitchen/floor/plug | energy | 1.07 
            kitchen/floor/plug | linkquality | 120 
            kitchen/floor/plug | power | 12.5 W
            kitchen/floor/plug | voltage | 230 V
        "#]],
    );
    check(
        "zigbee2mqtt/motion",
        br#"{"battery":100,"illuminance":26,"illuminance_lux":26.5,"last_seen":"2026-11-23T09:06:30+01:00","occupancy":true,"device":{"friendlyName":"motion","networkAddress":4242}}"#,
        expect![[r#"
            motion | battery | 100 % @2026-11-23T08:06:30.000000Z
            motion | illuminance | 26  @2026-11-23T08:06:30.000000Z
            motion | illuminance_lux | 26.5 lx @2026-11-23T08:06:30.000000Z
        "#]],
    );
    check(
        "zigbee2mqtt/air",
        br#"{"co2":612,"illuminance":113,"last_seen":1795421190250,"local_temperature":21}"#,
        expect![[r#"
            air | co2 | 612 ppm @2026-11-23T08:06:30.250000Z
            air | illuminance | 113 lx @2026-11-23T08:06:30.250000Z
            air | local_temperature | 21 °C @2026-11-23T08:06:30.250000Z
        "#]],
    );
}

#[test]
fn what_zigbee2mqtt_says_without_numbers_is_nothing() {
    check_nothing(&[
        ("zigbee2mqtt/bridge/state", r#"{"state":"online"}"#),
        ("zigbee2mqtt/bridge/state", "online"),
        ("zigbee2mqtt/bridge/info", r#"{"version":"2.1.0","network":{"channel":11}}"#),
        ("zigbee2mqtt/bridge/devices", r#"[{"ieee_address":"0x00124b0018e1cbb7"}]"#),
        ("zigbee2mqtt/kitchen/floor/availability", r#"{"state":"offline"}"#),
        ("zigbee2mqtt/kitchen/availability", "online"),
        ("zigbee2mqtt/kitchen/set", r#"{"brightness":128}"#),
        ("zigbee2mqtt/kitchen/set/state", "ON"),
        ("zigbee2mqtt/kitchen/get", r#"{"state":""}"#),
        ("zigbee2mqtt/button", r#"{"action":"single"}"#),
    ]);
}

#[test]
fn shelly_names_device_quantity_and_unit_and_a_temperature_once() {
    check(
        "shellyplus1pm-a8032abe54dc/status/switch:0",
        br#"{"id":0,"source":"init","output":true,"apower":8.9,"voltage":237.5,"freq":50.0,"current":0.415,"pf":0.09,"aenergy":{"total":6.532,"by_minute":[45.199,47.141,88.397],"minute_ts":1626935779},"temperature":{"tC":23.5,"tF":74.4}}"#,
        expect![[r#"
            shellyplus1pm-a8032abe54dc | switch:0.aenergy.total | 6.532 
            shellyplus1pm-a8032abe54dc | switch:0.apower | 8.9 W
            shellyplus1pm-a8032abe54dc | switch:0.current | 0.415 A
            shellyplus1pm-a8032abe54dc | switch:0.freq | 50 
            shellyplus1pm-a8032abe54dc | switch:0.pf | 0.09 
            shellyplus1pm-a8032abe54dc | switch:0.temperature | 23.5 °C
            shellyplus1pm-a8032abe54dc | switch:0.voltage | 237.5 V
        "#]],
    );
    check(
        "shellyplusht-b8d61a8b17cc/status/temperature:0",
        br#"{"id":0,"tC":22.1,"tF":71.8}"#,
        expect![[r#"
            shellyplusht-b8d61a8b17cc | temperature:0 | 22.1 °C
        "#]],
    );
    check(
        "home/bath/status/humidity:0",
        br#"{"id":0,"rh":42.2}"#,
        expect![[r#"
        home/bath | humidity:0 | 42.2 %
    "#]],
    );
    check(
        "home/bath/status/devicepower:0",
        br#"{"id":0,"battery":{"V":5.43,"percent":87},"external":{"present":false}}"#,
        expect![[r#"
            home/bath | devicepower:0.battery.V | 5.43 V
            home/bath | devicepower:0.battery.percent | 87 %
        "#]],
    );
    check("shellyproem50/status/em1:0", br#"{"id":0,"current":0.08,"voltage":234.9,"act_power":0,"aprt_power":18.7,"pf":0,"freq":50,"calibration":"factory"}"#, expect![[r#"
        shellyproem50 | em1:0.act_power | 0 W
        shellyproem50 | em1:0.aprt_power | 18.7 
        shellyproem50 | em1:0.current | 0.08 A
        shellyproem50 | em1:0.freq | 50 
        shellyproem50 | em1:0.pf | 0 
        shellyproem50 | em1:0.voltage | 234.9 V
    "#]]);
    check("shellypro3em/status/em:0", br#"{"id":0,"a_current":4.029,"a_voltage":236.1,"a_act_power":951.2,"total_current":11.116}"#, expect![[r#"
        shellypro3em | em:0.a_act_power | 951.2 W
        shellypro3em | em:0.a_current | 4.029 A
        shellypro3em | em:0.a_voltage | 236.1 V
        shellypro3em | em:0.total_current | 11.116 A
    "#]]);
    check(
        "old/status/temperature:1",
        br#"{"id":1,"tC":null,"tF":71.6}"#,
        expect![[r#"
        old | temperature:1 | 71.6 °F
    "#]],
    );
}

#[test]
fn times_of_shelly_are_no_readings() {
    check(
        "shellyblugw/status/bthomesensor:200",
        br#"{"id":200,"value":21.5,"last_updated_ts":1702647160}"#,
        expect![[r#"
            shellyblugw | bthomesensor:200.value | 21.5 
        "#]],
    );
    check(
        "shellyplus1pm/status/number:201",
        br#"{"value":7,"source":"rpc","last_update_ts":1702647160}"#,
        expect![[r#"
            shellyplus1pm | number:201.value | 7 
        "#]],
    );
    check(
        "shellypro3em/status/em:0",
        br#"{"id":0,"a_act_power":951.2,"reset_ts":1702647160}"#,
        expect![[r#"
            shellypro3em | em:0.a_act_power | 951.2 W
        "#]],
    );
}

#[test]
fn what_shelly_says_about_itself_is_nothing() {
    check_nothing(&[
        ("shellyplus1pm/online", "true"),
        ("shellyplus1pm/online", "false"),
        ("shellyplus1pm/status/input:0", r#"{"id":0,"state":false}"#),
        ("shellyplus1pm/status/sys", r#"{"mac":"B8D61A8B17CC","unixtime":1680962879,"uptime":3}"#),
        (
            "shellyplus1pm/status/wifi",
            r#"{"sta_ip":"192.168.3.183","status":"got ip","ssid":"home","rssi":-61}"#,
        ),
        ("shellyplus1pm/status/mqtt", r#"{"connected":true}"#),
        ("shellyplus1pm/status/ble", "{}"),
        ("shellyplus1pm/status/matter", "{}"),
        ("shellyplus1pm/status/script:1", "{}"),
        ("shellyplus1pm/status/eth", r#"{"ip":null}"#),
        (
            "shellyplus1pm/status/text:200",
            r#"{"value":"a","source":"rpc","last_update_ts":1702647160}"#,
        ),
        (
            "shellyplus1pm/events/rpc",
            r#"{"src":"shellyplus1pm","dst":"shellyplus1pm/events","method":"NotifyStatus","params":{"ts":1680962879.62,"switch:0":{"id":0,"apower":8.9}}}"#,
        ),
        ("shellyplus1pm/command/switch:0", "on"),
        ("shellyplus1pm/command", "status_update"),
    ]);
}

#[test]
fn esphome_names_device_and_quantity_and_its_unit_where_the_id_does() {
    check(
        "livingroom/sensor/temperature/state",
        b"22.6",
        expect![[r#"
        livingroom | temperature | 22.6 °C
    "#]],
    );
    check(
        "home/livingroom/sensor/bme280_temperature/state",
        b"22.6",
        expect![[r#"
        home/livingroom | bme280_temperature | 22.6 °C
    "#]],
    );
    check(
        "livingroom/sensor/outside-humidity/state",
        b"48.2",
        expect![[r#"
        livingroom | outside-humidity | 48.2 %
    "#]],
    );
    check(
        "livingroom/sensor/wifi_signal/state",
        b"-61",
        expect![[r#"
        livingroom | wifi_signal | -61 
    "#]],
    );
    check(
        "livingroom/sensor/bme280_temperature/state",
        b"nan",
        expect![[r#"
        not_finite
    "#]],
    );
    check(
        "livingroom/sensor/bme280_temperature/state",
        b"",
        expect![[r#"
        empty
    "#]],
    );
}

#[test]
fn what_esphome_says_in_words_is_nothing() {
    check_nothing(&[
        ("livingroom/status", "online"),
        ("home/livingroom/status", "offline"),
        ("livingroom/debug", "\x1b[0;36m[D][sensor:093]: 'T': Sending state 22.6 \x1b[0m"),
        ("livingroom/debug", "[I][app:100]: ESPHome version 2024.10.2"),
        ("livingroom/binary_sensor/door/state", "ON"),
        ("livingroom/binary_sensor/door/state", "OFF"),
        ("livingroom/switch/relay/state", "ON"),
        ("livingroom/switch/relay/command", "OFF"),
        ("livingroom/text_sensor/ip/state", "192.168.1.7, home"),
        ("livingroom/text_sensor/note/state", "NaN"),
        ("livingroom/light/lamp/state", r#"{"color_mode":"onoff","state":"ON"}"#),
        ("livingroom/light/lamp/command", r#"{"state":"ON"}"#),
        ("livingroom/event/bell/state", r#"{"event_type":"press"}"#),
        ("livingroom/update/firmware/state", r#"{"installed_version":"1.0","in_progress":false}"#),
        ("livingroom/valve/water/state", "OPEN"),
        ("livingroom/text/note/state", "3 apples"),
        ("livingroom/date/day/state", "2026-11-23"),
        ("livingroom/time/alarm/state", "08:06:30"),
        ("livingroom/datetime/alarm/state", "2026-11-23 08:06:30"),
        ("livingroom/climate/t/mode/state", "heat"),
        ("home/livingroom/fan/f/direction/state", "forward"),
        ("livingroom/climate/t/mode/command", "off"),
        ("esphome/discover/livingroom", r#"{"ip":"192.168.1.7","port":6053}"#),
    ]);
}

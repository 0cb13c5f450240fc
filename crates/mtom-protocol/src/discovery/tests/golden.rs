//! Configs as real devices keep them.

use super::check;
use expect_test::expect;

#[test]
fn esphome() {
    check(
        "homeassistant/sensor/kitchen/temperature/config",
        r#"{"dev_cla":"temperature","unit_of_meas":"°C","stat_cla":"measurement","name":"Temperature","stat_t":"kitchen/sensor/temperature/state","avty_t":"kitchen/status","uniq_id":"ESPsensortemperature","dev":{"ids":"a4cf12d3e4f5","name":"Kitchen","sw":"2025.11.0 (Nov 20 2025, 10:00:00)","mdl":"esp32dev","mf":"Espressif","cns":[["mac","a4cf12d3e4f5"]]}}"#,
        &[
            ("kitchen/sensor/temperature/state", "22.6"),
            ("kitchen/sensor/temperature/state", "nan"),
        ],
        &expect![[r#"
            Kitchen (a4cf12d3e4f5)
            sensor temperature: temperature / Temperature / temperature: kitchen/sensor/temperature/state in "°C"
              temperature = 22.6 °C
              temperature = not_finite
        "#]],
    );
    check(
        "homeassistant/switch/kitchen/relay/config",
        r#"{"name":"Relay","stat_t":"kitchen/switch/relay/state","cmd_t":"kitchen/switch/relay/command","avty_t":"kitchen/status","uniq_id":"ESPswitchrelay","dev":{"ids":"a4cf12d3e4f5","name":"Kitchen"}}"#,
        &[],
        &expect![[r#"
            Kitchen (a4cf12d3e4f5)
            switch relay: Relay / relay: mqtt:kitchen/switch/relay/command?state=kitchen/switch/relay/state&online=kitchen/status
        "#]],
    );
}

#[test]
fn tasmota() {
    check(
        "homeassistant/sensor/DC4F22D3A8B4_DS18B20_Temperature/config",
        r#"{"name":"Tasmota DS18B20 Temperature","stat_t":"tele/plug/SENSOR","avty_t":"tele/plug/LWT","pl_avail":"Online","pl_not_avail":"Offline","uniq_id":"DC4F22D3A8B4_DS18B20_Temperature","dev":{"ids":["D3A8B4"]},"unit_of_meas":"°F","dev_cla":"temperature","frc_upd":true,"val_tpl":"{{value_json['DS18B20'].Temperature}}"}"#,
        &[(
            "tele/plug/SENSOR",
            r#"{"Time":"2026-11-23T08:06:30","DS18B20":{"Id":"01131B123456","Temperature":74.1},"TempUnit":"F"}"#,
        )],
        &expect![[r#"
            D3A8B4 (D3A8B4)
            sensor DC4F22D3A8B4_DS18B20_Temperature: temperature / Tasmota DS18B20 Temperature / DC4F22D3A8B4_DS18B20_Temperature: tele/plug/SENSOR in "°F"
              DC4F22D3A8B4_DS18B20_Temperature = 74.1 °F
        "#]],
    );
    check(
        "homeassistant/switch/D3A8B4_RL_1/config",
        r#"{"name":"Plug","cmd_t":"~cmnd/POWER","stat_t":"~tele/STATE","val_tpl":"{{value_json.POWER}}","pl_off":"OFF","pl_on":"ON","avty_t":"~tele/LWT","pl_avail":"Online","pl_not_avail":"Offline","uniq_id":"D3A8B4_RL_1","dev":{"ids":["D3A8B4"],"name":"Plug"},"~":"plug/"}"#,
        &[],
        &expect![[r#"
            Plug (D3A8B4)
            switch D3A8B4_RL_1: Plug / D3A8B4_RL_1: mqtt:plug/cmnd/POWER?state=plug/tele/STATE&path=POWER
        "#]],
    );
}

#[test]
fn zigbee2mqtt() {
    let device = r#""device":{"identifiers":["zigbee2mqtt_0x00158d00036c1821"],"manufacturer":"Aqara","model":"Temperature and humidity sensor (WSDCGQ11LM)","name":"attic","via_device":"zigbee2mqtt_bridge_0x00124b0018e1cbb7"},"origin":{"name":"Zigbee2MQTT","sw":"2.6.3","url":"https://www.zigbee2mqtt.io"}"#;
    check(
        "homeassistant/sensor/0x00158d00036c1821/temperature/config",
        &format!(
            r#"{{"availability":[{{"topic":"zigbee2mqtt/bridge/state","value_template":"{{{{ value_json.state }}}}"}}],{device},"default_entity_id":"sensor.attic_temperature","device_class":"temperature","enabled_by_default":true,"state_class":"measurement","state_topic":"zigbee2mqtt/attic","unique_id":"0x00158d00036c1821_temperature_zigbee2mqtt","unit_of_measurement":"°C","value_template":"{{{{ value_json.temperature }}}}"}}"#
        ),
        &[
            ("zigbee2mqtt/attic", r#"{"battery":86,"temperature":22.75,"linkquality":97}"#),
            ("zigbee2mqtt/attic", r#"{"battery":86,"linkquality":97}"#),
            ("zigbee2mqtt/attic", r#"{"temperature":null}"#),
        ],
        &expect![[r#"
            attic (zigbee2mqtt_0x00158d00036c1821)
            sensor temperature: temperature / temperature: zigbee2mqtt/attic in "°C"
              temperature = 22.75 °C
              temperature = nothing
              temperature = nothing
        "#]],
    );
    check(
        "homeassistant/light/0x0017880104e45517/light/config",
        &format!(
            r#"{{"command_topic":"zigbee2mqtt/lamp/set","schema":"json","state_topic":"zigbee2mqtt/lamp",{device},"name":null}}"#
        ),
        &[],
        &expect![[r#"
            attic (zigbee2mqtt_0x00158d00036c1821)
            light light: light: schema: schema "json": expected basic
        "#]],
    );
}

#[test]
fn a_whole_device_with_what_its_things_share() {
    check(
        "homeassistant/device/0AFFD2/config",
        r#"{"dev":{"ids":"0AFFD2","name":"Bath","cns":[["mac","02:5b:26:a8:dc:12"]]},"o":{"name":"bla2mqtt","sw":"2.1"},"~":"bath","stat_t":"~/state","avty_t":"~/up","cmps":{
            "t":{"p":"sensor","dev_cla":"temperature","unit_of_meas":"°C","val_tpl":"{{ value_json.temperature | round(1) }}","uniq_id":"t01"},
            "h":{"platform":"sensor","device_class":"humidity","unit_of_measurement":"%","value_template":"{{ value_json.humidity}}","unique_id":"h01"},
            "own":{"p":"sensor","name":"Dew point","~":"dew","stat_t":"point/~","uniq_id":"d"},
            "fan":{"p":"switch","cmd_t":"~/fan set","val_tpl":"{{ value_json.fan }}","pl_on":1,"pl_off":0,"uniq_id":"f"}
        },"qos":1}"#,
        &[("bath/state", r#"{"temperature":23.449,"humidity":61,"fan":1}"#), ("point/dew", "12")],
        &expect![[r#"
            Bath (0AFFD2)
            switch fan: fan: mqtt:bath/fan%20set?state=bath/state&path=fan&on=1&off=0&online=bath/up
            sensor h: humidity / h: bath/state in "%"
            sensor own: Dew point / own: point/dew in ""
            sensor t: temperature / t: bath/state in "°C"
              h = 61 %
              t = 23.4 °C
              own = 12
        "#]],
    );
}

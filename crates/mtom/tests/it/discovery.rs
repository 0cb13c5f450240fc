//! Devices that tell Home Assistant what they are become devices here by themselves: with the embedded broker and
//! with mosquitto, over restarts, until they take it back.

use crate::mosquitto::{Mosquitto, program};
use crate::mtom::{Mtom, mosquitto_pub, mosquitto_retain};
use crate::soon;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;

const KITCHEN: &str = "homeassistant/sensor/kitchen/temperature/config";
const KITCHEN_CONFIG: &str = r#"{"dev_cla":"temperature","unit_of_meas":"°C","stat_cla":"measurement","name":"Temperature","stat_t":"kitchen/sensor/temperature/state","avty_t":"kitchen/status","uniq_id":"ESPsensortemperature","dev":{"ids":"a4cf12d3e4f5","name":"Kitchen","mf":"Espressif"}}"#;
const KITCHEN_STATE: &str = "kitchen/sensor/temperature/state";
const PLUG: &str = "homeassistant/switch/D3A8B4_RL_1/config";
const PLUG_CONFIG: &str = r#"{"cmd_t":"cmnd/plug/POWER","stat_t":"stat/plug/POWER","dev":{"ids":["D3A8B4"],"name":"Plug"}}"#;
const BATH: &str = "homeassistant/device/0AFFD2/config";
const BATH_CONFIG: &str = r#"{"dev":{"ids":"0AFFD2","name":"Bath"},"o":{"name":"bla2mqtt"},"~":"bath","stat_t":"~/state","cmps":{
    "t":{"p":"sensor","dev_cla":"temperature","unit_of_meas":"°F","val_tpl":"{{ value_json.t | round(1) }}"},
    "h":{"p":"sensor","dev_cla":"humidity","unit_of_meas":"%","val_tpl":"{{ value_json.h }}"},
    "x":{"p":"sensor","val_tpl":"{{ value_json.h ** 2 }}"}}}"#;

/// The series that there are, once there are so many.
async fn series(mtom: &Mtom, count: usize) -> Vec<String> {
    soon("the series", async {
        loop {
            let found = mtom.get("/api/v1/latest").await;
            let found = found["readings"].as_array().unwrap();
            if found.len() >= count {
                let text = |of: &Value| of.as_str().unwrap().to_owned();
                let one = |one: &Value| {
                    let names = [&one["device"], &one["quantity"], &one["unit"]].map(text);
                    format!("{} {}", names.join(" | "), one["value"])
                };
                return found.iter().map(one).collect();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// What was discovered, once there is so much.
async fn discovered(mtom: &Mtom, count: usize) -> Value {
    soon("what was discovered", async {
        loop {
            let found = mtom.get("/api/v1/discovered").await;
            if found["things"].as_array().unwrap().len() == count {
                return found;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// Keeps the three configs at a broker; false: there is no client to do it with.
fn announce(broker: SocketAddr) -> bool {
    [(KITCHEN, KITCHEN_CONFIG), (PLUG, PLUG_CONFIG), (BATH, BATH_CONFIG)]
        .iter()
        .all(|(topic, config)| mosquitto_retain(broker, topic, config.as_bytes()))
}

fn say(broker: SocketAddr, temperature: &str) {
    assert!(mosquitto_pub(broker, KITCHEN_STATE, temperature.as_bytes()));
    assert!(mosquitto_pub(broker, "bath/state", br#"{"t":70.26,"h":61,"other":5}"#));
}

/// How many readings are in the history, which has what was acknowledged, and how many were rejected.
async fn account(mtom: &Mtom) -> (usize, u64) {
    let history = mtom.get("/api/v1/readings?limit=1000").await;
    let audit = mtom.get("/api/v1/audit").await;
    (history["readings"].as_array().unwrap().len(), audit["rejected"].as_u64().unwrap())
}

/// How often that value is in the history.
async fn times(mtom: &Mtom, value: f64) -> usize {
    let history = mtom.get("/api/v1/readings?limit=1000").await;
    let all = history["readings"].as_array().unwrap().iter();
    all.filter(|reading| reading["value"] == value).count()
}

const DISCOVER: &str = "homeassistant.discover=true";
const OFF: &str = "homeassistant.discover=false";
const SERIES: [&str; 3] =
    ["Bath | humidity | % 61.0", "Bath | temperature | °F 70.3", "Kitchen | temperature | °C 22.6"];

#[tokio::test]
async fn what_devices_tell_home_assistant_makes_them_devices_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let mut mtom = Mtom::serve("gateway", dir.path(), &[DISCOVER]);
    if !announce(mtom.ready.mqtt) {
        return;
    }
    let found = discovered(&mtom, 5).await;
    let things = found["things"].as_array().unwrap();
    let words: Vec<_> = things
        .iter()
        .map(|thing| {
            let text = |key: &str| thing[key].as_str().unwrap_or("-").to_owned();
            ["device", "platform", "standing", "quantity", "unit", "link", "code"]
                .map(text)
                .join(" ")
        })
        .collect();
    assert_eq!(
        words,
        [
            "Kitchen sensor read temperature °C - -",
            "Plug switch switch - - mqtt:cmnd/plug/POWER?state=stat/plug/POWER -",
            "Bath sensor read humidity % - -",
            "Bath sensor read temperature °F - -",
            "Bath sensor not_understood - - - template",
        ]
    );
    let counts =
        ["configs", "sensors", "switches", "not_read", "not_understood", "others", "refused"];
    assert_eq!(counts.map(|key| found["counts"][key].as_u64().unwrap()), [3, 3, 1, 0, 1, 0, 0]);
    say(mtom.ready.mqtt, "22.6");
    assert_eq!(series(&mtom, 3).await, SERIES);
    // After a restart the embedded broker has kept nothing, and the devices say nothing again.
    assert!(mtom.stop("-TERM").success());
    let mtom = Mtom::serve("gateway", dir.path(), &[DISCOVER]);
    say(mtom.ready.mqtt, "22.6");
    assert_eq!(account(&mtom).await, (6, 0));
    // Taken back, it is nobody's.
    assert!(mosquitto_retain(mtom.ready.mqtt, KITCHEN, b""));
    discovered(&mtom, 4).await;
    say(mtom.ready.mqtt, "22.6");
    assert_eq!(account(&mtom).await, (8, 0));
}

#[tokio::test]
async fn an_external_broker_is_asked_for_what_was_discovered_and_says_it_again_after_a_restart() {
    let Some(program) = program() else { return };
    let mut broker = Mosquitto::start(program);
    let dir = tempfile::tempdir().unwrap();
    let url = format!("broker.url=mqtt://{}", broker.address);
    let start = |dir: &Path| Mtom::serve("gateway", dir, &[&url, DISCOVER]);
    let mut mtom = start(dir.path());
    if !announce(broker.address) {
        return;
    }
    discovered(&mtom, 5).await;
    heard(&mtom, broker.address).await;
    // The other topic is asked for in its own time too.
    soon("all series", async {
        while mtom.get("/api/v1/latest").await["readings"].as_array().unwrap().len() < 3 {
            say(broker.address, "22.6");
        }
    })
    .await;
    assert_eq!(series(&mtom, 3).await, SERIES);
    // It says itself that it goes, and a reading that it is back.
    assert!(mosquitto_pub(broker.address, "kitchen/status", b"offline"));
    there(&mtom, false).await;
    heard(&mtom, broker.address).await;
    there(&mtom, true).await;
    assert_eq!(account(&mtom).await.1, 0);
    // What comes while it is away waits in its session, and is understood before any config is said again.
    assert!(mtom.stop("-TERM").success());
    assert!(mosquitto_retain(broker.address, BATH, b""));
    assert!(mosquitto_pub(broker.address, KITCHEN_STATE, b"23.1"));
    let mtom = start(dir.path());
    discovered(&mtom, 2).await;
    soon("what had waited", async {
        while times(&mtom, 23.1).await == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((times(&mtom, 23.1).await, account(&mtom).await.1), (1, 0));
    // What was asked for outlives the broker too.
    broker.restart(program);
    heard(&mtom, broker.address).await;
    assert_eq!(account(&mtom).await.1, 0);
}

#[tokio::test]
async fn what_was_said_while_it_was_killed_is_stored_as_the_newest_config_has_it() {
    let Some(program) = program() else { return };
    let broker = Mosquitto::start(program);
    let dir = tempfile::tempdir().unwrap();
    let url = format!("broker.url=mqtt://{}", broker.address);
    let start = || Mtom::serve("gateway", dir.path(), &[&url, DISCOVER]);
    let mut mtom = start();
    if !mosquitto_retain(broker.address, KITCHEN, KITCHEN_CONFIG.as_bytes()) {
        return;
    }
    soon("its topic is noted", async {
        let noted = || std::fs::read_to_string(dir.path().join("broker-wishes"));
        while !noted().is_ok_and(|text| text.lines().any(|line| line == KITCHEN_STATE)) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    heard(&mtom, broker.address).await;
    mtom.kill();
    for value in ["22.1", "22.2", "22.3"] {
        assert!(mosquitto_pub(broker.address, KITCHEN_STATE, value.as_bytes()));
    }
    let mut mtom = start();
    stored(&mtom, "°C", 22.3).await;
    for value in [22.1, 22.2, 22.3] {
        assert_eq!(times(&mtom, value).await, 1, "{value}");
    }
    // Others keep the file busy; killed as soon as it has heard of the change, it hears of it once more.
    let changes = [("one", "°F", 71.5), ("two", "K", 295.5), ("three", "°C", 22.5)];
    for (id, unit, value) in changes {
        let other = KITCHEN_CONFIG.replace("kitchen/", id).replace("a4cf12d3e4f5", id);
        let other = other.replace("ESP", id);
        let topic = format!("homeassistant/sensor/{id}/config");
        assert!(mosquitto_retain(broker.address, &topic, other.as_bytes()));
        let config = KITCHEN_CONFIG.replace("°C", unit);
        assert!(mosquitto_retain(broker.address, KITCHEN, config.as_bytes()));
        soon("the change", async {
            loop {
                let found = mtom.get("/api/v1/discovered").await;
                let all = found["things"].as_array().unwrap();
                let kitchen = all.iter().find(|thing| thing["config"] == KITCHEN).unwrap();
                if kitchen["unit"] == unit {
                    return;
                }
            }
        })
        .await;
        mtom.kill();
        assert!(mosquitto_pub(broker.address, KITCHEN_STATE, value.to_string().as_bytes()));
        mtom = start();
        stored(&mtom, unit, value).await;
    }
    // What was not acknowledged comes once more, and means the same then.
    let history = mtom.get("/api/v1/readings?limit=1000").await;
    for (_, unit, value) in changes {
        let mut all = history["readings"].as_array().unwrap().iter();
        assert!(all.all(|one| one["value"] != value || one["unit"] == unit), "{value} {unit}");
    }
}

/// Waits until the newest in that unit is that.
async fn stored(mtom: &Mtom, unit: &str, value: f64) {
    soon(&format!("{value} {unit}"), async {
        loop {
            let found = mtom.get("/api/v1/latest").await;
            let mut all = found["readings"].as_array().unwrap().iter();
            if all.any(|one| one["unit"] == unit && one["value"] == value) {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_word_that_our_own_broker_has_kept_counts_once_a_config_tells_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mtom = Mtom::serve("gateway", dir.path(), &[DISCOVER]);
    let broker = mtom.ready.mqtt;
    let silent = KITCHEN_CONFIG.replace("avty_t", "x");
    if !mosquitto_retain(broker, KITCHEN, silent.as_bytes()) {
        return;
    }
    heard(&mtom, broker).await;
    assert!(mosquitto_retain(broker, "kitchen/status", b"offline"));
    assert!(mosquitto_retain(broker, KITCHEN, KITCHEN_CONFIG.as_bytes()));
    there(&mtom, false).await;
}

#[tokio::test]
async fn a_reading_is_stored_once_where_a_filter_for_words_brings_it_too() {
    let Some(program) = program() else { return };
    let broker = Mosquitto::start(program);
    let dir = tempfile::tempdir().unwrap();
    let url = format!("broker.url=mqtt://{}", broker.address);
    // Where these are, `+/status` says whether they are there.
    let topics = r#"ingest.topics=["+/sensor/+/state"]"#;
    let mtom = Mtom::serve("gateway", dir.path(), &[&url, DISCOVER, topics]);
    let status = BATH_CONFIG.replace(
        r#""p":"sensor","dev_cla":"humidity""#,
        r#""p":"sensor","stat_t":"~/status","dev_cla":"humidity""#,
    );
    assert_ne!(status, BATH_CONFIG);
    if !mosquitto_retain(broker.address, BATH, status.as_bytes()) {
        return;
    }
    // Both topics of the config are asked for at once.
    soon("the other topic", async {
        while times(&mtom, 70.3).await == 0 {
            assert!(mosquitto_pub(broker.address, "bath/state", br#"{"t":70.26}"#));
        }
    })
    .await;
    assert!(mosquitto_pub(broker.address, "bath/status", br#"{"h":61}"#));
    assert!(mosquitto_pub(broker.address, "bath/state", br#"{"t":71}"#));
    soon("what came after it", async {
        while times(&mtom, 71.0).await == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(times(&mtom, 61.0).await, 1);
}

#[tokio::test]
async fn what_is_not_wished_for_any_more_is_given_up_whoever_has_asked_for_it() {
    let Some(program) = program() else { return };
    let broker = Mosquitto::start(program);
    let dir = tempfile::tempdir().unwrap();
    let url = format!("broker.url=mqtt://{}", broker.address);
    let start = |more: &[&str]| {
        let all: Vec<_> = [url.as_str()].iter().chain(more).copied().collect();
        Mtom::serve("gateway", dir.path(), &all)
    };
    if !announce(broker.address) {
        return;
    }
    let mut mtom = start(&[DISCOVER]);
    heard(&mtom, broker.address).await;
    // It has no time to say good-bye to anything.
    mtom.kill();
    // Another one names that topic itself: that it was discovered before is forgotten, and it is heard on.
    let named = format!("ingest.topics=[\"{KITCHEN_STATE}\",\"Environ/#\"]");
    let mut mtom = start(&[OFF, &named]);
    heard(&mtom, broker.address).await;
    assert!(mtom.stop("-TERM").success());
    let mut mtom = start(&[DISCOVER]);
    heard(&mtom, broker.address).await;
    mtom.kill();
    // The next one wants nothing of all that, and has said so when it hears its own.
    let mut mtom = start(&[OFF]);
    temperature(&mtom, broker.address).await;
    given_up(&mtom.dir).await;
    assert!(mtom.stop("-TERM").success());
    // So nothing of it waits for the last one.
    say(broker.address, "22.6");
    assert!(mosquitto_pub(broker.address, "Environ/Temperature", "23.4 °C".as_bytes()));
    let mtom = start(&[OFF]);
    temperature(&mtom, broker.address).await;
    assert_eq!(mtom.get("/api/v1/audit").await["ignored"], 0);
}

/// Waits until the kitchen is known to be there, or to have gone.
async fn there(mtom: &Mtom, is_available: bool) {
    soon("who is there", async {
        loop {
            let devices = mtom.get("/api/v1/devices").await;
            let all = devices["devices"].as_array().unwrap();
            let kitchen = all.iter().find(|one| one["name"] == "Kitchen").unwrap();
            if kitchen["availability"]["available"] == is_available {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Waits until no discovered topic is noted as asked for.
async fn given_up(dir: &Path) {
    soon("all is given up", async {
        while std::fs::read_to_string(dir.join("broker-wishes")).unwrap().lines().count() > 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Says another temperature until it is heard.
async fn temperature(mtom: &Mtom, broker: SocketAddr) {
    let (before, _) = account(mtom).await;
    soon("a temperature", async {
        while account(mtom).await.0 == before {
            assert!(mosquitto_pub(broker, "Environ/Temperature", "23.4 °C".as_bytes()));
        }
    })
    .await;
}

/// Says a temperature until it is heard: the gateway asks for the topic in its own time.
async fn heard(mtom: &Mtom, broker: SocketAddr) {
    let (before, _) = account(mtom).await;
    soon("the first reading", async {
        loop {
            assert!(mosquitto_pub(broker, KITCHEN_STATE, b"21"));
            if account(mtom).await.0 > before {
                return;
            }
        }
    })
    .await;
}

//! The original's topology: an external mosquitto, a gateway, a controller on its own, a serial LED.

use crate::mosquitto::{Mosquitto, program};
use crate::mtom::{Mtom, command, mosquitto_pub, wait_for_line};
use crate::soon;
use crate::viewer::Viewer;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use tokio::io::AsyncReadExt;
use tokio_serial::{SerialPort, SerialStream};

#[tokio::test]
async fn mosquitto_gateway_and_controller_switch_the_led() {
    let Some(program) = program() else { return };
    let broker = Mosquitto::start(program);
    let gateway_dir = tempfile::tempdir().unwrap();
    let url = format!("broker.url=mqtt://{}", broker.address);
    let gateway = Mtom::serve("gateway", gateway_dir.path(), &[&url]);
    let (mut led, other_end) = SerialStream::pair().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut controller =
        command(&["controller", "--from", &format!("ws://{}", gateway.ready.live)])
            .current_dir(dir.path())
            .args(["--set", &format!("data.dir={}", dir.path().display())])
            .args(["--set", "simulate.actuators=0"])
            .args(["--set", "actuator.0.name=LAMP", "--set", "actuator.0.protocol=original"])
            .args(["--set", &format!("actuator.0.link=serial:{}", other_end.name().unwrap())])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    wait_for_line(controller.stdout.take().unwrap(), "connected");
    let mut viewer = Viewer::connect(gateway.ready.live).await;
    viewer.realtime().await;
    mosquitto_pub(broker.address, "Environ/Temperature", "26.5 °C".as_bytes());
    assert!(viewer.hear().await.ends_with(r#""temp":26.5}}"#));
    let mut byte = [0];
    soon("the byte", led.read_exact(&mut byte)).await.unwrap();
    assert_eq!(byte, *b"h");
    controller.kill().unwrap();
    controller.wait().unwrap();
    assert_eq!(gateway.get("/api/v1/audit").await["stored"], 1);
}

#[tokio::test]
async fn what_was_published_while_the_gateway_was_away_arrives_when_it_is_back() {
    let Some(program) = program() else { return };
    let broker = Mosquitto::start(program);
    let dir = tempfile::tempdir().unwrap();
    let url = format!("broker.url=mqtt://{}", broker.address);
    let mut gateway = Mtom::serve("gateway", dir.path(), &[&url]);
    let connected = async |gateway: &Mtom| {
        soon("the broker's greeting", async {
            // Readings are what shows that the subscription is in force.
            while gateway.get("/api/v1/audit").await["stored"].as_u64() == Some(0) {
                mosquitto_pub(broker.address, "Environ/Temperature", b"20");
            }
        })
        .await;
    };
    connected(&gateway).await;
    gateway.kill();
    for number in 0..50 {
        let reading = format!(r#"{{"temperature":21,"boot":"away","seq":{number}}}"#);
        mosquitto_pub(broker.address, "Environ/Temperature", reading.as_bytes());
    }
    let gateway = Mtom::serve("gateway", dir.path(), &[&url]);
    soon("fifty readings", async {
        loop {
            let page = gateway.get("/api/v1/readings?order=desc&limit=100").await;
            let away = page["readings"].as_array().unwrap().iter();
            if away.filter(|reading| reading["value"] == 21.0).count() == 50 {
                break;
            }
        }
    })
    .await;
}

#[test]
fn simulated_devices_and_a_watcher_are_processes_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut actuator = command(&["actuator", "--pty"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut led = BufReader::new(actuator.stdout.take().unwrap());
    led.read_line(&mut first).unwrap();
    let path = first.trim().strip_prefix("TEMP_LED speaks on ").unwrap();
    let link = format!(r#"actuator=[{{name="LAMP",link="serial:{path}"}}]"#);
    let mtom = Mtom::serve("up", dir.path(), &[&link]);
    let page = format!("http://{}", mtom.ready.dashboard);
    let mut watch = command(&["watch", "--plain", "--dashboard", &page])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let broker = mtom.ready.mqtt.to_string();
    let mut sensor =
        command(&["sensor", "--broker", &broker, "--celsius", "30", "--period", "200ms"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    wait_for_line(watch.stdout.take().unwrap(), "LED on, reported");
    let mut second = String::new();
    led.read_line(&mut second).unwrap();
    assert_eq!(second, "LED on\n");
    for process in [&mut sensor, &mut watch, &mut actuator] {
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

#[tokio::test]
async fn the_simulated_sensor_gives_way_to_a_real_one() {
    let mtom = Mtom::up(&["simulate.sensors=1", "simulate.period=200ms"]);
    let mut viewer = Viewer::connect(mtom.ready.live).await;
    viewer.realtime().await;
    if !mosquitto_pub(mtom.ready.mqtt, "Environ/Temperature", b"99") {
        return;
    }
    while !viewer.hear().await.ends_with(r#""temp":99.0}}"#) {}
    // What was under way may still come; then only the real one is heard.
    soon("silence", async {
        for number in 0..20 {
            mosquitto_pub(mtom.ready.mqtt, "Environ/Temperature", format!("{number}").as_bytes());
            while !viewer.hear().await.ends_with(&format!(r#""temp":{number}.0}}}}"#)) {}
        }
    })
    .await;
    let page = mtom.get("/api/v1/readings?order=desc&limit=10").await;
    let newest: Vec<_> =
        page["readings"].as_array().unwrap().iter().map(|r| r["value"].as_f64().unwrap()).collect();
    let expected: Vec<_> = (10..20).rev().map(f64::from).collect();
    assert_eq!(newest, expected);
}

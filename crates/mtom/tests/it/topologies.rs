//! The original's topology: an external mosquitto, a gateway, a controller on its own, a serial LED.

use crate::mosquitto::{Mosquitto, program};
use crate::mtom::{Mtom, command, mosquitto_pub, wait_for_line};
use crate::soon;
use crate::viewer::Viewer;
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

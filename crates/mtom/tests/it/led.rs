//! From a publish to the byte on a serial port, and back from the device to the API.

use crate::mtom::{Mtom, mosquitto_pub};
use crate::soon;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_serial::{SerialPort, SerialStream};

/// A device on a pseudo terminal; the test is the device.
struct Device {
    port: SerialStream,
    // Open as long as the device is: a terminal whose other end nobody holds reports an error.
    _other_end: SerialStream,
    path: String,
}

impl Device {
    fn new() -> Self {
        let (port, other_end) = SerialStream::pair().unwrap();
        let path = other_end.name().unwrap();
        Self { port, _other_end: other_end, path }
    }

    async fn bytes(&mut self, count: usize) -> String {
        let mut bytes = vec![0; count];
        soon("bytes on the serial port", self.port.read_exact(&mut bytes)).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        loop {
            match self.bytes(1).await.as_str() {
                "\n" => return line,
                byte => line.push_str(byte),
            }
        }
    }

    async fn answer(&mut self, line: &str) {
        self.port.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }
}

fn hot_and_cold(mtom: &Mtom, celsius: &str) -> bool {
    mosquitto_pub(mtom.ready.mqtt, "Environ/Temperature", format!("{celsius} °C").as_bytes())
}

/// The rule of the original without its dwell, so that a test need not wait a second.
const RULE: &str = r#"rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",then=[{actuator="LAMP"}]}]"#;

async fn actuator_when(mtom: &Mtom, wanted: impl Fn(&Value) -> bool) -> Value {
    soon("the actuator's state", async {
        loop {
            let answer = mtom.get("/api/v1/actuators").await;
            let actuator = answer["actuators"][0].clone();
            if wanted(&actuator) {
                return actuator;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn an_original_device_gets_h_and_c_and_is_shown_as_sent() {
    let mut device = Device::new();
    let link =
        format!(r#"actuator=[{{name="LAMP",link="serial:{}",protocol="original"}}]"#, device.path);
    let mtom = Mtom::up(&[&link, RULE]);
    for (celsius, byte) in [("25.0", "h"), ("24.9", "c"), ("77", "h")] {
        if !hot_and_cold(&mtom, celsius) {
            return;
        }
        assert_eq!(device.bytes(1).await, byte, "{celsius} °C");
    }
    let shown = actuator_when(&mtom, |actuator| actuator["sent"]["led"] == "on").await;
    assert_eq!(shown["reported"], Value::Null);
}

#[tokio::test]
async fn a_device_of_the_second_version_is_shown_as_it_reports_itself() {
    let mut device = Device::new();
    let link = format!(r#"actuator=[{{name="LAMP",link="serial:{}"}}]"#, device.path);
    let mtom = Mtom::up(&[&link, RULE]);
    assert_eq!(device.line().await, "?");
    device.answer("= c 0 TEMP_LED 1.0.0").await;
    if !hot_and_cold(&mtom, "30") {
        return;
    }
    let command = loop {
        let line = device.line().await;
        if line != "?" {
            break line;
        }
        device.answer("= c 0 TEMP_LED 1.0.0").await;
    };
    assert!(command.starts_with("h "), "{command}");
    let silent = mtom.get("/api/v1/actuators").await;
    assert_eq!(silent["actuators"][0]["reported"]["led"], "off", "it has not answered yet");
    device.answer(&command).await;
    let number: u64 = command.trim_start_matches("h ").parse().unwrap();
    let shown = actuator_when(&mtom, |actuator| actuator["reported"]["led"] == "on").await;
    assert_eq!(shown["reported"]["number"], number);
    assert_eq!(shown["firmware"], "TEMP_LED 1.0.0");
}

#[tokio::test]
async fn command_numbers_rise_across_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut numbers = Vec::new();
    for celsius in ["30", "20", "30"] {
        let mut device = Device::new();
        let link = format!(
            r#"actuator=[{{name="LAMP",link="serial:{}",protocol="second"}}]"#,
            device.path
        );
        let mut mtom = Mtom::serve("up", dir.path(), &[&link, RULE]);
        if !hot_and_cold(&mtom, celsius) {
            return;
        }
        let wanted = if celsius == "30" { "h " } else { "c " };
        let number: u64 = loop {
            if let Some(number) = device.line().await.strip_prefix(wanted) {
                break number.parse().unwrap();
            }
        };
        numbers.push(number);
        mtom.kill();
    }
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

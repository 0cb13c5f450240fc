//! From a publish to the byte on a serial port, and back from the device to the API.

use crate::mtom::{Mtom, command, mosquitto_pub, run};
use crate::soon;
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_serial::{SerialPort, SerialStream};

/// A device on a pseudo terminal; the test is the device.
struct Device {
    port: SerialStream,
    // Open as long as the device is: a terminal whose other end nobody holds reports an error.
    other_end: SerialStream,
    path: String,
}

impl Device {
    fn new() -> Self {
        let (port, other_end) = SerialStream::pair().unwrap();
        let path = other_end.name().unwrap();
        Self { port, other_end, path }
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

pub(crate) fn hot_and_cold(mtom: &Mtom, celsius: &str) -> bool {
    mosquitto_pub(mtom.ready.mqtt, "Environ/Temperature", format!("{celsius} °C").as_bytes())
}

/// The rule of the original without its dwell, so that a test need not wait a second.
pub(crate) const RULE: &str = r#"rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",then=[{actuator="LAMP"}]}]"#;

pub(crate) async fn actuator_when(mtom: &Mtom, wanted: impl Fn(&Value) -> bool) -> Value {
    mtom.actuator_when("the actuator's state", wanted).await
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
    // What mtom has set there, as the sketch has it.
    assert_eq!(device.other_end.baud_rate().unwrap(), 115_200);
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

/// `mtom actuator --pty --original` behind a name that stays: killed, it is a device whose cable is
/// pulled. A process of its own, because ours hands its terminals down to every `mtom` that it starts.
struct Plugged {
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
    plug: PathBuf,
}

impl Plugged {
    fn new(plug: &Path) -> Self {
        let mut process =
            command(&["actuator", "--pty", "--original"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        let path = first.strip_prefix("TEMP_LED speaks on ").unwrap();
        std::os::unix::fs::symlink(path, plug).unwrap();
        Self { process, said, plug: plug.to_owned() }
    }

    fn says(&mut self) -> String {
        self.said.next().unwrap().unwrap()
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.plug);
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_port_that_vanishes_and_comes_back_hears_the_newest_state_only() {
    let dir = tempfile::tempdir().unwrap();
    let plug = dir.path().join("led");
    let mut device = Plugged::new(&plug);
    let link = format!(
        r#"actuator=[{{name="LAMP",link="serial:{}",protocol="original"}}]"#,
        plug.display()
    );
    let mtom = Mtom::up(&[&link, RULE]);
    if !hot_and_cold(&mtom, "30") {
        return;
    }
    assert_eq!(device.says(), "LED on");
    drop(device);
    actuator_when(&mtom, |actuator| actuator["link_state"] != "up").await;
    for celsius in ["20", "31", "19", "30"] {
        assert!(hot_and_cold(&mtom, celsius));
    }
    let mut device = Plugged::new(&plug);
    // Each state that was decided meanwhile would be a line of its own.
    assert_eq!(device.says(), "LED on");
    assert!(hot_and_cold(&mtom, "19"));
    assert_eq!(device.says(), "LED off");
    assert!(hot_and_cold(&mtom, "30"));
    assert_eq!(device.says(), "LED on");
}

/// `mtom actuator` on TCP; killed, it is a device whose power goes.
pub(crate) struct Powered {
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Powered {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let mut process = command(&["actuator", "--lease", "none"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, said }
    }

    pub(crate) fn says(&mut self) -> String {
        self.said.next().unwrap().unwrap()
    }

    /// The next line; none when it has been killed and has said everything.
    pub(crate) fn says_perhaps(&mut self) -> Option<String> {
        self.said.next().map(Result::unwrap)
    }

    /// Its power goes.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Powered {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_device_that_lost_its_power_is_lit_again_under_a_number_it_takes_for_new() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("led.state").display().to_string();
    let mut device = Powered::new(&["--state", &state, "--listen", "127.0.0.1:0"]);
    let address = device.says().strip_prefix("TEMP_LED waits on tcp:").unwrap().to_owned();
    let mtom = Mtom::up(&[&format!(r#"actuator=[{{name="LAMP",link="tcp:{address}"}}]"#), RULE]);
    if !hot_and_cold(&mtom, "30") {
        return;
    }
    assert_eq!(device.says(), "LED on");
    let on = |actuator: &Value| actuator["reported"]["led"] == "on";
    let before = actuator_when(&mtom, on).await["reported"]["number"].as_u64().unwrap();
    drop(device);
    let mut device = Powered::new(&["--state", &state, "--listen", &address]);
    device.says();
    assert_eq!(device.says(), "LED on");
    let renewed =
        |actuator: &Value| on(actuator) && actuator["reported"]["number"].as_u64() > Some(before);
    let after = actuator_when(&mtom, renewed).await["reported"]["number"].as_u64().unwrap();
    // Numbers are kept in blocks of 64, so the rest of its block counts as used.
    assert!(after >= before + 64, "{before} {after}");
}

#[test]
fn an_actuator_that_cannot_be_is_refused_with_what_is_expected() {
    for (arguments, expected) in [
        (&["--original", "--ble", "hci0"][..], "cannot be used with"),
        (&["--original", "--state", "led.state"], "cannot be used with"),
        (&["--ble", "nonsense"], "expected host:port"),
        (&["--safe", "perhaps"], "expected on or off"),
        (&["--lease", "0s"], "expected a time or none"),
        (&["--fault", "rain"], "expected drop=0.1, die-after=20, slow=300ms or legacy"),
        (&["--fault", "legacy", "--state", "led.state"], "--fault legacy cannot be used with"),
    ] {
        let ended = run(&[&["actuator"], arguments].concat());
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(64), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    let ended = run(&["actuator", "--listen", "127.0.0.1:0", "--name", "TEMP LED"]);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("name: expected 1 to 20"), "{said}");
}

#[tokio::test]
async fn a_device_that_claims_an_impossible_number_uses_up_none_of_ours() {
    const CLAIM: &str = "= c 18446744073709551615 X 1";
    let mut device = Device::new();
    let link = format!(r#"actuator=[{{name="LAMP",link="serial:{}"}}]"#, device.path);
    let dir = tempfile::tempdir().unwrap();
    for celsius in ["26", "27"] {
        let mut mtom = Mtom::serve("up", dir.path(), &[&link, RULE]);
        while device.line().await != "?" {}
        device.answer(CLAIM).await;
        if !hot_and_cold(&mtom, celsius) {
            return;
        }
        let command = loop {
            match device.line().await {
                line if line == "?" => device.answer(CLAIM).await,
                line => break line,
            }
        };
        let number: u64 = command.trim_start_matches("h ").parse().unwrap();
        assert!(number < 10_000, "{command}");
        assert!(mtom.stop("-TERM").success());
    }
}

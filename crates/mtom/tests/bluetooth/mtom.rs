//! The real binary: the gateway with its API, and simulated devices.

use crate::LIMIT;
use crate::guest::Guest;
use crate::process::{Process, note, within};
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The rule of the original without its times: a test need not wait a second, and may wait for more than ten.
const RULE: &str = r#"rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="never",then=[{actuator="LAMP"}]}]"#;

static SENSORS: AtomicU32 = AtomicU32::new(1);

/// The binary with its arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("/suite/mtom");
    command.args(arguments).env("RUST_LOG", "info,mtom=debug");
    command
}

/// `mtom actuator`, a device of a process of its own.
pub(crate) fn device(guest: &Guest, log: &str, arguments: &[&str]) -> Process {
    let mut actuator = command(&["actuator"]);
    let mut device = Process::start(guest.logs(), log, actuator.args(arguments));
    device.says(" is found over ");
    device
}

/// `mtom up` with one actuator, whose name in the gateway is LAMP.
pub(crate) struct Gateway {
    process: Process,
    logs: PathBuf,
    mqtt: SocketAddr,
    page: SocketAddr,
}

impl Gateway {
    /// With this link.
    pub(crate) fn up(guest: &Guest, link: &str) -> Self {
        Self::up_with(guest, link, "")
    }

    /// And with what else its section says.
    pub(crate) fn up_with(guest: &Guest, link: &str, more: &str) -> Self {
        let data = guest.logs().join("data");
        // The host's folder is no place for a database.
        let data = PathBuf::from("/tmp").join(data.strip_prefix("/").unwrap());
        fs::create_dir_all(&data).unwrap();
        let ready = data.join("ready.json");
        let _ = fs::remove_file(&ready);
        let mut up = command(&["up", "--ready-file"]);
        up.arg(&ready).current_dir(&data);
        let mut sets = vec![
            format!("data.dir={}", data.display()),
            "simulate.sensors=0".into(),
            "simulate.actuators=0".into(),
            format!(r#"actuator=[{{name="LAMP",link="{link}"{more}}}]"#),
            RULE.into(),
        ];
        for section in ["broker", "live", "history", "forward.tcp", "dashboard"] {
            sets.push(format!("{section}.listen=127.0.0.1:0"));
        }
        for set in sets {
            up.args(["--set", &set]);
        }
        note(guest.logs(), "gateway");
        let mut process = Process::start(guest.logs(), "gateway", &mut up);
        process.says("Ctrl-C stops it");
        note(guest.logs(), "gateway is up");
        let ready: Value = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
        let address = |key: &str| ready[key].as_str().unwrap().parse().unwrap();
        let (mqtt, page) = (address("mqtt"), address("dashboard"));
        Self { process, logs: guest.logs().to_owned(), mqtt, page }
    }

    /// What the API says of the actuator.
    pub(crate) fn lamp(&self) -> Value {
        self.ask("GET", "/api/v1/actuators", "")["actuators"][0].clone()
    }

    /// What the API answers; null where it says nothing.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut socket = TcpStream::connect(self.page).unwrap();
        let (page, len) = (self.page, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {len}\r\n\r\n{body}"
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_default()
    }

    /// Where its page is, as a setting of the configuration.
    pub(crate) fn place(&self) -> String {
        format!("dashboard.listen={}", self.page)
    }

    /// Waits until the API says of the actuator what is wanted; writes down how its link goes.
    pub(crate) fn lamp_when(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let (mut last, mut link) = (Value::Null, String::new());
        within(LIMIT, || {
            last = self.lamp();
            let now = format!("link {}: {}", last["link_state"], last["link_reason"]);
            if now != link {
                note(&self.logs, &now);
                link = now;
            }
            wanted(&last).then(|| last.clone())
        })
        .unwrap_or_else(|| panic!("{what}: not within {LIMIT:?}; {last}"))
    }

    /// Waits until the device itself has said that it is so.
    pub(crate) fn lamp_is(&self, led: &str) -> Value {
        self.lamp_when(&format!("the device says that it is {led}"), |lamp| {
            lamp["reported"]["led"] == led
                && lamp["reported"]["number"] == lamp["desired"]["number"]
        })
    }

    /// A reading as the original's sensor sends it, acknowledged by the broker.
    pub(crate) fn publish(&self, celsius: &str) {
        self.sensor().publish(celsius);
    }

    /// A sensor of its own: the broker may not have missed the last one yet.
    pub(crate) fn sensor(&self) -> Sensor {
        let mut sensor = Sensor(TcpStream::connect(self.mqtt).unwrap());
        sensor.0.set_nodelay(true).unwrap();
        let name = SENSORS.fetch_add(1, Ordering::Relaxed).to_string();
        // MQTT 3.1.1: CONNECT with a clean session, then CONNACK.
        let hello = [text("MQTT"), vec![4, 2, 0, 60], text(&name)].concat();
        sensor.ask(0x10, hello, 0x20);
        sensor
    }

    /// Asks it to end, and sees that it does so in good order.
    pub(crate) fn stop(&mut self) {
        let status = self.process.stop();
        assert!(status.success(), "{status}");
    }
}

/// A sensor that speaks as the original's.
pub(crate) struct Sensor(TcpStream);

impl Sensor {
    /// PUBLISH with QoS 1 and number 1, then PUBACK.
    pub(crate) fn publish(&mut self, celsius: &str) {
        let reading = format!("{celsius} °C").into_bytes();
        self.ask(0x32, [text("Environ/Temperature"), vec![0, 1], reading].concat(), 0x40);
    }

    fn ask(&mut self, kind: u8, body: Vec<u8>, answered: u8) {
        let len = u8::try_from(body.len()).unwrap();
        assert!(len < 128, "one byte of length");
        self.0.write_all(&[vec![kind, len], body].concat()).unwrap();
        let mut answer = [0; 4];
        self.0.read_exact(&mut answer).unwrap();
        assert_eq!(answer[0], answered, "{answer:?}");
    }
}

fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

/// A device that has just come back has been told nothing but this since.
pub(crate) fn newest_only(device: &mut Process, led: &str) {
    let said = device.said_since();
    if let Some(old) = told_another(&said, led) {
        panic!("it was told something old: {old} of {said:?}");
    }
    // The same look at a device that hears the queue of an hour.
    let planted = ["LED on", "LED off", "LED on"].map(str::to_owned);
    assert!(told_another(&planted, led).is_some(), "the look itself is blind");
}

fn told_another<'a>(said: &'a [String], led: &str) -> Option<&'a String> {
    said.iter().find(|line| line.starts_with("LED ") && **line != format!("LED {led}"))
}

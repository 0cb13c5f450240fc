//! What may be wrong with Bluetooth, by a bluetoothd that is in as much trouble as it is told, on a bus of its
//! own: `mtom doctor`, `mtom actuator scan`, the page's API and the link each say the one thing that helps.

use crate::mtom::{Mtom, command, output, serving};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const CONF: &str = include_str!("../bluez/bus.conf");
const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bluez/bluez.py");
const LED: &str = "C6:55:44:33:22:11";
const OTHER: &str = "D0:00:00:00:00:01";

/// A system bus of the test's own and, unless there is none, a daemon on it.
struct Bus {
    folder: TempDir,
    /// The daemon last: it ends with its bus.
    processes: Vec<Child>,
}

impl Bus {
    /// None where what it is made of is not installed, said as SKIPPED.
    fn start(may_use: &str, daemon: Option<Value>) -> Option<Self> {
        let python = python()?;
        let folder = tempfile::tempdir().unwrap();
        let mut bus = Self { folder, processes: Vec::new() };
        let conf = bus.folder.path().join("bus.conf");
        let socket = bus.socket().display().to_string();
        std::fs::write(&conf, CONF.replace("SOCKET", &socket).replace("MAY_USE", may_use)).unwrap();
        let mut dbus = Command::new("dbus-daemon");
        dbus.arg("--config-file").arg(&conf).args(["--nofork", "--print-address"]);
        bus.run(dbus, "unix:");
        if let Some(parameters) = daemon {
            let mut bluetoothd = Command::new(python);
            let parameters = parameters.to_string();
            bluetoothd.args(["-m", "dbusmock", "-t", TEMPLATE, "-p", &parameters]);
            bluetoothd
                .env("DBUS_SYSTEM_BUS_ADDRESS", bus.address())
                .env("PYTHONDONTWRITEBYTECODE", "1");
            bus.run(bluetoothd, "ready");
        }
        Some(bus)
    }

    /// Runs it until it has said that it is there.
    fn run(&mut self, mut program: Command, said: &str) {
        let started = program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = started.unwrap_or_else(|error| panic!("{program:?}: {error}"));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        self.processes.push(process);
        assert!(lines.by_ref().any(|line| line.unwrap().contains(said)), "{program:?}");
        // It goes on to tell of everything, and must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("bus")
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    /// Tells the daemon.
    fn signal(&self, signal: &str) {
        let pid = self.processes.last().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// `mtom` on this bus, to its end: how, and what it said.
    fn mtom(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut mtom = command(arguments);
        mtom.env("DBUS_SYSTEM_BUS_ADDRESS", self.address()).current_dir(self.folder.path());
        let ended = output(mtom);
        let said = [ended.stdout, ended.stderr].concat();
        (ended.status.code(), String::from_utf8(said).unwrap())
    }

    fn doctor(&self, link: &str) -> String {
        let actuator = format!(r#"actuator=[{{name="LAMP",link="{link}"}}]"#);
        self.mtom(&["doctor", "--set", &actuator, "--set", "data.dir=data"]).1
    }

    /// `mtom up` on this bus.
    fn up(&self, link: &str) -> Mtom {
        let actuator = format!(r#"actuator=[{{name="LAMP",link="{link}"}}]"#);
        let folder = self.folder.path();
        let mut mtom = serving("up", folder, &[&actuator]);
        mtom.env("DBUS_SYSTEM_BUS_ADDRESS", self.address());
        Mtom::start(mtom, folder)
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A Python that has dbusmock: Debian's own, whichever comes first on the path.
fn python() -> Option<&'static str> {
    let has_it = |python: &&str| {
        let mut ask = Command::new(python);
        ask.args(["-c", "import dbusmock, gi"]).stdout(Stdio::null()).stderr(Stdio::null());
        ask.status().is_ok_and(|status| status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has_it);
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "python3-dbusmock is missing: CI must not skip");
        eprintln!("SKIPPED: python3-dbusmock is not installed (apt-get install python3-dbusmock)");
    }
    found
}

fn one_led() -> Value {
    json!({ "adapters": ["hci0"], "devices": { LED: "TEMP_LED" } })
}

/// Why the link is not up.
async fn reason(mtom: &Mtom) -> String {
    let has_reason = |lamp: &Value| lamp["link_reason"] != "";
    let lamp = mtom.actuator_when("a reason", has_reason).await;
    lamp["link_reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_trouble_is_told_with_its_next_step_by_whoever_is_asked() {
    let off = json!({ "adapters": ["hci0"], "powered": false });
    let no_bus = "no D-Bus, by which Bluetooth is reached: install dbus and start it";
    let no_daemon = "bluetoothd does not run: install bluez, then systemctl start bluetooth";
    let no_adapter = "no Bluetooth adapter: plug one in until bluetoothctl list shows it";
    let not_permitted =
        "this user may not use Bluetooth: usermod -aG bluetooth with its name, then log in again";
    let is_off = "adapter hci0 is switched off: bluetoothctl power on";
    for (may_use, daemon, expected) in [
        ("allow", None, no_daemon),
        ("allow", Some(json!({})), no_adapter),
        ("deny", Some(one_led()), not_permitted),
        ("allow", Some(off), is_off),
    ] {
        let Some(bus) = Bus::start(may_use, daemon) else { return };
        let said = bus.doctor("ble:TEMP_LED");
        assert!(said.contains(&format!("BAD   Bluetooth: {expected}\n")), "{said}");
        let (code, said) = bus.mtom(&["actuator", "scan", "--for", "20s"]);
        assert_eq!((code, said.contains(expected)), (Some(1), true), "{said}");
        for link in ["ble:TEMP_LED", "spp:TEMP_LED"] {
            let mtom = bus.up(link);
            assert_eq!(reason(&mtom).await, format!("{link}: {expected}"));
            let (status, body) =
                crate::mtom::get(mtom.ready.dashboard, "/api/v1/actuators/scan").await;
            assert_eq!((status, body.contains(expected)), (503, true), "{body}");
        }
    }
    let Some(mut bus) = Bus::start("allow", None) else { return };
    bus.processes.remove(0).kill().unwrap();
    std::fs::remove_file(bus.socket()).unwrap();
    let said = bus.doctor("ble:TEMP_LED");
    assert!(said.contains(&format!("BAD   Bluetooth: {no_bus}\n")), "{said}");
}

#[tokio::test]
async fn an_adapter_that_is_not_there_is_told_with_those_that_are() {
    let two = json!({ "adapters": ["hci0", "hci1"] });
    let Some(bus) = Bus::start("allow", Some(two)) else { return };
    let said = bus.doctor("ble:TEMP_LED?adapter=hci7");
    let expected = "BAD   Bluetooth hci7: no adapter hci7: expected one of hci0, hci1\n";
    assert!(said.contains(expected), "{said}");
    let said = bus.doctor("ble:TEMP_LED?adapter=hci1");
    assert!(said.contains("ok    Bluetooth hci1: adapter hci1 works\n"), "{said}");
}

#[tokio::test]
async fn an_adapter_that_must_not_be_switched_on_is_blocked() {
    let blocked = json!({ "adapters": ["hci0"], "powered": false, "blocked": true });
    let Some(bus) = Bus::start("allow", Some(blocked)) else { return };
    // Only with this option it is switched on at all.
    let link = "ble:TEMP_LED?power=cycle";
    let mtom = bus.up(link);
    assert_eq!(
        reason(&mtom).await,
        format!("{link}: Bluetooth is blocked: rfkill unblock bluetooth")
    );
}

#[tokio::test]
async fn a_daemon_that_hangs_is_given_up_and_told() {
    let Some(bus) = Bus::start("allow", Some(one_led())) else { return };
    bus.signal("-STOP");
    let said = bus.doctor("ble:TEMP_LED");
    let expected =
        "BAD   Bluetooth: Bluetooth does not work: bluetoothd does not answer within 5s\n";
    assert!(said.contains(expected), "{said}");
    bus.signal("-CONT");
}

#[tokio::test]
async fn what_is_in_reach_is_told_by_the_command_line_and_by_the_api() {
    let Some(bus) = Bus::start("allow", Some(one_led())) else { return };
    let (code, said) = bus.mtom(&["actuator", "scan", "--for", "1s"]);
    assert_eq!(code, Some(0), "{said}");
    let row = said.lines().find(|line| line.contains("TEMP_LED")).unwrap();
    for part in [&format!("ble:{LED}"), "TEMP_LED", "LE", "-40 dBm", "UART"] {
        assert!(row.contains(part), "{part}: {said}");
    }
    let mtom = bus.up("ble:TEMP_LED");
    let found = mtom.get("/api/v1/actuators/scan?seconds=1").await;
    let led = json!({
        "link": format!("ble:{LED}"), "name": "TEMP_LED", "kind": "le", "signal_dbm": -40, "has_service": true
    });
    assert_eq!(found, json!({ "devices": [led] }));
}

#[tokio::test]
async fn a_device_that_vanishes_is_searched_and_found_again() {
    let Some(bus) = Bus::start("allow", Some(one_led())) else { return };
    let mtom = bus.up("ble:TEMP_LED");
    let up = |lamp: &Value| lamp["link_state"] == "up";
    mtom.actuator_when("the link", up).await;
    // It says so in its first answer, which is what makes the link stand.
    mtom.actuator_when("its firmware", |lamp| lamp["firmware"] == "MOCK 1.0").await;
    set(&mtom, "on").await;
    mtom.actuator_when("on", |lamp| lamp["reported"]["led"] == "on").await;
    bus.signal("-USR1");
    let searched = |lamp: &Value| lamp["link_state"] == "searching";
    let shown = mtom.actuator_when("the search", searched).await;
    assert_eq!(shown["link_reason"], "ble:TEMP_LED: closed by the other end");
    assert!(shown["link_down_since_micros"].as_i64() < shown["link_since_micros"].as_i64());
    set(&mtom, "off").await;
    bus.signal("-USR2");
    let off = |lamp: &Value| {
        up(lamp)
            && lamp["reported"]["led"] == "off"
            && lamp["reported"]["number"] == lamp["desired"]["number"]
    };
    mtom.actuator_when("off", off).await;
}

async fn set(mtom: &Mtom, led: &str) {
    let (path, body) = ("/api/v1/actuators/LAMP/set", json!({ "led": led }).to_string());
    let (status, said) =
        crate::mtom::put(mtom.ready.dashboard, path, "application/json", &body).await;
    assert_eq!(status, 204, "{said}");
}

#[tokio::test]
async fn a_device_that_is_not_what_was_meant_is_told_with_what_to_write() {
    let two = json!({ "adapters": ["hci0"], "devices": { LED: "TEMP_LED", OTHER: "TEMP_LED" } });
    let plain = json!({ "adapters": ["hci0"], "devices": { LED: "TEMP_LED" }, "plain": true });
    let mut refusing = one_led();
    refusing["refuses"] = true.into();
    let by_address = format!("ble:{LED}");
    for (daemon, link, expected) in [
        (
            two,
            "ble:TEMP_LED",
            format!(
                "2 devices call themselves TEMP_LED: {LED} and {OTHER}; choose one by its address, as in ble:{LED}"
            ),
        ),
        (
            plain,
            &by_address,
            format!(
                "{LED} has no UART service (6e400001-b5a3-f393-e0a9-e50e24dcca9e); is it one of ours?"
            ),
        ),
        (
            refusing,
            "ble:TEMP_LED",
            format!("{LED}: Bluetooth operation failed: le-connection-abort-by-local"),
        ),
    ] {
        let Some(bus) = Bus::start("allow", Some(daemon)) else { return };
        let mtom = bus.up(link);
        assert_eq!(reason(&mtom).await, format!("{link}: {expected}"));
    }
}

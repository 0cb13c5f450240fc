//! Links that lose, that hang and that die, and hands on the device: `mtom up` and `mtom actuator` as
//! processes of their own.

use crate::led::hot_and_cold;
use crate::mtom::{Mtom, command, run};
use crate::soon;
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The rule of the original without its dwell, so that a test need not wait a second.
const RULE: &str = r#"rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="never",then=[{actuator="LAMP"}]}]"#;

/// `mtom actuator`; killed when dropped.
struct Device {
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
    /// For the gateway: `tcp:127.0.0.1:7000` or `serial:/dev/pts/3`.
    link: String,
}

impl Device {
    fn new(arguments: &[&str]) -> Self {
        let mut process =
            command(&["actuator"]).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        let link = match first.split_once(" waits on ") {
            Some((_, tcp)) => tcp.to_owned(),
            None => format!("serial:{}", first.split_once(" speaks on ").unwrap().1),
        };
        Self { process, said, link }
    }

    fn says(&mut self) -> String {
        self.said.next().unwrap().unwrap()
    }

    fn press(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-USR1", &pid]).status().unwrap().success());
    }

    /// Kills it; what it said that nobody has heard yet.
    fn rest(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        self.said.by_ref().map(Result::unwrap).collect()
    }

    fn configured(&self, more: &str) -> String {
        format!(r#"actuator=[{{name="LAMP",link="{}"{more}}}]"#, self.link)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// It is so because of the newest command.
fn reported(led: &'static str) -> impl Fn(&Value) -> bool {
    move |lamp| {
        lamp["reported"]["led"] == led && lamp["reported"]["number"] == lamp["desired"]["number"]
    }
}

/// `mtom actuator list`, `status` or `set`, of this gateway.
fn ask(mtom: &Mtom, arguments: &[&str]) -> (Option<i32>, String) {
    let page = format!("dashboard.listen={}", mtom.ready.dashboard);
    let Output { status, stdout, stderr } =
        run(&[&["actuator"], arguments, &["--set", &page]].concat());
    let said = [stdout, stderr].concat();
    (status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn lines_that_get_lost_and_come_late_end_in_the_newest_state() {
    for link in [&["--listen", "127.0.0.1:0"][..], &["--pty"]] {
        let faults = ["--fault", "drop=0.2,slow=20ms", "--seed", "7"];
        let device = Device::new(&[link, &faults].concat());
        let mtom = Mtom::up(&[&device.configured(""), RULE]);
        for celsius in ["30", "20", "31", "19", "32", "18", "33", "17", "34", "16", "35"] {
            if !hot_and_cold(&mtom, celsius) {
                return;
            }
        }
        mtom.actuator_when("the newest state", reported("on")).await;
        assert_eq!(device.rest().last().unwrap(), "LED on");
    }
}

#[tokio::test]
async fn a_legacy_device_is_found_out_and_shown_as_sent() {
    let mut device = Device::new(&["--listen", "127.0.0.1:0", "--fault", "legacy"]);
    let mtom = Mtom::up(&[&device.configured(""), RULE]);
    for (celsius, led) in [("25.0", "on"), ("24.9", "off")] {
        if !hot_and_cold(&mtom, celsius) {
            return;
        }
        assert_eq!(device.says(), format!("LED {led}"));
        let shown = mtom.actuator_when("sent", |lamp| lamp["sent"]["led"] == led).await;
        assert_eq!((&shown["reported"], &shown["link_state"]), (&Value::Null, &"up".into()));
    }
    let (code, said) = ask(&mtom, &["set", "LAMP", "on"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said, "LAMP: on was sent; this device never answers\n");
    assert_eq!(device.says(), "LED on");
    let (_, said) = ask(&mtom, &["list"]);
    let line = said.lines().nth(1).unwrap();
    assert!(line.starts_with("LAMP") && line.contains("on, sent "), "{said}");
}

#[tokio::test]
async fn a_device_that_dies_without_a_word_is_broken_and_comes_back_to_the_newest_state() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("led.state").display().to_string();
    let mut device =
        Device::new(&["--listen", "127.0.0.1:0", "--state", &state, "--fault", "die-after=3"]);
    let mtom = Mtom::up(&[&device.configured(""), RULE]);
    if !hot_and_cold(&mtom, "30") {
        return;
    }
    assert_eq!(device.says(), "LED on");
    mtom.actuator_when("on", reported("on")).await;
    // Its socket stays open and takes everything. It is asked how it is until it has died.
    let broken = |lamp: &Value| lamp["link_state"] == "broken";
    let shown = mtom.actuator_when("that it is dead", broken).await;
    let reason = shown["link_reason"].as_str().unwrap();
    assert!(reason.ends_with("no answer for 2s"), "{shown}");
    assert!(hot_and_cold(&mtom, "20"));
    // Its socket can even be connected to: that is not up.
    let later = |lamp: &Value| broken(lamp) && lamp["link_since"] != shown["link_since"];
    let again = mtom.actuator_when("that it is dead still", later).await;
    assert_eq!(again["link_down_since"], shown["link_down_since"]);
    assert_eq!(again["reported"]["led"], "on", "what it said last");
    let (code, said) = ask(&mtom, &["set", "LAMP", "off", "--wait", "1s"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("LAMP is wanted off, and its device has not reported"), "{said}");
    let address = device.link.strip_prefix("tcp:").unwrap().to_owned();
    drop(device);
    let device = Device::new(&["--listen", &address, "--state", &state]);
    let shown = mtom.actuator_when("off", reported("off")).await;
    assert_eq!((&shown["link_state"], &shown["link_down_since"]), (&"up".into(), &Value::Null));
    // It was off at its start: nothing that is past has lit it.
    assert_eq!(device.rest(), [""; 0]);
}

#[tokio::test]
async fn a_device_returns_to_its_safe_state_by_itself_when_the_gateway_is_killed() {
    const LEASE: Duration = Duration::from_secs(3);
    let mut leased = Device::new(&["--listen", "127.0.0.1:0", "--lease", "3s"]);
    let mut kept = Device::new(&["--listen", "127.0.0.1:0", "--lease", "none"]);
    let links = format!(
        r#"actuator=[{{name="LAMP",link="{}",refresh="1s"}},{{name="KEPT",link="{}"}}]"#,
        leased.link, kept.link
    );
    let rule = RULE.replace(r#"{actuator="LAMP"}"#, r#"{actuator="LAMP"},{actuator="KEPT"}"#);
    let mut mtom = Mtom::up(&[&links, &rule]);
    if !hot_and_cold(&mtom, "30") {
        return;
    }
    for device in [&mut leased, &mut kept] {
        assert_eq!(device.says(), "LED on");
    }
    // Alive, a gateway keeps the lease, however long nothing changes.
    let refreshed = |lamp: &Value| {
        let micros = |what: &str| lamp[what]["at_micros"].as_i64().unwrap_or_default();
        micros("sent") - micros("desired") > 2 * 3_000_000
    };
    mtom.actuator_when("two leases", refreshed).await;
    mtom.kill();
    let killed_at = Instant::now();
    // `LED off` before the kill would be taken for this one: it would come too early.
    assert_eq!(leased.says(), "LED off");
    let took = killed_at.elapsed();
    let earliest = LEASE - Duration::from_millis(1_500);
    assert!((earliest..LEASE + Duration::from_secs(2)).contains(&took), "{took:?}");
    // The other has no lease: it is asked, for it says nothing by itself.
    let mut tcp = TcpStream::connect(kept.link.strip_prefix("tcp:").unwrap()).await.unwrap();
    tcp.write_all(b"?\n").await.unwrap();
    let mut answer = [0; 4];
    soon("its answer", tcp.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"= h ");
    assert_eq!(kept.rest(), [""; 0]);
}

#[tokio::test]
async fn a_hand_on_the_button_is_told_and_corrected() {
    let mut device = Device::new(&["--listen", "127.0.0.1:0"]);
    let mtom = Mtom::up(&[&device.configured(""), RULE]);
    if !hot_and_cold(&mtom, "30") {
        return;
    }
    assert_eq!(device.says(), "LED on");
    let shown = mtom.actuator_when("on", reported("on")).await;
    device.press();
    assert_eq!(device.says(), "LED off");
    assert_eq!(device.says(), "LED on");
    // Under a number that it takes for a new one.
    let newer = |lamp: &Value| {
        reported("on")(lamp)
            && lamp["reported"]["number"].as_u64() > shown["reported"]["number"].as_u64()
    };
    mtom.actuator_when("on again", newer).await;
    let log = mtom.get("/api/v1/log").await.to_string();
    assert!(log.contains("LAMP was switched off at the device: it is put right"), "{log}");
    let (code, said) = ask(&mtom, &["status", "LAMP"]);
    assert_eq!(code, Some(0), "{said}");
    for line in ["  wanted     on, command ", "  reported   on, command ", " up since "] {
        assert!(said.contains(line), "{line:?}: {said}");
    }
}

#[tokio::test]
async fn a_hand_on_the_button_is_adopted_until_something_else_is_decided() {
    let mut device = Device::new(&["--listen", "127.0.0.1:0"]);
    let mtom = Mtom::up(&[&device.configured(r#",drift="adopt""#), RULE]);
    if !hot_and_cold(&mtom, "30") {
        return;
    }
    assert_eq!(device.says(), "LED on");
    mtom.actuator_when("on", reported("on")).await;
    device.press();
    assert_eq!(device.says(), "LED off");
    let adopted =
        |lamp: &Value| lamp["desired"]["led"] == "off" && lamp["reported"]["led"] == "off";
    mtom.actuator_when("off by hand", adopted).await;
    let (code, said) = ask(&mtom, &["set", "LAMP", "on"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("LAMP is on, as the device reports it"), "{said}");
    // A correction before it would be a line of its own.
    assert_eq!(device.rest(), ["LED on"]);
}

#[tokio::test]
async fn actuators_are_listed_told_and_set_from_the_command_line() {
    let mut device = Device::new(&["--listen", "127.0.0.1:0"]);
    let mtom = Mtom::up(&[&device.configured(""), RULE]);
    for (wish, led) in [("on", "on"), ("off", "off")] {
        let (code, said) = ask(&mtom, &["set", "LAMP", wish, "--for", "10m"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(device.says(), format!("LED {led}"));
        let (code, said) = ask(&mtom, &["list"]);
        let line = said.lines().nth(1).unwrap_or_default();
        assert_eq!(code, Some(0), "{said}");
        for part in ["LAMP ", led, ", reported ", &device.link, " up since "] {
            assert!(line.contains(part), "{part:?}: {said}");
        }
    }
    let (code, said) = ask(&mtom, &["status", "LAMP", "--json"]);
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &told), (Some(0), &mtom.get("/api/v1/actuators/LAMP/status").await));
    let (code, said) = ask(&mtom, &["set", "LAMP", "auto"]);
    assert_eq!(code, Some(0), "{said}");
    for (arguments, expected) in [
        (&["status", "LAMB"][..], "no actuator \"LAMB\": expected one of LAMP"),
        (&["set", "LAMB", "on"], "no actuator \"LAMB\": expected one of LAMP"),
        (&["set", "LAMP", "toggle"], "[possible values: on, off, auto]"),
    ] {
        let (code, said) = ask(&mtom, arguments);
        assert_eq!(code, Some(64), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn the_original_sketch_is_driven_over_a_serial_port_as_it_always_was() {
    let mut device = Device::new(&["--pty", "--original"]);
    let mtom = Mtom::up(&[&device.configured(""), RULE]);
    for (celsius, led) in [("25.0", "on"), ("24.9", "off"), ("77", "on")] {
        if !hot_and_cold(&mtom, celsius) {
            return;
        }
        assert_eq!(device.says(), format!("LED {led}"), "{celsius} °C");
    }
    let shown = mtom.actuator_when("sent", |lamp| lamp["sent"]["led"] == "on").await;
    assert_eq!((&shown["reported"], &shown["link_state"]), (&Value::Null, &"up".into()));
}

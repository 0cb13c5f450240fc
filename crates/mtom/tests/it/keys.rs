//! A device with a key: who has it, who has another one, and somebody in between.

use crate::led::{Powered, RULE, actuator_when, hot_and_cold};
use crate::mtom::{Mtom, run};
use crate::soon;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// `mtom actuator key`.
fn new_key(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(name);
    let made = run(&["actuator", "key", file.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    file
}

/// A device on TCP that has this key, or none, and its address.
fn device(listen: &str, key: Option<&Path>) -> (Powered, String) {
    let mut arguments = vec!["--listen", listen];
    if let Some(key) = key {
        arguments.extend(["--key-file", key.to_str().unwrap()]);
    }
    let mut device = Powered::new(&arguments);
    let address = device.says().strip_prefix("TEMP_LED waits on tcp:").unwrap().to_owned();
    (device, address)
}

fn gateway(address: &str, key: Option<&Path>) -> Mtom {
    let key = key.map_or_else(String::new, |key| format!(r#",key_file="{}""#, key.display()));
    Mtom::up(&[&format!(r#"actuator=[{{name="LAMP",link="tcp:{address}"{key}}}]"#), RULE])
}

/// Everything that the device says from now on, when it is told nothing any more.
fn rest(mut device: Powered) -> Vec<String> {
    device.kill();
    std::iter::from_fn(|| device.says_perhaps()).collect()
}

#[tokio::test]
async fn with_the_same_key_it_is_driven_and_authenticated() {
    let folder = tempfile::tempdir().unwrap();
    let key = new_key(folder.path(), "lamp.key");
    let (mut device, address) = device("127.0.0.1:0", Some(&key));
    let mtom = gateway(&address, Some(&key));
    actuator_when(&mtom, |actuator| actuator["trust"] == "authenticated").await;
    for (celsius, said, led) in [("30", "LED on", "on"), ("20", "LED off", "off")] {
        if !hot_and_cold(&mtom, celsius) {
            return;
        }
        assert_eq!(device.says(), said);
        let shown = actuator_when(&mtom, |actuator| actuator["reported"]["led"] == led).await;
        assert_eq!(
            (&shown["trust"], &shown["link_state"]),
            (&"authenticated".into(), &"up".into())
        );
    }
    let config = format!("dashboard.listen={}", mtom.ready.dashboard);
    let listed = run(&["actuator", "list", "--set", &config]);
    let said = String::from_utf8(listed.stdout).unwrap();
    assert!(
        said.lines().any(|line| line.starts_with("LAMP ") && line.contains(" authenticated ")),
        "{said}"
    );
}

#[tokio::test]
async fn with_another_key_or_none_nothing_moves_and_the_next_step_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, another) = (new_key(folder.path(), "ours"), new_key(folder.path(), "another"));
    for (device_has, gateway_has, trust, next) in [
        (Some(&ours), Some(&another), "wrong key", "mtom flash actuator --key-file"),
        (Some(&ours), None, "wrong key", "name it with key_file"),
        (None, Some(&ours), "unauthenticated", "take key_file away"),
    ] {
        let (device, address) = device("127.0.0.1:0", device_has.map(PathBuf::as_path));
        let mtom = gateway(&address, gateway_has.map(PathBuf::as_path));
        if !hot_and_cold(&mtom, "30") {
            return;
        }
        let is_refused = |actuator: &Value| {
            actuator["trust"] == trust
                && actuator["link_reason"].as_str().is_some_and(|reason| reason.contains(next))
        };
        let shown = actuator_when(&mtom, is_refused).await;
        assert_eq!(shown["link_state"], "broken");
        assert_eq!((&shown["reported"], &shown["sent"]), (&Value::Null, &Value::Null));
        assert_eq!(rest(device), [""; 0]);
    }
}

#[tokio::test]
async fn a_device_without_a_key_is_driven_and_marked_unauthenticated() {
    let (mut device, address) = device("127.0.0.1:0", None);
    let mtom = gateway(&address, None);
    if !hot_and_cold(&mtom, "30") {
        return;
    }
    assert_eq!(device.says(), "LED on");
    let shown = actuator_when(&mtom, |actuator| actuator["reported"]["led"] == "on").await;
    assert_eq!(shown["trust"], "unauthenticated");
}

/// Somebody on the wire who hears all and says what he likes.
struct Between {
    address: String,
    /// What was said with the key to the device, and by it.
    heard: Arc<Mutex<[Vec<String>; 2]>>,
    tasks: JoinSet<()>,
}

const TO_DEVICE: usize = 0;
const TO_GATEWAY: usize = 1;

impl Between {
    async fn new(device: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new([Vec::new(), Vec::new()]));
        let (heard_by_all, mut tasks) = (Arc::clone(&heard), JoinSet::new());
        tasks.spawn(async move {
            loop {
                let (gateway, _) = listener.accept().await.unwrap();
                let device = TcpStream::connect(&device).await.unwrap();
                let (from_gateway, to_gateway) = gateway.into_split();
                let (from_device, to_device) = device.into_split();
                let pass = |direction| Pass { direction, heard: Arc::clone(&heard_by_all) };
                tokio::select! {
                    () = pass(TO_DEVICE).on(from_gateway, to_device) => {}
                    () = pass(TO_GATEWAY).on(from_device, to_gateway) => {}
                }
            }
        });
        Self { address, heard, tasks }
    }
}

struct Pass {
    direction: usize,
    heard: Arc<Mutex<[Vec<String>; 2]>>,
}

impl Pass {
    /// Passes each line on, and with it all that can be made of it and of those before it.
    async fn on(self, from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            // Who is fooled shall not learn that somebody tries.
            if line.starts_with("! ") && !line.contains('#') {
                continue;
            }
            let mut said = vec![line.clone()];
            // To begin a conversation for others only ends theirs.
            let is_greeting = |line: &String| line.starts_with("# ");
            if !is_greeting(&line) {
                said.extend(forged(&line));
                let heard = self.heard.lock().unwrap();
                let all = heard.iter().flatten().filter(|line| !is_greeting(line));
                said.extend(all.rev().take(30).cloned());
            }
            self.heard.lock().unwrap()[self.direction].push(line);
            for line in said {
                if to.write_all(format!("{line}\n").as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// A line, its tag and its count spoilt in every place; and what somebody says who would like the LED to
/// be otherwise.
fn forged(line: &str) -> Vec<String> {
    let flipped = (0..line.len()).map(|at| {
        let mut bytes = line.as_bytes().to_vec();
        bytes[at] ^= 1;
        String::from_utf8(bytes).unwrap()
    });
    let cut = (0..line.len()).map(|len| line[..len].to_owned());
    let turned = [line.replacen('h', "c", 1), line.replacen('c', "h", 1)];
    let own = ["h", "c", "h 4000000000", "c 4000000001"].map(str::to_owned);
    let all = flipped.chain(cut).chain(turned).chain(own);
    all.filter(|forged| forged != line && !forged.contains('\n')).collect()
}

/// On threads: what is waited for goes through tasks of this test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_between_can_say_nothing_in_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let key = new_key(folder.path(), "lamp.key");
    let (mut device, address) = device("127.0.0.1:0", Some(&key));
    let mut between = Between::new(address.clone()).await;
    let mtom = gateway(&between.address, Some(&key));
    for (celsius, said, led) in [
        ("30", "LED on", "on"),
        ("20", "LED off", "off"),
        ("31", "LED on", "on"),
        ("19", "LED off", "off"),
    ] {
        if !hot_and_cold(&mtom, celsius) {
            return;
        }
        // Each line came in its own words and in a hundred forged ones, and was obeyed once.
        assert_eq!(device.says(), said);
        let wanted = |actuator: &Value| {
            actuator["reported"]["led"] == led
                && actuator["desired"]["number"] == actuator["reported"]["number"]
        };
        assert_eq!(actuator_when(&mtom, wanted).await["trust"], "authenticated");
    }
    let log = mtom.get("/api/v1/log").await;
    let forged = |line: &Value| line["event"]["kind"] == "forged";
    assert!(log["log"].as_array().unwrap().iter().any(forged), "{log}");
    between.tasks.shutdown().await;
    let heard = between.heard.lock().unwrap().clone();
    replayed_to_the_device(&heard, device, &address, &key).await;
    replayed_to_the_gateway(&heard, &key).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_somebody_in_between_switches_it_and_the_tests_above_would_see_that() {
    let (mut device, address) = device("127.0.0.1:0", None);
    let mut between = Between::new(address).await;
    let mtom = gateway(&between.address, None);
    if !hot_and_cold(&mtom, "30") {
        return;
    }
    assert_eq!([device.says(), device.says()], ["LED on", "LED off"], "nobody has decided that");
    between.tasks.shutdown().await;
}

/// All of it again, to a device that has forgotten everything but its key.
async fn replayed_to_the_device(heard: &[Vec<String>; 2], old: Powered, address: &str, key: &Path) {
    assert_eq!(rest(old), [""; 0]);
    let (device, _) = device(address, Some(key));
    let mut link = BufReader::new(TcpStream::connect(address).await.unwrap());
    let mut answer = String::new();
    for line in heard.iter().flatten() {
        for line in [line.clone()].into_iter().chain(forged(line)) {
            link.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            answer.clear();
            soon("a refusal", link.read_line(&mut answer)).await.unwrap();
            // Anybody may say hello; what he says then is another thing.
            let is_hello = line.starts_with("# ") && answer.starts_with("# ");
            assert!(is_hello || answer.starts_with("! "), "{line}: {answer}");
        }
    }
    assert_eq!(rest(device), [""; 0]);
}

/// All of it again, to a gateway that takes us for its device.
async fn replayed_to_the_gateway(heard: &[Vec<String>; 2], key: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mtom = gateway(&listener.local_addr().unwrap().to_string(), Some(key));
    let (mut link, _) = soon("the gateway", listener.accept()).await.unwrap();
    for line in heard.iter().flatten() {
        link.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }
    let mut said = Vec::new();
    // Its end is a reset.
    let _ = soon("the end", link.read_to_end(&mut said)).await;
    let said = String::from_utf8(said).unwrap();
    // It asked for a welcome, and said nothing else to somebody who had none.
    assert!(!said.is_empty() && said.lines().all(|line| line.starts_with("# ")), "{said}");
    let shown = actuator_when(&mtom, |actuator| actuator["link_state"] == "broken").await;
    assert_eq!((&shown["reported"], &shown["sent"]), (&Value::Null, &Value::Null));
    assert_eq!(shown["trust"], "wrong key");
}

#[tokio::test]
async fn what_cannot_be_paired_is_told_with_what_can_be_done() {
    let mtom = gateway("127.0.0.1:1", None);
    let place = format!("dashboard.listen={}", mtom.ready.dashboard);
    for (name, expected) in
        [("LAMP", "only devices over Bluetooth LE are paired"), ("NOBODY", "expected LAMP")]
    {
        let ended = run(&["actuator", "pair", name, "--passkey", "123456", "--set", &place]);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains(expected), "{name}: {said}");
    }
    let ended = run(&["actuator", "pair", "LAMP", "--passkey", "12345"]);
    assert_eq!(ended.status.code(), Some(64), "{ended:?}");
    let ended = run(&["actuator", "--ble", "hci1", "--pairing", "11m"]);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.code() == Some(64) && said.contains("expected 1s to 10m"), "{said}");
}

#[test]
fn a_key_that_cannot_be_is_told_with_the_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("short");
    std::fs::write(&file, "0123").unwrap();
    let file = file.to_str().unwrap();
    for arguments in [
        &["actuator", "--listen", "127.0.0.1:0", "--key-file", file][..],
        &["flash", "actuator", "--board", "esp32c3", "--save", "none.bin", "--key-file", file],
        &[
            "config",
            "check",
            "--set",
            &format!(r#"actuator=[{{name="A",link="tcp:a:1",key_file="{file}"}}]"#),
        ],
    ] {
        let ended = run(arguments);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(64), "{arguments:?}: {said}");
        assert!(said.contains("mtom actuator key makes one"), "{arguments:?}: {said}");
    }
    let ended = run(&["actuator", "key", file]);
    assert_eq!(ended.status.code(), Some(64), "{ended:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "0123");
}

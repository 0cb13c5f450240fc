//! Many simulated sensors with faults against a real gateway. The sensors' own journal is the
//! witness from outside: acknowledged ⊆ stored ⊆ sent, each once, and nothing that fits a sensor's
//! ring is lost.
//!
//! The same check runs on sensors that keep readings in memory only and lose their power, and has to
//! find what they lost.

use crate::crash::stored;
use crate::mtom::{Mtom, run};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// What must be through this long before the end, with the longest spell offline and the longest
/// wait before the next attempt behind it.
const SETTLED_MICROS: i64 = 12_000_000;

type Key = (String, u64);

/// What the sensors say they did.
#[derive(Default)]
struct Journal {
    /// When each was measured.
    measured: HashMap<Key, i64>,
    sent: HashSet<Key>,
    acknowledged: HashSet<Key>,
    garbled: HashSet<Key>,
    doubled: usize,
    late: usize,
    given_up: HashSet<Key>,
    lost: HashSet<Key>,
    rebooted: usize,
    disconnected: usize,
    ended_at_micros: i64,
    /// As it stands in the file, to show what happened to one.
    text: String,
}

impl Journal {
    fn read(path: &Path) -> Self {
        let mut journal = Self::default();
        let text = std::fs::read_to_string(path).unwrap();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let at = line["at_micros"].as_i64().unwrap();
            journal.ended_at_micros = journal.ended_at_micros.max(at);
            let key = || (line["boot"].as_str().unwrap().to_owned(), line["seq"].as_u64().unwrap());
            match line["event"].as_str().unwrap() {
                "measured" => {
                    journal.measured.insert(key(), at);
                }
                "sent" => {
                    journal.sent.insert(key());
                    match line["fate"].as_str() {
                        Some("garbled") => {
                            journal.garbled.insert(key());
                        }
                        Some("doubled") => journal.doubled += 1,
                        Some("late") => journal.late += 1,
                        _ => {}
                    }
                }
                "acknowledged" => {
                    journal.acknowledged.insert(key());
                }
                "given_up" => {
                    journal.given_up.insert(key());
                }
                "lost" => {
                    journal.lost.insert(key());
                }
                "rebooted" => journal.rebooted += 1,
                "disconnected" => journal.disconnected += 1,
                _ => {}
            }
        }
        journal.text = text;
        journal
    }

    /// Everything that is wrong between what the sensors did and what the gateway has.
    fn faults(&self, stored: &HashMap<Key, u32>) -> Vec<String> {
        let mut faults = Vec::new();
        let mut say = |what: &str, count: usize| {
            if count > 0 {
                faults.push(format!("{count} {what}"));
            }
        };
        say("stored more than once", stored.values().filter(|count| **count > 1).count());
        say("stored and never sent", stored.keys().filter(|key| !self.sent.contains(*key)).count());
        let kept = |key: &&Key| !self.garbled.contains(*key);
        let lost = self.acknowledged.iter().filter(kept).filter(|key| !stored.contains_key(*key));
        say("acknowledged and not stored", lost.count());
        let settled = self.ended_at_micros - SETTLED_MICROS;
        let old = self.measured.iter().filter(|(_, at)| **at < settled).map(|(key, _)| key);
        let missing = old.filter(kept).filter(|key| !stored.contains_key(*key));
        let missing: Vec<_> = missing.collect();
        say("measured and never stored", missing.len());
        if let Some((boot, seq)) = missing.first() {
            let of_it = format!("\"boot\":\"{boot}\",\"seq\":{seq},");
            let lines = self.text.lines().filter(|line| line.contains(&of_it));
            faults.extend(lines.map(str::to_owned));
        }
        faults
    }
}

/// Runs `mtom sensor` to its end against a gateway of its own.
fn fleet(format: &str, arguments: &[&str]) -> (Journal, HashMap<Key, u32>) {
    let mut mtom = Mtom::up(&[]);
    let path = mtom.dir.join("sent.jsonl");
    let broker = mtom.ready.mqtt.to_string();
    let journal = path.display().to_string();
    let always = ["sensor", "--broker", &broker, "--format", format, "--journal", &journal];
    let output = run(&[&always, arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(mtom.stop("-TERM").success());
    (Journal::read(&path), stored(&mtom.dir))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sensors_with_faults_lose_nothing_that_fits_their_ring() {
    let faults = "offline=1s/6s,reboot=9s,duplicate=0.05,late=0.02,garbage=0.01";
    let (journal, stored) = fleet(
        "json",
        &[
            "--count",
            "200",
            "--interval",
            "500ms",
            "--seed",
            "7",
            "--for",
            "22s",
            "--ram",
            "0",
            "--flash",
            "16",
            "--fault",
            faults,
        ],
    );
    assert_eq!(journal.faults(&stored), Vec::<String>::new());
    assert!(journal.lost.is_empty() && journal.given_up.is_empty());
    // The faults did happen.
    assert!(journal.measured.len() > 5_000, "{} measured", journal.measured.len());
    assert!(journal.rebooted > 100, "{} reboots", journal.rebooted);
    assert!(journal.disconnected > 200, "{} connections lost", journal.disconnected);
    assert!(journal.doubled > 50 && journal.late > 20 && journal.garbled.len() > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn sensors_that_keep_readings_in_memory_only_are_caught_when_their_power_goes() {
    let (journal, stored) = fleet(
        "json",
        &[
            "--count",
            "50",
            "--interval",
            "200ms",
            "--seed",
            "7",
            "--for",
            "20s",
            "--fault",
            "offline=2s/4s,reboot=3s",
        ],
    );
    assert!(!journal.lost.is_empty());
    let faults = journal.faults(&stored);
    assert!(faults[0].ends_with("measured and never stored"), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_original_text_is_kept_exactly_once_too() {
    let arguments = ["--count", "20", "--interval", "250ms", "--seed", "7", "--for", "20s"];
    let faults = ["--ram", "0", "--flash", "16", "--fault", "offline=1s/5s,duplicate=0.1,late=0.1"];
    let (journal, stored) = fleet("text", &[&arguments[..], &faults].concat());
    assert_eq!(journal.faults(&stored), Vec::<String>::new());
    assert!(journal.doubled > 30 && journal.late > 30);
}

#[test]
fn one_seed_gives_the_same_temperatures() {
    let celsius = |seed: &str| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sent.jsonl").display().to_string();
        // No broker: what is measured does not depend on one.
        let output = run(&[
            "sensor",
            "--broker",
            "127.0.0.1:9",
            "--interval",
            "200ms",
            "--profile",
            "walk",
            "--for",
            "3s",
            "--seed",
            seed,
            "--journal",
            &path,
        ]);
        assert!(output.status.success());
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let measured = lines.filter(|line| line["event"] == "measured");
        measured.map(|line| line["celsius"].to_string()).take(10).collect::<Vec<_>>()
    };
    let first = celsius("7");
    assert_eq!(first.len(), 10);
    assert_eq!(first, celsius("7"));
    assert_ne!(first, celsius("8"));
}

#[cfg(unix)]
#[test]
fn more_sensors_than_sockets_are_refused_with_the_next_step() {
    let sensor = env!("CARGO_BIN_EXE_mtom");
    let script = format!("ulimit -n 256; exec {sensor} sensor --count 1000 --for 1s");
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let expected =
        "1000 sensors need 1032 open files and 256 are permitted: `ulimit -n 1032` first";
    assert!(said.contains(expected), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

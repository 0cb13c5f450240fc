//! The commands of the history on the real binary: read, copy, bring in, keep safe, check, play back.

use crate::mtom::{Mtom, command, mosquitto_pub, output, serving, wait_for_line};
use crate::viewer::Viewer;
use crate::{LIMIT, soon};
use std::fmt::Write;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::mpsc;
use tempfile::TempDir;

/// 2026-11-16T00:00:00Z.
const WEEK: i64 = 1_794_787_200;

/// Runs `mtom` in a folder of its own and gives what it printed.
#[track_caller]
fn mtom(folder: &Path, arguments: &[&str]) -> String {
    let output = try_mtom(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "mtom {arguments:?}: {text}");
    String::from_utf8(output.stdout).unwrap()
}

fn try_mtom(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = command(arguments);
    command.current_dir(folder);
    output(command)
}

/// A week of readings of five devices as line protocol, one a minute but for a night: 40,320 and some.
fn week(folder: &Path) -> usize {
    let mut text = String::new();
    let mut count = 0;
    for minute in (0..7 * 1_440_i64).filter(|minute| !(4_320..4_800).contains(minute)) {
        for device in 0..5_i64 {
            let tenths = 200 + (minute * (device + 1)) % 100;
            let at = WEEK + minute * 60 + device;
            writeln!(
                text,
                "mtom,boot=b,device=room{device},topic=room{device}/temperature,unit=°C \
                 temperature={}.{},seq={minute}u {at}000000000",
                tenths / 10,
                tenths % 10
            )
            .unwrap();
            count += 1;
        }
    }
    std::fs::write(folder.join("week.lp"), text).unwrap();
    count
}

#[test]
fn a_week_is_charted_exported_to_parquet_brought_in_elsewhere_and_equal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let count = week(folder);
    let said = mtom(folder, &["import", "week.lp", "--data", "one"]);
    assert!(
        said.contains(&format!("{count} readings are new, 0 were there already, 0 were")),
        "{said}"
    );
    let said = mtom(folder, &["import", "week.lp", "--data", "one"]);
    assert!(said.contains("0 readings are new") && said.contains("--again"), "{said}");
    let said = mtom(folder, &["import", "week.lp", "--data", "one", "--again"]);
    assert!(said.contains(&format!("0 readings are new, {count} were there already")), "{said}");

    // Charted: the night is a gap, and the extremes are there.
    let table = mtom(
        folder,
        &[
            "history",
            "--data",
            "one",
            "--series",
            "room1/temperature",
            "--since",
            "2026-11-16T00:00:00Z",
            "--until",
            "2026-11-23T00:00:00Z",
        ],
    );
    let picture = table.lines().next().unwrap();
    assert!(
        picture.contains("20.0 … 29.8 °C") && picture.contains("9600 readings, 1 gap"),
        "{picture}"
    );
    assert_eq!(table.lines().count(), 9_600 + 3);

    // Through every format and back: the same readings.
    mtom(folder, &["export", "one.csv", "--data", "one"]);
    let one = std::fs::read_to_string(folder.join("one.csv")).unwrap();
    assert_eq!(one.lines().count(), count + 1);
    for format in ["parquet", "jsonl", "csv", "lp", "senml"] {
        let (file, data) = (format!("copy.{format}"), format!("of-{format}"));
        mtom(folder, &["export", &file, "--data", "one"]);
        mtom(folder, &["import", &file, "--data", &data]);
        mtom(folder, &["export", "again.csv", "--data", &data, "--force"]);
        let again = std::fs::read_to_string(folder.join("again.csv")).unwrap();
        assert!(without_id(&one).eq(without_id(&again)), "{format} changed something");
        assert!(mtom(folder, &["audit", "--data", &data]).contains("everything adds up"));
    }
}

/// All columns but the journal number, which is given anew.
fn without_id(csv: &str) -> impl Iterator<Item = &str> {
    csv.lines().map(|line| line.split_once(',').unwrap().1)
}

#[test]
fn bad_lines_are_kept_with_their_number_and_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let csv = "time,temp\n2023-07-10 20:00:02,16.1\nyesterday,17\n2023-07-10 20:00:04,warm\n\
               2023-07-10 20:00:06,=1+1\n2023-07-10 20:00:08,24.5\n";
    std::fs::write(folder.join("temp.csv"), csv).unwrap();
    let said = mtom(folder, &["import", "temp.csv", "--zone", "Asia/Shanghai", "--unit", "°C"]);
    assert!(
        said.contains("2 readings are new, 0 were there already, 3 were no readings"),
        "{said}"
    );
    let rejects = mtom(folder, &["history", "--rejects"]);
    for (line, why) in [("line 3", "yesterday"), ("line 4", "warm"), ("line 5", "1+1")] {
        let row =
            rejects.lines().find(|row| row.contains(line)).unwrap_or_else(|| panic!("{rejects}"));
        assert!(row.contains(why), "{row}");
    }
    let json = mtom(folder, &["history", "--format", "json"]);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["time"], "2023-07-10T12:00:02.000000Z", "{first}");
    assert_eq!(first["value"], 16.1);
    // A file that is none, a format that is none, a history that is none.
    for (arguments, expected) in [
        (&["import", "missing.csv"][..], "missing.csv"),
        (&["import", "temp.csv", "--format", "parquet"], "Parquet"),
        (&["import", "temp.csv", "--zone", "Mars"], "Europe/Berlin"),
        (&["export", "x.txt"], "--format"),
        (&["export", "temp.csv"], "--force"),
        (&["history", "--data", "nowhere"], "mtom up"),
        (&["history", "--since", "yesterday"], "2h"),
        (&["import", "mysql://root:hunter2@h/d"], "password"),
    ] {
        let output = try_mtom(folder, arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(expected), "{arguments:?}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_backup_of_a_running_gateway_is_restored_elsewhere() {
    let mut gateway = Mtom::up(&[]);
    if !mosquitto_pub(gateway.ready.mqtt, "Environ/Temperature", "24.5 °C".as_bytes()) {
        return;
    }
    let dir = gateway.dir.clone();
    let said = mtom(&dir, &["backup", "copy.db", "--data", "."]);
    assert!(said.contains("1 readings") && said.contains("the same"), "{said}");
    assert!(mosquitto_pub(gateway.ready.mqtt, "Environ/Temperature", "25.5 °C".as_bytes()));

    let refused = try_mtom(&dir, &["restore", "copy.db", "--data", ".", "--force"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("in use"), "{text}");
    assert!(gateway.stop("-TERM").success());
    let refused = try_mtom(&dir, &["restore", "copy.db", "--data", "."]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("2 readings") && text.contains("--force"), "{text}");
    mtom(&dir, &["restore", "copy.db", "--data", ".", "--force"]);
    let left = mtom(&dir, &["history", "--data", ".", "--format", "csv"]);
    assert_eq!(left.lines().count(), 2, "{left}");
    assert!(dir.join("mtom.db.replaced").exists());
}

#[test]
fn what_is_stored_from_now_on_is_followed() {
    let gateway = Mtom::up(&[]);
    if !mosquitto_pub(gateway.ready.mqtt, "Environ/Temperature", "24.5 °C".as_bytes()) {
        return;
    }
    let mut follow = command(&["history", "--data", ".", "--follow", "--format", "csv"]);
    let mut follow = follow.current_dir(&gateway.dir).stdout(Stdio::piped()).spawn().unwrap();
    let (lines, heard) = mpsc::channel();
    let stdout = follow.stdout.take().unwrap();
    std::thread::spawn(move || {
        use std::io::{BufRead, BufReader};
        BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| {
            let _ = lines.send(line);
        });
    });
    let next = || heard.recv_timeout(LIMIT).unwrap();
    assert!(next().starts_with("id,time"));
    assert!(next().contains(",24.5,"));
    for value in ["25.5", "26.5"] {
        assert!(mosquitto_pub(gateway.ready.mqtt, "Environ/Temperature", value.as_bytes()));
        assert!(next().contains(&format!(",{value},")));
    }
    follow.kill().unwrap();
    follow.wait().unwrap();
}

#[tokio::test]
async fn a_replay_is_neither_stored_again_nor_does_it_drive_anything() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "time,temp\n2023-07-10T20:00:00Z,24.5\n2023-07-10T20:00:01Z,30.5\n";
    std::fs::write(folder.path().join("hot.csv"), csv).unwrap();
    mtom(folder.path(), &["import", "hot.csv", "--unit", "°C"]);

    // A gateway that would take every topic for a reading, with a rule that 30 °C would trip.
    let gateway = Mtom::up(&["ingest.topics=[\"#\"]", "simulate.actuators=1"]);
    let to = format!("mqtt://{}", gateway.ready.mqtt);
    let said = mtom(folder.path(), &["replay", "--speed", "max", "--to", &to]);
    assert!(said.contains("2 of 2 readings were played"), "{said}");
    if !mosquitto_pub(gateway.ready.mqtt, "Environ/Temperature", "20 °C".as_bytes()) {
        return;
    }
    // The page is told after the sender.
    let latest = soon("the reading on the page", async {
        loop {
            let latest = gateway.get("/api/v1/latest").await;
            if !latest["readings"].as_array().unwrap().is_empty() {
                break latest;
            }
        }
    })
    .await;
    assert_eq!(latest["readings"].as_array().unwrap().len(), 1, "{latest}");
    let audit = gateway.get("/api/v1/audit").await;
    assert_eq!((&audit["stored"], &audit["rejected"]), (&1.into(), &0.into()), "{audit}");
    let commands = gateway.get("/api/v1/commands").await;
    let on = commands["commands"].as_array().unwrap().iter().any(|row| row["led"] == "on");
    assert!(!on, "{commands}");
}

#[tokio::test]
async fn the_live_port_and_a_port_of_its_own_play_history() {
    let folder = TempDir::new().unwrap();
    let csv = "time,temp\n2023-07-10T20:00:00Z,24.5\n2023-07-10T20:00:01Z,30.5\n";
    std::fs::write(folder.path().join("hot.csv"), csv).unwrap();
    mtom(folder.path(), &["import", "hot.csv", "--unit", "°C", "--data", "."]);
    let frame = |second: u32, celsius: &str| {
        format!(
            r#"{{"state":"OK","type":"new_data","response":{{"time":"2023-07-10 20:00:0{second}","temp":{celsius}}}}}"#
        )
    };
    let mut replay = command(&["replay", "--data", ".", "--speed", "10", "--live", "127.0.0.1:0"]);
    let mut replay = replay.current_dir(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let address = live_address(replay.stdout.take().unwrap());
    let mut viewer = Viewer::connect(address).await;
    viewer.say("realtime").await;
    let mut heard = Vec::new();
    while heard.last() != Some(&frame(1, "30.5")) {
        heard.push(viewer.hear().await);
    }
    assert_eq!(heard, [frame(0, "24.5"), frame(1, "30.5")]);
    let ended = soon("its end", tokio::task::spawn_blocking(move || replay.wait())).await;
    assert!(ended.unwrap().unwrap().success());

    let gateway = Mtom::serve("up", folder.path(), &[]);
    let mut viewer = Viewer::connect(gateway.ready.live).await;
    viewer.say("replay:2023-07-10 20:00:00:2023-07-10T20:00:02Z:max").await;
    assert_eq!(viewer.hear().await, frame(0, "24.5"));
    assert_eq!(viewer.hear().await, frame(1, "30.5"));
    assert_eq!(viewer.hear().await, r#"{"state":"OK","type":"close","response":""}"#);
}

/// The address in `live port ws://…: waiting for the first viewer`.
fn live_address(stdout: std::process::ChildStdout) -> std::net::SocketAddr {
    use std::io::{BufRead, BufReader};
    let mut lines = BufReader::new(stdout).lines();
    let line = lines.next().unwrap().unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    let rest = line.strip_prefix("live port ws://").unwrap();
    rest.split(": ").next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn old_readings_are_deleted_and_the_account_knows_it() {
    let folder = TempDir::new().unwrap();
    let mut text = String::from("time,temp\n");
    for second in 0..5_000 {
        let at = 1_688_990_400 + second;
        writeln!(text, "{},{}", rfc3339(at), 20 + second % 5).unwrap();
    }
    std::fs::write(folder.path().join("old.csv"), text).unwrap();
    mtom(folder.path(), &["import", "old.csv", "--data", ".", "--unit", "°C"]);
    let gateway = Mtom::serve("up", folder.path(), &["store.keep=1h"]);
    soon("an empty history", async {
        loop {
            let storage = gateway.get("/api/v1/storage").await;
            if storage["readings"] == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let said = mtom(folder.path(), &["audit", "--data", "."]);
    assert!(said.contains("deleted by retention 5000") && said.contains("adds up"), "{said}");
    let chart = "/api/v1/chart?device=Environ&quantity=Temperature\
                 &from=2023-07-10T12:00:00Z&until=2023-07-10T14:00:00Z&points=100";
    let chart = gateway.get(chart).await;
    let count: u64 = chart["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["count"].as_u64().unwrap())
        .sum();
    assert_eq!((count, &chart["level"]), (5_000, &"minute".into()), "sums stay: {chart}");
}

fn rfc3339(seconds: i64) -> String {
    mtom_protocol::time::UnixMicros(seconds * 1_000_000).rfc3339()
}

#[test]
fn the_doctor_names_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let said = mtom(
        folder.path(),
        &[
            "doctor",
            "--set",
            "dashboard.listen=127.0.0.1:0",
            "--set",
            "broker.listen=127.0.0.1:0",
            "--set",
            "live.listen=127.0.0.1:0",
            "--set",
            "history.listen=127.0.0.1:0",
            "--set",
            "forward.tcp.listen=127.0.0.1:0",
        ],
    );
    assert!(!said.contains("BAD"), "{said}");
    let live = format!("live.listen={address}");
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = format!("forward.udp.listen={}", taken.local_addr().unwrap());
    std::fs::create_dir(folder.path().join("mtom-data")).unwrap();
    std::fs::write(folder.path().join("mtom-data").join("mtom.db"), "not a database").unwrap();
    let output = try_mtom(
        folder.path(),
        &[
            "doctor",
            "--set",
            &live,
            "--set",
            &udp,
            "--set",
            "dashboard.listen=127.0.0.1:0",
            "--set",
            "broker.url=mqtt://127.0.0.1:1",
            "--set",
            "store.url=mysql://nobody@127.0.0.1:1/mtom",
        ],
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success());
    let bad: Vec<_> = said.lines().filter(|line| line.starts_with("BAD")).collect();
    let expected =
        ["mtom.db", "set live.listen", "set forward.udp.listen", "broker.url", "nothing is lost"];
    for expected in expected {
        assert!(bad.iter().any(|line| line.contains(expected)), "{expected}: {said}");
    }
}

#[test]
fn a_served_history_cannot_be_written_by_an_import() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.csv"), "time,temp\n2023-07-10T20:00:00Z,24.5\n").unwrap();
    let mut process = serving("up", folder.path(), &[]).stdout(Stdio::piped()).spawn().unwrap();
    wait_for_line(process.stdout.take().unwrap(), "Ctrl-C stops it");
    let refused = try_mtom(folder.path(), &["import", "a.csv", "--data", "."]);
    process.kill().unwrap();
    process.wait().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("stop that one"), "{text}");
}

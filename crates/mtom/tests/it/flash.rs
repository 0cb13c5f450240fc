//! `mtom flash` against a board of ours on a pseudo terminal.
//!
//! Linux alone: elsewhere a pseudo terminal has no speed.

use crate::mtom::{Mtom, command, output, run};
use crate::soon;
use board::{Board, Kind, told};
use elf::firmware;
use mtom_broker::publisher::{Progress, Publisher};
use mtom_device::settings::Format;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

#[allow(dead_code, reason = "shared with another suite, which uses the rest")]
#[path = "../../../mtom-flash/tests/it/board.rs"]
mod board;
#[path = "../../../mtom-flash/tests/it/elf.rs"]
mod elf;

/// As the board makes it of its hardware address.
const ID: &str = "mtom-404cca123456";

/// Firmware in a folder of its own.
struct Image {
    dir: TempDir,
    path: PathBuf,
}

impl Image {
    fn of(chip: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("firmware.elf");
        std::fs::write(&path, firmware(chip, 60_000)).unwrap();
        Self { dir, path }
    }

    /// `mtom flash` with this image.
    fn flash(&self, role: &str, port: &str, more: &[&str]) -> Command {
        let mut command = command(&["flash", role, "--image"]);
        command.arg(&self.path).args(["--port", port]).args(more);
        command.env_remove("MTOM_WIFI_PASSWORD");
        command
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Says these lines as a sensor's log does.
fn says(lines: &'static [&'static str]) -> impl FnOnce(&mut File) + Send + 'static {
    move |port| {
        for line in lines {
            port.write_all(format!("INFO - {line}\r\n").as_bytes()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_sensor_is_flashed_and_its_first_reading_is_heard_at_the_broker() {
    let mtom = Mtom::up(&[]);
    let broker = mtom.ready.mqtt;
    let image = Image::of("esp32c3");
    let password = image.dir.path().join("wifi.txt");
    std::fs::write(&password, "correct horse\n").unwrap();
    let (booted, boots) = tokio::sync::oneshot::channel();
    let board = Board::plug_in(Kind::esp32c3(), |port| {
        says(&["mtom sensor 0.1.0", "WiFi connected", "connected to the broker"])(port);
        booted.send(()).unwrap();
    });
    let address = broker.to_string();
    let mut command = image.flash(
        "sensor",
        &board.path,
        &["--wifi-ssid", "home", "--broker", &address, "--format", "json", "--period", "5s"],
    );
    command.arg("--wifi-password-file").arg(&password);
    let flashing = spawn_blocking(move || output(command));
    soon("the board's start", boots).await.unwrap();
    let mut device = Publisher::new(ID, &broker.ip().to_string(), broker.port());
    let state = r#"{"boot":"00c0ffee","version":"0.1.0","acknowledged":1,"last":"21.4 °C"}"#;
    tokio::pin!(flashing);
    let output = loop {
        tokio::select! {
            output = &mut flashing => break output.unwrap(),
            // Again and again: nobody tells when `mtom flash` has subscribed.
            progress = device.next() => if let Progress::Connected | Progress::Acknowledged = progress.unwrap() {
                device.publish(&format!("mtom/{ID}/state"), state, true).unwrap();
            },
        }
    };
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}{}", stderr(&output));
    for expected in [
        "esp32c3 with the address 40:4c:ca:12:34:56",
        "app ",
        "writing 100 %",
        "INFO - connected to the broker",
        "first reading 21.4 °C after ",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(stderr(&output).contains("cannot reset the board"), "{}", stderr(&output));
    let (told, _) = told(board.flash());
    assert_eq!(told.id, ID);
    assert_eq!((told.wifi_ssid.as_str(), told.wifi_password.as_str()), ("home", "correct horse"));
    assert_eq!(told.broker_host, broker.ip().to_string().as_str());
    assert_eq!(told.broker_port, broker.port());
    assert_eq!((told.format, told.period_millis), (Format::Json, 5_000));
}

#[test]
fn where_the_broker_cannot_be_heard_the_boards_own_log_is_the_witness() {
    let image = Image::of("esp32c6");
    let board = Board::plug_in(
        Kind::esp32c6(),
        says(&["measured -0.5 °C", "sent Environ/Temperature -0.5 °C", "acknowledged -0.5 °C"]),
    );
    // Nobody listens on port 1.
    let arguments =
        ["--wifi-ssid", "home", "--broker", "127.0.0.1:1", "--no-stub", "--ntp", "none"];
    let output = output(image.flash("sensor", &board.path, &arguments));
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}{}", stderr(&output));
    assert!(said.contains("first reading -0.5 °C after "), "{said}");
    let (told, _) = told(board.flash());
    assert!(told.ntp.is_empty() && told.wifi_password.is_empty());
}

#[test]
fn an_actuator_is_flashed_and_answers() {
    let image = Image::of("esp32c3");
    let board = Board::plug_in(Kind::esp32c3(), |port| {
        says(&["mtom actuator 0.1.0"])(port);
        let mut asked = [0; 2];
        port.read_exact(&mut asked).unwrap();
        assert_eq!(&asked, b"?\n");
        port.write_all(b"= c 0 LAMP 0.1.0\r\n").unwrap();
    });
    let arguments = ["--name", "LAMP", "--lease", "1m"];
    let output = output(image.flash("actuator", &board.path, &arguments));
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}{}", stderr(&output));
    assert!(said.contains("LAMP 0.1.0 answers: LED off, last command 0"), "{said}");
    let (told, _) = told(board.flash());
    assert_eq!((told.name.as_str(), told.lease_millis), ("LAMP", 60_000));
}

#[test]
fn every_mistake_is_said_before_the_port_is_touched() {
    let image = Image::of("esp32c3");
    let arguments = [
        "--wifi-ssid",
        "",
        "--wifi-password",
        "short",
        "--broker",
        "mqtts://broker.lan:0",
        "--topic",
        "a/#",
        "--format",
        "xml",
        "--period",
        "1ms",
        "--id",
        "my device",
        "--ntp",
        "",
    ];
    let output = output(image.flash("sensor", "/dev/not-there", &arguments));
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(64), "{text}");
    for expected in [
        "8 mistakes",
        "--wifi-ssid: expected 1 to 32 bytes",
        "--wifi-password: expected nothing, or 8 to 63 characters",
        "--broker: expected a port from 1 to 65535",
        "--broker-ca: expected with mqtts://",
        "--topic: expected a topic",
        "--format: expected text or json",
        "--period: expected 200 to 86400000 milliseconds",
        "--id: expected at most 32 letters",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("short") && !text.contains("not-there"), "{text}");
}

#[test]
fn what_clap_refuses_is_a_usage_error_too() {
    let output = run(&["flash", "sensor"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("--wifi-ssid <SSID>"), "{}", stderr(&output));
    let output = run(&["flash", "actuator", "--save", "x.bin"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("--board"), "{}", stderr(&output));
}

#[test]
fn a_board_of_another_chip_than_the_image_is_refused() {
    let image = Image::of("esp32c3");
    let board = Board::plug_in(Kind::esp32c6(), |_| ());
    let output = output(image.flash("actuator", &board.path, &[]));
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("is an esp32c6, and an esp32c3 was asked for"), "{text}");
    let output = crate::mtom::output(image.flash("actuator", "/dev/x", &["--board", "esp32c6"]));
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("built for the esp32c3"), "{}", stderr(&output));
}

#[test]
fn a_board_that_is_unplugged_can_be_flashed_again() {
    let image = Image::of("esp32c3");
    let kind = Kind { unplugged_at_block: Some(5), ..Kind::esp32c3() };
    let board = Board::plug_in(kind, |_| ());
    let output = output(image.flash("actuator", &board.path, &[]));
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the board went away at "), "{text}");
    assert!(text.contains("run the same command"), "{text}");
}

#[test]
fn a_sensor_that_does_not_get_through_says_what_to_look_at() {
    for (line, hint) in [
        ("no WiFi home: disconnected", "check --wifi-ssid"),
        ("no broker: nothing listens on that port", "check --broker"),
    ] {
        let image = Image::of("esp32c3");
        let board = Board::plug_in(Kind::esp32c3(), move |port| {
            port.write_all(format!("WARN - {line}\r\n").as_bytes()).unwrap();
        });
        let arguments = ["--wifi-ssid", "home", "--broker", "127.0.0.1:1", "--wait", "1s"];
        let output = output(image.flash("sensor", &board.path, &arguments));
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("was not seen within 1 s") && text.contains(hint), "{text}");
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn ctrl_c_ends_the_log_with_success() {
    let image = Image::of("esp32c3");
    let board = Board::plug_in(Kind::esp32c3(), says(&["WiFi connected"]));
    let arguments = ["--wifi-ssid", "home", "--broker", "127.0.0.1:1"];
    let mut command = image.flash("sensor", &board.path, &arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("WiFi connected")));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert!(lines.any(|line| line.contains("its first reading was not seen")));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn everything_can_be_saved_in_one_file() {
    let image = Image::of("esp32c3");
    let file = image.dir.path().join("sensor.bin");
    let mut command = command(&["flash", "sensor", "--board", "esp32c3", "--wifi-ssid", "home"]);
    command.args(["--broker", "[fe80::1]:1884", "--image"]).arg(&image.path);
    command.arg("--save").arg(&file);
    let output = output(command);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}{}", stderr(&output));
    let saved = std::fs::read(&file).unwrap();
    assert!(said.contains(&format!("app {} bytes", saved.len() - 0x1_0000)), "{said}");
    let (told, _) = told(saved);
    assert_eq!((told.broker_host.as_str(), told.broker_port), ("fe80::1", 1884));
    assert!(told.id.is_empty(), "the board makes one of its address");
}

#[test]
fn help_warns_of_passwords_and_shows_examples() {
    let help = run(&["flash", "sensor", "--help"]);
    let help = stdout(&help);
    assert!(help.contains("others on this computer can see it"), "{help}");
    assert!(help.contains("Examples:\n  mtom flash sensor --wifi-ssid"), "{help}");
}

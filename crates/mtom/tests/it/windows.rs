//! `mtom.exe` under Wine: the original's second computer, which was one with Windows and an LED at COM10.
//!
//! `cargo xtask test --only windows` builds it and runs this; `cargo test` alone leaves it out. The gateway is this
//! computer's own binary, the serial port a pseudo terminal whose other end is the test.

use crate::controller::values;
use crate::mtom::{Limit, Mtom, Ready, get, mosquitto_pub, serving};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio_serial::{SerialPort, SerialStream};

/// The limit for an event: Wine starts slowly on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, event).await.unwrap_or_else(|_| panic!("{what} never came"))
}

fn path_of(name: &str) -> PathBuf {
    let path = std::env::var_os(name);
    path.unwrap_or_else(|| panic!("no {name}: start this with cargo xtask test --only windows"))
        .into()
}

/// `mtom.exe` with its arguments.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("wine");
    command.arg(path_of("MTOM_WINDOWS")).args(arguments);
    command.env("TZ", "UTC").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// How Windows calls a folder of this computer.
fn windows_path(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

/// Leads a serial port of Windows to a new pseudo terminal, whose other end is the device's.
fn plug(port: &str) -> (SerialStream, SerialStream) {
    let (device, computer) = SerialStream::pair().unwrap();
    let place = path_of("MTOM_WINDOWS_PORTS").join(port.to_lowercase());
    let _ = std::fs::remove_file(&place);
    symlink(computer.name().unwrap(), place).unwrap();
    (device, computer)
}

/// A process of Windows that serves; killed when dropped.
struct Served {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Served {
    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(process.stdout.take().unwrap()), Box::new(process.stderr.take().unwrap())];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let lines = BufReader::new(stream).lines().map_while(Result::ok);
                lines.for_each(|line| drop(sender.send(line)));
            });
        }
        Self { process, lines }
    }

    /// Waits for a line with `wanted` on either stream.
    fn line(&self, wanted: &str) -> String {
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) if line.contains(wanted) => return line,
                Ok(line) => said.push(line),
                Err(cause) => panic!("it never printed {wanted:?} ({cause}): {}", said.join("\n")),
            }
        }
    }

    /// Presses Ctrl-C, which is what Wine makes of the signal, and waits for the end.
    fn interrupt(&mut self) -> ExitStatus {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let _limit = Limit::new(self.process.id(), LIMIT);
        self.process.wait().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `mtom.exe up` or `mtom.exe gateway` on free ports, without simulated devices, with its data in `dir`.
fn served(role: &str, dir: &Path, sets: &[&str]) -> (Served, Ready) {
    let native = serving(role, dir, sets);
    let arguments: Vec<_> = native.get_args().map(|arg| arg.to_str().unwrap()).collect();
    let ready_file = dir.join("ready.json");
    let mut command = command(&arguments);
    command.current_dir(dir).args(["--ready-file", &windows_path(&ready_file)]);
    let served = Served::start(command);
    served.line("Ctrl-C stops it");
    (served, Ready::read(&ready_file))
}

/// Reads until `wanted`; before it only what the device has been told already may come, again.
async fn until(led: &mut SerialStream, wanted: u8, told: Option<u8>) {
    let mut byte = [0];
    loop {
        soon("a byte", led.read_exact(&mut byte)).await.unwrap();
        if byte[0] == wanted {
            return;
        }
        assert_eq!(Some(byte[0]), told, "before {:?}", char::from(wanted));
    }
}

fn publish(broker: SocketAddr, payload: &str) {
    assert!(mosquitto_pub(broker, "Environ/Temperature", payload.as_bytes()));
}

/// The original's rule, over the original's wire, to the original's LED.
async fn the_led_obeys(port: &str, from: impl Fn(&Mtom) -> String) {
    let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let gateway = Mtom::serve("gateway", near.path(), &[]);
    let (mut led, _computer) = plug(port);
    let mut controller = command(&["controller", "--from", &from(&gateway), "--name", "pc2"]);
    controller
        .current_dir(far.path())
        .args(["--set", &format!("data.dir={}", windows_path(far.path()))])
        .args(["--set", "simulate.actuators=0"])
        .args(["--set", "actuator.0.name=TEMP_LED", "--set", "actuator.0.protocol=original"])
        .args(["--set", &format!("actuator.0.link=serial:{port}")]);
    let mut controller = Served::start(controller);
    controller.line("connected to ");
    publish(gateway.ready.mqtt, "25.0 °C");
    until(&mut led, b'h', None).await;
    publish(gateway.ready.mqtt, "24.9 °C");
    until(&mut led, b'c', Some(b'h')).await;
    publish(gateway.ready.mqtt, "25 °C");
    until(&mut led, b'h', Some(b'c')).await;
    controller.line("25.0 °C  77.0 °F");
    assert_eq!(controller.interrupt().code(), Some(0));
    assert_eq!(values(&far.path().join("controller")), [25.0, 24.9, 25.0]);
}

#[tokio::test]
#[ignore = "needs mtom.exe and Wine: cargo xtask test --only windows"]
async fn by_tcp_a_controller_drives_the_led_at_its_serial_port() {
    the_led_obeys("COM33", |gateway| format!("tcp://{}", gateway.ready.tcp)).await;
}

#[tokio::test]
#[ignore = "needs mtom.exe and Wine: cargo xtask test --only windows"]
async fn by_the_pages_websocket_a_controller_drives_the_led_at_its_serial_port() {
    the_led_obeys("COM34", |gateway| format!("ws://{}/live", gateway.ready.dashboard)).await;
}

#[tokio::test]
#[ignore = "needs mtom.exe and Wine: cargo xtask test --only windows"]
async fn by_the_originals_websocket_a_controller_drives_the_led_at_its_serial_port() {
    the_led_obeys("COM35", |gateway| format!("ws://{}", gateway.ready.live)).await;
}

#[tokio::test]
#[ignore = "needs mtom.exe and Wine: cargo xtask test --only windows"]
async fn a_gateway_stores_and_shows_and_ctrl_c_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut gateway, ready) = served("gateway", dir.path(), &[]);
    publish(ready.mqtt, "21.5 °C");
    let (status, page) = get(ready.dashboard, "/").await;
    assert_eq!(status, 200);
    assert!(page.contains("<title>"), "{page}");
    publish(ready.mqtt, "22.5 °C");
    assert_eq!(gateway.interrupt().code(), Some(0));
    assert_eq!(values(dir.path()), [21.5, 22.5]);
}

#[test]
#[ignore = "needs mtom.exe and Wine: cargo xtask test --only windows"]
fn help_and_doctor_answer_and_what_windows_lacks_is_said() {
    let said = |arguments: &[&str], codes: &[i32]| {
        let dir = tempfile::tempdir().unwrap();
        let mut command = command(arguments);
        command.current_dir(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let _limit = Limit::new(child.id(), LIMIT);
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(codes.contains(&output.status.code().unwrap()), "{arguments:?}: {text}");
        text
    };
    assert!(said(&["--help"], &[0]).contains("controller"));
    let version = said(&["--version"], &[0]);
    assert!(version.contains(&format!("mtom {}", env!("CARGO_PKG_VERSION"))), "{version}");
    // Whether its ports are free is this computer's affair.
    let doctor = said(&["doctor"], &[0, 1]);
    assert!(doctor.contains("ok    configuration: valid"), "{doctor}");
    assert!(doctor.contains(r"mtom-data\mtom.db: is made at the first start"), "{doctor}");
    let wrong = said(&["up", "--set", "actuator.0.link=com7"], &[64]);
    assert!(wrong.contains("serial:COM10"), "{wrong}");
    let no_pty = said(&["actuator", "--pty"], &[1]);
    assert!(no_pty.contains("--serial COM5"), "{no_pty}");
}

/// The next step is another than on Linux: there are no groups and no udev.
#[tokio::test]
#[ignore = "needs mtom.exe and Wine: cargo xtask test --only windows"]
async fn a_port_that_is_not_there_is_said_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let link = ["actuator.0.name=LED", "actuator.0.link=serial:COM99"];
    let (mut up, ready) = served("up", dir.path(), &link);
    let reason = soon("the reason", async {
        loop {
            let (_, actuators) = get(ready.dashboard, "/api/v1/actuators").await;
            if actuators.contains("no such port") {
                return actuators;
            }
            tokio::task::yield_now().await;
        }
    });
    let reason = reason.await;
    assert!(reason.contains("the Device Manager lists them"), "{reason}");
    assert_eq!(up.interrupt().code(), Some(0));
}

//! The devices of `firmware/qemu` on bare metal, under QEMU, against the real binary.
//!
//! `cargo xtask test --only emulation` builds the images and runs this; `cargo test` alone leaves it
//! out, because it has no images.

use crate::mtom::{Mtom, mosquitto_pub};
use mtom_protocol::time::UnixMicros;
use mtom_store::history::PageQuery;
use mtom_store::journal::Journal;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// The limit for an event: the longest that a device may need, which is two attempts to reach a
/// broker that does not answer, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Lines of a log that nobody has looked at yet. Full: the device waits, as at a slow terminal.
const LOG_LEN_MAX: usize = 1_024;

/// The memory of the chip (`firmware/qemu/memory.x`).
const RAM_AT: usize = 0x8000_0000;
const RAM_LEN: usize = 16 * 1_024;
/// What the stack must leave untouched of it.
const STACK_LEFT_MIN: usize = 512;

async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, event).await.unwrap_or_else(|_| panic!("{what} never came"))
}

/// A chip with one of the images; its power goes when it is dropped.
struct Device {
    image: &'static str,
    qemu: Child,
    settings: ChildStdin,
    log: mpsc::Receiver<String>,
    /// Where its UART1 is, when that is a pseudo terminal.
    port: Option<String>,
    dir: TempDir,
}

impl Device {
    /// A chip that waits for its settings, and the other end of its UART1.
    async fn new(image: &'static str) -> (Self, TcpStream) {
        // Not a Unix socket: it is full after some hundred single bytes, and then QEMU loses some
        // (seen with 7.2 and 10.0).
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uart1 = format!("tcp:{}", listener.local_addr().unwrap());
        let device = Self::with_uart1(image, &uart1).await;
        (device, soon("QEMU", listener.accept()).await.unwrap().0)
    }

    /// A chip that waits for its settings; `uart1` is QEMU's word for where that ends.
    async fn with_uart1(image: &'static str, uart1: &str) -> Self {
        let images = std::env::var_os("MTOM_EMULATION")
            .expect("MTOM_EMULATION names no images; run `cargo xtask test --only emulation`");
        let dir = tempfile::tempdir().unwrap();
        let monitor = format!("unix:{},server=on,wait=off", dir.path().join("monitor").display());
        let mut qemu = Command::new("qemu-system-riscv32")
            .args(["-machine", "sifive_e", "-display", "none", "-monitor", &monitor])
            .args(["-serial", "stdio", "-serial", uart1, "-kernel"])
            .arg(PathBuf::from(images).join(image))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let settings = qemu.stdin.take().unwrap();
        let said = BufReader::new(qemu.stdout.take().unwrap());
        let (sender, log) = mpsc::channel(LOG_LEN_MAX);
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        });
        let mut device = Self { image, qemu, settings, log, port: None, dir };
        // QEMU's own line comes first; when the device speaks, all of QEMU's sockets are there.
        loop {
            let line = device.says().await;
            if line.contains("redirected to") {
                let port = line.split(' ').find(|word| word.starts_with("/dev/"));
                device.port = port.map(str::to_owned);
            } else if line.starts_with("settings") {
                return device;
            }
        }
    }

    /// Lets it begin.
    fn start(&mut self, settings: &str) {
        write!(self.settings, "{settings}\n\n").unwrap();
    }

    /// Its next line.
    async fn says(&mut self) -> String {
        let line = soon("a line in the log", self.log.recv()).await.expect("QEMU has ended");
        assert!(!line.contains("panicked"), "{}: {line}", self.image);
        line
    }

    /// Its next line that contains `wanted`.
    async fn says_so(&mut self, wanted: &str) {
        soon(wanted, async { while !self.says().await.contains(wanted) {} }).await;
    }

    /// How much of its memory the stack has never touched.
    async fn stack_left(&self) -> usize {
        let file = self.dir.path().join("memory");
        let mut monitor = UnixStream::connect(self.dir.path().join("monitor")).await.unwrap();
        let order = format!("pmemsave {RAM_AT:#x} {RAM_LEN} \"{}\"\nquit\n", file.display());
        monitor.write_all(order.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        soon("the end of QEMU", monitor.read_to_end(&mut answer)).await.unwrap();
        let memory = std::fs::read(file).unwrap();
        assert_eq!(memory.len(), RAM_LEN);
        memory.iter().take_while(|byte| **byte == 0).count()
    }

    /// Turns it off; its stack must not have come near the end of its memory.
    async fn off(self) {
        let left = self.stack_left().await;
        eprintln!("{}: {} bytes of memory used, {left} left", self.image, RAM_LEN - left);
        assert!(left >= STACK_LEFT_MIN, "{}: memory.x has only {left} bytes left", self.image);
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// The gateway's end of the actuator's link.
struct Link(tokio::io::BufReader<TcpStream>);

impl Link {
    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        soon("an answer", self.0.read_line(&mut line)).await.unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    async fn ask(&mut self, request: &[u8]) -> String {
        self.send(request).await;
        self.line().await
    }
}

#[tokio::test]
#[ignore = "needs the images that `cargo xtask test --only emulation` builds"]
async fn an_actuator_on_bare_metal_speaks_both_versions_of_the_link() {
    let (mut device, link) = Device::new("actuator").await;
    let mut link = Link(tokio::io::BufReader::new(link));
    device.start("name=QEMU_LED\nlease_millis=5000");
    device.says_so("LED off").await;

    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(link.ask(b"?\n").await, format!("= c 0 QEMU_LED {version}"));
    assert_eq!(link.ask(b"h 42\n").await, "h 42");
    assert_eq!(device.says().await, "LED on");
    // An old command that comes late.
    assert_eq!(link.ask(b"c 41\n").await, format!("= h 42 QEMU_LED {version}"));
    for (line, answer) in [
        (&b"on!\n"[..], "! expected h N, c N or ?"),
        (b"h 99999999999999999999\n", "! expected h N, c N or ?"),
        (b"\xff\xfe\n", "! not ASCII"),
        (&[&[b'h'; 500][..], b"\n"].concat(), "! line too long"),
    ] {
        assert_eq!(link.ask(line).await, answer);
    }
    // Nothing of that was a command: the LED stays on until nobody has asked for a whole lease.
    assert_eq!(link.line().await, format!("= c 42 QEMU_LED {version}"));
    assert_eq!(device.says().await, "LED off");
    // The original's commands are not answered: the next line is the answer to the question.
    for (byte, said) in [(b"h", "LED on"), (b"s", "LED off"), (b"h", "LED on"), (b"c", "LED off")] {
        link.send(byte).await;
        assert_eq!(device.says().await, said);
    }
    assert_eq!(link.ask(b"?\n").await, format!("= c 42 QEMU_LED {version}"));
    device.off().await;
}

/// The wire from a sensor to whichever broker there is. Nobody tells the sensor that it is cut: what
/// it sends then is lost.
async fn wire(device: TcpStream, mut broker: watch::Receiver<Option<SocketAddr>>) {
    let (mut from_device, mut to_device) = device.into_split();
    let mut nowhere = tokio::io::sink();
    loop {
        let there_is_one = async {
            let address = broker.wait_for(Option::is_some).await.ok().and_then(|address| *address);
            TcpStream::connect(address?).await.ok()
        };
        let found = tokio::select! {
            found = there_is_one => found,
            _ = tokio::io::copy(&mut from_device, &mut nowhere) => return,
        };
        let Some(broker_end) = found else { return };
        let (mut from_broker, mut to_broker) = broker_end.into_split();
        // Either end may cut it.
        let _ = tokio::select! {
            ended = tokio::io::copy(&mut from_device, &mut to_broker) => ended,
            ended = tokio::io::copy(&mut from_broker, &mut to_device) => ended,
            _ = broker.wait_for(Option::is_none) => Ok(0),
        };
    }
}

/// A sensor and its wire.
async fn sensor(wires: &mut JoinSet<()>) -> (Device, watch::Sender<Option<SocketAddr>>) {
    let (device, link) = Device::new("sensor").await;
    let (broker, address) = watch::channel(None);
    wires.spawn(wire(link, address));
    (device, broker)
}

#[tokio::test]
#[ignore = "needs the images that `cargo xtask test --only emulation` builds"]
async fn a_sensor_on_bare_metal_loses_nothing_when_the_broker_dies_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut wires = JoinSet::new();
    let (mut device, broker) = sensor(&mut wires).await;
    let mut mtom = Mtom::serve("up", dir.path(), &[]);
    broker.send_replace(Some(mtom.ready.mqtt));
    device.start("id=qemu\nboot=c0ffee\nformat=json\nperiod_millis=500\nbroker_host=wire");
    for _ in 0..3 {
        device.says_so("acknowledged").await;
    }
    broker.send_replace(None);
    mtom.kill();
    device.says_so("no broker: the broker does not answer").await;

    let mut mtom = Mtom::serve("up", dir.path(), &[]);
    broker.send_replace(Some(mtom.ready.mqtt));
    device.says_so("connected to the broker").await;
    // What waited, and some more.
    soon("the acknowledgements", async {
        let mut acknowledged = 0;
        while acknowledged < 40 {
            let line = device.says().await;
            assert!(!line.contains("no room"), "the outage was too long for its memory");
            acknowledged += u32::from(line.contains("acknowledged"));
        }
    })
    .await;
    device.off().await;
    assert!(mtom.stop("-TERM").success());

    let readings = stored(dir.path());
    let seqs: Vec<_> = readings.iter().map(|(seq, _)| *seq).collect();
    let all: Vec<_> = (0..).take(seqs.len()).collect();
    assert_eq!(seqs, all, "each once, none left out");
    assert!(seqs.len() >= 43, "{}", seqs.len());
    for (seq, celsius) in readings {
        let step = seq % 40;
        let deci = 240 + if step <= 20 { step } else { 40 - step };
        assert!((celsius * 10.0 - deci as f64).abs() < 1e-6, "reading {seq} was {celsius}");
    }
}

/// The count and the value of each reading in the history, by count.
fn stored(dir: &Path) -> Vec<(u64, f64)> {
    let journal = Journal::open(&dir.join("mtom.db"), UnixMicros(0)).unwrap();
    let page = journal.history().page(&PageQuery { limit: 1_000, ..PageQuery::default() }).unwrap();
    assert_eq!(page.next, None);
    let mut readings: Vec<_> = page
        .rows
        .into_iter()
        .map(|row| {
            let key = row.reading.key.unwrap();
            assert_eq!(&*key.boot, "0000000000c0ffee");
            (key.seq, row.reading.value)
        })
        .collect();
    readings.sort_by_key(|(seq, _)| *seq);
    readings
}

#[tokio::test]
#[ignore = "needs the images that `cargo xtask test --only emulation` builds"]
async fn a_sensor_on_bare_metal_switches_an_led_on_bare_metal() {
    let mut led = Device::with_uart1("actuator", "pty").await;
    led.start("name=QEMU_LED");
    let port = led.port.as_ref().unwrap();
    let link = format!(r#"actuator=[{{name="LAMP",link="serial:{port}",protocol="second"}}]"#);
    let rule = r#"rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",then=[{actuator="LAMP"}]}]"#;
    let mtom = Mtom::up(&[&link, rule]);
    let mut wires = JoinSet::new();
    let (mut device, broker) = sensor(&mut wires).await;
    broker.send_replace(Some(mtom.ready.mqtt));
    device.start("id=qemu\nboot=1\nformat=text\nperiod_millis=2000");
    // By then it listens for what is meant for it.
    device.says_so("acknowledged").await;
    assert!(mosquitto_pub(mtom.ready.mqtt, "mtom/qemu/set", br#"{"period":"300ms"}"#));
    device.says_so(r#"settings: {"period":"300ms""#).await;

    led.says_so("LED on").await;
    let is_on = |led: &serde_json::Value| led["reported"]["led"] == "on";
    let reported = mtom.actuator_when("the LED's report", is_on).await;
    assert_eq!(reported["firmware"], format!("QEMU_LED {}", env!("CARGO_PKG_VERSION")));
    led.says_so("LED off").await;
    led.says_so("LED on").await;
}

//! The original's hosts: a sensor, PC1 with mosquitto, MariaDB and the gateway, PC2 with controllers and the original's
//! page in a browser, each in a network of its own.
//!
//! One story for all ways from PC1 to PC2 at once: a wire that loses a fifth of its packets, one that falls silent
//! while nobody closes anything, a PC1 that comes back under another address, and a PC2 whose clock is an hour off.

use crate::controller::values;
use crate::maria_server::Server;
use crate::mosquitto::program;
use crate::mtom::{command, serving, wait_for_line};
use net::Host;
use page::Page;
use sqlx::ConnectOptions;
use sqlx::mysql::MySqlConnectOptions;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio_serial::{SerialPort, SerialStream};

mod net;
mod page;

/// The longest that is waited for what has to be noticed by silence: 16 s, and the pause before the next try.
const LIMIT: Duration = Duration::from_secs(90);
const SENSOR: [&str; 2] = ["10.77.1.1", "10.77.1.2"];
const PC: [&str; 2] = ["10.77.2.1", "10.77.2.2"];
const PC1_LATER: &str = "10.77.2.9";

/// A process that is killed when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// PC1, and who publishes.
struct House {
    sensor: Host,
    pc1: Host,
    pc2: Host,
    /// Lines for mosquitto_pub on the sensor's host.
    publisher: ChildStdin,
    published: Vec<f64>,
    maria: Server,
    _running: Vec<Process>,
    dir: TempDir,
}

impl House {
    /// `None`: skip.
    async fn start() -> Option<Self> {
        let mosquitto = program()?;
        let dir = tempfile::tempdir().unwrap();
        let host = |name| Host::new(dir.path(), name);
        let (sensor, pc1, pc2) = (host("sensor")?, host("pc1")?, host("pc2")?);
        sensor.wire("yard", SENSOR[0], &pc1, SENSOR[1]);
        pc1.wire("lan", PC[0], &pc2, PC[1]);
        pc2.name("pc1.test", PC[0]);
        let config = dir.path().join("mosquitto.conf");
        std::fs::write(&config, "listener 1883\nallow_anonymous true\nuser root\n").unwrap();
        let mut broker = Command::new(mosquitto);
        broker.arg("-c").arg(&config);
        let mut broker = Process(pc1.there(&broker).stderr(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(broker.0.stderr.take().unwrap()).lines();
        assert!(lines.by_ref().map_while(Result::ok).any(|line| line.contains("running")));
        std::thread::spawn(move || lines.for_each(drop));
        let maria = Server::start_at(&[], Ipv4Addr::LOCALHOST, pc1.prefix())?;
        let near = dir.path().join("near");
        std::fs::create_dir(&near).unwrap();
        let gateway = serving(
            "gateway",
            &near,
            &[
                "broker.url=mqtt://127.0.0.1:1883",
                &format!("store.url=mysql://root@127.0.0.1:{}/house", maria.port),
                "security.insecure=true",
                "live.listen=0.0.0.0:8765",
                "history.listen=0.0.0.0:8768",
                "forward.tcp.listen=0.0.0.0:8766",
                "forward.udp.listen=0.0.0.0:8767",
                "dashboard.listen=0.0.0.0:8080",
            ],
        );
        let mut gateway = Process(pc1.there(&gateway).stdout(Stdio::piped()).spawn().unwrap());
        wait_for_line(gateway.0.stdout.take().unwrap(), "Ctrl-C stops it");
        let mut publisher = Command::new("mosquitto_pub");
        publisher.args(["-h", SENSOR[1], "-q", "1", "-t", "Environ/Temperature", "-l"]);
        let publisher = sensor.there(&publisher).stdin(Stdio::piped()).spawn().unwrap();
        let mut publisher = Process(publisher);
        let lines = publisher.0.stdin.take().unwrap();
        let running = vec![broker, gateway, publisher];
        Some(Self {
            sensor,
            pc1,
            pc2,
            publisher: lines,
            published: vec![],
            maria,
            _running: running,
            dir,
        })
    }

    /// One reading, with its number.
    fn publish(&mut self, celsius: f64) {
        let seq = self.published.len();
        writeln!(self.publisher, r#"{{"temperature":{celsius:?},"boot":"b","seq":{seq}}}"#)
            .unwrap();
        self.published.push(celsius);
    }

    /// A controller on PC2 with an LED of its own; `clock`: what its clock is off by.
    fn controller(&self, name: &str, from: &str, clock: Option<&str>) -> Pc2 {
        let dir = self.dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        let (led, other_end) = SerialStream::pair().unwrap();
        let mut controller = command(&["controller", "--from", from, "--name", name]);
        controller.current_dir(&dir);
        for set in [
            format!("data.dir={}", dir.display()),
            "simulate.actuators=0".to_owned(),
            format!("actuator.0.name={name}"),
            "actuator.0.protocol=original".to_owned(),
            format!("actuator.0.link=serial:{}", other_end.name().unwrap()),
        ] {
            controller.args(["--set", &set]);
        }
        if let Some(clock) = clock {
            // What the program `faketime` sets, without it in between: it would outlive what it starts.
            let library = "/usr/$LIB/faketime/libfaketime.so.1";
            controller.env("LD_PRELOAD", library).env("FAKETIME", clock);
            controller.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let log = dir.join("log");
        let said = std::fs::File::create(&log).unwrap();
        let process = self.pc2.there(&controller).stdout(said).spawn().unwrap();
        let said = || std::fs::read_to_string(&log).unwrap();
        let begun = Instant::now();
        while !said().contains("connected to ") {
            assert!(begun.elapsed() < LIMIT, "{}", said());
        }
        Pc2 {
            kept: dir.join("controller"),
            led,
            name: name.to_owned(),
            _process: Process(process),
            _other_end: other_end,
        }
    }
}

/// One controller on PC2.
struct Pc2 {
    name: String,
    kept: PathBuf,
    led: SerialStream,
    _process: Process,
    _other_end: SerialStream,
}

impl Pc2 {
    /// The next byte at the LED.
    async fn byte(&mut self) -> u8 {
        let mut byte = [0];
        let read = tokio::time::timeout(LIMIT, self.led.read_exact(&mut byte)).await;
        read.unwrap_or_else(|_| panic!("{}: no byte", self.name)).unwrap();
        byte[0]
    }

    /// Bytes until this one, which switches the LED; those before it.
    async fn until(&mut self, wanted: u8) -> Vec<u8> {
        let mut before = Vec::new();
        loop {
            match self.byte().await {
                byte if byte == wanted => return before,
                byte => before.push(byte),
            }
        }
    }
}

/// Waits until the history there ends with this value.
#[track_caller]
fn wait_for(kept: &Path, last: f64) {
    let begun = Instant::now();
    while values(kept).last() != Some(&last) {
        let said = || {
            let log = kept.parent().map(|folder| folder.join("log"));
            log.and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default()
        };
        assert!(begun.elapsed() < LIMIT, "{}: {last} is not there\n{}", kept.display(), said());
    }
}

impl House {
    fn near(&self) -> PathBuf {
        self.dir.path().join("near")
    }

    /// A fifth of the packets is lost, on both wires and both ways.
    async fn lose_a_fifth(&mut self, pcs: &mut [Pc2]) {
        for (host, device) in [(&self.sensor, "yard"), (&self.pc2, "lan")] {
            host.lose(device, 20);
        }
        self.pc1.lose("yard", 20);
        for number in 0..300 {
            self.publish(20.0 + f64::from(number) / 100.0);
        }
        self.publish(20.5);
        for pc in pcs {
            pc.until(b'c').await;
            wait_for(&pc.kept, 20.5);
        }
        for host in [&self.sensor, &self.pc1, &self.pc2] {
            host.heal();
        }
    }

    /// The one reading, as history and as the last known.
    fn is_shown_at_once(&self, page: &Page) {
        assert_eq!(self.published, [26.0]);
        let mut said = [page.says(), page.says(), page.says()];
        said.sort();
        assert_eq!(said[0], "closed 8768");
        assert!(
            said[1].starts_with("new_data 20") && said[1].ends_with(" 26 °C 78.8 °F"),
            "{said:?}"
        );
        assert!(
            said[2].starts_with("old_data 20") && said[2].ends_with(" 26 °C 78.8 °F"),
            "{said:?}"
        );
    }

    /// Every reading but the first, in order.
    fn was_shown_live(&self, page: &Page) {
        for celsius in &self.published[1..] {
            let said = page.says();
            assert!(said.contains(&format!(" {celsius} °C ")), "{celsius}: {said}");
        }
    }

    /// The wire to PC2 falls silent both ways, so connections are half open, and PC1 has another address when it is
    /// back. It was hot meanwhile, which is no reason to switch anything when it is heard.
    async fn fall_silent_and_move(&mut self, pcs: &mut [Pc2]) {
        for host in [&self.pc1, &self.pc2] {
            host.silence("lan");
        }
        self.publish(30.0);
        let cut_at = Instant::now();
        self.pc1.change_address("lan", PC[0], PC1_LATER);
        // Until it is late there. What else comes meanwhile is of no interest.
        let mut celsius = 21.0;
        while cut_at.elapsed() < Duration::from_secs(12) {
            celsius += 0.001;
            self.publish(celsius);
            wait_for(&self.near(), celsius);
        }
        for host in [&self.pc1, &self.pc2] {
            host.heal();
        }
        self.pc2.name("pc1.test", PC1_LATER);
        for pc in &*pcs {
            wait_for(&pc.kept, celsius);
        }
        self.publish(27.0);
        self.publish(23.0);
        for pc in pcs {
            let before = pc.until(b'h').await;
            assert!(before.iter().all(|byte| *byte == b'c'), "{}: {before:?}", pc.name);
            pc.until(b'c').await;
            wait_for(&pc.kept, 23.0);
        }
    }

    /// Whoever may lose some switches its LED again.
    async fn is_heard_by(&mut self, pc: &mut Pc2) -> f64 {
        let mut celsius = 28.0;
        loop {
            celsius += 0.001;
            self.publish(celsius);
            let heard = tokio::time::timeout(Duration::from_secs(1), pc.until(b'h')).await;
            if heard.is_ok() {
                return celsius;
            }
            assert!(celsius < 28.0 + 0.001 * LIMIT.as_secs_f64(), "{} hears nothing", pc.name);
        }
    }

    /// Everything is everywhere, once.
    async fn expect_all(&self, pcs: &[Pc2]) {
        assert_eq!(values(&self.near()), self.published);
        for pc in pcs {
            assert_eq!(values(&pc.kept), self.published, "{}", pc.name);
        }
        let socket = MySqlConnectOptions::new().socket(self.maria.socket()).username("root");
        let mut root = socket.connect().await.unwrap();
        let begun = Instant::now();
        loop {
            let count = "SELECT count(*) FROM house.temp";
            let count: i64 = sqlx::query_scalar(count).fetch_one(&mut root).await.unwrap();
            if usize::try_from(count) == Ok(self.published.len()) {
                break;
            }
            assert!(begun.elapsed() < LIMIT, "{count} of {}", self.published.len());
        }
    }
}

#[tokio::test]
async fn the_originals_three_hosts_lose_nothing_over_bad_wires() {
    let Some(mut house) = House::start().await else { return };
    let mut pcs = [
        house.controller("TCP", "tcp://pc1.test:8766", Some("+1h")),
        house.controller("WS", "ws://pc1.test:8080/live", Some("-1h")),
    ];
    // As the original has it: what is new alone. And by UDP, where some may be lost.
    let original = format!("ws://{}:8765", PC[0]);
    let mut original = house.controller("ORIGINAL", &original, None);
    let mut udp = house.controller("UDP", "udp://pc1.test:8767", Some("-1h"));
    house.publish(26.0);
    for pc in pcs.iter_mut().chain([&mut original, &mut udp]) {
        pc.until(b'h').await;
    }
    let Some(page) = Page::open(&house.pc2, house.dir.path(), "pc1.test") else { return };
    house.is_shown_at_once(&page);
    house.lose_a_fifth(&mut pcs).await;
    house.was_shown_live(&page);
    drop(page);
    house.fall_silent_and_move(&mut pcs).await;
    let last = house.is_heard_by(&mut udp).await;
    for kept in pcs.iter().map(|pc| pc.kept.clone()).chain([house.near()]) {
        wait_for(&kept, last);
    }
    house.expect_all(&pcs).await;
}

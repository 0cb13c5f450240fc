//! From a reading to the LED over Bluetooth, beside the link alone: `cargo xtask bench bluetooth`.
//!
//! Everything is emulated, the processors too, so the figures are for comparing with each other: those of
//! a link stand in one run, one after the other, because the device takes one at a time. A device's line
//! on its output is when it has obeyed, for both. The link alone is spoken to without mtom: by BlueZ's own
//! interface over LE, by a socket of the kernel over SPP.

use crate::LIMIT;
use crate::guest::Guest;
use crate::mtom::{Gateway, device};
use crate::process::{Process, until};
use bluer::gatt::remote::{Characteristic, CharacteristicWriteRequest};
use bluer::gatt::{CharacteristicReader, WriteOp};
use bluer::rfcomm::{Socket, SocketAddr, Stream};
use bluer::{Adapter, AdapterEvent, Device, Session, Uuid};
use futures_util::StreamExt as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::pin::pin;
use std::thread::park_timeout;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;
use tokio::time::timeout;

const SAMPLES: usize = 200;
/// Left out: caches and connections settle.
const FIRST: usize = 10;
/// Between two samples.
const PAUSE: Duration = Duration::from_millis(50);
/// Of the serial port profile.
const CHANNEL: u8 = 1;
/// The Nordic UART Service, as it is written to and notifies (`wire.md` §2).
const RX: Uuid = Uuid::from_u128(0x6e40_0002_b5a3_f393_e0a9_e50e_24dc_ca9e);
const TX: Uuid = Uuid::from_u128(0x6e40_0003_b5a3_f393_e0a9_e50e_24dc_ca9e);

/// Over LE.
pub(crate) fn ble(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = device(guest, "actuator-hci1", &["--ble", "hci1", "--lease", "none"]);
    let runtime = Runtime::new().unwrap();
    let alone = runtime.block_on(async { timeout(LIMIT, Uart::open("TEMP_LED")).await.unwrap() });
    let bare = measure(&mut lamp, |line| {
        runtime.block_on(async { timeout(LIMIT, alone.told(line)).await.unwrap() });
    });
    runtime.block_on(alone.device.disconnect()).unwrap();
    drop(alone);
    tell(guest, "ble", bare, "ble:TEMP_LED?adapter=hci0", &mut lamp);
}

/// Over classic Bluetooth.
pub(crate) fn spp(guest: &mut Guest) {
    guest.start(2);
    let mut lamp = device(guest, "actuator-hci1", &["--spp", "hci1", "--lease", "none"]);
    guest.listens(1);
    let [from, to] = [(0, 0), (1, CHANNEL)]
        .map(|(hci, channel)| SocketAddr::new(guest.address(hci).parse().unwrap(), channel));
    let runtime = Runtime::new().unwrap();
    let mut alone = runtime.block_on(async {
        let socket = Socket::new().unwrap();
        socket.bind(from).unwrap();
        timeout(LIMIT, socket.connect(to)).await.unwrap().unwrap()
    });
    // That it has returned does not mean that it is connected.
    until("the link alone", || alone.as_ref().conn_info().ok());
    let bare = measure(&mut lamp, |line| {
        runtime.block_on(async { timeout(LIMIT, told(&mut alone, line)).await.unwrap() });
    });
    runtime.block_on(alone.shutdown()).unwrap();
    drop(alone);
    tell(guest, "spp", bare, "spp:TEMP_LED?adapter=hci0", &mut lamp);
}

async fn told(link: &mut Stream, line: &str) {
    link.write_all(line.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(line.as_bytes()) {
        heard.push(link.read_u8().await.unwrap());
    }
}

/// In ms, sorted.
struct Times {
    there: Vec<f64>,
    there_and_back: Vec<f64>,
}

/// Turns the LED on and off by its lines; `told` ends when the device has said back what it was told.
fn measure(lamp: &mut Process, mut told: impl FnMut(&str)) -> Times {
    let mut times = Times { there: Vec::new(), there_and_back: Vec::new() };
    for number in 1..=SAMPLES + FIRST {
        let (byte, led) = if number % 2 == 1 { ('h', "LED on") } else { ('c', "LED off") };
        let start = Instant::now();
        told(&format!("{byte} {number}\n"));
        times.there_and_back.push(millis(start.elapsed()));
        times.there.push(millis(lamp.says_at(led).0 - start));
        park_timeout(PAUSE);
    }
    times.settle();
    times
}

/// The same LED by the whole path; writes both down.
fn tell(guest: &Guest, name: &str, bare: Times, link: &str, lamp: &mut Process) {
    let gateway = Gateway::up(guest, link);
    gateway.publish("24.0");
    gateway.lamp_is("off");
    let mut sensor = gateway.sensor();
    let mut path = Times { there: Vec::new(), there_and_back: Vec::new() };
    for number in 1..=SAMPLES + FIRST {
        let (celsius, led) = if number % 2 == 1 { ("26.0", "on") } else { ("24.0", "off") };
        let start = Instant::now();
        sensor.publish(celsius);
        path.there.push(millis(lamp.says_at(&format!("LED {led}")).0 - start));
        gateway.lamp_is(led);
        park_timeout(PAUSE);
    }
    path.settle();
    let rows = [
        ("reading published to LED", &path.there),
        ("link alone, to LED", &bare.there),
        ("link alone, there and back", &bare.there_and_back),
    ];
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(guest.logs().with_file_name("figures.txt"))
        .unwrap();
    for (what, times) in rows {
        let (p50, p99) = (quantile(times, 50), quantile(times, 99));
        writeln!(file, "{name}  {what:<27} p50 {p50:7.2} ms   p99 {p99:7.2} ms").unwrap();
    }
    let added = quantile(&path.there, 50) - quantile(&bare.there, 50);
    writeln!(file, "{name}  {:<27} p50 {added:7.2} ms", "what mtom adds").unwrap();
}

impl Times {
    fn settle(&mut self) {
        for times in [&mut self.there, &mut self.there_and_back] {
            times.drain(..FIRST.min(times.len()));
            times.sort_by(f64::total_cmp);
        }
    }
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A UART over LE as BlueZ gives it.
struct Uart {
    device: Device,
    rx: Characteristic,
    tx: CharacteristicReader,
    // Also what keeps the way open.
    _session: Session,
}

impl Uart {
    async fn open(name: &str) -> Self {
        let session = Session::new().await.unwrap();
        let adapter = session.adapter("hci0").unwrap();
        let device = found(&adapter, name).await;
        device.connect().await.unwrap();
        let (mut rx, mut tx) = (None, None);
        for service in device.services().await.unwrap() {
            for characteristic in service.characteristics().await.unwrap() {
                match characteristic.uuid().await.unwrap() {
                    RX => rx = Some(characteristic),
                    TX => tx = Some(characteristic),
                    _ => {}
                }
            }
        }
        let tx = tx.unwrap().notify_io().await.unwrap();
        Self { device, rx: rx.unwrap(), tx, _session: session }
    }

    async fn told(&self, line: &str) {
        let op_type = WriteOp::Request;
        let request = CharacteristicWriteRequest { op_type, ..Default::default() };
        self.rx.write_ext(line.as_bytes(), &request).await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(line.as_bytes()) {
            heard.extend(self.tx.recv().await.unwrap());
        }
    }
}

async fn found(adapter: &Adapter, name: &str) -> Device {
    let mut events = pin!(adapter.discover_devices_with_changes().await.unwrap());
    loop {
        if let AdapterEvent::DeviceAdded(address) = events.next().await.unwrap() {
            let device = adapter.device(address).unwrap();
            if device.name().await.ok().flatten().as_deref() == Some(name) {
                return device;
            }
        }
    }
}

use super::*;
use crate::outbox::NoRing;
use crate::record::Taken;
use crate::settings::{Format, WhenFull};
use broker::{Packet, Peer};
use embassy_time::with_timeout;
use embedded_io_adapters::tokio_1::FromTokio;
use mtom_protocol::time::UnixMicros;
use std::rc::Rc;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

mod broker;
mod faults;
mod settings;

/// The clock is paused: this is time of the device, not of the tester.
async fn limited<T>(work: impl Future<Output = T>) -> T {
    with_timeout(Duration::from_secs(3_600), work).await.expect("happens within an hour")
}

const TOPIC: &str = "Environ/Temperature";

/// Gives the broker's ends of the device's connections to the test.
struct Dial {
    peers: mpsc::Sender<Peer>,
    /// How many attempts fail before one succeeds.
    away: Rc<Cell<u32>>,
    /// There is no network until then.
    network_at: Instant,
}

impl Connector for Dial {
    type Io<'a> = FromTokio<DuplexStream>;
    type Error = &'static str;

    async fn ready(&mut self) {
        if Instant::now() < self.network_at {
            Timer::at(self.network_at).await;
        }
    }

    async fn connect(&mut self) -> Result<Self::Io<'_>, Self::Error> {
        if self.away.get() > 0 {
            self.away.set(self.away.get() - 1);
            return Err("no route to the broker");
        }
        let (device, broker) = tokio::io::duplex(4_096);
        self.peers.send(Peer(broker)).await.map_err(|_| "the test has ended")?;
        Ok(FromTokio::new(device))
    }
}

/// 20.0, 20.1, 20.2, …
struct Rising(i16);

impl Thermometer for Rising {
    async fn read(&mut self) -> Result<DeciCelsius, &'static str> {
        self.0 += 1;
        if self.0 == 207 { Err("the wire is off") } else { Ok(DeciCelsius(self.0 - 1)) }
    }
}

/// Memory of any size.
struct Tight {
    rx: [u8; 320],
    tx: Vec<u8>,
}

impl Memory for Tight {
    fn packets(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut self.rx, &mut self.tx)
    }
}

/// Keeps what was seen, and when.
#[derive(Clone, Default)]
struct Seen(Rc<RefCell<Vec<(u64, String)>>>);

impl Seen {
    fn lines(&self, with: &str) -> Vec<String> {
        let lines = self.0.borrow();
        lines.iter().map(|(_, line)| line.clone()).filter(|line| line.contains(with)).collect()
    }

    fn times(&self, with: &str) -> Vec<u64> {
        let lines = self.0.borrow();
        lines.iter().filter(|(_, line)| line.contains(with)).map(|(at, _)| *at).collect()
    }
}

impl Witness for Seen {
    fn saw(&mut self, event: &Event<'_>) {
        self.0.borrow_mut().push((Instant::now().as_millis(), event.to_string()));
    }
}

/// Keeps settings where the test can look at them.
#[derive(Clone, Default)]
struct Kept(Rc<RefCell<Vec<Settings>>>);

impl Keeper for Kept {
    async fn keep(&mut self, settings: &Settings, remote: &Remote) -> Result<(), FlashError> {
        let mut settings = settings.clone();
        remote.put_into(&mut settings);
        self.0.borrow_mut().push(settings);
        Ok(())
    }
}

/// A device under test and the world around it.
struct World {
    settings: Settings,
    clock: WallClock,
    seen: Seen,
    kept: Kept,
    away: Rc<Cell<u32>>,
    network_at: Cell<Instant>,
    tx_len: Cell<usize>,
    ended_at_millis: Cell<Option<u64>>,
}

impl World {
    fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        settings.set("id", "env1").unwrap();
        settings.set("broker_host", "broker").unwrap();
        change(&mut settings);
        Self {
            settings,
            clock: WallClock::new(),
            seen: Seen::default(),
            kept: Kept::default(),
            away: Rc::default(),
            network_at: Cell::new(Instant::MIN),
            tx_len: Cell::new(connection::TX_LEN),
            ended_at_millis: Cell::new(None),
        }
    }

    /// Runs the device beside `test`, which is handed its connections; ends with `test`.
    async fn run<T>(&self, test: impl AsyncFnOnce(mpsc::Receiver<Peer>) -> T) -> T {
        self.run_until(std::future::pending(), test).await
    }

    /// The same with a device that is told to stop.
    async fn run_until<T>(
        &self,
        stop: impl Future<Output = ()>,
        test: impl AsyncFnOnce(mpsc::Receiver<Peer>) -> T,
    ) -> T {
        // On the heap: two whole devices' worth of futures.
        mtom_time::run(Box::pin(async {
            let (peers, connections) = mpsc::channel(1);
            let mut dial =
                Dial { peers, away: Rc::clone(&self.away), network_at: self.network_at.get() };
            let identity = Identity { settings: &self.settings, boot: 0xb007, version: "1.0.0" };
            let (seen, kept) = (self.seen.clone(), self.kept.clone());
            let sensor = Sensor::<_, _, _, 8>::new(identity, &self.clock, NoRing, kept, seen);
            let (mut buffers, mut rising) =
                (Tight { rx: [0; 320], tx: vec![0; self.tx_len.get()] }, Rising(200));
            // No jitter: the full wait.
            let device = sensor.run(&mut dial, &mut rising, &mut buffers, || u32::MAX, stop);
            let mut device = std::pin::pin!(device);
            let mut test = std::pin::pin!(limited(test(connections)));
            loop {
                tokio::select! {
                    biased;
                    done = &mut test => return done,
                    () = &mut device, if self.ended_at_millis.get().is_none() => {
                        self.ended_at_millis.set(Some(Instant::now().as_millis()));
                    }
                }
            }
        }))
        .await
    }
}

#[tokio::test(start_paused = true)]
async fn the_original_payload_arrives_every_two_seconds_and_is_acknowledged() {
    let world = World::new(|_| {});
    world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            for expected in ["20.0 °C", "20.1 °C", "20.2 °C"] {
                assert_eq!(peer.reading(TOPIC).await.unwrap(), expected);
            }
        })
        .await;
    assert_eq!(world.seen.times("measured"), [0, 2_000, 4_000]);
    assert_eq!(world.seen.lines("acknowledged"), ["acknowledged 20.0 °C", "acknowledged 20.1 °C"]);
}

#[tokio::test(start_paused = true)]
async fn the_original_payload_has_its_time_and_its_number_beside_it() {
    let world = World::new(|_| {});
    world.clock.set(UnixMicros(1_795_421_190_000_000), Instant::from_ticks(0)).unwrap();
    let (payload, beside) = world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            loop {
                match peer.next().await.unwrap() {
                    Packet::Connect { .. } => peer.accept().await,
                    Packet::Publish { topic, payload, beside, .. } if topic == TOPIC => {
                        break (payload, beside);
                    }
                    Packet::Publish { id, .. } => peer.puback(id.unwrap(), 0).await,
                    _ => {}
                }
            }
        })
        .await;
    assert_eq!(payload, "20.0 °C");
    let expected = [
        ("mtom-time", "2026-11-23T08:06:30.000Z"),
        ("mtom-boot", "000000000000b007"),
        ("mtom-seq", "0"),
    ];
    assert_eq!(beside, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn it_says_who_it_is_and_what_to_say_when_it_dies() {
    let world = World::new(|settings| {
        settings.set("user", "sensor").unwrap();
        settings.set("password", "secret").unwrap();
    });
    world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            let user = Some(("sensor".into(), "secret".into()));
            let will = ("mtom/env1/status".into(), "offline".into());
            assert_eq!(peer.next().await, Some(Packet::Connect { id: "env1".into(), will, user }));
            peer.accept().await;
            let Some(Packet::Publish { topic, payload, id, retained, .. }) = peer.next().await
            else {
                panic!("a status comes first");
            };
            assert_eq!(
                (topic.as_str(), payload.as_str(), retained),
                ("mtom/env1/status", "online", true)
            );
            peer.puback(id.unwrap(), 0).await;
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_state_is_told_after_the_first_acknowledgement_and_every_minute() {
    let world = World::new(|_| {});
    let (first, second) = world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            let first = peer.reading("mtom/env1/state").await.unwrap();
            (first, peer.reading("mtom/env1/state").await.unwrap())
        })
        .await;
    assert_eq!(
        first,
        r#"{"boot":"000000000000b007","version":"1.0.0","uptime_seconds":0,"clock":"unset","acknowledged":1,"waiting":0,"dropped":0,"flash_errors":0,"last":"20.0 °C"}"#
    );
    assert!(second.contains(r#""uptime_seconds":60"#), "{second}");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_stops_delivers_what_waits_and_says_good_bye() {
    let world = World::new(|_| {});
    let stop = async { Timer::after(Duration::from_secs(3)).await };
    let all = world
        .run_until(stop, async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            let mut all = Vec::new();
            while let Some(message) = peer.published().await {
                all.push(message);
            }
            all
        })
        .await;
    let readings = all.iter().filter(|(topic, _)| topic == TOPIC).count();
    assert_eq!(readings, 2);
    assert_eq!(all.last().unwrap(), &("mtom/env1/status".into(), "offline".into()));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_stops_without_a_broker_ends_in_time() {
    let world = World::new(|_| {});
    world.away.set(u32::MAX);
    let stop = async { Timer::after(Duration::from_secs(3)).await };
    world.run_until(stop, async |_connections| Timer::after(Duration::from_secs(60)).await).await;
    assert_eq!(world.ended_at_millis.get(), Some(5_000));
}

#[tokio::test(start_paused = true)]
async fn a_thermometer_that_fails_costs_one_reading_and_is_named() {
    let world = World::new(|_| {});
    world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            while peer.reading(TOPIC).await.unwrap() != "20.7 °C" {}
        })
        .await;
    assert_eq!(world.seen.lines("no reading"), ["no reading: the wire is off"]);
    assert_eq!(world.seen.times("measured").len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_long_period_is_bridged_by_pings() {
    let world = World::new(|settings| settings.period_millis = 600_000);
    world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            assert_eq!(peer.reading(TOPIC).await.unwrap(), "20.0 °C");
            assert_eq!(peer.reading(TOPIC).await.unwrap(), "20.1 °C");
        })
        .await;
    assert!(world.seen.lines("no broker").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reading_from_before_the_clock_was_set_gets_its_time_afterwards() {
    let world = World::new(|settings| settings.format = Format::Json);
    world.away.set(3);
    let payloads = world
        .run(async |mut connections| {
            Timer::after(Duration::from_secs(1)).await;
            world.clock.set(UnixMicros(1_795_421_191_000_000), Instant::now()).unwrap();
            let mut peer = connections.recv().await.unwrap();
            [peer.reading(TOPIC).await.unwrap(), peer.reading(TOPIC).await.unwrap()]
        })
        .await;
    assert_eq!(
        payloads,
        [
            r#"{"temperature":20.0,"time":"2026-11-23T08:06:30.000Z","clock":"sntp","seq":0,"boot":"000000000000b007"}"#,
            r#"{"temperature":20.1,"time":"2026-11-23T08:06:32.000Z","clock":"sntp","seq":1,"boot":"000000000000b007"}"#
        ]
    );
}

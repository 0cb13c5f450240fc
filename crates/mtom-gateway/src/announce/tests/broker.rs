//! A broker that goes away in the middle, and what it hears before and after.

use super::super::{Announcer, Ears, Talk, ToldCounts, names::Names};
use super::ID;
use crate::control::Control;
use crate::settings::HomeAssistant;
use crate::view::{ActuatorView, LinkState, View};
use mtom_broker::client::{Change, Settings, Wishes, run};
use mtom_broker::intake::Intake;
use mtom_broker::outlet::Outlet;
use mtom_mqtt::target::{Target, Version};
use mtom_protocol::payload::reading;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const NOW: UnixMicros = UnixMicros(1_795_421_190_000_000);

pub(super) fn actuator(name: &str) -> ActuatorView {
    ActuatorView {
        name: name.into(),
        link: "tcp:127.0.0.1:7000".into(),
        link_state: LinkState::Up,
        link_reason: String::new(),
        link_since: NOW,
        link_down_since: None,
        simulated: true,
        desired: None,
        reported: None,
        sent: None,
        firmware: None,
        trust: None,
        latency_micros: None,
    }
}

/// A reading of that age.
fn stored(id: u64, device: &str, age: Duration) -> Arc<StoredReading> {
    let at = UnixMicros(NOW.0 - i64::try_from(age.as_micros()).unwrap());
    let reading = reading("t", device, "Temperature", 21.5, Unit::Celsius).unwrap();
    Arc::new(StoredReading { id, at, arrived_at: NOW, suspect: false, reading })
}

/// Which topics a broker does not take.
type Refuses = fn(&str) -> bool;

fn none(_: &str) -> bool {
    false
}

/// One connection as a broker has it.
struct Peer {
    stream: TcpStream,
    refuses: Refuses,
    is_5: bool,
}

impl Peer {
    /// The next message, answered; everything else is, too. `None`: the connection has ended.
    async fn hears(&mut self) -> Option<(String, String)> {
        loop {
            let first = self.stream.read_u8().await.ok()?;
            let (mut len, mut shift) = (0, 0);
            loop {
                let byte = self.stream.read_u8().await.ok()?;
                len |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let mut body = vec![0; len];
            self.stream.read_exact(&mut body).await.ok()?;
            let answer: Vec<u8> = match first >> 4 {
                1 => {
                    self.is_5 = body[6] == 5;
                    if self.is_5 { vec![0x20, 3, 0, 0, 0] } else { vec![0x20, 2, 0, 0] }
                }
                8 if self.is_5 => vec![0x90, 4, body[0], body[1], 0, 1],
                8 => vec![0x90, 3, body[0], body[1], 1],
                12 => vec![0xd0, 0],
                3 => return self.message(first, &body).await,
                _ => return None,
            };
            self.stream.write_all(&answer).await.ok()?;
        }
    }

    async fn message(&mut self, first: u8, body: &[u8]) -> Option<(String, String)> {
        let topic_len = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let (topic, mut payload) = body[2..].split_at(topic_len);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let topic = text(topic);
        if first & 6 != 0 {
            let id = [payload[0], payload[1]];
            // 0x87: not authorized [MQTT-5.0 §3.4.2.1].
            let answer = match (self.refuses)(&topic) {
                true => vec![0x40, 3, id[0], id[1], 0x87],
                false => vec![0x40, 2, id[0], id[1]],
            };
            self.stream.write_all(&answer).await.ok()?;
            payload = &payload[2..];
        }
        if self.is_5 {
            // Without properties.
            payload = &payload[1..];
        }
        Some((topic, text(payload)))
    }
}

/// Topics and payloads.
type Heard = Vec<(String, String)>;

/// A gateway that tells of what there is, and the place of its broker.
struct Told {
    listener: TcpListener,
    talk: Talk,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _dir: tempfile::TempDir,
    _requests: Requests,
}

type Requests = tokio::sync::mpsc::Receiver<crate::control::Request>;

impl Told {
    /// `noted` is what an earlier process has told.
    async fn of(view: View, clock: crate::Clock, version: Version, noted: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (ears, words, again) = Ears::new("homeassistant", ID, true);
        let (control, requests) = Control::new(Arc::new(|_| Ok(Vec::new())));
        let (outlet, outgoings) = Outlet::external();
        let target = Target::plain("127.0.0.1", listener.local_addr().unwrap().port());
        let settings = Settings {
            target: Target { version, ..target },
            client_id: "house".into(),
            is_kept: false,
            filters: vec![],
            filters_wished: ears.filters(),
            filters_again: vec![],
            filters_given_up: vec![],
            receive_max: 10,
            is_known: false,
            will: ears.will(),
        };
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("announced"), noted.join("\n")).unwrap();
        let home = HomeAssistant { announce: true, ..HomeAssistant::default() };
        let talk = ears.talk().clone();
        let announcer = Announcer::new(
            &home,
            dir.path(),
            ID,
            (outlet, ""),
            (view, control, clock),
            (words, again, talk.clone()),
        );
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(announcer.run(stop.clone()));
        let changed = move |change| {
            if matches!(change, Change::Connected { .. }) {
                ears.connected();
            }
        };
        let (intake, _deliveries) = Intake::new(1, |_| false);
        let wishes = Wishes::none();
        tasks.spawn(run(settings, intake, outgoings, wishes, changed, || 0.0, stop.clone()));
        Self { listener, talk, stop, tasks, _dir: dir, _requests: requests }
    }

    async fn peer(&self, refuses: Refuses) -> Peer {
        Peer { stream: self.listener.accept().await.unwrap().0, refuses, is_5: false }
    }

    async fn end(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// A house of one fresh and one late device and an actuator, told to a broker that takes so many messages and goes
/// away; then all that the next one hears until it has the configs and the fresh number.
async fn told_until_all(taken: usize) -> (Heard, Heard, ToldCounts) {
    let view = View::default();
    let hour = Duration::from_secs(3_600);
    view.readings(&[stored(1, "Attic", hour), stored(2, "Environ", Duration::ZERO)]);
    view.actuator(actuator("LED"));
    let told = Told::of(view, Arc::new(|| NOW), Version::V3, &[]).await;
    let names = Names::new("homeassistant", ID);
    let all = [
        names.series("Environ", "Temperature"),
        names.config_of_device("Environ", 0),
        names.config_of_device("Attic", 0),
        names.config_of_actuator("LED"),
    ];
    let heard = tokio::time::timeout(Duration::from_secs(30), async {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut peer = told.peer(none).await;
        while before.len() < taken {
            before.push(peer.hears().await.unwrap());
        }
        drop(peer);
        let mut peer = told.peer(none).await;
        let is_told =
            |after: &[(String, String)], topic| after.iter().any(|(told, _)| told == topic);
        while !all.iter().all(|topic| is_told(&after, topic)) {
            after.push(peer.hears().await.unwrap());
        }
        (before, after)
    });
    let (before, after) = heard.await.unwrap();
    let counts = told.talk.standing().told;
    told.end().await;
    (before, after, counts)
}

/// All that is heard up to a topic, with it.
async fn heard_until(peer: &mut Peer, topic: &str) -> Heard {
    let mut heard = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), async {
        while heard.last().is_none_or(|(last, _)| last != topic) {
            heard.push(peer.hears().await.unwrap());
        }
    })
    .await
    .unwrap();
    heard
}

#[tokio::test]
async fn what_was_true_before_the_broker_came_is_not_told_as_of_now() {
    let (view, now, asked) =
        (View::default(), Arc::new(AtomicI64::new(NOW.0)), Arc::new(Notify::new()));
    let later = Duration::from_secs(7_200);
    let at = UnixMicros(NOW.0 + i64::try_from(later.as_micros()).unwrap());
    let mut then = (*stored(2, "Zed", Duration::ZERO)).clone();
    then.at = at;
    view.readings(&[stored(1, "Attic", Duration::ZERO), Arc::new(then)]);
    view.actuator(actuator("LED"));
    let (shown, told_of) = (Arc::clone(&now), Arc::clone(&asked));
    let clock = Arc::new(move || {
        told_of.notify_one();
        UnixMicros(shown.load(Ordering::SeqCst))
    });
    let told = Told::of(view, clock, Version::V3, &[]).await;
    // It has begun to tell, and there is nobody.
    asked.notified().await;
    now.store(at.0, Ordering::SeqCst);
    let mut peer = told.peer(none).await;
    let names = Names::new("homeassistant", ID);
    let heard = heard_until(&mut peer, &names.series("Zed", "Temperature")).await;
    let old = names.series("Attic", "Temperature");
    assert!(heard.iter().all(|(topic, _)| *topic != old), "{heard:?}");
    told.end().await;
}

#[tokio::test]
async fn a_topic_that_the_broker_refuses_is_its_own_trouble() {
    let view = View::default();
    view.readings(&[stored(1, "Attic", Duration::ZERO), stored(2, "Zed", Duration::ZERO)]);
    let names = Names::new("homeassistant", ID);
    let other = Names::new("elsewhere", ID).config_of_device("Attic", 0);
    let told = Told::of(view, Arc::new(|| NOW), Version::V5, std::slice::from_ref(&other)).await;
    let refuses = |topic: &str| topic.starts_with("elsewhere/") || topic.contains("_d_Attic");
    let mut peer = told.peer(refuses).await;
    let heard = heard_until(&mut peer, &names.series("Zed", "Temperature")).await;
    let count = |topic: &str| heard.iter().filter(|(told, _)| told == topic).count();
    assert_eq!(count(&other), 1);
    assert_eq!(count(&names.config_of_device("Attic", 0)), 1);
    assert_eq!(count(&names.config_of_device("Zed", 0)), 1);
    let said = told.talk.standing().not_taken.unwrap();
    assert!(said.contains("NotAuthorized"), "{said}");
    told.end().await;
}

#[tokio::test]
async fn an_announcement_that_is_cut_short_takes_nothing_back_and_is_said_again() {
    for taken in 1..8 {
        let (before, after, told) = told_until_all(taken).await;
        assert!(before.iter().chain(&after).all(|(_, payload)| !payload.is_empty()), "{after:?}");
        assert_eq!(told, ToldCounts { devices: 2, sensors: 2, switches: 1 });
    }
}

#[tokio::test]
async fn a_number_that_came_late_is_not_told_as_one_of_now() {
    let (before, after, _) = told_until_all(1).await;
    let of_late = Names::new("homeassistant", ID).series("Attic", "Temperature");
    assert!(before.iter().chain(&after).all(|(topic, _)| *topic != of_late));
}

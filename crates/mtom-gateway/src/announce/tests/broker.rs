//! A broker that goes away in the middle, and what it hears before and after.

use super::super::{Announcer, Ears, ToldCounts, names::Names};
use super::ID;
use crate::control::Control;
use crate::settings::HomeAssistant;
use crate::view::{ActuatorView, LinkState, View};
use mtom_broker::client::{Change, Settings, Wishes, run};
use mtom_broker::intake::Intake;
use mtom_broker::outlet::Outlet;
use mtom_mqtt::target::Target;
use mtom_protocol::payload::reading;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
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

/// One connection of MQTT 3.1.1 as a broker has it.
struct Peer(TcpStream);

impl Peer {
    /// The next message, acknowledged; everything else is answered. `None`: the connection has ended.
    async fn hears(&mut self) -> Option<(String, String)> {
        loop {
            let first = self.0.read_u8().await.ok()?;
            let (mut len, mut shift) = (0, 0);
            loop {
                let byte = self.0.read_u8().await.ok()?;
                len |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let mut body = vec![0; len];
            self.0.read_exact(&mut body).await.ok()?;
            match first >> 4 {
                1 => self.0.write_all(&[0x20, 2, 0, 0]).await.ok()?,
                8 => self.0.write_all(&[0x90, 3, body[0], body[1], 1]).await.ok()?,
                12 => self.0.write_all(&[0xd0, 0]).await.ok()?,
                3 => {
                    let topic_len = usize::from(u16::from_be_bytes([body[0], body[1]]));
                    let (topic, mut payload) = body[2..].split_at(topic_len);
                    if first & 6 != 0 {
                        self.0.write_all(&[0x40, 2, payload[0], payload[1]]).await.ok()?;
                        payload = &payload[2..];
                    }
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    return Some((text(topic), text(payload)));
                }
                _ => return None,
            }
        }
    }
}

/// Topics and payloads.
type Heard = Vec<(String, String)>;

/// A house of one fresh and one late device and an actuator, told to a broker that takes so many messages and goes
/// away; then all that the next one hears until it has the configs and the fresh number.
async fn told_until_all(taken: usize) -> (Heard, Heard, ToldCounts) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let view = View::default();
    let hour = Duration::from_secs(3_600);
    view.readings(&[stored(1, "Attic", hour), stored(2, "Environ", Duration::ZERO)]);
    view.actuator(actuator("LED"));
    let (ears, words, again) = Ears::new("homeassistant", ID, true);
    let (control, _requests) = Control::new(Arc::new(|_| Ok(Vec::new())));
    let (outlet, outgoings) = Outlet::external();
    let settings = Settings {
        target: Target::plain("127.0.0.1", listener.local_addr().unwrap().port()),
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
    let clock: crate::Clock = Arc::new(|| NOW);
    let home = HomeAssistant { announce: true, ..HomeAssistant::default() };
    let talk = ears.talk().clone();
    let announcer = Announcer::new(
        &home,
        dir.path(),
        ID,
        outlet,
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
    tasks.spawn(run(settings, intake, outgoings, Wishes::none(), changed, || 0.0, stop.clone()));
    let names = Names::new("homeassistant", ID);
    let all = [
        names.series("Environ", "Temperature"),
        names.config_of_device("Environ"),
        names.config_of_device("Attic"),
        names.config_of_actuator("LED"),
    ];
    let told = tokio::time::timeout(Duration::from_secs(30), async {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut peer = Peer(listener.accept().await.unwrap().0);
        while before.len() < taken {
            before.push(peer.hears().await.unwrap());
        }
        drop(peer);
        let mut peer = Peer(listener.accept().await.unwrap().0);
        let is_told =
            |after: &[(String, String)], topic| after.iter().any(|(told, _)| told == topic);
        while !all.iter().all(|topic| is_told(&after, topic)) {
            after.push(peer.hears().await.unwrap());
        }
        (before, after)
    });
    let (before, after) = told.await.unwrap();
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    (before, after, talk.standing().told)
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

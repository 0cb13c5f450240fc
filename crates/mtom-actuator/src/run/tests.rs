//! Whole links over real sockets and pseudo terminals. Nothing here waits for a time to pass: every
//! wait is for an event, with a limit.

use super::run;
use crate::report::{Desired, LinkState, Report, Version};
use crate::settings::Settings;
use mtom_protocol::link::Led::{self, Off, On};
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

mod flap;
mod flap_bluetooth;
mod half_open;
#[cfg(unix)]
mod serial;
mod stack;

const LIMIT: Duration = Duration::from_secs(30);
const NOW: UnixMicros = UnixMicros(1_000);

/// A link with what a caller has of it.
struct Rig {
    desired: watch::Sender<Option<Desired>>,
    reports: mpsc::Receiver<Report>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Rig {
    fn start(settings: Settings) -> Self {
        let (desired, wanted) = watch::channel(None);
        // A test takes its reports; one that does not must not care for the newest.
        let (sender, reports) = mpsc::channel(10_000);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let report = move |report| drop(sender.try_send(report));
        tasks.spawn(run(settings, wanted, report, Arc::new(|| NOW), stop.clone()));
        Self { desired, reports, stop, tasks }
    }

    fn want(&self, led: Led, number: u64) {
        self.desired.send_replace(Some(Desired { led, number }));
    }

    /// The next report that `wanted` accepts; those before it are passed over.
    async fn until(&mut self, mut wanted: impl FnMut(&Report) -> bool) -> Report {
        let search = async {
            loop {
                let report = self.reports.recv().await.expect("the link runs");
                if wanted(&report) {
                    return report;
                }
            }
        };
        timeout(LIMIT, search).await.expect("the report comes in time")
    }

    async fn link(&mut self, wanted: LinkState) -> String {
        match self.until(|r| matches!(r, Report::Link { state, .. } if *state == wanted)).await {
            Report::Link { reason, .. } => reason,
            _ => unreachable!(),
        }
    }

    /// Stops the link, and gives back what it still had to say.
    async fn end(mut self) -> Vec<Report> {
        self.stop.cancel();
        timeout(LIMIT, self.tasks.join_next()).await.expect("it ends").unwrap().unwrap();
        let mut rest = Vec::new();
        while let Ok(report) = self.reports.try_recv() {
            rest.push(report);
        }
        rest
    }
}

/// The device's side of a link.
struct Peer<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    async fn bytes(&mut self, len: usize) -> String {
        let mut bytes = vec![0; len];
        timeout(LIMIT, self.0.read_exact(&mut bytes)).await.expect("in time").unwrap();
        String::from_utf8(bytes).unwrap()
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        while !line.ends_with('\n') {
            line += &self.bytes(1).await;
        }
        line
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Everything until the link closes it.
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset is an end like any other.
        let _ = timeout(LIMIT, self.0.read_to_end(&mut bytes)).await.expect("it closes");
        String::from_utf8(bytes).unwrap()
    }
}

async fn accept(listener: &TcpListener) -> Peer<TcpStream> {
    Peer(timeout(LIMIT, listener.accept()).await.expect("it connects").unwrap().0)
}

fn quick(link: &str) -> Settings {
    Settings {
        probe_timeout: Duration::from_millis(50),
        ack_timeout: Duration::from_millis(20),
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(5),
        ..Settings::new("LED", link.parse().unwrap())
    }
}

async fn tcp() -> (TcpListener, Settings) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("tcp:{}", listener.local_addr().unwrap());
    (listener, quick(&link))
}

fn is_applied(report: &Report) -> bool {
    matches!(report, Report::Applied { .. })
}

#[tokio::test]
async fn a_device_obeys_answers_and_is_believed() {
    let (listener, settings) = tcp().await;
    let mut rig = Rig::start(settings);
    rig.want(On, 42);
    let mut device = accept(&listener).await;
    assert_eq!(device.line().await, "?\n");
    device.say("= c 0 TEMP_LED 1.0.0\n").await;
    assert_eq!(device.line().await, "h 42\n");
    device.say("h 42\n").await;
    let Report::Identified { version } =
        rig.until(|r| matches!(r, Report::Identified { .. })).await
    else {
        unreachable!()
    };
    let (name, firmware) = ("TEMP_LED".into(), "1.0.0".into());
    assert_eq!(version, Version::Second { name, firmware });
    let sent = rig.until(|report| matches!(report, Report::Sent { .. })).await;
    assert_eq!(sent, Report::Sent { led: On, number: 42, at: NOW });
    let applied = rig.until(is_applied).await;
    assert_eq!(applied, Report::Applied { led: On, number: 42, at: NOW });
    rig.want(Off, 43);
    assert_eq!(device.line().await, "c 43\n");
    rig.end().await;
    assert_eq!(device.rest().await, "");
}

#[tokio::test]
async fn a_silent_device_is_an_original_one_and_never_believed() {
    let (listener, settings) = tcp().await;
    let mut rig = Rig::start(settings);
    rig.want(On, 1);
    let mut device = accept(&listener).await;
    assert_eq!(device.bytes(3).await, "?\nh");
    rig.until(|r| *r == Report::Identified { version: Version::Original }).await;
    rig.want(Off, 2);
    assert_eq!(device.bytes(1).await, "c");
    rig.until(|r| *r == Report::Sent { led: Off, number: 2, at: NOW }).await;
    assert!(!rig.end().await.iter().any(is_applied));
}

#[tokio::test]
async fn an_answer_that_comes_late_makes_it_a_second_one() {
    let (listener, settings) = tcp().await;
    let mut rig = Rig::start(settings);
    rig.want(On, 5);
    let mut device = accept(&listener).await;
    assert_eq!(device.bytes(3).await, "?\nh");
    device.say("= h 0 LATE 2.0\n").await;
    assert_eq!(device.line().await, "h 5\n");
    device.say("h 5\n").await;
    rig.until(is_applied).await;
    rig.end().await;
}

#[tokio::test]
async fn a_wrong_number_is_never_taken_for_ours() {
    let (listener, settings) = tcp().await;
    let mut rig = Rig::start(settings);
    rig.want(On, 5);
    let mut device = accept(&listener).await;
    assert_eq!(device.line().await, "?\n");
    device.say("= c 0 WRONG 1\n").await;
    for number in [4, 3, 2, 1] {
        // The same number again until the device says it right.
        while device.line().await != "h 5\n" {}
        device.say(&format!("h {number}\n")).await;
        rig.until(|r| *r == Report::State { led: On, number }).await;
    }
    device.say("h 6\n").await;
    rig.until(|r| *r == Report::Ahead { led: On, number: 6 }).await;
    assert!(!rig.end().await.iter().any(is_applied));
}

#[tokio::test]
async fn a_device_that_falls_silent_is_left_and_found_again() {
    let (listener, mut settings) = tcp().await;
    settings.keep_alive = Duration::from_millis(20);
    settings.answer_timeout = Duration::from_millis(100);
    let link = settings.link.to_string();
    let mut rig = Rig::start(settings);
    rig.want(On, 1);
    let mut device = accept(&listener).await;
    assert_eq!(device.line().await, "?\n");
    device.say("= h 1 MUTE 1\n").await;
    // The socket stays open and takes everything: half open, as after a power cut.
    assert_eq!(rig.link(LinkState::Broken).await, format!("{link}: no answer for 100ms"));
    let mut again = accept(&listener).await;
    // It has answered before, so it is not asked first whether it can.
    assert_eq!(again.line().await, "h 1\n");
    again.say("= c 1 MUTE 1\n").await;
    rig.until(|r| *r == Report::Ahead { led: Off, number: 1 }).await;
    rig.want(On, 2);
    while again.line().await != "h 2\n" {}
    rig.end().await;
}

#[tokio::test]
async fn a_device_that_has_answered_before_and_is_silent_now_is_broken_and_no_original_one() {
    let (listener, mut settings) = tcp().await;
    settings.answer_timeout = Duration::from_millis(100);
    let mut rig = Rig::start(settings);
    rig.want(On, 1);
    let mut device = accept(&listener).await;
    assert_eq!(device.line().await, "?\n");
    // Connected is not up: up is a device that answers.
    rig.link(LinkState::Connecting).await;
    device.say("= h 1 MUTE 1\n").await;
    rig.until(is_applied).await;
    drop(device);
    rig.link(LinkState::Broken).await;
    // The socket takes everything, and nobody is behind it.
    let silent = accept(&listener).await;
    let mut met = Vec::new();
    let broken = rig
        .until(|report| match report {
            Report::Link { state, .. } => {
                met.push(*state);
                *state == LinkState::Broken
            }
            Report::Identified { .. } => panic!("{report:?}"),
            _ => false,
        })
        .await;
    assert_eq!(met, [LinkState::Connecting, LinkState::Broken]);
    let Report::Link { reason, .. } = broken else { unreachable!() };
    assert!(reason.ends_with("no answer for 100ms"), "{reason}");
    drop(silent);
    let mut again = accept(&listener).await;
    again.say("= h 1 MUTE 1\n").await;
    rig.link(LinkState::Up).await;
    rig.end().await;
}

#[tokio::test]
async fn the_reason_for_no_connection_is_for_people() {
    let (listener, settings) = tcp().await;
    let link = settings.link.to_string();
    drop(listener);
    let mut rig = Rig::start(settings);
    rig.link(LinkState::Connecting).await;
    let reason = rig.link(LinkState::Away).await;
    let expected = "connection refused; is the device listening on this port?";
    assert_eq!(reason, format!("{link}: {expected}"));
    let rest = rig.end().await;
    let stopped = Report::Link { state: LinkState::Away, reason: "stopped".into() };
    assert_eq!(rest.last(), Some(&stopped));
}

#[tokio::test]
async fn a_stop_before_anything_was_wanted_ends_it() {
    let (listener, settings) = tcp().await;
    let mut rig = Rig::start(settings);
    let mut device = accept(&listener).await;
    assert_eq!(device.line().await, "?\n");
    rig.link(LinkState::Up).await;
    rig.end().await;
    assert_eq!(device.rest().await, "");
}

#[tokio::test]
async fn a_device_that_sends_nonsense_is_still_driven() {
    let (listener, settings) = tcp().await;
    let mut rig = Rig::start(settings);
    rig.want(On, 1);
    let mut device = accept(&listener).await;
    device.0.write_all(&[0xFF; 100_000]).await.unwrap();
    device.say("\n\u{1b}]0;owned\u{7}\n= c 0 \u{1b}[31mRED 1\n").await;
    rig.until(|r| matches!(r, Report::Noise { lines } if *lines > 0)).await;
    let name = "?[31mRED".into();
    let version = Version::Second { name, firmware: "1".into() };
    rig.until(|r| *r == Report::Identified { version: version.clone() }).await;
    while !device.line().await.ends_with("h 1\n") {}
    rig.end().await;
}

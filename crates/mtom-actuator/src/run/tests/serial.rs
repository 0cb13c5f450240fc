//! Serial ports that come and go: pseudo terminals behind a link in a folder, as udev does it.

use super::{LIMIT, Peer, Rig, quick};
use crate::report::{LinkState, Report, Version};
use crate::settings::{Protocol, Settings};
use mtom_protocol::link::Led::{Off, On};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tokio_serial::{SerialPort, SerialStream};

/// A folder with a place for one port.
struct Socket {
    path: PathBuf,
    _folder: TempDir,
}

impl Socket {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("rfcomm0"), _folder: folder }
    }

    fn settings(&self, protocol: Protocol) -> Settings {
        Settings { protocol, ..quick(&format!("serial:{}", self.path.display())) }
    }

    /// Plugs in a new port: the device's end, and another handle of the gateway's end.
    fn plug(&self) -> (Peer<SerialStream>, SerialStream) {
        let (device, port) = SerialStream::pair().unwrap();
        // In one step, as a rename: the link never sees a half made one.
        let fresh = self.path.with_extension("new");
        symlink(port.name().unwrap(), &fresh).unwrap();
        std::fs::rename(fresh, &self.path).unwrap();
        (Peer(device), port)
    }

    fn unplug(&self) {
        std::fs::remove_file(&self.path).unwrap();
    }
}

/// Writes until the port takes nothing more.
fn fill(port: &mut SerialStream) {
    loop {
        match port.try_write(&[b'x'; 512]) {
            Ok(_) => {}
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => return,
            Err(cause) => panic!("{cause}"),
        }
    }
}

/// Wants one number after the other until one hangs in the write, and says which.
async fn until_one_hangs(rig: &mut Rig, port: &mut SerialStream, first: u64) -> u64 {
    for number in first.. {
        // The system moves what was written from buffer to buffer, so there may be room again.
        fill(port);
        rig.want(if number % 2 == 0 { Off } else { On }, number);
        let outcome = rig.until(|report| match report {
            Report::Sent { number: sent, .. } => *sent == number,
            Report::Link { state, .. } => *state == LinkState::Broken,
            _ => false,
        });
        if let Report::Link { reason, .. } = outcome.await {
            assert!(reason.ends_with("a write did not end within 100ms"), "{reason}");
            return number;
        }
    }
    unreachable!("numbers do not end")
}

#[tokio::test]
async fn a_device_on_a_serial_port_obeys_and_answers() {
    let socket = Socket::new();
    let (mut device, _port) = socket.plug();
    let mut rig = Rig::start(socket.settings(Protocol::Auto));
    rig.want(On, 1);
    assert_eq!(device.line().await, "?\n");
    device.say("= c 0 TEMP_LED 1.0.0\n").await;
    assert_eq!(device.line().await, "h 1\n");
    device.say("h 1\n").await;
    rig.until(|r| matches!(r, Report::Applied { led: On, number: 1, .. })).await;
    rig.end().await;
}

#[tokio::test]
async fn a_port_that_vanishes_in_a_write_comes_back_to_the_newest_state_only() {
    let socket = Socket::new();
    let (mut device, mut port) = socket.plug();
    let mut rig = Rig::start(socket.settings(Protocol::Original));
    rig.want(On, 1);
    assert_eq!(device.bytes(1).await, "h");
    rig.until(|r| matches!(r, Report::Sent { number: 1, .. })).await;
    fill(&mut port);
    rig.want(Off, 2);
    // The write hangs now. The cable is pulled.
    socket.unplug();
    drop((device, port));
    let reason = rig.link(LinkState::Broken).await;
    assert!(reason.starts_with("serial:"), "{reason}");
    let reason = rig.link(LinkState::Away).await;
    assert!(reason.ends_with("no such port; is the device paired and bound?"), "{reason}");
    rig.want(On, 3);
    rig.want(Off, 4);
    rig.want(On, 5);
    let (mut device, port) = socket.plug();
    assert_eq!(device.bytes(1).await, "h");
    rig.until(|r| matches!(r, Report::Sent { number: 5, .. })).await;
    rig.want(Off, 6);
    assert_eq!(device.bytes(1).await, "c");
    let rest = rig.end().await;
    assert!(!rest.iter().any(|r| matches!(r, Report::Sent { number, .. } if *number < 6)));
    // Nothing else is on the way.
    assert_eq!(port.bytes_to_write().unwrap(), 0);
    assert!(left(&mut device).await.is_empty());
}

/// What can still be read without waiting.
async fn left(device: &mut Peer<SerialStream>) -> Vec<u8> {
    let mut buffer = [0; 512];
    tokio::select! {
        biased;
        read = device.0.read(&mut buffer) => buffer[..read.unwrap_or(0)].to_vec(),
        () = tokio::task::yield_now() => Vec::new(),
    }
}

#[tokio::test]
async fn a_port_that_takes_nothing_is_opened_anew_and_what_waited_never_leaves() {
    let socket = Socket::new();
    let (mut device, mut port) = socket.plug();
    let mut settings = socket.settings(Protocol::Second);
    settings.write_timeout = Duration::from_millis(100);
    let mut rig = Rig::start(settings);
    rig.want(On, 1);
    assert_eq!(device.line().await, "h 1\n");
    let hung = until_one_hangs(&mut rig, &mut port, 2).await;
    let newest = hung + 1;
    rig.want(On, newest);
    // What left before it hung may still arrive; of what came then, only the newest.
    let mut line = String::new();
    while !line.ends_with(&format!("h {newest}\n")) {
        line = device.line().await;
        let stale = format!(" {hung}\n");
        assert!(!line.ends_with(&stale), "{line}");
    }
    rig.end().await;
}

#[tokio::test]
async fn an_answer_from_before_the_port_was_opened_is_none() {
    let socket = Socket::new();
    let (mut device, port) = socket.plug();
    device.say("= h 1 STALE 1\n").await;
    let arrived = async {
        while port.bytes_to_read().unwrap() < 14 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, arrived).await.expect("it arrives");
    let mut rig = Rig::start(socket.settings(Protocol::Auto));
    rig.want(On, 1);
    assert_eq!(device.bytes(3).await, "?\nh");
    let identified = rig.until(|r| matches!(r, Report::Identified { .. })).await;
    assert_eq!(identified, Report::Identified { version: Version::Original });
    rig.end().await;
}

#[tokio::test]
async fn twenty_times_unplugged_the_newest_state_is_first() {
    let socket = Socket::new();
    let mut rig = Rig::start(socket.settings(Protocol::Second));
    for number in 1..=20 {
        rig.link(LinkState::Away).await;
        rig.want(On, number * 10);
        rig.want(Off, number * 10 + 1);
        let (mut device, port) = socket.plug();
        assert_eq!(device.line().await, format!("c {}\n", number * 10 + 1));
        socket.unplug();
        drop((device, port));
        rig.link(LinkState::Broken).await;
    }
    rig.end().await;
}

#[tokio::test]
async fn what_is_no_serial_port_is_named() {
    let socket = Socket::new();
    std::fs::write(&socket.path, "no tty").unwrap();
    let mut rig = Rig::start(socket.settings(Protocol::Auto));
    let reason = rig.link(LinkState::Away).await;
    assert!(reason.contains("not usable as a serial port: "), "{reason}");
    rig.end().await;
}

#[tokio::test]
async fn a_port_that_is_in_use_is_named() {
    let socket = Socket::new();
    let (_device, _port) = socket.plug();
    let mut first = Rig::start(socket.settings(Protocol::Original));
    first.link(LinkState::Up).await;
    let mut second = Rig::start(socket.settings(Protocol::Original));
    let reason = second.link(LinkState::Away).await;
    assert!(reason.contains("in use by another program"), "{reason}");
    second.end().await;
    first.end().await;
}

//! `kill -9` under load, again and again: what was acknowledged is stored, each once.
//!
//! The same check runs against a planted bug, a proxy that acknowledges before the commit, and has
//! to catch it.

use crate::mtom::Mtom;
use crate::soon;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::PageQuery;
use mtom_store::journal::Journal;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How often it is killed: in CI, and in the long run.
fn kills() -> u32 {
    if std::env::var_os("MTOM_FAULTS_LONG").is_some() { 1_000 } else { 50 }
}

const DEVICES: usize = 16;
/// Acknowledgements of one life, so that each kill hits a busy process at another moment.
const ACKNOWLEDGED_MIN: u64 = 100;
/// So many moments there are: a prime, so that its multiples come in any order. More would only make the long
/// run longer.
const MOMENTS: u64 = 701;
/// The planted bug must show within so many kills.
const PLANTED_KILLS: u32 = 30;

/// One device: sends its readings one after the other, each until it is acknowledged.
pub(crate) struct Device {
    pub(crate) boot: String,
    pub(crate) seq: u64,
}

/// Keys that were acknowledged.
pub(crate) type Acknowledged = Arc<Mutex<Vec<(String, u64)>>>;

impl Device {
    /// Publishes until the connection breaks.
    pub(crate) async fn publish(
        &mut self,
        broker: SocketAddr,
        kept: &Acknowledged,
        count: &AtomicU64,
    ) {
        let Ok(mut socket) = TcpStream::connect(broker).await else { return };
        let _ = socket.set_nodelay(true);
        if self.session(&mut socket, kept, count).await.is_err() {
            // Killed: the reading without an acknowledgement is sent again in the next life.
        }
    }

    async fn session(
        &mut self,
        socket: &mut TcpStream,
        kept: &Acknowledged,
        count: &AtomicU64,
    ) -> std::io::Result<()> {
        let mut connect = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60];
        string(&mut connect, &self.boot);
        socket.write_all(&packet(0x10, &connect)).await?;
        let mut connack = [0; 4];
        socket.read_exact(&mut connack).await?;
        loop {
            let mut publish = Vec::new();
            string(&mut publish, "Environ/Temperature");
            let id = u16::try_from(self.seq % 65_535 + 1).unwrap();
            publish.extend(id.to_be_bytes());
            // Hot and cold in turn, so that a rule has something to decide.
            let celsius = if self.seq.is_multiple_of(2) { 21.5 } else { 31.5 };
            let reading =
                format!(r#"{{"temperature":{celsius},"boot":"{}","seq":{}}}"#, self.boot, self.seq);
            publish.extend(reading.bytes());
            socket.write_all(&packet(0x32, &publish)).await?;
            let mut puback = [0; 4];
            socket.read_exact(&mut puback).await?;
            assert_eq!(puback, [0x40, 2, id.to_be_bytes()[0], id.to_be_bytes()[1]]);
            kept.lock().unwrap().push((self.boot.clone(), self.seq));
            self.seq += 1;
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// One MQTT packet.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![kind];
    let mut rest = body.len();
    loop {
        let digit = u8::try_from(rest % 128).unwrap();
        rest /= 128;
        packet.push(if rest > 0 { digit | 0x80 } else { digit });
        if rest == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

fn string(packet: &mut Vec<u8>, text: &str) {
    packet.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    packet.extend(text.bytes());
}

/// Kills it under load; `through` gives the address that devices connect to.
async fn lives(
    dir: &Path,
    kills: u32,
    planted: bool,
    mut lost: impl FnMut(&Path, &[(String, u64)]) -> bool,
) -> bool {
    let kept = Acknowledged::default();
    let mut devices: Vec<_> =
        (0..DEVICES).map(|n| Device { boot: format!("device{n}"), seq: 0 }).collect();
    for life in 0..kills {
        let mut mtom = Mtom::serve("up", dir, &[]);
        let mut helpers = JoinSet::new();
        let broker = if planted {
            early_proxy(mtom.ready.mqtt, &mut helpers).await
        } else {
            mtom.ready.mqtt
        };
        let count = Arc::new(AtomicU64::new(0));
        let mut sending = JoinSet::new();
        for mut device in devices.drain(..) {
            let (kept, count) = (Arc::clone(&kept), Arc::clone(&count));
            sending.spawn(async move {
                device.publish(broker, &kept, &count).await;
                device
            });
        }
        // A different number each time: the kill comes at another moment of a batch.
        let enough = ACKNOWLEDGED_MIN + u64::from(life) * 7 % MOMENTS;
        soon("acknowledgements", async {
            while count.load(Ordering::SeqCst) < enough {
                tokio::task::yield_now().await;
            }
        })
        .await;
        mtom.kill();
        helpers.shutdown().await;
        while let Some(device) = sending.join_next().await {
            devices.push(device.unwrap());
        }
        let all = kept.lock().unwrap().clone();
        if (planted || life + 1 == kills) && lost(dir, &all) {
            return true;
        }
    }
    false
}

/// How often each key is in the history.
pub(crate) fn stored(dir: &Path) -> HashMap<(String, u64), u32> {
    let journal = Journal::open(&dir.join("mtom.db"), UnixMicros(0)).unwrap();
    let history = journal.history();
    let mut found = HashMap::new();
    let mut query = PageQuery { limit: 1_000, ..PageQuery::default() };
    loop {
        let page = history.page(&query).unwrap();
        for row in page.rows {
            let key = row.reading.key.unwrap();
            *found.entry((key.boot.into_string(), key.seq)).or_insert(0) += 1;
        }
        let Some(next) = page.next else { return found };
        query.after = Some(next);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_is_stored_once_whenever_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let lost = |dir: &Path, acknowledged: &[(String, u64)]| {
        let stored = stored(dir);
        assert!(stored.values().all(|count| *count == 1), "something is stored twice");
        let missing: Vec<_> =
            acknowledged.iter().filter(|key| !stored.contains_key(*key)).collect();
        assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
        assert!(acknowledged.len() as u64 >= u64::from(kills()) * ACKNOWLEDGED_MIN);
        eprintln!("faults: kills at random: {}, failures: 0", kills());
        false
    };
    lives(dir.path(), kills(), false, lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_acknowledgement_before_the_commit_is_caught() {
    let dir = tempfile::tempdir().unwrap();
    let lost = |dir: &Path, acknowledged: &[(String, u64)]| {
        let stored = stored(dir);
        acknowledged.iter().any(|key| !stored.contains_key(key))
    };
    assert!(
        lives(dir.path(), PLANTED_KILLS, true, lost).await,
        "nothing was lost although it was acknowledged too early: the check sees nothing"
    );
}

/// The planted bug: acknowledges what it has only passed on.
pub(crate) async fn early_proxy(broker: SocketAddr, tasks: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((device, _)) = listener.accept().await {
            connections.spawn(async move {
                // The end of either side ends the connection.
                let _ = relay_early(device, broker).await;
            });
        }
    });
    address
}

async fn relay_early(mut device: TcpStream, broker: SocketAddr) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(broker).await?;
    let (mut up_read, mut up_write) = upstream.split();
    let (mut read, mut write) = device.split();
    let connect = next_packet(&mut read).await?;
    up_write.write_all(&connect).await?;
    let connack = next_packet(&mut up_read).await?;
    write.write_all(&connack).await?;
    let forward = async {
        loop {
            let publish = next_packet(&mut read).await?;
            up_write.write_all(&publish).await?;
            // Two bytes of length, the topic, then the packet id; the bodies here are short.
            let topic = usize::from(publish[3]);
            write.write_all(&[0x40, 2, publish[4 + topic], publish[5 + topic]]).await?;
        }
    };
    let swallow = async {
        loop {
            next_packet(&mut up_read).await?;
        }
    };
    tokio::select! {
        ended = forward => ended,
        ended = swallow => ended,
    }
}

/// A whole packet of less than 128 bytes.
async fn next_packet(from: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![0; 2];
    from.read_exact(&mut packet).await?;
    assert!(packet[1] < 128, "longer than this proxy knows");
    let len = usize::from(packet[1]);
    packet.resize(2 + len, 0);
    from.read_exact(&mut packet[2..]).await?;
    Ok(packet)
}

//! The load generator: raw MQTT 3.1.1 over tokio, every packet made before the clock starts.

use anyhow::{Result, ensure};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Bytes of a PUBACK.
const PUBACK_LEN: usize = 4;

/// A connection that the server has accepted.
pub(crate) async fn connect(server: SocketAddr, id: &str) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(server).await?;
    socket.set_nodelay(true)?;
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60];
    string(&mut body, id);
    socket.write_all(&packet(0x10, &body)).await?;
    let mut connack = [0; 4];
    socket.read_exact(&mut connack).await?;
    ensure!(connack == [0x20, 2, 0, 0], "refused: {connack:?}");
    Ok(socket)
}

/// A QoS 1 PUBLISH.
pub(crate) fn publish(topic: &str, payload: &str, id: u16) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, topic);
    body.extend(id.to_be_bytes());
    body.extend(payload.bytes());
    packet(0x32, &body)
}

/// Publishers that keep so many messages each on their way.
pub(crate) struct Load {
    pub(crate) acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Result<()>>,
}

impl Load {
    /// Connects all of them, then lets them go.
    pub(crate) async fn start(
        server: SocketAddr,
        connections: usize,
        window: u16,
        topic: impl Fn(usize) -> String,
    ) -> Result<Self> {
        let (acknowledged, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let mut sockets = Vec::new();
        for n in 0..connections {
            sockets.push(connect(server, &format!("bench{n}")).await?);
        }
        let mut tasks = JoinSet::new();
        for (n, socket) in sockets.into_iter().enumerate() {
            // Packet ids come back in order, so a ring of `window` packets is enough.
            let ring: Vec<u8> =
                (1..=window).flat_map(|id| publish(&topic(n), "23.4 °C", id)).collect();
            tasks.spawn(push(socket, ring, window, Arc::clone(&acknowledged), Arc::clone(&stop)));
        }
        Ok(Self { acknowledged, stop, tasks })
    }

    /// Sends no more, waits for what is on its way, and says how much was acknowledged in all.
    pub(crate) async fn finish(mut self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(self.acknowledged.load(Ordering::Relaxed))
    }
}

async fn push(
    mut socket: TcpStream,
    ring: Vec<u8>,
    window: u16,
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> Result<()> {
    let window = usize::from(window);
    let len = ring.len() / window;
    // Twice, so that any run of packets is one slice.
    let ring = ring.repeat(2);
    socket.write_all(&ring[..len * window]).await?;
    let (mut next, mut on_way, mut partial) = (0, window, 0);
    let mut buffer = [0; 256];
    while on_way > 0 {
        let count = socket.read(&mut buffer).await?;
        ensure!(count > 0, "the server closed the connection");
        let whole = (partial + count) / PUBACK_LEN;
        partial = (partial + count) % PUBACK_LEN;
        on_way -= whole;
        acknowledged.fetch_add(whole as u64, Ordering::Relaxed);
        if !stop.load(Ordering::Relaxed) && whole > 0 {
            socket.write_all(&ring[next * len..(next + whole) * len]).await?;
            next = (next + whole) % window;
            on_way += whole;
        }
    }
    Ok(())
}

/// A QoS 1 subscriber to everything that counts and acknowledges.
pub(crate) async fn subscribe(
    server: SocketAddr,
    packet_len: usize,
    topic_len: usize,
    delivered: Arc<AtomicU64>,
) -> Result<impl Future<Output = Result<()>>> {
    let mut socket = connect(server, "subscriber").await?;
    let mut body = vec![0, 1];
    string(&mut body, "#");
    body.push(1);
    socket.write_all(&packet(0x82, &body)).await?;
    let mut suback = [0; 5];
    socket.read_exact(&mut suback).await?;
    Ok(async move {
        let mut buffer = vec![0; 256 * 1024];
        let mut filled = 0;
        let mut acks = Vec::new();
        loop {
            let count = socket.read(&mut buffer[filled..]).await?;
            ensure!(count > 0, "the broker closed the subscriber");
            filled += count;
            let whole = filled / packet_len;
            acks.clear();
            for at in 0..whole {
                let id = at * packet_len + 4 + topic_len;
                acks.extend([0x40, 2, buffer[id], buffer[id + 1]]);
            }
            socket.write_all(&acks).await?;
            buffer.copy_within(whole * packet_len..filled, 0);
            filled -= whole * packet_len;
            delivered.fetch_add(whole as u64, Ordering::Relaxed);
        }
    })
}

fn string(body: &mut Vec<u8>, text: &str) {
    let len = u16::try_from(text.len()).expect("the bench's own texts are short");
    body.extend(len.to_be_bytes());
    body.extend(text.bytes());
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u8::try_from(body.len()).expect("the bench's own packets are short");
    assert!(len < 128, "one byte of length is enough");
    let mut packet = vec![kind, len];
    packet.extend(body);
    packet
}

//! MQTT 3.1.1 as bytes: packets that are made once, and a walk over those that come.

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The payload of the original's sensor (`wire.md` §1.1).
pub(crate) const PAYLOAD: &str = "23.4 °C";
/// Its topic.
pub(crate) const TOPIC: &str = "Environ/Temperature";

/// Type of a packet: the upper half of its first byte.
pub(crate) const CONNECT: u8 = 1;
pub(crate) const PUBLISH: u8 = 3;
const CONNACK: u8 = 2;
/// A whole PINGREQ, and what answers it.
pub(crate) const PING: [u8; 2] = [0xc0, 0];
pub(crate) const PONG: [u8; 2] = [0xd0, 0];
const SUBACK: u8 = 9;

/// Connects to `address` as client `id`, without a session and without a keep-alive.
pub(crate) async fn connect(address: &str, id: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await.context("cannot connect to the broker")?;
    stream.set_nodelay(true)?;
    let mut body = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
    text(&mut body, id)?;
    stream.write_all(&packet(CONNECT << 4, &body)?).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.context("the broker closed instead of CONNACK")?;
    if answer != [CONNACK << 4, 2, 0, 0] {
        bail!("the broker refused the connection: {answer:02x?}");
    }
    Ok(stream)
}

/// Subscribes to `filter` with QoS 1.
pub(crate) async fn subscribe(stream: &mut TcpStream, filter: &str) -> Result<()> {
    let mut body = vec![0, 1];
    text(&mut body, filter)?;
    body.push(1);
    stream.write_all(&packet(0x82, &body)?).await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    if answer != [SUBACK << 4, 3, 0, 1, 1] {
        bail!("the broker refused the subscription: {answer:02x?}");
    }
    Ok(())
}

/// A PUBLISH: QoS 1 with an `id`, QoS 0 without.
pub(crate) fn publish(topic: &str, payload: &str, id: Option<u16>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    text(&mut body, topic)?;
    let qos = id.map_or(0, |id| {
        body.extend(id.to_be_bytes());
        2
    });
    body.extend(payload.as_bytes());
    packet(PUBLISH << 4 | qos, &body)
}

/// The PUBACK for `id`.
pub(crate) const fn puback(id: [u8; 2]) -> [u8; 4] {
    [0x40, 2, id[0], id[1]]
}

/// The id of a QoS 1 PUBLISH with this body.
pub(crate) fn publish_id(body: &[u8]) -> Option<[u8; 2]> {
    let topic_len = usize::from(u16::from_be_bytes(body.first_chunk().copied()?));
    body.get(2 + topic_len..)?.first_chunk().copied()
}

/// Shows each whole packet in `bytes` to `see` as first byte and body; how many bytes they are.
pub(crate) fn walk(bytes: &[u8], mut see: impl FnMut(u8, &[u8]) -> Result<()>) -> Result<usize> {
    let mut done = 0;
    while let Some((&first, rest)) = bytes.get(done..).and_then(<[u8]>::split_first) {
        let Some((head_len, body_len)) = remaining_len(rest)? else { break };
        let Some(body) = rest.get(head_len..head_len + body_len) else { break };
        see(first, body)?;
        done += 1 + head_len + body_len;
    }
    Ok(done)
}

/// Reads the remaining length: its own bytes and its value. `None`: there is more to come.
fn remaining_len(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((at + 1, value)));
        }
    }
    if bytes.len() >= 4 {
        bail!("a remaining length of more than four bytes");
    }
    Ok(None)
}

fn packet(first: u8, body: &[u8]) -> Result<Vec<u8>> {
    let len = u8::try_from(body.len()).ok().filter(|len| *len < 0x80);
    let len = len.context("the benchmark's own packets are short")?;
    Ok([&[first, len], body].concat())
}

fn text(body: &mut Vec<u8>, text: &str) -> Result<()> {
    body.extend(u16::try_from(text.len())?.to_be_bytes());
    body.extend(text.as_bytes());
    Ok(())
}

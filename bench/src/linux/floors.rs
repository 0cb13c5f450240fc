//! What the same work costs without mtom: an acknowledger of everything, two bare hops, a bare fan, bare links.

use super::{mqtt, role};
use anyhow::{Context, Result, bail};
use std::pin::pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_serial::SerialPortBuilderExt;

const BUFFER_LEN: usize = 4096;
/// What the live port sends for one reading (`wire.md` §1.2), as a WebSocket frame.
pub(crate) const FRAME_TEXT: &str =
    r#"{"state":"OK","type":"new_data","response":{"time":"2026-11-23 08:06:30","temp":23.4}}"#;
/// Frames of one write to one viewer, as many as fit into the 8 KiB of the live port.
const FRAMES_MAX: usize = 93;

/// Acknowledges every CONNECT and every PUBLISH, and does nothing else. Says its address.
pub(crate) async fn acker() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let mut clients = JoinSet::new();
    let mut dismissed = pin!(role::dismissed());
    loop {
        tokio::select! {
            accepted = listener.accept() => drop(clients.spawn(acknowledge(accepted?.0))),
            () = &mut dismissed => return Ok(()),
        }
    }
}

async fn acknowledge(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut input = [0; BUFFER_LEN];
    let mut input_len = 0;
    let mut answer = Vec::new();
    loop {
        let len = stream.read(&mut input[input_len..]).await?;
        if len == 0 {
            return Ok(());
        }
        input_len += len;
        let done = mqtt::walk(&input[..input_len], |first, body| {
            match first >> 4 {
                mqtt::CONNECT => answer.extend([0x20, 2, 0, 0]),
                mqtt::PUBLISH => {
                    answer.extend(mqtt::puback(mqtt::publish_id(body).context("no packet id")?));
                }
                other => bail!("no packet of type {other} was expected"),
            }
            Ok(())
        })?;
        input.copy_within(done..input_len, 0);
        input_len -= done;
        stream.write_all(&answer).await?;
        answer.clear();
    }
}

/// Passes what comes in at the first port over TCP to a second task, which passes it over TCP to
/// who is connected to the second port. Says both addresses.
pub(crate) async fn hops() -> Result<()> {
    let entrance = TcpListener::bind("127.0.0.1:0").await?;
    let middle = TcpListener::bind("127.0.0.1:0").await?;
    let exit = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {}", entrance.local_addr()?, exit.local_addr()?);
    let (from, _) = entrance.accept().await?;
    let (to, _) = exit.accept().await?;
    let onward = TcpStream::connect(middle.local_addr()?).await?;
    let (arrived, _) = middle.accept().await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(hop(from, onward));
    tasks.spawn(hop(arrived, to));
    role::dismissed().await;
    Ok(())
}

async fn hop(mut from: TcpStream, mut to: TcpStream) -> Result<()> {
    to.set_nodelay(true)?;
    let mut bytes = [0; BUFFER_LEN];
    loop {
        let len = from.read(&mut bytes).await?;
        if len == 0 {
            return Ok(());
        }
        to.write_all(&bytes[..len]).await?;
    }
}

/// Says every byte back, on the serial port at `path` and over TCP. Says the address.
pub(crate) async fn echo(path: &str) -> Result<()> {
    let serial = tokio_serial::new(path, 115_200).open_native_async()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let (tcp, _) = listener.accept().await?;
    tcp.set_nodelay(true)?;
    let mut tasks = JoinSet::new();
    tasks.spawn(say_back(serial));
    tasks.spawn(say_back(tcp));
    role::dismissed().await;
    Ok(())
}

async fn say_back(mut link: impl AsyncRead + AsyncWrite + Unpin) -> Result<()> {
    loop {
        let byte = link.read_u8().await?;
        link.write_u8(byte).await?;
    }
}

/// Writes one frame for each PUBLISH that comes in at the second port to everybody who is connected
/// to the first, a task for each. Says both addresses.
///
/// It is as cheap as it can be: all frames are the same bytes, so there is no queue, no copy and no
/// lock, and what a viewer is behind is one slice and one write.
pub(crate) async fn fan() -> Result<()> {
    let viewers = TcpListener::bind("127.0.0.1:0").await?;
    let publishers = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {}", viewers.local_addr()?, publishers.local_addr()?);
    let len = u8::try_from(FRAME_TEXT.len())?;
    let frame = [&[0x81, len], FRAME_TEXT.as_bytes()].concat();
    let frames: Arc<[u8]> = frame.repeat(FRAMES_MAX).into();
    let (published, _) = watch::channel(0);
    let published = Arc::new(published);
    let mut tasks = JoinSet::new();
    let mut dismissed = pin!(role::dismissed());
    loop {
        tokio::select! {
            accepted = viewers.accept() => {
                let (stream, _) = accepted?;
                tasks.spawn(show(stream, frames.clone(), frame.len(), published.subscribe()));
            }
            accepted = publishers.accept() => {
                tasks.spawn(count(accepted?.0, published.clone()));
            }
            () = &mut dismissed => return Ok(()),
        }
    }
}

async fn show(
    mut stream: TcpStream,
    frames: Arc<[u8]>,
    frame_len: usize,
    mut published: watch::Receiver<usize>,
) -> Result<()> {
    stream.set_nodelay(true)?;
    // Who was accepted after the first PUBLISH is owed it too.
    let mut shown = 0;
    loop {
        let now = *published.borrow_and_update();
        while shown < now {
            let count = (now - shown).min(FRAMES_MAX);
            stream.write_all(&frames[..count * frame_len]).await?;
            shown += count;
        }
        published.changed().await?;
    }
}

async fn count(mut stream: TcpStream, published: Arc<watch::Sender<usize>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut input = [0; BUFFER_LEN];
    let mut input_len = 0;
    loop {
        let len = stream.read(&mut input[input_len..]).await?;
        if len == 0 {
            return Ok(());
        }
        input_len += len;
        let (mut came, mut answers) = (0, Vec::new());
        let done = mqtt::walk(&input[..input_len], |first, _| {
            match first == mqtt::PING[0] {
                true => answers.extend(mqtt::PONG),
                false => came += 1,
            }
            Ok(())
        })?;
        input.copy_within(done..input_len, 0);
        input_len -= done;
        stream.write_all(&answers).await?;
        published.send_modify(|published| *published += came);
    }
}

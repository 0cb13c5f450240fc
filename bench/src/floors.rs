//! The floors: what the same machine does without mtom's work, each as a process of its own.

use anyhow::{Result, bail};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinSet;

/// Serves one of them until it is killed; prints where it listens.
pub(crate) async fn serve(name: &str) -> Result<()> {
    match name {
        "acker" => acker().await,
        "echo" => echo().await,
        "raw" => raw().await,
        _ => bail!("unknown floor {name}"),
    }
}

async fn listen() -> Result<TcpListener> {
    Ok(TcpListener::bind("127.0.0.1:0").await?)
}

/// Acknowledges every PUBLISH and does nothing else: what the generator could do at most.
async fn acker() -> Result<()> {
    let listener = listen().await?;
    println!("{}", listener.local_addr()?);
    let mut tasks = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tasks.spawn(async move {
            // The end of the client is the end of its task.
            let _ = acknowledge(socket).await;
        });
    }
}

async fn acknowledge(mut socket: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut filled, mut answers) = (0, Vec::new());
    loop {
        let count = socket.read(&mut buffer[filled..]).await?;
        if count == 0 {
            return Ok(());
        }
        filled += count;
        let mut at = 0;
        answers.clear();
        while filled - at >= 2 && filled - at >= 2 + usize::from(buffer[at + 1]) {
            if buffer[at] == 0x10 {
                answers.extend([0x20, 2, 0, 0]);
            } else {
                let topic = usize::from(u16::from_be_bytes([buffer[at + 2], buffer[at + 3]]));
                let id = at + 4 + topic;
                answers.extend([0x40, 2, buffer[id], buffer[id + 1]]);
            }
            at += 2 + usize::from(buffer[at + 1]);
        }
        socket.write_all(&answers).await?;
        buffer.copy_within(at..filled, 0);
        filled -= at;
    }
}

/// In at the first address, over one more TCP connection, out at the second.
async fn echo() -> Result<()> {
    let (first, middle, last) = (listen().await?, listen().await?, listen().await?);
    println!("{} {}", first.local_addr()?, last.local_addr()?);
    let (client, _) = first.accept().await?;
    let (mut receiver, _) = last.accept().await?;
    let mut out = TcpStream::connect(middle.local_addr()?).await?;
    let (mut hop, _) = middle.accept().await?;
    for socket in [&client, &receiver, &out, &hop] {
        socket.set_nodelay(true)?;
    }
    let mut client = client;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { tokio::io::copy(&mut client, &mut out).await });
    tasks.spawn(async move { tokio::io::copy(&mut hop, &mut receiver).await });
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// A frame to every viewer for each byte of the control connection: one task and one write each.
async fn raw() -> Result<()> {
    let (control, viewers) = (listen().await?, listen().await?);
    println!("{} {}", control.local_addr()?, viewers.local_addr()?);
    let (frames, _) = broadcast::channel::<Arc<[u8]>>(1 << 16);
    let (mut control, _) = control.accept().await?;
    let mut tasks = JoinSet::new();
    let mut orders = [0; 256];
    loop {
        tokio::select! {
            accepted = viewers.accept() => {
                let (mut viewer, _) = accepted?;
                viewer.set_nodelay(true)?;
                let mut frames = frames.subscribe();
                tasks.spawn(async move {
                    while let Ok(frame) = frames.recv().await {
                        if viewer.write_all(&frame).await.is_err() {
                            return;
                        }
                    }
                });
            }
            count = control.read(&mut orders) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                for len in &orders[..count] {
                    // Nobody there yet is nobody to write to.
                    let _ = frames.send(vec![b'x'; usize::from(*len)].into());
                }
            }
        }
    }
}

//! A network between drain and server that fails at the worst moments.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// COM_QUERY with this text, at the end of a packet.
const COMMIT: &[u8] = b"\x03COMMIT";

/// Passes bytes until it is told to fail.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    pub(crate) faults: Arc<Faults>,
    held: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

/// What is still to go wrong.
#[derive(Default)]
pub(crate) struct Faults {
    /// So many COMMITs reach the server, which answers; the connection is cut before the answer arrives.
    pub(crate) replies_to_lose: AtomicU32,
    /// Before so many COMMITs are passed on `cut` is run; the connection stays, and is silent.
    pub(crate) commits_to_cut: AtomicU32,
    pub(crate) cut: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// So many COMMITs never reach the server; the connection is cut instead.
    pub(crate) commits_to_lose: AtomicU32,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let faults = Arc::new(Faults::default());
        let (held, is_held) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, server, Arc::clone(&faults), is_held));
        Self { port, faults, held, _tasks: tasks }
    }

    /// Whether bytes wait instead of passing: a partition.
    pub(crate) fn hold(&self, is_held: bool) {
        self.held.send_replace(is_held);
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    faults: Arc<Faults>,
    is_held: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (faults, is_held) = (Arc::clone(&faults), is_held.clone());
        connections.spawn(async move {
            if let Ok(server) = TcpStream::connect(server).await {
                // Whatever ends it, both sides see their connection end.
                let _ = pass(client, server, &faults, is_held).await;
            }
        });
    }
}

async fn pass(
    mut client: TcpStream,
    mut server: TcpStream,
    faults: &Faults,
    mut is_held: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            len = client.read(&mut up) => {
                let len = len?;
                let _ = is_held.wait_for(|is_held| !is_held).await;
                let is_commit = up[..len].ends_with(COMMIT);
                if len == 0 || (is_commit && is_due(&faults.commits_to_lose)) {
                    return Ok(());
                }
                if is_commit
                    && let Some(cut) = faults.cut.get()
                    && is_due(&faults.commits_to_cut)
                {
                    cut();
                }
                server.write_all(&up[..len]).await?;
                if is_commit && is_due(&faults.replies_to_lose) {
                    // It has answered, so it has done it.
                    return server.read(&mut down).await.map(drop);
                }
            }
            len = server.read(&mut down) => {
                let len = len?;
                let _ = is_held.wait_for(|is_held| !is_held).await;
                if len == 0 {
                    return Ok(());
                }
                client.write_all(&down[..len]).await?;
            }
        }
    }
}

fn is_due(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

//! Lines of readings over `/live`: one text message each.
//!
//! Who is silent is asked whether it is there (ping), and is gone when it has not answered for [`GONE`](super::GONE).

use super::PING_PERIOD;
use super::socket::{Fault, Socket};
use crate::server::Tallies;
use axum::body::Bytes;
use mtom_gateway::lines::{End, Wire};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// How long a goodbye may take to go out and be answered.
const FAREWELL: Duration = Duration::from_secs(1);

/// The socket of one who asked for readings.
pub(super) struct LiveWire<'a> {
    // `None`: it has said goodbye, or what cannot be read.
    socket: Option<Socket>,
    ping_at: Instant,
    tallies: &'a Tallies,
}

impl<'a> LiveWire<'a> {
    pub(super) fn new(socket: Socket, tallies: &'a Tallies) -> Self {
        Self { socket: Some(socket), ping_at: Instant::now() + PING_PERIOD, tallies }
    }

    /// Says the goodbye that it calls for.
    async fn end(&mut self, fault: Fault) -> End {
        let why = match fault {
            Fault::Gone => return End::Gone,
            Fault::Silent => {
                self.tallies.viewer_gone();
                return End::Gone;
            }
            Fault::Stalled => return End::Stalled,
            Fault::Closed => None,
            Fault::Broken(code, reason) => Some((code, reason)),
        };
        if let Some(socket) = self.socket.take() {
            let _ = timeout(FAREWELL, socket.farewell(why, FAREWELL)).await;
        }
        End::Gone
    }
}

impl Wire for LiveWire<'_> {
    async fn line(&mut self) -> Result<Vec<u8>, End> {
        loop {
            let Some(socket) = &mut self.socket else { return Err(End::Gone) };
            let (gone_at, ping_at) = (socket.gone_at(), self.ping_at);
            tokio::select! {
                // What came while something was written proves that it is there, however late it is read.
                biased;
                heard = socket.recv() => {
                    self.ping_at = Instant::now() + PING_PERIOD;
                    match heard {
                        Ok(Message::Text(text)) if !text.is_empty() => {
                            return Ok(text.as_bytes().to_vec());
                        }
                        Ok(Message::Binary(bytes)) => return Ok(bytes.to_vec()),
                        Ok(Message::Close(_)) => return Err(self.end(Fault::Closed).await),
                        Ok(_) => {}
                        Err(fault) => return Err(self.end(fault).await),
                    }
                }
                () = sleep_until(gone_at) => return Err(self.end(Fault::Silent).await),
                () = sleep_until(ping_at) => {
                    self.ping_at = Instant::now() + PING_PERIOD;
                    let ping = Message::Ping(Bytes::new());
                    if let Err(fault) = socket.send(ping, super::GONE).await {
                        return Err(self.end(fault).await);
                    }
                }
            }
        }
    }

    async fn write(&mut self, lines: &[u8], stall: Duration) -> Result<(), End> {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Some(socket) = &mut self.socket else { return Err(End::Gone) };
            // What we say is JSON.
            let text = Utf8Bytes::from(String::from_utf8_lossy(line).into_owned());
            if let Err(fault) = socket.send(Message::Text(text), stall).await {
                return Err(self.end(fault).await);
            }
        }
        Ok(())
    }

    async fn close(mut self) {
        if let Some(socket) = self.socket.take() {
            let why = (CloseCode::Normal, "");
            socket.farewell(Some(why), FAREWELL).await;
        }
    }

    /// Dropping it cuts the connection; what the system still keeps of it is bounded by its buffer.
    fn abort(&mut self) {}

    fn closed_slow(&self) {
        self.tallies.viewers.closed_slow();
    }
}

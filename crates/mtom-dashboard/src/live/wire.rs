//! Lines of readings over `/live`: one text frame each.
//!
//! Who is silent is asked whether it is there (ping), and is gone when it has not answered for [`GONE`].

use super::{GONE, PING_TICKS, TICK};
use axum::body::Bytes;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use mtom_gateway::lines::{End, Wire};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

const PING_PERIOD: Duration = TICK.saturating_mul(PING_TICKS);
/// How long the answer to a goodbye may take to go out.
const FAREWELL: Duration = Duration::from_secs(1);

/// The socket of one who asked for readings.
pub(super) struct LiveWire {
    socket: WebSocket,
    heard_at: Instant,
    ping_at: Instant,
}

impl LiveWire {
    pub(super) fn new(socket: WebSocket) -> Self {
        let now = Instant::now();
        Self { socket, heard_at: now, ping_at: now + PING_PERIOD }
    }

    fn heard(&mut self) {
        self.heard_at = Instant::now();
        self.ping_at = self.heard_at + PING_PERIOD;
    }
}

impl Wire for LiveWire {
    async fn line(&mut self) -> Result<Vec<u8>, End> {
        loop {
            let (gone_at, ping_at) = (self.heard_at + GONE, self.ping_at);
            tokio::select! {
                // What came while something was written proves that it is there, however late it is read.
                biased;
                heard = self.socket.recv() => {
                    self.heard();
                    match heard {
                        Some(Ok(Message::Text(text))) if !text.is_empty() => {
                            return Ok(text.as_bytes().to_vec());
                        }
                        Some(Ok(Message::Binary(bytes))) => return Ok(bytes.to_vec()),
                        Some(Ok(Message::Text(_) | Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_))) => {
                            // The library answers while it is read from.
                            let _ = timeout(FAREWELL, self.socket.recv()).await;
                            return Err(End::Gone);
                        }
                        Some(Err(_)) | None => return Err(End::Gone),
                    }
                }
                () = sleep_until(gone_at) => return Err(End::Gone),
                () = sleep_until(ping_at) => {
                    self.ping_at = Instant::now() + PING_PERIOD;
                    let ping = Message::Ping(Bytes::new());
                    match timeout_at(gone_at, self.socket.send(ping)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) | Err(_) => return Err(End::Gone),
                    }
                }
            }
        }
    }

    async fn write(&mut self, lines: &[u8], stall: Duration) -> Result<(), End> {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            // What we say is JSON.
            let text = Utf8Bytes::from(String::from_utf8_lossy(line).into_owned());
            match timeout(stall, self.socket.send(Message::Text(text))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(End::Gone),
                Err(_) => return Err(End::Stalled),
            }
        }
        Ok(())
    }

    async fn close(mut self) {
        if self.socket.send(Message::Close(None)).await.is_ok() {
            while self.socket.recv().await.is_some_and(|heard| heard.is_ok()) {}
        }
    }

    /// Dropping it cuts the connection; what the system still keeps of it is bounded by its buffer.
    fn abort(&mut self) {}
}

//! Lines of readings over `/live`: one text frame each.

use super::{PING_TICKS, TICK};
use axum::body::Bytes;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use mtom_gateway::lines::{End, Wire};
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

/// The socket of one who asked for readings.
pub(super) struct LiveWire {
    socket: WebSocket,
    heard_at: Instant,
    ping: Interval,
}

impl LiveWire {
    pub(super) fn new(socket: WebSocket) -> Self {
        let period = TICK * PING_TICKS;
        let mut ping = interval_at(Instant::now() + period, period);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { socket, heard_at: Instant::now(), ping }
    }
}

impl Wire for LiveWire {
    async fn line(&mut self) -> Result<Vec<u8>, End> {
        loop {
            tokio::select! {
                heard = self.socket.recv() => {
                    self.heard_at = Instant::now();
                    match heard {
                        Some(Ok(Message::Text(text))) if !text.is_empty() => {
                            return Ok(text.as_bytes().to_vec());
                        }
                        Some(Ok(Message::Binary(bytes))) => return Ok(bytes.to_vec()),
                        Some(Ok(Message::Text(_) | Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
                    }
                }
                _ = self.ping.tick() => {
                    if self.heard_at.elapsed() > self.ping.period() * 3 {
                        return Err(End::Gone);
                    }
                    let ping = Message::Ping(Bytes::new());
                    self.socket.send(ping).await.map_err(|_| End::Gone)?;
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

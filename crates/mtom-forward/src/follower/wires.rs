//! Lines over what a gateway can be reached by.

use super::udp::UdpWire;
use crate::follow::{End, Wire};
use crate::tcp::TcpWire;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// Far above what a gateway sends: the first message is for pages, and has every series.
const MESSAGE_LEN_MAX: usize = 16 * 1024 * 1024;

/// A connection that is open.
pub(super) enum Connected {
    Tcp(TcpWire),
    Live(Box<LiveWire>),
    Udp(Box<UdpWire>),
}

/// `/live` of the page's port. What it says before it is asked for readings is for pages and is passed over.
pub(super) struct LiveWire {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// It has said what it wants, and the first line of the answer has come.
    is_answered: bool,
}

impl LiveWire {
    /// # Errors
    /// Why not, in words.
    pub(super) async fn connect(url: &str) -> Result<Self, String> {
        let config = WebSocketConfig::default()
            .read_buffer_size(16 * 1024)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_LEN_MAX))
            .max_frame_size(Some(MESSAGE_LEN_MAX));
        match connect_async_with_config(url, Some(config), true).await {
            Ok((socket, _)) => Ok(Self { socket, is_answered: false }),
            Err(Error::Http(response)) => {
                let said = response.body().as_deref().unwrap_or_default();
                let said = String::from_utf8_lossy(said).trim().to_owned();
                Err(format!("refused with {}: {said}", response.status().as_u16()))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// What is said to pages has a type.
    fn is_line(text: &str) -> bool {
        #[derive(Deserialize)]
        struct Frame {
            r#type: Option<IgnoredAny>,
        }
        serde_json::from_str::<Frame>(text).is_ok_and(|frame| frame.r#type.is_none())
    }
}

impl Wire for LiveWire {
    async fn line(&mut self) -> Result<Vec<u8>, End> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    self.is_answered = self.is_answered || Self::is_line(&text);
                    if self.is_answered {
                        return Ok(text.as_bytes().to_vec());
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => return Ok(b"a binary frame".to_vec()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
            }
        }
    }

    async fn write(&mut self, lines: &[u8], stall: Duration) -> Result<(), End> {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let text = String::from_utf8_lossy(line).into_owned();
            match timeout(stall, self.socket.send(Message::text(text))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(End::Gone),
                Err(_) => return Err(End::Stalled),
            }
        }
        Ok(())
    }

    async fn close(mut self) {
        if SinkExt::close(&mut self.socket).await.is_ok() {
            while self.socket.next().await.is_some_and(|message| message.is_ok()) {}
        }
    }

    fn abort(&mut self) {
        if let MaybeTlsStream::Plain(tcp) = self.socket.get_mut() {
            let _ = tcp.set_zero_linger();
        }
    }
}

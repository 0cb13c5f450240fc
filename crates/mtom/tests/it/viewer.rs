//! A WebSocket client that sees frames as they are.

use crate::soon;
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// One connection.
pub(crate) struct Viewer(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Viewer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let (socket, _) =
            soon("a connection", connect_async(format!("ws://{address}/"))).await.unwrap();
        Self(socket)
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn say_binary(&mut self, bytes: Vec<u8>) {
        self.0.send(Message::binary(bytes)).await.unwrap();
    }

    /// The next frame's text.
    pub(crate) async fn hear(&mut self) -> String {
        match soon("a frame", self.0.next()).await {
            Some(Ok(Message::Text(text))) => text.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// Asks for the live stream and waits until it is in force.
    pub(crate) async fn realtime(&mut self) {
        self.say("realtime").await;
        // An answer to what comes after it shows that it was taken.
        self.say("?").await;
        while !self.hear().await.contains("\"state\":\"Error\"") {}
    }
}

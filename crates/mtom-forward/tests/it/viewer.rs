//! A client that says exactly what a test wants and hears every frame.

use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Nothing here takes longer unless it is broken.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) const GREETINGS: [&str; 3] = [
    r#"{"state":"OK","type":"hello","response":"Hello, client!"}"#,
    r#"{"state":"OK","type":"hello","response":"connect successfully!"}"#,
    r#"{"state":"OK","type":"sending","response":"sending temperature data from esp32..."}"#,
];

pub(crate) struct Viewer(pub(crate) WebSocketStream<TcpStream>);

/// Status and sentence of a refusal.
pub(crate) type Refused = (u16, String);

impl Viewer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, "/", &[]).await.expect("accepted")
    }

    pub(crate) async fn connect_with(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refused> {
        Self::open(TcpStream::connect(address).await.unwrap(), address, path, headers).await
    }

    /// With a receive buffer of about `len` bytes.
    pub(crate) async fn connect_narrow(address: SocketAddr, len: u32) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(len).unwrap();
        let tcp = socket.connect(address).await.unwrap();
        Self::open(tcp, address, "/", &[]).await.expect("accepted")
    }

    async fn open(
        tcp: TcpStream,
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refused> {
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        match timeout(LIMIT, client_async(request, tcp)).await.expect("answered") {
            Ok((socket, response)) => {
                assert!(!response.headers().contains_key("sec-websocket-protocol"));
                assert!(!response.headers().contains_key("sec-websocket-extensions"));
                Ok(Self(socket))
            }
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8(body).unwrap()))
            }
            Err(error) => panic!("neither accepted nor refused: {error}"),
        }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        timeout(LIMIT, self.0.send(message)).await.expect("written").unwrap();
    }

    /// One frame of a message in pieces.
    pub(crate) async fn piece(&mut self, code: Data, bytes: &[u8], last: bool) {
        let frame = Frame::message(Bytes::copy_from_slice(bytes), OpCode::Data(code), last);
        self.send(Message::Frame(frame)).await;
    }

    pub(crate) async fn message(&mut self) -> Message {
        timeout(LIMIT, self.0.next())
            .await
            .expect("a message within the limit")
            .expect("the connection is open")
            .expect("a whole message")
    }

    pub(crate) async fn hear(&mut self) -> String {
        match self.message().await {
            Message::Text(text) => text.as_str().to_owned(),
            other => panic!("expected a text frame, got {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn expect<'a>(
        &'a mut self,
        frames: &'a [impl AsRef<str>],
    ) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            for frame in frames {
                assert_eq!(self.hear().await, frame.as_ref(), "asked at {caller}");
            }
        }
    }

    /// Proves that nothing else was on its way: the answer to `hello` comes next.
    pub(crate) async fn expect_nothing_more(&mut self) {
        self.say("hello").await;
        self.expect(&GREETINGS).await;
    }

    /// The code with which the server closes, whatever comes before it.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.message().await {
                return frame.expect("a close frame with a code").code.into();
            }
        }
    }
}

//! A web server that answers what a test wants, and tells what it was asked.

use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// One answer.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// The status line's end: `200 OK`.
    Status(&'static str),
    /// Nothing, for ever.
    Silence,
    /// 200, and a body without an end.
    EndlessBody,
    /// A head without an end.
    EndlessHead,
}

/// What a client asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) asked: mpsc::Receiver<Asked>,
    // Dropped: the port is closed.
    _tasks: JoinSet<()>,
}

impl Server {
    /// Gives these answers in turn, the last for ever.
    pub(crate) async fn start(answers: &'static [Answer]) -> Self {
        Self::start_on(([127, 0, 0, 1], 0).into(), answers).await
    }

    pub(crate) async fn start_on(address: SocketAddr, answers: &'static [Answer]) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = mpsc::channel(1_000);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for turn in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let answer = answers[turn.min(answers.len() - 1)];
                connections.spawn(serve(stream, answer, tell.clone()));
            }
        });
        Self { address, asked, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?key=secret", self.address)
    }
}

/// One request and its answer.
pub(crate) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Answer,
    tell: mpsc::Sender<Asked>,
) {
    let mut bytes = Vec::new();
    let asked = loop {
        // The client went away.
        let Ok(1..) = stream.read_buf(&mut bytes).await else { return };
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let asked = Asked { head: head.to_owned(), body: body.to_owned() };
        let len = asked.header("content-length").map_or(0, |len| len.parse().unwrap());
        if body.len() >= len {
            break asked;
        }
    };
    tell.send(asked).await.unwrap();
    let (first, again) = match answer {
        Answer::Silence => return std::future::pending().await,
        Answer::Status(status) => {
            (format!("HTTP/1.1 {status}\r\ncontent-length: 4\r\n\r\nyes\n"), None)
        }
        Answer::EndlessBody => {
            ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), Some("more and more ".repeat(100)))
        }
        Answer::EndlessHead => {
            ("HTTP/1.1 200 OK\r\n".to_owned(), Some(format!("x-more: {}\r\n", "y".repeat(100))))
        }
    };
    let mut written = stream.write_all(first.as_bytes()).await;
    // Until the client has enough.
    while let (Some(more), Ok(())) = (&again, &written) {
        written = stream.write_all(more.as_bytes()).await;
    }
    let _ = stream.shutdown().await;
}

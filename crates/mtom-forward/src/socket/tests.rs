use super::{Connection, Heard, Show};
use crate::ring::{Batch, Place, Ring};
use crate::server::Limits;
use futures_util::{SinkExt, StreamExt};
use socket2::SockRef;
use std::cell::Cell;
use std::ops::Range;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(20);

/// A connection and its client, with small buffers between.
async fn pair() -> (Connection, WebSocketStream<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (tcp, _) = listener.accept().await.unwrap();
    SockRef::from(&tcp).set_send_buffer_size(16 * 1024).unwrap();
    let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    (Connection::new(tcp, Vec::new(), Limits::default(), CancellationToken::new()).await, client)
}

/// Text frames with their numbers, 8 KiB of them at a time.
struct Numbers<'a> {
    written: &'a Cell<u32>,
    end: u32,
    batch: Batch,
}

impl<'a> Numbers<'a> {
    fn new(written: &'a Cell<u32>, end: u32) -> Self {
        Self { written, end, batch: Batch::default() }
    }
}

impl Show for Numbers<'_> {
    fn next(&mut self, _: Place) -> &Batch {
        let mut ring = Ring::new(1_000, 1);
        let place = ring.join();
        for number in (self.written.get()..self.end).take(1_000) {
            let frame = [&[0x81, 8][..], format!("{number:08}").as_bytes()].concat();
            ring.push(("a".into(), "b".into()), frame.into());
        }
        self.batch = ring.next(place, 8 * 1024);
        &self.batch
    }

    fn written(&mut self) {
        let frames = u32::try_from(self.batch.frames).unwrap();
        self.written.set(self.written.get() + frames);
    }
}

async fn expect(client: &mut WebSocketStream<TcpStream>, numbers: Range<u32>) {
    for number in numbers {
        let message = client.next().await.unwrap().unwrap();
        assert_eq!(message, Message::text(format!("{number:08}")));
    }
}

/// What the library says while a shared write is cut in two comes behind the whole of it.
#[tokio::test]
async fn an_answer_waits_for_the_rest_of_a_shared_write() {
    for _ in 0..20 {
        let (mut connection, mut client) = pair().await;
        let seat = connection.sit_down(Place::default());
        // A batch that finds no room is taken anew when there is some.
        let written = Cell::new(0);
        while seat.rest().0 == 0 {
            let shared = connection.share(|| Numbers::new(&written, u32::MAX));
            assert!(timeout(LIMIT, shared).await.expect("there is room for a part").unwrap());
        }
        let answered = async { connection.say(["answer"]).await.unwrap() };
        let heard = async {
            expect(&mut client, 0..written.get()).await;
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text("answer"));
        };
        timeout(LIMIT, async { tokio::join!(answered, heard) }).await.expect("whole frames");
        assert_eq!(seat.rest(), (0, 0), "a quick viewer costs nothing");
    }
}

/// Who writes to all leaves one whose socket is full to its own task, whose answers come behind the rest.
#[tokio::test]
async fn one_that_takes_no_more_writes_itself_and_is_written_to_again_when_it_has_caught_up() {
    let (mut connection, mut client) = pair().await;
    let seat = connection.sit_down(Place::default());
    let written = Cell::new(0);
    // Not before its own task has given it away.
    assert!(!seat.sweep(&mut Numbers::new(&written, 3)).more);
    assert_eq!(written.get(), 0);
    while connection.share(|| Numbers::new(&written, 3)).await.unwrap() {}
    assert_eq!(written.get(), 3);
    while seat.sweep(&mut Numbers::new(&written, u32::MAX)).more {}
    let swept = written.get();
    assert!(swept > 3);
    assert!(!seat.sweep(&mut Numbers::new(&written, u32::MAX)).more);
    assert_eq!(written.get(), swept, "the turn is its task's");
    let own = async {
        assert!(connection.hear_or_share().await.unwrap().is_none(), "it is called");
        connection.say(["answer"]).await.unwrap();
        while connection.share(|| Numbers::new(&written, swept)).await.unwrap() {}
    };
    let heard = async {
        expect(&mut client, 0..swept).await;
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("answer"));
    };
    timeout(LIMIT, async { tokio::join!(own, heard) }).await.expect("whole frames");
    assert!(!seat.sweep(&mut Numbers::new(&written, swept + 1)).more, "one frame is all there is");
    timeout(LIMIT, expect(&mut client, swept..swept + 1)).await.expect("it is written to again");
}

#[tokio::test]
async fn a_shared_write_waits_for_nothing_that_the_library_has_left() {
    let (mut connection, mut client) = pair().await;
    client.send(Message::Ping("1".into())).await.unwrap();
    assert!(matches!(connection.hear().await, Ok(Heard::Sign)));
    connection.flush().await.unwrap();
    connection.sit_down(Place::default());
    let written = Cell::new(0);
    while connection.share(|| Numbers::new(&written, 3)).await.unwrap() {}
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong("1".into()));
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("00000000"));
}

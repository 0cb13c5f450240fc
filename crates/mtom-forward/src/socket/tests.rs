use super::{Connection, Heard};
use crate::ring::{Batch, Ring};
use crate::server::Limits;
use futures_util::{SinkExt, StreamExt};
use socket2::SockRef;
use std::cell::Cell;
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

/// Text frames with their numbers, 8 KiB of them.
fn batch(numbers: &mut impl Iterator<Item = u32>) -> Batch {
    let mut ring = Ring::new(1_000, 1);
    let place = ring.join();
    for number in numbers.take(1_000) {
        let frame = [&[0x81, 8][..], format!("{number:08}").as_bytes()].concat();
        ring.push(("a".into(), "b".into()), frame.into());
    }
    ring.next(place, 8 * 1024)
}

/// What the library says while a shared write is cut in two comes behind the whole of it.
#[tokio::test]
async fn an_answer_waits_for_the_rest_of_a_shared_write() {
    for _ in 0..20 {
        let (mut connection, mut client) = pair().await;
        // A batch that finds no room is taken anew when there is some.
        let written = Cell::new(0);
        while connection.socket.get_ref().rest.is_empty() {
            let shared = connection.share(
                || batch(&mut (written.get()..)),
                |batch| written.set(written.get() + u32::try_from(batch.frames).unwrap()),
            );
            timeout(LIMIT, shared).await.expect("there is room for a part").unwrap();
        }
        let written = written.get();
        let answered = async { connection.say(["answer"]).await.unwrap() };
        let heard = async {
            for number in 0..written {
                let message = client.next().await.unwrap().unwrap();
                assert_eq!(message, Message::text(format!("{number:08}")));
            }
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text("answer"));
        };
        timeout(LIMIT, async { tokio::join!(answered, heard) }).await.expect("whole frames");
        assert!(connection.socket.get_ref().rest.is_empty());
        assert_eq!(connection.socket.get_ref().rest.capacity(), 0, "a quick viewer costs nothing");
    }
}

#[tokio::test]
async fn a_shared_write_waits_for_nothing_that_the_library_has_left() {
    let (mut connection, mut client) = pair().await;
    client.send(Message::Ping("1".into())).await.unwrap();
    assert!(matches!(connection.hear().await, Ok(Heard::Sign)));
    connection.flush().await.unwrap();
    let more = connection.share(|| batch(&mut (0..3)), |_| {}).await.unwrap();
    assert!(!more);
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong("1".into()));
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("00000000"));
}

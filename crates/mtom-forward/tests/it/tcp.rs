//! Readings as lines over real sockets: each once, in order, whatever the client and the network do.

use crate::house::{House, stored};
use crate::support::until;
use crate::viewer::LIMIT;
use mtom_forward::server::Limits;
use serde_json::{Value, json};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

struct Client {
    lines: tokio::io::Lines<BufReader<OwnedReadHalf>>,
    write: Option<OwnedWriteHalf>,
}

impl Client {
    /// Says `first`; without it, that it has nothing to say.
    async fn connect(house: &House, first: Option<Value>) -> Self {
        let tcp = timeout(LIMIT, TcpStream::connect(house.address)).await.unwrap().unwrap();
        let mut client = Self::new(tcp);
        match first {
            Some(first) => client.say(&first.to_string()).await,
            None => client.write = None,
        }
        client
    }

    fn new(tcp: TcpStream) -> Self {
        let (read, write) = tcp.into_split();
        Self { lines: BufReader::new(read).lines(), write: Some(write) }
    }

    async fn say(&mut self, line: &str) {
        let write = self.write.as_mut().expect("it says something");
        write.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The next line; `None`: the other side has closed.
    async fn hear(&mut self) -> Option<Value> {
        let line =
            timeout(LIMIT, self.lines.next_line()).await.expect("a line in time").unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    async fn id(&mut self) -> u64 {
        let line = self.hear().await.expect("a line");
        line["id"].as_u64().unwrap_or_else(|| panic!("{line}"))
    }

    async fn expect_ids(&mut self, ids: impl IntoIterator<Item = u64>) {
        for id in ids {
            assert_eq!(self.id().await, id);
        }
    }

    /// It is told this and let go.
    async fn expect_error(&mut self, error: &str, next: &str) {
        let told = self.hear().await.expect("a line");
        assert_eq!((&told["error"], &told["next"]), (&json!(error), &json!(next)));
        assert_eq!(self.hear().await, None);
    }
}

async fn connected(house: &House, count: u64) {
    until("they are connected", || house.feed.stats().port.open == count).await;
}

#[tokio::test]
async fn who_says_nothing_gets_everything_from_now_on() {
    let house = House::start(5, 100, Limits::default()).await;
    let mut silent = Client::connect(&house, None).await;
    // This one does not even say that it says nothing; it is waited for, and loses nothing meanwhile.
    let tcp = TcpStream::connect(house.address).await.unwrap();
    let mut idle = Client::new(tcp);
    connected(&house, 2).await;
    house.store(6);
    house.store(7);
    silent.expect_ids([6, 7]).await;
    let line = idle.hear().await.unwrap();
    let expected = json!({
        "id": 6, "series": "attic/Temperature", "device": "attic", "topic": "attic/Temperature",
        "time": "2026-11-23T08:06:36.000000Z", "value": 20.5, "unit": "°C", "celsius": 20.5, "fahrenheit": 68.9
    });
    assert_eq!(line, expected);
    idle.expect_ids([7]).await;
    house.end().await;
    assert_eq!(silent.hear().await, None);
}

#[tokio::test]
async fn after_gives_what_was_missed_and_then_what_comes_with_no_gap_and_no_overlap() {
    const BEFORE: u64 = 3_000;
    const ALL: u64 = 6_000;
    let house = House::start(BEFORE, 50, Limits::default()).await;
    let mut late = Client::connect(&house, Some(json!({"after": 17}))).await;
    let mut attic =
        Client::connect(&house, Some(json!({"subscribe": ["attic/#"], "after": 0}))).await;
    connected(&house, 2).await;
    let mut readers = JoinSet::new();
    readers.spawn(async move {
        late.expect_ids(18..=ALL).await;
        attic.expect_ids((1..=ALL).filter(|id| id.is_multiple_of(3))).await;
    });
    for id in BEFORE + 1..=ALL {
        house.store(id);
        if id % 10 == 0 {
            yield_now().await;
        }
    }
    timeout(LIMIT, readers.join_next()).await.expect("in time").unwrap().unwrap();
    house.end().await;
}

#[tokio::test]
async fn a_slow_client_loses_nothing() {
    const ALL: u64 = 20_000;
    let house = House::start(0, 16, Limits::default()).await;
    let mut slow = Client::connect(&house, Some(json!({}))).await;
    connected(&house, 1).await;
    house.store(1);
    slow.expect_ids([1]).await;
    for id in 2..=ALL {
        house.store(id);
        if id % 100 == 0 {
            yield_now().await;
        }
    }
    slow.expect_ids(2..=ALL).await;
    house.end().await;
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again() {
    const WINDOW: u64 = 1_000;
    let house = House::start(3_000, 100, Limits::default()).await;
    let first = json!({"after": 0, "ack": true});
    let mut client = Client::connect(&house, Some(first)).await;
    client.expect_ids(1..=WINDOW).await;
    // One that acknowledges nothing gets all of it meanwhile: the port is not what is waited for.
    let mut other = Client::connect(&house, Some(json!({"after": 0}))).await;
    other.expect_ids(1..=3_000).await;
    until("all of it was sent", || house.feed.stats().sent == 3_000 + WINDOW).await;
    client.say(r#"{"ack":499}"#).await;
    client.say(r#"{"ack":500}"#).await;
    client.expect_ids(WINDOW + 1..=WINDOW + 500).await;
    // It dies, and comes again with what it had worked off.
    drop(client);
    let mut again = Client::connect(&house, Some(json!({"after": 500, "ack": true}))).await;
    for id in 501..=3_000 {
        assert_eq!(again.id().await, id);
        if id % 500 == 0 {
            again.say(&json!({"ack": id}).to_string()).await;
        }
    }
    house.end().await;
}

#[tokio::test]
async fn what_is_written_and_not_safe_is_not_told() {
    let house = House::start(5, 1, Limits::default()).await;
    house.write(6);
    let mut client = Client::connect(&house, Some(json!({"after": 3}))).await;
    client.expect_ids([4, 5]).await;
    connected(&house, 1).await;
    assert_eq!(house.feed.stats().sent, 2);
    house.feed.offer(&[Arc::new(stored(6))]);
    client.expect_ids([6]).await;
    house.end().await;
}

#[tokio::test]
async fn what_is_said_wrong_is_named_and_disturbs_nobody_else() {
    let house = House::start(5, 100, Limits::default()).await;
    let mut other = Client::connect(&house, Some(json!({"ack": true}))).await;
    connected(&house, 1).await;
    let example = r#"say one line as in {"subscribe":["Environ/#"],"after":17,"ack":true}"#;
    for (line, error, next) in [
        ("GET / HTTP/1.1", "expected value at line 1 column 1", example),
        (
            r#"{"subscribe":["a#"]}"#,
            "\"a#\": `#` stands alone in the last level, as in `Environ/#`",
            example,
        ),
        (
            r#"{"after":6}"#,
            "after 6 is ahead of the newest reading, 5",
            "this is another history than that of before: ask with after 0 for all of it, or \
             without after for what comes",
        ),
    ] {
        let tcp = TcpStream::connect(house.address).await.unwrap();
        let mut client = Client::new(tcp);
        client.say(line).await;
        client.expect_error(error, next).await;
    }
    let tcp = TcpStream::connect(house.address).await.unwrap();
    let mut endless = Client::new(tcp);
    endless.say(&"a".repeat(20_000)).await;
    endless.expect_error("a line of more than 16384 bytes", example).await;
    let mut talker = Client::connect(&house, Some(json!({"after": 4}))).await;
    talker.expect_ids([5]).await;
    talker.say(r#"{"ack":5}"#).await;
    let all = "say all of it before the first reading comes: \
               {\"subscribe\":[\"Environ/#\"],\"after\":17,\"ack\":true}";
    talker.expect_error("nothing more is to be said", all).await;
    let mut ahead = Client::connect(&house, Some(json!({"after": 4, "ack": true}))).await;
    ahead.expect_ids([5]).await;
    ahead.say(r#"{"ack":6}"#).await;
    let next = r#"say one line as in {"ack":18}"#;
    ahead.expect_error("ack 6: no reading with that id was sent yet", next).await;
    house.store(6);
    other.expect_ids([6]).await;
    house.end().await;
}

#[tokio::test]
async fn who_says_no_more_still_listens() {
    let house = House::start(3, 100, Limits::default()).await;
    // As `echo '{"after":0}' | nc -N` does, with and without the end of the line.
    for line in ["{\"after\":0}\n", "{\"after\":0}", "{\"after\":0,\"ack\":true}\n"] {
        let mut tcp = TcpStream::connect(house.address).await.unwrap();
        tcp.write_all(line.as_bytes()).await.unwrap();
        tcp.shutdown().await.unwrap();
        Client::new(tcp).expect_ids(1..=3).await;
    }
    // What comes then shows that nobody reads any more.
    let mut id = 3;
    until("their places are free", || {
        id += 1;
        house.store(id);
        house.feed.stats().port.open == 0
    })
    .await;
    house.end().await;
}

#[tokio::test]
async fn what_it_wants_may_come_late_as_long_as_nothing_was_sent() {
    let house = House::start(3, 100, Limits::default()).await;
    let tcp = TcpStream::connect(house.address).await.unwrap();
    let mut late = Client::new(tcp);
    connected(&house, 1).await;
    // Neither is waited for any longer then.
    let tcp = TcpStream::connect(house.address).await.unwrap();
    let mut silent = Client::new(tcp);
    connected(&house, 2).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    late.say("").await;
    late.say(r#"{"after":1,"subscribe":["attic/#"]}"#).await;
    late.expect_ids([3]).await;
    house.store(4);
    silent.expect_ids([4]).await;
    house.end().await;
}

#[tokio::test]
async fn at_the_end_everybody_gets_what_was_stored_before_it() {
    let house = House::start(0, 100, Limits::default()).await;
    let mut client = Client::connect(&house, Some(json!({}))).await;
    connected(&house, 1).await;
    house.store(1);
    client.expect_ids([1]).await;
    for id in 2..=90 {
        house.store(id);
    }
    house.stop.cancel();
    client.expect_ids(2..=90).await;
    assert_eq!(client.hear().await, None);
    drop(client);
    house.end().await;
}

#[tokio::test]
async fn one_client_too_many_is_told_so() {
    let limits = Limits { viewers_max: 1, ..Limits::default() };
    let house = House::start(0, 100, limits).await;
    let mut first = Client::connect(&house, Some(json!({}))).await;
    connected(&house, 1).await;
    let tcp = TcpStream::connect(house.address).await.unwrap();
    let mut second = Client::new(tcp);
    second.say(r#"{"after":0}"#).await;
    let next = "close another connection, then try again";
    second.expect_error("every place is taken", next).await;
    assert_eq!(house.feed.stats().port.refused, 1);
    house.store(1);
    first.expect_ids([1]).await;
    house.end().await;
}

#[tokio::test]
async fn a_client_whose_socket_takes_nothing_is_closed_and_its_place_is_free() {
    let limits = Limits { stall: Duration::from_millis(200), ..Limits::default() };
    let house = House::start(20_000, 100, limits).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stuck = Client::new(socket.connect(house.address).await.unwrap());
    stuck.say(r#"{"after":0}"#).await;
    until("it is closed", || house.feed.stats().port.closed_slow == 1).await;
    connected(&house, 0).await;
    let mut next = Client::connect(&house, Some(json!({"after": 19_999}))).await;
    next.expect_ids([20_000]).await;
    house.end().await;
}

#[tokio::test]
async fn a_write_that_the_end_cuts_is_not_counted_as_slow() {
    let limits = Limits { farewell: Duration::from_millis(50), ..Limits::default() };
    let house = House::start(20_000, 100, limits).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stuck = Client::new(socket.connect(house.address).await.unwrap());
    stuck.say(r#"{"after":0}"#).await;
    // By then the other has been given more than the buffers hold.
    let mut quick = Client::connect(&house, Some(json!({"after": 0}))).await;
    quick.expect_ids(1..=20_000).await;
    let feed = house.feed.clone();
    drop(quick);
    house.end().await;
    assert_eq!(feed.stats().port.closed_slow, 0);
}

#[tokio::test]
async fn a_history_that_cannot_be_read_is_said() {
    let house = House::start(10, 1, Limits::default()).await;
    house.archive.is_broken.store(true, Ordering::Relaxed);
    let mut client = Client::connect(&house, Some(json!({"after": 0}))).await;
    client.expect_error("the history cannot be read now", "connect again later").await;
    connected(&house, 0).await;
    // What comes now needs no history.
    let mut live = Client::connect(&house, Some(json!({}))).await;
    connected(&house, 1).await;
    house.store(11);
    live.expect_ids([11]).await;
    house.end().await;
}

/// Connects to where its arguments say, says its third, tells when it has, and reads for ever.
#[cfg(target_os = "linux")]
const FAR_CLIENT: &str = "import socket, sys
gateway = socket.create_connection((sys.argv[1], int(sys.argv[2])))
gateway.sendall(sys.argv[3].encode() + b'\\n')
print('up', flush=True)
while gateway.recv(4096):
    pass";

#[cfg(target_os = "linux")]
struct Killed(std::process::Child);

#[cfg(target_os = "linux")]
impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two clients whose machine vanishes without a word: nothing is to be said to one, something is under way to the
/// other.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn clients_whose_machine_has_vanished_give_their_places_back() {
    let Some(far) = crate::other_host::OtherHost::new() else { return };
    let limits = Limits { gone: Duration::from_secs(4), ..Limits::default() };
    let house = House::start(0, 100, limits).await;
    let [program, arguments @ ..] = far.prefix();
    let mut processes = Vec::new();
    for wanted in [r#"{"subscribe":["nobody"]}"#, "{}"] {
        let port = house.address.port().to_string();
        let mut process = std::process::Command::new(&program)
            .args(&arguments)
            .args(["python3", "-c", FAR_CLIENT, &far.here.to_string(), &port, wanted])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut up = [0; 2];
        // Kept open: it may not have written the end of its line yet, and must not end for that.
        let mut said = process.stdout.take().unwrap();
        said.read_exact(&mut up).unwrap();
        assert_eq!(&up, b"up");
        processes.push((Killed(process), said));
    }
    connected(&house, 2).await;
    house.store(1);
    until("one of them has it", || house.feed.stats().sent == 1).await;
    far.cut_answers();
    house.store(2);
    let gone = async {
        let mut open = house.feed.open();
        open.wait_for(|open| *open == 0).await.map(drop)
    };
    timeout(LIMIT, gone).await.expect("both are noticed").unwrap();
    house.end().await;
}

//! Other computers that vanish without a word: a gateway whose address swallows all that is sent to it.

use crate::follow::Follower;
use crate::house::{House, NOW};
use crate::other_host::OtherHost;
use mtom_forward::follower::{Event, Wish};
use mtom_forward::server::Limits;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Listens on the first address and hands every connection on to the second; says `up` when it listens.
const RELAY: &str = "import socket, sys, threading
def pump(one, other):
    try:
        while data := one.recv(4096):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass
def address(text):
    host, port = text.rsplit(':', 1)
    return host, int(port)
listener = socket.create_server(address(sys.argv[1]))
print('up', flush=True)
while True:
    try:
        near = listener.accept()[0]
        far = socket.create_connection(address(sys.argv[2]))
    except OSError:
        continue  # one that has gone, or while nothing gets through
    for pair in (near, far), (far, near):
        threading.Thread(target=pump, args=pair, daemon=True).start()";

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_address_that_swallows_everything_is_left_in_time_and_found_when_it_answers() {
    let Some(far) = OtherHost::new() else { return };
    let house = House::start(1, 100, Limits::default()).await;
    let there = format!("{}:8766", far.address);
    let [program, arguments @ ..] = far.prefix();
    let mut relay = Command::new(program);
    relay.args(arguments).args(["python3", "-c", RELAY, &there]);
    relay.arg(format!("{}:{}", far.here, house.address.port()));
    let mut relay = Killed(relay.stdout(Stdio::piped()).spawn().unwrap());
    let mut up = [0; 2];
    // Kept open: it may not have written the end of its line yet.
    let mut said = relay.0.stdout.take().unwrap();
    said.read_exact(&mut up).unwrap();
    far.cut_answers();
    let url = format!("tcp://{there}");
    let mut follower = Follower::start_at(&url, Wish::default(), NOW, |patience| {
        patience.connect = Duration::from_millis(300);
    });
    for _ in 0..3 {
        assert_eq!(follower.lost().await, "no answer within 0.3 s");
    }
    assert_eq!(house.feed.stats().port.open, 0);
    far.heal();
    while let Event::Lost { reason, .. } = follower.next().await {
        // One that was begun before.
        assert_eq!(reason, "no answer within 0.3 s");
    }
    house.store(2);
    assert_eq!(follower.reading().await.0, 2);
    follower.end().await;
    house.end().await;
}

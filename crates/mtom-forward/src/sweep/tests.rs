use super::{Entry, Seats, Sweep, TURN_BYTES_MAX};
use crate::ring::{Batch, Place, Ring};
use crate::socket::{Seat, Show};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;

/// One frame at a time, each of one byte that is its number.
struct Frames {
    ring: Arc<Ring>,
    batch: Batch,
}

impl Show for Frames {
    fn next(&mut self, place: Place) -> &Batch {
        self.batch = self.ring.next(place, 1);
        &self.batch
    }

    fn written(&mut self) {}
}

const LEN: u8 = 10;

fn frames(ring: &Arc<Ring>) -> Frames {
    Frames { ring: Arc::clone(ring), batch: Batch::default() }
}

fn ring(numbers: std::ops::Range<u8>) -> Ring {
    let mut ring = Ring::new(100, 1);
    for number in numbers {
        ring.push(("a".into(), "b".into()), Arc::from([number]));
    }
    ring
}

/// One that is swept, and everything that it was shown when it has left.
async fn viewer(place: Place) -> (Arc<Seat>, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let seat = Arc::new(Seat::new(listener.accept().await.unwrap().0));
    seat.sit_down(place);
    // Nothing has come yet: its own task gives the turn away.
    let nothing = Arc::new(ring(0..0));
    let shared = poll_fn(|cx| Poll::Ready(seat.poll_share(cx, &mut frames(&nothing)))).await;
    assert!(matches!(shared, Poll::Ready(Ok(false))));
    let client = client.into_std().unwrap();
    client.set_nonblocking(false).unwrap();
    (seat, client)
}

fn shown(mut client: std::net::TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_round_goes_on_until_nobody_is_behind_whichever_turn_it_is() {
    for behind in 0..5 {
        let sweep = Arc::new(Sweep::new(2));
        let ring_now = Arc::new(ring(0..LEN));
        let (mut entries, mut clients) = (Vec::new(), Vec::new());
        for number in 0..5 {
            // All but one lack the last alone.
            let lacking = if number == behind { 0..0 } else { 0..LEN };
            let (seat, client) = viewer(ring(lacking).join()).await;
            entries.push(sweep.enter(seat));
            clients.push(client);
        }
        sweep.round(|| frames(&ring_now)).await;
        drop(entries);
        for (number, client) in clients.into_iter().enumerate() {
            let expected: Vec<u8> = if number == behind { 0..LEN } else { LEN - 1..LEN }.collect();
            assert_eq!(shown(client), expected, "{number} of those where {behind} is behind");
        }
    }
}

#[tokio::test]
async fn a_round_misses_nobody_who_stays_while_others_leave_and_come() {
    let sweep = Arc::new(Sweep::new(2));
    let ring_now = Arc::new(ring(0..LEN));
    let mut clients = Vec::new();
    let entries: RefCell<Vec<Option<Entry>>> = RefCell::default();
    for _ in 0..6 {
        let (seat, client) = viewer(Place::default()).await;
        entries.borrow_mut().push(Some(sweep.enter(seat)));
        clients.push(client);
    }
    let (late, late_client) = viewer(Place::default()).await;
    let late = Cell::new(Some(late));
    let turns = Cell::new(0);
    sweep
        .round(|| {
            turns.set(turns.get() + 1);
            let mut entries = entries.borrow_mut();
            match turns.get() {
                // Between turns: one that had its turn, the last; then one takes the lowest of their numbers.
                2 => (entries[1], entries[5]) = (None, None),
                3 => entries.push(late.take().map(|seat| sweep.enter(seat))),
                _ => {}
            }
            frames(&ring_now)
        })
        .await;
    entries.borrow_mut().clear();
    let all: Vec<u8> = (0..LEN).collect();
    for number in [0, 2, 3, 4] {
        assert_eq!(shown(clients[number].try_clone().unwrap()), all, "{number}");
    }
    assert_eq!(shown(late_client), all);
    assert_eq!(shown(clients.swap_remove(1)), [0], "it left after its first turn");
}

/// Frames that are so large that a few of them are a turn, and how many were written.
struct Large {
    frames: Frames,
    written: Rc<Cell<usize>>,
}

impl Show for Large {
    fn next(&mut self, place: Place) -> &Batch {
        self.frames.next(place)
    }

    fn written(&mut self) {
        self.written.set(self.written.get() + 1);
    }
}

#[tokio::test]
async fn after_so_many_bytes_others_have_their_turn_and_the_next_turn_shows_what_has_come() {
    let len = TURN_BYTES_MAX / 2 - 1;
    let sweep = Arc::new(Sweep::new(100));
    let mut large = Ring::new(1, 1);
    large.push(("a".into(), "b".into()), vec![7; len].into());
    let large = Arc::new(large);
    let (mut entries, mut clients) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let (seat, client) = viewer(Place::default()).await;
        entries.push(sweep.enter(seat));
        // A socket takes so much only while somebody reads.
        clients.push(std::thread::spawn(|| shown(client).len()));
    }
    let written = Rc::new(Cell::new(0));
    let turns = RefCell::new(Vec::new());
    let round = sweep.round(|| {
        turns.borrow_mut().push(written.get());
        Large { frames: frames(&large), written: Rc::clone(&written) }
    });
    let others = async {
        let mut seen = Vec::new();
        while written.get() < 7 {
            seen.push(written.get());
            yield_now().await;
        }
        seen
    };
    let ((), seen) = tokio::join!(biased; round, others);
    assert_eq!(*turns.borrow(), [0, 3, 6], "before each turn");
    assert_eq!(seen, [3, 6], "between the turns");
    drop(entries);
    for client in clients {
        assert_eq!(client.join().unwrap(), len);
    }
}

#[test]
fn seats_keep_their_numbers_and_there_are_no_more_than_needed() {
    let mut seats = Seats::default();
    let numbers: Vec<_> = (0..1_000).map(|seat| seats.enter(seat)).collect();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
    // The crowd leaves, but for two.
    for number in (0..1_000).filter(|number| ![3, 7].contains(number)) {
        seats.leave(number);
    }
    assert_eq!((seats.numbered.len(), seats.free.len()), (8, 6));
    assert_eq!(seats.some(0, 2), [(3, 3), (7, 7)]);
    assert_eq!(seats.some(4, 2), [(7, 7)]);
    assert_eq!(seats.some(8, 2), []);
    // The lowest number first, no number twice.
    let numbers: Vec<_> = (0..8).map(|seat| seats.enter(seat)).collect();
    assert_eq!(numbers, [0, 1, 2, 4, 5, 6, 8, 9]);
    for number in 0..10 {
        seats.leave(number);
    }
    assert_eq!((seats.numbered.len(), seats.free.len()), (0, 0));
}

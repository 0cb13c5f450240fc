use crate::forwarded::lines::{Forwarding, What};
use crate::relay::inbox::Work;
use crate::relay::tests::{Begun, House};
use mtom_forward::follower::Place;
use mtom_protocol::link::Led;
use mtom_protocol::reading::Reading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_store::lineage::Followed;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

const LATE: UnixMicros = UnixMicros(0);
const FRESH: UnixMicros = UnixMicros(i64::MAX);

/// A relay that is worked by hand.
struct Desk {
    begun: Begun,
    work: Work,
    receipts: Vec<oneshot::Receiver<()>>,
}

impl Desk {
    fn new(house: &House) -> Self {
        Self { begun: house.begin(), work: Work::default(), receipts: Vec::new() }
    }

    fn bring(&mut self, id: u64, celsius: f64, fresh_until: UnixMicros, connection: u64) {
        let reading = Reading {
            topic: "Environ/Temperature".into(),
            device: "Environ".into(),
            quantity: "Temperature".into(),
            value: celsius,
            unit: Unit::Celsius,
            // As the other gateway counted it.
            taken_at: Some(UnixMicros(1_795_421_189_000_000)),
            key: None,
        };
        self.pass(id, What::Reading { reading, fresh_until, is_complete: true }, connection);
    }

    fn pass(&mut self, id: u64, what: What, connection: u64) {
        let place = Place { history: "far".into(), id };
        let (forwarding, receipt) = Forwarding::new(place, what, connection);
        self.work.forwarded.push(forwarding);
        self.receipts.push(receipt);
    }

    /// One transaction; which of them are safe.
    fn turn(&mut self) -> Vec<bool> {
        self.begun.relay.turn(&mut self.work).unwrap();
        assert_eq!(self.work.len(), 0);
        let told = self.receipts.drain(..).map(|mut receipt| match receipt.try_recv() {
            Ok(()) => true,
            Err(TryRecvError::Closed) => false,
            Err(TryRecvError::Empty) => panic!("neither safe nor lost"),
        });
        told.collect()
    }

    fn led(&self) -> Option<Led> {
        self.begun.mailbox.borrow().map(|desired| desired.led)
    }

    fn values(&self) -> Vec<f64> {
        let mut page = self
            .begun
            .history
            .page(&mtom_store::history::PageQuery { limit: 100, ..Default::default() });
        let rows = &mut page.as_mut().unwrap().rows;
        rows.sort_by_key(|row| row.id);
        rows.iter().map(|row| row.reading.value).collect()
    }

    fn followed(&self) -> Vec<(String, u64)> {
        let followed = self.begun.history.followed().unwrap();
        followed.into_iter().map(|Followed { history, id }| (history, id)).collect()
    }
}

#[test]
fn what_comes_again_is_safe_and_stored_once() {
    let house = House::new();
    let mut desk = Desk::new(&house);
    for (id, celsius) in [(7, 20.0), (8, 26.0), (7, 20.0), (8, 26.0), (9, 27.0)] {
        desk.bring(id, celsius, FRESH, 1);
    }
    assert_eq!(desk.turn(), [true; 5]);
    assert_eq!((desk.values(), desk.led()), (vec![20.0, 26.0, 27.0], Some(Led::On)));
    // After a restart too: how far it was is in the same transaction.
    drop(desk);
    let mut desk = Desk::new(&house);
    desk.bring(9, 27.0, FRESH, 1);
    desk.bring(10, 20.0, FRESH, 1);
    assert_eq!(desk.turn(), [true; 2]);
    assert_eq!((desk.values(), desk.led()), (vec![20.0, 26.0, 27.0, 20.0], Some(Led::Off)));
    assert_eq!(desk.followed(), [("far".to_owned(), 10)]);
}

#[test]
fn what_is_late_is_stored_and_shown_and_nothing_is_done_because_of_it() {
    let house = House::new();
    let mut desk = Desk::new(&house);
    desk.bring(1, 26.0, LATE, 1);
    assert_eq!(desk.turn(), [true]);
    assert_eq!((desk.values(), desk.led()), (vec![26.0], None));
    assert_eq!(desk.begun.view.snapshot().latest[0].reading.value, 26.0);
    desk.bring(2, 20.0, FRESH, 1);
    desk.bring(3, 30.0, LATE, 1);
    desk.turn();
    assert_eq!((desk.values().len(), desk.led()), (3, Some(Led::Off)));
}

#[test]
fn behind_one_that_could_not_be_stored_nothing_of_that_connection_is() {
    let house = House::new();
    let mut desk = Desk::new(&house);
    let refuse = |refused: bool| {
        let (from, to) = if refused { ("followed", "gone") } else { ("gone", "followed") };
        let file = Connection::open(house.journal()).unwrap();
        file.execute_batch(&format!("ALTER TABLE {from} RENAME TO {to}")).unwrap();
    };
    desk.bring(1, 20.0, FRESH, 1);
    assert_eq!(desk.turn(), [true]);
    refuse(true);
    desk.bring(2, 26.0, FRESH, 1);
    assert_eq!(desk.turn(), [false]);
    assert_eq!(desk.led(), Some(Led::On), "rules go on without the disk");
    refuse(false);
    // They were on their way when it failed: stored, they would hide the second.
    desk.bring(3, 21.0, FRESH, 1);
    desk.bring(4, 22.0, FRESH, 1);
    assert_eq!(desk.turn(), [false, false]);
    for id in 2..=4 {
        desk.bring(id, 20.0 + id as f64, FRESH, 2);
    }
    assert_eq!(desk.turn(), [true; 3]);
    assert_eq!(desk.values(), [20.0, 22.0, 23.0, 24.0]);
}

#[test]
fn where_it_begins_is_kept_and_may_be_behind_what_was_known() {
    let house = House::new();
    let mut desk = Desk::new(&house);
    desk.pass(100, What::Begins, 1);
    assert_eq!(desk.turn(), [true]);
    assert_eq!((desk.followed(), desk.values()), (vec![("far".to_owned(), 100)], vec![]));
    desk.bring(101, 20.0, FRESH, 1);
    desk.turn();
    // The other gateway's disk was rolled back: its next number is one that was known.
    desk.pass(90, What::Begins, 2);
    desk.bring(91, 21.0, FRESH, 2);
    assert_eq!(desk.turn(), [true, true]);
    assert_eq!((desk.followed(), desk.values()), (vec![("far".to_owned(), 91)], vec![20.0, 21.0]));
}

#[test]
fn where_nothing_was_wanted_the_place_moves_on_and_never_back() {
    let house = House::new();
    let mut desk = Desk::new(&house);
    desk.bring(101, 20.0, FRESH, 1);
    desk.pass(5_000, What::Looked, 1);
    assert_eq!(desk.turn(), [true, true]);
    assert_eq!((desk.followed(), desk.values()), (vec![("far".to_owned(), 5_000)], vec![20.0]));
    desk.pass(4_000, What::Looked, 1);
    desk.bring(5_001, 21.0, FRESH, 1);
    assert_eq!(desk.turn(), [true, true]);
    let followed = vec![("far".to_owned(), 5_001)];
    assert_eq!((desk.followed(), desk.values()), (followed, vec![20.0, 21.0]));
}

use super::*;
use crate::record::{DeciCelsius, Taken};
use std::vec::Vec;

const RAM: usize = 4;

/// A flash ring in memory with room for `room` readings.
#[derive(Debug)]
struct Flash {
    records: std::collections::VecDeque<Record>,
    room: usize,
    broken: bool,
}

impl FlashRing for &mut Flash {
    fn len(&self) -> usize {
        self.records.len()
    }

    async fn push(&mut self, record: &Record) -> Result<(), PushError> {
        if self.broken {
            return Err(PushError::Broken);
        }
        if self.records.len() == self.room {
            return Err(PushError::Full);
        }
        self.records.push_back(*record);
        Ok(())
    }

    async fn peek(&mut self, index: usize) -> Result<Option<Record>, FlashError> {
        Ok(self.records.get(index).copied())
    }

    async fn pop(&mut self) -> Result<(), FlashError> {
        self.records.pop_front();
        Ok(())
    }
}

fn flash(room: usize) -> Flash {
    Flash { records: std::collections::VecDeque::new(), room, broken: false }
}

fn record(seq: u32) -> Record {
    Record { boot: 1, seq, celsius: DeciCelsius(210), taken: Taken::Uptime(u64::from(seq)) }
}

fn limits(ram: usize, when_full: WhenFull) -> Limits {
    Limits { ram, when_full }
}

/// Puts readings 0 to `count` in; says which were given up.
async fn fill<R: FlashRing>(outbox: &mut Outbox<R, RAM>, count: u32) -> Vec<u32> {
    let mut given_up = Vec::new();
    for seq in 0..count {
        outbox.push(record(seq), &mut |gone| given_up.push(gone.seq)).await;
    }
    given_up
}

/// Sends and acknowledges all that waits.
async fn drain<R: FlashRing>(outbox: &mut Outbox<R, RAM>) -> Vec<u32> {
    let mut sent = Vec::new();
    while let Some(record) = outbox.next().await {
        sent.push(record.seq);
        outbox.acknowledged(&record).await;
    }
    sent
}

#[tokio::test]
async fn memory_comes_first_then_flash_and_all_leave_in_order() {
    let mut flash = flash(100);
    let mut outbox = Outbox::<_, RAM>::new(&mut flash, limits(3, WhenFull::DropOldest));
    assert!(fill(&mut outbox, 9).await.is_empty());
    assert_eq!((outbox.len(), outbox.ring.len(), outbox.in_memory().count()), (9, 6, 3));
    assert_eq!(drain(&mut outbox).await, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(outbox.is_empty());
}

#[tokio::test]
async fn with_no_memory_allowed_every_reading_is_in_flash_before_it_is_sent() {
    let mut flash = flash(100);
    let mut outbox = Outbox::<_, RAM>::new(&mut flash, limits(0, WhenFull::DropOldest));
    fill(&mut outbox, 3).await;
    let first = outbox.next().await.unwrap();
    assert_eq!((outbox.in_memory().count(), outbox.ring.len()), (0, 3));
    outbox.acknowledged(&first).await;
    assert_eq!(outbox.ring.len(), 2);
}

#[tokio::test]
async fn only_a_window_is_under_way_and_flash_keeps_it_until_it_is_acknowledged_in_order() {
    let mut flash = flash(100);
    let mut outbox = Outbox::<_, RAM>::new(&mut flash, limits(0, WhenFull::DropOldest));
    fill(&mut outbox, 9).await;
    for seq in 0..4 {
        assert_eq!(outbox.next().await, Some(record(seq)));
    }
    assert_eq!(outbox.next().await, None);
    outbox.acknowledged(&record(1)).await;
    assert_eq!((outbox.ring.len(), outbox.next().await), (9, None));
    outbox.acknowledged(&record(0)).await;
    assert_eq!(outbox.ring.len(), 7);
    assert_eq!(outbox.next().await, Some(record(4)));
}

#[tokio::test]
async fn what_was_under_way_when_the_connection_ended_is_sent_again_in_order() {
    let mut outbox = Outbox::<_, RAM>::new(NoRing, limits(4, WhenFull::DropOldest));
    fill(&mut outbox, 4).await;
    for _ in 0..3 {
        outbox.next().await.unwrap();
    }
    outbox.acknowledged(&record(1)).await;
    outbox.disconnected();
    assert_eq!(drain(&mut outbox).await, [0, 2, 3]);
}

#[tokio::test]
async fn one_that_could_not_be_sent_is_the_next_again() {
    let mut outbox = Outbox::<_, RAM>::new(NoRing, limits(4, WhenFull::DropOldest));
    fill(&mut outbox, 2).await;
    let first = outbox.next().await.unwrap();
    outbox.put_back(&first);
    assert_eq!(drain(&mut outbox).await, [0, 1]);
}

#[tokio::test]
async fn without_room_the_oldest_are_given_up_and_counted() {
    let mut outbox = Outbox::<_, RAM>::new(NoRing, limits(4, WhenFull::DropOldest));
    assert_eq!(fill(&mut outbox, 7).await, [0, 1, 2]);
    assert_eq!((outbox.dropped(), drain(&mut outbox).await), (3, vec![3, 4, 5, 6]));

    let mut flash = flash(3);
    let mut outbox = Outbox::<_, RAM>::new(&mut flash, limits(2, WhenFull::DropOldest));
    assert_eq!(fill(&mut outbox, 7).await, [0, 1]);
    assert_eq!((outbox.dropped(), drain(&mut outbox).await), (2, vec![2, 3, 4, 5, 6]));
}

#[tokio::test]
async fn without_room_the_newest_are_given_up_where_that_is_configured() {
    let mut outbox = Outbox::<_, RAM>::new(NoRing, limits(4, WhenFull::DropNewest));
    assert_eq!(fill(&mut outbox, 7).await, [4, 5, 6]);
    assert_eq!((outbox.dropped(), drain(&mut outbox).await), (3, vec![0, 1, 2, 3]));

    let mut flash = flash(3);
    let mut outbox = Outbox::<_, RAM>::new(&mut flash, limits(2, WhenFull::DropNewest));
    let gone = fill(&mut outbox, 9).await;
    assert_eq!((outbox.dropped(), gone.len()), (2, 2));
    let kept = drain(&mut outbox).await;
    assert_eq!(kept, [0, 1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn one_that_is_given_up_in_flash_while_it_is_under_way_is_not_lost_yet() {
    let mut flash = flash(2);
    let mut outbox = Outbox::<_, RAM>::new(&mut flash, limits(0, WhenFull::DropOldest));
    fill(&mut outbox, 2).await;
    let first = outbox.next().await.unwrap();
    let mut given_up = Vec::new();
    outbox.push(record(2), &mut |gone| given_up.push(gone.seq)).await;
    assert_eq!((outbox.dropped(), given_up.len(), outbox.len()), (0, 0, 3));
    outbox.disconnected();
    assert_eq!(first.seq, 0);
    assert_eq!(drain(&mut outbox).await, [0, 1, 2]);
}

#[tokio::test]
async fn a_flash_that_fails_costs_what_does_not_fit_into_memory_and_nothing_else() {
    let mut flash = flash(100);
    flash.broken = true;
    let mut outbox = Outbox::<_, RAM>::new(&mut flash, limits(2, WhenFull::DropOldest));
    assert_eq!(fill(&mut outbox, 6).await, [0, 1]);
    assert!(outbox.broken() > 0);
    assert_eq!(drain(&mut outbox).await, [2, 3, 4, 5]);
}

#[tokio::test]
async fn what_flash_holds_from_before_the_start_is_sent_first() {
    let mut flash = flash(100);
    flash.records.extend([record(0), record(1)]);
    let mut outbox = Outbox::<_, RAM>::new(&mut flash, limits(4, WhenFull::DropOldest));
    outbox.push(record(2), &mut |_| {}).await;
    assert_eq!(drain(&mut outbox).await, [0, 1, 2]);
}

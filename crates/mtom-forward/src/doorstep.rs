//! Connections that have not said a whole request yet.
//!
//! They take no place, so that those who never finish hold nobody up. Bounded: when one more comes the oldest is
//! closed, for whoever means it has said its request long before a thousand others have come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Who waits there, by age. A clone is the same.
#[derive(Clone)]
pub struct Doorstep {
    len_max: usize,
    // `std`: held for one insertion or removal, never across an await.
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    ends: BTreeMap<u64, CancellationToken>,
    closed: u64,
}

/// One who waits there until it is dropped.
pub struct Visitor {
    number: u64,
    doorstep: Doorstep,
    end: CancellationToken,
}

impl Doorstep {
    /// Room for `len_max`, at least one.
    #[must_use]
    pub fn new(len_max: usize) -> Self {
        Self { len_max: len_max.max(1), waiting: Arc::default() }
    }

    /// One more. When there are too many the oldest has to go; then also how many have had to so far.
    #[must_use]
    pub fn enter(&self) -> (Visitor, Option<u64>) {
        let end = CancellationToken::new();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let number = waiting.next;
        waiting.next += 1;
        waiting.ends.insert(number, end.clone());
        let mut closed = None;
        if waiting.ends.len() > self.len_max
            && let Some((_, oldest)) = waiting.ends.pop_first()
        {
            oldest.cancel();
            waiting.closed += 1;
            closed = Some(waiting.closed);
        }
        drop(waiting);
        (Visitor { number, doorstep: self.clone(), end }, closed)
    }
}

impl Visitor {
    /// Is cancelled when it has to go.
    #[must_use]
    pub fn end(&self) -> CancellationToken {
        self.end.clone()
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        let mut waiting = self.doorstep.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.ends.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::Doorstep;

    #[test]
    fn the_oldest_has_to_go_when_there_are_too_many_and_those_who_have_left_count_no_more() {
        let doorstep = Doorstep::new(2);
        let (first, none) = doorstep.enter();
        let (second, _) = doorstep.enter();
        assert_eq!(none, None);
        drop(first);
        let (third, none) = doorstep.enter();
        assert_eq!(none, None);
        let (fourth, closed) = doorstep.enter();
        assert_eq!(closed, Some(1));
        let ends = [&second, &third, &fourth].map(|visitor| visitor.end().is_cancelled());
        assert_eq!(ends, [true, false, false]);
        // It went by itself, or was told to: nobody else has to for it.
        drop(second);
        let (_fifth, closed) = doorstep.enter();
        assert_eq!(closed, Some(2));
        assert!(third.end().is_cancelled());
    }
}

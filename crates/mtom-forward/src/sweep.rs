//! One task that writes to all viewers of a port which take what they are shown.
//!
//! Ten thousand tasks that each wake up for one write cost as much as the writes. Here one goes round and writes to
//! each socket without waiting; who does not take it whole is left to its own task until it has caught up
//! (`socket/seat.rs`).

use crate::socket::{Seat, Show};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::yield_now;

/// So many are written to, then others have their turn on the processor: under a millisecond.
const TURN_LEN: usize = 128;

/// Who is written to. A seat keeps its number while it is here, so that a round misses nobody.
#[derive(Default)]
pub(crate) struct Sweep {
    // `std`: held for an entry, or for copying some, never across an await.
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    numbered: Vec<Option<Arc<Seat>>>,
    free: Vec<usize>,
}

/// One who is written to until it is dropped.
pub(crate) struct Entry {
    sweep: Arc<Sweep>,
    number: usize,
}

impl Sweep {
    /// One more.
    pub(crate) fn enter(self: &Arc<Self>, seat: Arc<Seat>) -> Entry {
        let mut seats = self.seats();
        let number = seats.free.pop().unwrap_or(seats.numbered.len());
        match seats.numbered.get_mut(number) {
            Some(place) => *place = Some(seat),
            None => seats.numbered.push(Some(seat)),
        }
        drop(seats);
        Entry { sweep: Arc::clone(self), number }
    }

    /// Writes what there is to all of them, until nobody is behind who takes what it is shown. `show` makes a new one
    /// for some of them at a time: the later are shown what has come meanwhile too.
    pub(crate) async fn round<S: Show>(&self, show: impl Fn() -> S) {
        let mut some = Vec::with_capacity(TURN_LEN);
        let mut is_over = false;
        while !is_over {
            is_over = true;
            let mut from = 0;
            while self.copy(from, &mut some) {
                let mut show = show();
                for seat in some.drain(..) {
                    is_over &= !seat.sweep(&mut show);
                }
                drop(show);
                from += TURN_LEN;
                yield_now().await;
            }
        }
    }

    /// Those with the next numbers; false: there are no such numbers.
    fn copy(&self, from: usize, some: &mut Vec<Arc<Seat>>) -> bool {
        let seats = self.seats();
        let Some(numbered) = seats.numbered.get(from..).filter(|rest| !rest.is_empty()) else {
            return false;
        };
        some.extend(numbered.iter().take(TURN_LEN).flatten().cloned());
        true
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut seats = self.sweep.seats();
        if let Some(place) = seats.numbered.get_mut(self.number) {
            *place = None;
            seats.free.push(self.number);
        }
    }
}

//! A task that writes to all viewers of a port, or a part of them, which take what they are shown.
//!
//! Ten thousand tasks that each wake up for one write cost as much as the writes. Here one goes round and writes to
//! each socket without waiting; who does not take it whole is left to its own task until it has caught up
//! (`socket/seat.rs`).

use crate::socket::{Seat, Show, Swept};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::yield_now;

/// So many bytes are written, then others have their turn on the processor: some ten full writes, or very many that
/// hold one reading.
const TURN_BYTES_MAX: usize = 128 * 1024;

/// Who is written to. A seat keeps its number while it is here, so that a round misses nobody.
pub(crate) struct Sweep {
    // `std`: held for an entry, or for copying some, never across an await.
    seats: Mutex<Seats<Arc<Seat>>>,
    turn_len: usize,
}

/// One who is written to until it is dropped.
pub(crate) struct Entry {
    sweep: Arc<Sweep>,
    number: usize,
}

impl Sweep {
    /// Writes to `turn_len` at a time, at least to one, then others have their turn.
    pub(crate) fn new(turn_len: usize) -> Self {
        Self { seats: Mutex::default(), turn_len: turn_len.max(1) }
    }

    /// One more.
    pub(crate) fn enter(self: &Arc<Self>, seat: Arc<Seat>) -> Entry {
        let number = self.seats().enter(seat);
        Entry { sweep: Arc::clone(self), number }
    }

    /// Writes what there is to all of them, until nobody is behind who takes what it is shown. `show` makes a new one
    /// for each turn: the later are shown what has come meanwhile too.
    pub(crate) async fn round<S: Show>(&self, show: impl Fn() -> S) {
        let mut is_over = false;
        while !is_over {
            is_over = true;
            let mut from = 0;
            loop {
                let some = self.seats().some(from, self.turn_len);
                if some.is_empty() {
                    break;
                }
                let (mut show, mut written) = (show(), 0);
                for (number, seat) in some {
                    let Swept { len, more } = seat.sweep(&mut show);
                    is_over &= !more;
                    from = number + 1;
                    written += len;
                    if written >= TURN_BYTES_MAX {
                        break;
                    }
                }
                drop(show);
                yield_now().await;
            }
        }
    }

    fn seats(&self) -> MutexGuard<'_, Seats<Arc<Seat>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.sweep.seats().leave(self.number);
    }
}

/// Seats by number, as few numbers as there can be.
struct Seats<T> {
    /// The last is none that is empty.
    numbered: Vec<Option<T>>,
    /// The numbers of the empty ones.
    free: BTreeSet<usize>,
}

impl<T> Default for Seats<T> {
    fn default() -> Self {
        Self { numbered: Vec::new(), free: BTreeSet::new() }
    }
}

impl<T: Clone> Seats<T> {
    /// The lowest free number.
    fn enter(&mut self, seat: T) -> usize {
        let number = self.free.pop_first().unwrap_or(self.numbered.len());
        match self.numbered.get_mut(number) {
            Some(place) => *place = Some(seat),
            None => self.numbered.push(Some(seat)),
        }
        number
    }

    fn leave(&mut self, number: usize) {
        if self.numbered.get_mut(number).and_then(Option::take).is_some() {
            self.free.insert(number);
        }
        while self.numbered.pop_if(|last| last.is_none()).is_some() {
            self.free.remove(&self.numbered.len());
        }
    }

    /// The next `len` from a number on; none: nobody is there.
    fn some(&self, from: usize, len: usize) -> Vec<(usize, T)> {
        let rest = self.numbered.iter().enumerate().skip(from);
        rest.filter_map(|(number, seat)| Some((number, seat.clone()?))).take(len).collect()
    }
}

#[cfg(test)]
mod tests;

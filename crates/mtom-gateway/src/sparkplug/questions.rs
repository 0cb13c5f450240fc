//! Whom to ask for births, and how often. What was asked stays asked, also when its batch could not be written.

use mtom_protocol::time::UnixMicros;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A node is asked for its births no more often than that.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(30);
/// One whose births cannot be taken is asked ever more seldom, down to that.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// Nodes that were asked of late. Full: no further one is asked until one of them may be asked again.
pub(super) const ASKED_LEN_MAX: usize = 1_000;

/// When a node was asked.
struct Asked {
    at: UnixMicros,
    /// It is not asked again before that is over.
    pause: Duration,
    /// A birth has come since, and could not be taken.
    is_refused: bool,
}

impl Asked {
    /// A clock that was put back asks again, too.
    fn is_soon(&self, now: UnixMicros) -> bool {
        self.at <= now && now.since(self.at) < self.pause
    }
}

/// Whom to ask.
#[derive(Default)]
pub(super) struct Questions {
    asked: HashMap<Arc<str>, Asked>,
    wanted: Vec<Arc<str>>,
    count: u64,
}

impl Questions {
    /// Asks that node, unless it is too soon.
    pub(super) fn want(&mut self, name: &Arc<str>, now: UnixMicros) {
        match self.asked.get_mut(name) {
            Some(asked) if asked.is_soon(now) => return,
            Some(asked) => {
                let pause = if asked.is_refused { asked.pause } else { PAUSE_MIN };
                *asked = Asked { at: now, pause, is_refused: false };
            }
            None => {
                if !self.note(name, now, false) {
                    return;
                }
            }
        }
        self.count += 1;
        self.wanted.push(Arc::clone(name));
    }

    /// A birth of that node or of a device behind it cannot be taken: the next would be no other.
    pub(super) fn refused(&mut self, name: &Arc<str>, now: UnixMicros) {
        match self.asked.get_mut(name) {
            Some(asked) if asked.is_refused => {}
            Some(asked) => {
                asked.is_refused = true;
                asked.pause = (asked.pause * 2).min(PAUSE_MAX);
            }
            None => {
                self.note(name, now, true);
            }
        }
    }

    fn note(&mut self, name: &Arc<str>, now: UnixMicros, is_refused: bool) -> bool {
        if self.asked.len() >= ASKED_LEN_MAX {
            self.asked.retain(|_, asked| asked.is_soon(now));
            if self.asked.len() >= ASKED_LEN_MAX {
                return false;
            }
        }
        let asked = Asked { at: now, pause: PAUSE_MIN, is_refused };
        self.asked.insert(Arc::clone(name), asked);
        true
    }

    /// Whom to ask now.
    pub(super) fn take(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.wanted)
    }

    /// How often one was to be asked.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}

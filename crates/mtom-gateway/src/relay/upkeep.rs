//! When the journal is tidied: between batches, in proportion to what they bring.

use crate::drain::Progress;
use crate::settings::disk_free;
use mtom_protocol::time::UnixMicros;
use mtom_store::journal::Journal;
use mtom_store::latency::Hop;
use mtom_store::retention::{Keep, Step};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether there is anything to do, while readings come.
const PERIOD: Duration = Duration::from_secs(2);
/// And while none come.
const IDLE_PERIOD: Duration = Duration::from_secs(60);
/// Between steps while there is more to do and nothing comes: the disk is for others too.
const BREATH: Duration = Duration::from_millis(20);
/// The most steps between two batches: some tens of milliseconds.
const STEPS_MAX: u32 = 4;

/// Forgets what is too old or too much.
pub(crate) struct Upkeep {
    keep: Keep,
    /// Where the journal is; asked for the room that its disk has.
    folder: PathBuf,
    next_at: UnixMicros,
    /// The last call did not do everything.
    has_more: bool,
    /// How far another database is; what it lacks is not forgotten.
    drain: Option<Arc<Progress>>,
    failing: bool,
    is_warned: bool,
}

impl Upkeep {
    pub(crate) fn new(keep: Keep, folder: PathBuf, drain: Option<Arc<Progress>>) -> Self {
        Self {
            keep,
            folder,
            next_at: UnixMicros(0),
            has_more: true,
            drain,
            failing: false,
            is_warned: false,
        }
    }

    /// Takes over how far the other database is.
    pub(super) fn follow(&mut self, journal: &mut Journal, now: UnixMicros) {
        let Some(drain) = &self.drain else { return };
        let (drained, rejects, latencies) = drain.take();
        for (span, count) in latencies {
            journal.took(Hop::StoredToDrained, now, span, count);
        }
        match journal.set_drained(drained, rejects) {
            Ok(()) => self.keep.drained = Some((drained, rejects)),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "how far the database is cannot be written down");
            }
        }
    }

    /// How long the relay may sleep when nothing comes.
    pub(super) fn wait_max(&self) -> Duration {
        if self.has_more { BREATH } else { IDLE_PERIOD }
    }

    /// Once each time that readings begin to go because of the disk.
    fn warn(&mut self, step: Step, disk_free: Option<u64>) {
        if step.for_disk && !std::mem::replace(&mut self.is_warned, true) {
            tracing::warn!(
                free_megabytes = disk_free.unwrap_or(0) / 1_000_000,
                "the disk is nearly full: the oldest readings are deleted until it has \
                 store.min_free_megabytes again; make room, or move data.dir"
            );
        } else if !step.has_more {
            self.is_warned = false;
        }
    }

    /// A few steps, where it is time. `batch_len` readings came since the last call.
    pub(super) fn run(&mut self, journal: &mut Journal, now: UnixMicros, batch_len: usize) {
        if now < self.next_at {
            return;
        }
        self.follow(journal, now);
        let disk_free = disk_free(&self.folder);
        let (mut deleted, mut has_more) = (0, true);
        for _ in 0..STEPS_MAX {
            match journal.forget(&self.keep, now, disk_free) {
                Ok(step) => {
                    self.failing = false;
                    self.warn(step, disk_free);
                    deleted += step.deleted;
                    has_more = step.has_more;
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "old readings cannot be deleted: it is tried again");
                    }
                    has_more = false;
                }
            }
            // Twice what came, so that a file that is too large becomes smaller.
            if !has_more || deleted > 2 * batch_len as u64 {
                break;
            }
        }
        self.has_more = has_more;
        self.next_at = now.saturating_add(if has_more { Duration::ZERO } else { PERIOD });
    }
}

//! A journal and its model, side by side through a schedule.

use crate::compare::compare;
use crate::folder;
use crate::model::{Model, SECOND};
use crate::schedule::{End, Item, NOW, Taken, Turn};
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_store::batch::Batch;
use mtom_store::journal::Journal;
use mtom_store::record::{Reject, Stored};
use mtom_store::retention::Keep;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A planted bug, which the comparison has to catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    /// Done to the file when the journal is closed.
    Sql(&'static str),
    /// A sync that syncs nothing.
    Unsynced,
    /// A write that is still in the memory of the process.
    Unwritten,
    /// A batch that is killed leaves what it had.
    Torn,
    /// Nobody knows that the sums lack what was written ahead of them.
    Unsummed,
    /// Retention takes what another database lacks.
    Undrained,
    /// Retention keeps a slot too few.
    TooEarly,
    /// An import that counts for the time of its arrival.
    ImportArrives,
    /// A device's clock is always believed.
    ClockBelieved,
    /// A page that begins one too far behind the page before.
    CursorSkips,
}

struct World {
    home: TempDir,
    journal: Option<Journal>,
    model: Model,
    /// As of the last sync, and how long the log was then.
    synced: (Model, u64),
    clock: i64,
    tried: Vec<Reading>,
    bug: Bug,
}

/// Runs a schedule; says what is not as the model says.
pub(crate) fn check(turns: &[Turn], bug: Bug) -> Result<(), String> {
    let home = folder();
    let mut world = World {
        journal: None,
        model: Model::default(),
        synced: (Model::default(), 0),
        clock: NOW,
        tried: Vec::new(),
        bug,
        home,
    };
    world.open();
    for turn in turns {
        world.clock += SECOND;
        world.turn(turn)?;
    }
    world.compare()?;
    world.turn(&Turn::Restart)
}

impl World {
    fn path(&self) -> PathBuf {
        self.home.path().join("mtom.db")
    }

    fn open(&mut self) {
        self.journal = Some(Journal::open(&self.path(), UnixMicros(self.clock)).unwrap());
        self.note_synced();
    }

    fn journal(&mut self) -> &mut Journal {
        self.journal.as_mut().unwrap()
    }

    fn note_synced(&mut self) {
        let log = self.home.path().join("mtom.db-wal");
        self.synced = (self.model.clone(), std::fs::metadata(log).unwrap().len());
    }

    fn compare(&self) -> Result<(), String> {
        compare(self.journal.as_ref().unwrap(), &self.model, self.bug)
    }

    fn turn(&mut self, turn: &Turn) -> Result<(), String> {
        match turn {
            Turn::Batch { items, end } => return self.batch(items, *end),
            Turn::Sync => self.sync(),
            Turn::Crash => {
                self.crash(u64::MAX);
                return self.compare();
            }
            Turn::PowerCut => {
                let (model, log_len) = self.synced.clone();
                self.model = model;
                self.crash(log_len);
                return self.compare();
            }
            Turn::Restart => {
                self.journal = None;
                if let Bug::Sql(sql) = self.bug {
                    rusqlite::Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
                }
                self.open();
                return self.compare();
            }
            Turn::Drained(percent) => {
                let id = self.model.counts.stored * percent / 100;
                self.journal().set_drained(id, 0).unwrap();
                self.model.drained = self.model.drained.max(id);
            }
            Turn::Forget { raw, sums, keeps_undrained } => {
                self.forget(*raw, *sums, *keeps_undrained);
                return self.compare();
            }
        }
        Ok(())
    }

    fn sync(&mut self) {
        self.journal().sync().unwrap();
        if self.bug == Bug::Unsynced {
            self.synced.0 = self.model.clone();
        } else {
            self.note_synced();
        }
    }

    /// Goes on with the files as they are, the log cut to a length.
    fn crash(&mut self, log_len: u64) {
        let copy = folder();
        copy_files(self.home.path(), copy.path(), log_len);
        self.home = copy;
        self.open();
    }

    fn forget(&mut self, raw: Option<i64>, sums: Option<i64>, keeps_undrained: bool) {
        let up_to = (self.model.drained, self.model.counts.rejected / 2);
        let is_early = i64::from(self.bug == Bug::TooEarly) * 5 * SECOND;
        let age = |age: i64| Duration::from_micros(age.unsigned_abs());
        let keep = Keep {
            raw: raw.map(|raw| age(raw - is_early)),
            rollups: sums.map(age),
            drained: (keeps_undrained && self.bug != Bug::Undrained).then_some(up_to),
            ..Keep::default()
        };
        let now = UnixMicros(self.clock);
        while self.journal().forget(&keep, now, None).unwrap().has_more {}
        let before = |age: Option<i64>| age.map(|age| now.0 - age);
        let up_to = if keeps_undrained { up_to } else { (u64::MAX, u64::MAX) };
        self.model.forget(before(raw), before(sums), up_to);
    }

    fn batch(&mut self, items: &[Item], end: End) -> Result<(), String> {
        let mut model = self.model.clone();
        let mut batch = self.journal.as_mut().unwrap().begin().unwrap();
        for item in items {
            let scene = (&mut self.clock, &mut self.tried, self.bug);
            put(&mut batch, &mut model, item, scene)?;
        }
        match end {
            End::Commit | End::Write => {
                if self.bug == Bug::Unwritten && matches!(end, End::Write) {
                    drop(batch);
                } else {
                    batch.write().unwrap();
                }
                self.model = model;
                if matches!(end, End::Commit) {
                    self.sync();
                }
            }
            End::Ahead => {
                batch.write_ahead(true).unwrap();
                self.model = model;
                self.journal().sum_up();
            }
            End::AheadCrash => {
                batch.write_ahead(true).unwrap();
                self.model = model;
                if self.bug == Bug::Unsummed {
                    let sql = "UPDATE total SET summed_reading_id = reading_id_last";
                    rusqlite::Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
                }
                self.crash(u64::MAX);
                return self.compare();
            }
            End::Drop => drop(batch),
            End::Crash => {
                let copy = folder();
                if self.bug == Bug::Torn {
                    batch.write().unwrap();
                    copy_files(self.home.path(), copy.path(), u64::MAX);
                } else {
                    copy_files(self.home.path(), copy.path(), u64::MAX);
                    drop(batch);
                }
                self.home = copy;
                self.open();
                return self.compare();
            }
        }
        Ok(())
    }
}

fn copy_files(from: &Path, to: &Path, log_len: u64) {
    for name in ["mtom.db", "mtom.db-wal"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let log = std::fs::File::options().write(true).open(to.join("mtom.db-wal")).unwrap();
    log.set_len(log_len.min(log.metadata().unwrap().len())).unwrap();
}

/// One item to both.
fn put(
    batch: &mut Batch<'_>,
    model: &mut Model,
    item: &Item,
    (clock, tried, bug): (&mut i64, &mut Vec<Reading>, Bug),
) -> Result<(), String> {
    let (stored, expected) = match item {
        Item::Reading { what, taken_after, pause } => {
            *clock += pause;
            let reading = what.reading(taken_after.map(|after| *clock + after));
            tried.push(reading.clone());
            arrive(batch, model, &reading, *clock, bug)
        }
        Item::Again(back) => {
            let Some(reading) = tried.len().checked_sub(back + 1).map(|at| tried[at].clone())
            else {
                return Ok(());
            };
            arrive(batch, model, &reading, *clock, bug)
        }
        Item::Reject => {
            let arrived_at = UnixMicros(*clock);
            let reject = Reject { topic: "t", payload: b"?", code: "c", reason: "r", arrived_at };
            batch.reject(&reject).unwrap();
            model.reject(*clock);
            return Ok(());
        }
        Item::Import { what, after, taken } => {
            let at = UnixMicros(NOW + after);
            let taken_at = match taken {
                Taken::Nothing => None,
                Taken::Believed => Some(at.0),
                Taken::Suspect => Some(SECOND),
            };
            let row = StoredReading {
                id: 7,
                at,
                arrived_at: UnixMicros(at.0 + SECOND),
                suspect: matches!(taken, Taken::Suspect),
                reading: what.reading(taken_at),
            };
            let stored = if bug == Bug::ImportArrives {
                batch.reading(&row.reading, UnixMicros(*clock)).unwrap()
            } else {
                batch.import(&row).unwrap()
            };
            (stored, model.store(row))
        }
    };
    let stored = if let Stored::New(row) = stored { Some(row) } else { None };
    // Planted bugs are to be found by readers, not here.
    if stored == expected || bug != Bug::None {
        return Ok(());
    }
    Err(format!("{item:?} was stored as {stored:?} instead of {expected:?}"))
}

fn arrive(
    batch: &mut Batch<'_>,
    model: &mut Model,
    reading: &Reading,
    clock: i64,
    bug: Bug,
) -> (Stored, Option<StoredReading>) {
    let mut clock_of_journal = clock;
    if let (Bug::ClockBelieved, Some(taken_at)) = (bug, reading.taken_at) {
        clock_of_journal = taken_at.0.max(0);
    }
    let stored = batch.reading(reading, UnixMicros(clock_of_journal)).unwrap();
    (stored, model.arrive(reading, clock))
}

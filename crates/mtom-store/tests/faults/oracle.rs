//! Judges what a new journal reads after a fault, by what the child had said before it.

use crate::child::{Said, in_full};
use crate::plan::{Held, Item, Plan, Row, START, serial};
use mtom_protocol::reading::StoredReading;
use mtom_store::history::{History, PageQuery};
use mtom_store::journal::Journal;
use mtom_store::record::{Counts, ORIGINAL_PAGE_LEN, Stored};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What was said, as sets.
#[derive(Default)]
pub(crate) struct Expected {
    /// Sent, meant to be kept, and not refused.
    possible: BTreeSet<usize>,
    acked: BTreeSet<usize>,
    numbers_reserved: u64,
}

impl Expected {
    pub(crate) fn of(plan: &Plan, said: &[Said]) -> Self {
        let undone = plan.undone();
        let mut expected = Self::default();
        for line in said {
            match line {
                Said::Sent(batch) if !undone.contains(batch) => {
                    expected.possible.insert(*batch);
                }
                Said::Failed(batch, _) => {
                    expected.possible.remove(batch);
                }
                Said::Acked(batch) => {
                    expected.acked.insert(*batch);
                }
                Said::Reserved(number) => expected.numbers_reserved = *number,
                _ => {}
            }
        }
        expected
    }

    /// Where only the process died and no power was lost: what was written must be there too.
    pub(crate) fn with_written(mut self, said: &[Said]) -> Self {
        let written = said.iter().filter_map(|line| match line {
            Said::Written(batch) => Some(*batch),
            _ => None,
        });
        self.acked.extend(written);
        self
    }
}

/// Opens the database and compares; `Err` says what is wrong. Leaves it with one reading more.
pub(crate) fn judge(database: &Path, plan: &Plan, expected: &Expected) -> Result<(), String> {
    let journal = Journal::open(database, START)
        .map_err(|error| format!("it does not open: {}", in_full(&error)))?;
    judge_open(journal, database, plan, expected)
}

/// The same, of a journal that did open.
pub(crate) fn judge_open(
    mut journal: Journal,
    database: &Path,
    plan: &Plan,
    expected: &Expected,
) -> Result<(), String> {
    let history = journal.history();
    let read = Read::all(&journal, &history).map_err(|error| in_full(&*error))?;
    let stored = stored_batches(plan, &read.held);
    let lost: Vec<_> = expected.acked.difference(&stored).collect();
    if !lost.is_empty() {
        return Err(format!("acknowledged and lost: batches {lost:?}"));
    }
    let invented: Vec<_> = stored.difference(&expected.possible).collect();
    if !invented.is_empty() {
        return Err(format!("stored and never to be stored: batches {invented:?}"));
    }
    // Batches reach the disk in their order: without one there is none of those behind it.
    if let Some(last) = stored.last()
        && let Some(gap) = expected.possible.range(..last).find(|batch| !stored.contains(batch))
    {
        return Err(format!("batch {gap} is missing, and {last} behind it is stored"));
    }
    compare(&plan.outcome(&stored), &read.held)?;
    read.check_itself(&history)?;
    let first = journal.reserve_command_numbers(1).map_err(|error| in_full(&error))?.start;
    if first <= expected.numbers_reserved {
        let last = expected.numbers_reserved;
        return Err(format!("command number {first} is given out again after {last}"));
    }
    goes_on(&mut journal, &read.held)?;
    drop(journal);
    sound(database)
}

/// Those whose first reading is there; nothing else stores it.
fn stored_batches(plan: &Plan, held: &Held) -> BTreeSet<usize> {
    let is_stored = |(_, batch): &(usize, &crate::plan::Batch)| match batch.items.first() {
        Some(Item::Reading(reading)) => held.rows.contains_key(&serial(reading)),
        _ => false,
    };
    plan.batches.iter().enumerate().filter(is_stored).map(|(number, _)| number).collect()
}

fn compare(expected: &Held, found: &Held) -> Result<(), String> {
    let Held { rows, duplicates, rejects, rule_state, commands } = expected;
    for serial in rows.keys().chain(found.rows.keys()) {
        let (expected, found) = (rows.get(serial), found.rows.get(serial));
        if expected != found {
            return Err(format!("reading {serial}: expected {expected:?}, found {found:?}"));
        }
    }
    if (duplicates, commands) != (&found.duplicates, &found.commands) {
        return Err(format!(
            "expected {duplicates} duplicates and {commands} commands, found {} and {}",
            found.duplicates, found.commands
        ));
    }
    if rejects != &found.rejects {
        return Err(format!("rejects: expected {rejects:?}, found {:?}", found.rejects));
    }
    if rule_state != &found.rule_state {
        return Err("the state of the rules is another batch's".into());
    }
    Ok(())
}

/// What the readers say.
struct Read {
    held: Held,
    /// In the order of pages.
    rows: Vec<StoredReading>,
    counts: Counts,
}

impl Read {
    fn all(
        journal: &Journal,
        history: &History,
    ) -> Result<Self, Box<dyn std::error::Error + 'static>> {
        let mut rows = Vec::new();
        let mut query = PageQuery { limit: 500, ..PageQuery::default() };
        loop {
            let page = history.page(&query)?;
            rows.extend(page.rows);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        let counts = history.counts()?;
        if counts != journal.counts() {
            return Err("the journal and its readers count differently".into());
        }
        let mut held = Held {
            duplicates: counts.duplicate,
            rule_state: journal.rule_states()?.pop().map(|(_, state)| state),
            commands: history.commands(usize::MAX)?.len() as u64,
            ..Held::default()
        };
        held.rejects =
            history.rejects(None, usize::MAX)?.into_iter().map(|row| row.reason).collect();
        held.rejects.reverse();
        for row in &rows {
            let StoredReading { at, arrived_at, suspect, ref reading, .. } = *row;
            let reading = reading.clone();
            let serial = serial(&reading);
            let row = Row { reading, arrived_at, at, suspect };
            if held.rows.insert(serial, row).is_some() {
                return Err(format!("reading {serial} is stored twice").into());
            }
        }
        Ok(Self { held, rows, counts })
    }

    /// Whether sums, orders and short cuts agree with the rows.
    fn check_itself(&self, history: &History) -> Result<(), String> {
        let Self { rows, counts, held } = self;
        if counts.stored != rows.len() as u64 || counts.rejected != held.rejects.len() as u64 {
            return Err(format!("{counts:?} of {} readings", rows.len()));
        }
        if !rows.is_sorted_by(|a, b| (a.at, a.id) < (b.at, b.id)) {
            return Err("the pages are not in order".into());
        }
        let temperatures: Vec<_> =
            rows.iter().filter(|row| row.reading.unit.is_temperature()).collect();
        let len = temperatures.len();
        for offset in [0, 1, len / 3, len / 2, len.saturating_sub(1), len, len + 1] {
            let page = history.original_page(offset as u64).map_err(|error| in_full(&error))?;
            let expected: Vec<_> =
                temperatures.iter().skip(offset).take(ORIGINAL_PAGE_LEN).copied().collect();
            if page.iter().collect::<Vec<_>>() != expected {
                return Err(format!("database:{offset} shows other rows than the pages do"));
            }
        }
        let mut newest = BTreeMap::new();
        for row in rows {
            newest.insert((row.reading.device.clone(), row.reading.quantity.clone()), row);
        }
        let latest = history.latest().map_err(|error| in_full(&error))?;
        if latest.iter().ne(newest.into_values()) {
            return Err("the newest readings are not those of the pages".into());
        }
        Ok(())
    }
}

/// The journal takes what is new, and knows what it has.
fn goes_on(journal: &mut Journal, held: &Held) -> Result<(), String> {
    let failed = |error: mtom_store::error::StoreError| in_full(&error);
    let mut batch = journal.begin().map_err(failed)?;
    let keyed = held.rows.values().rev().filter(|row| row.reading.key.is_some());
    for row in keyed.take(5) {
        let stored = batch.reading(&row.reading, START).map_err(failed)?;
        if let Stored::New(_) = stored {
            return Err(format!("reading {} is stored a second time", row.reading.value));
        }
    }
    if let Some(row) = held.rows.values().next() {
        let mut reading = row.reading.clone();
        reading.key = None;
        batch.reading(&reading, START).map_err(failed)?;
    }
    batch.commit().map_err(failed)
}

/// SQLite's own, whole check, by a connection that knows nothing of mtom.
pub(crate) fn sound(database: &Path) -> Result<(), String> {
    let ask = || -> rusqlite::Result<String> {
        let plain = rusqlite::Connection::open(database)?;
        plain.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
    };
    match ask() {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(format!("integrity_check: {verdict}")),
        Err(error) => Err(format!("integrity_check: {error}")),
    }
}

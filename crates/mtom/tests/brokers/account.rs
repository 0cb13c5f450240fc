//! Who has what in the end: what the broker took, what it delivered, what was acknowledged to it, what is stored.

use crate::link::Seen;
use crate::packets::number_at;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::PageQuery;
use mtom_store::journal::Journal;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Acknowledged by the broker to the device.
    pub(crate) taken: usize,
    /// Readings in the history.
    pub(crate) stored: usize,
    /// Acknowledged to the broker, and not stored: our loss.
    pub(crate) lost: Vec<u64>,
    /// Stored more than once.
    pub(crate) twice: Vec<u64>,
    /// Never acknowledged to the broker, which does not have it any more: its loss.
    pub(crate) lost_by_broker: Vec<u64>,
    /// Those of them that it had delivered before it forgot them.
    pub(crate) forgotten_after_delivery: usize,
    /// Readings that came more than once.
    pub(crate) delivered_again: u64,
}

impl Account {
    pub(crate) fn new(taken: &BTreeSet<u64>, seen: &Seen, stored: &BTreeMap<u64, usize>) -> Self {
        let is_stored = |number: &u64| stored.contains_key(number);
        let missing = taken.iter().copied().filter(|number| !is_stored(number));
        let (_, lost_by_broker): (Vec<u64>, Vec<u64>) =
            missing.partition(|number| seen.acknowledged.contains(number));
        let forgotten = lost_by_broker.iter().filter(|number| seen.delivered.contains(number));
        Self {
            taken: taken.len(),
            stored: stored.values().sum(),
            // Also what the broker never acknowledged to the device.
            lost: seen.acknowledged.iter().copied().filter(|number| !is_stored(number)).collect(),
            twice: stored.iter().filter(|(_, count)| **count > 1).map(|(n, _)| *n).collect(),
            forgotten_after_delivery: forgotten.count(),
            lost_by_broker,
            delivered_again: seen.delivered_again,
        }
    }
}

/// How often each number is in the history of `dir`.
pub(crate) fn stored(dir: &Path) -> BTreeMap<u64, usize> {
    let journal = Journal::open(&dir.join("mtom.db"), UnixMicros(0)).unwrap();
    let history = journal.history();
    let mut found = BTreeMap::new();
    let mut query = PageQuery { limit: 1_000, ..PageQuery::default() };
    loop {
        let page = history.page(&query).unwrap();
        for row in page.rows {
            *found.entry(number_at(row.reading.value)).or_insert(0) += 1;
        }
        let Some(next) = page.next else { return found };
        query.after = Some(next);
    }
}

#[test]
fn each_loss_is_laid_at_the_right_door() {
    let seen = Seen {
        delivered: BTreeSet::from([1, 2, 3]),
        acknowledged: BTreeSet::from([1, 2]),
        ..Seen::default()
    };
    let account = Account::new(&BTreeSet::from([1, 2, 3, 4]), &seen, &BTreeMap::from([(1, 2)]));
    let expected = Account {
        taken: 4,
        stored: 2,
        lost: vec![2],
        twice: vec![1],
        lost_by_broker: vec![3, 4],
        forgotten_after_delivery: 1,
        delivered_again: 0,
    };
    assert_eq!(account, expected);
}

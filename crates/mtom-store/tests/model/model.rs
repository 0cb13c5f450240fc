//! What a history is: rows, the keys it has seen, totals and marks. Nothing here knows of SQL.

use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_store::record::Counts;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// Retention takes readings by so wide spans.
const SLOT: i64 = 5 * SECOND;

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) rows: Vec<StoredReading>,
    /// What the sums of minutes, hours and days are made of.
    pub(crate) sums: [Vec<StoredReading>; 3],
    /// Series, boot and number.
    pub(crate) keys: BTreeSet<(String, String, u64)>,
    pub(crate) counts: Counts,
    /// Number and arrival of those that are still there.
    pub(crate) rejects: Vec<(u64, i64)>,
    pub(crate) drained: u64,
}

impl Model {
    pub(crate) fn arrive(&mut self, reading: &Reading, arrived_at: i64) -> Option<StoredReading> {
        let plausible = (arrived_at - 30 * DAY).max(0)..=arrived_at + 5 * MINUTE;
        let believed = reading.taken_at.filter(|at| plausible.contains(&at.0));
        let at = believed.unwrap_or(UnixMicros(arrived_at));
        let suspect = reading.taken_at.is_some() && believed.is_none();
        let arrived_at = UnixMicros(arrived_at);
        self.store(StoredReading { id: 0, at, arrived_at, suspect, reading: reading.clone() })
    }

    /// Also what another history brings. `None`: it was there.
    pub(crate) fn store(&mut self, row: StoredReading) -> Option<StoredReading> {
        if let Some(key) = &row.reading.key
            && !self.keys.insert((series(&row.reading), key.boot.to_string(), key.seq))
        {
            self.counts.duplicate += 1;
            return None;
        }
        self.counts.stored += 1;
        let row = StoredReading { id: self.counts.stored, ..row };
        self.rows.push(row.clone());
        self.sums.iter_mut().for_each(|sums| sums.push(row.clone()));
        Some(row)
    }

    pub(crate) fn reject(&mut self, arrived_at: i64) {
        self.counts.rejected += 1;
        self.rejects.push((self.counts.rejected, arrived_at));
    }

    /// Readings and rejects before a time, up to a number each; then sums before another time, but
    /// never while there are readings in them or before them, and not those with a series' newest.
    pub(crate) fn forget(&mut self, raw: Option<i64>, sums: Option<i64>, up_to: (u64, u64)) {
        if let Some(before) = raw {
            self.rows.retain(|row| row.at.0 / SLOT >= before / SLOT || row.id > up_to.0);
            self.rejects.retain(|(id, arrived_at)| *arrived_at >= before || *id > up_to.1);
        }
        if let Some(before) = sums {
            let oldest = self.rows.iter().map(|row| row.at.0).min().unwrap_or(i64::MAX);
            let mut newest = BTreeMap::new();
            for row in &self.sums[2] {
                let at = newest.entry(series(&row.reading)).or_insert(0);
                *at = row.at.0.max(*at);
            }
            for (sums, width) in self.sums.iter_mut().zip([MINUTE, HOUR]) {
                sums.retain(|row| {
                    row.at.0 / width >= before.min(oldest) / width
                        || row.at.0 / width == newest[&series(&row.reading)] / width
                });
            }
        }
    }

    /// In the order of pages.
    pub(crate) fn by_time(&self) -> Vec<StoredReading> {
        let mut rows = self.rows.clone();
        rows.sort_by_key(|row| (row.at, row.id));
        rows
    }

    /// Series, boot, and how many of its numbers never arrived, where any did not.
    pub(crate) fn missing(&self) -> Vec<(String, String, u64)> {
        let keys: Vec<_> = self.keys.iter().collect();
        let boots = keys.chunk_by(|a, b| (&a.0, &a.1) == (&b.0, &b.1));
        let boots = boots.map(|boot| {
            let gap = |pair: &[&(String, String, u64)]| pair[1].2 - pair[0].2 - 1;
            (boot[0].0.clone(), boot[0].1.clone(), boot.windows(2).map(gap).sum())
        });
        boots.filter(|(.., missing)| *missing > 0).collect()
    }
}

/// Device and quantity, and the unit, which makes them another series.
pub(crate) fn series(reading: &Reading) -> String {
    format!("{}/{} {}", reading.device, reading.quantity, reading.unit.symbol())
}

//! The account: what has become of everything that arrived, by series, boot and hop.
//!
//! Everything is counted twice in different ways: totals that only grow, sums of days, and the rows
//! themselves. [`Audit::findings`] says where they do not agree.

use crate::latency::Hop;
use crate::record::Counts;
use rusqlite::{Connection, params};

/// Of each boot at most so many gaps are listed; all are counted.
const GAPS_LEN_MAX: usize = 20;
/// At most so many boots with gaps are listed.
const BOOTS_LEN_MAX: usize = 1_000;
/// At most so many topics with rejects are listed.
const TOPICS_LEN_MAX: i64 = 1_000;

/// The account of a database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audit {
    /// Totals since the file was made.
    pub totals: Counts,
    /// Readings in the file.
    pub readings: u64,
    /// Readings that retention has taken.
    pub readings_deleted: u64,
    /// Rejects in the file.
    pub rejects: u64,
    /// Rejects that retention has taken.
    pub rejects_deleted: u64,
    /// Up to which reading another database has everything; 0 without one.
    pub drained_id: u64,
    /// The newest reading's number.
    pub last_id: u64,
    /// Readings that come into the sums next.
    pub unsummed: u64,
    /// What each series has.
    pub series: Vec<SeriesAudit>,
    /// What was rejected on each topic, as far as it is still there.
    pub rejected: Vec<RejectedTopic>,
    /// Boots of devices whose numbers have gaps.
    pub gaps: Vec<BootGaps>,
    /// How long each hop took, over all hours.
    pub latencies: Vec<HopLatency>,
}

/// What a series has.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesAudit {
    /// The device.
    pub device: String,
    /// The quantity.
    pub quantity: String,
    /// The unit's symbol.
    pub unit: String,
    /// Readings that were stored since the file was made.
    pub stored: u64,
    /// Readings that were there already.
    pub duplicate: u64,
}

/// What was rejected on a topic for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedTopic {
    /// The topic.
    pub topic: String,
    /// The reason's word.
    pub code: String,
    /// How many.
    pub count: u64,
}

/// Numbers of one boot that never arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootGaps {
    /// The device.
    pub device: String,
    /// The quantity.
    pub quantity: String,
    /// The boot.
    pub boot: String,
    /// The lowest number that arrived.
    pub first: u64,
    /// The highest.
    pub last: u64,
    /// How many between them did not.
    pub missing: u64,
    /// The first of the gaps, each from and to its ends.
    pub gaps: Vec<(u64, u64)>,
}

/// How long a hop took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopLatency {
    /// Which part of the path.
    pub hop: Hop,
    /// How many readings.
    pub count: u64,
    /// Half of them took at most so many microseconds, to a factor of two.
    pub p50_micros: u64,
    /// 99 of 100.
    pub p99_micros: u64,
    /// All of them.
    pub max_micros: u64,
}

impl Audit {
    /// Where two ways of counting do not agree. Empty: everything adds up.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let mut check = |what: &str, found: u64, expected: u64| {
            if found != expected {
                findings.push(format!("{what}: {found} instead of {expected}"));
            }
        };
        let sum = |count: fn(&SeriesAudit) -> u64| self.series.iter().map(count).sum::<u64>();
        check(
            "readings in the file and deleted ones",
            self.readings + self.readings_deleted,
            self.totals.stored,
        );
        let summed = sum(|series| series.stored);
        check("readings in the sums of days", summed + self.unsummed, self.totals.stored);
        check(
            "rejects in the file and deleted ones",
            self.rejects + self.rejects_deleted,
            self.totals.rejected,
        );
        let duplicate = sum(|series| series.duplicate);
        // Files of version 1 counted duplicates without their series.
        if duplicate > self.totals.duplicate {
            check("duplicates of all series", duplicate, self.totals.duplicate);
        }
        check("the newest reading's number", self.last_id, self.totals.stored);
        findings
    }
}

pub(super) fn audit(connection: &Connection) -> rusqlite::Result<Audit> {
    let mut audit = connection.query_row(
        "SELECT stored, duplicate, rejected, readings_deleted, rejects_deleted,
             drained_reading_id, reading_id_last,
             (SELECT count(*) FROM reading), (SELECT count(*) FROM reject),
             reading_id_last - summed_reading_id
         FROM total",
        [],
        |row| {
            let number = |column| row.get(column).map(i64::cast_unsigned);
            Ok(Audit {
                totals: Counts { stored: number(0)?, duplicate: number(1)?, rejected: number(2)? },
                readings_deleted: number(3)?,
                rejects_deleted: number(4)?,
                drained_id: number(5)?,
                last_id: number(6)?,
                readings: number(7)?,
                rejects: number(8)?,
                unsummed: number(9)?,
                ..Audit::default()
            })
        },
    )?;
    audit.series = series(connection)?;
    audit.rejected = rejected(connection)?;
    audit.gaps = gaps(connection)?;
    audit.latencies = latencies(connection)?;
    Ok(audit)
}

fn series(connection: &Connection) -> rusqlite::Result<Vec<SeriesAudit>> {
    connection
        .prepare_cached(
            "SELECT device, quantity, unit,
                 (SELECT ifnull(sum(count), 0) FROM days WHERE series = series.id),
                 (SELECT ifnull(sum(count), 0) FROM duplicate_total WHERE series = series.id)
             FROM series ORDER BY device, quantity, unit",
        )?
        .query_map([], |row| {
            Ok(SeriesAudit {
                device: row.get(0)?,
                quantity: row.get(1)?,
                unit: row.get(2)?,
                stored: row.get(3).map(i64::cast_unsigned)?,
                duplicate: row.get(4).map(i64::cast_unsigned)?,
            })
        })?
        .collect()
}

fn rejected(connection: &Connection) -> rusqlite::Result<Vec<RejectedTopic>> {
    connection
        .prepare_cached(
            "SELECT topic, code, count(*) AS count FROM reject
             GROUP BY topic, code ORDER BY count DESC, topic, code LIMIT ?1",
        )?
        .query_map([TOPICS_LEN_MAX], |row| {
            Ok(RejectedTopic {
                topic: row.get(0)?,
                code: row.get(1)?,
                count: row.get(2).map(i64::cast_unsigned)?,
            })
        })?
        .collect()
}

/// More than one run is a gap. Numbers are u64 as the i64 of the same bits: those from 2^63 on are
/// negative and come last, and a run ends before them though the next number may begin another.
fn gaps(connection: &Connection) -> rusqlite::Result<Vec<BootGaps>> {
    let mut boots = connection.prepare_cached(
        "SELECT series, boot, series.device, series.quantity, boot.name,
             ifnull(min(first) FILTER (WHERE first >= 0), min(first)),
             ifnull(max(last) FILTER (WHERE first < 0), max(last)),
             sum(last - first + 1)
         FROM seq_run
         JOIN series ON series.id = seq_run.series
         JOIN boot ON boot.id = seq_run.boot
         GROUP BY series, boot HAVING count(*) > 1
         ORDER BY series.device, series.quantity, boot",
    )?;
    let mut rows = boots.query([])?;
    let mut found = Vec::new();
    while found.len() < BOOTS_LEN_MAX
        && let Some(row) = rows.next()?
    {
        let number = |column| row.get(column).map(i64::cast_unsigned);
        let (first, last, arrived) = (number(5)?, number(6)?, number(7)?);
        // From 0 to 2^64-1 are one more than u64 holds; what is missing of them is not.
        let missing = last.wrapping_sub(first).wrapping_add(1).wrapping_sub(arrived);
        if missing > 0 {
            found.push(BootGaps {
                device: row.get(2)?,
                quantity: row.get(3)?,
                boot: row.get(4)?,
                first,
                last,
                missing,
                gaps: gaps_of(connection, row.get(0)?, row.get(1)?)?,
            });
        }
    }
    Ok(found)
}

/// The first gaps of one boot.
fn gaps_of(connection: &Connection, series: i64, boot: i64) -> rusqlite::Result<Vec<(u64, u64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT first, last FROM seq_run
         WHERE series = ?1 AND boot = ?2 AND first BETWEEN ?3 AND ?4 ORDER BY first LIMIT ?5",
    )?;
    let mut runs: Vec<(u64, u64)> = Vec::new();
    // One more: where two runs touch at 2^63 there is none between them.
    let runs_max = i64::try_from(GAPS_LEN_MAX + 2).expect("a small number");
    for (from, to) in [(0, i64::MAX), (i64::MIN, -1)] {
        let found = statement.query_map(params![series, boot, from, to, runs_max], |run| {
            let number = |column| run.get(column).map(i64::cast_unsigned);
            Ok((number(0)?, number(1)?))
        })?;
        for run in found {
            runs.push(run?);
        }
    }
    let between = runs.iter().zip(runs.iter().skip(1));
    let gaps = between.filter_map(|((_, last), (first, _))| {
        // Runs have an order, so neither of the two ends is one of u64.
        Some((last.checked_add(1)?, first.checked_sub(1)?)).filter(|(from, to)| from <= to)
    });
    Ok(gaps.take(GAPS_LEN_MAX).collect())
}

fn latencies(connection: &Connection) -> rusqlite::Result<Vec<HopLatency>> {
    let mut statement = connection.prepare_cached(
        "SELECT level, sum(count) FROM latency WHERE hop = ?1 GROUP BY level ORDER BY level",
    )?;
    let mut found = Vec::new();
    for hop in Hop::ALL {
        let levels: Vec<(u32, u64)> = statement
            .query_map([hop as i64], |row| Ok((row.get(0)?, row.get(1).map(i64::cast_unsigned)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let count: u64 = levels.iter().map(|(_, count)| count).sum();
        let within = |parts: u64| {
            let wanted = count.saturating_mul(parts).div_ceil(100);
            let mut seen = 0;
            let level = levels.iter().find(|(_, count)| {
                seen += count;
                seen >= wanted
            });
            level.map_or(0, |(level, _)| 2_u64.saturating_pow(level + 1))
        };
        if count > 0 {
            found.push(HopLatency {
                hop,
                count,
                p50_micros: within(50),
                p99_micros: within(99),
                max_micros: within(100),
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;

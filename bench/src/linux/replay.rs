//! `mtom rules replay` as somebody types it: readings/s of the history, from the start of the process to its
//! end.
//!
//! Beside it, in this process: a bare `SELECT` of the same columns in the same order with the same rule
//! written by hand. Both switch equally often, or there is no table. The file is in the system's cache as far
//! as it fits there. Wall time counts, because the replay reads with threads of its own; CPU time is said
//! below.

use super::folder::Temporary;
use super::rules::Hand;
use super::run::Plan;
use super::table::{Row, Table, median, thousands};
use super::{folder, generate, mtom, proc};
use anyhow::{Context, Result, ensure};
use mtom_protocol::time::UnixMicros;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RATE_MIN: f64 = 2_000_000.0;
const SELECT: &str = "SELECT id, series, topic, at_micros, arrived_after_micros, value FROM reading
                      ORDER BY id";
/// Longer than the rule's own times.
const LEAD: i64 = 60 * generate::SECOND;
const ONE: &str = "house/sensor-0/Temperature";
const ALL: &str = "house/+/Temperature";

/// Measures everything in each round.
pub(crate) fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let count = plan.replayed;
    drop(generate::history(count)?);
    let file = folder::kept()?.join(format!("history-{count}.db"));
    let data = Temporary::new("replay")?;
    // Not a copy: reading changes nothing.
    fs::hard_link(&file, data.path().join("mtom.db"))?;
    let (mut floor, mut one, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let hand = by_hand(&file)?;
        let ours = replay(data.path(), ONE)?;
        let wide = replay(data.path(), ALL)?;
        for (found, what) in [(&hand, "by hand"), (&ours, "one series"), (&wide, "all series")] {
            ensure!(found.readings == count, "{what}: {} of {count} readings", found.readings);
        }
        ensure!(hand.switches == ours.switches, "{} and {} switches", hand.switches, ours.switches);
        floor.push(hand);
        one.push(ours);
        all.push(wide);
    }
    let peer = "bare SELECT and if";
    for (what, ours) in
        [("rules replay, one series", &one), ("rules replay, a hundred series", &all)]
    {
        let rates: Vec<f64> = ours.iter().map(Report::rate).collect();
        let beside: Vec<f64> = floor.iter().map(Report::rate).collect();
        table.row(Row {
            what,
            ours: format!("{}/s", thousands(median(&rates))),
            beside: format!("{}/s", thousands(median(&beside))),
            peer,
            ratios: rates.iter().zip(&beside).map(|(a, b)| a / b).collect(),
            target: format!("≥ {}/s", thousands(RATE_MIN)),
            met: Some(median(&rates) >= RATE_MIN),
        });
    }
    let cpu = |reports: &[Report]| {
        median(&reports.iter().map(|report| report.cpu.as_secs_f64()).collect::<Vec<_>>())
    };
    table.note(format!(
        "replay: {} readings of a hundred series, one rule for one of them or for each; CPU time {:.1} s and \
         {:.1} s in three threads, by hand {:.1} s in one.",
        thousands(count as f64),
        cpu(&one),
        cpu(&all),
        cpu(&floor)
    ));
    Ok(())
}

/// What one run came to.
struct Report {
    readings: u64,
    switches: u64,
    took: Duration,
    cpu: Duration,
}

impl Report {
    fn rate(&self) -> f64 {
        self.readings as f64 / self.took.as_secs_f64()
    }
}

/// Runs the real binary to its end.
fn replay(data: &Path, when: &str) -> Result<Report> {
    let file = data.join("rule.toml");
    let rule = format!(
        "[[rule]]\nname = \"heat lamp\"\nwhen = \"{when}\"\non = \"celsius >= 25.0\"\n\
         off = \"celsius < 24.5\"\nfor = \"10s\"\ndwell = \"5s\"\nmax_age = \"10s\"\nsilent = \"off\"\n\
         then = [{{ actuator = \"TEMP_LED\" }}]\n"
    );
    fs::write(&file, rule)?;
    let begun = Instant::now();
    let mut process = Command::new(mtom::binary()?)
        .args(["rules", "replay", "--format", "json", "--since"])
        .arg(UnixMicros(generate::BEGINNING).rfc3339())
        .arg("--data")
        .arg(data)
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut said = String::new();
    process.stdout.take().context("it has an output")?.read_to_string(&mut said)?;
    let took = begun.elapsed();
    // Before it is waited for, which forgets it.
    let cpu = proc::cpu(process.id())?;
    let status = process.wait()?;
    ensure!(status.success(), "the replay ended with {status}");
    let summary: Value = serde_json::from_str(said.lines().last().context("it said nothing")?)?;
    let readings = summary["readings"].as_u64().context("readings")?;
    let switches = summary["actuators"][0]["new"]["switches"].as_u64().context("switches")?;
    Ok(Report { readings, switches, took, cpu })
}

fn by_hand(file: &Path) -> Result<Report> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let topic: i64 =
        connection.query_row("SELECT id FROM topic WHERE name = ?1", [ONE], |row| row.get(0))?;
    // A replay begins to look some minutes before.
    let mut hand = Hand::silent(generate::BEGINNING - LEAD);
    let (begun, cpu) = (Instant::now(), proc::own_thread_cpu()?);
    let (mut readings, mut switches) = (0, 0);
    let mut statement = connection.prepare(SELECT)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, _series): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (of, at, after): (i64, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let (now, value) = (at + after, row.get(5)?);
        readings += 1;
        switches += u64::from(hand.settle(now - 1).is_some());
        if of == topic {
            let decided = hand.read(ONE, id.cast_unsigned(), at, value, now);
            switches += u64::from(decided.is_some());
        }
    }
    // What comes of time alone, up to now.
    switches += u64::from(hand.settle(i64::MAX).is_some());
    let (took, cpu) = (begun.elapsed(), proc::own_thread_cpu()? - cpu);
    Ok(Report { readings, switches, took, cpu })
}

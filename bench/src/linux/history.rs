//! Pages, charts and the newest readings out of a million, ten million and a hundred million readings.
//!
//! Beside them what the original asks its database for, on a plain table of the same readings. The files
//! are in the system's cache as far as they fit there.

use super::run::Plan;
use super::table::{Grid, Row, Table, median, quantile, thousands};
use super::{folder, generate, proc};
use anyhow::{Result, ensure};
use fastrand::Rng;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::chart::ChartQuery;
use mtom_store::history::{History, PageQuery};
use mtom_store::record::{Cursor, Order};
use rusqlite::{Connection, params};
use std::fs;
use std::time::Instant;

const PAGE_LEN: usize = 100;
const CHART_POINTS: usize = 500;
const PAGE: Option<Target> = Some(Target { millis: 5.0, among: 10_000_000 });
const CHART: Option<Target> = Some(Target { millis: 50.0, among: 100_000_000 });
const MINUTE: i64 = 60 * generate::SECOND;
/// Of the original's query, which takes long.
const ORIGINAL_SAMPLES: usize = 3;
const MILLION: u64 = 1_000_000;
const ORIGINAL: &str = "SELECT * FROM temp ORDER BY time ASC LIMIT ?1, 20";

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    OriginalPage,
    Newest,
    Anywhere,
    OneSeries,
    RareSeries,
    Values,
    ValuesOfAll,
    Chart,
    ChartOfAll,
    Latest,
}

/// What 99 of 100 answers take at most, among so many readings or fewer.
#[derive(Clone, Copy)]
struct Target {
    millis: f64,
    among: u64,
}

const ASKS: [(Ask, &str, Option<Target>); 10] = [
    (Ask::OriginalPage, "database:N, any N", PAGE),
    (Ask::Newest, "page, newest", PAGE),
    (Ask::Anywhere, "page, from anywhere", PAGE),
    (Ask::OneSeries, "page of a series, from anywhere", PAGE),
    (Ask::RareSeries, "page of a rare series", PAGE),
    (Ask::Values, "page of a series, rare values", None),
    (Ask::ValuesOfAll, "page of all series, rare values", None),
    (Ask::Chart, "chart, any range", CHART),
    (Ask::ChartOfAll, "chart, everything", CHART),
    (Ask::Latest, "newest of each series", None),
];

/// Measures each question on each database, and the original's query on the smallest.
pub(crate) fn measure(plan: Plan, counts: &[u64], table: &mut Table) -> Result<()> {
    let mut head = vec!["ms: p50 · p99 (CPU)".to_owned()];
    let mut lines: Vec<Vec<String>> =
        ASKS.iter().map(|(_, what, _)| vec![(*what).into()]).collect();
    let mut worst = vec![0.0_f64; ASKS.len()];
    let mut first = Vec::new();
    for &count in counts {
        println!("  {} readings", thousands(count as f64));
        let history = generate::history(count)?;
        let bytes = history.size()?.len as f64 / count as f64;
        head.push(format!("{} ({bytes:.0} B each)", thousands(count as f64)));
        for ((ask, _, target), (line, worst)) in ASKS.iter().zip(lines.iter_mut().zip(&mut worst)) {
            let times = times(plan, &history, count, *ask)?;
            let (times, cpu): (Vec<f64>, Vec<f64>) = times.into_iter().unzip();
            let [p50, p99] = [0.5, 0.99].map(|part| quantile(&times, part));
            let cpu = quantile(&cpu, 0.99);
            line.push(format!("{p50:.2} · {p99:.2} ({cpu:.2})"));
            if target.is_some_and(|target| count <= target.among) {
                *worst = worst.max(p99);
            }
            if *ask == Ask::OriginalPage && first.is_empty() {
                first = times;
            }
        }
    }
    head.extend(["target of p99".to_owned(), String::new()]);
    for (line, ((_, _, target), worst)) in lines.iter_mut().zip(ASKS.iter().zip(&worst)) {
        let Some(Target { millis, among }) = target else { continue };
        line.push(format!("≤ {millis} ms among {}", thousands(*among as f64)));
        line.push(if worst <= millis { "pass" } else { "BELOW" }.to_owned());
    }
    table.grid(Grid { head, lines });
    if counts.first() == Some(&MILLION) {
        let (ours, theirs) = (median(&first), median(&original(MILLION)?));
        table.row(Row {
            what: "history, database:N of 10^6",
            ours: format!("{ours:.2} ms"),
            beside: format!("{theirs:.0} ms"),
            peer: "original's query",
            ratios: vec![ours / theirs],
            target: String::new(),
            met: None,
        });
    }
    table.note(format!(
        "history: {} samples each; the CPU time is what a question took by itself on a busy computer; pages of {PAGE_LEN} (database:N of 20), charts of {CHART_POINTS} points.",
        plan.samples
    ));
    Ok(())
}

/// Milliseconds of each question, and of the CPU that it took.
fn times(plan: Plan, history: &History, count: u64, ask: Ask) -> Result<Vec<(f64, f64)>> {
    let mut random = Rng::with_seed(7);
    let mut times = Vec::with_capacity(plan.samples);
    // Once more: the first finds no connection and no prepared statement.
    for sample in 0..=plan.samples {
        let (cpu, start) = (proc::own_thread_cpu()?, Instant::now());
        put(history, count, ask, &mut random)?;
        let (took, cpu) = (start.elapsed(), proc::own_thread_cpu()? - cpu);
        if sample > 0 {
            times.push((took.as_secs_f64() * 1_000.0, cpu.as_secs_f64() * 1_000.0));
        }
    }
    Ok(times)
}

/// Asks once, and makes sure that there was an answer.
fn put(history: &History, count: u64, ask: Ask, random: &mut Rng) -> Result<()> {
    let span = generate::at(count - 1) - generate::BEGINNING;
    let device = generate::device(random.u64(0..generate::SERIES));
    let chart = |from, until| {
        let (device, quantity) = (device.clone(), generate::QUANTITY.to_owned());
        let (from, until) = (UnixMicros(from), UnixMicros(until));
        history.chart(&ChartQuery { device, quantity, from, until, points: CHART_POINTS })
    };
    let anywhere = Cursor { at: UnixMicros(generate::at(random.u64(0..count))), id: 0 };
    let page = PageQuery { order: Order::Descending, limit: PAGE_LEN, ..PageQuery::default() };
    let query = match ask {
        Ask::OriginalPage => {
            let rows = history.original_page(random.u64(0..count - 20))?;
            ensure!(rows.len() == 20, "a page of {} rows", rows.len());
            return Ok(());
        }
        Ask::Latest => {
            let rows = history.latest()?.len();
            ensure!(rows as u64 == generate::SERIES + 1, "{rows} series");
            return Ok(());
        }
        Ask::Chart => {
            // Each length is as likely as its double.
            let least = (10 * MINUTE) as f64;
            #[allow(
                clippy::cast_possible_truncation,
                reason = "it is between two whole numbers of microseconds"
            )]
            let width = (least * (span as f64 / least).powf(random.f64())) as i64;
            let from = generate::BEGINNING + random.i64(0..=span - width.min(span));
            ensure!(!chart(from, from + width)?.points.is_empty(), "an empty chart");
            return Ok(());
        }
        Ask::ChartOfAll => {
            let points = chart(generate::BEGINNING, generate::BEGINNING + span)?.points;
            ensure!(points.len() > CHART_POINTS / 3, "a chart of {} points", points.len());
            return Ok(());
        }
        Ask::Newest => page,
        Ask::Anywhere => PageQuery { after: Some(anywhere), ..page },
        Ask::OneSeries => PageQuery { after: Some(anywhere), device: Some(device), ..page },
        Ask::RareSeries => PageQuery { device: Some(generate::RARE.to_owned()), ..page },
        Ask::Values => PageQuery { device: Some(device), value_min: Some(RARE_VALUE), ..page },
        Ask::ValuesOfAll => PageQuery { value_min: Some(RARE_VALUE), ..page },
    };
    let is_found = !history.page(&query)?.rows.is_empty();
    ensure!(is_found || query.after.is_some() || query.value_min.is_some(), "an empty page");
    Ok(())
}

/// Few readings are above it.
const RARE_VALUE: f64 = 30.0;

/// The original's last page on a table as it has one (`wire.md` §1.6), with the same readings.
fn original(count: u64) -> Result<Vec<f64>> {
    let path = folder::kept()?.join(format!("original-{count}.db"));
    if !path.exists() {
        let partial = path.with_extension("part");
        // Left over from a run that was cut: that there is none is the usual case.
        let _ = fs::remove_file(&partial);
        let mut connection = Connection::open(&partial)?;
        connection.execute_batch("CREATE TABLE temp (time DATETIME, temp FLOAT)")?;
        let transaction = connection.transaction()?;
        let mut insert = transaction
            .prepare("INSERT INTO temp VALUES (datetime(?1 / 1000000, 'unixepoch'), ?2)")?;
        for number in 0..count {
            insert.execute(params![generate::at(number), generate::value(number)])?;
        }
        drop(insert);
        transaction.commit()?;
        fs::rename(&partial, &path)?;
    }
    let connection = Connection::open(&path)?;
    let mut statement = connection.prepare(ORIGINAL)?;
    let mut times = Vec::new();
    for _ in 0..ORIGINAL_SAMPLES {
        let start = Instant::now();
        let mut rows = statement.query([(count - 20).cast_signed()])?;
        let mut len = 0;
        while rows.next()?.is_some() {
            len += 1;
        }
        ensure!(len == 20, "a page of {len} rows");
        times.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(times)
}

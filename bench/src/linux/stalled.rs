//! How soon a batch is safe while fifty clients read the history slowly, beside the same without them.
//!
//! Each client asks for a page, has it for a second and then asks for the next, as one whose socket takes
//! no more does: nothing of the file is held meanwhile. Batches are due at fixed times; a late one counts
//! from when it was due. With and without take turns, and so does who is first.

use super::folder::Temporary;
use super::proc;
use super::run::Plan;
use super::store::{BATCH_LEN, BEGINNING, Batch, SHAPES};
use super::table::{Row, Table, median, quantile};
use anyhow::{Context, Result, ensure};
use mtom_protocol::time::UnixMicros;
use mtom_store::history::History;
use mtom_store::journal::Journal;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: u32 = 50;
const PAUSE: Duration = Duration::from_secs(1);
/// A thousand readings so often are twenty thousand a second: a fraction of what the store can take, so that
/// a busy computer delays a batch and not all that follow.
const PERIOD: Duration = Duration::from_millis(50);
/// For so many readings of a run of the store one is written here.
const PART: usize = 2;
const TARGET: f64 = 1.1;
const LOG_LEN_MAX: u64 = 64_000_000;

/// What a run says.
struct Report {
    /// Until a batch is safe, of 99 in 100.
    p99_ms: f64,
    /// What it takes of the CPU, which a busy computer does not blur.
    cpu_p99_ms: f64,
    /// Bytes.
    log_len_max: u64,
    pages: u64,
}

/// Measures both in each round.
pub(crate) fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        for turn in 0..2 {
            match (round + turn) % 2 {
                0 => without.push(run(plan, 0)?),
                _ => with.push(run(plan, CLIENTS)?),
            }
        }
    }
    let ratios: Vec<f64> =
        with.iter().zip(&without).map(|(with, without)| with.p99_ms / without.p99_ms).collect();
    let of_rounds = |reports: &[Report], what: fn(&Report) -> f64| {
        let of_rounds: Vec<f64> = reports.iter().map(what).collect();
        format!("{:.1} ms", median(&of_rounds))
    };
    let p99 = |reports: &[Report]| of_rounds(reports, |report| report.p99_ms);
    let cpu_p99 = |reports: &[Report]| of_rounds(reports, |report| report.cpu_p99_ms);
    let log_len = with.iter().map(|report| report.log_len_max).max().context("a round")?;
    let pages: u64 = with.iter().map(|report| report.pages).sum();
    ensure!(log_len <= LOG_LEN_MAX, "the log of the database grew to {log_len} bytes");
    table.row(Row {
        what: "store, p99 of a batch, 50 slow readers",
        ours: p99(&with),
        beside: p99(&without),
        peer: "no readers",
        met: Some(median(&ratios) <= TARGET),
        ratios,
        target: format!("≤ {TARGET}"),
    });
    table.note(format!(
        "slow readers: {} batches of {BATCH_LEN} in each round, one each {} ms; {pages} pages were read. CPU of a batch, p99: {} with readers, {} without. The log took at most {:.0} MB (≤ {} MB).",
        plan.stored / PART / BATCH_LEN,
        PERIOD.as_millis(),
        cpu_p99(&with),
        cpu_p99(&without),
        log_len as f64 / 1e6,
        LOG_LEN_MAX / 1_000_000,
    ));
    Ok(())
}

fn run(plan: Plan, clients: u32) -> Result<Report> {
    let folder = Temporary::new("stalled")?;
    let path = folder.path().join("mtom.db");
    let mut journal = Journal::open(&path, UnixMicros(BEGINNING))?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|client| {
                let (history, is_over) = (journal.history(), &is_over);
                scope.spawn(move || read(&history, client, is_over))
            })
            .collect();
        let written = write(plan, &mut journal, &path.with_extension("db-wal"));
        is_over.store(true, Ordering::Release);
        let mut pages = 0;
        for client in clients {
            client.thread().unpark();
            pages += client.join().ok().context("a reader panicked")??;
        }
        Ok(Report { pages, ..written? })
    })
}

fn write(plan: Plan, journal: &mut Journal, log: &Path) -> Result<Report> {
    let [shape, ..] = SHAPES;
    let mut batch = Batch::of(shape);
    let (mut times, mut cpu_times, mut log_len_max) = (Vec::new(), Vec::new(), 0);
    let mut due = Instant::now();
    for first in (0..plan.stored / PART).step_by(BATCH_LEN) {
        batch.fill(first)?;
        due += PERIOD;
        wait(due, || false);
        let cpu = proc::own_thread_cpu()?;
        batch.commit(journal)?;
        times.push(due.elapsed().as_secs_f64() * 1e3);
        cpu_times.push((proc::own_thread_cpu()? - cpu).as_secs_f64() * 1e3);
        log_len_max = log_len_max.max(std::fs::metadata(log)?.len());
    }
    let [p99_ms, cpu_p99_ms] = [&times, &cpu_times].map(|times| quantile(times, 0.99));
    Ok(Report { p99_ms, cpu_p99_ms, log_len_max, pages: 0 })
}

/// Pages from one place on, and how many.
fn read(history: &History, client: u32, is_over: &AtomicBool) -> Result<u64> {
    let is_over = || is_over.load(Ordering::Acquire);
    // They do not ask all at once.
    let mut due = Instant::now() + PAUSE * client / CLIENTS;
    let mut pages = 0;
    loop {
        wait(due, is_over);
        if is_over() {
            return Ok(pages);
        }
        let page = history.original_page(u64::from(client) * 1_000 + pages * 20)?;
        pages += 1;
        due += PAUSE;
        // It is held while the client does not take it.
        wait(due, is_over);
        drop(page);
    }
}

/// Until `due`, or until it is over.
fn wait(due: Instant, is_over: impl Fn() -> bool) {
    while !is_over() {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::park_timeout(left);
    }
}

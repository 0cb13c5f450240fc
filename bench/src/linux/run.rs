//! The command line: which benchmarks, how long; or, in a child process, which role.

use super::viewers;
use super::{
    bare, crowd, drain, fleet, floors, history, hostile, idle, ingest, latency, load, page, proc,
    replay, role, rules, stalled, store, table,
};
use anyhow::{Context, Result, bail};
use std::time::Duration;
use tokio::runtime::Builder;

const HELP: &str = "\
cargo xtask bench [--quick] [--rounds N] [--large | --rows N] [names…]

  ingest    durable QoS 1 readings/s beside mosquitto's QoS 1 forward rate
  latency   publish to byte on a serial link and on TCP beside the bare links and a two-hop TCP echo
  viewers   1,000 live viewers beside the same bytes written raw to TCP
  crowd     10,000 live viewers: one message and a burst of them, beside one epoll loop that writes the
            same bytes, and the memory of each; about two minutes
  hostile   500 viewers that take nothing, 5,000 handshakes that never end, 10,000 that come and go; about
            three minutes
  idle      CPU, memory and start-up time of `mtom up` with its defaults
  fleet     CPU and memory of 5,000 simulated sensors, and how soon one speaks once it is linked

  store     committed readings/s and bytes of each, beside a bare loop of prepared INSERT statements;
            how soon a batch is safe while fifty clients read the history and do not hurry
  history   pages and charts among 10^6 and 10^7 readings, beside the original's query
  rules     events/s of the rules engine, beside the same rule written by hand and cel's interpreter
  replay    readings/s of `mtom rules replay` among 10^7, beside a bare SELECT and the rule by hand
  drain     readings/s into a MariaDB of its own, beside bare INSERT statements of a thousand rows
  page      frames/s of the page in headless Chromium before 1,000 devices at 1,000 readings/s, and how
            soon it shows the first, beside a bare page on the same socket; about two minutes

  bluetooth reading published to LED over Bluetooth LE and classic, beside the link alone, in the emulated
            machine of `cargo xtask bluetooth`; by itself, about eight minutes

Without names: the first five, about four minutes. --quick: one short round of each, for a first look.
--large: history also among 10^8 readings, --rows N among N; they are made once and stay in target/bench.
The first five, replay and page measure the binary $MTOM_BIN, or `mtom` beside this program.
";

/// Sockets of a crowd, and some room.
const OPEN_FILES_MIN: u64 = 11_000;
/// Readings that take some minutes to make.
const LARGE: u64 = 100_000_000;
/// Fewer are no history.
const ROWS_MIN: u64 = 100_000;

/// How long everything lasts.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Before each measurement, until caches and windows are full.
    pub(crate) warm: Duration,
    /// Each measurement of a rate of readings.
    pub(crate) measure: Duration,
    /// Each measurement of a rate of deliveries.
    pub(crate) watch: Duration,
    pub(crate) samples: usize,
    /// Messages that ten thousand viewers get one at a time.
    pub(crate) messages: usize,
    /// And bursts of messages.
    pub(crate) bursts: usize,
    /// Readings whose acknowledgement is waited for, in each part.
    pub(crate) acknowledged: usize,
    /// The measurement of doing nothing.
    pub(crate) idle: Duration,
    /// Readings of each run of the store.
    pub(crate) stored: usize,
    /// Readings of each run of the drain.
    pub(crate) drained: u64,
    /// Events of each run of the rules.
    pub(crate) events: usize,
    /// Readings that are replayed, among those of `history`.
    pub(crate) replayed: u64,
}

impl Plan {
    const FULL: Self = Self {
        rounds: 3,
        warm: Duration::from_millis(800),
        measure: Duration::from_secs(3),
        watch: Duration::from_secs(2),
        samples: 300,
        messages: 30,
        bursts: 3,
        acknowledged: 2_000,
        idle: Duration::from_secs(20),
        stored: 1_000_000,
        drained: 200_000,
        events: 3_000_000,
        replayed: 10_000_000,
    };
    const QUICK: Self = Self {
        rounds: 1,
        warm: Duration::from_millis(500),
        measure: Duration::from_secs(2),
        watch: Duration::from_millis(1_500),
        samples: 50,
        messages: 10,
        bursts: 1,
        acknowledged: 1_000,
        idle: Duration::from_secs(5),
        stored: 100_000,
        drained: 50_000,
        events: 500_000,
        replayed: 1_000_000,
    };
}

/// Runs the benchmarks that `words` name, or the role of a child.
pub(crate) fn run(words: &[String]) -> Result<()> {
    if let Some((name, rest)) = words.split_first()
        && let Some(role) = name.strip_prefix(role::PREFIX)
    {
        return play(role, &role::Words::parse(rest)?);
    }
    let mut plan = Plan::FULL;
    let mut names = Vec::new();
    let mut counts = vec![1_000_000, 10_000_000];
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => plan = Plan::QUICK,
            "--rounds" => {
                let rounds = words.next().and_then(|rounds| rounds.parse().ok());
                plan.rounds =
                    rounds.filter(|rounds| *rounds > 0).context("--rounds takes a number")?;
            }
            "--large" => counts.push(LARGE),
            "--rows" => {
                let count = words.next().and_then(|count| count.parse().ok());
                let count = count.filter(|count| *count >= ROWS_MIN);
                counts.push(
                    count.with_context(|| format!("--rows takes a number from {ROWS_MIN} on"))?,
                );
            }
            "--help" | "-h" => {
                print!("{HELP}");
                return Ok(());
            }
            name @ ("ingest" | "latency" | "viewers" | "idle" | "fleet" | "store" | "history"
            | "drain" | "rules" | "replay" | "page" | "crowd" | "hostile") => names.push(name),
            other => bail!("no benchmark `{other}`; --help lists them"),
        }
    }
    if names.is_empty() {
        names = vec!["ingest", "latency", "viewers", "idle", "fleet"];
    }
    proc::allow_open_files(OPEN_FILES_MIN)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut table = table::Table::default();
    for name in names {
        println!("{name} …");
        let measured = runtime.block_on(async {
            match name {
                "ingest" => ingest::measure(plan, &mut table).await,
                "latency" => latency::measure(plan, &mut table).await,
                "viewers" => viewers::measure(plan, &mut table).await,
                "crowd" => crowd::measure(plan, &mut table).await,
                "hostile" => hostile::measure(plan, &mut table).await,
                "fleet" => fleet::measure(plan, &mut table).await,
                "page" => page::measure(plan, &mut table).await,
                "store" => {
                    store::measure(plan, &mut table)?;
                    stalled::measure(plan, &mut table)
                }
                "history" => history::measure(plan, &counts, &mut table),
                "drain" => drain::measure(plan, &mut table).await,
                "rules" => rules::measure(plan, &mut table),
                "replay" => replay::measure(plan, &mut table),
                _ => idle::measure(plan, &mut table).await,
            }
        });
        measured.with_context(|| format!("the benchmark `{name}` failed"))?;
    }
    table.print();
    Ok(())
}

/// One thread for each role but the fan: what it does on more would be taken from what is measured.
fn play(role: &str, words: &role::Words) -> Result<()> {
    let one = || Builder::new_current_thread().enable_all().build();
    match role {
        "load" => one()?.block_on(load::play(words)),
        "watch" => one()?.block_on(super::watch::play(words)),
        "many" => one()?.block_on(super::many::play(words)),
        "bare" => one()?.block_on(bare::play()),
        "acker" => one()?.block_on(floors::acker()),
        "hops" => Builder::new_multi_thread().enable_all().build()?.block_on(floors::hops()),
        "echo" => one()?.block_on(floors::echo(&words.get::<String>("serial")?)),
        "fan" => Builder::new_multi_thread().enable_all().build()?.block_on(floors::fan()),
        other => bail!("no role `{other}`"),
    }
}

//! The command line: which benchmarks, how long; or, in a child process, which role.

use super::{fleet, floors, idle, ingest, latency, load, proc, role, table, viewers};
use anyhow::{Context, Result, bail};
use std::time::Duration;
use tokio::runtime::Builder;

const HELP: &str = "\
cargo xtask bench [--quick] [names…]

  ingest    durable QoS 1 readings/s beside mosquitto's QoS 1 forward rate
  latency   publish to byte on a serial link beside a bare two-hop TCP echo
  viewers   1,000 live viewers beside the same bytes written raw to TCP
  idle      CPU, memory and start-up time of `mtom up` with its defaults
  fleet     CPU and memory of 5,000 simulated sensors, and how soon one speaks once it is linked

Without names: all five, about four minutes. --quick: one short round of each, for a first look.
The binary is $MTOM_BIN, or `mtom` beside this program.
";

/// Sockets of a fleet, and some room.
const OPEN_FILES_MIN: u64 = 6_000;

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
    /// The measurement of doing nothing.
    pub(crate) idle: Duration,
}

impl Plan {
    const FULL: Self = Self {
        rounds: 3,
        warm: Duration::from_millis(800),
        measure: Duration::from_secs(3),
        watch: Duration::from_secs(2),
        samples: 300,
        idle: Duration::from_secs(20),
    };
    const QUICK: Self = Self {
        rounds: 1,
        warm: Duration::from_millis(500),
        measure: Duration::from_secs(2),
        watch: Duration::from_millis(1_500),
        samples: 50,
        idle: Duration::from_secs(5),
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
    for word in words {
        match word.as_str() {
            "--quick" => plan = Plan::QUICK,
            "--help" | "-h" => {
                print!("{HELP}");
                return Ok(());
            }
            name @ ("ingest" | "latency" | "viewers" | "idle" | "fleet") => names.push(name),
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
                "fleet" => fleet::measure(plan, &mut table).await,
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
        "acker" => one()?.block_on(floors::acker()),
        "hops" => Builder::new_multi_thread().enable_all().build()?.block_on(floors::hops()),
        "fan" => Builder::new_multi_thread().enable_all().build()?.block_on(floors::fan()),
        other => bail!("no role `{other}`"),
    }
}

//! Measures the real binary beside a peer or a floor in the same run and prints one table.
//!
//! `cargo xtask bench [ingest] [latency] [viewers] [idle] [--quick]`. Each comparison is interleaved
//! over several rounds and the median counts. Floors and peers are processes of their own, so that
//! they meet the same scheduler as mtom does.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a table is what it is for")]

mod floors;
mod idle;
mod ingest;
mod latency;
mod mqtt;
mod process;
mod viewers;

use anyhow::{Result, bail};

const NAMES: [&str; 4] = ["ingest", "latency", "viewers", "idle"];

/// One line of the table.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) measured: String,
    pub(crate) beside: String,
    /// What it must be, and whether it is; `None` is there to be read.
    pub(crate) target: Option<(String, bool)>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let [kind, floor] = arguments.as_slice()
        && kind == "floor"
    {
        return runtime.block_on(floors::serve(floor));
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|a| *a != "--quick").collect();
    if let Some(unknown) = wanted.iter().find(|name| !NAMES.contains(name)) {
        bail!("unknown bench {unknown}: expected {} or --quick", NAMES.join(", "));
    }
    let mut rows = Vec::new();
    for name in NAMES.into_iter().filter(|name| wanted.is_empty() || wanted.contains(name)) {
        println!("── {name}");
        rows.extend(runtime.block_on(async {
            match name {
                "ingest" => ingest::run(quick).await,
                "latency" => latency::run(quick).await,
                "viewers" => viewers::run(quick).await,
                _ => idle::run(quick).await,
            }
        })?);
    }
    print(&rows);
    Ok(())
}

fn print(rows: &[Row]) {
    println!("\n{:<46} {:>22}  {:<40} target", "", "mtom", "beside");
    for row in rows {
        let target = match &row.target {
            None => String::new(),
            Some((target, true)) => format!("{target}: yes"),
            Some((target, false)) => format!("{target}: BELOW"),
        };
        println!("{:<46} {:>22}  {:<40} {target}", row.what, row.measured, row.beside);
    }
}

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

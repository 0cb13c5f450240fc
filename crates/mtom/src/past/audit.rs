//! `mtom audit`: what has become of everything that arrived. It fails when something does not add up.

use super::arguments::Audit as Arguments;
use super::with_history;
use crate::{Failure, report};
use mtom_store::history::audit::{Audit, HopLatency};
use mtom_store::latency::Hop;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    with_history(&arguments.place, |history| {
        let audit = history.audit()?;
        for line in lines(&audit) {
            report::line(&line);
        }
        let findings = audit.findings();
        if findings.is_empty() {
            report::line("everything adds up");
            return Ok(());
        }
        for finding in &findings {
            report::line(&format!("does not add up: {finding}"));
        }
        Err(Failure::Failed(anyhow::anyhow!(
            "the account does not add up: restore a backup, or keep this file and report it"
        )))
    })
}

fn lines(audit: &Audit) -> Vec<String> {
    let totals = audit.totals;
    let mut lines = vec![
        format!(
            "received {} = stored {} + duplicate {} + rejected {}",
            totals.stored + totals.duplicate + totals.rejected,
            totals.stored,
            totals.duplicate,
            totals.rejected
        ),
        format!(
            "stored {} = in the file {} + deleted by retention {}",
            totals.stored, audit.readings, audit.readings_deleted
        ),
    ];
    let name =
        |device: &str, quantity: &str| format!("{device}/{quantity}").escape_debug().to_string();
    lines.push(String::new());
    lines.push(format!("{:<32} {:>12} {:>10}", "series", "stored", "duplicate"));
    for row in &audit.series {
        lines.push(format!(
            "{:<32} {:>12} {:>10}  {}",
            name(&row.device, &row.quantity),
            row.stored,
            row.duplicate,
            row.unit
        ));
    }
    for row in &audit.rejected {
        lines.push(format!(
            "{:<32} {:>12} rejected: {}",
            row.topic.escape_debug().to_string(),
            row.count,
            row.code
        ));
    }
    lines.push(String::new());
    if audit.gaps.is_empty() {
        lines.push("no gaps: of every device that numbers its readings each number arrived".into());
    }
    for row in &audit.gaps {
        let gaps: Vec<_> = row
            .gaps
            .iter()
            .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}–{to}") })
            .collect();
        lines.push(format!(
            "{} boot {}: {} of {}–{} never arrived: {}",
            name(&row.device, &row.quantity),
            row.boot.escape_debug(),
            row.missing,
            row.first,
            row.last,
            gaps.join(", ")
        ));
    }
    lines.extend(audit.latencies.iter().map(latency));
    lines
}

fn latency(row: &HopLatency) -> String {
    let hop = match row.hop {
        Hop::TakenToArrived => "taken → arrived",
        Hop::ArrivedToStored => "arrived → stored",
        Hop::StoredToDrained => "stored → drained",
    };
    format!(
        "{hop}: half within {}, 99 % within {}, all within {} ({} readings)",
        span(row.p50_micros),
        span(row.p99_micros),
        span(row.max_micros),
        row.count
    )
}

/// Known to a factor of two, so short.
fn span(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", micros / 1_000_000),
    }
}

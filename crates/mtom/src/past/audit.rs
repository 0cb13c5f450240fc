//! `mtom audit`: what has become of everything that arrived. It fails when something does not add up.

use super::arguments::Audit as Arguments;
use super::with_journal;
use crate::config::Config;
use crate::{Failure, report};
use anyhow::Context;
use mtom_store::history::audit::{Audit, HopLatency};
use mtom_store::history::{History, IdQuery};
use mtom_store::latency::Hop;
use mtom_store::maria::{Differences, Limits, Maria, Settings, Source, chain};
use std::fs;
use std::path::Path;
use std::sync::Arc;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    with_journal(&arguments.place, |config, path| {
        let history = History::open(&path)?;
        let audit = history.audit()?;
        for line in lines(&audit) {
            report::line(&line);
        }
        let mut findings = audit.findings();
        if let Some(url) = &config.store.url {
            let database = Database::new(url, &config, &path)?;
            findings.extend(database.compare(history, &audit, arguments.resend)?);
        } else if arguments.resend {
            return Err(Failure::Usage(
                "store.url names no database: there is nothing to send to".into(),
            ));
        }
        if findings.is_empty() {
            report::line("everything adds up");
            return Ok(());
        }
        for finding in &findings {
            report::line(&format!("does not add up: {finding}"));
        }
        let next = if findings.iter().all(|finding| finding.starts_with(MISSING)) {
            "send again what the database lacks with mtom audit --resend"
        } else {
            "keep a copy of this history, then restore a backup"
        };
        Err(Failure::Failed(anyhow::anyhow!("the account does not add up: {next}")))
    })
}

/// Differences that are listed and sent at once.
const DIFFERENCES_MAX: usize = 10_000;
/// Of each kind so many numbers are shown.
const SHOWN_MAX: usize = 10;

/// The database that gets a copy of everything.
struct Database(Settings);

impl Database {
    fn new(url: &str, config: &Config, journal: &Path) -> Result<Self, Failure> {
        let url = url.parse().map_err(|error| Failure::Usage(format!("store.url: {error}")))?;
        // The name under which the gateway of this folder writes there.
        let name = journal.with_file_name(mtom_gateway::settings::NAME_FILE);
        let gateway = fs::read_to_string(&name)
            .with_context(|| format!("cannot read {}: start the gateway once", name.display()))?;
        let password = config.store.password.clone();
        Ok(Self(Settings { url, password, gateway, limits: Limits::default() }))
    }

    /// Compares the journal with the database, and sends again what is missing there.
    fn compare(
        self,
        history: History,
        audit: &Audit,
        resend: bool,
    ) -> Result<Vec<String>, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let failed = |error| Failure::Failed(anyhow::anyhow!(chain(&error)));
        runtime.block_on(async {
            let mut maria = Maria::connect(&self.0).await.map_err(failed)?;
            let oldest = history.page_by_id(IdQuery { limit: 1, ..IdQuery::default() })?;
            let first = oldest.first().map_or(1, |row| row.id);
            let drained = maria.position().await.map_err(failed)?;
            report::line("");
            report::line(&format!(
                "MariaDB {}: has everything up to reading {drained} of {}; {} are on their way",
                self.0.url.address(),
                audit.last_id,
                audit.last_id.saturating_sub(drained)
            ));
            if drained < first {
                return Ok(Vec::new());
            }
            let source: Arc<dyn Source> = Arc::new(history);
            let found =
                maria.compare(&source, first..=drained, DIFFERENCES_MAX).await.map_err(failed)?;
            report::line(&format!(
                "compared {} readings from number {first}: {} differ",
                found.compared,
                found.len()
            ));
            let mut findings = differences(&found);
            if resend && !found.missing.is_empty() {
                let mut readings = Vec::with_capacity(found.missing.len());
                for number in &found.missing {
                    readings.extend(source.after(number.saturating_sub(1), 1)?);
                }
                let sent = maria.resend(&readings).await.map_err(failed)?;
                report::line(&format!("sent again: {}", sent.inserted + sent.present));
                findings.retain(|finding| !finding.starts_with(MISSING));
            }
            maria.close().await;
            Ok(findings)
        })
    }
}

const MISSING: &str = "MariaDB lacks";

fn differences(found: &Differences) -> Vec<String> {
    let list = |numbers: &[u64]| {
        let shown: Vec<_> = numbers.iter().take(SHOWN_MAX).map(u64::to_string).collect();
        let more = if numbers.len() > SHOWN_MAX { ", …" } else { "" };
        format!("{} readings: {}{more}", numbers.len(), shown.join(", "))
    };
    let mut findings = Vec::new();
    if !found.missing.is_empty() {
        findings.push(format!("{MISSING} {}", list(&found.missing)));
    }
    if !found.excess.is_empty() {
        findings.push(format!("MariaDB has more than the journal: {}", list(&found.excess)));
    }
    if !found.different.is_empty() {
        findings.push(format!("MariaDB has other content in {}", list(&found.different)));
    }
    findings
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
    if audit.unsummed > 0 {
        lines.push(format!("in no chart and count until the next start: {}", audit.unsummed));
    }
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

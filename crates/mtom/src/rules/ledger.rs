//! `mtom ledger`: every command with its cause and what became of it, as a table or for other programs.

use super::arguments::{Ledger as Arguments, LedgerShape as Shape};
use super::compare::word;
use crate::past::{local, with_history};
use crate::{Failure, clock, report};
use anyhow::Result;
use jiff::tz::TimeZone;
use mtom_exchange::csv;
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::ledger::LedgerQuery;
use mtom_store::history::{History, PAGE_LEN_MAX};
use mtom_store::record::{CommandRow, Order};
use serde_json::json;
use std::time::Duration;

/// Rows of a table where nothing is said.
const LIMIT_DEFAULT: usize = 20;
/// The columns of the CSV file; they keep their names.
const COLUMNS: &str = "number,actuator,led,rule,rule_version,condition,reading,cause,decided_at,\
                       sent_at,applied_at,refused_at,refused_reason,latency_micros";

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    with_history(&arguments.place, |history| {
        let (now, zone) = ((clock::system())(), TimeZone::system());
        let query = LedgerQuery {
            actuator: arguments.actuator.clone(),
            from: arguments.since.map(|since| since.instant(now, &zone)),
            until: arguments.until.map(|until| until.instant(now, &zone)),
            ..LedgerQuery::default()
        };
        if let Some(actuator) = &arguments.actuator {
            known(&history, actuator, &[])?;
        }
        let default = if query.from.is_some() { usize::MAX } else { LIMIT_DEFAULT };
        let limit = arguments.limit.unwrap_or(default);
        match arguments.format {
            Shape::Table => report::line(&head(&zone, now)),
            Shape::Csv => report::line(COLUMNS),
            Shape::Json => {}
        }
        let print = |row: &CommandRow| match arguments.format {
            Shape::Table => report::line(&table_line(row, &zone)),
            Shape::Csv => report::line(&csv_line(row)),
            Shape::Json => report::line(&json_line(row)),
        };
        Ok(each(&history, query, limit, print)?)
    })
}

/// Says whether the actuator was ever commanded or is among the `configured`, or which ones are.
pub(super) fn known(
    history: &History,
    actuator: &str,
    configured: &[String],
) -> Result<(), Failure> {
    let mut names = history.commanded()?;
    names.extend(
        configured.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>(),
    );
    if names.iter().any(|name| name == actuator) {
        return Ok(());
    }
    let next = if names.is_empty() {
        "and no other: nothing was ever decided here; start mtom up, or name its folder with --data"
            .into()
    } else {
        format!("expected one of {}", names.join(", "))
    };
    Err(Failure::Usage(format!("no command was ever decided for {actuator:?}: {next}")))
}

/// Gives the newest `limit` rows to `print`, oldest first; all of them page by page.
fn each(
    history: &History,
    mut query: LedgerQuery,
    limit: usize,
    print: impl Fn(&CommandRow),
) -> Result<()> {
    query.limit = limit.min(PAGE_LEN_MAX);
    if limit <= PAGE_LEN_MAX {
        query.order = Order::Descending;
        history.ledger(&query)?.iter().rev().for_each(print);
        return Ok(());
    }
    query.after = before_newest(history, &query, limit)?;
    loop {
        let page = history.ledger(&query)?;
        page.iter().for_each(&print);
        match page.last() {
            Some(last) if page.len() == PAGE_LEN_MAX => query.after = Some(last.command.number),
            _ => return Ok(()),
        }
    }
}

/// The number before the newest `limit` rows; `None` where there are not more.
fn before_newest(history: &History, query: &LedgerQuery, limit: usize) -> Result<Option<u64>> {
    if limit == usize::MAX {
        return Ok(None);
    }
    let mut query = LedgerQuery { order: Order::Descending, ..query.clone() };
    let mut left = limit + 1;
    loop {
        query.limit = left.min(PAGE_LEN_MAX);
        let page = history.ledger(&query)?;
        left -= page.len();
        let is_last = page.len() < query.limit;
        query.after = page.last().map(|row| row.command.number).or(query.after);
        if left == 0 {
            return Ok(query.after);
        }
        if is_last {
            return Ok(None);
        }
    }
}

/// From the decision to the device's word.
pub(super) fn latency(row: &CommandRow) -> Option<Duration> {
    row.applied_at.map(|at| at.since(row.command.decided_at))
}

/// `7 ms`, `9.988 s`, `3 min`: as exact as it is of use.
pub(super) fn span(span: Duration) -> String {
    let micros = span.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..120_000_000 => format!("{:.3} s", span.as_secs_f64()),
        120_000_000..7_200_000_000 => format!("{} min", micros / 60_000_000),
        _ => format!("{} h", micros / 3_600_000_000),
    }
}

fn head(zone: &TimeZone, now: UnixMicros) -> String {
    let offset = jiff::Timestamp::from_microsecond(now.0)
        .map(|at| zone.to_offset(at).to_string())
        .unwrap_or_default();
    let time = format!("decided (UTC{offset})");
    format!("{:>8}  {time:<23}  {:<12} led  {:<9}  why", "number", "actuator", "became")
}

fn table_line(row: &CommandRow, zone: &TimeZone) -> String {
    let command = &row.command;
    let became = match (latency(row), row.refused_at, row.sent_at) {
        (Some(took), _, _) => span(took),
        (None, Some(_), _) => "refused".into(),
        (None, None, Some(_)) => "sent".into(),
        (None, None, None) => "not sent".into(),
    };
    format!(
        "{:>8}  {}  {:<12} {:<3}  {became:<9}  {}: {}",
        command.number,
        local(command.decided_at, zone),
        command.actuator,
        led(row),
        command.rule.escape_debug(),
        command.cause.escape_debug()
    )
}

fn csv_line(row: &CommandRow) -> String {
    let command = &row.command;
    let time = |at: Option<UnixMicros>| at.map(UnixMicros::rfc3339).unwrap_or_default();
    let latency = latency(row).map(|span| span.as_micros().to_string()).unwrap_or_default();
    let cells = [
        command.number.to_string(),
        command.actuator.clone(),
        led(row).to_owned(),
        command.rule.clone(),
        command.rule_version.clone().unwrap_or_default(),
        command.condition.clone().unwrap_or_default(),
        command.reading.map(|id| id.to_string()).unwrap_or_default(),
        command.cause.clone(),
        command.decided_at.rfc3339(),
        time(row.sent_at),
        time(row.applied_at),
        time(row.refused_at),
        row.refused_reason.clone().unwrap_or_default(),
        latency,
    ];
    let mut line = Vec::new();
    for (cell, place) in cells.iter().zip(0..) {
        if place > 0 {
            line.push(b',');
        }
        csv::text(&mut line, cell);
    }
    String::from_utf8_lossy(&line).into_owned()
}

fn json_line(row: &CommandRow) -> String {
    let command = &row.command;
    let time = |at: Option<UnixMicros>| at.map(UnixMicros::rfc3339);
    json!({
        "number": command.number,
        "actuator": command.actuator,
        "led": led(row),
        "rule": command.rule,
        "rule_version": command.rule_version,
        "condition": command.condition,
        "reading": command.reading,
        "cause": command.cause,
        "decided_at": command.decided_at.rfc3339(),
        "sent_at": time(row.sent_at),
        "applied_at": time(row.applied_at),
        "refused_at": time(row.refused_at),
        "refused_reason": row.refused_reason,
        "latency_micros": latency(row).map(|span| u64::try_from(span.as_micros()).unwrap_or(u64::MAX)),
    })
    .to_string()
}

pub(super) const fn led(row: &CommandRow) -> &'static str {
    word(if row.command.on { Led::On } else { Led::Off })
}

#[cfg(test)]
mod tests;

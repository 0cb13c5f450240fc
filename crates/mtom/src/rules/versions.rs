//! `mtom rules apply`, `versions` and `rollback`: by the gateway that runs, else in its journal.

use super::arguments::{Apply, Rollback, Versions};
use super::source::{Source, WrongFile};
use crate::ask::{Ask, asked, percent};
use crate::past::arguments::Place;
use crate::past::{local, with_journal};
use crate::{Failure, clock, report};
use anyhow::Context;
use hyper::Method;
use jiff::tz::TimeZone;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::History;
use mtom_store::journal::Journal;
use mtom_store::record::RuleSetRow;
use serde_json::Value;
use std::net::SocketAddr;

/// Versions that are listed at most.
const LISTED_MAX: usize = 1_000;

pub(crate) fn apply(arguments: &Apply) -> Result<(), Failure> {
    let name = arguments.file.display().to_string();
    let Source { text, .. } = Source::open(&arguments.file)
        .map_err(|WrongFile(mistakes)| Failure::File(mistakes.join("\n")))?;
    let source: String =
        arguments.file.file_name().map_or(name, |name| name.to_string_lossy().into());
    let path = format!("/api/v1/rules?source={}", percent(&source));
    let request =
        Ask { method: Method::PUT, path: &path, kind: "application/toml", body: text.clone() };
    let asked = asked(&arguments.place, request)?;
    take_effect(&arguments.place, asked, || Ok((source, text)))
}

pub(crate) fn rollback(arguments: &Rollback) -> Result<(), Failure> {
    let version = arguments.version;
    let request = Ask {
        method: Method::POST,
        path: "/api/v1/rules/rollback",
        kind: "application/json",
        body: format!("{{\"version\":{version}}}"),
    };
    let asked = asked(&arguments.place, request)?;
    take_effect(&arguments.place, asked, || {
        let row = with_history_of(&arguments.place, |history| Ok(history.rule_set(version)?))?;
        let row = row.ok_or_else(|| Failure::Usage(unknown(version)))?;
        Ok((format!("version {version}"), row.text))
    })
}

pub(crate) fn versions(arguments: &Versions) -> Result<(), Failure> {
    let request = Ask {
        method: Method::GET,
        path: "/api/v1/rules/versions?limit=1000",
        kind: "application/json",
        body: String::new(),
    };
    let rows = match asked(&arguments.place, request)? {
        Some((_, answer)) => answer["versions"].as_array().into_iter().flatten().map(row).collect(),
        None => with_history_of(&arguments.place, |history| Ok(history.rule_sets(LISTED_MAX)?))?,
    };
    if let Some(version) = arguments.show {
        let row = rows.iter().find(|row| row.version == version);
        let row = row.ok_or_else(|| Failure::Usage(unknown(version)))?;
        report::line(row.text.trim_end());
        return Ok(());
    }
    if rows.is_empty() {
        report::line("no rules ran yet: the first start of a gateway makes version 1");
    }
    let zone = TimeZone::system();
    for (index, row) in rows.iter().enumerate() {
        let runs = if index == 0 { "runs " } else { "     " };
        let rules = row.text.matches("[[rule]]").count();
        let since = local(row.applied_at, &zone);
        let word = if rules == 1 { "rule" } else { "rules" };
        report::line(&format!(
            "{runs} version {:<4} since {since}  {rules} {word}, from {}",
            row.version,
            row.source.escape_debug()
        ));
    }
    Ok(())
}

fn unknown(version: u64) -> String {
    format!(
        "there are no rules of version {version}: expected one that `mtom rules versions` lists"
    )
}

/// A version in the words of the API.
fn row(json: &Value) -> RuleSetRow {
    let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    RuleSetRow {
        version: json["version"].as_u64().unwrap_or_default(),
        applied_at: UnixMicros(json["applied_at_micros"].as_i64().unwrap_or_default()),
        source: text("source"),
        text: text("text"),
    }
}

/// Says what the gateway has done; where none runs writes the rules into its journal.
fn take_effect(
    place: &Place,
    asked: Option<(SocketAddr, Value)>,
    rules: impl FnOnce() -> Result<(String, String), Failure>,
) -> Result<(), Failure> {
    if let Some((page, answer)) = asked {
        let version = &answer["version"];
        report::line(&format!("version {version} runs now, by the gateway at http://{page}"));
        return Ok(());
    }
    let (source, text) = rules()?;
    with_journal(place, |_, path| {
        let now = clock::system()();
        let mut journal = Journal::open(&path, now).context(
            "the rules cannot be kept: where a gateway runs, its page has to answer \
             (dashboard.listen of the same configuration)",
        )?;
        let version = journal.add_rule_set(&source, &text, now)?;
        report::line(&format!(
            "version {version} runs from the next start on: no gateway runs now"
        ));
        Ok(())
    })
}

fn with_history_of<T>(
    place: &Place,
    ask: impl FnOnce(History) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut found = None;
    with_journal(place, |_, path| {
        found = Some(ask(History::open(&path)?)?);
        Ok(())
    })?;
    found.ok_or_else(|| Failure::Failed(anyhow::anyhow!("the journal was not read")))
}

//! `mtom rules apply`, `versions` and `rollback`: by the gateway that runs, else in its journal.

use super::arguments::{Apply, Rollback, Versions};
use super::gateway::{Ask, ask};
use super::source::{Source, WrongFile};
use crate::past::arguments::Place;
use crate::past::{local, with_journal};
use crate::{Failure, clock, report};
use anyhow::Context;
use hyper::Method;
use jiff::tz::TimeZone;
use mtom_store::history::History;
use mtom_store::journal::Journal;
use std::path::Path;

/// Versions that are listed at most.
const LISTED_MAX: usize = 1_000;

pub(crate) fn apply(arguments: &Apply) -> Result<(), Failure> {
    let name = arguments.file.display().to_string();
    Source::open(&arguments.file)
        .map_err(|WrongFile(mistakes)| Failure::File(mistakes.join("\n")))?;
    let text =
        std::fs::read_to_string(&arguments.file).with_context(|| format!("cannot read {name}"))?;
    let source = arguments.file.file_name().map_or(name, |name| name.to_string_lossy().into());
    bring(&arguments.place, &source, &text, |text| Ask {
        method: Method::PUT,
        path: "/api/v1/rules",
        kind: "application/toml",
        body: text.to_owned(),
    })
}

pub(crate) fn rollback(arguments: &Rollback) -> Result<(), Failure> {
    let version = arguments.version;
    let row = with_history_of(&arguments.place, |history| Ok(history.rule_set(version)?))?;
    let Some(row) = row else {
        let text = format!(
            "there are no rules of version {version}: expected one that `mtom rules versions` lists"
        );
        return Err(Failure::Usage(text));
    };
    bring(&arguments.place, &format!("version {version}"), &row.text, |_| Ask {
        method: Method::POST,
        path: "/api/v1/rules/rollback",
        kind: "application/json",
        body: format!("{{\"version\":{version}}}"),
    })
}

pub(crate) fn versions(arguments: &Versions) -> Result<(), Failure> {
    let rows = with_history_of(&arguments.place, |history| Ok(history.rule_sets(LISTED_MAX)?))?;
    if let Some(version) = arguments.show {
        let Some(row) = rows.iter().find(|row| row.version == version) else {
            return Err(Failure::Usage(format!("there are no rules of version {version}")));
        };
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
            row.version, row.source
        ));
    }
    Ok(())
}

/// Hands rules to the gateway of this configuration, or writes them into its journal where none runs.
fn bring(
    place: &Place,
    source: &str,
    text: &str,
    request: impl FnOnce(&str) -> Ask<'_>,
) -> Result<(), Failure> {
    with_journal(place, |config, path| {
        let page = config.dashboard;
        let mut request = request(text);
        let asked;
        if request.method == Method::PUT {
            asked = format!("{}?source={}", request.path, percent(source));
            request.path = &asked;
        }
        if place.data.is_none()
            && page.port() != 0
            && let Some(answer) = ask(page, request)?
        {
            let version = answer.get("version").map(ToString::to_string).unwrap_or_default();
            report::line(&format!("version {version} runs now, by the gateway at http://{page}"));
            return Ok(());
        }
        let version = write(&path, source, text)?;
        report::line(&format!(
            "version {version} runs from the next start on: no gateway runs now"
        ));
        Ok(())
    })
}

fn write(path: &Path, source: &str, text: &str) -> Result<u64, Failure> {
    let now = clock::system()();
    let mut journal = Journal::open(path, now).context(
        "the rules cannot be kept: where a gateway runs, its page has to answer \
         (dashboard.listen of the same configuration)",
    )?;
    Ok(journal.add_rule_set(source, text, now)?)
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

/// For a query: everything but letters and digits is escaped.
fn percent(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes everything");
        }
    }
    out
}

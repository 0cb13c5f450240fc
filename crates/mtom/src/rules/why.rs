//! `mtom why`: one command from the reading that led to it to the device's word, each with its time.

use super::arguments::Why as Arguments;
use super::ledger::{known, led, span};
use crate::past::{local, with_journal};
use crate::{Failure, clock, config, report};
use jiff::tz::TimeZone;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::ledger::LedgerQuery;
use mtom_store::history::{History, IdQuery};
use mtom_store::record::{CommandRow, Order};
use std::time::Duration;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    with_journal(&arguments.place, |config, path| {
        let history = History::open(&path)?;
        let (now, zone) = ((clock::system())(), TimeZone::system());
        let actuator = &arguments.actuator;
        let mut configured: Vec<String> =
            config.actuators.iter().map(|actuator| actuator.name.clone()).collect();
        configured.extend(config::simulated_names(&config.actuators, &config.simulate));
        known(&history, actuator, &configured)?;
        let until = arguments.at.map(|at| at.instant(now, &zone));
        let query = LedgerQuery {
            actuator: Some(actuator.clone()),
            // What was decided at that very time counts.
            until: until.map(|at| at.saturating_add(Duration::from_micros(1))),
            order: Order::Descending,
            limit: 2,
            ..LedgerQuery::default()
        };
        let rows = history.ledger(&query)?;
        let Some(row) = rows.first() else {
            let next = match until {
                Some(at) => format!("before {}; the first is in mtom ledger", local(at, &zone)),
                None => "yet: a rule decides when a reading on its topic comes".into(),
            };
            return Err(Failure::Failed(anyhow::anyhow!(
                "nothing was decided for {actuator:?} {next}"
            )));
        };
        let reading = match row.command.reading {
            Some(id) => reading(&history, id)?,
            None => None,
        };
        let story = Story { row, reading, before: rows.get(1), zone: &zone };
        for line in story.lines() {
            report::line(&line);
        }
        Ok(())
    })
}

fn reading(history: &History, id: u64) -> Result<Option<StoredReading>, anyhow::Error> {
    let query = IdQuery { after: id.checked_sub(1), limit: 1, ..IdQuery::default() };
    let found = history.page_by_id(query)?;
    Ok(found.into_iter().find(|stored| stored.id == id))
}

/// All that is known of one command.
struct Story<'a> {
    row: &'a CommandRow,
    /// `None`: no reading led to it, or it is deleted.
    reading: Option<StoredReading>,
    before: Option<&'a CommandRow>,
    zone: &'a TimeZone,
}

impl Story<'_> {
    fn lines(&self) -> Vec<String> {
        let command = &self.row.command;
        let mut lines = vec![format!(
            "{} is to be {} since {}: command {}",
            command.actuator.escape_debug(),
            led(self.row),
            local(command.decided_at, self.zone),
            command.number
        )];
        lines.extend(self.of_reading());
        let version = command.rule_version.as_ref();
        let version = version.map_or_else(String::new, |version| format!("  (version {version})"));
        lines.push(line("rule", &format!("{}{version}", command.rule.escape_debug())));
        if let Some(condition) = &command.condition {
            lines.push(line("as", &condition.escape_debug().to_string()));
        }
        lines.push(line("because", &command.cause.escape_debug().to_string()));
        let arrived = self.reading.as_ref().map(|stored| stored.arrived_at);
        lines.push(self.time("decided", command.decided_at, arrived, ""));
        lines.extend(self.outcome());
        if let Some(before) = self.before {
            let was = &before.command;
            let text = format!(
                "{}, command {} of {}, because: {}",
                led(before),
                was.number,
                local(was.decided_at, self.zone),
                was.cause.escape_debug()
            );
            lines.push(line("before", &text));
        }
        lines
    }

    fn of_reading(&self) -> Vec<String> {
        let Some(id) = self.row.command.reading else {
            return vec![line("reading", "none: it was not a reading that led to it")];
        };
        let Some(stored) = &self.reading else {
            let text =
                format!("{id} is not in the history any more: store.keep says how long it stays");
            return vec![line("reading", &text)];
        };
        let reading = &stored.reading;
        let value = format!(
            "{id}, {}/{} {} {}",
            reading.device.escape_debug(),
            reading.quantity.escape_debug(),
            reading.value,
            reading.unit.symbol()
        );
        let mut lines = vec![line("reading", value.trim_end())];
        let note = if stored.suspect { "  (its own time cannot be true)" } else { "" };
        if reading.taken_at.is_some() && !stored.suspect {
            lines.push(self.time("taken", stored.at, None, ""));
            lines.push(self.time("arrived", stored.arrived_at, Some(stored.at), ""));
        } else {
            lines.push(self.time("arrived", stored.arrived_at, None, note));
        }
        lines
    }

    fn outcome(&self) -> Vec<String> {
        let row = self.row;
        let Some(sent_at) = row.sent_at else {
            let text = if row.applied_at.is_none() && row.refused_at.is_none() {
                "not yet, or a newer command took its place; mtom doctor says whether the link works"
            } else {
                "when is not known"
            };
            return vec![line("sent", text)];
        };
        let mut lines = vec![self.time("sent", sent_at, Some(row.command.decided_at), "")];
        match (row.applied_at, row.refused_at) {
            (Some(at), _) => {
                let all = format!(
                    "  ({} from decided to applied)",
                    span(at.since(row.command.decided_at))
                );
                lines.push(self.time("applied", at, Some(sent_at), &all));
            }
            (None, Some(at)) => {
                let why = row.refused_reason.as_deref().unwrap_or("no reason given").escape_debug();
                lines.push(self.time("refused", at, Some(sent_at), &format!("  {why}")));
            }
            (None, None) => lines
                .push(line("applied", "the device has not said so; an original one never does")),
        }
        lines
    }

    fn time(&self, word: &str, at: UnixMicros, since: Option<UnixMicros>, note: &str) -> String {
        let later = since.map(|since| format!("  {} later", span(at.since(since))));
        line(word, &format!("{}{}{note}", local(at, self.zone), later.unwrap_or_default()))
    }
}

fn line(word: &str, text: &str) -> String {
    format!("  {word:<8} {text}")
}

#[cfg(test)]
mod tests;

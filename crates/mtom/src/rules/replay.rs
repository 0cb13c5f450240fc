//! `mtom rules replay`: the history through new rules, and how their commands differ from those that were
//! really decided.

use super::arguments::{Replay as Arguments, Shape};
use super::compare::{Command, Difference, Side, word};
use super::contest::{Account, Contest, lead};
use super::feed;
use super::source::Source;
use super::timeline::{Totals, ends};
use crate::past::{local, with_history};
use crate::{Failure, clock, report};
use anyhow::Result;
use jiff::tz::TimeZone;
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::ledger::LedgerQuery;
use mtom_store::history::{History, PAGE_LEN_MAX};
use mtom_store::record::{CommandRow, Order};
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How wide a picture is.
const WIDTH: usize = 64;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let source = Source::open(&arguments.file)?;
    with_history(&arguments.place, |history| {
        let (now, zone) = ((clock::system())(), TimeZone::system());
        let from = arguments.since.instant(now, &zone);
        let until = arguments.until.map_or(now, |until| until.instant(now, &zone));
        if from >= until {
            return Err(Failure::Usage("--since is not before --until".into()));
        }
        let replay = Replay { history, source: &source, from, until };
        let mut shown = Shown { arguments, zone: &zone, held: Vec::new(), counts: [0, 0] };
        let begun = Instant::now();
        let (accounts, readings) = replay.play(&mut shown)?;
        let summary = Summary { from, until, readings, took: begun.elapsed(), accounts };
        shown.finish(&summary, &replay.unheeded()?);
        Ok(())
    })
}

struct Replay<'a> {
    history: History,
    source: &'a Source,
    from: UnixMicros,
    until: UnixMicros,
}

/// What is said at the end.
struct Summary {
    from: UnixMicros,
    until: UnixMicros,
    readings: u64,
    took: Duration,
    accounts: Vec<Account>,
}

impl Replay<'_> {
    /// Gives the differences to `shown` while they are found.
    fn play(&self, shown: &mut Shown<'_>) -> Result<(Vec<Account>, u64)> {
        let Self { history, source, from, until } = self;
        let mut contest = Contest::new(&source.engine, &source.specs, (*from, *until), WIDTH);
        for actuator in self.driven() {
            let query = LedgerQuery {
                actuator: Some(actuator.to_string()),
                until: Some(*from),
                order: Order::Descending,
                limit: 1,
                ..LedgerQuery::default()
            };
            if let Some(row) = history.ledger(&query)?.first() {
                contest.begin(&actuator, led(row));
            }
        }
        let mut ledger = Ledger::new(history, *from, *until);
        let stretch = (lead(&source.engine, &source.specs, *from), *until);
        let readings = feed::each(history, &source.specs, stretch, "replaying", |stored| {
            while let Some(command) = ledger.before(stored.arrived_at)? {
                contest.decided(command);
            }
            contest.reading(stored);
            while let Some(difference) = contest.difference(stored.arrived_at) {
                shown.take(difference);
            }
            Ok(())
        })?;
        while let Some(command) = ledger.before(*until)? {
            contest.decided(command);
        }
        let (rest, accounts) = contest.finish();
        rest.into_iter().for_each(|difference| shown.take(difference));
        Ok((accounts, readings))
    }

    fn driven(&self) -> impl Iterator<Item = Arc<str>> {
        self.source.specs.iter().flat_map(mtom_rules::RuleSpec::actuators).map(Arc::from)
    }

    /// Actuators of the ledger that the new rules do not drive.
    fn unheeded(&self) -> Result<Vec<String>> {
        let mut names = self.history.commanded()?;
        names.retain(|name| self.driven().all(|driven| *driven != **name));
        Ok(names)
    }
}

/// What was really decided, page by page.
struct Ledger<'a> {
    history: &'a History,
    query: LedgerQuery,
    rows: VecDeque<CommandRow>,
    has_more: bool,
}

impl<'a> Ledger<'a> {
    fn new(history: &'a History, from: UnixMicros, until: UnixMicros) -> Self {
        let (from, until) = (Some(from), Some(until));
        let query = LedgerQuery { from, until, limit: PAGE_LEN_MAX, ..LedgerQuery::default() };
        Self { history, query, rows: VecDeque::new(), has_more: true }
    }

    /// The next command that was decided at `at` or before.
    fn before(&mut self, at: UnixMicros) -> Result<Option<Command>> {
        if self.rows.is_empty() && self.has_more {
            let page = self.history.ledger(&self.query)?;
            self.has_more = page.len() == PAGE_LEN_MAX;
            self.query.after = page.last().map(|row| row.command.number).or(self.query.after);
            self.rows = page.into();
        }
        let is_due = |row: &CommandRow| row.command.decided_at <= at;
        if !self.rows.front().is_some_and(is_due) {
            return Ok(None);
        }
        Ok(self.rows.pop_front().map(|row| Command {
            at: row.command.decided_at,
            led: led(&row),
            actuator: row.command.actuator.into(),
            is_alert: false,
            reason: None,
            rule: row.command.rule.into(),
            cause: row.command.cause,
            reading: row.command.reading,
        }))
    }
}

const fn led(row: &CommandRow) -> Led {
    if row.command.on { Led::On } else { Led::Off }
}

/// Where the differences go: as lines at once, or the first of them behind the summary.
struct Shown<'a> {
    arguments: &'a Arguments,
    zone: &'a TimeZone,
    held: Vec<Difference>,
    /// How many only the old and only the new side has.
    counts: [u64; 2],
}

impl Shown<'_> {
    fn take(&mut self, difference: Difference) {
        if let Some(count) = self.counts.get_mut(difference.side as usize) {
            *count += 1;
        }
        match self.arguments.format {
            Shape::Json => {
                let Difference { side, command } = difference;
                let line = json!({
                    "only": if side == Side::Old { "old" } else { "new" },
                    "time": command.at.rfc3339(),
                    "actuator": *command.actuator,
                    "led": word(command.led),
                    "rule": *command.rule,
                    "reading": command.reading,
                    "cause": command.cause,
                });
                report::line(&line.to_string());
            }
            Shape::Table if self.held.len() < self.arguments.limit => self.held.push(difference),
            Shape::Table => {}
        }
    }

    fn finish(&self, summary: &Summary, unheeded: &[String]) {
        match self.arguments.format {
            Shape::Json => report::line(&self.json(summary)),
            Shape::Table => {
                for line in self.table(summary, unheeded) {
                    report::line(&line);
                }
            }
        }
    }

    fn json(&self, summary: &Summary) -> String {
        let days = summary.days();
        let side = |(band, totals): &(String, Totals)| {
            json!({
                "switches": totals.switches,
                "switches_per_day": round(per_day(totals, days)),
                "on_seconds": totals.on.as_secs_f64(),
                "band": band,
            })
        };
        let account = |account: &Account| {
            json!({
                "name": *account.actuator,
                "old": side(&account.old),
                "new": side(&account.new),
            })
        };
        json!({
            "from": summary.from.rfc3339(),
            "until": summary.until.rfc3339(),
            "readings": summary.readings,
            "seconds": round(summary.took.as_secs_f64()),
            "only_old": self.counts[0],
            "only_new": self.counts[1],
            "actuators": summary.accounts.iter().map(account).collect::<Vec<_>>(),
        })
        .to_string()
    }

    fn table(&self, summary: &Summary, unheeded: &[String]) -> Vec<String> {
        let days = summary.days();
        let (from, until) = (local(summary.from, self.zone), local(summary.until, self.zone));
        let (readings, seconds) = (summary.readings, summary.took.as_secs_f64());
        let mut lines = vec![format!(
            "{}: {readings} readings of {days:.1} days in {seconds:.2} s",
            self.arguments.file.display()
        )];
        let name_len = summary.accounts.iter().map(|it| it.actuator.chars().count()).max();
        let name_len = name_len.unwrap_or(0);
        let short = |time: &str| time.chars().take(16).collect::<String>();
        lines.push(format!(
            "\n{:1$}{2}",
            "",
            name_len + 5,
            ends(&short(&from), &short(&until), WIDTH)
        ));
        for account in &summary.accounts {
            let sides = [(&*account.actuator, "old", &account.old), ("", "new", &account.new)];
            for (name, side, (band, totals)) in sides {
                lines.push(format!(
                    "{name:<name_len$} {side} {band}  {:.1} switches a day, {:.1} h on",
                    per_day(totals, days),
                    totals.on.as_secs_f64() / 3_600.0
                ));
            }
        }
        if !unheeded.is_empty() {
            lines.push(format!("not compared, no new rule drives it: {}", unheeded.join(", ")));
        }
        let [old, new] = self.counts;
        if old + new == 0 {
            lines.push("\nno difference: the same commands within a second".into());
            return lines;
        }
        lines.push(format!("\n- {old} commands only as it was, + {new} only with the new rules:"));
        lines.extend(self.held.iter().map(|difference| self.line(difference)));
        let more = old + new - self.held.len() as u64;
        if more > 0 {
            lines.push(format!("… and {more} more: --limit {}, or --format json", old + new));
        }
        lines
    }

    fn line(&self, Difference { side, command }: &Difference) -> String {
        format!(
            "{} {}  {} {:<3}  rule {}: {}",
            if *side == Side::Old { '-' } else { '+' },
            local(command.at, self.zone),
            command.actuator,
            word(command.led),
            command.rule.escape_debug(),
            command.cause.escape_debug()
        )
    }
}

impl Summary {
    fn days(&self) -> f64 {
        self.until.since(self.from).as_secs_f64() / 86_400.0
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of switches is far below 2^53")]
fn per_day(totals: &Totals, days: f64) -> f64 {
    totals.switches as f64 / days
}

/// Three digits behind the point.
fn round(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

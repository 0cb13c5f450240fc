//! `mtom rules replay`: the history through new rules, and how their commands differ from those that were
//! really decided.

use super::arguments::{Replay as Arguments, Shape};
use super::compare::{Difference, Side, word};
use super::comparison::{Comparison, Outcome, Watch};
use super::contest::Account;
use super::source::Source;
use super::timeline::{Drawn, Totals, ends};
use crate::past::progress::Progress;
use crate::past::{local, with_history};
use crate::{Failure, clock, report};
use anyhow::Result;
use jiff::tz::TimeZone;
use mtom_protocol::time::UnixMicros;
use serde_json::json;
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
        let (specs, engine) = (source.specs.as_slice(), &source.engine);
        let comparison = Comparison { history: &history, specs, engine, from, until, width: WIDTH };
        let progress = Some(Progress::new("replaying"));
        let mut shown =
            Shown { arguments, zone: &zone, progress, held: Vec::new(), counts: [0, 0] };
        let begun = Instant::now();
        let outcome = comparison.run(&mut shown)?;
        shown.progress = None;
        shown.finish(&Summary { from, until, took: begun.elapsed(), outcome });
        Ok(())
    })
}

/// What is said at the end.
struct Summary {
    from: UnixMicros,
    until: UnixMicros,
    took: Duration,
    outcome: Outcome,
}

/// Where the differences go: as lines at once, or the first of them behind the summary.
struct Shown<'a> {
    arguments: &'a Arguments,
    zone: &'a TimeZone,
    /// `None`: it is done.
    progress: Option<Progress>,
    held: Vec<Difference>,
    /// How many only the old and only the new side has.
    counts: [u64; 2],
}

impl Watch for Shown<'_> {
    fn difference(&mut self, difference: Difference) {
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

    fn progress(&mut self, done: u64, of: u64) -> Result<()> {
        if let Some(progress) = &mut self.progress {
            progress.show(done, of);
        }
        Ok(())
    }
}

impl Shown<'_> {
    fn finish(&self, summary: &Summary) {
        match self.arguments.format {
            Shape::Json => report::line(&self.json(summary)),
            Shape::Table => {
                for line in self.table(summary) {
                    report::line(&line);
                }
            }
        }
    }

    fn json(&self, summary: &Summary) -> String {
        let days = summary.days();
        let side = |drawn: &Drawn| {
            json!({
                "switches": drawn.totals.switches,
                "switches_per_day": round(per_day(&drawn.totals, days)),
                "on_seconds": drawn.totals.on.as_secs_f64(),
                "band": drawn.picture(),
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
            "readings": summary.outcome.readings,
            "seconds": round(summary.took.as_secs_f64()),
            "only_old": self.counts[0],
            "only_new": self.counts[1],
            "actuators": summary.outcome.accounts.iter().map(account).collect::<Vec<_>>(),
        })
        .to_string()
    }

    fn table(&self, summary: &Summary) -> Vec<String> {
        let Outcome { readings, accounts, unheeded } = &summary.outcome;
        let days = summary.days();
        let (from, until) = (local(summary.from, self.zone), local(summary.until, self.zone));
        let seconds = summary.took.as_secs_f64();
        let mut lines = vec![format!(
            "{}: {readings} readings of {days:.1} days in {seconds:.2} s",
            self.arguments.file.display()
        )];
        let name_len = accounts.iter().map(|it| it.actuator.chars().count()).max();
        let name_len = name_len.unwrap_or(0);
        let short = |time: &str| time.chars().take(16).collect::<String>();
        lines.push(format!(
            "\n{:1$}{2}",
            "",
            name_len + 5,
            ends(&short(&from), &short(&until), WIDTH)
        ));
        for account in accounts {
            let sides = [(&*account.actuator, "old", &account.old), ("", "new", &account.new)];
            for (name, side, drawn) in sides {
                lines.push(format!(
                    "{name:<name_len$} {side} {}  {:.1} switches a day, {:.1} h on",
                    drawn.picture(),
                    per_day(&drawn.totals, days),
                    drawn.totals.on.as_secs_f64() / 3_600.0
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

//! The history through new rules, and how their commands differ from those that were really decided.
//!
//! It says nothing to anybody: differences and how far it is go to a [`Watch`] while it reads, which may
//! end it at any chunk. Nothing is switched and nothing is stored.

use super::compare::{Command, Difference, Side};
use super::contest::{Account, Contest, lead};
use super::feed;
use anyhow::Result;
use mtom_dashboard::replay::{self, Question, ReplayError};
use mtom_gateway::control::{Mistake, ReadRules};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Engine, RuleSpec};
use mtom_store::history::ledger::LedgerQuery;
use mtom_store::history::play::Played;
use mtom_store::history::{History, PAGE_LEN_MAX};
use mtom_store::record::{CommandRow, Order};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// What is compared.
#[derive(Clone, Copy)]
pub(crate) struct Comparison<'a> {
    pub(crate) history: &'a History,
    pub(crate) specs: &'a [RuleSpec],
    /// Made of the same.
    pub(crate) engine: &'a Engine,
    pub(crate) from: UnixMicros,
    pub(crate) until: UnixMicros,
    /// How many columns a band has.
    pub(crate) width: usize,
}

/// Looks on while it runs.
pub(crate) trait Watch {
    /// A command that only one side has, in the order in which they are found.
    fn difference(&mut self, difference: Difference);

    /// How far it is, and of how much.
    ///
    /// # Errors
    /// To end it: the error is that of the whole.
    fn progress(&mut self, done: u64, of: u64) -> Result<()>;
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// All that arrived, with those before the stretch that the new rules looked at.
    pub(crate) readings: u64,
    pub(crate) accounts: Vec<Account>,
    /// Actuators of the ledger that the new rules do not drive.
    pub(crate) unheeded: Vec<String>,
}

impl Comparison<'_> {
    /// Plays the stretch.
    ///
    /// # Errors
    /// When the history cannot be read, or `watch` ends it.
    pub(crate) fn run(&self, watch: &mut impl Watch) -> Result<Outcome> {
        let Self { history, specs, engine, from, until, width } = *self;
        let mut contest = Contest::new(engine, specs, (from, until), width);
        for actuator in self.driven() {
            let query = LedgerQuery {
                actuator: Some(actuator.to_string()),
                until: Some(from),
                order: Order::Descending,
                limit: 1,
                ..LedgerQuery::default()
            };
            if let Some(row) = history.ledger(&query)?.first() {
                contest.begin(&actuator, led(row));
            }
        }
        let mut ledger = Ledger::new(history, from, until);
        let stretch = (lead(engine, specs, from), until);
        let readings = feed::each(history, specs, stretch, |played| match played {
            Played::Progress(done, of) => watch.progress(done, of),
            Played::Reading(stored) => {
                while let Some(command) = ledger.before(stored.arrived_at)? {
                    contest.decided(command);
                }
                contest.reading(stored);
                while let Some(difference) = contest.difference(stored.arrived_at) {
                    watch.difference(difference);
                }
                Ok(())
            }
        })?;
        while let Some(command) = ledger.before(until)? {
            contest.decided(command);
        }
        let (rest, accounts) = contest.finish();
        rest.into_iter().for_each(|difference| watch.difference(difference));
        Ok(Outcome { readings, accounts, unheeded: self.unheeded()? })
    }

    fn driven(&self) -> impl Iterator<Item = Arc<str>> {
        self.specs.iter().flat_map(RuleSpec::actuators).map(Arc::from)
    }

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

/// The comparison as the page asks for it, of rules that `read` understands.
pub(crate) fn replayer(read: ReadRules) -> replay::Replay {
    Arc::new(move |history, question, go_on| answer(&read, history, question, go_on))
}

fn answer(
    read: &ReadRules,
    history: &History,
    question: &Question,
    go_on: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<replay::Comparison, ReplayError> {
    let specs = read(&question.text).map_err(ReplayError::Rules)?;
    let engine = Engine::compile(&specs).map_err(|errors| {
        let mistake = |text| Mistake { place: None, text };
        ReplayError::Rules(errors.iter().map(ToString::to_string).map(mistake).collect())
    })?;
    let Question { from, until, columns: width, differences_max, .. } = *question;
    let comparison = Comparison { history, specs: &specs, engine: &engine, from, until, width };
    let begun = Instant::now();
    let mut counted = Counted { go_on, differences_max, held: Vec::new(), counts: [0, 0] };
    let outcome = comparison.run(&mut counted).map_err(|error| {
        if error.is::<Stopped>() {
            ReplayError::Stopped
        } else {
            ReplayError::Failed(format!("{error:#}"))
        }
    })?;
    let Counted { held, counts: [only_old, only_new], .. } = counted;
    Ok(replay::Comparison {
        from,
        until,
        readings: outcome.readings,
        took: begun.elapsed(),
        only_old,
        only_new,
        actuators: outcome.accounts.into_iter().map(account).collect(),
        differences: held.into_iter().map(difference).collect(),
        not_compared: outcome.unheeded,
    })
}

/// Counts differences and keeps the first of them.
struct Counted<'a> {
    go_on: &'a mut dyn FnMut(u64, u64) -> bool,
    differences_max: usize,
    held: Vec<Difference>,
    /// How many only the old and only the new side has.
    counts: [u64; 2],
}

/// Whoever asked does not want to know any more.
#[derive(Debug)]
struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody waits for the comparison any more")
    }
}

impl std::error::Error for Stopped {}

impl Watch for Counted<'_> {
    fn difference(&mut self, difference: Difference) {
        self.counts[difference.side as usize] += 1;
        if self.held.len() < self.differences_max {
            self.held.push(difference);
        }
    }

    fn progress(&mut self, done: u64, of: u64) -> Result<()> {
        if (self.go_on)(done, of) { Ok(()) } else { Err(Stopped.into()) }
    }
}

fn account(account: Account) -> replay::Account {
    let band = |drawn: &super::timeline::Drawn| replay::Band {
        switches: drawn.totals.switches,
        on: drawn.totals.on,
        shares: drawn.shares().collect(),
    };
    replay::Account {
        actuator: account.actuator.to_string(),
        old: band(&account.old),
        new: band(&account.new),
    }
}

fn difference(Difference { side, command }: Difference) -> replay::Difference {
    replay::Difference {
        is_new: side == Side::New,
        at: command.at,
        actuator: command.actuator.to_string(),
        led: command.led,
        rule: command.rule.to_string(),
        reading: command.reading,
        cause: command.cause,
    }
}

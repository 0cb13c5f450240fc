//! The spine: message → reading → {store, live, rules → actuators}, one batch at a time.
//!
//! A batch is whatever arrived while the last one was committed; there is no timer. Everything
//! that a batch causes (readings, rejects, rule state, commands) is one transaction. When it is
//! written, and so proof against the death of this process, actuators are told; when it is synced,
//! and so proof against a loss of power, senders are acknowledged and viewers shown. When it cannot
//! be written nothing of the batch is kept: no acknowledgement leaves, so devices send again; viewers
//! and rules go on with what came ([`unstored`]).
//! When it cannot be synced nobody can tell what has happened: the relay ends, and with it the
//! process; the next one reads what is there.
//!
//! It runs on a thread of its own because SQLite blocks.

use crate::Clock;
use crate::availability::Heard;
use crate::board::{Board, Outcome};
use crate::discovery::Discovered;
use crate::gateway::Followers;
use crate::sparkplug::{Sparkplug, rebirth};
use crate::view::{Counts, Hop, LogEvent, View, Wanted};
use mtom_broker::intake::{Delivery, Tally};
use mtom_protocol::payload::NotAReading;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Decision, Engine, Event, Outputs};
use mtom_store::batch::Batch;
use mtom_store::error::StoreError;
use mtom_store::journal::Journal;
use mtom_store::latency;
use mtom_store::record::{Reject, Stored};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

mod decoded;
mod forwarded;
mod inbox;
mod ledger;
mod person;
mod quiet;
mod rules;
mod unstored;
mod upkeep;

use decoded::decoded;
pub(crate) use inbox::Inbox;
use inbox::{Wake, Work};
use ledger::{again, close, newest, record};
use quiet::{Quiet, stored_line};
use rules::{Rules, alert_record};
use unstored::Unstored;
pub(crate) use upkeep::Upkeep;

/// How many deliveries wait for the relay. Full: the brokers wait, so sockets are not read.
pub(crate) const INTAKE_LEN: usize = 8_192;
/// The most deliveries of one transaction.
const BATCH_LEN_MAX: usize = 4_096;
/// Command numbers are reserved on disk in blocks, so that a command costs no commit of its own.
const NUMBERS_LEN: u64 = 1_000;
/// How soon it is tried again to write what waits for the disk.
const RETRY_PERIOD: Duration = Duration::from_secs(1);
/// How long the outcome of a command may wait for company before it is written.
const OUTCOME_DELAY: Duration = Duration::from_secs(1);

/// The thread's state.
pub(crate) struct Relay {
    journal: Journal,
    rules: Rules,
    board: Arc<Board>,
    followers: Followers,
    view: View,
    newest: watch::Sender<u64>,
    raised: Arc<Notify>,
    rebirths: mpsc::Sender<Arc<str>>,
    sparkplug: Sparkplug,
    clock: Clock,
    tally: Tally,
    discovered: Discovered,
    numbers: Range<u64>,
    quiet: Quiet,
    upkeep: Upkeep,
    unstored: Unstored,
    failing: bool,
    /// The connection to another gateway that something was lost on.
    lost_connection: u64,
}

/// Who is told of what was stored.
pub(crate) struct Audience {
    followers: Followers,
    view: View,
    /// The newest reading's number, for whoever copies them elsewhere.
    newest: watch::Sender<u64>,
    /// Rules have raised alerts, for whoever delivers them.
    raised: Arc<Notify>,
    /// Nodes that are to be asked for their births.
    rebirths: mpsc::Sender<Arc<str>>,
}

impl Audience {
    /// With the nodes that are to be asked for their births.
    pub(crate) fn new(
        followers: &Followers,
        view: &View,
        newest: watch::Sender<u64>,
        raised: &Arc<Notify>,
    ) -> (Self, mpsc::Receiver<Arc<str>>) {
        let (rebirths, unborn) = mpsc::channel(rebirth::WAITING_LEN);
        let (followers, view) = (followers.clone(), view.clone());
        (Self { followers, view, newest, raised: Arc::clone(raised), rebirths }, unborn)
    }
}

/// What one transaction leads to.
#[derive(Default)]
struct Effects {
    readings: Vec<Arc<StoredReading>>,
    /// The numbers of those of the past: they are not how things are.
    past: BTreeSet<u64>,
    wanted: Vec<(Arc<str>, Wanted)>,
    /// Alerts wait in the journal.
    raised: bool,
    /// Messages that are no readings by design.
    ignored: u64,
    /// What some of them say about devices being there.
    heard: Vec<Heard>,
    said: Vec<LogEvent>,
}

impl Relay {
    /// A relay whose rules go on where the journal says they were.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn new(
        journal: Journal,
        rules: Engine,
        board: Arc<Board>,
        Audience { followers, view, newest, raised, rebirths }: Audience,
        (tally, discovered): (Tally, Discovered),
        upkeep: Upkeep,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let rules = Rules::restore(&journal, rules, clock())?;
        let relay = Self {
            journal,
            rules,
            board,
            followers,
            view,
            newest,
            raised,
            rebirths,
            sparkplug: Sparkplug::default(),
            clock,
            tally,
            discovered,
            numbers: 0..0,
            quiet: Quiet::default(),
            upkeep,
            unstored: Unstored::default(),
            failing: false,
            lost_connection: 0,
        };
        relay.count((relay.clock)());
        Ok(relay)
    }

    /// Works until `end`, then finishes what was handed over before it.
    ///
    /// # Errors
    /// [`StoreError::Unsynced`]: nothing of the last batch was acknowledged.
    pub(crate) fn run(
        mut self,
        mut inbox: Inbox,
        end: &CancellationToken,
        runtime: &Handle,
    ) -> Result<(), StoreError> {
        self.resume();
        let mut work = Work::default();
        work.batch.reserve(BATCH_LEN_MAX);
        loop {
            let wait = self.wait_max();
            match runtime.block_on(inbox.next(&mut work, wait, end)) {
                Wake::Request(request) => self.obey(request)?,
                Wake::Work | Wake::Timer => {
                    self.turn(&mut work)?;
                    // Where readings never cease, persons are heard between two batches.
                    if let Some(request) = inbox.request() {
                        self.obey(request)?;
                    }
                }
                Wake::End => break,
            }
        }
        inbox.take_last(&mut work);
        self.turn(&mut work)?;
        // The next process knows how far the other database is before that answers.
        self.upkeep.follow(&mut self.journal, (self.clock)());
        Ok(())
    }

    /// One transaction and what follows from it.
    fn turn(&mut self, work: &mut Work) -> Result<(), StoreError> {
        let now = (self.clock)();
        let mut effects = Effects::default();
        let before = self.rules.state.clone();
        self.drop_lost(work);
        let batch_len = work.len();
        match self.write(work, now, &mut effects) {
            Ok(false) => self.journal.sum_up(),
            Ok(true) => {
                // Before the sync, which takes most of the time: a person waits for the light.
                if batch_len > 0 && !effects.wanted.is_empty() {
                    self.view.decided((self.clock)().since(now));
                }
                for (actuator, wanted) in effects.wanted.drain(..) {
                    self.board.want(&actuator, wanted);
                }
                self.journal.sync()?;
                // While the disk is waited for, the links have a processor more.
                self.journal.sum_up();
                if batch_len > 0 {
                    let took = (self.clock)().since(now);
                    self.journal.took(latency::Hop::ArrivedToStored, now, took, batch_len as u64);
                    self.view.took(Some(took), now);
                }
                self.unstored.clear();
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the journal can be written again");
                }
                work.close_told();
                for note in work.notes.drain(..) {
                    // Who no longer waits has no use for it.
                    let _ = note.written.send(());
                }
                self.follow(work, effects, now);
            }
            Err(error @ StoreError::Unsynced(_)) => return Err(error),
            Err(error) => {
                self.rules.state = before;
                self.view.took(None, now);
                self.go_on_without_disk(work, now);
                // Dropped without a receipt: nobody is acknowledged, so everybody sends again.
                work.batch.clear();
                self.lose(work);
                work.put_off_told(Instant::now());
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        withheld = batch_len,
                        "nothing can be stored: acknowledgements are withheld until it can"
                    );
                }
            }
        }
        self.ask_for_births();
        self.upkeep.run(&mut self.journal, now, batch_len);
        self.count(now);
        Ok(())
    }

    fn write(
        &mut self,
        work: &Work,
        now: UnixMicros,
        effects: &mut Effects,
    ) -> Result<bool, StoreError> {
        let timer = self.rules.engine.next_deadline(&self.rules.state).is_some_and(|at| at <= now);
        let owes = !self.unstored.is_empty() || self.rules.owes();
        if work.is_empty() && !timer && !owes {
            return Ok(false);
        }
        let Work { batch, forwarded, told, notes, .. } = work;
        self.reserve(told.len())?;
        let mut numbers = self.numbers.clone();
        let mut transaction = self.journal.begin()?;
        let mut out = Outputs::default();
        for command in &self.unstored.commands {
            transaction.command(command)?;
        }
        effects.raised = !self.unstored.alerts.is_empty();
        for alert in &self.unstored.alerts {
            transaction.alert(alert)?;
        }
        if timer {
            self.rules.engine.step(&mut self.rules.state, Event::Time, now, &mut out);
        }
        for delivery in batch {
            let (behind, known) = (effects.readings.len(), (&mut self.sparkplug, &self.discovered));
            let found = decoded(delivery, behind, known, now);
            effects.ignored += u64::from(found.outcomes.is_empty());
            effects.heard.extend(found.heard);
            for (at, outcome) in found.outcomes.into_iter().enumerate() {
                match outcome {
                    Ok(reading) => {
                        if let Some(stored) = keep(&mut transaction, reading, now, effects)? {
                            let is_past = found.past.contains(&at);
                            self.rules.meet(&stored, is_past, now, &mut out);
                            effects.past.extend(is_past.then_some(stored.id));
                            effects.readings.push(stored);
                        }
                    }
                    Err(reason) => refuse(&mut transaction, delivery, &reason, now, effects)?,
                }
            }
        }
        self.rules.take_over(forwarded, &mut transaction, now, effects, &mut out)?;
        if !out.decisions.is_empty() {
            self.board.announce();
        }
        for decision in newest(out.decisions) {
            let number = numbers.next().expect("reserve made room for every actuator");
            record(&mut transaction, decision, number, now, effects)?;
        }
        self.rules.keep(&mut transaction)?;
        let raised = !out.alerts.is_empty();
        for alert in out.alerts {
            transaction.alert(&alert_record(alert))?;
        }
        for note in notes {
            transaction.alert_outcome(note.id, &note.outcome, note.at)?;
        }
        for outcome in told {
            if let Outcome::Ahead { actuator } = outcome {
                let Some(wanted) = self.board.wanted(actuator) else { continue };
                let number = numbers.next().expect("reserve made room for every actuator");
                again(&mut transaction, actuator, wanted, number, now, effects)?;
            } else {
                close(&mut transaction, outcome)?;
            }
        }
        transaction.write_ahead(!effects.wanted.is_empty())?;
        self.sparkplug.keep();
        self.numbers = numbers;
        self.rules.kept();
        effects.raised |= raised;
        Ok(true)
    }
}

impl Relay {
    /// Says again what the rules wanted when the last process ended.
    fn resume(&mut self) {
        let now = (self.clock)();
        let standing = self.rules.engine.standing(&self.rules.state);
        if standing.is_empty() {
            return;
        }
        let mut effects = Effects::default();
        match self.say_again(standing, now, &mut effects) {
            Ok(()) => {
                for (actuator, wanted) in effects.wanted {
                    self.board.want(&actuator, wanted);
                }
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the journal cannot be written: actuators stay as they are"
            ),
        }
    }

    fn say_again(
        &mut self,
        standing: Vec<Decision>,
        now: UnixMicros,
        effects: &mut Effects,
    ) -> Result<(), StoreError> {
        self.reserve(0)?;
        let mut transaction = self.journal.begin()?;
        for decision in newest(standing) {
            let number = self.numbers.next().expect("reserve made room for every actuator");
            record(&mut transaction, decision, number, now, effects)?;
        }
        transaction.commit()
    }

    /// Makes sure that there is a number for every actuator and for so many more, all of them above
    /// what devices have seen.
    fn reserve(&mut self, more: usize) -> Result<(), StoreError> {
        let needed = (self.board.len() + more) as u64;
        let seen = self.board.number_seen();
        let left = self.numbers.end.saturating_sub(self.numbers.start);
        if left >= needed && self.numbers.start > seen {
            return Ok(());
        }
        let behind = seen.saturating_sub(self.numbers.end);
        let count = needed.max(NUMBERS_LEN).saturating_add(behind);
        let reserved = self.journal.reserve_command_numbers(count)?;
        self.numbers = reserved.start.max(seen.saturating_add(1))..reserved.end;
        Ok(())
    }

    /// What a durable batch leads to.
    fn follow(&mut self, work: &mut Work, effects: Effects, now: UnixMicros) {
        for delivery in work.batch.drain(..) {
            delivery.safe();
        }
        for forwarding in work.forwarded.drain(..) {
            forwarding.safe();
        }
        self.tally.ignore(effects.ignored);
        if !effects.readings.is_empty() {
            self.followers.offer(&effects.readings);
        }
        self.view.stored(&effects.readings, &effects.past);
        let changed = self.view.availability(&effects.heard, &effects.readings, now);
        let changed = changed.into_iter().map(LogEvent::from);
        let lines = effects.readings.iter().map(|stored| stored_line(stored));
        let (lines, skipped) = self.quiet.pass(lines.chain(effects.said).chain(changed), now);
        for event in lines {
            self.view.log(now, Hop::Gateway, event);
        }
        if skipped > 0 {
            self.view.log(now, Hop::Gateway, LogEvent::Skipped { count: skipped });
        }
        if let Some(last) = effects.readings.last() {
            self.newest.send_replace(last.id);
        }
        self.view.flown(&effects.readings);
        if effects.raised {
            self.raised.notify_one();
        }
    }

    /// Asks the nodes whose births are missing. Full: one is asked when it is heard again after a while.
    fn ask_for_births(&mut self) {
        for node in self.sparkplug.wanted() {
            let _ = self.rebirths.try_send(node);
        }
    }

    fn count(&self, now: UnixMicros) {
        let counts = self.journal.counts();
        let in_flight = self.tally.waiting();
        let counts = Counts {
            received: counts.stored + counts.duplicate + counts.rejected + in_flight,
            stored: counts.stored,
            duplicate: counts.duplicate,
            rejected: counts.rejected,
            in_flight,
            ..Counts::default()
        };
        self.view.counts(counts, now);
        self.view.sparkplug(self.sparkplug.counts());
    }
}

/// Stores a reading; `None` when it is stored already.
fn keep(
    transaction: &mut Batch<'_>,
    reading: Reading,
    now: UnixMicros,
    effects: &mut Effects,
) -> Result<Option<Arc<StoredReading>>, StoreError> {
    match transaction.reading(&reading, now)? {
        Stored::New(stored) => Ok(Some(Arc::new(stored))),
        Stored::Duplicate => {
            let Reading { device, quantity, key, .. } = reading;
            let seq = key.map_or(0, |key| key.seq);
            effects.said.push(LogEvent::Duplicate { seq, device, quantity });
            Ok(None)
        }
    }
}

/// Keeps what is no reading, with its reason.
fn refuse(
    transaction: &mut Batch<'_>,
    delivery: &Delivery,
    reason: &NotAReading,
    now: UnixMicros,
    effects: &mut Effects,
) -> Result<(), StoreError> {
    let (topic, code, text) = (&*delivery.message.topic, reason.code(), reason.to_string());
    transaction.reject(&Reject {
        topic,
        payload: &delivery.message.payload,
        code,
        reason: &text,
        arrived_at: now,
    })?;
    effects.said.push(LogEvent::Rejected { topic: topic.into(), code, reason: text });
    Ok(())
}

#[cfg(test)]
mod tests;

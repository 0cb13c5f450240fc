//! From our types to those of the border.

use super::{
    Actuator, Actuators, Availability, Command, Commands, Counts, Desired, Frame, Latest, LedState,
    LinkWord, Listens, Log, LogLine, Reading, ReadingPage, Rule, RuleSet, RuleSets, Rules, State,
    Status, TrustWord, Why, Zone,
};
use crate::events::{LogEvent, brief};
use crate::server::Info;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mtom_gateway::availability;
use mtom_gateway::view::{
    ActuatorView, Counts as Account, LinkState, LogEntry, RuleView, Snapshot, Told, Trust, Update,
    Wanted,
};
use mtom_protocol::link::Led;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;

use mtom_store::history::{PAGE_LEN_MAX, Page};
use mtom_store::record::{CommandRow, RuleSetRow};

impl<'a> From<&'a StoredReading> for Reading<'a> {
    fn from(stored: &'a StoredReading) -> Self {
        let reading = &stored.reading;
        Self {
            id: stored.id,
            device: &reading.device,
            quantity: &reading.quantity,
            topic: &reading.topic,
            value: reading.value,
            unit: reading.unit.symbol(),
            celsius: reading.celsius(),
            fahrenheit: reading.fahrenheit(),
            at: stored.at.rfc3339(),
            at_micros: stored.at.0,
            arrived_at: stored.arrived_at.rfc3339(),
            arrived_at_micros: stored.arrived_at.0,
            taken_at: reading.taken_at.map(UnixMicros::rfc3339),
            taken_at_micros: reading.taken_at.map(|at| at.0),
            suspect: stored.suspect,
            boot: reading.key.as_ref().map(|key| &*key.boot),
            seq: reading.key.as_ref().map(|key| key.seq),
        }
    }
}

impl From<Led> for LedState {
    fn from(led: Led) -> Self {
        match led {
            Led::On => Self::On,
            Led::Off => Self::Off,
        }
    }
}

impl From<LinkState> for LinkWord {
    fn from(state: LinkState) -> Self {
        match state {
            LinkState::Away => Self::Away,
            LinkState::Searching => Self::Searching,
            LinkState::Connecting => Self::Connecting,
            LinkState::Up => Self::Up,
            LinkState::Broken => Self::Broken,
        }
    }
}

impl From<Trust> for TrustWord {
    fn from(trust: Trust) -> Self {
        match trust {
            Trust::Authenticated => Self::Authenticated,
            Trust::Unauthenticated => Self::Unauthenticated,
            Trust::WrongKey => Self::WrongKey,
        }
    }
}

impl<'a> From<&'a ActuatorView> for Actuator<'a> {
    fn from(view: &'a ActuatorView) -> Self {
        Self {
            name: &view.name,
            link: &view.link,
            link_state: view.link_state.into(),
            link_reason: &view.link_reason,
            link_since: view.link_since.rfc3339(),
            link_since_micros: view.link_since.0,
            link_down_since: view.link_down_since.map(UnixMicros::rfc3339),
            link_down_since_micros: view.link_down_since.map(|at| at.0),
            simulated: view.simulated,
            desired: view.desired.as_ref().map(Desired::from),
            reported: view.reported.map(State::from),
            sent: view.sent.map(State::from),
            firmware: view.firmware.as_deref(),
            trust: view.trust.map(TrustWord::from),
            latency_micros: view.latency_micros,
        }
    }
}

impl<'a> From<&'a Wanted> for Desired<'a> {
    fn from(wanted: &'a Wanted) -> Self {
        Self {
            led: wanted.led.into(),
            number: wanted.number,
            at: wanted.at.rfc3339(),
            at_micros: wanted.at.0,
            rule: &wanted.rule,
            cause: &wanted.cause,
        }
    }
}

impl From<Told> for State {
    fn from(told: Told) -> Self {
        Self {
            led: told.led.into(),
            number: told.number,
            at: told.at.rfc3339(),
            at_micros: told.at.0,
        }
    }
}

impl<'a> From<&'a LogEntry> for LogLine<'a> {
    fn from(entry: &'a LogEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at.rfc3339(),
            at_micros: entry.at.0,
            hop: entry.hop.word(),
            text: brief(&entry.event.to_string()).to_owned(),
            event: LogEvent::from(&entry.event),
        }
    }
}

impl From<Account> for Counts {
    fn from(account: Account) -> Self {
        let Account { received, stored, duplicate, rejected, in_flight, ignored } = account;
        Self { received, stored, duplicate, rejected, in_flight, ignored }
    }
}

impl<'a> Status<'a> {
    pub(crate) fn new(info: &'a Info, reach: &'a [String], now: UnixMicros) -> Self {
        Self {
            version: &info.version,
            started_at: info.started_at.rfc3339(),
            started_at_micros: info.started_at.0,
            now: now.rfc3339(),
            now_micros: now.0,
            zone: Zone::new(&info.zone, now),
            listens: Listens {
                mqtt: &info.mqtt,
                live: &info.live,
                history: &info.history,
                tcp: &info.tcp,
                udp: &info.udp,
                dashboard: &info.dashboard,
            },
            reach,
            insecure: info.insecure.as_deref(),
            simulated: info.simulated,
        }
    }
}

impl<'a> Zone<'a> {
    fn new(zone: &'a TimeZone, now: UnixMicros) -> Self {
        // What is no time of this world has the zone's offset of 1970.
        let now = Timestamp::from_microsecond(now.0).unwrap_or_default();
        Self { name: zone.iana_name(), offset_seconds: zone.to_offset(now).seconds() }
    }
}

impl<'a> From<&'a availability::Availability> for Availability<'a> {
    fn from(availability: &'a availability::Availability) -> Self {
        let availability::Availability { device, is_available, since, is_learnt_late } =
            availability;
        Self {
            device,
            available: *is_available,
            since: since.rfc3339(),
            since_micros: since.0,
            since_latest: *is_learnt_late,
        }
    }
}

impl<'a> ReadingPage<'a> {
    pub(crate) fn new(page: &'a Page) -> Self {
        Self {
            readings: page.rows.iter().map(Reading::from).collect(),
            next: page.next.map(|next| next.to_string()),
        }
    }
}

impl<'a> Latest<'a> {
    pub(crate) fn new(readings: impl Iterator<Item = &'a StoredReading>) -> Self {
        Self { readings: readings.map(Reading::from).collect() }
    }
}

impl<'a> Log<'a> {
    pub(crate) fn new(log: &'a [LogEntry]) -> Self {
        Self { log: log.iter().map(LogLine::from).collect() }
    }
}

impl<'a> Actuators<'a> {
    pub(crate) fn new(actuators: &'a [ActuatorView]) -> Self {
        Self { actuators: actuators.iter().map(Actuator::from).collect() }
    }
}

impl<'a> Rules<'a> {
    pub(crate) fn new(rules: &'a [RuleView], newest: Option<&'a RuleSetRow>) -> Self {
        let rules = rules.iter().map(Rule::from).collect();
        Self { rules, version: newest.map(RuleSet::from), until: None, until_micros: None }
    }

    /// The same of rules whose place others took then.
    pub(crate) fn until(self, at: Option<UnixMicros>) -> Self {
        let (until, until_micros) = (at.map(UnixMicros::rfc3339), at.map(|at| at.0));
        Self { until, until_micros, ..self }
    }
}

impl<'a> From<&'a RuleView> for Rule<'a> {
    fn from(rule: &'a RuleView) -> Self {
        Self {
            name: &rule.name,
            when: &rule.when,
            on: &rule.on,
            off: rule.off.as_deref(),
            actuators: &rule.actuators,
        }
    }
}

impl<'a> Commands<'a> {
    /// `rows` may hold one more than `limit`: then there is a next page. Where the store could not give one
    /// more, there may be one.
    pub(crate) fn new(rows: &'a [CommandRow], limit: usize) -> Self {
        let shown = rows.get(..limit).unwrap_or(rows);
        let more = rows.len() > shown.len() || rows.len() == PAGE_LEN_MAX;
        Self {
            commands: shown.iter().map(Command::from).collect(),
            next: shown.last().filter(|_| more).map(|row| row.command.number),
        }
    }
}

impl<'a> From<&'a CommandRow> for Command<'a> {
    fn from(row: &'a CommandRow) -> Self {
        let command = &row.command;
        let text = |at: Option<UnixMicros>| at.map(UnixMicros::rfc3339);
        Self {
            number: command.number,
            actuator: &command.actuator,
            led: if command.on { LedState::On } else { LedState::Off },
            rule: &command.rule,
            rule_version: command.rule_version.as_deref(),
            condition: command.condition.as_deref(),
            reading: command.reading,
            cause: &command.cause,
            decided_at: command.decided_at.rfc3339(),
            decided_at_micros: command.decided_at.0,
            sent_at: text(row.sent_at),
            sent_at_micros: row.sent_at.map(|at| at.0),
            applied_at: text(row.applied_at),
            applied_at_micros: row.applied_at.map(|at| at.0),
            refused_at: text(row.refused_at),
            refused_at_micros: row.refused_at.map(|at| at.0),
            refused_reason: row.refused_reason.as_deref(),
        }
    }
}

impl<'a> Why<'a> {
    pub(crate) fn new(row: &'a CommandRow, reading: Option<&'a StoredReading>) -> Self {
        Self { command: Command::from(row), reading: reading.map(Reading::from) }
    }
}

impl<'a> RuleSets<'a> {
    /// `rows` as in [`Commands::new`].
    pub(crate) fn new(rows: &'a [RuleSetRow], limit: usize) -> Self {
        let shown = rows.get(..limit).unwrap_or(rows);
        let more = rows.len() > shown.len() || rows.len() == PAGE_LEN_MAX;
        Self {
            versions: shown.iter().map(RuleSet::from).collect(),
            next: shown.last().filter(|_| more).map(|row| row.version),
        }
    }
}

impl<'a> From<&'a RuleSetRow> for RuleSet<'a> {
    fn from(row: &'a RuleSetRow) -> Self {
        Self {
            version: row.version,
            applied_at: row.applied_at.rfc3339(),
            applied_at_micros: row.applied_at.0,
            source: &row.source,
            text: &row.text,
        }
    }
}

impl<'a> From<&'a Update> for Frame<'a> {
    fn from(update: &'a Update) -> Self {
        match update {
            Update::Reading(reading) => Self::Reading { reading: Reading::from(&**reading) },
            Update::Actuator(actuator) => Self::Actuator { actuator: Actuator::from(actuator) },
            Update::Availability(availability) => {
                Self::Availability { availability: Availability::from(availability) }
            }
            Update::Log(entry) => Self::Log { entry: LogLine::from(entry) },
        }
    }
}

impl<'a> Frame<'a> {
    pub(crate) fn snapshot(snapshot: &'a Snapshot, now: UnixMicros) -> Self {
        Self::Snapshot {
            now: now.rfc3339(),
            now_micros: now.0,
            readings: snapshot.latest.iter().map(|reading| Reading::from(&**reading)).collect(),
            availability: snapshot.availability.iter().map(Availability::from).collect(),
            actuators: snapshot.actuators.iter().map(Actuator::from).collect(),
            log: snapshot.log.iter().map(LogLine::from).collect(),
            counts: snapshot.counts.into(),
            rules: snapshot.rules.iter().map(Rule::from).collect(),
        }
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("our own types always have a JSON form")
    }
}

//! What the API and the live socket say, as JSON.
//!
//! The only types here that leave the process. Each is made by hand from ours, and `web/wire.d.ts` is
//! made from them. Times come twice: RFC 3339 for people, microseconds since 1970 for programs.
//! `/api/v1` only grows.

use crate::events::LogEvent;
use serde::Serialize;

mod convert;

/// One reading, as it came, and as temperatures where it is one.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Reading<'a> {
    /// The journal number: unique, rising in the order of storage. 0: not stored yet, because the disk
    /// takes nothing.
    id: u64,
    device: &'a str,
    quantity: &'a str,
    topic: &'a str,
    value: f64,
    /// `°C`, `%`, …; empty for a plain number.
    unit: &'static str,
    celsius: Option<f64>,
    fahrenheit: Option<f64>,
    /// The time it counts for.
    at: String,
    at_micros: i64,
    /// When it reached the gateway.
    arrived_at: String,
    arrived_at_micros: i64,
    /// When the device says it measured.
    taken_at: Option<String>,
    taken_at_micros: Option<i64>,
    /// The device sent a time that cannot be true, so `at` is the arrival.
    suspect: bool,
    /// The device's own count, where it sends one.
    boot: Option<&'a str>,
    seq: Option<u64>,
}

/// `on` or `off`.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum LedState {
    On,
    Off,
}

/// Whether a device is there, as it says itself, or its last will or what it is reached through.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Availability<'a> {
    device: &'a str,
    available: bool,
    /// Since when.
    since: String,
    since_micros: i64,
    /// It was so before anybody could hear it: `since` is when that was learnt.
    since_latest: bool,
}

/// One actuator: what it should be, what it was told, what it says it is.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Actuator<'a> {
    name: &'a str,
    link: &'a str,
    link_state: LinkWord,
    /// Why the link is so, or while the device is tried again why the last try came to nothing; empty where
    /// there is nothing to say.
    link_reason: &'a str,
    link_since: String,
    link_since_micros: i64,
    /// Since when the link is not up, over every try since then; null: it is up.
    link_down_since: Option<String>,
    link_down_since_micros: Option<i64>,
    simulated: bool,
    /// What the rules want.
    desired: Option<Desired<'a>>,
    /// What the device says it is; null for an original device, which never answers.
    reported: Option<State>,
    /// The newest command that was written to the link.
    sent: Option<State>,
    /// The device's own name and firmware; null until it has said them.
    firmware: Option<&'a str>,
    /// Whether the device proves what it says; null: it has a key and was not heard yet.
    trust: Option<TrustWord>,
    /// From the decision to the device's answer.
    latency_micros: Option<u64>,
}

/// The state of a link.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum LinkWord {
    Away,
    Searching,
    Connecting,
    Up,
    Broken,
}

/// Whether a device proves what it says.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum TrustWord {
    Authenticated,
    Unauthenticated,
    #[serde(rename = "wrong key")]
    WrongKey,
}

/// A desired state and where it comes from.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Desired<'a> {
    led: LedState,
    number: u64,
    at: String,
    at_micros: i64,
    rule: &'a str,
    cause: &'a str,
}

/// A state that was told, by us or by the device.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct State {
    led: LedState,
    /// The command it belongs to; 0 before the first.
    number: u64,
    at: String,
    at_micros: i64,
}

/// One line of the communication log.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct LogLine<'a> {
    /// Rises by one.
    id: u64,
    at: String,
    at_micros: i64,
    /// Where on the path: `broker`, `gateway`, `forward`, `rules` or `actuator`.
    hop: &'static str,
    /// The English sentence.
    text: String,
    event: LogEvent<'a>,
}

/// The account: received = stored + duplicate + rejected + in flight, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[allow(clippy::struct_field_names, reason = "the names are those of the account")]
pub(crate) struct Counts {
    received: u64,
    stored: u64,
    duplicate: u64,
    rejected: u64,
    in_flight: u64,
    /// Messages on topics that nobody listens to.
    ignored: u64,
}

/// `GET /api/v1/status`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Status<'a> {
    version: &'a str,
    started_at: String,
    started_at_micros: i64,
    /// The gateway's clock.
    now: String,
    now_micros: i64,
    /// Of the gateway's computer.
    zone: Zone<'a>,
    listens: Listens<'a>,
    /// Addresses of the broker for other computers, the likeliest first; empty: this one alone reaches it.
    reach: &'a [String],
    /// What is unsafe about this installation, in words; null: nothing.
    insecure: Option<&'a str>,
    /// Simulated devices take part.
    simulated: bool,
}

/// A zone of time, as it is now.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Zone<'a> {
    /// `Asia/Shanghai`; null: only the offset is known.
    name: Option<&'a str>,
    /// What its clocks show more than UTC.
    offset_seconds: i32,
}

/// Where things listen, `host:port`; empty where nothing does.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Listens<'a> {
    mqtt: &'a str,
    live: &'a str,
    history: &'a str,
    /// Every reading as a line of JSON.
    tcp: &'a str,
    /// A datagram of JSON for each reading.
    udp: &'a str,
    dashboard: &'a str,
}

/// `GET /api/v1/rules`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Rules<'a> {
    rules: Vec<Rule<'a>>,
    /// The same as they were written; null: the journal has none.
    version: Option<RuleSet<'a>>,
    /// When other rules took their place; null: they run.
    until: Option<String>,
    until_micros: Option<i64>,
}

/// A rule in the words of its configuration.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Rule<'a> {
    name: &'a str,
    /// The topic filter of the readings that it looks at.
    when: &'a str,
    /// The expression that wishes the actuators on.
    on: &'a str,
    /// The expression that wishes them off; null: the negation of `on`.
    off: Option<&'a str>,
    actuators: &'a [String],
}

/// `GET /api/v1/readings`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct ReadingPage<'a> {
    readings: Vec<Reading<'a>>,
    /// The `after` of the next page; null: this is the last.
    next: Option<String>,
}

/// `GET /api/v1/latest`: the newest reading of each series.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Latest<'a> {
    readings: Vec<Reading<'a>>,
}

/// `GET /api/v1/actuators`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Actuators<'a> {
    actuators: Vec<Actuator<'a>>,
}

/// `GET /api/v1/log`: the newest lines of the communication log, oldest first.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Log<'a> {
    log: Vec<LogLine<'a>>,
}

/// `GET /api/v1/commands`, newest first.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Commands<'a> {
    commands: Vec<Command<'a>>,
    /// The `before` of the next page; null: this is the last.
    next: Option<u64>,
}

/// `GET /api/v1/why`: why an actuator is to be as it is.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Why<'a> {
    command: Command<'a>,
    /// The reading that led to it; null when none did, or when it is no longer kept.
    reading: Option<Reading<'a>>,
}

/// `GET /api/v1/rules/versions`: the newest one runs.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct RuleSets<'a> {
    versions: Vec<RuleSet<'a>>,
    /// The `after` of the next page; null: this is the last.
    next: Option<u64>,
}

/// A version of the rules.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct RuleSet<'a> {
    version: u64,
    applied_at: String,
    applied_at_micros: i64,
    /// Who brought it.
    source: &'a str,
    /// TOML.
    text: &'a str,
}

/// `PUT /api/v1/rules` and `POST /api/v1/rules/rollback`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Applied {
    /// The version that runs now; null when it was only looked at.
    pub(crate) version: Option<u64>,
}

/// One row of the ledger: reading → rule → command → sent → acknowledged.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Command<'a> {
    number: u64,
    actuator: &'a str,
    led: LedState,
    rule: &'a str,
    /// What the rule said: 16 hexadecimal digits; null where no rule decided.
    rule_version: Option<&'a str>,
    /// The condition with the values of the reading; null where none decided.
    condition: Option<&'a str>,
    /// The journal number of the reading that led to it; null when time or a restart did.
    reading: Option<u64>,
    cause: &'a str,
    decided_at: String,
    decided_at_micros: i64,
    sent_at: Option<String>,
    sent_at_micros: Option<i64>,
    applied_at: Option<String>,
    applied_at_micros: Option<i64>,
    refused_at: Option<String>,
    refused_at_micros: Option<i64>,
    refused_reason: Option<&'a str>,
}

/// One frame of `/live`: a snapshot first, then what changes.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Frame<'a> {
    /// Everything as it is. Again after `lagged`.
    Snapshot {
        now: String,
        now_micros: i64,
        readings: Vec<Reading<'a>>,
        /// Of those that say it, in the order of their names.
        availability: Vec<Availability<'a>>,
        actuators: Vec<Actuator<'a>>,
        log: Vec<LogLine<'a>>,
        counts: Counts,
        rules: Vec<Rule<'a>>,
    },
    /// A reading is in the history.
    Reading { reading: Reading<'a> },
    /// An actuator, its link or its LED changed.
    Actuator { actuator: Actuator<'a> },
    /// A device has gone or is there.
    Availability { availability: Availability<'a> },
    /// Something was said on the path.
    Log { entry: LogLine<'a> },
    /// The account, when it changed, at most once a second.
    Counts { counts: Counts },
    /// This viewer was too slow and lost so many updates; a snapshot follows.
    Lagged { lagged: u64 },
    /// Several changes as one message, in their order, for whoever has asked for `/live?batch=true`: readings,
    /// actuators, who has gone or is there, lines of the log and accounts.
    Batch {
        #[cfg_attr(test, schema(no_recursion))]
        frames: Vec<Frame<'a>>,
    },
}

#[cfg(test)]
mod tests;

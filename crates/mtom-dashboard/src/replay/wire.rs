//! The lines of `POST /api/v1/rules/replay`, as JSON. `/api/v1` only grows.

use crate::api::LedState;
use crate::problem::ProblemBody;
use crate::replay;
use mtom_protocol::time::UnixMicros;
use serde::Serialize;

/// One line of `POST /api/v1/rules/replay`: how far it is, then how it ended.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[cfg_attr(test, ts(rename = "ReplayLine"), schema(as = ReplayLine))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    Progress(Progress),
    Comparison(Comparison<'a>),
    Problem(ProblemBody),
}

impl Line<'_> {
    /// With the end of the line.
    pub(crate) fn text(&self) -> String {
        let mut text =
            serde_json::to_string(self).expect("texts and numbers always have a JSON form");
        text.push('\n');
        text
    }
}

/// How far it is, and of how much.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[cfg_attr(test, ts(rename = "ReplayProgress"), schema(as = ReplayProgress))]
pub(crate) struct Progress {
    pub(crate) done: u64,
    pub(crate) of: u64,
}

/// What really was decided beside what the new rules would have.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Comparison<'a> {
    from: String,
    from_micros: i64,
    until: String,
    until_micros: i64,
    /// How many readings were read.
    readings: u64,
    /// How long it took.
    seconds: f64,
    /// Commands that only the old rules gave.
    only_old: u64,
    /// Commands that only the new rules would have given.
    only_new: u64,
    actuators: Vec<Account<'a>>,
    /// The first differences; the two counts have all.
    differences: Vec<Difference<'a>>,
    /// Actuators that were commanded and that no new rule drives.
    not_compared: &'a [String],
}

/// One actuator over the stretch.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[cfg_attr(test, ts(rename = "ComparedActuator"), schema(as = ComparedActuator))]
pub(crate) struct Account<'a> {
    name: &'a str,
    old: Band,
    new: Band,
}

/// One side of an actuator.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Band {
    switches: u64,
    on_seconds: f64,
    /// Parts of equal length: the share of the time that it was on; null: nothing was decided yet.
    shares: Vec<Option<f64>>,
}

/// A command that only one side has.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[cfg_attr(test, ts(rename = "CommandDifference"), schema(as = CommandDifference))]
pub(crate) struct Difference<'a> {
    only: Only,
    at: String,
    at_micros: i64,
    actuator: &'a str,
    led: LedState,
    rule: &'a str,
    /// The journal number of the reading that led to it.
    reading: Option<u64>,
    cause: &'a str,
}

/// Which side.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[cfg_attr(test, ts(rename = "Side"), schema(as = Side))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Only {
    Old,
    New,
}

impl<'a> From<&'a replay::Comparison> for Comparison<'a> {
    fn from(comparison: &'a replay::Comparison) -> Self {
        Self {
            from: comparison.from.rfc3339(),
            from_micros: comparison.from.0,
            until: comparison.until.rfc3339(),
            until_micros: comparison.until.0,
            readings: comparison.readings,
            seconds: round(comparison.took.as_secs_f64()),
            only_old: comparison.only_old,
            only_new: comparison.only_new,
            actuators: comparison.actuators.iter().map(Account::from).collect(),
            differences: comparison.differences.iter().map(Difference::from).collect(),
            not_compared: &comparison.not_compared,
        }
    }
}

impl<'a> From<&'a replay::Account> for Account<'a> {
    fn from(account: &'a replay::Account) -> Self {
        let band = |band: &replay::Band| Band {
            switches: band.switches,
            on_seconds: band.on.as_secs_f64(),
            shares: band.shares.iter().map(|share| share.map(round)).collect(),
        };
        Self { name: &account.actuator, old: band(&account.old), new: band(&account.new) }
    }
}

impl<'a> From<&'a replay::Difference> for Difference<'a> {
    fn from(difference: &'a replay::Difference) -> Self {
        let UnixMicros(at_micros) = difference.at;
        Self {
            only: if difference.is_new { Only::New } else { Only::Old },
            at: difference.at.rfc3339(),
            at_micros,
            actuator: &difference.actuator,
            led: difference.led.into(),
            rule: &difference.rule,
            reading: difference.reading,
            cause: &difference.cause,
        }
    }
}

/// Three digits behind the point: a picture shows no more.
fn round(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

//! The events of the communication log as JSON, so that the page can say each in its own language.

use crate::api::{LedState, LinkWord};
use mtom_gateway::view;
use serde::Serialize;

/// What was said on the path; `kind` tells which.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum LogEvent<'a> {
    BrokerConnected { url: &'a str },
    BrokerLost { url: &'a str, reason: &'a str },
    BrokerForgot { url: &'a str },
    Stored { id: u64, device: &'a str, quantity: &'a str, value: f64, unit: &'a str },
    Duplicate { seq: u64, device: &'a str, quantity: &'a str },
    Rejected { topic: &'a str, code: &'a str, reason: &'a str },
    Ignored { topic: &'a str },
    Viewers { port: &'a str, count: u64 },
    DeviceOnline { device: &'a str },
    DeviceOffline { device: &'a str },
    Decided { rule: &'a str, actuator: &'a str, led: LedState, cause: &'a str },
    Sent { actuator: &'a str, number: u64, led: LedState },
    Applied { actuator: &'a str, number: u64, led: LedState, latency_micros: u64 },
    Link { actuator: &'a str, state: LinkWord, reason: &'a str },
    Refused { actuator: &'a str, number: u64, reason: &'a str },
    Drifted { actuator: &'a str, number: u64, led: LedState, adopted: bool },
    Noise { actuator: &'a str, lines: u64 },
    Forged { actuator: &'a str, lines: u64 },
    Skipped { count: u64 },
    RulesApplied { version: u64, count: u64, source: &'a str },
    RulesRefused { version: u64, reason: &'a str },
    AlertDelivered { id: u64, rule: &'a str, target: &'a str, latency_micros: u64 },
    AlertFailed { id: u64, rule: &'a str, target: &'a str, reason: &'a str },
    AlertGivenUp { id: u64, rule: &'a str, target: &'a str, reason: &'a str },
}

impl<'a> From<&'a view::LogEvent> for LogEvent<'a> {
    fn from(event: &'a view::LogEvent) -> Self {
        use view::LogEvent as E;
        match event {
            E::BrokerConnected { url } => Self::BrokerConnected { url },
            E::BrokerLost { url, reason } => Self::BrokerLost { url, reason: brief(reason) },
            E::BrokerForgot { url } => Self::BrokerForgot { url },
            E::Stored { id, device, quantity, value, unit } => {
                Self::Stored { id: *id, device, quantity, value: *value, unit }
            }
            E::Duplicate { seq, device, quantity } => {
                Self::Duplicate { seq: *seq, device, quantity }
            }
            E::Rejected { topic, code, reason } => {
                Self::Rejected { topic: brief(topic), code, reason: brief(reason) }
            }
            E::Ignored { topic } => Self::Ignored { topic: brief(topic) },
            E::Availability { device, is_available: true } => Self::DeviceOnline { device },
            E::Availability { device, is_available: false } => Self::DeviceOffline { device },
            E::Viewers { port, count } => Self::Viewers { port, count: *count },
            E::Decided { rule, actuator, led, cause } => {
                Self::Decided { rule, actuator, led: (*led).into(), cause }
            }
            E::Sent { actuator, number, led } => {
                Self::Sent { actuator, number: *number, led: (*led).into() }
            }
            E::Applied { actuator, number, led, latency_micros } => Self::Applied {
                actuator,
                number: *number,
                led: (*led).into(),
                latency_micros: *latency_micros,
            },
            E::Link { actuator, state, reason } => {
                Self::Link { actuator, state: (*state).into(), reason }
            }
            E::Refused { actuator, number, reason } => {
                Self::Refused { actuator, number: *number, reason }
            }
            E::Drifted { actuator, number, led, is_adopted } => Self::Drifted {
                actuator,
                number: *number,
                led: (*led).into(),
                adopted: *is_adopted,
            },
            E::Noise { actuator, lines } => Self::Noise { actuator, lines: *lines },
            E::Forged { actuator, lines } => Self::Forged { actuator, lines: *lines },
            E::Skipped { count } => Self::Skipped { count: *count },
            E::RulesApplied { version, count, source } => {
                Self::RulesApplied { version: *version, count: *count, source: brief(source) }
            }
            E::RulesRefused { version, reason } => {
                Self::RulesRefused { version: *version, reason: brief(reason) }
            }
            E::AlertDelivered { id, rule, target, latency_micros } => Self::AlertDelivered {
                id: *id,
                rule,
                target: brief(target),
                latency_micros: *latency_micros,
            },
            E::AlertFailed { id, rule, target, reason } => {
                Self::AlertFailed { id: *id, rule, target: brief(target), reason: brief(reason) }
            }
            E::AlertGivenUp { id, rule, target, reason } => {
                Self::AlertGivenUp { id: *id, rule, target: brief(target), reason: brief(reason) }
            }
        }
    }
}

/// The longest text of one log line, in bytes: a topic may have 65,535, and a snapshot has 200 lines.
const TEXT_LEN_MAX: usize = 512;

/// The beginning of `text`, cut between two characters.
pub(crate) fn brief(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_LEN_MAX)).unwrap_or(text)
}

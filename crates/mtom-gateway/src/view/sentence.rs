//! The lines of the communication log as English sentences.

use super::LogEvent;
use mtom_protocol::link::Led;
use std::fmt;

impl fmt::Display for LogEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lit = |led: &Led| if *led == Led::On { "on" } else { "off" };
        match self {
            Self::BrokerConnected { url } => write!(f, "connected to the broker {url}"),
            Self::BrokerLost { url, reason } => write!(f, "lost the broker {url}: {reason}"),
            Self::BrokerForgot { url } => {
                write!(f, "the broker {url} forgot our session: what it had queued for us is gone")
            }
            Self::Stored { id, device, quantity, value, unit } => {
                write!(f, "stored reading {id}: {device}/{quantity} {value} {unit}")
            }
            Self::Duplicate { seq, device, quantity } => {
                write!(f, "already stored: {device}/{quantity} number {seq}")
            }
            Self::Rejected { topic, reason, .. } => {
                write!(f, "rejected on {}: {reason}", topic.escape_debug())
            }
            Self::Ignored { topic } => {
                write!(f, "messages on {} are ignored: ", topic.escape_debug())?;
                write!(f, "no filter of ingest.topics matches")
            }
            Self::Availability { device, is_available } => there(f, device, *is_available),
            Self::Viewers { port, count } => write!(f, "viewers on {port}: {count}"),
            Self::Decided { rule, actuator, led, cause } => {
                write!(f, "rule {rule}: {actuator} {} because {cause}", lit(led))
            }
            Self::Sent { actuator, number, led } => {
                write!(f, "sent command {number} to {actuator}: {}", lit(led))
            }
            Self::Applied { actuator, number, led, latency_micros } => {
                write!(f, "{actuator} is {} by command {number}, ", lit(led))?;
                write!(f, "{:.1} ms after the decision", *latency_micros as f64 / 1_000.0)
            }
            Self::Link { actuator, state, reason } => {
                write!(f, "link to {actuator} {}", state.word())?;
                if reason.is_empty() { Ok(()) } else { write!(f, ": {reason}") }
            }
            Self::Refused { actuator, number, reason } => {
                write!(f, "{actuator} refused command {number}: {}", reason.escape_debug())
            }
            Self::Drifted { actuator, led, is_adopted, .. } => {
                let stands = "that stands until something else is decided";
                let then = if *is_adopted { stands } else { "it is put right" };
                write!(f, "{actuator} was switched {} at the device: {then}", lit(led))
            }
            Self::Noise { actuator, lines } => {
                write!(f, "{actuator} sent {lines} lines that mean nothing")
            }
            Self::Forged { actuator, lines } => {
                write!(f, "{lines} lines in the name of {actuator} were not believed: ")?;
                f.write_str("they have not its key, or were said before")
            }
            Self::Skipped { count } => write!(f, "and {count} more"),
            Self::RulesApplied { version, count, source } => {
                write!(f, "{count} rules of version {version} run now, from {source}")
            }
            Self::RulesRefused { version, reason } => {
                write!(f, "the rules of version {version} can no longer be used, ")?;
                write!(f, "those of the configuration run: {}", reason.escape_debug())
            }
            Self::AlertDelivered { id, rule, target, latency_micros } => {
                write!(f, "rule {rule}: alert {id} is with {target}, ")?;
                write!(f, "{:.1} ms after the decision", *latency_micros as f64 / 1_000.0)
            }
            Self::AlertFailed { id, rule, target, reason } => {
                alert(f, (*id, rule, target), "is tried again", reason)
            }
            Self::AlertGivenUp { id, rule, target, reason } => {
                alert(f, (*id, rule, target), "is given up", reason)
            }
        }
    }
}

fn there(f: &mut fmt::Formatter<'_>, device: &str, is_available: bool) -> fmt::Result {
    let word = if is_available { "online" } else { "offline" };
    write!(f, "{} is {word}", device.escape_debug())
}

fn alert(
    f: &mut fmt::Formatter<'_>,
    (id, rule, target): (u64, &str, &str),
    fate: &str,
    reason: &str,
) -> fmt::Result {
    write!(f, "rule {rule}: alert {id} to {target} {fate}: {}", reason.escape_debug())
}

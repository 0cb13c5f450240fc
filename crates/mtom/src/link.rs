//! How a link is, in the words of the page: its state, since when, and why.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mtom_protocol::time::UnixMicros;
use serde_json::Value;

/// What the API says of an actuator's link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    /// `tcp:127.0.0.1:7000`
    pub(crate) address: String,
    /// `away`, `searching`, `connecting`, `up` or `broken`.
    pub(crate) state: String,
    since: UnixMicros,
    down_since: Option<UnixMicros>,
    /// Why; empty where there is nothing to say.
    reason: String,
}

impl Link {
    /// Of an actuator as the API tells it.
    pub(crate) fn of(actuator: &Value) -> Self {
        let text = |key: &str| plain(actuator[key].as_str().unwrap_or_default());
        let at = |key: &str| actuator[key].as_i64().map(UnixMicros);
        let (address, reason) = (text("link"), text("link_reason"));
        // It begins with the link, for the log, where nothing else names it.
        let reason = match reason.strip_prefix(&format!("{address}: ")) {
            Some(rest) => rest.to_owned(),
            None => reason,
        };
        Self {
            state: text("link_state"),
            since: at("link_since_micros").unwrap_or_default(),
            down_since: at("link_down_since_micros"),
            address,
            reason,
        }
    }

    /// `searching since 08:06:30, not up since 06:00:00: not found within 12s; is it on, and in reach?`
    pub(crate) fn words(&self, now: UnixMicros, zone: &TimeZone) -> String {
        let mut words = format!("{} since {}", self.state, moment(self.since, now, zone));
        // Of one that has just broken both are the same.
        if let Some(down_since) = self.down_since.filter(|since| *since < self.since) {
            words += &format!(", not up since {}", moment(down_since, now, zone));
        }
        if !self.reason.is_empty() {
            words += &format!(": {}", self.reason);
        }
        words
    }
}

/// A time of today without its date.
pub(crate) fn moment(at: UnixMicros, now: UnixMicros, zone: &TimeZone) -> String {
    let civil = |at: UnixMicros| Timestamp::from_microsecond(at.0).map(|at| zone.to_datetime(at));
    match (civil(at), civil(now)) {
        (Ok(at), Ok(now)) if at.date() == now.date() => at.strftime("%H:%M:%S").to_string(),
        (Ok(at), _) => at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        (Err(_), _) => at.0.to_string(),
    }
}

/// Outside bytes: a name may hold what steers a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests;

//! `GET /metrics`: the account in the text format 0.0.4 of Prometheus.
//!
//! Names of devices are labels, escaped as the format says; at most so many series are told.

use crate::past::backlog;
use mtom_gateway::announce::{Line, TalkStanding, ToldCounts};
use mtom_gateway::discovery;
use mtom_gateway::sparkplug::SparkplugCounts;
use mtom_gateway::view::Snapshot;
use mtom_gateway::view::forwarded::Forwarded;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::Size;
use mtom_store::maria::drain::Link;
use std::fmt::Write;

/// The content type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Series with a value of their own. More are counted and not told.
const SERIES_MAX: usize = 10_000;

/// What there is to say of Home Assistant.
#[derive(Default)]
pub(crate) struct House {
    pub(crate) standing: TalkStanding,
    /// What was found by what others tell it; `None`: nobody looks.
    pub(crate) discovered: Option<discovery::Counts>,
}

pub(crate) fn text(snapshot: &Snapshot, size: Size, house: &House, now: UnixMicros) -> String {
    let mut page = Page(String::new());
    let counts = snapshot.counts;
    for (name, help, value) in [
        ("mtom_messages_received_total", "Readings and rejects that arrived.", counts.received),
        ("mtom_readings_stored_total", "Readings in the history.", counts.stored),
        ("mtom_readings_duplicate_total", "Readings that were there already.", counts.duplicate),
        ("mtom_messages_rejected_total", "Messages that were no reading.", counts.rejected),
        (
            "mtom_messages_ignored_total",
            "Messages that no filter matches, or that are no readings by design.",
            counts.ignored,
        ),
    ] {
        page.one(name, "counter", help, value);
    }
    let in_flight = counts.in_flight;
    page.one("mtom_messages_in_flight", "gauge", "Messages that wait for the disk.", in_flight);
    let help = "How often an external broker had forgotten our session, since the start.";
    page.one("mtom_broker_sessions_lost_total", "counter", help, snapshot.broker_sessions_lost);
    page.one("mtom_journal_bytes", "gauge", "Bytes of the journal and its log.", size.len);
    page.one("mtom_journal_readings", "gauge", "Readings in the journal.", size.readings);
    let alerts = snapshot.alerts;
    page.one("mtom_alerts_waiting", "gauge", "Alerts of rules that wait.", alerts.waiting);
    let help = "Alerts of rules that were taken, since the start.";
    page.one("mtom_alerts_delivered_total", "counter", help, alerts.delivered);
    let help = "Alerts of rules that nobody takes, since the start.";
    page.one("mtom_alerts_given_up_total", "counter", help, alerts.given_up);
    if let Some(drain) = &snapshot.drain {
        let is_up = u64::from(matches!(drain.link, Link::Connected { .. }));
        page.one("mtom_database_up", "gauge", "1: the other database takes readings.", is_up);
        let help = "Readings that the other database lacks.";
        page.one("mtom_database_backlog_readings", "gauge", help, backlog(drain));
        let help = "How old the oldest reading is that the other database lacks.";
        let age = drain.age(now).as_secs_f64();
        page.head("mtom_database_backlog_age_seconds", "gauge", help);
        page.line(format_args!("mtom_database_backlog_age_seconds {age}"));
        let help = "How often the other database went away.";
        page.one("mtom_database_outages_total", "counter", help, drain.outages);
        page.one("mtom_database_rows_total", "counter", "Readings copied there.", drain.rows);
    }
    if let Some(forwarded) = &snapshot.forwarded {
        page.forwarded(forwarded);
    }
    page.series(snapshot);
    page.availability(snapshot);
    page.sparkplug(snapshot.sparkplug);
    page.actuators(snapshot);
    page.house(&house.standing);
    if let Some(counts) = house.discovered {
        page.discovered(counts);
    }
    page.0
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into memory does not fail.
        let _ = writeln!(self.0, "{text}");
    }

    fn forwarded(&mut self, Forwarded { live, tcp, udp }: &Forwarded) {
        let gauge = |name, value, help| (name, "gauge", value, help);
        let counter = |name, value, help| (name, "counter", value, help);
        for (name, kind, value, help) in [
            gauge("live_viewers", live.viewers, "Viewers at the original's live port."),
            counter("live_viewers_refused_total", live.refused, "Viewers that were refused."),
            counter(
                "live_viewers_slow_total",
                live.closed_slow,
                "Viewers cut off: they took nothing.",
            ),
            counter("live_readings_sent_total", live.sent, "Readings sent to viewers."),
            counter(
                "live_readings_skipped_total",
                live.skipped,
                "Readings that slow viewers missed.",
            ),
            gauge("tcp_clients", tcp.open, "Programs that are connected by TCP."),
            gauge("tcp_clients_waiting", tcp.waiting, "Those that wait to read the history."),
            counter("tcp_clients_refused_total", tcp.refused, "Programs that found no place."),
            counter(
                "tcp_clients_slow_total",
                tcp.closed_slow,
                "Programs cut off: they took nothing.",
            ),
            counter(
                "tcp_readings_sent_total",
                tcp.sent,
                "Readings sent to programs as lines, by TCP and /live.",
            ),
            gauge("udp_subscribers", udp.subscribers, "Programs that have subscribed by UDP."),
            counter("udp_subscribers_refused_total", udp.refused, "Programs that found no place."),
            counter(
                "udp_requests_unanswered_total",
                udp.unanswered,
                "No requests, or too short ones.",
            ),
            counter("udp_readings_sent_total", udp.sent, "Readings sent by UDP."),
            counter("udp_readings_dropped_total", udp.dropped, "Readings the system did not take."),
            counter(
                "udp_readings_skipped_total",
                udp.passed_over,
                "Readings that came too fast to send.",
            ),
        ] {
            self.one(&format!("mtom_{name}"), kind, help, value);
        }
    }

    fn series(&mut self, snapshot: &Snapshot) {
        let latest = || snapshot.latest.iter().take(SERIES_MAX);
        self.head("mtom_reading", "gauge", "The newest reading of each series, as it came.");
        for row in latest() {
            let reading = &row.reading;
            self.line(format_args!(
                "mtom_reading{{device=\"{}\",quantity=\"{}\",unit=\"{}\"}} {}",
                label(&reading.device),
                label(&reading.quantity),
                label(reading.unit.symbol()),
                reading.value
            ));
        }
        self.head("mtom_reading_celsius", "gauge", "The newest temperature of each series in °C.");
        for row in latest() {
            if let Some(celsius) = row.reading.celsius() {
                self.line(format_args!(
                    "mtom_reading_celsius{{device=\"{}\",quantity=\"{}\"}} {celsius}",
                    label(&row.reading.device),
                    label(&row.reading.quantity)
                ));
            }
        }
        self.head("mtom_reading_time_seconds", "gauge", "The time of each newest reading.");
        for row in latest() {
            self.line(format_args!(
                "mtom_reading_time_seconds{{device=\"{}\",quantity=\"{}\"}} {}.{:06}",
                label(&row.reading.device),
                label(&row.reading.quantity),
                row.at.0.div_euclid(1_000_000),
                row.at.0.rem_euclid(1_000_000)
            ));
        }
    }

    fn availability(&mut self, snapshot: &Snapshot) {
        let help = "1: the device says that it is there; 0: it has gone. Others say nothing of it.";
        self.head("mtom_device_available", "gauge", help);
        for said in snapshot.availability.iter().take(SERIES_MAX) {
            let is_there = u8::from(said.is_available);
            self.line(format_args!(
                "mtom_device_available{{device=\"{}\"}} {is_there}",
                label(&said.device)
            ));
        }
        let help = "How often a device said that and was not noted, because there are too many.";
        let refused = snapshot.availability_refused;
        self.one("mtom_device_availability_refused_total", "counter", help, refused);
    }

    /// Nothing, where there never was a node.
    fn sparkplug(&mut self, counts: SparkplugCounts) {
        if counts == SparkplugCounts::default() {
            return;
        }
        let SparkplugCounts { nodes, births, rebirths, gaps, deaths_stale, refused } = counts;
        self.one("mtom_sparkplug_nodes", "gauge", "Nodes that are born and have not died.", nodes);
        for (name, value, help) in [
            ("births", births, "Births of nodes and devices that were read."),
            ("rebirths_requested", rebirths, "How often a node was to be asked for its births."),
            ("sequence_gaps", gaps, "How often messages of a node were missing."),
            ("deaths_stale", deaths_stale, "Deaths that came after the next birth."),
            ("refused", refused, "Nodes and births for which there was no room."),
        ] {
            self.one(&format!("mtom_sparkplug_{name}_total"), "counter", help, value);
        }
    }

    /// Nothing, where it is not told.
    fn house(&mut self, standing: &TalkStanding) {
        if !standing.is_told {
            return;
        }
        let is_up = u64::from(!matches!(standing.line, Some(Line::Down(_))));
        let help = "1: the broker through which Home Assistant is told can be reached.";
        self.one("mtom_homeassistant_up", "gauge", help, is_up);
        let ToldCounts { devices, sensors, switches } = standing.told;
        for (name, kind, value, help) in [
            ("devices", "gauge", devices, "Devices with sensors that Home Assistant is told of."),
            ("sensors", "gauge", sensors, "Their sensors."),
            ("switches", "gauge", switches, "Actuators that Home Assistant is told of."),
            ("commands_obeyed_total", "counter", standing.obeyed, "Its commands that were done."),
            (
                "commands_refused_total",
                "counter",
                standing.refused,
                "Its commands that were not: wrong, kept or late ones, and those for nobody.",
            ),
        ] {
            self.one(&format!("mtom_homeassistant_{name}"), kind, help, value);
        }
    }

    fn discovered(&mut self, counts: discovery::Counts) {
        let found = [
            ("configs", counts.configs, "Configs of others for Home Assistant that are known."),
            ("sensors", counts.sensors, "Sensors in them whose readings come."),
            ("switches", counts.switches, "Switches in them that can be actuators."),
            ("not_read", counts.not_read, "Things in them that are understood and not read."),
            ("not_understood", counts.not_understood, "Things in them that lead to nothing."),
        ];
        for (name, value, help) in found {
            self.one(&format!("mtom_discovered_{name}"), "gauge", help, value);
        }
        let help = "Configs that were not taken, because there are too many.";
        self.one("mtom_discovered_refused_total", "counter", help, counts.refused);
    }

    fn actuators(&mut self, snapshot: &Snapshot) {
        self.head("mtom_actuator_link_up", "gauge", "1: the link to the actuator is up.");
        for actuator in &snapshot.actuators {
            let is_up = u8::from(actuator.link_state == mtom_gateway::view::LinkState::Up);
            self.line(format_args!(
                "mtom_actuator_link_up{{actuator=\"{}\"}} {is_up}",
                label(&actuator.name)
            ));
        }
    }
}

/// A label's value: backslash, quote and line feed are escaped; other control characters have no place
/// in a text.
fn label(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;

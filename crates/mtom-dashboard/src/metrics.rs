//! `GET /metrics`: the account in the text format 0.0.4 of Prometheus.
//!
//! Names of devices are labels, escaped as the format says; at most so many series are told.

use crate::past::backlog;
use crate::server::PageStats;
use mtom_forward::tally::PortStats;
use mtom_gateway::announce::{Line, TalkStanding, ToldCounts};
use mtom_gateway::discovery;
use mtom_gateway::sparkplug::SparkplugCounts;
use mtom_gateway::view::Snapshot;
use mtom_gateway::view::forwarded::Forwarded;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::Size;
use mtom_store::maria::drain::{DrainState, Link};
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

/// A metric of one value: the end of its name, what it is and says, and the value.
type Family<'a> = (&'a str, Kind, &'a str, u64);

#[derive(Clone, Copy)]
enum Kind {
    Gauge,
    /// Since the start, but for what the journal holds.
    Counter,
}
use Kind::{Counter, Gauge};

pub(crate) fn text(
    snapshot: &Snapshot,
    (page, house): (PageStats, &House),
    size: Size,
    now: UnixMicros,
) -> String {
    let mut text = Page(String::new());
    let (counts, alerts) = (snapshot.counts, snapshot.alerts);
    text.all(
        "",
        [
            ("messages_received", Counter, "Readings and rejects that arrived.", counts.received),
            ("readings_stored", Counter, "Readings in the history.", counts.stored),
            ("readings_duplicate", Counter, "Readings that were there already.", counts.duplicate),
            ("messages_rejected", Counter, "Messages that were no reading.", counts.rejected),
            (
                "messages_ignored",
                Counter,
                "Messages that no filter matches, or that are no readings by design.",
                counts.ignored,
            ),
            ("messages_in_flight", Gauge, "Messages that wait for the disk.", counts.in_flight),
            (
                "broker_sessions_lost",
                Counter,
                "How often an external broker had forgotten our session, since the start.",
                snapshot.broker_sessions_lost,
            ),
            ("journal_bytes", Gauge, "Bytes of the journal and its log.", size.len),
            ("journal_readings", Gauge, "Readings in the journal.", size.readings),
            ("alerts_waiting", Gauge, "Alerts of rules that wait.", alerts.waiting),
            (
                "alerts_delivered",
                Counter,
                "Alerts of rules that were taken, since the start.",
                alerts.delivered,
            ),
            (
                "alerts_given_up",
                Counter,
                "Alerts of rules that nobody takes, since the start.",
                alerts.given_up,
            ),
        ],
    );
    if let Some(drain) = &snapshot.drain {
        text.database(drain, now);
    }
    if let Some(forwarded) = &snapshot.forwarded {
        text.forwarded(forwarded);
    }
    text.page(page);
    text.series(snapshot);
    text.availability(snapshot);
    text.sparkplug(snapshot.sparkplug);
    text.actuators(snapshot);
    text.house(&house.standing);
    if let Some(counts) = house.discovered {
        text.discovered(counts, house.standing.set_aside.len() as u64);
    }
    text.0
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into memory does not fail.
        let _ = writeln!(self.0, "{text}");
    }

    /// Those whose names begin with `of`.
    fn all<'a>(&mut self, of: &str, families: impl IntoIterator<Item = Family<'a>>) {
        for (name, kind, help, value) in families {
            let (kind, end) = match kind {
                Gauge => ("gauge", ""),
                Counter => ("counter", "_total"),
            };
            let name = format!("mtom_{of}{name}{end}");
            self.head(&name, kind, help);
            self.line(format_args!("{name} {value}"));
        }
    }

    fn database(&mut self, drain: &DrainState, now: UnixMicros) {
        let is_up = u64::from(matches!(drain.link, Link::Connected { .. }));
        let help = "How old the oldest reading is that the other database lacks.";
        let age = drain.age(now).as_secs_f64();
        self.head("mtom_database_backlog_age_seconds", "gauge", help);
        self.line(format_args!("mtom_database_backlog_age_seconds {age}"));
        self.all(
            "database_",
            [
                ("up", Gauge, "1: the other database takes readings.", is_up),
                (
                    "backlog_readings",
                    Gauge,
                    "Readings that the other database lacks.",
                    backlog(drain),
                ),
                ("outages", Counter, "How often the other database went away.", drain.outages),
                ("rows", Counter, "Readings copied there.", drain.rows),
            ],
        );
    }

    fn forwarded(&mut self, Forwarded { live, history, tcp, udp }: &Forwarded) {
        self.port("live_viewers", "Viewers at the original's live port", &live.port);
        self.doorstep("live_", &live.port);
        self.all(
            "live_readings_",
            [
                ("sent", Counter, "Readings sent to viewers.", live.sent),
                ("skipped", Counter, "Readings that slow viewers missed.", live.skipped),
            ],
        );
        self.port("history_clients", "Clients of the original's history port", history);
        self.doorstep("history_", history);
        self.port("tcp_clients", "Programs by TCP", &tcp.port);
        let help = "Programs, by TCP and /live, that wait to read the history.";
        self.all(
            "tcp_",
            [
                ("clients_waiting", Gauge, help, tcp.waiting),
                (
                    "readings_sent",
                    Counter,
                    "Readings sent to programs as lines, by TCP and /live.",
                    tcp.sent,
                ),
            ],
        );
        self.all(
            "udp_",
            [
                ("subscribers", Gauge, "Programs that have subscribed by UDP.", udp.subscribers),
                ("subscribers_refused", Counter, "Programs that found no place.", udp.refused),
                ("requests_unanswered", Counter, "No requests, or too short ones.", udp.unanswered),
                ("readings_sent", Counter, "Readings sent by UDP.", udp.sent),
                ("readings_dropped", Counter, "Readings the system did not take.", udp.dropped),
                (
                    "readings_skipped",
                    Counter,
                    "Readings that came too fast to send.",
                    udp.passed_over,
                ),
            ],
        );
    }

    fn page(&mut self, page: PageStats) {
        self.port("page_connections", "Connections to the page", &page.connections);
        self.doorstep("page_", &page.connections);
        let late = "Requests refused: their body did not come in time (408).";
        let forbidden = "Requests refused: who asked may not (403).";
        self.all(
            "page_",
            [
                ("bodies_late", Counter, late, page.bodies_late),
                ("requests_forbidden", Counter, forbidden, page.forbidden),
            ],
        );
        self.port("page_viewers", "Viewers of /live", &page.viewers);
        let help = "Viewers of /live cut off: nobody was there.";
        self.all("page_viewers_", [("gone", Counter, help, page.viewers_gone)]);
    }

    /// Those who have a place.
    fn port(&mut self, name: &str, who: &str, port: &PortStats) {
        let open = format!("{who} that have a place.");
        let refused = format!("{who} that were refused.");
        let slow = format!("{who} that were cut off: they took nothing.");
        self.all(
            name,
            [
                ("", Gauge, &*open, port.open),
                ("_refused", Counter, &refused, port.refused),
                ("_slow", Counter, &slow, port.closed_slow),
            ],
        );
    }

    /// Those who have none yet.
    fn doorstep(&mut self, of: &str, port: &PortStats) {
        let malformed = "Connections refused: they said no request that this port takes.";
        let late = "Connections cut off: a request did not come in time.";
        let crowded = "Connections cut off before they had a place: there were too many of those.";
        self.all(
            of,
            [
                ("requests_malformed", Counter, malformed, port.malformed),
                ("requests_late", Counter, late, port.late),
                ("requests_crowded", Counter, crowded, port.crowded),
            ],
        );
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
        self.all("device_", [("availability_refused", Counter, help, refused)]);
    }

    /// Nothing, where there never was a node.
    fn sparkplug(&mut self, counts: SparkplugCounts) {
        if counts == SparkplugCounts::default() {
            return;
        }
        let SparkplugCounts { nodes, births, rebirths, gaps, deaths_stale, refused } = counts;
        let asked = "How often a node was to be asked for its births.";
        self.all(
            "sparkplug_",
            [
                ("nodes", Gauge, "Nodes that are born and have not died.", nodes),
                ("births", Counter, "Births of nodes and devices that were read.", births),
                ("rebirths_requested", Counter, asked, rebirths),
                ("sequence_gaps", Counter, "How often messages of a node were missing.", gaps),
                ("deaths_stale", Counter, "Deaths that came after the next birth.", deaths_stale),
                ("refused", Counter, "Nodes and births for which there was no room.", refused),
            ],
        );
    }

    /// Nothing, where it is not told.
    fn house(&mut self, standing: &TalkStanding) {
        if !standing.is_told {
            return;
        }
        let is_up = u64::from(!matches!(standing.line, Some(Line::Down(_))));
        let ToldCounts { devices, sensors, switches } = standing.told;
        let (obeyed, refused) = (standing.obeyed, standing.refused);
        let up = "1: the broker through which Home Assistant is told can be reached.";
        let not = "Its commands that were not: wrong, kept or late ones, and those for nobody.";
        self.all(
            "homeassistant_",
            [
                ("up", Gauge, up, is_up),
                ("devices", Gauge, "Devices with sensors that Home Assistant is told of.", devices),
                ("sensors", Gauge, "Their sensors.", sensors),
                ("switches", Gauge, "Actuators that Home Assistant is told of.", switches),
                ("commands_obeyed", Counter, "Its commands that were done.", obeyed),
                ("commands_refused", Counter, not, refused),
            ],
        );
    }

    fn discovered(&mut self, counts: discovery::Counts, set_aside: u64) {
        let aside = "Topics in them over which the broker closes the connection.";
        let all = "Configs of others for Home Assistant that are known.";
        let nothing = "Things in them that lead to nothing.";
        let many = "Configs that were not taken, because there are too many.";
        self.all(
            "discovered_",
            [
                ("configs", Gauge, all, counts.configs),
                ("sensors", Gauge, "Sensors in them whose readings come.", counts.sensors),
                ("switches", Gauge, "Switches in them that can be actuators.", counts.switches),
                (
                    "not_read",
                    Gauge,
                    "Things in them that are understood and not read.",
                    counts.not_read,
                ),
                ("not_understood", Gauge, nothing, counts.not_understood),
                ("refused", Counter, many, counts.refused),
                ("set_aside", Gauge, aside, set_aside),
            ],
        );
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

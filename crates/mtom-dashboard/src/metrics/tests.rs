use self::promlint::check;
use super::{House, text};
use crate::server::PageStats;
use crate::testing::Server;
use expect_test::expect;
use mtom_forward::tally::PortStats;
use mtom_gateway::announce::{Line, TalkStanding, ToldCounts};
use mtom_gateway::availability::Availability;
use mtom_gateway::discovery;
use mtom_gateway::sparkplug::SparkplugCounts;
use mtom_gateway::view::forwarded::Forwarded;
use mtom_gateway::view::{AlertCounts, Counts, Snapshot, View};
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_store::history::Size;
use mtom_store::maria::drain::{DrainState, Link};
use std::sync::Arc;

mod promlint;

const AT: UnixMicros = UnixMicros(1_795_421_190_123_456);

fn snapshot() -> Snapshot {
    let view = View::default();
    view.readings(&[Arc::new(StoredReading {
        id: 7,
        at: AT,
        arrived_at: AT,
        suspect: false,
        reading: Reading {
            topic: "t".into(),
            device: "a\"\\\n\u{1b}".into(),
            quantity: "Temperature".into(),
            value: 77.0,
            unit: Unit::Fahrenheit,
            taken_at: None,
            key: None,
        },
    })]);
    view.counts(
        Counts { received: 10, stored: 7, duplicate: 2, rejected: 1, ..Counts::default() },
        AT,
    );
    view.drain(DrainState {
        link: Link::Away { since: AT, reason: "gone".into() },
        drained: Some(4),
        newest: 7,
        oldest_arrived_at: Some(UnixMicros(AT.0 - 2_500_000)),
        ..DrainState::new()
    });
    let said = |device: &str, is_available| Availability {
        device: device.into(),
        is_available,
        since: AT,
        is_learnt_late: false,
    };
    Snapshot {
        alerts: AlertCounts { waiting: 1, delivered: 2, given_up: 3 },
        availability: vec![said("a\"\\\n\u{1b}", false), said("plug", true)],
        availability_refused: 5,
        sparkplug: SparkplugCounts {
            nodes: 1,
            births: 6,
            rebirths: 2,
            gaps: 3,
            deaths_stale: 4,
            refused: 5,
        },
        ..view.snapshot()
    }
}

/// Each with one thing that is wrong, and the word that says so.
#[test]
fn a_page_that_prometheus_would_not_take_is_found() {
    let head = "# HELP a_total A.\n# TYPE a_total counter\n";
    for (page, said) in [
        (format!("{head}a_total 1"), "no end"),
        (format!("{head}a_total x\n"), "no value"),
        (format!("{head}a_total 1 2 3\n"), "more than one"),
        (format!("{head}a_total 1\na_total 2\n"), "the same labels twice"),
        (format!("{head}a_total{{b=\"1\",b=\"2\"}} 1\n"), "a label twice"),
        (format!("{head}a_total{{b=\"\\t\"}} 1\n"), "escape"),
        (format!("{head}a_total{{b=\"1}} 1\n"), "open quote"),
        (format!("{head}{head}a_total 1\n"), "HELP"),
        (
            format!("{head}a_total 1\n# HELP b B.\n# TYPE b gauge\nb 1\na_total{{c=\"d\"}} 2\n"),
            "together",
        ),
        ("a 1\n".into(), "no HELP"),
        ("# TYPE a gauge\na 1\n".into(), "no HELP"),
        ("# HELP a A.\n# TYPE a counter\na 1\n".into(), "_total"),
        ("# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n".into(), "_total"),
        ("# HELP a_milliseconds A.\n# TYPE a_milliseconds gauge\n".into(), "base unit"),
        ("# HELP a_sec A.\n# TYPE a_sec gauge\n".into(), "abbreviation"),
        ("# HELP a_gauge A.\n# TYPE a_gauge gauge\n".into(), "its type"),
        ("# HELP a_count A.\n# TYPE a_count gauge\n".into(), "histograms"),
    ] {
        let ended = std::panic::catch_unwind(|| check(&page));
        let why = ended.expect_err(&page);
        let text = why.downcast_ref::<String>().map(String::as_str);
        let why = text.or_else(|| why.downcast_ref::<&str>().copied()).unwrap();
        assert!(why.contains(said), "{page}: {why}");
    }
}

#[tokio::test]
async fn what_is_served_is_one_that_prometheus_reads() {
    let mut server = Server::start().await;
    server.store(&[20.0]);
    let metrics = server.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), Some(super::CONTENT_TYPE));
    let samples = check(&metrics.body);
    assert_eq!((samples["mtom_reading"], samples["mtom_journal_readings"]), (1, 1));
    server.stop().await;
}

#[test]
#[allow(clippy::too_many_lines, reason = "most of them are the expected page")]
fn the_page_is_one_that_prometheus_reads() {
    let extra = (PageStats::default(), &House::default());
    let page = text(&snapshot(), extra, Size { len: 4_096, readings: 7 }, AT);
    check(&page);
    expect![[r##"
        # HELP mtom_messages_received_total Readings and rejects that arrived.
        # TYPE mtom_messages_received_total counter
        mtom_messages_received_total 10
        # HELP mtom_readings_stored_total Readings in the history.
        # TYPE mtom_readings_stored_total counter
        mtom_readings_stored_total 7
        # HELP mtom_readings_duplicate_total Readings that were there already.
        # TYPE mtom_readings_duplicate_total counter
        mtom_readings_duplicate_total 2
        # HELP mtom_messages_rejected_total Messages that were no reading.
        # TYPE mtom_messages_rejected_total counter
        mtom_messages_rejected_total 1
        # HELP mtom_messages_ignored_total Messages that no filter matches, or that are no readings by design.
        # TYPE mtom_messages_ignored_total counter
        mtom_messages_ignored_total 0
        # HELP mtom_messages_in_flight Messages that wait for the disk.
        # TYPE mtom_messages_in_flight gauge
        mtom_messages_in_flight 0
        # HELP mtom_broker_sessions_lost_total How often an external broker had forgotten our session, since the start.
        # TYPE mtom_broker_sessions_lost_total counter
        mtom_broker_sessions_lost_total 0
        # HELP mtom_journal_bytes Bytes of the journal and its log.
        # TYPE mtom_journal_bytes gauge
        mtom_journal_bytes 4096
        # HELP mtom_journal_readings Readings in the journal.
        # TYPE mtom_journal_readings gauge
        mtom_journal_readings 7
        # HELP mtom_alerts_waiting Alerts of rules that wait.
        # TYPE mtom_alerts_waiting gauge
        mtom_alerts_waiting 1
        # HELP mtom_alerts_delivered_total Alerts of rules that were taken, since the start.
        # TYPE mtom_alerts_delivered_total counter
        mtom_alerts_delivered_total 2
        # HELP mtom_alerts_given_up_total Alerts of rules that nobody takes, since the start.
        # TYPE mtom_alerts_given_up_total counter
        mtom_alerts_given_up_total 3
        # HELP mtom_database_backlog_age_seconds How old the oldest reading is that the other database lacks.
        # TYPE mtom_database_backlog_age_seconds gauge
        mtom_database_backlog_age_seconds 2.5
        # HELP mtom_database_up 1: the other database takes readings.
        # TYPE mtom_database_up gauge
        mtom_database_up 0
        # HELP mtom_database_backlog_readings Readings that the other database lacks.
        # TYPE mtom_database_backlog_readings gauge
        mtom_database_backlog_readings 3
        # HELP mtom_database_outages_total How often the other database went away.
        # TYPE mtom_database_outages_total counter
        mtom_database_outages_total 0
        # HELP mtom_database_rows_total Readings copied there.
        # TYPE mtom_database_rows_total counter
        mtom_database_rows_total 0
        # HELP mtom_page_connections Connections to the page that have a place.
        # TYPE mtom_page_connections gauge
        mtom_page_connections 0
        # HELP mtom_page_connections_refused_total Connections to the page that were refused.
        # TYPE mtom_page_connections_refused_total counter
        mtom_page_connections_refused_total 0
        # HELP mtom_page_connections_slow_total Connections to the page that were cut off: they took nothing.
        # TYPE mtom_page_connections_slow_total counter
        mtom_page_connections_slow_total 0
        # HELP mtom_page_requests_malformed_total Connections refused: they said no request that this port takes.
        # TYPE mtom_page_requests_malformed_total counter
        mtom_page_requests_malformed_total 0
        # HELP mtom_page_requests_late_total Connections cut off: a request did not come in time.
        # TYPE mtom_page_requests_late_total counter
        mtom_page_requests_late_total 0
        # HELP mtom_page_requests_crowded_total Connections cut off before they had a place: there were too many of those.
        # TYPE mtom_page_requests_crowded_total counter
        mtom_page_requests_crowded_total 0
        # HELP mtom_page_bodies_late_total Requests refused: their body did not come in time (408).
        # TYPE mtom_page_bodies_late_total counter
        mtom_page_bodies_late_total 0
        # HELP mtom_page_requests_forbidden_total Requests refused: who asked may not (403).
        # TYPE mtom_page_requests_forbidden_total counter
        mtom_page_requests_forbidden_total 0
        # HELP mtom_page_viewers Viewers of /live that have a place.
        # TYPE mtom_page_viewers gauge
        mtom_page_viewers 0
        # HELP mtom_page_viewers_refused_total Viewers of /live that were refused.
        # TYPE mtom_page_viewers_refused_total counter
        mtom_page_viewers_refused_total 0
        # HELP mtom_page_viewers_slow_total Viewers of /live that were cut off: they took nothing.
        # TYPE mtom_page_viewers_slow_total counter
        mtom_page_viewers_slow_total 0
        # HELP mtom_page_viewers_gone_total Viewers of /live cut off: nobody was there.
        # TYPE mtom_page_viewers_gone_total counter
        mtom_page_viewers_gone_total 0
        # HELP mtom_reading The newest reading of each series, as it came.
        # TYPE mtom_reading gauge
        mtom_reading{device="a\"\\\n�",quantity="Temperature",unit="°F"} 77
        # HELP mtom_reading_celsius The newest temperature of each series in °C.
        # TYPE mtom_reading_celsius gauge
        mtom_reading_celsius{device="a\"\\\n�",quantity="Temperature"} 25
        # HELP mtom_reading_time_seconds The time of each newest reading.
        # TYPE mtom_reading_time_seconds gauge
        mtom_reading_time_seconds{device="a\"\\\n�",quantity="Temperature"} 1795421190.123456
        # HELP mtom_device_available 1: the device says that it is there; 0: it has gone. Others say nothing of it.
        # TYPE mtom_device_available gauge
        mtom_device_available{device="a\"\\\n�"} 0
        mtom_device_available{device="plug"} 1
        # HELP mtom_device_availability_refused_total How often a device said that and was not noted, because there are too many.
        # TYPE mtom_device_availability_refused_total counter
        mtom_device_availability_refused_total 5
        # HELP mtom_sparkplug_nodes Nodes that are born and have not died.
        # TYPE mtom_sparkplug_nodes gauge
        mtom_sparkplug_nodes 1
        # HELP mtom_sparkplug_births_total Births of nodes and devices that were read.
        # TYPE mtom_sparkplug_births_total counter
        mtom_sparkplug_births_total 6
        # HELP mtom_sparkplug_rebirths_requested_total How often a node was to be asked for its births.
        # TYPE mtom_sparkplug_rebirths_requested_total counter
        mtom_sparkplug_rebirths_requested_total 2
        # HELP mtom_sparkplug_sequence_gaps_total How often messages of a node were missing.
        # TYPE mtom_sparkplug_sequence_gaps_total counter
        mtom_sparkplug_sequence_gaps_total 3
        # HELP mtom_sparkplug_deaths_stale_total Deaths that came after the next birth.
        # TYPE mtom_sparkplug_deaths_stale_total counter
        mtom_sparkplug_deaths_stale_total 4
        # HELP mtom_sparkplug_refused_total Nodes and births for which there was no room.
        # TYPE mtom_sparkplug_refused_total counter
        mtom_sparkplug_refused_total 5
        # HELP mtom_actuator_link_up 1: the link to the actuator is up.
        # TYPE mtom_actuator_link_up gauge
    "##]].assert_eq(&page);
}

#[test]
#[allow(clippy::too_many_lines, reason = "most of them are the expected page")]
fn what_other_programs_get_is_counted_where_they_are_served() {
    let port = |open| PortStats {
        open,
        refused: open + 1,
        closed_slow: open + 2,
        late: open + 3,
        crowded: open + 4,
        malformed: open + 5,
    };
    let mut forwarded = Forwarded { history: port(30), ..Forwarded::default() };
    (forwarded.live.port, forwarded.live.sent, forwarded.live.skipped) = (port(20), 15, 16);
    (forwarded.tcp.port, forwarded.tcp.waiting, forwarded.tcp.sent) = (port(40), 2, 5);
    (forwarded.udp.subscribers, forwarded.udp.refused, forwarded.udp.unanswered) = (6, 7, 8);
    (forwarded.udp.sent, forwarded.udp.dropped, forwarded.udp.passed_over) = (9, 10, 11);
    let counted = PageStats {
        connections: port(50),
        viewers: port(60),
        viewers_gone: 70,
        bodies_late: 71,
        forbidden: 72,
    };
    let snapshot = Snapshot { forwarded: Some(forwarded), ..snapshot() };
    let extra = (counted, &House::default());
    let page = text(&snapshot, extra, Size { len: 4_096, readings: 7 }, AT);
    check(&page);
    let is_theirs = |line: &&str| {
        ["live", "history", "tcp", "udp", "page"]
            .iter()
            .any(|of| line.contains(&format!("mtom_{of}_")))
    };
    let lines: Vec<_> = page.lines().filter(is_theirs).map(|line| format!("{line}\n")).collect();
    expect![[r#"
        # HELP mtom_live_viewers Viewers at the original's live port that have a place.
        # TYPE mtom_live_viewers gauge
        mtom_live_viewers 20
        # HELP mtom_live_viewers_refused_total Viewers at the original's live port that were refused.
        # TYPE mtom_live_viewers_refused_total counter
        mtom_live_viewers_refused_total 21
        # HELP mtom_live_viewers_slow_total Viewers at the original's live port that were cut off: they took nothing.
        # TYPE mtom_live_viewers_slow_total counter
        mtom_live_viewers_slow_total 22
        # HELP mtom_live_requests_malformed_total Connections refused: they said no request that this port takes.
        # TYPE mtom_live_requests_malformed_total counter
        mtom_live_requests_malformed_total 25
        # HELP mtom_live_requests_late_total Connections cut off: a request did not come in time.
        # TYPE mtom_live_requests_late_total counter
        mtom_live_requests_late_total 23
        # HELP mtom_live_requests_crowded_total Connections cut off before they had a place: there were too many of those.
        # TYPE mtom_live_requests_crowded_total counter
        mtom_live_requests_crowded_total 24
        # HELP mtom_live_readings_sent_total Readings sent to viewers.
        # TYPE mtom_live_readings_sent_total counter
        mtom_live_readings_sent_total 15
        # HELP mtom_live_readings_skipped_total Readings that slow viewers missed.
        # TYPE mtom_live_readings_skipped_total counter
        mtom_live_readings_skipped_total 16
        # HELP mtom_history_clients Clients of the original's history port that have a place.
        # TYPE mtom_history_clients gauge
        mtom_history_clients 30
        # HELP mtom_history_clients_refused_total Clients of the original's history port that were refused.
        # TYPE mtom_history_clients_refused_total counter
        mtom_history_clients_refused_total 31
        # HELP mtom_history_clients_slow_total Clients of the original's history port that were cut off: they took nothing.
        # TYPE mtom_history_clients_slow_total counter
        mtom_history_clients_slow_total 32
        # HELP mtom_history_requests_malformed_total Connections refused: they said no request that this port takes.
        # TYPE mtom_history_requests_malformed_total counter
        mtom_history_requests_malformed_total 35
        # HELP mtom_history_requests_late_total Connections cut off: a request did not come in time.
        # TYPE mtom_history_requests_late_total counter
        mtom_history_requests_late_total 33
        # HELP mtom_history_requests_crowded_total Connections cut off before they had a place: there were too many of those.
        # TYPE mtom_history_requests_crowded_total counter
        mtom_history_requests_crowded_total 34
        # HELP mtom_tcp_clients Programs by TCP that have a place.
        # TYPE mtom_tcp_clients gauge
        mtom_tcp_clients 40
        # HELP mtom_tcp_clients_refused_total Programs by TCP that were refused.
        # TYPE mtom_tcp_clients_refused_total counter
        mtom_tcp_clients_refused_total 41
        # HELP mtom_tcp_clients_slow_total Programs by TCP that were cut off: they took nothing.
        # TYPE mtom_tcp_clients_slow_total counter
        mtom_tcp_clients_slow_total 42
        # HELP mtom_tcp_clients_waiting Programs, by TCP and /live, that wait to read the history.
        # TYPE mtom_tcp_clients_waiting gauge
        mtom_tcp_clients_waiting 2
        # HELP mtom_tcp_readings_sent_total Readings sent to programs as lines, by TCP and /live.
        # TYPE mtom_tcp_readings_sent_total counter
        mtom_tcp_readings_sent_total 5
        # HELP mtom_udp_subscribers Programs that have subscribed by UDP.
        # TYPE mtom_udp_subscribers gauge
        mtom_udp_subscribers 6
        # HELP mtom_udp_subscribers_refused_total Programs that found no place.
        # TYPE mtom_udp_subscribers_refused_total counter
        mtom_udp_subscribers_refused_total 7
        # HELP mtom_udp_requests_unanswered_total No requests, or too short ones.
        # TYPE mtom_udp_requests_unanswered_total counter
        mtom_udp_requests_unanswered_total 8
        # HELP mtom_udp_readings_sent_total Readings sent by UDP.
        # TYPE mtom_udp_readings_sent_total counter
        mtom_udp_readings_sent_total 9
        # HELP mtom_udp_readings_dropped_total Readings the system did not take.
        # TYPE mtom_udp_readings_dropped_total counter
        mtom_udp_readings_dropped_total 10
        # HELP mtom_udp_readings_skipped_total Readings that came too fast to send.
        # TYPE mtom_udp_readings_skipped_total counter
        mtom_udp_readings_skipped_total 11
        # HELP mtom_page_connections Connections to the page that have a place.
        # TYPE mtom_page_connections gauge
        mtom_page_connections 50
        # HELP mtom_page_connections_refused_total Connections to the page that were refused.
        # TYPE mtom_page_connections_refused_total counter
        mtom_page_connections_refused_total 51
        # HELP mtom_page_connections_slow_total Connections to the page that were cut off: they took nothing.
        # TYPE mtom_page_connections_slow_total counter
        mtom_page_connections_slow_total 52
        # HELP mtom_page_requests_malformed_total Connections refused: they said no request that this port takes.
        # TYPE mtom_page_requests_malformed_total counter
        mtom_page_requests_malformed_total 55
        # HELP mtom_page_requests_late_total Connections cut off: a request did not come in time.
        # TYPE mtom_page_requests_late_total counter
        mtom_page_requests_late_total 53
        # HELP mtom_page_requests_crowded_total Connections cut off before they had a place: there were too many of those.
        # TYPE mtom_page_requests_crowded_total counter
        mtom_page_requests_crowded_total 54
        # HELP mtom_page_bodies_late_total Requests refused: their body did not come in time (408).
        # TYPE mtom_page_bodies_late_total counter
        mtom_page_bodies_late_total 71
        # HELP mtom_page_requests_forbidden_total Requests refused: who asked may not (403).
        # TYPE mtom_page_requests_forbidden_total counter
        mtom_page_requests_forbidden_total 72
        # HELP mtom_page_viewers Viewers of /live that have a place.
        # TYPE mtom_page_viewers gauge
        mtom_page_viewers 60
        # HELP mtom_page_viewers_refused_total Viewers of /live that were refused.
        # TYPE mtom_page_viewers_refused_total counter
        mtom_page_viewers_refused_total 61
        # HELP mtom_page_viewers_slow_total Viewers of /live that were cut off: they took nothing.
        # TYPE mtom_page_viewers_slow_total counter
        mtom_page_viewers_slow_total 62
        # HELP mtom_page_viewers_gone_total Viewers of /live cut off: nobody was there.
        # TYPE mtom_page_viewers_gone_total counter
        mtom_page_viewers_gone_total 70
    "#]]
    .assert_eq(&lines.concat());
}

#[test]
fn what_home_assistant_is_told_is_counted_where_it_is() {
    let told = ToldCounts { devices: 2, sensors: 3, switches: 1 };
    let mut standing =
        TalkStanding { is_told: true, told, obeyed: 5, refused: 6, ..Default::default() };
    standing.line = Some(Line::Down(Some("gone".into())));
    standing.set_aside = vec!["a/b".into()];
    let counts = discovery::Counts { configs: 7, not_understood: 1, ..Default::default() };
    let house = House { standing, discovered: Some(counts) };
    let size = Size { len: 4_096, readings: 7 };
    let page = text(&snapshot(), (PageStats::default(), &house), size, AT);
    check(&page);
    for line in [
        "mtom_homeassistant_up 0",
        "mtom_homeassistant_sensors 3",
        "mtom_homeassistant_commands_obeyed_total 5",
        "mtom_homeassistant_commands_refused_total 6",
        "mtom_discovered_set_aside 1",
        "mtom_discovered_configs 7",
        "mtom_discovered_not_understood 1",
    ] {
        assert!(page.lines().any(|one| one == line), "{line}");
    }
    let silent = (PageStats::default(), &House::default());
    assert!(!text(&snapshot(), silent, size, AT).contains("homeassistant"));
}

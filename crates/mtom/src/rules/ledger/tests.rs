use super::*;
use mtom_store::record::CommandRecord;

fn row() -> CommandRow {
    let at = |millis: i64| UnixMicros(1_795_421_190_000_000 + millis * 1_000);
    CommandRow {
        command: CommandRecord {
            number: 42,
            actuator: "LAMP".into(),
            on: true,
            rule: "=heat, \"lamp\"".into(),
            rule_version: Some("00000000000000ff".into()),
            reading: Some(7),
            cause: "reading 7: a/b 26 °C".into(),
            condition: Some("celsius >= 25.0, where celsius is 26".into()),
            decided_at: at(0),
        },
        sent_at: Some(at(2)),
        applied_at: Some(at(9)),
        refused_at: None,
        refused_reason: None,
    }
}

#[test]
fn a_row_of_csv_has_the_columns_of_its_head_and_is_no_formula() {
    let line = csv_line(&row());
    assert_eq!(
        line,
        "42,LAMP,on,\"'=heat, \"\"lamp\"\"\",00000000000000ff,\
         \"celsius >= 25.0, where celsius is 26\",7,reading 7: a/b 26 °C,2026-11-23T08:06:30.000000Z,\
         2026-11-23T08:06:30.002000Z,2026-11-23T08:06:30.009000Z,,,9000"
    );
    // The rule has a comma of its own, and so has the condition.
    assert_eq!(line.matches(',').count(), COLUMNS.matches(',').count() + 2);
}

#[test]
fn a_row_of_json_has_every_time_and_the_latency() {
    let json: serde_json::Value = serde_json::from_str(&json_line(&row())).unwrap();
    assert_eq!((&json["number"], &json["latency_micros"]), (&42.into(), &9_000.into()));
    assert_eq!(json["applied_at"], "2026-11-23T08:06:30.009000Z");
    assert!(json["refused_at"].is_null());
}

#[test]
fn a_line_of_the_table_says_what_became_of_a_command() {
    let became = |change: &dyn Fn(&mut CommandRow)| {
        let mut row = row();
        change(&mut row);
        table_line(&row, &TimeZone::UTC)
    };
    assert!(became(&|_| {}).contains("on   9 ms "));
    assert!(became(&|row| row.applied_at = None).contains("on   sent "));
    assert!(became(&|row| (row.sent_at, row.applied_at) = (None, None)).contains("on   not sent "));
    let refused = |row: &mut CommandRow| (row.applied_at, row.refused_at) = (None, row.sent_at);
    assert!(became(&refused).contains("on   refused "));
}

#[test]
fn spans_are_as_exact_as_they_are_of_use() {
    for (micros, text) in [
        (999, "999 µs"),
        (7_900, "7 ms"),
        (9_988_000, "9.988 s"),
        (180_000_000, "3 min"),
        (7_200_000_000, "2 h"),
    ] {
        assert_eq!(span(Duration::from_micros(micros)), text);
    }
}

use super::{
    HistoryRequest, LiveRequest, Malformed, Replay, ServerMessage, error, new_data, old_data,
};
use crate::time::UnixMicros;
use jiff::tz::{TimeZone, offset};

#[test]
fn data_frames_are_the_bytes_of_the_specification() {
    assert_eq!(
        new_data("2026-11-23 08:06:30", 24.5),
        r#"{"state":"OK","type":"new_data","response":{"time":"2026-11-23 08:06:30","temp":24.5}}"#
    );
    assert_eq!(
        old_data("2023-07-10 20:00:02", 16.1),
        r#"{"state":"OK","type":"old_data","response":{"time":"2023-07-10 20:00:02","temp":16.1}}"#
    );
}

#[test]
fn every_malformed_request_says_what_is_expected() {
    assert_eq!(LiveRequest::parse("Realtime", &TimeZone::UTC), Err(Malformed::Live));
    assert_eq!(LiveRequest::parse("database:0", &TimeZone::UTC), Err(Malformed::Live));
    assert_eq!(HistoryRequest::parse("realtime"), Err(Malformed::History));
    for text in ["-1", "1.5", "abc", "", "9223372036854775808", "+5", " 5", "5 ", "1e3", "٣"] {
        let request = format!("database:{text}");
        assert_eq!(HistoryRequest::parse(&request), Err(Malformed::Offset), "{request}");
    }
    assert_eq!(
        HistoryRequest::parse("database:9223372036854775807"),
        Ok(HistoryRequest::Page { offset: i64::MAX as u64 })
    );
    assert_eq!(
        error(&Malformed::Live.to_string()),
        r#"{"state":"Error","type":"error","response":"unknown request: expected hello, realtime or replay:<from>:<to>:<speed>"}"#
    );
}

#[test]
fn a_replay_names_two_times_and_a_speed() {
    let zone = TimeZone::fixed(offset(8));
    let hour = 3_600_000_000;
    let from = UnixMicros(1_795_421_190_000_000);
    let replay = |until: i64, speed| {
        Ok(LiveRequest::Replay(Replay { from, until: UnixMicros(from.0 + until), speed }))
    };
    for (text, expected) in [
        ("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z:1", replay(hour, Some(1.0))),
        ("replay:2026-11-23T08:06:30Z:2026-11-23T10:06:30+01:00:60", replay(hour, Some(60.0))),
        ("replay:2026-11-23 16:06:30:2026-11-23 17:06:30:max", replay(hour, None)),
        ("replay:2026-11-23 16:06:30:2026-11-23T08:06:31Z:0.5", replay(1_000_000, Some(0.5))),
        // The second is not after the first; speeds that are none; times that are none.
        ("replay:2026-11-23T08:06:30Z:2026-11-23T08:06:30Z:1", Err(Malformed::Replay)),
        ("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z:0", Err(Malformed::Replay)),
        ("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z:-1", Err(Malformed::Replay)),
        ("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z:NaN", Err(Malformed::Replay)),
        ("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z:inf", Err(Malformed::Replay)),
        ("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z", Err(Malformed::Replay)),
        ("replay:yesterday:today:1", Err(Malformed::Replay)),
        ("replay:", Err(Malformed::Replay)),
        ("replay", Err(Malformed::Live)),
    ] {
        assert_eq!(LiveRequest::parse(text, &zone), expected, "{text}");
    }
}

#[test]
fn a_client_reads_the_original_server_and_ours() {
    let data = ServerMessage::Data { time: "2026-11-23 08:06:30".into(), celsius: 24.5 };
    for temp in ["24.5", "\"24.5\"", "\"24.5 °C\""] {
        let text = format!(
            r#"{{"state":"OK","type":"new_data","response":{{"time":"2026-11-23 08:06:30","temp":{temp}}}}}"#
        );
        assert_eq!(ServerMessage::parse(&text).unwrap(), data);
    }
    assert_eq!(ServerMessage::parse(super::CLOSE).unwrap(), ServerMessage::Close);
    assert_eq!(ServerMessage::parse(super::EMPTY).unwrap(), ServerMessage::Empty);
    assert_eq!(
        ServerMessage::parse(super::HELLO[0]).unwrap(),
        ServerMessage::Greeting("Hello, client!".into())
    );
    assert_eq!(ServerMessage::parse(&error("no")).unwrap(), ServerMessage::Error("no".into()));
    for text in ["", "[]", "{}", r#"{"state":"OK","type":"new_data","response":""}"#] {
        assert!(ServerMessage::parse(text).is_err(), "{text}");
    }
}

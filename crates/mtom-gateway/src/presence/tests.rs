//! What devices say of themselves at another broker.

use super::Presence;
use mtom_broker::clients::Left;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;

const TOPIC: &str = "Cellar/Temperature";

fn presence() -> Presence {
    Presence::new(&(Arc::new(|| UnixMicros(7)) as crate::Clock))
}

/// Of each client its name, how it left, and where it publishes.
fn everybody(presence: &Presence) -> Vec<(String, Option<Left>, Vec<String>)> {
    let all = presence.everybody().clients.into_iter();
    let topics = |topics: Vec<Arc<str>>| topics.iter().map(ToString::to_string).collect();
    all.map(|client| (client.name.to_string(), client.left, topics(client.topics))).collect()
}

#[test]
fn a_device_is_there_until_its_last_will_and_when_it_is_back() {
    let presence = presence();
    // Kept copies come in any order.
    let settings = format!("{{\"period\":\"10s\",\"topic\":\"{TOPIC}\",\"format\":\"json\"}}");
    assert!(presence.heard("mtom/hall/settings", settings.as_bytes(), true));
    assert!(presence.heard("mtom/hall/status", b"online", true));
    let topics = vec![TOPIC.to_owned()];
    assert_eq!(everybody(&presence), [("hall".into(), None, topics.clone())]);
    assert!(presence.heard("mtom/hall/status", b"offline", false));
    let left = Left { at_micros: 7, is_graceful: false, is_learnt_late: false };
    assert_eq!(everybody(&presence), [("hall".into(), Some(left), topics.clone())]);
    // A copy of what is known makes it no later.
    assert!(presence.heard("mtom/hall/status", b"offline", true));
    assert_eq!(everybody(&presence), [("hall".into(), Some(left), topics.clone())]);
    assert!(presence.heard("mtom/hall/status", b"online", false));
    assert_eq!(everybody(&presence), [("hall".into(), None, topics)]);
    assert!(presence.heard("mtom/hall/settings", br#"{"topic":"Attic/T"}"#, false));
    assert_eq!(everybody(&presence), [("hall".into(), None, vec!["Attic/T".into()])]);
}

#[test]
fn who_had_left_before_is_known_to_have_left_at_the_latest_now() {
    let presence = presence();
    assert!(presence.heard("mtom/hall/status", b"offline", true));
    let left = Left { at_micros: 7, is_graceful: false, is_learnt_late: true };
    assert_eq!(everybody(&presence), [("hall".into(), Some(left), Vec::new())]);
}

#[test]
fn what_is_no_word_of_a_device_about_itself_changes_nothing() {
    let presence = presence();
    for (topic, payload, is_of_this_kind) in [
        ("Environ/Temperature", &b"21"[..], false),
        ("mtom/hall/state", b"{}", false),
        ("mtom/hall", b"online", false),
        ("mtom/hall/status/more", b"online", false),
        ("mtom/hall/status", b"", true),
        ("mtom/hall/status", b"\xff\x00", true),
        ("mtom/hall/settings", b"{\"topic\":5}", true),
        ("mtom/hall/settings", b"[[[[", true),
        ("mtom/hall/settings", &[b' '; 5_000], true),
    ] {
        assert_eq!(presence.heard(topic, payload, false), is_of_this_kind, "{topic}");
        assert_eq!(everybody(&presence), [], "{topic}");
    }
}

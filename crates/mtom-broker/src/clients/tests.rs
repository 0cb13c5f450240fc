//! Who is let in, who is remembered, and that nobody can make us remember too much.

use super::*;
use std::sync::atomic::{AtomicI64, Ordering};

fn clients(admission: Admission, allowed: &[&str]) -> Clients {
    let ticks = AtomicI64::new(0);
    let now: Micros = Arc::new(move || ticks.fetch_add(1, Ordering::Relaxed));
    Clients::new(admission, allowed.iter().map(|&name| name.to_owned()), now)
}

fn from(address: &str) -> Option<SocketAddr> {
    Some(address.parse().unwrap())
}

#[test]
fn whoever_comes_is_let_in_unless_names_are_asked_for() {
    let everyone = clients(Admission::Everyone, &[]);
    assert!(everyone.lets_in("esp32", from("192.168.1.20:5000")));
    let named = clients(Admission::Named, &["hall"]);
    assert!(named.lets_in("hall", from("192.168.1.20:5000")));
    assert!(!named.lets_in("Hall", from("192.168.1.20:5000")));
    assert!(!named.lets_in("esp32", None), "from nobody knows where");
    for here in ["127.0.0.1:5000", "[::1]:5000", "[::ffff:127.0.0.1]:5000"] {
        assert!(named.lets_in("esp32", from(here)), "{here}");
    }
}

#[test]
fn who_knocks_again_is_one_entry_and_allowing_takes_it_away() {
    let named = clients(Admission::Named, &[]);
    for port in [5000, 5001, 5002] {
        assert!(!named.lets_in("esp32", from(&format!("192.168.1.20:{port}"))));
    }
    named.lets_in("other", from("192.168.1.21:1"));
    let found = named.everybody();
    assert_eq!(found.refused_count, 4);
    let [other, esp32] = &found.refused[..] else { panic!("{found:?}") };
    assert_eq!((&*other.name, other.count), ("other", 1), "who knocked last comes first");
    assert_eq!((esp32.count, esp32.first_at_micros, esp32.last_at_micros), (3, 0, 2));
    assert_eq!(esp32.reason, RefusedBecause::NotAllowed);
    named.allow("esp32").unwrap();
    assert!(named.lets_in("esp32", from("192.168.1.20:5003")));
    assert_eq!(named.everybody().refused.len(), 1);
    assert!(named.withdraw("esp32"));
    assert!(!named.withdraw("esp32"), "it was not allowed any more");
    assert!(!named.may_stay("esp32", from("192.168.1.20:5003")));
}

#[test]
fn a_crowd_of_strangers_takes_no_more_room_than_there_is() {
    let named = clients(Admission::Named, &[]);
    for number in 0..1_000 {
        named.lets_in(&format!("stranger{number}"), from("192.168.1.20:5000"));
    }
    let long = "x".repeat(60_000);
    named.lets_in(&long, from("192.168.1.20:5000"));
    let found = named.everybody();
    assert_eq!((found.refused.len(), found.refused_count), (REFUSED_LEN_MAX, 1_001));
    assert_eq!(found.refused[0].name.len(), NAME_LEN_MAX);
    assert_eq!(found.refused[0].reason, RefusedBecause::NameTooLong);
    assert_eq!(&*found.refused[1].name, "stranger999");
}

#[test]
fn only_a_name_that_fits_a_line_can_be_allowed_and_not_without_end() {
    let named = clients(Admission::Named, &["kept", "two\nlines"]);
    assert_eq!(named.allowed(), ["kept"]);
    for wrong in ["", "a\nb", "a\0b", &"x".repeat(NAME_LEN_MAX + 1)] {
        assert_eq!(named.allow(wrong), Err(NameError::Form), "{wrong:?}");
    }
    for number in 1..ALLOWED_LEN_MAX {
        named.allow(&format!("client{number}")).unwrap();
    }
    assert_eq!(named.allow("one too many"), Err(NameError::Full));
    assert_eq!(named.allow("kept"), Ok(()), "what is allowed already needs no room");
}

#[test]
fn a_client_is_connected_until_it_leaves_and_its_topics_stay_known() {
    let everyone = clients(Admission::Everyone, &[]);
    let (first, second) = (from("192.168.1.20:5000"), from("192.168.1.20:5001"));
    everyone.connected("esp32", first);
    everyone.published("esp32", "Environ/Temperature");
    everyone.published("esp32", "Environ/Temperature");
    everyone.connected("esp32", second);
    everyone.left("esp32", first, false);
    let client = everyone.everybody().clients.pop().unwrap();
    assert_eq!(client.left, None, "the newer connection goes on");
    assert_eq!(client.topics, ["Environ/Temperature".into()]);
    everyone.left("esp32", second, true);
    let client = everyone.everybody().clients.pop().unwrap();
    assert_eq!(client.left, Some(Left { at_micros: 3, is_graceful: true, is_learnt_late: false }));
    for number in 0..20 {
        everyone.published("esp32", &format!("Environ/{number}"));
    }
    let topics = everyone.everybody().clients.pop().unwrap().topics;
    assert_eq!((topics.len(), &*topics[7]), (TOPICS_LEN_MAX, "Environ/19"));
}

#[test]
fn who_left_longest_ago_makes_room_and_who_is_there_does_not() {
    let everyone = clients(Admission::Everyone, &[]);
    for number in 0..CLIENTS_LEN_MAX {
        everyone.connected(&format!("client{number}"), None);
    }
    everyone.connected("one too many", None);
    let has = |name: &str| everyone.everybody().clients.iter().any(|client| &*client.name == name);
    assert!(!has("one too many"));
    everyone.left("client7", None, true);
    everyone.left("client3", None, true);
    everyone.connected("newcomer", None);
    assert!(has("newcomer") && has("client3") && !has("client7"));
}

//! Who is there, by each way in which that is heard.

use super::{Availabilities, Availability, DEVICES_LEN_MAX};
use mtom_protocol::payload::decode;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;

fn at(seconds: i64) -> UnixMicros {
    UnixMicros(1_795_421_190_000_000 + seconds * 1_000_000)
}

fn says(all: &mut Availabilities, device: &str, is_available: bool, now: i64) -> Option<String> {
    all.says(device, is_available, false, at(now)).map(text)
}

fn text(availability: Availability) -> String {
    let Availability { device, is_available, since, is_learnt_late } = availability;
    let word = if is_available { "online" } else { "offline" };
    let late = if is_learnt_late { " or longer" } else { "" };
    format!("{device} {word} since {}{late}", (since.0 - at(0).0) / 1_000_000)
}

fn everybody(all: &Availabilities) -> Vec<String> {
    all.all().map(text).collect()
}

/// A reading that arrived then, measured then.
fn reading(device: &str, arrived: i64, measured: i64) -> StoredReading {
    let topic = format!("{device}/T");
    let reading = decode(&topic, b"21").remove(0).unwrap();
    StoredReading { id: 1, at: at(measured), arrived_at: at(arrived), suspect: false, reading }
}

#[test]
fn a_device_is_away_from_its_last_will_until_it_is_back() {
    let mut all = Availabilities::default();
    assert_eq!(everybody(&all), [""; 0]);
    assert_eq!(says(&mut all, "plug", true, 1).unwrap(), "plug online since 1");
    assert_eq!(says(&mut all, "plug", true, 2), None, "said again it is no later");
    assert_eq!(says(&mut all, "plug", false, 3).unwrap(), "plug offline since 3");
    assert_eq!(says(&mut all, "plug", false, 4), None);
    assert_eq!(everybody(&all), ["plug offline since 3"]);
    assert_eq!(all.of("plug").map(text).unwrap(), "plug offline since 3");
    assert_eq!(says(&mut all, "plug", true, 5).unwrap(), "plug online since 5");
    assert!(all.of("lamp").is_none());
}

#[test]
fn what_a_broker_had_kept_may_have_been_so_for_longer() {
    let mut all = Availabilities::default();
    let said = all.says("plug", false, true, at(7)).map(text);
    assert_eq!(said.unwrap(), "plug offline since 7 or longer");
}

#[test]
fn a_reading_after_it_had_gone_shows_that_a_device_is_back() {
    let mut all = Availabilities::default();
    assert!(all.heard(&reading("plug", 1, 1)).is_none(), "nothing is known of it");
    says(&mut all, "plug", false, 3);
    assert!(all.heard(&reading("lamp", 4, 4)).is_none(), "another device");
    assert!(all.heard(&reading("plug", 4, 2)).is_none(), "measured before it had gone");
    assert_eq!(all.heard(&reading("plug", 4, 4)).map(text).unwrap(), "plug online since 4");
    assert!(all.heard(&reading("plug", 5, 5)).is_none(), "nothing new");
    assert_eq!(everybody(&all), ["plug online since 4"]);
}

#[test]
fn without_their_bridge_devices_are_away_and_with_it_as_they_were() {
    let mut all = Availabilities::default();
    says(&mut all, "attic", true, 1);
    says(&mut all, "cellar", false, 2);
    let names = ["attic", "cellar", "hall"].map(Arc::from);
    let bridge = |all: &mut Availabilities, is_available, now| {
        let changed = all.bridge(names.clone().into_iter(), is_available, false, at(now));
        changed.into_iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(bridge(&mut all, true, 2), [""; 0], "it was not away");
    let gone = ["attic offline since 3", "cellar offline since 3", "hall offline since 3"];
    assert_eq!(bridge(&mut all, false, 3), gone);
    assert_eq!(bridge(&mut all, false, 4), [""; 0]);
    assert_eq!(says(&mut all, "attic", false, 5), None, "it is away already");
    let back = ["attic offline since 5", "cellar offline since 2", "hall online since 6"];
    assert_eq!(bridge(&mut all, true, 6), back);
    bridge(&mut all, false, 7);
    assert_eq!(all.heard(&reading("hall", 8, 8)).map(text).unwrap(), "hall online since 8");
}

#[test]
fn no_more_devices_are_noted_than_there_is_room_for() {
    let mut all = Availabilities::default();
    for number in 0..DEVICES_LEN_MAX {
        assert!(says(&mut all, &number.to_string(), false, 1).is_some());
    }
    assert_eq!((says(&mut all, "one more", false, 2), all.refused()), (None, 1));
    assert!(says(&mut all, "7", true, 2).is_some(), "who is known may change");
}

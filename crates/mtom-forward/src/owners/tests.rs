use super::{Claim, LEASE, Owners, Refused};
use mtom_protocol::time::UnixMicros;
use std::time::Duration;
use tokio::time::Instant;

const AT: UnixMicros = UnixMicros(1_795_421_190_000_000);

fn claim(name: &str, id: &str, actuators: &[&str]) -> Claim {
    let actuators = actuators.iter().map(|name| (*name).to_owned()).collect();
    Claim { name: name.to_owned(), id: id.to_owned(), actuators }
}

fn place() -> String {
    "10.0.0.2".to_owned()
}

#[test]
fn the_second_controller_of_an_actuator_is_refused_with_both_names() {
    let (owners, now) = (Owners::new(vec!["FAN".to_owned()]), Instant::now());
    let first = owners.claim(&claim("pc2", "a", &["TEMP_LED", "LAMP"]), place(), AT, now).unwrap();
    let refused = owners.claim(&claim("pc3", "b", &["TEMP_LED"]), place(), AT, now).unwrap_err();
    assert_eq!(
        refused.to_string(),
        r#"actuator "TEMP_LED" is driven by controller "pc2" at 10.0.0.2: controller "pc3" is refused"#
    );
    assert!(refused.next().contains("60 s after it has gone"));
    let own = owners.claim(&claim("pc3", "b", &["FAN"]), place(), AT, now).unwrap_err();
    assert_eq!(
        own.to_string(),
        r#"actuator "FAN" is driven by the gateway itself: controller "pc3" is refused"#
    );
    // One with another actuator is welcome, also under the same name.
    owners.claim(&claim("pc2", "c", &["HEATER"]), place(), AT, now).unwrap();
    assert_eq!(owners.list(now).len(), 2);
    first.leave(AT, now);
}

#[test]
fn a_controller_that_is_away_keeps_its_actuators_for_the_lease() {
    let (owners, now) = (Owners::default(), Instant::now());
    let mine = claim("pc2", "a", &["TEMP_LED"]);
    owners.claim(&mine, place(), AT, now).unwrap().leave(UnixMicros(AT.0 + 7), now);
    let [away] = &owners.list(now)[..] else { panic!("one is known") };
    assert_eq!((away.since, away.away_since), (AT, Some(UnixMicros(AT.0 + 7))));
    let other = claim("pc3", "b", &["TEMP_LED"]);
    let just_before = now + LEASE - Duration::from_millis(1);
    assert!(owners.claim(&other, place(), AT, just_before).is_err());
    // It comes back meanwhile.
    let hold = owners.claim(&mine, "10.0.0.9".to_owned(), AT, just_before).unwrap();
    let [back] = &owners.list(now + LEASE)[..] else { panic!("one is known") };
    assert_eq!((&*back.place, back.since, back.away_since), ("10.0.0.9", AT, None));
    hold.leave(AT, now + LEASE);
    assert!(owners.claim(&other, place(), AT, now + LEASE * 2).is_ok());
    assert_eq!(owners.list(now + LEASE * 2).len(), 1);
}

#[tokio::test]
async fn a_controller_that_comes_again_takes_the_place_of_its_older_connection() {
    let (owners, now) = (Owners::default(), Instant::now());
    let mine = claim("pc2", "a", &["TEMP_LED"]);
    let half_open = owners.claim(&mine, place(), AT, now).unwrap();
    let new = owners.claim(&mine, place(), AT, now).unwrap();
    half_open.replaced().await;
    // That it ends is no news.
    half_open.leave(AT, now);
    assert!(owners.list(now).iter().all(|known| known.away_since.is_none()));
    new.leave(AT, now);
    assert!(owners.list(now).iter().all(|known| known.away_since.is_some()));
}

#[test]
fn a_restart_of_the_gateway_hands_nothing_over() {
    let (before, now) = (Owners::default(), Instant::now());
    let _connected = before.claim(&claim("pc2", "a", &["TEMP_LED"]), place(), AT, now).unwrap();
    let away = before.claim(&claim("pc3", "b", &["LAMP"]), place(), AT, now).unwrap();
    away.leave(AT, now);
    let gone = before.claim(&claim("pc4", "c", &["FAN"]), place(), AT, now).unwrap();
    gone.leave(UnixMicros(AT.0 - 30_000_000), now);
    // The clock of the second one is at its start 40 s behind that.
    let (owners, at) = (Owners::default(), UnixMicros(AT.0 + 40_000_000));
    owners.restore(before.list(now), at, now);
    let away_since: Vec<_> = owners.list(now).iter().map(|known| known.away_since).collect();
    assert_eq!(away_since, [Some(at), Some(AT)], "the third was away for longer than its lease");
    let other = |actuator: &str, now| {
        owners.claim(&claim("pc9", "z", &[actuator]), place(), at, now).map(drop)
    };
    let refused = other("TEMP_LED", now).unwrap_err().to_string();
    assert!(refused.contains(r#"driven by controller "pc2" at 10.0.0.2"#), "{refused}");
    assert!(other("LAMP", now).is_err());
    let its_lease_is_over = now + LEASE - Duration::from_secs(40);
    assert!(other("LAMP", its_lease_is_over).is_ok());
    assert!(other("TEMP_LED", its_lease_is_over).is_err());
    // It comes back.
    assert!(owners.claim(&claim("pc2", "a", &["TEMP_LED"]), place(), at, now).is_ok());
}

#[tokio::test]
async fn whoever_keeps_the_list_is_told_of_each_change() {
    let (owners, now) = (Owners::default(), Instant::now());
    let hold = owners.claim(&claim("pc2", "a", &["TEMP_LED"]), place(), AT, now).unwrap();
    owners.changed().await;
    hold.leave(AT, now);
    owners.changed().await;
}

#[test]
fn there_is_room_for_many_and_not_for_more() {
    let (owners, now) = (Owners::default(), Instant::now());
    for index in 0..super::CONTROLLERS_MAX {
        owners.claim(&claim("pc", &index.to_string(), &[]), place(), AT, now).unwrap();
    }
    let refused = owners.claim(&claim("pc", "one more", &[]), place(), AT, now).unwrap_err();
    assert_eq!(refused, Refused::Full { refused: "pc".to_owned() });
}

#[test]
fn what_a_claim_may_say() {
    assert_eq!(claim("pc2", "a", &["TEMP_LED"]).check(), Ok(()));
    for (claim, key) in [
        (claim("", "a", &[]), "controller.name"),
        (claim("pc\n2", "a", &[]), "controller.name"),
        (claim("pc2", &"a".repeat(65), &[]), "controller.id"),
        (claim("pc2", "a", &["LED", "\u{1b}[2J"]), "controller.actuators"),
        (claim("pc2", "a", &vec!["LED"; 257]), "257 actuators"),
    ] {
        let error = claim.check().unwrap_err();
        assert!(error.starts_with(key) && !error.chars().any(char::is_control), "{error}");
    }
}

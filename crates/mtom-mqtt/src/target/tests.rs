use super::{Spoken, Version, Versions};
use crate::fault::{Fault, Refusal};

fn hung_up() -> Fault {
    Fault::NoGreeting { reason: "the broker closed the connection".into(), hint: "" }
}

#[test]
fn a_broker_that_says_that_it_does_not_know_5_is_believed() {
    let mut versions = Versions::new(Version::Auto);
    assert_eq!(versions.next(), Spoken::V5);
    assert!(versions.failed(Spoken::V5, &Fault::Refused(Refusal::Version)));
    versions.greeted(Spoken::V3);
    assert_eq!(versions.next(), Spoken::V3);
    assert!(!versions.failed(Spoken::V3, &hung_up()));
    assert_eq!(versions.next(), Spoken::V3);
}

#[test]
fn one_that_hangs_up_is_asked_in_the_older_version_once() {
    let mut versions = Versions::new(Version::Auto);
    assert!(versions.failed(Spoken::V5, &hung_up()));
    assert_eq!(versions.next(), Spoken::V3);
    assert!(!versions.failed(Spoken::V3, &hung_up()));
    assert_eq!(versions.next(), Spoken::V5);
    assert!(versions.failed(Spoken::V5, &hung_up()));
    versions.greeted(Spoken::V3);
    // It may be another one by then.
    assert_eq!(versions.next(), Spoken::V5);
}

#[test]
fn one_that_has_spoken_5_is_never_spoken_to_otherwise() {
    let mut versions = Versions::new(Version::Auto);
    versions.greeted(Spoken::V5);
    assert!(!versions.failed(Spoken::V5, &hung_up()));
    assert_eq!(versions.next(), Spoken::V5);
}

#[test]
fn what_is_configured_is_spoken() {
    for (wanted, spoken) in [(Version::V3, Spoken::V3), (Version::V5, Spoken::V5)] {
        let mut versions = Versions::new(wanted);
        assert!(!versions.failed(spoken, &Fault::Refused(Refusal::Version)));
        assert_eq!(versions.next(), spoken);
    }
}

use super::*;
use expect_test::expect;

#[test]
fn every_fault_of_the_help_is_read() {
    let text = "offline=30s/5m,skew=-1h,reboot=10m,garbage=0.01,duplicate=0.02,late=0.05";
    let faults: Faults = text.parse().unwrap();
    let (lasts, every) = (Duration::from_secs(30), Duration::from_secs(300));
    assert_eq!(
        faults,
        Faults {
            offline: Some(Offline { lasts, every }),
            skew_micros: -3_600_000_000,
            reboot: Some(Duration::from_secs(600)),
            garbage: 0.01,
            duplicate: 0.02,
            late: 0.05,
        }
    );
    assert_eq!("".parse(), Ok(Faults::default()));
}

#[test]
fn a_fault_that_cannot_be_made_is_named_with_what_is_expected() {
    let check = |text: &str, expected: expect_test::Expect| {
        expected.assert_eq(&text.parse::<Faults>().unwrap_err().to_string());
    };
    check(
        "rain=1",
        expect![[
            r#"fault "rain=1": expected offline=30s/5m, skew=+1h, reboot=10m, garbage=0.01, duplicate=0.01 or late=0.05"#
        ]],
    );
    check(
        "late=0.1,offline=5m/30s",
        expect![[
            r#"fault "offline=5m/30s": expected how long and how often, the first shorter, as in 30s/5m"#
        ]],
    );
    check("skew=1h", expect![[r#"fault "skew=1h": expected a time with its sign, as in +1h"#]]);
    check("reboot=0s", expect![[r#"fault "reboot=0s": expected a time, as in 10m"#]]);
    check(
        "garbage=2",
        expect![[r#"fault "garbage=2": expected a number from 0 to 1, as in 0.01"#]],
    );
    check("late=NaN", expect![[r#"fault "late=NaN": expected a number from 0 to 1, as in 0.01"#]]);
}

#[test]
fn spells_without_network_are_one_in_each_cycle_and_the_same_for_one_seed() {
    let offline = Offline { lasts: Duration::from_secs(3), every: Duration::from_secs(10) };
    let spells = |seed| {
        let mut spells = Spells::new(offline, Rng::with_seed(seed));
        (0..1_000).map(|tenth| spells.at(Duration::from_millis(tenth * 100)).0).collect::<Vec<_>>()
    };
    let away = spells(7);
    assert_eq!(away, spells(7));
    assert_ne!(away, spells(8));
    for cycle in away.chunks(100) {
        let tenths = cycle.iter().filter(|away| **away).count();
        assert!((29..=31).contains(&tenths), "{tenths}");
    }
}

#[test]
fn it_is_said_when_the_network_goes_and_comes() {
    let offline = Offline { lasts: Duration::from_secs(3), every: Duration::from_secs(10) };
    let mut spells = Spells::new(offline, Rng::with_seed(7));
    let (away, goes) = spells.at(Duration::ZERO);
    assert!(!away);
    let (away, comes) = spells.at(goes);
    assert_eq!((away, comes - goes), (true, offline.lasts));
    assert!(!spells.at(comes).0);
}

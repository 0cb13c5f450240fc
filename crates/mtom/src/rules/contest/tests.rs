use super::*;
use crate::rules::timeline::Totals;
use mtom_protocol::payload::decode;

const MINUTE: i64 = 60_000_000;
const BEGIN: UnixMicros = UnixMicros(60 * MINUTE);

fn at(minute: i64) -> UnixMicros {
    UnixMicros(BEGIN.0 + minute * MINUTE)
}

fn specs() -> Vec<RuleSpec> {
    vec![RuleSpec { max_age: Some(Duration::from_mins(5)), ..RuleSpec::original("LAMP") }]
}

fn reading(minute: i64, celsius: f64) -> StoredReading {
    let payload = format!("{celsius} °C");
    let reading = decode("Environ/Temperature", payload.as_bytes()).remove(0).unwrap();
    let id = (100 + minute).unsigned_abs();
    StoredReading { id, at: at(minute), arrived_at: at(minute), suspect: false, reading }
}

fn decided(minute: i64, led: Led) -> Command {
    Command {
        at: at(minute).saturating_add(Duration::from_millis(3)),
        actuator: "LAMP".into(),
        led,
        is_alert: false,
        reason: None,
        rule: "old".into(),
        cause: "as it was".into(),
        reading: None,
    }
}

/// A contest of an hour: minutes, then what happened then.
fn contest(readings: &[(i64, f64)], commands: &[(i64, Led)]) -> (Vec<Difference>, Vec<Account>) {
    let specs = specs();
    let engine = Engine::compile(&specs).unwrap();
    let mut contest = Contest::new(&engine, &specs, (BEGIN, at(60)), 12);
    let mut commands = commands.iter().peekable();
    let mut found = Vec::new();
    if let Some((_, led)) = commands.next_if(|(minute, _)| *minute < 0) {
        contest.begin(&"LAMP".into(), *led);
    }
    for (minute, celsius) in readings {
        while let Some((minute, led)) = commands.next_if(|(other, _)| other < minute) {
            contest.decided(decided(*minute, *led));
        }
        contest.reading(&reading(*minute, *celsius));
        found.extend(std::iter::from_fn(|| contest.difference(at(*minute))));
    }
    for (minute, led) in commands {
        contest.decided(decided(*minute, *led));
    }
    let (rest, accounts) = contest.finish();
    found.extend(rest);
    (found, accounts)
}

#[test]
fn the_same_commands_but_for_the_time_a_timer_takes_are_no_difference() {
    let readings = [(-3, 26.0), (0, 26.0), (3, 26.0), (5, 24.0), (9, 26.0)];
    let commands = [(-3, Led::On), (5, Led::Off), (9, Led::On), (14, Led::Off)];
    let (found, accounts) = contest(&readings, &commands);
    assert_eq!(found, []);
    let [account] = accounts.as_slice() else { panic!("{accounts:?}") };
    assert_eq!(account.old.picture(), "█░▓─────────");
    assert_eq!(
        (account.old.picture(), account.old.totals.switches),
        (account.new.picture(), account.new.totals.switches)
    );
    assert_eq!(account.new.totals, Totals { switches: 3, on: Duration::from_mins(10) });
}

#[test]
fn what_only_one_side_has_comes_in_the_order_of_time_with_its_cause() {
    let readings = [(0, 20.0), (4, 26.0), (8, 26.0), (12, 20.0), (16, 20.0)];
    let (found, _) = contest(&readings, &[(-5, Led::Off), (12, Led::On), (20, Led::Off)]);
    let shown: Vec<_> = found
        .iter()
        .map(|it| {
            (it.side, (it.command.at.0 - BEGIN.0) / MINUTE, it.command.led, &*it.command.cause)
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                Side::New,
                4,
                Led::On,
                "reading 104: Environ/Temperature 26 °C; celsius >= 25.0, where celsius is 26"
            ),
            (
                Side::New,
                12,
                Led::Off,
                "reading 112: Environ/Temperature 20 °C; !(celsius >= 25.0), where celsius is 20"
            ),
            (Side::Old, 12, Led::On, "as it was"),
            (Side::Old, 20, Led::Off, "as it was"),
        ]
    );
}

#[test]
fn the_new_rules_know_their_state_when_the_stretch_begins() {
    let windowed = RuleSpec { on: "avg(\"30m\") >= 25.0".into(), ..specs().remove(0) };
    for (specs, minute) in [(specs(), -15), (vec![windowed], -45)] {
        let engine = Engine::compile(&specs).unwrap();
        assert!(lead(&engine, &specs, BEGIN) <= at(minute));
    }
    let (found, accounts) = contest(&[(-4, 26.0), (0, 26.0), (4, 26.0)], &[(-4, Led::On)]);
    assert_eq!(found.len(), 1, "only the silence at the end: {found:?}");
    assert_eq!(accounts[0].new.totals.switches, 1);
    assert_eq!(accounts[0].old.picture(), "█".repeat(12));
}

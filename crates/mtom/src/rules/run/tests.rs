use super::*;
use mtom_protocol::payload::decode;
use mtom_rules::RuleSpec;
use std::time::Duration;

fn engine() -> Engine {
    let hold_for = Duration::from_secs(5);
    Engine::compile(&[RuleSpec { hold_for, ..RuleSpec::original("LAMP") }]).unwrap()
}

#[test]
fn deadlines_are_visited_at_their_own_times_and_once() {
    let engine = engine();
    let mut run = Run::new(&engine, UnixMicros(0));
    assert_eq!(run.due(), Some(UnixMicros(10_000_000)), "silence");
    let mut found = Vec::new();
    let mut take = |command: Command| found.push((command.at.0 / 1_000_000, command.reason));
    let reading = decode("Environ/Temperature", b"26 \xc2\xb0C").remove(0).unwrap();
    let at = UnixMicros(3_000_000);
    run.reading(&StoredReading { id: 1, at, arrived_at: at, suspect: false, reading }, &mut take);
    run.pass(UnixMicros(7_999_999), &mut take);
    run.pass(UnixMicros(i64::MAX), &mut take);
    assert_eq!(run.due(), None);
    assert_eq!(found, [(8, Some(Reason::Reading)), (13, Some(Reason::Silent))]);
}

#[test]
fn a_restart_keeps_what_is_pending() {
    let engine = engine();
    let mut run = Run::new(&engine, UnixMicros(0));
    let mut found = Vec::new();
    run.restart(UnixMicros(30_000_000), &[], &mut |command| found.push(command.at.0)).unwrap();
    assert_eq!((found, run.due()), (vec![30_000_000], None), "silence ran out meanwhile");
}

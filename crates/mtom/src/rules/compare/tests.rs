use super::*;

fn command(second: i64, led: Led) -> Command {
    Command {
        at: UnixMicros(second * 1_000_000),
        actuator: "LAMP".into(),
        led,
        is_alert: false,
        reason: None,
        rule: "r".into(),
        cause: "c".into(),
        reading: None,
    }
}

#[test]
fn the_same_within_the_slack_is_the_same_and_what_is_left_comes_in_the_order_of_time() {
    let mut comparer = Comparer::new(Duration::from_secs(1));
    comparer.push(Side::Old, command(10, Led::On));
    comparer.push(Side::New, command(11, Led::On));
    assert_eq!(comparer.pop(UnixMicros(i64::MAX)), None, "they found each other");
    comparer.push(Side::Old, command(20, Led::Off));
    assert_eq!(comparer.pop(UnixMicros(21_000_000)), None, "its like may still come");
    let popped = comparer.pop(UnixMicros(21_000_001)).unwrap();
    assert_eq!((popped.side, popped.command), (Side::Old, command(20, Led::Off)));
    comparer.push(Side::New, command(30, Led::Off));
    assert_eq!(comparer.finish().count(), 1);
}

#[test]
fn what_was_said_before_is_no_change() {
    let mut comparer = Comparer::new(Duration::ZERO);
    comparer.begin(Side::Old, &"LAMP".into(), Led::On);
    assert!(!comparer.push(Side::Old, command(1, Led::On)));
    assert!(comparer.push(Side::New, command(1, Led::On)), "nothing was known of the new side");
    assert!(!comparer.push(Side::New, command(2, Led::On)));
    assert_eq!(comparer.finish().count(), 1);
}

#[test]
fn what_differs_in_time_or_reason_is_one_mismatch() {
    let silent = |at| Command { reason: Some(Reason::Silent), ..command(at, Led::Off) };
    let read = |at| Command { reason: Some(Reason::Reading), ..command(at, Led::Off) };
    let on = || command(1, Led::On);
    assert_eq!(mismatches(vec![on(), silent(2)], vec![on(), silent(2)]), []);
    assert_eq!(mismatches(vec![on(), command(2, Led::Off)], vec![on(), silent(2)]), []);
    let other = Mismatch::Other { expected: silent(2), actual: read(2) };
    assert_eq!(mismatches(vec![on(), silent(2)], vec![on(), read(2)]), [other]);
    let moved = Mismatch::Other { expected: silent(2), actual: silent(3) };
    assert_eq!(mismatches(vec![on(), silent(2)], vec![on(), silent(3)]), [moved]);
    let found = mismatches(vec![on(), silent(2)], vec![]);
    assert_eq!(found, [Mismatch::Missing(on()), Mismatch::Missing(silent(2))]);
    assert_eq!(mismatches(vec![], vec![on()]), [Mismatch::Unexpected(on())]);
}

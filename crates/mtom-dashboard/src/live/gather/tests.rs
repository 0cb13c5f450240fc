use super::*;
use mtom_gateway::view::Counts as Account;
use serde_json::Value;

fn change(stored: u64) -> Change {
    Change::Counts(Account { stored, ..Account::default() }.into())
}

fn taken(gathered: &mut Gathered) -> Value {
    serde_json::from_str(&gathered.take().unwrap()).unwrap()
}

#[test]
fn after_a_pause_a_change_is_due_at_once_and_before_it_when_the_pause_is_over() {
    let begun = Instant::now();
    let mut gathered = Gathered::new(begun);
    let within = begun + PAUSE / 2;
    assert_eq!(gathered.add(change(1), within), Due::At(begun + PAUSE));
    // Those that follow do not put it off.
    assert_eq!(gathered.add(change(2), within), Due::At(begun + PAUSE));
    assert_eq!(gathered.add(change(3), begun + PAUSE), Due::Now);
    let batch = taken(&mut gathered);
    assert_eq!(batch["type"], "batch");
    let stored = batch["frames"].as_array().unwrap().iter().map(|it| &it["counts"]["stored"]);
    assert_eq!(stored.collect::<Vec<_>>(), [1, 2, 3]);
    gathered.said(begun + PAUSE);
    assert_eq!(gathered.take(), None);
    assert_eq!(gathered.add(change(4), begun + PAUSE * 2), Due::Now);
    assert_eq!(taken(&mut gathered)["type"], "counts", "one alone is what it always was");
}

#[test]
fn as_many_as_are_held_are_due_however_little_time_has_passed() {
    let now = Instant::now();
    let mut gathered = Gathered::new(now);
    for number in 1..CHANGES_LEN_MAX {
        assert_eq!(gathered.add(change(0), now), Due::At(now + PAUSE), "{number}");
    }
    assert_eq!(gathered.add(change(0), now), Due::Now);
    assert_eq!(taken(&mut gathered)["frames"].as_array().unwrap().len(), CHANGES_LEN_MAX);
    assert!(gathered.is_empty());
}

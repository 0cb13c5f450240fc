use super::Seen;
use crate::testing::Folder;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Runs as a person would write them down.
fn runs_of(numbers: &BTreeSet<i64>) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    runs
}

#[test]
fn numbers_in_any_order_leave_the_runs_of_their_set() {
    let folder = Folder::new();
    let journal = folder.open();
    let edges = prop_oneof![
        8 => 0_i64..40,
        1 => (i64::MAX - 3)..=i64::MAX,
        1 => i64::MIN..(i64::MIN + 3),
    ];
    proptest!(|(numbers in prop::collection::vec((0_i64..2, edges, 0_u8..8), 0..120))| {
        journal.connection.execute_batch("BEGIN; DELETE FROM seq_run").unwrap();
        let mut seen = Seen::default();
        let mut sets = [BTreeSet::new(), BTreeSet::new()];
        for (boot, number, what) in numbers {
            let set = &mut sets[usize::try_from(boot).unwrap()];
            prop_assert_eq!(
                seen.add(&journal.connection, 1, boot, number).unwrap(),
                set.insert(number)
            );
            match what {
                // A commit in between, or a restart.
                0 => seen.write(&journal.connection).unwrap(),
                1 => {
                    seen.write(&journal.connection).unwrap();
                    seen = Seen::default();
                }
                _ => {}
            }
        }
        seen.write(&journal.connection).unwrap();
        for (boot, set) in (0_i64..).zip(&sets) {
            let mut found = journal
                .connection
                .prepare("SELECT first, last FROM seq_run WHERE boot = ?1 ORDER BY first")
                .unwrap();
            let found: Vec<(i64, i64)> = found
                .query_map([boot], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            prop_assert_eq!(found, runs_of(set));
        }
        journal.connection.execute_batch("ROLLBACK").unwrap();
    });
}

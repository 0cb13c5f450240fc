use super::*;
use crate::record::CommandRecord;
use crate::testing::{Folder, NOW, SECOND, after};

#[test]
fn pages_are_by_actuator_and_time_in_both_directions() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let mut batch = journal.begin().unwrap();
    for number in 1..=9_i64 {
        batch
            .command(&CommandRecord {
                number: number.unsigned_abs(),
                actuator: if number % 3 == 0 { "FAN".into() } else { "LAMP".into() },
                on: true,
                rule: "r".into(),
                rule_version: None,
                reading: None,
                cause: "c".into(),
                condition: Some("celsius (26.5) >= 25.0".into()),
                decided_at: after(number * SECOND),
            })
            .unwrap();
    }
    batch.commit().unwrap();
    let history = journal.history();
    let numbers = |query: &LedgerQuery| -> Vec<u64> {
        let rows = history.ledger(&LedgerQuery { limit: query.limit.max(1), ..query.clone() });
        rows.unwrap().iter().map(|row| row.command.number).collect()
    };
    let all = LedgerQuery { limit: 100, ..LedgerQuery::default() };
    assert_eq!(numbers(&all), (1..=9).collect::<Vec<_>>());
    assert_eq!(numbers(&LedgerQuery { actuator: Some("FAN".into()), ..all.clone() }), [3, 6, 9]);
    let (from, until) = (Some(after(3 * SECOND)), Some(after(5 * SECOND)));
    assert_eq!(numbers(&LedgerQuery { from, until, ..all.clone() }), [3, 4]);
    let newest =
        LedgerQuery { order: Order::Descending, until, limit: 1, ..LedgerQuery::default() };
    assert_eq!(numbers(&newest), [4]);
    assert_eq!(numbers(&LedgerQuery { after: Some(4), ..newest }), [3]);
    assert_eq!(numbers(&LedgerQuery { after: Some(8), from: Some(NOW), ..all }), [9]);
    assert_eq!(history.commanded().unwrap(), ["FAN", "LAMP"]);
}

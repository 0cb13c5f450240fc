use super::*;
use crate::record::Reject;
use crate::testing::{Folder, after};

const TOPICS: [&str; 4] =
    ["Environ/Temperature", "Environ/Humidity", "hall/Temperature", "Environ2/x"];

/// Twelve rejects, one a second, their topics and reasons in turn; the history that has them.
fn rejects(folder: &Folder) -> History {
    let mut journal = folder.open();
    let mut batch = journal.begin().unwrap();
    for number in 0..12 {
        let topic = TOPICS[number % 4];
        let code = ["not_a_number", "empty", "not_json"][number % 3];
        let at = after(i64::try_from(number).unwrap());
        let (payload, reason) = (b"?".as_slice(), "no number");
        batch.reject(&Reject { topic, payload, code, reason, arrived_at: at }).unwrap();
    }
    batch.commit().unwrap();
    journal.history()
}

fn found(history: &History, query: &RejectQuery) -> Vec<u64> {
    let query = RejectQuery { limit: 100, ..query.clone() };
    let page = history.reject_page(&query).unwrap();
    assert_eq!(page.next, None);
    page.rows.iter().map(|row| row.id).collect()
}

#[test]
fn rejects_are_found_by_device_topic_reason_and_time() {
    let folder = Folder::new();
    let history = rejects(&folder);
    let all = RejectQuery::default();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found(&history, &all).len(), 12);
    let of = |device: &str| RejectQuery { device: text(device), ..all.clone() };
    // Environ2 is another device.
    assert_eq!(found(&history, &of("Environ")), [1, 2, 5, 6, 9, 10]);
    assert_eq!(found(&history, &of("hall/Temperature")), [3, 7, 11], "a topic without a quantity");
    assert!(found(&history, &of("Env")).is_empty());
    let on = |filter: &str| RejectQuery { topic: text(filter), ..all.clone() };
    assert_eq!(found(&history, &on("+/Temperature")), [1, 3, 5, 7, 9, 11]);
    assert_eq!(found(&history, &on("Environ/Humidity")), [2, 6, 10]);
    let empty = RejectQuery { code: text("empty"), ..all.clone() };
    assert_eq!(found(&history, &empty), [2, 5, 8, 11]);
    let (from, until) = (Some(after(3)), Some(after(6)));
    let some = RejectQuery { from, until, order: Order::Descending, ..all.clone() };
    assert_eq!(found(&history, &some), [6, 5, 4]);
    let both = RejectQuery { device: text("Environ"), ..empty };
    assert_eq!(found(&history, &both), [2, 5]);
}

#[test]
fn pages_follow_each_other_both_ways_and_each_has_an_end() {
    let folder = Folder::new();
    let history = rejects(&folder);
    let topic = Some("+/Temperature".to_owned());
    for (order, expected) in
        [(Order::Ascending, [1, 3, 5, 7, 9, 11]), (Order::Descending, [11, 9, 7, 5, 3, 1])]
    {
        for (limit, scan_max) in [(1, 100), (2, 100), (4, 100), (100, 1), (2, 3), (100, 5)] {
            let mut query =
                RejectQuery { topic: topic.clone(), order, limit, ..Default::default() };
            let (mut seen, mut pages) = (Vec::new(), 0);
            loop {
                let page = history.reject_page_of(&query, scan_max).unwrap();
                assert!(page.rows.len() <= limit);
                seen.extend(page.rows.iter().map(|row| row.id));
                pages += 1;
                let Some(next) = page.next else { break };
                query.after = Some(next);
            }
            assert_eq!(seen, expected, "{order:?}, {limit} of {scan_max}");
            assert!(pages <= 13, "{pages}");
        }
    }
}

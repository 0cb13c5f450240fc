use super::{Followed, Lineage};
use crate::backup::{back_up, restore};
use crate::journal::Journal;
use crate::testing::{Folder, NOW, after, celsius, store};

#[test]
fn whoever_was_at_a_name_before_goes_on_where_the_two_parted() {
    let lineage = Lineage::named("a").forked("b", 100).forked("c", 80).forked("d", 200);
    assert_eq!(lineage.name(), "d");
    let here = |name, id| lineage.here(name, id);
    assert_eq!([here("d", 500), here("d", 0)], [Some(500), Some(0)]);
    assert_eq!([here("c", 190), here("c", 210)], [Some(190), Some(200)]);
    // What `b` had behind 80 is not what `c` had.
    assert_eq!([here("b", 70), here("b", 90), here("b", 300)], [Some(70), Some(80), Some(80)]);
    assert_eq!(here("a", 99), Some(80));
    assert_eq!(here("e", 1), None);
}

#[test]
fn a_history_keeps_its_name_and_a_restored_one_gets_another() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let first = journal.history().lineage().unwrap();
    assert_eq!(first.name().len(), 16);
    store(&mut journal, &[(celsius("a", 1.0), after(0)), (celsius("a", 2.0), after(1))]);
    let copy = folder.path().with_file_name("copy");
    back_up(&folder.path(), &copy, |_, _| ()).unwrap();
    store(&mut journal, &[(celsius("a", 3.0), after(2))]);
    drop(journal);
    assert_eq!(folder.open().history().lineage().unwrap(), first);

    restore(&copy, &folder.path(), true).unwrap();
    let restored = folder.open().history().lineage().unwrap();
    assert_ne!(restored.name(), first.name());
    assert_eq!(restored, first.clone().forked(restored.name(), 2));
    assert_eq!(restored.here(first.name(), 3), Some(2));
    // The backup is as it was, so each restore is a history of its own.
    restore(&copy, &folder.path(), true).unwrap();
    let again = folder.open().history().lineage().unwrap();
    assert_eq!(again.here(restored.name(), 2), None);
}

#[test]
fn what_was_taken_over_is_known_with_what_was_stored() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let take = |journal: &mut Journal, of: &str, ids: &[u64], at: i64, is_committed: bool| {
        let mut batch = journal.begin().unwrap();
        let new: Vec<_> = ids.iter().map(|id| batch.follow(of, *id, after(at)).unwrap()).collect();
        if is_committed {
            batch.commit().unwrap();
        }
        new
    };
    assert_eq!(
        take(&mut journal, "a", &[5, 6, 6, 4, 9], 0, true),
        [true, true, false, false, true]
    );
    assert_eq!(take(&mut journal, "a", &[10], 1, false), [true]);
    assert_eq!(take(&mut journal, "a", &[9, 10], 2, true), [false, true]);
    assert_eq!(take(&mut journal, "b", &[1], 3, true), [true]);
    drop(journal);
    let of = |history: &str, id| Followed { history: history.to_owned(), id };
    let mut journal = Journal::open(&folder.path(), NOW).unwrap();
    assert_eq!(journal.history().followed().unwrap(), [of("b", 1), of("a", 10)]);
    // Two in one batch: each is as far as it was before.
    let mut batch = journal.begin().unwrap();
    assert!(batch.follow("a", 11, after(4)).unwrap() && !batch.follow("b", 1, after(4)).unwrap());
    batch.commit().unwrap();
    assert_eq!(journal.history().followed().unwrap(), [of("a", 11), of("b", 1)]);
    // It begins anew, because that history was rolled back: what comes with the same numbers is not known.
    let mut batch = journal.begin().unwrap();
    batch.follow_from("a", 3, after(5)).unwrap();
    assert!(batch.follow("a", 4, after(5)).unwrap());
    batch.commit().unwrap();
    assert_eq!(journal.history().followed().unwrap(), [of("a", 4), of("b", 1)]);
}

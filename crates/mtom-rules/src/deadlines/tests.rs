use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(256)))]

    #[test]
    fn the_first_is_the_earliest_of_all(
        moves in prop::collection::vec((0..20usize, prop::option::weighted(0.8, 0..50i64)), 0..200),
    ) {
        let mut deadlines = Deadlines::default();
        let mut plain = BTreeMap::new();
        for (item, due) in moves {
            deadlines.set(item, due.map(UnixMicros));
            match due {
                Some(due) => plain.insert(item, due),
                None => plain.remove(&item),
            };
            let first = deadlines.first().map(|(item, due)| (due.0, item));
            prop_assert_eq!(first, plain.iter().map(|(item, due)| (*due, *item)).min());
            prop_assert_eq!(deadlines.heap.len(), plain.len());
        }
    }
}

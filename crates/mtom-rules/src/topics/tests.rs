use super::*;
use mtom_protocol::topic;
use proptest::prelude::*;

fn level() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "$a", "", "mtom"])
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => level(), 1 => Just("+")];
    (prop::collection::vec(level, 1..4), any::<bool>()).prop_map(|(mut levels, has_rest)| {
        if has_rest {
            levels.push("#");
        }
        levels.join("/")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(2_000)))]

    #[test]
    fn those_are_found_that_match(
        filters in prop::collection::vec(filter(), 0..12),
        topic in prop::collection::vec(level(), 1..5),
    ) {
        let topic = topic.join("/");
        let mut topics = Topics::default();
        for (rule, filter) in filters.iter().enumerate() {
            topics.add(filter, rule);
        }
        let mut found = Vec::new();
        topics.visit(&topic, |rule| found.push(rule));
        found.sort_unstable();
        let wanted: Vec<usize> = (0..filters.len())
            .filter(|rule| topic::matches(&filters[*rule], &topic))
            .collect();
        prop_assert_eq!(found, wanted, "{} in {:?}", topic, filters);
    }
}

#[test]
fn a_hash_alone_is_every_topic_but_the_brokers_own() {
    let mut topics = Topics::default();
    topics.add("#", 0);
    topics.add("$SYS/#", 1);
    let found = |topic: &str| {
        let mut found = Vec::new();
        topics.visit(topic, |rule| found.push(rule));
        found
    };
    assert_eq!((found("a/b"), found("$SYS/load")), (vec![0], vec![1]));
}

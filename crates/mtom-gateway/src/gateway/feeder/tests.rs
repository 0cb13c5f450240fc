//! What another broker is asked for.

use super::Asking;
use crate::discovery::Of;

/// What is asked for of a topic with readings, one with words, and one with both.
fn check(filters: &[&str], wished: &[&str], expected: &[(&str, bool)]) {
    let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let topics = [("bath/state", true, false), ("bath/up", false, true), ("bath/x", true, true)];
    let topics = topics.map(|(topic, readings, words)| (topic.to_owned(), Of { readings, words }));
    let asked = Asking::new(&texts(filters), &texts(wished)).of(topics.into());
    let asked: Vec<_> = asked.iter().map(|(filter, again)| (filter.as_str(), *again)).collect();
    assert_eq!(asked, expected, "{filters:?} {wished:?}");
}

#[test]
fn each_topic_of_a_discovered_device_is_asked_for_once_and_words_by_each_gateway_of_a_group() {
    let all = [("bath/state", false), ("bath/up", true), ("bath/x", true)];
    check(&["Environ/#"], &["+/status"], &all);
    check(&["Environ/#", "+/state"], &[], &all[1..]);
    check(&["bath/#"], &[], &[]);
    check(
        &["$share/g/Environ/#"],
        &[],
        &[("$share/g/bath/state", false), ("$share/g/bath/x", true), ("bath/up", true)],
    );
    // Two groups: none is that of everything else.
    check(&["$share/g/Environ/#", "$share/h/Indoor/#"], &[], &all);
    check(&["$share/g/+/up"], &[], &[("$share/g/bath/state", false), ("$share/g/bath/x", true)]);
    // A filter that is only wished for brings readings, but not again what is kept of words.
    check(&["Environ/#"], &["bath/+"], &all[1..2]);
}

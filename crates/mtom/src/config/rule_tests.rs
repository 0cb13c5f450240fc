//! `[[rule.test]]`: cases beside a rule. A configuration that holds some is valid; only `mtom rules test`
//! looks at what they say.

use super::reader::{Problems, Section, text};
use super::sections::sections;

/// Takes the cases of a rule and says what is wrong with their keys.
pub(super) fn check(rule: &mut Section, problems: &mut Problems) {
    for (mut case, place) in sections(rule, "test", problems).into_iter().flatten() {
        case.get("name", problems, text);
        case.require("given", &place, problems, text);
        case.require("expect", &place, problems, text);
        case.finish(problems);
    }
}

//! A strict reader of the text format 0.0.4, and what `promtool check metrics` says against names: for tests.
//!
//! It panics with the line that is wrong. The rules are those of promlint in Prometheus' own client for Go.

use std::collections::{BTreeMap, BTreeSet};

/// What promtool takes for units that have a base unit of their own.
const OTHER_UNITS: [&str; 24] = [
    "nanoseconds",
    "microseconds",
    "milliseconds",
    "minutes",
    "hours",
    "days",
    "weeks",
    "kelvin",
    "kelvins",
    "fahrenheit",
    "rankine",
    "inches",
    "feet",
    "yards",
    "miles",
    "bits",
    "kilobytes",
    "megabytes",
    "gigabytes",
    "calories",
    "pounds",
    "ounces",
    "millivolts",
    "percent",
];
/// Abbreviations that promtool wants written out.
const ABBREVIATIONS: [&str; 14] =
    ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"];

#[derive(Default)]
struct Family {
    kind: Option<String>,
    has_help: bool,
    samples: BTreeSet<String>,
}

/// Reads the whole page; gives the number of samples of each metric.
pub(crate) fn check(page: &str) -> BTreeMap<String, usize> {
    assert!(page.ends_with('\n'), "the last line has no end");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in page.lines() {
        let name = if let Some(rest) = line.strip_prefix("# ") {
            comment(line, rest, &mut families)
        } else {
            sample(line, &mut families)
        };
        if name != current {
            let is_new = families[&name].samples.len() <= 1;
            assert!(is_new, "lines of one metric are together: {line}");
            current = name;
        }
    }
    for (name, family) in &families {
        lint(name, family);
    }
    families.into_iter().map(|(name, family)| (name, family.samples.len())).collect()
}

fn comment(line: &str, rest: &str, families: &mut BTreeMap<String, Family>) -> String {
    let mut words = rest.splitn(3, ' ');
    let (what, name, text) = (words.next(), words.next(), words.next());
    let (Some(what), Some(name), Some(text)) = (what, name, text) else { panic!("{line}") };
    assert!(is_name(name), "no name of a metric: {line}");
    let family = families.entry(name.to_owned()).or_default();
    assert!(family.samples.is_empty(), "behind its samples: {line}");
    match what {
        "HELP" => {
            assert!(!family.has_help && !text.trim().is_empty(), "{line}");
            escapes(text, &['\\', 'n'], line);
            family.has_help = true;
        }
        "TYPE" => {
            assert!(family.kind.is_none(), "a second type: {line}");
            assert!(
                matches!(text, "counter" | "gauge" | "histogram" | "summary" | "untyped"),
                "{line}"
            );
            family.kind = Some(text.to_owned());
        }
        _ => panic!("neither HELP nor TYPE: {line}"),
    }
    name.to_owned()
}

fn sample(line: &str, families: &mut BTreeMap<String, Family>) -> String {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, rest) = line.split_at(end);
    assert!(is_name(name), "no name of a metric: {line}");
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest, line),
        None => (BTreeSet::new(), rest),
    };
    let value = value.strip_prefix(' ').unwrap_or_else(|| panic!("no space: {line}"));
    let is_value = value.parse::<f64>().is_ok() && !value.contains(' ');
    assert!(is_value, "no value, or more than one: {line}");
    let family = families.get_mut(name).unwrap_or_else(|| panic!("no HELP and TYPE: {line}"));
    assert!(family.has_help && family.kind.is_some(), "no HELP or no TYPE: {line}");
    assert!(family.samples.insert(format!("{labels:?}")), "the same labels twice: {line}");
    name.to_owned()
}

/// The labels behind `{`, and what stands behind `}`.
fn labels<'a>(mut rest: &'a str, line: &str) -> (BTreeSet<(String, String)>, &'a str) {
    let mut found: BTreeSet<(String, String)> = BTreeSet::new();
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return (found, behind);
        }
        let (name, behind) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        assert!(is_name(name) && !name.contains(':') && !name.starts_with("__"), "{line}");
        assert!(!found.iter().any(|(other, _)| other == name), "a label twice: {line}");
        let mut is_escaped = false;
        let end = behind.char_indices().find(|(_, each)| {
            let ends = *each == '"' && !is_escaped;
            is_escaped = *each == '\\' && !is_escaped;
            ends
        });
        let (end, _) = end.unwrap_or_else(|| panic!("an open quote: {line}"));
        escapes(&behind[..end], &['\\', 'n', '"'], line);
        found.insert((name.to_owned(), behind[..end].to_owned()));
        rest = &behind[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

fn escapes(text: &str, known: &[char], line: &str) {
    let mut characters = text.chars();
    while let Some(each) = characters.next() {
        let is_good = each != '\\' || characters.next().is_some_and(|next| known.contains(&next));
        assert!(is_good, "an escape that the format does not know: {line}");
    }
}

fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    name.bytes().next().is_some_and(|first| !first.is_ascii_digit()) && name.bytes().all(legal)
}

fn lint(name: &str, family: &Family) {
    let kind = family.kind.as_deref().unwrap_or("");
    assert!(family.has_help, "{name} has no help text");
    assert_eq!(kind == "counter", name.ends_with("_total"), "{name}: counters alone end in _total");
    assert!(!name.contains(':'), "{name}: a colon is for recording rules");
    assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()), "{name}: not in snake_case");
    let words: Vec<&str> = name.split('_').collect();
    for word in &words {
        assert!(
            !matches!(*word, "counter" | "gauge" | "histogram" | "summary"),
            "{name}: its type"
        );
        assert!(!OTHER_UNITS.contains(word), "{name}: {word} is no base unit");
        assert!(!ABBREVIATIONS.contains(word), "{name}: {word} is an abbreviation");
    }
    if kind != "histogram" && kind != "summary" {
        for end in ["_bucket", "_count", "_sum"] {
            assert!(!name.ends_with(end), "{name}: {end} is for histograms and summaries");
        }
    }
}

use super::*;
use crate::config::{self, Process};

/// Each mistake of a text as its place, the word that is meant, and what is said.
#[track_caller]
fn check(text: &str, expected: &[(&str, &str, &str)]) {
    let names = ["LAMP".to_owned()];
    let problems = config::read_rules(text, Some(&names), &Process).unwrap_err();
    let found = mistakes(text, &problems);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (mistake, (at, word, said)) in found.iter().zip(expected) {
        let place = mistake.place.unwrap();
        assert_eq!(format!("{}:{}", place.line, place.column), *at, "{mistake}");
        let line: Vec<char> = text.lines().nth(place.line - 1).unwrap_or("").chars().collect();
        let meant: String = line.iter().skip(place.column - 1).take(place.length).collect();
        assert_eq!(meant, *word, "{mistake}");
        assert!(mistake.text.contains(said), "{mistake}");
    }
}

fn rule(line: &str) -> String {
    format!("[[rule]]\nname = \"热 lamp\"\nwhen = \"Environ/Temperature\"\n{line}\n")
}

const THEN: &str = "then = [{ actuator = \"LAMP\" }]";

#[test]
fn a_word_of_an_expression_is_found_in_it() {
    let text = rule(&format!("on = \"unit == '°C' && celcius > 25\"\n{THEN}"));
    check(&text, &[("4:23", "celcius", "unknown variable `celcius`")]);
    let text = rule(&format!("on = \"\"\"\nvalue > 1 &&\n  avg('5q') > 1\"\"\"\n{THEN}"));
    check(&text, &[("6:7", "'5q'", "5q")]);
    let text = rule(&format!("on = \"1 \\u003c 2 && avg(\\\"5q\\\") > celcius\"\n{THEN}"));
    check(&text, &[("4:25", "\\\"5q\\\"", "5q"), ("4:35", "celcius", "celcius")]);
    let text = rule(&format!("on = \"\"\"\\\n  celcius > 25\"\"\"\n{THEN}"));
    check(&text, &[("5:3", "celcius", "celcius")]);
    // Over several lines and with escapes it is the first line of the value.
    let text = rule(&format!("on = \"\"\"\n  celcius \\u003e 25\"\"\"\n{THEN}"));
    check(&text, &[("4:6", "\"\"\"", "celcius")]);
    let text = rule(&format!("on = \"celsius >=\"\n{THEN}"));
    check(&text, &[("4:17", "\"", "on: ")]);
}

#[test]
fn a_name_a_key_and_a_value_are_found_where_they_stand() {
    let text = rule("on = \"celsius > 25\"\nthen = [{ actuator = \"LAMB\" }]");
    check(&text, &[("5:22", "\"LAMB\"", "there is no actuator \"LAMB\"")]);
    let text = rule(&format!("on = \"celsius > 25\"\nfro = \"10s\"\ndwell = 5\n{THEN}"));
    check(&text, &[("5:1", "fro", "unknown key"), ("6:9", "5", "expected a time span")]);
    check(&rule(THEN), &[("1:1", "[[rule]]", "rule.0.on: missing")]);
}

#[test]
fn a_mistake_of_toml_is_where_it_is() {
    check("[[rule]]\nname = \n", &[("2:8", "", "")]);
    check("[[rule]\nname = 1\n", &[("1:8", "", "")]);
}

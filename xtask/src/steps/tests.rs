//! How steps are chosen, and which files of the page are tests.

use std::fs;
use std::path::Path;

use super::{Choice, STEPS, test_files};

fn parse(args: &[&str]) -> anyhow::Result<Choice> {
    Choice::parse(&args.iter().map(ToString::to_string).collect::<Vec<_>>())
}

#[test]
fn steps_are_chosen_by_name() {
    assert_eq!(parse(&["--only", "fmt,clippy"]).unwrap(), Choice::Run(vec!["fmt", "clippy"]));
    assert_eq!(parse(&["--only=doc"]).unwrap(), Choice::Run(vec!["doc"]));
    assert_eq!(parse(&["--list"]).unwrap(), Choice::List);
    let Choice::Run(all) = parse(&[]).unwrap() else { panic!("nothing chosen is everything") };
    assert_eq!(all.len(), STEPS.len());
}

#[test]
fn a_wrong_name_is_answered_with_the_right_ones() {
    let error = parse(&["--only", "format"]).unwrap_err().to_string();
    assert!(error.starts_with("no step `format`; there are fmt, tidy,"), "{error}");
    assert!(parse(&["--only"]).is_err());
    assert!(parse(&["--fast"]).is_err());
}

#[test]
fn browser_tests_are_not_unit_tests() {
    let web = tempfile::tempdir().unwrap();
    let test = web.path().join("test");
    fs::create_dir_all(test.join("browser")).unwrap();
    for name in ["b.test.js", "a.test.mjs", "helper.js", "browser/page.test.js"] {
        fs::write(test.join(name), "").unwrap();
    }
    let expected = [test.join("a.test.mjs"), test.join("b.test.js")];
    assert_eq!(test_files(&test, &test.join("browser")), expected);
    assert_eq!(test_files(&test.join("browser"), Path::new("")).len(), 1);
    assert!(test_files(&web.path().join("nothing"), Path::new("")).is_empty());
}

use super::{Choice, SECONDS};

fn parse(args: &[&str]) -> Result<(u32, String), String> {
    let strings = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let choice = Choice::parse(&strings(args), &strings(&["lines", "settings"]));
    choice
        .map(|choice| (choice.seconds, choice.targets.join(" ")))
        .map_err(|error| error.to_string())
}

#[test]
fn without_a_name_all_targets_run() {
    assert_eq!(parse(&[]), Ok((SECONDS, "lines settings".to_string())));
    assert_eq!(parse(&["--seconds", "9"]), Ok((9, "lines settings".to_string())));
    assert_eq!(parse(&["--seconds=9", "settings"]), Ok((9, "settings".to_string())));
    assert_eq!(parse(&["settings", "lines"]), Ok((SECONDS, "settings lines".to_string())));
}

#[test]
fn what_it_does_not_know_is_named() {
    assert_eq!(
        parse(&["setings"]).unwrap_err(),
        "no fuzz target `setings`; there are lines, settings"
    );
    for args in [&["--seconds"][..], &["--seconds=0"], &["--seconds", "soon"], &["--seconds9"]] {
        assert!(parse(args).unwrap_err().starts_with("--seconds needs"), "{args:?}");
    }
}

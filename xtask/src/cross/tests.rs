use super::{EMULATED_OPTIMISED, ONLY_HERE, chosen, first_warning};
use crate::platform::Platform;
use crate::repo::Repo;

#[test]
fn each_computer_is_chosen_by_its_name_and_once() {
    let names = |text: &str| {
        let args: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        chosen(&args)
    };
    assert_eq!(names("").unwrap(), []);
    assert_eq!(
        names("windows arm64 windows").unwrap(),
        [Platform::Windows, Platform::Arm64],
        "as they are written"
    );
    let error = names("arm64 mac").unwrap_err().to_string();
    assert_eq!(error, "no computer `mac`; there are linux, arm64, armv7, windows");
}

#[test]
fn a_warning_is_found_among_what_cargo_says() {
    let built = r#"{"reason":"compiler-artifact","target":{"name":"mtom"}}"#;
    let warned = r#"{"reason":"compiler-message","message":{"level":"warning","rendered":"warning: unused import"}}"#;
    assert_eq!(first_warning(&format!("{built}\nnot JSON\n")), None);
    let found = first_warning(&format!("{built}\n{warned}\n{built}\n"));
    assert_eq!(found.as_deref(), Some("warning: unused import"));
}

#[test]
fn what_is_left_out_and_what_is_optimised_is_there() {
    let repo = Repo::open().unwrap();
    let lock = std::fs::read_to_string(repo.root().join("Cargo.lock")).unwrap();
    for name in ONLY_HERE.iter().chain(&EMULATED_OPTIMISED) {
        assert!(lock.contains(&format!("\nname = \"{name}\"\n")), "{name}");
    }
}

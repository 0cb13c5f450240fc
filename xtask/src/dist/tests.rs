use super::{Choice, collect, oldest_glibc, sums};
use crate::platform::Platform;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn parse(args: &[&str]) -> anyhow::Result<Choice> {
    Choice::parse(&args.iter().map(ToString::to_string).collect::<Vec<_>>())
}

#[test]
fn computers_are_chosen_by_name() {
    let all = Choice { platforms: Platform::ALL.to_vec(), twice: false };
    assert_eq!(parse(&[]).unwrap(), all);
    let one = Choice { platforms: vec![Platform::Arm64], twice: true };
    assert_eq!(parse(&["--twice", "arm64"]).unwrap(), one);
    assert!(parse(&["--thrice"]).unwrap_err().to_string().contains("`--thrice`"));
    assert!(parse(&["pi"]).unwrap_err().to_string().contains("linux, arm64, armv7, windows"));
}

#[test]
fn a_folder_is_taken_with_all_that_is_in_it() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("docs/more")).unwrap();
    fs::write(root.path().join("docs/a.md"), "a").unwrap();
    fs::write(root.path().join("docs/more/b.md"), "b").unwrap();
    let mut files = BTreeMap::new();
    collect(root.path(), Path::new("docs"), &mut files).unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["docs/a.md", "docs/more/b.md"]);
    let missing = collect(root.path(), Path::new("README.md"), &mut files).unwrap_err();
    assert!(missing.to_string().contains("README.md"), "{missing}");
}

/// The sum of nothing is known (FIPS 180-4).
#[test]
fn sums_are_what_sha256sum_reads() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b.zip", "a.tar.gz", "a.new", "SHA256SUMS"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let expected = format!("{nothing}  a.tar.gz\n{nothing}  b.zip\n");
    assert_eq!(sums(dir.path()).unwrap(), expected);
}

#[test]
fn the_newest_symbol_says_which_c_library_is_needed() {
    let program = b"\0GLIBC_2.2.5\0libc\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0GLIBC_2.";
    assert_eq!(oldest_glibc(program), Some((2, 34)));
    assert_eq!(oldest_glibc(b"MZ nothing of it"), None);
}

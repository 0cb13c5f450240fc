use super::{Entry, Files, Moment, tar_gz, unpack, zip};
use std::fs;

const FOLDER: &str = "mtom-1.2.3-here";

fn files(order: &[usize]) -> Files {
    let all = [("mtom", true), ("docs/a.md", false), ("README.md", false)];
    let entry = |index: &usize| {
        let (name, is_program) = all[*index];
        let bytes = name.repeat(1_000).into_bytes();
        let entry = if is_program { Entry::program(bytes) } else { Entry::text(bytes) };
        (name.to_owned(), entry)
    };
    order.iter().map(entry).collect()
}

#[test]
fn the_same_files_give_the_same_bytes_and_come_out_as_they_went_in() {
    let moment = Moment::read("1700000000 2023 11 14 22 13 20\n").unwrap();
    for (make, name) in [
        (tar_gz as fn(&str, &Files, Moment) -> anyhow::Result<Vec<u8>>, "a.tar.gz"),
        (zip, "a.zip"),
    ] {
        let bytes = make(FOLDER, &files(&[0, 1, 2]), moment).unwrap();
        assert_eq!(make(FOLDER, &files(&[2, 0, 1]), moment).unwrap(), bytes, "{name}");
        assert_ne!(make(FOLDER, &files(&[2, 0]), moment).unwrap(), bytes, "{name}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, &bytes).unwrap();
        unpack(&path, &dir.path().join("out")).unwrap();
        let out = dir.path().join("out").join(FOLDER);
        for file in ["mtom", "docs/a.md", "README.md"] {
            assert_eq!(fs::read_to_string(out.join(file)).unwrap(), file.repeat(1_000), "{name}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |file: &str| fs::metadata(out.join(file)).unwrap().permissions().mode();
            assert_eq!(mode("mtom") & 0o777, 0o755, "{name}");
            assert_eq!(mode("README.md") & 0o111, 0, "{name}");
        }
    }
}

#[test]
fn a_file_that_is_no_archive_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.zip", "a.tar.gz", "a.rar"] {
        let path = dir.path().join(name);
        fs::write(&path, "no archive").unwrap();
        assert!(unpack(&path, &dir.path().join("out")).is_err(), "{name}");
    }
}

#[test]
fn without_a_commit_the_time_is_the_first_that_a_zip_knows() {
    for said in ["", "x", "1700000000", "1700000000 2023 11", "1700000000 a b c d e f"] {
        assert_eq!(Moment::read(said), None, "{said:?}");
    }
    assert_eq!(Moment::FIRST.in_zip(), zip::DateTime::default());
}

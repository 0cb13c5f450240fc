use super::*;

fn made(folder: &Path, name: &str) -> Result<String, Failure> {
    let file = folder.join(name);
    make(&cli::NewKey { file: file.clone() })?;
    Ok(std::fs::read_to_string(file).unwrap())
}

#[test]
fn a_new_key_is_one_that_reads_back_and_no_two_are_alike() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (made(folder.path(), "one").unwrap(), made(folder.path(), "two").unwrap());
    assert_ne!(one, other);
    let key = read(&folder.path().join("one")).unwrap();
    assert_eq!(format!("{}\n", key.digits()), one);
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "mine").unwrap();
    assert!(matches!(made(folder.path(), "key"), Err(Failure::Usage(_))));
    assert_eq!(std::fs::read_to_string(folder.path().join("key")).unwrap(), "mine");
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), "key").unwrap();
    let mode = std::fs::metadata(folder.path().join("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_no_key_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    assert!(read(&path).unwrap_err().starts_with("cannot read "));
    std::fs::write(&path, "secret").unwrap();
    let said = read(&path).unwrap_err();
    assert!(said.ends_with("expected a key of 64 hexadecimal digits; mtom actuator key makes one"));
    assert!(!said.contains("secret"));
}

use super::check;
use crate::bluetooth::trouble::Trouble;
use std::fs;
use std::path::Path;

fn switch(root: &Path, number: u32, kind: &str, soft: &str, hard: &str) {
    let folder = root.join(format!("rfkill{number}"));
    fs::create_dir_all(&folder).unwrap();
    for (file, text) in [("type", kind), ("soft", soft), ("hard", hard)] {
        fs::write(folder.join(file), format!("{text}\n")).unwrap();
    }
}

#[test]
fn a_switch_of_another_radio_does_not_count() {
    let root = tempfile::tempdir().unwrap();
    switch(root.path(), 0, "wlan", "1", "1");
    switch(root.path(), 1, "bluetooth", "0", "0");
    assert_eq!(check(root.path()), Ok(()));
}

#[test]
fn software_and_a_key_are_told_apart() {
    let root = tempfile::tempdir().unwrap();
    switch(root.path(), 0, "bluetooth", "1", "0");
    assert_eq!(check(root.path()), Err(Trouble::Blocked));
    switch(root.path(), 0, "bluetooth", "1", "1");
    assert_eq!(check(root.path()), Err(Trouble::BlockedHard));
}

#[test]
fn a_system_without_switches_blocks_nothing() {
    assert_eq!(check(Path::new("/no/such/folder")), Ok(()));
}

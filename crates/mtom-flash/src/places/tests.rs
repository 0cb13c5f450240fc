use super::find;
use crate::board::{Board, Role};
use std::fs;
use std::path::Path;

fn put(root: &Path, file: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "image").unwrap();
}

#[test]
fn what_lies_beside_the_program_comes_before_what_was_built() {
    let root = tempfile::tempdir().unwrap();
    let executable = root.path().join("target/debug/mtom");
    let elsewhere = root.path().join("elsewhere");
    let find = || find(Role::Sensor, &[Board::Esp32c3], &executable, &elsewhere);
    for (file, found) in [
        ("target/firmware/esp32c3/sensor", "a tree above the program"),
        ("elsewhere/target/firmware/esp32c3/sensor", "the current folder"),
        ("target/debug/firmware/esp32c3/sensor", "beside the program"),
    ] {
        put(root.path(), file);
        assert_eq!(find().unwrap(), root.path().join(file), "{found}");
    }
}

#[test]
fn any_of_several_boards_will_do() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "firmware/esp32c6/actuator");
    let executable = root.path().join("mtom");
    let found = find(Role::Actuator, &Board::ALL, &executable, root.path()).unwrap();
    assert!(found.ends_with("esp32c6/actuator"), "{}", found.display());
}

#[test]
fn nowhere_names_every_place_and_the_command() {
    let executable = Path::new("/opt/mtom/bin/mtom");
    let missing =
        find(Role::Sensor, &[Board::Esp32c6], executable, Path::new("/home/me")).unwrap_err();
    let text = missing.to_string();
    for expected in [
        "no image of the sensor for esp32c6",
        "/opt/mtom/bin/firmware/esp32c6/sensor",
        "/home/me/target/firmware/esp32c6/sensor",
        "/opt/mtom/target/firmware/esp32c6/sensor",
        "cargo xtask firmware build --board esp32c6",
        "--image",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

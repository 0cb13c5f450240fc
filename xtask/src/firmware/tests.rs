use super::{Bin, Board, Choice, put};
use std::fs;

fn parse(args: &[&str]) -> anyhow::Result<Choice> {
    Choice::parse(&args.iter().map(ToString::to_string).collect::<Vec<_>>())
}

#[test]
fn nothing_chosen_is_every_image() {
    let choice = parse(&[]).unwrap();
    assert_eq!(choice, Choice::all());
    assert_eq!(choice.images().count(), 4);
}

#[test]
fn boards_and_bins_are_chosen_by_name() {
    let choice = parse(&["--board", "esp32c6", "--bin=actuator"]).unwrap();
    assert_eq!(choice.images().collect::<Vec<_>>(), [(Board::Esp32c6, Bin::Actuator)]);
}

#[test]
fn a_wrong_name_is_answered_with_the_right_ones() {
    let error = parse(&["--board", "esp32"]).unwrap_err().to_string();
    assert_eq!(error, "no board `esp32`; there are esp32c3, esp32c6");
    let error = parse(&["--bin=light"]).unwrap_err().to_string();
    assert_eq!(error, "no bin `light`; there are sensor, actuator");
    assert_eq!(parse(&["--board"]).unwrap_err().to_string(), "--board needs a name");
    assert!(parse(&["--release"]).is_err());
}

#[test]
fn an_image_replaces_the_one_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("built"), folder.path().join("firmware/esp32c3/sensor"));
    for content in ["old", "new"] {
        fs::write(&from, content).unwrap();
        put(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), content);
    }
    assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 1);
}

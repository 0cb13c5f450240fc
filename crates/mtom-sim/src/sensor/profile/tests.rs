use super::*;

/// The first `count` temperatures at one every 2 s.
fn temperatures(profile: &Profile, seed: u64, count: u64) -> Vec<f64> {
    let mut weather = Weather::new(profile.clone(), Rng::with_seed(seed));
    (0..count).map(|index| weather.celsius(Duration::from_secs(2 * index))).collect()
}

fn written(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("values.csv");
    std::fs::write(&path, text).unwrap();
    let profile = format!("csv:{}", path.display());
    (dir, profile)
}

#[test]
fn the_sine_crosses_the_threshold_both_ways_in_a_minute() {
    let at = |seconds| wave(Duration::from_secs(seconds));
    assert_eq!((at(0), at(30), at(60)), (21.0, 29.0, 21.0));
    assert!(at(14) < 25.0 && at(16) > 25.0 && at(44) > 25.0 && at(46) < 25.0);
}

#[test]
fn one_seed_gives_the_same_temperatures_and_another_gives_others() {
    for name in ["room", "walk"] {
        let profile = name.parse().unwrap();
        let first = temperatures(&profile, 7, 500);
        assert_eq!(first, temperatures(&profile, 7, 500));
        assert_ne!(first, temperatures(&profile, 8, 500));
    }
}

#[test]
fn a_room_is_a_room_and_a_walk_takes_small_steps() {
    let room = temperatures(&Profile::Room, 7, 43_200);
    assert!(room.iter().all(|celsius| (19.0..=23.0).contains(celsius)));
    let walk = temperatures(&Profile::Walk, 7, 10_000);
    assert!(walk.windows(2).all(|pair| (pair[1] - pair[0]).abs() <= 0.5));
}

#[test]
fn a_file_is_played_over_and_over() {
    let (_dir, profile) =
        written("time,celsius\n2026-11-23,21.5\n2026-11-24;22\n\n\"x\",\"-3.25\"\n");
    let profile: Profile = profile.parse().unwrap();
    assert_eq!(profile, Profile::Values([21.5, 22.0, -3.25].into()));
    let played = temperatures(&profile, 7, 6);
    assert_eq!(played[..3], played[3..]);
}

#[test]
fn what_is_no_profile_is_named_with_what_is_expected() {
    let wrong = |text: &str| text.parse::<Profile>().unwrap_err().to_string();
    assert_eq!(wrong("rain"), r#"profile "rain": expected room, sine, walk or csv:FILE"#);
    assert_eq!(wrong("csv:/nowhere/at/all"), "cannot read /nowhere/at/all");
    let (_dir, profile) = written("21.5\nwarm\n");
    let expected = "line 2: expected a temperature in °C in its last column, as in 21.5";
    assert!(wrong(&profile).ends_with(expected));
    let (_dir, profile) = written("celsius\n");
    assert!(wrong(&profile).ends_with("has no temperature: expected one a line, in °C"));
}

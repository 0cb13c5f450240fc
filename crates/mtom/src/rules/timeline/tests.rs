use super::*;

fn at(second: i64) -> UnixMicros {
    UnixMicros(second * 1_000_000)
}

fn band(until: i64, width: usize, switches: &[(Led, i64)]) -> (String, Totals) {
    let mut band = Band::new(at(0), at(until), width);
    for (led, second) in switches {
        band.switch(*led, at(*second));
    }
    let drawn = band.finish(at(until));
    (drawn.picture(), drawn.totals)
}

#[test]
fn a_picture_shows_nothing_on_off_and_shares() {
    let (picture, totals) = band(10, 10, &[(Led::Off, 2), (Led::On, 4), (Led::Off, 8)]);
    assert_eq!(picture, "  ──████──");
    assert_eq!(totals, Totals { switches: 2, on: Duration::from_secs(4) });
    let (picture, _) = band(40, 4, &[(Led::Off, 0), (Led::On, 3), (Led::Off, 35)]);
    assert_eq!(picture, "▓██▒");
    let (picture, _) = band(100, 1, &[(Led::Off, 0), (Led::On, 99)]);
    assert_eq!(picture, "░");
}

#[test]
fn what_it_is_already_and_what_is_outside_changes_nothing() {
    let (picture, totals) = band(4, 4, &[(Led::On, -5), (Led::On, 2), (Led::Off, 9)]);
    assert_eq!(picture, "████");
    assert_eq!(totals, Totals { switches: 1, on: Duration::from_secs(4) });
    let mut early = Band::new(at(0), at(4), 4);
    early.switch(Led::On, at(0));
    assert_eq!(early.finish(at(2)).picture(), "██  ", "behind the end nothing is known");
}

#[test]
fn a_share_is_of_the_time_for_which_something_was_decided() {
    let mut band = Band::new(at(0), at(40), 4);
    for (led, second) in [(Led::Off, 15), (Led::On, 19), (Led::Off, 35)] {
        band.switch(led, at(second));
    }
    let shares: Vec<_> = band.finish(at(40)).shares().collect();
    assert_eq!(shares, [None, Some(0.2), Some(1.0), Some(0.5)]);
}

#[test]
fn any_width_and_span_adds_up() {
    for width in 1..80 {
        for until in [1, 2, 7, 64, 86_400] {
            let mut band = Band::new(at(0), at(until), width);
            band.switch(Led::On, at(0));
            let drawn = band.finish(at(until));
            assert_eq!(drawn.picture(), "█".repeat(width), "{until} s");
            assert_eq!(drawn.totals.on, Duration::from_secs(until.unsigned_abs()));
        }
    }
}

#[test]
fn marks_and_ends_stand_at_their_places() {
    assert_eq!(marks([at(0), at(5), at(10), at(11)], at(0), at(10), 11), "│    │    │");
    assert_eq!(ends("a", "b", 5), "a   b");
}

use super::Backoff;
use std::time::Duration;

const MIN: Duration = Duration::from_millis(250);
const MAX: Duration = Duration::from_secs(30);

#[test]
fn pauses_grow_to_the_longest_and_stay_there() {
    let mut backoff = Backoff::new(MIN, MAX, 7);
    for step in [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000] {
        let (pause, step) = (backoff.pause(), Duration::from_millis(step));
        assert!((step / 2..=step).contains(&pause), "{pause:?} of {step:?}");
    }
}

#[test]
fn only_a_connection_that_held_starts_over() {
    let mut backoff = Backoff::new(MIN, MAX, 7);
    for _ in 0..5 {
        backoff.pause();
    }
    backoff.held(Duration::from_secs(1));
    assert!(backoff.pause() > MIN);
    backoff.held(MAX);
    assert!(backoff.pause() <= MIN);
}

#[test]
fn links_that_broke_together_come_back_apart() {
    let pauses = |seed| {
        let mut backoff = Backoff::new(MIN, MAX, seed);
        [(); 8].map(|()| backoff.pause())
    };
    assert_ne!(pauses(Backoff::seed()), pauses(Backoff::seed()));
    assert_eq!(pauses(1), pauses(1));
}

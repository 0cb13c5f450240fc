use super::Backoff;
use embassy_time::Duration;
use proptest::prelude::{any, prop_assert, proptest};

fn backoff() -> Backoff {
    Backoff::new(Duration::from_secs(1), Duration::from_secs(60))
}

#[test]
fn the_wait_doubles_up_to_its_longest_and_is_short_again_after_success() {
    let mut backoff = backoff();
    let mut longest = |count: usize| -> Vec<u64> {
        (0..count).map(|_| backoff.next_delay(u32::MAX).as_secs()).collect()
    };
    assert_eq!(longest(9), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    backoff.reset();
    assert_eq!(backoff.next_delay(u32::MAX).as_secs(), 1);
}

#[test]
fn chance_decides_between_half_of_it_and_all() {
    let delay = |random| backoff().next_delay(random).as_micros();
    assert_eq!((delay(0), delay(u32::MAX)), (500_000, 1_000_000));
    assert_eq!(delay(u32::MAX / 2), 749_999);
}

#[test]
fn the_longest_times_do_not_overflow() {
    let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
    assert_eq!(backoff.next_delay(u32::MAX), Duration::MAX);
    assert_eq!(backoff.next_delay(u32::MAX), Duration::MAX);
    let mut none = Backoff::new(Duration::from_ticks(0), Duration::from_ticks(0));
    assert_eq!(none.next_delay(7), Duration::from_ticks(0));
}

proptest! {
    #[test]
    fn every_wait_is_at_least_half_of_the_full_one(randoms in proptest::collection::vec(any::<u32>(), 1..20)) {
        let mut backoff = backoff();
        let mut full = 1_000_000;
        for random in randoms {
            let delay = backoff.next_delay(random).as_micros();
            prop_assert!((full / 2..=full).contains(&delay), "{delay} of {full}");
            full = (full * 2).min(60_000_000);
        }
    }
}

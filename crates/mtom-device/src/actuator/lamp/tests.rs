use super::{Answer, BLOCK_LEN, Lamp, is_above};
use crate::actuator::Pin;
use embassy_time::{Duration, Instant};
use mtom_protocol::link::Led::{self, Off, On};
use mtom_protocol::link::Request;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

/// What the pin was told.
#[derive(Default)]
struct Told(Vec<Led>);

impl Pin for &mut Told {
    fn set(&mut self, led: Led) {
        assert_ne!(self.0.last(), Some(&led), "set without a change");
        self.0.push(led);
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn lamp(told: &mut Told) -> Lamp<&mut Told> {
    Lamp::new(told, Off, Some(Duration::from_millis(500)), 0, at(0))
}

fn set(led: Led, number: u64) -> Request {
    Request::Set { led, number }
}

#[test]
fn the_pin_is_put_into_its_safe_state_at_the_start_and_then_only_when_it_changes() {
    for safe in [Off, On] {
        let mut told = Told::default();
        let mut lamp = Lamp::new(&mut told, safe, None, 0, at(0));
        lamp.hear(set(safe, 1), at(1));
        assert_eq!(lamp.state(), Answer::State { led: safe, number: 1 });
        assert_eq!(told.0, [safe]);
    }
}

#[test]
fn a_newer_number_is_applied_and_an_older_one_is_told_the_state() {
    let mut told = Told::default();
    let mut lamp = lamp(&mut told);
    assert_eq!(lamp.hear(set(On, 42), at(1)), Answer::Applied { led: On, number: 42 });
    for old in [42, 41, 0] {
        assert_eq!(lamp.hear(set(Off, old), at(2)), Answer::State { led: On, number: 42 });
    }
    assert_eq!(lamp.hear(Request::Bare(Off), at(3)), Answer::Nothing);
    assert_eq!(lamp.hear(Request::Ask, at(4)), Answer::State { led: Off, number: 42 });
    assert_eq!(told.0, [Off, On, Off]);
}

#[test]
fn no_number_locks_the_led_for_ever() {
    let mut told = Told::default();
    let mut lamp = lamp(&mut told);
    let half = i64::MAX.cast_unsigned();
    for number in [1, half, half + 1, u64::MAX, 0, 1] {
        assert_eq!(lamp.hear(set(On, number), at(1)), Answer::Applied { led: On, number });
    }
}

#[test]
fn the_lease_returns_the_led_to_its_safe_state_once() {
    let mut told = Told::default();
    let mut lamp = lamp(&mut told);
    assert_eq!((lamp.ends_at(), lamp.look_again_at(at(7))), (None, Some(at(507))));
    lamp.hear(set(On, 1), at(10));
    lamp.hear(Request::Ask, at(100));
    assert_eq!((lamp.ends_at(), lamp.look_again_at(at(101))), (Some(at(600)), Some(at(600))));
    lamp.poll(at(599));
    assert_eq!(lamp.lapses(), 0);
    lamp.poll(at(600));
    lamp.poll(at(9_000));
    assert_eq!((lamp.lapses(), lamp.state()), (1, Answer::State { led: Off, number: 1 }));
    assert_eq!(told.0, [Off, On, Off]);
}

#[test]
fn without_a_lease_nothing_ever_ends() {
    let mut told = Told::default();
    let mut lamp = Lamp::new(&mut told, Off, None, 0, at(0));
    lamp.hear(Request::Bare(On), at(1));
    lamp.poll(Instant::MAX);
    assert_eq!((lamp.look_again_at(at(5)), lamp.lapses()), (None, 0));
    assert_eq!(told.0, [Off, On]);
}

#[test]
fn one_write_of_the_flash_serves_a_block_of_numbers() {
    let mut told = Told::default();
    let mut lamp = lamp(&mut told);
    let mut writes = Vec::new();
    for number in 1..=BLOCK_LEN * 2 {
        if let Some(kept) = lamp.to_keep(set(On, number)) {
            lamp.kept(kept);
            writes.push(kept);
        }
        lamp.hear(set(On, number), at(number));
    }
    assert_eq!(writes, [BLOCK_LEN, BLOCK_LEN * 2]);
    assert_eq!(lamp.to_keep(set(On, 5)), None, "an old number costs nothing");
    assert_eq!((lamp.to_keep(Request::Ask), lamp.to_keep(Request::Bare(On))), (None, None));
}

proptest! {
    #[test]
    fn below_half_of_all_numbers_above_means_greater(one in 0..1_u64 << 63, other in 0..1_u64 << 63) {
        prop_assert_eq!(is_above(one, other), one > other);
    }

    #[test]
    fn what_was_applied_is_old_after_a_loss_of_power(last: u64, steps: Vec<u16>) {
        let mut told = Told::default();
        let mut lamp = Lamp::new(&mut told, Off, None, last, at(0));
        let (mut number, mut flash) = (last, last);
        for step in steps {
            number = number.wrapping_add(u64::from(step));
            if let Some(kept) = lamp.to_keep(set(On, number)) {
                flash = kept;
                lamp.kept(kept);
            }
            lamp.hear(set(On, number), at(1));
            prop_assert!(!is_above(number, flash));
            prop_assert!(flash.wrapping_sub(number) < BLOCK_LEN);
        }
    }
}

//! A contact that bounces, on the virtual clock.

use super::{BOUNCE, COMPARE_WAIT, Contact};
use crate::actuator::Served;
use crate::actuator::tests::actuator;
use embassy_futures::join::join;
use embassy_futures::select::select;
use embassy_time::{Instant, Timer};
use tokio::sync::watch;

struct Wire(watch::Receiver<bool>);

impl Contact for Wire {
    fn is_closed(&self) -> bool {
        *self.0.borrow()
    }

    async fn until(&mut self, is_closed: bool) {
        self.0.wait_for(|now| *now == is_closed).await.unwrap();
    }
}

/// Closed and open again, after so many ms each; what the pin was told then.
async fn told_after(millis: &[u64]) -> String {
    let (actuator, told) = actuator(0);
    let (contact, wire) = watch::channel(false);
    let person = async {
        for millis in millis {
            contact.send_modify(|is_closed| *is_closed = !*is_closed);
            Timer::after_millis(*millis).await;
        }
    };
    select(person, actuator.attend(Wire(wire))).await;
    told.text()
}

#[tokio::test(start_paused = true)]
async fn a_press_turns_the_led_once_however_long_it_is_and_however_it_bounces() {
    mtom_time::run(async {
        assert_eq!(told_after(&[200, 200]).await, "-+");
        assert_eq!(told_after(&[60_000, 200]).await, "-+");
        assert_eq!(told_after(&[3, 2, 4, 1, 200, 3, 2, 200]).await, "-+", "at both ends");
        assert_eq!(told_after(&[200, 200, 200, 200]).await, "-+-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_shorter_than_a_bounce_is_no_press() {
    mtom_time::run(async {
        let short = BOUNCE.as_millis() - 1;
        assert_eq!(told_after(&[short, 200, short, 200]).await, "-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_press_says_that_the_numbers_are_the_same_and_leaves_the_led_alone() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        let press = async {
            Timer::after_secs(20).await;
            actuator.press();
        };
        assert!(join(actuator.is_same(), press).await.0);
        assert_eq!(told.text(), "-");
        actuator.press();
        assert_eq!(told.text(), "-+", "nobody asks any more");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_presses_nothing_has_said_no_and_an_earlier_press_is_no_answer() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        // Asked, and given up before it was answered.
        select(actuator.is_same(), Timer::after_secs(1)).await;
        actuator.press();
        let begun = Instant::now();
        assert!(!actuator.is_same().await);
        assert_eq!(begun.elapsed(), COMPARE_WAIT);
        actuator.press();
        assert_eq!(told.text(), "-+-");
    })
    .await;
}

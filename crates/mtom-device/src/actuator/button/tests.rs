//! A contact that bounces, on the virtual clock.

use super::{BOUNCE, Contact};
use crate::actuator::tests::actuator;
use embassy_futures::select::select;
use embassy_time::Timer;
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

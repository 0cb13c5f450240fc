//! Connects, delivers, and connects again, for ever.

use super::connection::Ended;
use super::{Connector, Event, Keeper, Memory, Sensor, Witness};
use crate::backoff::Backoff;
use crate::outbox::FlashRing;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use embassy_futures::select::select;
use embassy_time::{Duration, Timer};

const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(60);

impl<R, K, W, const RAM: usize> Sensor<'_, R, K, W, RAM>
where
    R: FlashRing,
    K: Keeper,
    W: Witness,
{
    /// Ends when the device stops and everything is delivered.
    pub(super) async fn deliver<C: Connector>(
        &self,
        connector: &mut C,
        memory: &mut impl Memory,
        mut random: impl FnMut() -> u32,
    ) {
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
        loop {
            let before = self.acknowledged.get();
            if self.waited_for_network(connector).await {
                backoff.reset();
            }
            let ended = self.connection(connector, memory).await;
            self.outbox.lock().await.disconnected();
            let reason = match ended {
                Ended::Stopped => return,
                Ended::Lost(reason) => reason,
            };
            self.saw(&Event::Lost { reason: &reason });
            // A broker that accepts and then closes every time is no broker yet.
            if self.acknowledged.get() > before {
                backoff.reset();
            }
            let delay = backoff.next_delay(random());
            self.saw(&Event::Waiting { delay });
            if !self.stopping.get() {
                select(Timer::after(delay), self.stopped()).await;
            } else if self.outbox.lock().await.is_empty() {
                return;
            } else {
                Timer::after(delay).await;
            }
        }
    }

    /// Whether there was none.
    async fn waited_for_network<C: Connector>(&self, connector: &mut C) -> bool {
        let mut waited = false;
        let mut ready = pin!(connector.ready());
        poll_fn(|context| {
            let poll = ready.as_mut().poll(context);
            waited |= poll.is_pending();
            // A device that stops does not wait for a network.
            if self.stopping.get() { Poll::Ready(()) } else { poll }
        })
        .await;
        waited
    }

    /// Ready when the device is told to stop; new readings are no reason to try earlier.
    async fn stopped(&self) {
        while !self.stopping.get() {
            self.wake.wait().await;
        }
    }
}

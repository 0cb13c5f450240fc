//! The button of a device: one press of it turns the LED once, however its contact bounces. While the device is
//! paired by comparing numbers, a press says that they are the same, and leaves the LED alone.
//!
//! What surprises: held for a minute it is pressed once. It is let go of before it is pressed again, and so a
//! button that was held down before it was asked has said nothing. There is no press that says no: nobody
//! presses it then.

use super::{Actuator, Memory, Pin};
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::Poll;
use embassy_sync::waitqueue::WakerRegistration;
use embassy_time::{Duration, Timer, with_timeout};

/// How long a contact bounces at most; what lasts shorter is no press.
pub const BOUNCE: Duration = Duration::from_millis(30);

/// Whoever has said nothing within this has said no: the other end has to be told before it waits no longer
/// [Core 5.4, Vol 3, Part H, 3.4].
pub const COMPARE_WAIT: Duration = Duration::from_secs(25);

/// What the button closes.
pub trait Contact {
    /// Whether it is closed now.
    fn is_closed(&self) -> bool;

    /// Waits until it is closed, or open; at once when it is.
    fn until(&mut self, is_closed: bool) -> impl Future<Output = ()>;
}

impl<P: Pin, M: Memory> Actuator<P, M> {
    /// Presses the button whenever somebody does.
    pub async fn attend(&self, mut contact: impl Contact) -> ! {
        loop {
            settled(&mut contact, true).await;
            self.press();
            settled(&mut contact, false).await;
        }
    }
}

/// What the next press answers.
#[derive(Debug, Default)]
pub(super) struct Question {
    /// Nobody asks, somebody does, or it was answered.
    yes: Cell<Option<bool>>,
    // Never borrowed across an await.
    waiting: RefCell<WakerRegistration>,
}

impl Question {
    /// A press; whether somebody has asked, who has his answer now.
    pub(super) fn is_answered(&self) -> bool {
        let is_asked = self.yes.get().is_some();
        if is_asked {
            self.yes.set(Some(true));
            self.waiting.borrow_mut().wake();
        }
        is_asked
    }

    /// Whether the button is pressed within [`COMPARE_WAIT`]. Given up, nothing is asked any more.
    pub(super) async fn is_yes(&self) -> bool {
        self.yes.set(Some(false));
        let _asked = Asked(self);
        let pressed = poll_fn(|context| {
            if self.yes.get() == Some(true) {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().register(context.waker());
            Poll::Pending
        });
        with_timeout(COMPARE_WAIT, pressed).await.is_ok()
    }
}

/// As long as somebody asks.
struct Asked<'a>(&'a Question);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.yes.set(None);
    }
}

/// Waits until it is so, and is so still when no contact bounces any more.
async fn settled(contact: &mut impl Contact, is_closed: bool) {
    loop {
        contact.until(is_closed).await;
        Timer::after(BOUNCE).await;
        if contact.is_closed() == is_closed {
            return;
        }
    }
}

#[cfg(test)]
mod tests;

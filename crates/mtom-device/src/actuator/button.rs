//! The button of a device: one press of it turns the LED once, however its contact bounces.
//!
//! What surprises: held for a minute it is pressed once. It is let go of before it is pressed again.

use super::{Actuator, Memory, Pin};
use embassy_time::{Duration, Timer};

/// How long a contact bounces at most; what lasts shorter is no press.
pub const BOUNCE: Duration = Duration::from_millis(30);

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

//! The way to a device over Bluetooth: search, connect, and get free of what hangs.
//!
//! A search is begun anew again and again, for an adapter tells of each device once. A device that
//! was found and cannot be connected to is let go of by force before the next try. After some tries
//! in a row that came to nothing, also of connections that carried nothing, the adapter is switched
//! off and on, where that is allowed.

use super::choice::Choice;
use super::trouble::Trouble;
use super::{Kind, Radio, SEARCH_MAX, SIGHTINGS_LEN};
use crate::address::bluetooth::{BluetoothAddress, BluetoothDevice, BluetoothId};
use crate::report::LinkState;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What a stack may take to let go of a device.
const DISCONNECT_MAX: Duration = Duration::from_secs(3);
/// What an adapter may take to be off and on again.
const POWER_CYCLE_MAX: Duration = Duration::from_secs(10);
/// How long an adapter is waited for that still searches for somebody who is gone: Linux ends such a search
/// after 10.24 s.
const BUSY_MAX: Duration = Duration::from_secs(15);
/// How soon it is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(500);
/// So many tries in a row fail before the adapter is taken for the culprit.
const FAILURES_MAX: u32 = 3;

/// Tells what is being done; why it has to be done is known to the one who hears it.
pub(crate) type Say<'a> = dyn Fn(LinkState) + Send + Sync + 'a;

/// Finds one device and connects to it, again and again.
pub(crate) struct Finder<R> {
    radio: R,
    kind: Kind,
    device: BluetoothDevice,
    may_power_cycle: bool,
    /// What the name led to.
    remembered: Option<BluetoothId>,
    /// A connection with it may be there.
    near: Option<BluetoothId>,
    /// Tries in a row that failed although there was something to try.
    failures: u32,
    connect_timeout: Duration,
}

impl<R: Radio> Finder<R> {
    pub(crate) fn new(
        radio: R,
        kind: Kind,
        address: &BluetoothAddress,
        remembered: Option<BluetoothId>,
        connect_timeout: Duration,
    ) -> Self {
        let is_named = matches!(address.device, BluetoothDevice::Name(_));
        Self {
            radio,
            kind,
            device: address.device.clone(),
            may_power_cycle: address.power_cycle,
            remembered: remembered.filter(|_| is_named),
            near: None,
            failures: 0,
            connect_timeout,
        }
    }

    /// What the name has led to, when there is a name.
    pub(crate) fn remembered(&self) -> Option<&BluetoothId> {
        self.remembered.as_ref()
    }

    /// The last connection has brought something, or nothing.
    pub(crate) fn judge(&mut self, was_useful: bool) {
        self.failures = if was_useful { 0 } else { self.failures + 1 };
    }

    /// Finds the device and connects to it.
    pub(crate) async fn open(&mut self, say: &Say<'_>) -> Result<R::Stream, String> {
        say(LinkState::Searching);
        if self.may_power_cycle && self.failures >= FAILURES_MAX {
            self.failures = 0;
            tracing::warn!(device = %self.device, "Bluetooth is switched off and on");
            match timeout(POWER_CYCLE_MAX, self.radio.power_cycle()).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => return Err(format!("adapter does not start again: {reason}")),
                Err(_) => return Err("adapter does not start again".into()),
            }
        }
        let id = self.find().await?;
        say(LinkState::Connecting);
        self.near = Some(id.clone());
        let limit = self.connect_timeout * R::WAYS;
        let failed = match timeout(limit, self.radio.connect(&id)).await {
            Ok(Ok(stream)) => {
                if matches!(self.device, BluetoothDevice::Name(_)) {
                    self.remembered = Some(id);
                }
                return Ok(stream);
            }
            Ok(Err(reason)) => reason,
            Err(_) => format!("{id} is in reach and does not answer within {limit:?}"),
        };
        self.failures += 1;
        self.leave().await;
        Err(failed)
    }

    pub(crate) async fn find(&mut self) -> Result<BluetoothId, String> {
        let search_max = SEARCH_MAX.max(R::RESTART);
        let mut ends_at = Instant::now() + search_max;
        let busy_until = Instant::now() + BUSY_MAX;
        let mut choice = Choice::new(&self.device, self.remembered.as_ref(), self.kind);
        'search: loop {
            let restart_at = (Instant::now() + R::RESTART).min(ends_at);
            let (sender, mut seen) = mpsc::channel(SIGHTINGS_LEN);
            let mut look = pin!(self.radio.look(sender));
            loop {
                let now = Instant::now();
                if let Some(decided) = choice.decided(now) {
                    return decided;
                }
                if now >= restart_at {
                    break;
                }
                let due = choice.due().map_or(restart_at, |due| due.min(restart_at));
                tokio::select! {
                    biased;
                    Some(sighting) = seen.recv() => choice.take(sighting, Instant::now()),
                    trouble = &mut look => {
                        if matches!(trouble, Trouble::Busy(_)) && now < busy_until {
                            sleep(BUSY_PAUSE).await;
                            ends_at = Instant::now() + search_max;
                            continue 'search;
                        }
                        self.failures += 1;
                        return Err(trouble.to_string());
                    }
                    () = sleep_until(due) => {}
                }
            }
            if Instant::now() >= ends_at {
                return Err(choice.nothing(SEARCH_MAX));
            }
        }
    }

    /// Lets go of the device, if there may be a connection.
    pub(crate) async fn leave(&mut self) {
        if let Some(id) = self.near.take() {
            // A stack that hangs is not waited for: the next connection starts it over.
            let _ = timeout(DISCONNECT_MAX, self.radio.disconnect(&id)).await;
        }
    }
}

#[cfg(test)]
mod tests;

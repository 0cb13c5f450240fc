//! A simulated sensor keeps silent while somebody else is heard on its topic: a real device is there,
//! and an invented temperature beside a measured one is worse than none.

use super::{SILENT_FOR, Settings};
use mtom_broker::publisher::{Progress, Publisher};
use mtom_device::settings::Settings as DeviceSettings;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Our own messages that have not come back yet; full: the oldest is taken as lost.
const OWN_LEN_MAX: usize = 16;
/// What has not come back after so long was lost with a connection.
const OWN_FOR: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(5);

/// What one sensor has heard.
#[derive(Clone, Debug, Default)]
pub(super) struct GiveWay(Rc<Heard>);

#[derive(Debug, Default)]
struct Heard {
    silent_until: Cell<Option<Instant>>,
    /// Payloads that we sent and the broker has not sent back yet.
    own: RefCell<VecDeque<(Instant, String)>>,
}

impl GiveWay {
    pub(super) fn is_silent(&self) -> bool {
        self.0.silent_until.get().is_some_and(|until| Instant::now() < until)
    }

    /// We sent this.
    pub(super) fn sent(&self, payload: &str) {
        let mut own = self.0.own.borrow_mut();
        if own.len() == OWN_LEN_MAX {
            own.pop_front();
        }
        own.push_back((Instant::now(), payload.to_owned()));
    }

    fn heard(&self, payload: &[u8]) {
        let mut own = self.0.own.borrow_mut();
        own.retain(|(sent_at, _)| sent_at.elapsed() < OWN_FOR);
        match own.iter().position(|(_, own)| own.as_bytes() == payload) {
            Some(at) => {
                own.remove(at);
            }
            None => {
                if !self.is_silent() {
                    tracing::info!(
                        "another device publishes here: the simulated sensor keeps silent for {SILENT_FOR:?}"
                    );
                }
                self.0.silent_until.set(Some(Instant::now() + SILENT_FOR));
            }
        }
    }
}

/// Listens on the device's topic for ever, where it is to give way.
pub(super) async fn listen<T>(
    give_way: Option<GiveWay>,
    settings: &Settings,
    device: &DeviceSettings,
) -> T {
    match give_way {
        // On the heap: a fleet does not give way, and shall not have the room for it.
        Some(give_way) => Box::pin(hear(give_way, settings, device)).await,
        None => std::future::pending().await,
    }
}

async fn hear<T>(give_way: GiveWay, settings: &Settings, device: &DeviceSettings) -> T {
    let id = format!("{}-ear", device.id);
    let mut publisher = Publisher::new(&id, &settings.host, settings.port);
    loop {
        match publisher.next().await {
            Ok(Progress::Connected) => {
                // What was sent before this may still come: a gateway stores before it passes on.
                // The queue is empty after connecting; should it not be, nobody is heard and
                // nothing else is disturbed.
                let _ = publisher.listen(&device.topic);
            }
            Ok(Progress::Heard { payload }) => give_way.heard(&payload),
            Ok(Progress::Acknowledged | Progress::Listening | Progress::Other) => {}
            Err(_) => sleep(RETRY).await,
        }
    }
}

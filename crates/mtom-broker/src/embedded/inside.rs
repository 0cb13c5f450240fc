//! Messages of the gateway itself, published without a connection.

use super::{Gate, message};
use crate::intake::Message;
use crate::outlet::{Announcement, NotTaken};
use bytes::Bytes;
use rmqtt::codec::types::QoS;
use rmqtt::context::ServerContext;
use rmqtt::session::SessionState;
use rmqtt::types::{CodecPublish, From, Id, Publish};
use rmqtt::utils::timestamp_millis;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

/// Our name among those of clients.
const NAME: &str = "mtom";

/// How long it is tried to put a client out, and how often.
const PUT_OUT_MAX: Duration = Duration::from_secs(5);
const PUT_OUT_AGAIN: Duration = Duration::from_millis(50);

/// The broker from inside. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Inside {
    runtime: Handle,
    context: ServerContext,
    gate: Gate,
}

impl Inside {
    pub(super) fn new(runtime: Handle, context: ServerContext, gate: Gate) -> Self {
        Self { runtime, context, gate }
    }

    /// Gives a message to everybody who has subscribed to its topic; where it is a reading it is stored first.
    pub(crate) async fn publish(&self, announcement: Announcement) -> Result<(), NotTaken> {
        let Self { context, gate, .. } = self.clone();
        // In the broker's own runtime, like every message; with that it ends.
        let publishing = self.runtime.spawn(async move {
            let _in_flight = gate.in_flight.token();
            if gate.closing.is_cancelled() {
                return Err(NotTaken::lost("it is ending"));
            }
            let publish = packet(announcement);
            if let Some(wanted) = gate.intake.wanted(&publish.topic)
                && !gate.hand_over(&publish, wanted).await
            {
                return Err(NotTaken::refused("it could not be stored"));
            }
            let publish = Publish::from(publish).create_time(timestamp_millis());
            let id = Id::new(context.node.id(), 0, None, None, NAME.into(), None);
            // What is retained stays until something else is.
            SessionState::forwards(&context, From::from_system(id), publish, false, None)
                .await
                .map_err(NotTaken::refused)
        });
        let ended = |_| Err(NotTaken::lost("it has ended"));
        AbortOnDropHandle::new(publishing).await.unwrap_or_else(ended)
    }
}

impl Inside {
    /// Hands over what is kept on a topic, as a copy, where it is wanted.
    pub(super) async fn hand_over_kept(&self, topic: &str) {
        let Self { context, gate, .. } = self.clone();
        let topic = topic.to_owned();
        // In the broker's own runtime; with that it ends.
        let handing = self.runtime.spawn(async move {
            let _in_flight = gate.in_flight.token();
            let kept = context.extends.retain().await.get(&topic.as_str().into()).await;
            let Ok(kept) = kept else { return };
            for (_, retain) in kept {
                let Some(wanted) = gate.intake.wanted(&topic) else { return };
                if gate.closing.is_cancelled() {
                    return;
                }
                let message = Message { retained_copy: true, ..message(&retain.publish) };
                gate.intake.offer_wanted(message, wanted).await;
            }
        });
        // It has ended: there is nothing to hand over.
        let _ = AbortOnDropHandle::new(handing).await;
    }

    /// Ends the connection of that client; its session is forgotten. It goes on when nobody waits for it.
    pub(super) fn put_out(&self, name: &str) -> JoinHandle<()> {
        let context = self.context.clone();
        let id = Id::new(context.node.id(), 0, None, None, name.to_owned().into(), None);
        // In the broker's own runtime: with that it ends.
        self.runtime.spawn(async move {
            let last = Instant::now() + PUT_OUT_MAX;
            loop {
                let entry = context.extends.shared().await.entry(id.clone());
                let ended = match entry.try_lock().await {
                    Ok(mut entry) => entry.kick(true, true, true).await.map(|_| ()),
                    // It is just being let in, under the same name.
                    Err(cause) => Err(cause),
                };
                match ended {
                    Ok(()) => return,
                    Err(_) if Instant::now() < last => sleep(PUT_OUT_AGAIN).await,
                    Err(error) => {
                        // The gate takes nothing of it, and lets it subscribe to nothing.
                        tracing::warn!(%error, "a client that is no longer allowed is not put out");
                        return;
                    }
                }
            }
        })
    }
}

/// A message that nobody hears: topics with $ are the broker's, and of this one there is none to subscribe to.
pub(super) fn nothing() -> Publish {
    let announcement = Announcement {
        topic: "$mtom/nothing".into(),
        payload: Bytes::new(),
        retain: false,
        acknowledged: false,
    };
    Publish::from(packet(announcement)).create_time(timestamp_millis())
}

fn packet(announcement: Announcement) -> CodecPublish {
    CodecPublish {
        dup: false,
        retain: announcement.retain,
        qos: if announcement.acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce },
        topic: announcement.topic.into(),
        packet_id: None,
        payload: announcement.payload,
        properties: None,
    }
}

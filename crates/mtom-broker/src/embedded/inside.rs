//! Messages of the gateway itself, published without a connection.

use super::Gate;
use crate::outlet::{Announcement, NotTaken};
use rmqtt::codec::types::QoS;
use rmqtt::context::ServerContext;
use rmqtt::session::SessionState;
use rmqtt::types::{CodecPublish, From, Id, Publish};
use rmqtt::utils::timestamp_millis;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// Our name among those of clients.
const NAME: &str = "mtom";

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
                return Err(NotTaken::new("it is ending"));
            }
            let publish = packet(announcement);
            if gate.intake.is_wanted(&publish.topic) && !gate.hand_over(&publish).await {
                return Err(NotTaken::new("it could not be stored"));
            }
            let publish = Publish::from(publish).create_time(timestamp_millis());
            let id = Id::new(context.node.id(), 0, None, None, NAME.into(), None);
            // What is retained stays until something else is.
            SessionState::forwards(&context, From::from_system(id), publish, false, None)
                .await
                .map_err(NotTaken::new)
        });
        let ended = |_| Err(NotTaken::new("it has ended"));
        AbortOnDropHandle::new(publishing).await.unwrap_or_else(ended)
    }
}

impl Inside {
    /// Ends the connection of that client; its session is forgotten.
    pub(super) async fn put_out(&self, name: &str) {
        let context = self.context.clone();
        let id = Id::new(context.node.id(), 0, None, None, name.to_owned().into(), None);
        let ending = self.runtime.spawn(async move {
            let entry = context.extends.shared().await.entry(id);
            match entry.try_lock().await {
                Ok(mut entry) => entry.kick(true, true, true).await.map(|_| ()),
                Err(cause) => Err(cause),
            }
        });
        // It publishes nothing any more in any case: the gate looks each time.
        if !matches!(AbortOnDropHandle::new(ending).await, Ok(Ok(()))) {
            tracing::debug!("a client that is no longer allowed could not be put out at once");
        }
    }
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

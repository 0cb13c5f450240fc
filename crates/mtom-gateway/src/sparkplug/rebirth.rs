//! Asks nodes for their births: `Node Control/Rebirth` (Sparkplug 3.0, clause 6.4.11).

use crate::Clock;
use mtom_broker::outlet::{Announcement, Outlet};
use mtom_protocol::payload::sparkplug::{Kind, Named, Payload, Place, REBIRTH};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Nodes that wait to be asked. Full: one is not asked now, but when it is heard after a while.
pub(crate) const WAITING_LEN: usize = 256;
/// A broker that is away gets no question later: the node is asked when it is heard again.
const TRY_MAX: Duration = Duration::from_secs(5);

/// Asks whoever comes out of `nodes`, until `stop`.
pub(crate) async fn run(
    mut nodes: mpsc::Receiver<Arc<str>>,
    outlet: Option<Outlet>,
    clock: Clock,
    stop: CancellationToken,
) {
    loop {
        let node = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Some(node) = nodes.recv() => node,
        };
        let Some((outlet, announcement)) = outlet.as_ref().zip(question(&node, &clock)) else {
            continue;
        };
        let published = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            published = tokio::time::timeout(TRY_MAX, outlet.publish(announcement)) => published,
        };
        match published {
            Ok(Ok(())) => tracing::debug!(node = &*node, "asked for its births"),
            Ok(Err(error)) => {
                tracing::warn!(node = &*node, %error, "it cannot be asked for its births: allow \
                    NCMD to broker.username");
            }
            Err(_) => tracing::debug!(node = &*node, "not asked for its births: no broker"),
        }
    }
}

fn question(node: &str, clock: &Clock) -> Option<Announcement> {
    let (group, node) = node.split_once('/')?;
    let place = Place { kind: Kind::Command, group, node, device: None };
    // By its name, which has no number [tck-id-operational-behavior-data-commands-rebirth-name-aliases].
    let payload = Payload::command(Named::Name(REBIRTH), true, clock()).bytes().into();
    // At QoS 0 and not retained [tck-id-payloads-ncmd-qos, tck-id-payloads-ncmd-retain].
    Some(Announcement { topic: place.topic(), payload, acknowledged: false, retain: false })
}

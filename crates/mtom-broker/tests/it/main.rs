//! The broker's two sides over real sockets: what is acknowledged, and when.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and say why it skips"
)]

mod client;
mod clients;
mod embedded;
mod external;
mod mosquitto;
mod secure;
mod versions;

use mtom_broker::clients::{Admission, Clients};
use mtom_broker::intake::Delivery;
use mtom_broker::publisher::{Progress, Publisher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The limit for an event that must come.
const LIMIT: Duration = Duration::from_secs(20);

/// Lets in whoever comes.
fn everyone() -> Clients {
    Clients::new(Admission::Everyone, [], Arc::new(|| 0))
}

/// Waits for what must come.
async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, event).await.unwrap_or_else(|_| panic!("{what} never came"))
}

async fn delivery(deliveries: &mut mpsc::Receiver<Delivery>) -> Delivery {
    soon("a delivery", deliveries.recv()).await.unwrap()
}

async fn progress(publisher: &mut Publisher, wanted: Progress) {
    let what = format!("{wanted:?}");
    soon(&what, async { while publisher.next().await.unwrap() != wanted {} }).await;
}

/// True when `wanted` has not come while everything that is under way had its turn.
async fn not_yet(publisher: &mut Publisher, wanted: Progress, witness: impl Future) -> bool {
    tokio::pin!(witness);
    loop {
        tokio::select! {
            event = publisher.next() => if event.as_ref() == Ok(&wanted) { return false },
            _ = &mut witness => return true,
        }
    }
}

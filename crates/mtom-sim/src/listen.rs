//! Hears one topic of a broker, as any client would: how `mtom flash` learns that a board's reading
//! has arrived.

use mtom_broker::publisher::{Progress, Publisher};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How long until a broker that is away is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Gives each payload on `topic` to `heard`, full: the broker waits. Tries again while the broker is
/// away, and ends when nobody wants to hear any more.
pub async fn listen(
    host: &str,
    port: u16,
    client_id: &str,
    topic: &str,
    heard: mpsc::Sender<Vec<u8>>,
) {
    let mut client = Publisher::new(client_id, host, port);
    loop {
        let progress = tokio::select! {
            () = heard.closed() => return,
            progress = client.next() => progress,
        };
        let is_wanted = match progress {
            Ok(Progress::Connected) => client.listen(topic).is_ok(),
            Ok(Progress::Heard { payload }) => heard.send(payload.to_vec()).await.is_ok(),
            Ok(Progress::Acknowledged | Progress::Listening | Progress::Other) => true,
            Err(reason) => {
                tracing::debug!("{host}:{port} cannot be listened to: {reason}");
                sleep(RETRY).await;
                true
            }
        };
        if !is_wanted {
            return;
        }
    }
}

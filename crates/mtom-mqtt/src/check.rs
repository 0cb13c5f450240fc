//! Tries whether a broker lets us in.

use crate::connection::{Connection, Event, Options};
use crate::fault::Fault;
use crate::target::{Spoken, Target, Versions};

/// Connects under a name of its own, leaves nothing behind, and says what is spoken.
///
/// # Errors
/// [`Fault`]: why there is no connection.
pub async fn check(target: &Target, client_id: &str) -> Result<Spoken, Fault> {
    let options = Options {
        client_id: client_id.into(),
        is_kept: false,
        acknowledges_by_hand: false,
        receive_max: 1,
        keep_alive_seconds: 5,
        packet_len_max: 64 * 1024,
        requests_len: 1,
        unanswered_max: 1,
        will: None,
    };
    let mut versions = Versions::new(target.version);
    loop {
        let spoken = versions.next();
        let mut connection = Connection::new(target, spoken, &options);
        match greeted(&mut connection).await {
            Ok(()) => {
                if connection.disconnect().is_ok() {
                    // How that ends is nobody's concern.
                    while connection.next().await.is_ok() {}
                }
                return Ok(spoken);
            }
            Err(fault) if versions.failed(spoken, &fault) => {}
            Err(fault) => return Err(fault),
        }
    }
}

async fn greeted(connection: &mut Connection) -> Result<(), Fault> {
    while !matches!(connection.next().await?, Event::Connected { .. }) {}
    Ok(())
}

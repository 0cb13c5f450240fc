//! The bell of a port: rung once for all that came, and heard by everybody who waits there.
//!
//! Whoever has something to tell rings one bell and wakes one task for each port; that wakes those who follow. So
//! telling costs the same however many they are. It rings for the last time at the end: a thousand that each wait
//! for the token itself would contend for its lock.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What those who follow wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bell {
    /// There is something to tell.
    More,
    /// The port is ending.
    End,
}

/// Passes `bell` on to those who follow at one port until `end`.
pub(crate) async fn pass_on(
    mut bell: watch::Receiver<()>,
    followers: watch::Sender<Bell>,
    end: &CancellationToken,
) {
    loop {
        tokio::select! {
            () = end.cancelled() => break,
            rung = bell.changed() => match rung {
                Ok(()) => followers.send_replace(Bell::More),
                Err(_) => break,
            },
        };
    }
    followers.send_replace(Bell::End);
}

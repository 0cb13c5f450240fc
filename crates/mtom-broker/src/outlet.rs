//! What the gateway itself says: a message at a time to whichever broker there is.
//!
//! To the embedded broker it is a message like any other: where it is on a topic that readings come on it
//! becomes one before anybody hears it. An external broker decides that by our subscriptions.

use crate::embedded::Inside;
use bytes::Bytes;
use mtom_mqtt::connection::Untaken;
use std::fmt;
use tokio::sync::{mpsc, oneshot};

/// Messages that wait for the connection to an external broker. Full: [`Outlet::publish`] waits.
const WAITING_LEN: usize = 16;

/// A message of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// One topic, no filter.
    pub topic: String,
    /// Whatever it says.
    pub payload: Bytes,
    /// QoS 1, otherwise 0.
    pub acknowledged: bool,
    /// The broker keeps it for later subscribers.
    pub retain: bool,
}

impl From<Announcement> for mtom_mqtt::connection::Outgoing {
    fn from(announcement: Announcement) -> Self {
        let Announcement { topic, payload, acknowledged, retain } = announcement;
        Self { topic, payload, acknowledged, retain, properties: Vec::new() }
    }
}

/// The way to the broker. Cheap to clone.
#[derive(Clone)]
pub struct Outlet(Way);

#[derive(Clone)]
enum Way {
    Embedded(Inside),
    External(mpsc::Sender<Outgoing>),
}

/// The broker has not taken a message, as far as anybody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It does not want this one; it may take another.
    #[error("the broker refuses it: {0}")]
    Refused(String),
    /// There is no way to it now.
    #[error("the broker has not taken it: {0}")]
    Lost(String),
}

impl NotTaken {
    pub(crate) fn refused(reason: impl fmt::Display) -> Self {
        Self::Refused(reason.to_string())
    }

    pub(crate) fn lost(reason: impl fmt::Display) -> Self {
        Self::Lost(reason.to_string())
    }
}

impl From<Untaken> for NotTaken {
    fn from(untaken: Untaken) -> Self {
        match untaken {
            Untaken::Refused(reason) => Self::Refused(reason),
            Untaken::Lost(reason) => Self::Lost(reason),
        }
    }
}

impl Outlet {
    pub(crate) fn embedded(inside: Inside) -> Self {
        Self(Way::Embedded(inside))
    }

    /// The outlet of a [client](crate::client), and what the client takes from it.
    #[must_use]
    pub fn external() -> (Self, Outgoings) {
        let (sender, receiver) = mpsc::channel(WAITING_LEN);
        (Self(Way::External(sender)), Outgoings(receiver))
    }

    /// Hands a message to the broker. Waits while there is no connection; dropped before it ends, the message
    /// is not sent later.
    ///
    /// # Errors
    /// [`NotTaken`]; after a broken connection the broker may have it all the same.
    pub async fn publish(&self, announcement: Announcement) -> Result<(), NotTaken> {
        match &self.0 {
            Way::Embedded(inside) => inside.publish(announcement).await,
            Way::External(client) => {
                let ending = || NotTaken::lost("the way to it has ended");
                let (answer, answered) = oneshot::channel();
                client.send(Outgoing { announcement, answer }).await.map_err(|_| ending())?;
                let lost = || NotTaken::lost("the connection ended before it answered");
                answered.await.unwrap_or_else(|_| Err(lost()))
            }
        }
    }
}

/// The messages that wait for a client.
pub struct Outgoings(mpsc::Receiver<Outgoing>);

impl Outgoings {
    /// The next that somebody still waits for; `None`: there will be none.
    pub(crate) async fn next(&mut self) -> Option<Outgoing> {
        loop {
            let next = self.0.recv().await?;
            // Whoever gave up waiting tries again: it must not be sent twice.
            if !next.answer.is_closed() {
                return Some(next);
            }
        }
    }
}

/// A message, and who waits for its fate.
pub(crate) struct Outgoing {
    pub(crate) announcement: Announcement,
    pub(crate) answer: oneshot::Sender<Result<(), NotTaken>>,
}

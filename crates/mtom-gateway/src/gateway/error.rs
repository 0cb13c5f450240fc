//! Why a gateway did not start, and why it ended by itself.

use mtom_store::error::{OpenError, StoreError};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be made or written.
    #[error("cannot use the folder {path} (data.dir): choose another with --set data.dir=FOLDER")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Who may connect is not known.
    #[error(
        "cannot read who may connect ({path}): let it be read as text, or delete it, and nobody is allowed"
    )]
    Clients {
        /// The list.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The journal cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal was opened and cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An address is taken, not ours or not permitted.
    #[error("cannot listen on {address} for {what}: choose another with --set {key}=127.0.0.1:0")]
    Listen {
        /// Who wants it.
        what: &'static str,
        /// The configuration key that says it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// There is no such address.
    #[error("cannot follow {url}: {reason}")]
    Upstream {
        /// What was given.
        url: String,
        /// What is expected.
        reason: String,
    },
    /// The address that datagrams are sent from is not ours.
    #[error(
        "cannot send to the targets by UDP from {}: choose one of this computer's addresses with \
         --set forward.udp.from=ADDRESS",
        .from.map_or_else(|| "any address".to_owned(), |from| from.to_string())
    )]
    Targets {
        /// What was chosen.
        from: Option<IpAddr>,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// There are no secrets to be had.
    #[error("this system gives no random numbers")]
    Random(#[source] io::Error),
    /// The configured rules have mistakes.
    #[error("the rules cannot be used: {}", .0.join("; "))]
    Rules(Vec<String>),
    /// The embedded broker did not start.
    #[error("the embedded broker did not start: {reason}")]
    Broker {
        /// Its words.
        reason: String,
    },
}

/// Why a gateway that was running ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A listening socket is no longer one.
    #[error("the port {port} failed")]
    Port {
        /// `live` or `history`.
        port: &'static str,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Another controller drives one of the actuators.
    #[error(transparent)]
    Refused(#[from] mtom_forward::follower::Refused),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect: a part ended that never should.
    #[error("the {part} ended unexpectedly")]
    Part {
        /// Which one.
        part: &'static str,
    },
}

//! What can go wrong with MariaDB, one variant per reaction. The drain tries again after each of them.

use sqlx::mysql::MySqlDatabaseError;
use std::time::Duration;

/// Why the database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum MariaError {
    /// Wait, or look at the network: nobody answers.
    #[error("database server {address} cannot be reached")]
    Unreachable {
        /// Host and port, or the socket.
        address: String,
        /// What the system said.
        #[source]
        cause: sqlx::Error,
    },
    /// Wait: the server does not answer in time.
    #[error("the database server did not answer within {limit:?} ({what})")]
    Slow {
        /// What was asked for.
        what: &'static str,
        /// The limit that was set.
        limit: Duration,
    },
    /// Correct user or password.
    #[error(
        "database server {address} refuses user {user}: expected the right password in the file of store.password_file or in MTOM_STORE_PASSWORD, and a user with IDENTIFIED VIA mysql_native_password or unix_socket"
    )]
    Refused {
        /// Host and port, or the socket.
        address: String,
        /// The user of the URL.
        user: String,
        /// What the server said.
        #[source]
        cause: sqlx::Error,
    },
    /// An administrator of the server runs these statements once.
    #[error(
        "the database user may not do what is needed: an administrator runs once: {statements}"
    )]
    NoGrant {
        /// SQL, ready to be pasted.
        statements: String,
        /// What the server said.
        #[source]
        cause: sqlx::Error,
    },
    /// Correct the certificates, or say in the URL that the network is trusted.
    #[error(
        "no encrypted connection to database server {address}: expected a server with TLS and a certificate for its name, from an authority that the system or ca=FILE knows (tls=required accepts any certificate, tls=off is for a trusted network)"
    )]
    Tls {
        /// Host and port, or the socket.
        address: String,
        /// What the TLS library said.
        #[source]
        cause: sqlx::Error,
    },
    /// Use a server that can do it.
    #[error("the database server is {found}: expected {expected}")]
    Server {
        /// What it is or has.
        found: String,
        /// What is needed.
        expected: &'static str,
    },
    /// Install the newer program again.
    #[error(
        "the database has schema version {found}, this mtom knows versions up to {known}: run the newer mtom that made it (nothing was changed)"
    )]
    Newer {
        /// The version in the database.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// Stop the other process, or give this one another name.
    #[error(
        "gateway {gateway} is already being written by another process (connection {connection}): stop that one, or give this gateway another name"
    )]
    InUse {
        /// The name of the gateway.
        gateway: String,
        /// The number of its connection on the server.
        connection: u64,
    },
    /// An operator must find out which of the two is right; nothing is overwritten.
    #[error(
        "reading {number} of gateway {gateway} is in the database with another content, {count} in all: this journal is not the one that was written there; expected a gateway name of its own for each journal"
    )]
    Conflict {
        /// The name of the gateway.
        gateway: String,
        /// The lowest of them.
        number: u64,
        /// How many of the batch.
        count: usize,
    },
    /// An operator must find out why; nothing is written.
    #[error(
        "the database has readings of gateway {gateway} up to number {drained}, the journal ends at {newest}: this journal is not the one that was written there; expected a gateway name of its own for each journal"
    )]
    OtherJournal {
        /// The name of the gateway.
        gateway: String,
        /// The number in the database.
        drained: u64,
        /// The newest number of the journal.
        newest: u64,
    },
    /// Make room on the server.
    #[error("the disk of the database server is full: expected room to write")]
    Full(#[source] sqlx::Error),
    /// Make the server writable, or wait until it is.
    #[error("the database server only lets itself be read")]
    ReadOnly(#[source] sqlx::Error),
    /// Try again: the connection ended.
    #[error("the connection to the database server ended")]
    Lost(#[source] sqlx::Error),
    /// Try again: two transactions were in each other's way.
    #[error("the database server ended the transaction in favour of another")]
    Deadlock(#[source] sqlx::Error),
    /// Look at the cause: server and schema disagree.
    #[error("the database server refused a statement")]
    Failed(#[source] sqlx::Error),
    /// Look at the journal.
    #[error("the journal cannot be read")]
    Journal(#[source] crate::error::StoreError),
}

/// The server's number of an error; `None` where it was not the server who said it.
pub(super) fn number(cause: &sqlx::Error) -> Option<u16> {
    let error = cause.as_database_error()?;
    error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

impl From<sqlx::Error> for MariaError {
    fn from(cause: sqlx::Error) -> Self {
        match number(&cause) {
            // The table is full; the disk is full; no space in a file that InnoDB or a sort needs.
            Some(1021 | 1114 | 3) => Self::Full(cause),
            // --read-only, --innodb-read-only, a read-only transaction.
            Some(1290 | 1836 | 1792) => Self::ReadOnly(cause),
            // Lock wait timeout and deadlock; record changed since the snapshot (11.6 on).
            Some(1205 | 1213 | 1020) => Self::Deadlock(cause),
            // Shutdown in progress; killed; idle for too long.
            Some(1053 | 1317 | 1927 | 4031) => Self::Lost(cause),
            Some(_) => Self::Failed(cause),
            None => match cause {
                sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Self::Lost(cause),
                cause => Self::Failed(cause),
            },
        }
    }
}

/// An error and its causes in one line, for a state or a log.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries paste the cause into their own text.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

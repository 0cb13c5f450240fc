//! MariaDB: a second place for what the journal holds, for whoever wants it in a server.
//!
//! The journal stays the place where a reading is safe. [`drain::run`] copies committed readings from it
//! under their journal numbers, so that a batch whose COMMIT was not answered can be sent again. A row
//! that is there with another content is reported and never overwritten. Several gateways may share a
//! database; each has exactly one writer at a time.
//!
//! Every wait has a limit. After an error other than [`MariaError::Conflict`] a connection is in an unknown
//! state: drop it and connect again.

mod append;
mod audit;
mod check;
pub mod drain;
mod error;
mod import;
mod names;
mod page;
mod reject;
mod row;
mod schema;
mod session;
mod url;

pub use append::Appended;
pub use audit::Differences;
pub use error::{MariaError, chain};
pub use import::{TempRow, TempTable};
pub use schema::Warning;
pub use url::{Tls, Url, UrlError};

use mtom_protocol::reading::StoredReading;
use names::Names;
use sqlx::mysql::MySqlConnection;
use std::future::Future;
use std::time::Duration;

/// How long the server may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To answer, to agree on TLS and to let the user in.
    pub connect: Duration,
    /// For one statement, or for the next rows of a long answer.
    pub statement: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), statement: Duration::from_secs(30) }
    }
}

/// Whom to ask, and for how long.
#[derive(Clone)]
pub struct Settings {
    /// The database.
    pub url: Url,
    /// The user's password, where it has one.
    pub password: Option<String>,
    /// The name of this gateway: one journal, one name. At most 190 characters.
    pub gateway: String,
    /// How long the server may take.
    pub limits: Limits,
}

/// Without the password.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url.to_string())
            .field("gateway", &self.gateway)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The journal's side: what the drain and the audit read.
pub trait Source: Send + Sync + 'static {
    /// At most `limit` readings with a number above `number`, rising, none left out. Blocking.
    ///
    /// # Errors
    /// [`crate::error::StoreError`]: the journal cannot be read.
    fn after(
        &self,
        number: u64,
        limit: usize,
    ) -> Result<Vec<StoredReading>, crate::error::StoreError>;

    /// At most `limit` rejects with a number above `number`, rising, none left out. Blocking.
    ///
    /// # Errors
    /// [`crate::error::StoreError`]: the journal cannot be read.
    fn rejects_after(
        &self,
        number: u64,
        limit: usize,
    ) -> Result<Vec<crate::record::RejectRow>, crate::error::StoreError>;
}

/// One connection with its schema at this version.
pub struct Maria {
    connection: MySqlConnection,
    names: Names,
    gateway: String,
    /// The number that stands for `gateway` in the tables.
    gateway_id: u16,
    /// The connection's number on the server.
    connection_id: u64,
    limit: Duration,
    warnings: Vec<Warning>,
}

impl std::fmt::Debug for Maria {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maria")
            .field("gateway", &self.gateway)
            .field("connection_id", &self.connection_id)
            .finish_non_exhaustive()
    }
}

impl Maria {
    /// Connects, sets the session up and checks it, and makes database and schema where they are missing and
    /// may be made.
    ///
    /// # Errors
    /// [`MariaError`]; [`MariaError::NoGrant`] holds the statements that an administrator runs.
    pub async fn connect(settings: &Settings) -> Result<Self, MariaError> {
        let (mut connection, connection_id) = session::open(settings).await?;
        let limit = settings.limits.statement;
        let warnings = schema::prepare(&mut connection, settings).await?;
        let gateway_id = within(
            limit,
            "the name of the gateway",
            names::gateway(&mut connection, &settings.gateway),
        )
        .await?;
        Ok(Self {
            connection,
            names: Names::default(),
            gateway: settings.gateway.clone(),
            gateway_id,
            connection_id,
            limit,
            warnings,
        })
    }

    /// What an operator should know about this server. Known after [`Maria::connect`].
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The connection's number on the server.
    #[must_use]
    pub const fn connection_id(&self) -> u64 {
        self.connection_id
    }

    /// Keeps the session from being ended for silence, and finds out whether it was.
    ///
    /// # Errors
    /// [`MariaError::Lost`] or [`MariaError::Slow`].
    pub async fn ping(&mut self) -> Result<(), MariaError> {
        use sqlx::Connection;
        within(self.limit, "a ping", self.connection.ping()).await
    }

    /// Tells the server that this is the end, and waits at most as long as for a statement.
    pub async fn close(self) {
        use sqlx::Connection;
        // The server ends the session by itself too.
        let _ = within(self.limit, "the end of the session", self.connection.close()).await;
    }
}

/// A statement's answer, or [`MariaError::Slow`].
async fn within<T>(
    limit: Duration,
    what: &'static str,
    asked: impl Future<Output = sqlx::Result<T>>,
) -> Result<T, MariaError> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(MariaError::Slow { what, limit }),
    }
}

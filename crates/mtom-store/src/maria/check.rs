//! Whether a server lets us in and keeps to its session, without changing anything there.

use super::error::MariaError;
use super::{Maria, Settings, session};

impl Maria {
    /// Connects, sets the session up and checks it. The database need not be there yet.
    ///
    /// # Errors
    /// [`MariaError`]
    pub async fn check(settings: &Settings) -> Result<(), MariaError> {
        session::open(settings).await.map(drop)
    }
}

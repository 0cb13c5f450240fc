//! Clients of the embedded broker: who may come from other computers, kept in the data folder.
//!
//! The file is for people too: a line that is deleted while the gateway stands still is not allowed any more.

use crate::Clock;
use mtom_broker::clients::{Admission, Clients, Everybody, NameError};
use mtom_broker::embedded::Door;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The file in the data folder.
const FILE: &str = "clients";
/// What stands above its lines.
const HEAD: &str = "# MQTT clients that may connect from other computers, one name a line.\n";

/// Those whom the embedded broker knows. Cheap to clone.
#[derive(Clone)]
pub struct Guests {
    door: Door,
    path: PathBuf,
    // Tokio's: held while a small file is written, so that the newest list is the one that stays.
    writing: Arc<Mutex<()>>,
}

/// Why somebody is not allowed, or still is.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// The name cannot be allowed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Nobody has allowed that name.
    #[error("no client {0:?} is allowed")]
    Unknown(String),
    /// It holds until the end of this process only.
    #[error("the list of clients cannot be written")]
    Disk(#[source] io::Error),
}

/// The list with whom an earlier gateway has let in.
pub(crate) fn open(folder: &Path, admission: Admission, clock: &Clock) -> Clients {
    let text = fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let clock = Arc::clone(clock);
    Clients::new(admission, lines.map(str::to_owned), Arc::new(move || clock().0))
}

impl Guests {
    pub(crate) fn new(door: Door, folder: &Path) -> Self {
        Self { door, path: folder.join(FILE), writing: Arc::default() }
    }

    /// Who of other computers is let in.
    #[must_use]
    pub fn admission(&self) -> Admission {
        self.door.clients().admission()
    }

    /// Everybody who is there, was there, or was not let in.
    #[must_use]
    pub fn everybody(&self) -> Everybody {
        self.door.everybody()
    }

    /// Who says that name is let in, now and after a restart.
    ///
    /// # Errors
    /// [`GuestError`].
    pub async fn allow(&self, name: &str) -> Result<(), GuestError> {
        let _alone = self.writing.lock().await;
        // A line that begins so is a remark.
        if name.starts_with('#') {
            return Err(GuestError::Name(NameError::Form));
        }
        self.door.allow(name)?;
        self.write().await
    }

    /// Who says that name is put out, and not let in any more.
    ///
    /// # Errors
    /// [`GuestError`].
    pub async fn withdraw(&self, name: &str) -> Result<(), GuestError> {
        let _alone = self.writing.lock().await;
        if !self.door.withdraw(name).await {
            return Err(GuestError::Unknown(name.to_owned()));
        }
        self.write().await
    }

    async fn write(&self) -> Result<(), GuestError> {
        let lines = self.door.clients().allowed().into_iter().map(|name| name + "\n");
        let text = HEAD.to_owned() + &lines.collect::<String>();
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            let new = path.with_extension("new");
            fs::write(&new, text)?;
            fs::rename(new, &path)
        });
        written.await.map_err(io::Error::other).flatten().map_err(GuestError::Disk)
    }
}

//! Clients of the embedded broker: who may come from other computers, kept in the data folder.
//!
//! The file is for people too: a line that is deleted while the gateway stands still is not allowed any more.

use crate::Clock;
use crate::gateway::StartError;
use mtom_broker::clients::{Admission, Clients, Everybody, NameError};
use mtom_broker::embedded::Door;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

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
///
/// # Errors
/// When there is a list, and it cannot be read: the next one who is allowed would be alone in it.
pub(crate) fn open(
    folder: &Path,
    admission: Admission,
    clock: &Clock,
) -> Result<Clients, StartError> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.map_err(|cause| StartError::Clients { path, cause })?,
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let clock = Arc::clone(clock);
    Ok(Clients::new(admission, lines.map(str::to_owned), Arc::new(move || clock().0)))
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
        let alone = Arc::clone(&self.writing).lock_owned().await;
        // A line that begins so is a remark.
        if name.starts_with('#') {
            return Err(GuestError::Name(NameError::Form));
        }
        self.door.allow(name)?;
        self.write(alone).await
    }

    /// Who says that name is put out, and not let in any more. Said again after [`GuestError::Disk`], it is
    /// written again.
    ///
    /// # Errors
    /// [`GuestError`].
    pub async fn withdraw(&self, name: &str) -> Result<(), GuestError> {
        let alone = Arc::clone(&self.writing).lock_owned().await;
        let was_allowed = self.door.withdraw(name);
        // Both are begun before either is waited for: whoever asks may be gone meanwhile.
        let written = self.write(alone);
        let put_out = self.door.put_out(name);
        written.await?;
        put_out.await;
        if was_allowed { Ok(()) } else { Err(GuestError::Unknown(name.to_owned())) }
    }

    /// Begins to write the list. Nobody else changes it before that has ended.
    fn write(
        &self,
        alone: OwnedMutexGuard<()>,
    ) -> impl Future<Output = Result<(), GuestError>> + use<> {
        let lines = self.door.clients().allowed().into_iter().map(|name| name + "\n");
        let text = HEAD.to_owned() + &lines.collect::<String>();
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            let _alone = alone;
            let new = path.with_extension("new");
            fs::write(&new, text)?;
            fs::rename(new, &path)
        });
        async { written.await.map_err(io::Error::other).flatten().map_err(GuestError::Disk) }
    }
}

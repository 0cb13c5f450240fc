//! Whether an external broker has had our session before, so that a start without one is known for a loss.
//!
//! One file in the data folder names the broker and us. Another broker or another name has had none. A file that
//! cannot be written costs no more than this knowledge.

use mtom_mqtt::target::Target;
use std::path::{Path, PathBuf};

/// The file in the data folder.
const FILE: &str = "broker-session";

/// Our session at one broker, under one name.
pub(super) struct Session {
    path: PathBuf,
    text: String,
}

impl Session {
    pub(super) fn new(dir: &Path, target: &Target, client_id: &str) -> Self {
        let text = format!("{}\n{client_id}\n", target.endpoint.address());
        Self { path: dir.join(FILE), text }
    }

    /// The broker has had it.
    pub(super) fn is_known(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text)
    }

    /// The broker has it now.
    pub(super) fn made(&self) {
        if !self.is_known()
            && let Err(cause) = std::fs::write(&self.path, &self.text)
        {
            tracing::debug!(%cause, "cannot note the broker's session");
        }
    }
}

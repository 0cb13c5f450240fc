//! Which topics of ours the broker keeps, noted in the data folder, so that a later process can take them back.
//!
//! A topic is noted before it is told. A file that cannot be written costs no more than this knowledge.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The file in the data folder.
const FILE: &str = "announced";

/// The topics, one on a line of the file.
pub(super) struct Noted {
    path: PathBuf,
    topics: BTreeSet<String>,
    is_older: bool,
}

impl Noted {
    pub(super) fn open(folder: &Path, id: &str) -> Self {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let topics = text.lines().filter(|line| is_topic(line, id)).map(str::to_owned).collect();
        Self { path, topics, is_older: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    pub(super) fn contains(&self, topic: &str) -> bool {
        self.topics.contains(topic)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &String> {
        self.topics.iter()
    }

    pub(super) fn add(&mut self, topic: &str) {
        self.is_older |= self.topics.insert(topic.to_owned());
    }

    pub(super) fn remove(&mut self, topic: &str) {
        self.is_older |= self.topics.remove(topic);
    }

    /// Writes the file where it is not as it should be.
    pub(super) async fn write(&mut self) {
        if !std::mem::take(&mut self.is_older) {
            return;
        }
        let text: String = self.topics.iter().map(|topic| format!("{topic}\n")).collect();
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            let new = path.with_extension("new");
            fs::write(&new, text)?;
            fs::rename(new, &path)
        });
        if let Ok(Err(cause)) = written.await {
            tracing::warn!(%cause, "what Home Assistant was told is not noted");
        }
    }
}

/// Whether a line is a topic of ours: only those are ever taken back.
fn is_topic(line: &str, id: &str) -> bool {
    // An older name of this installation was one that mtom had drawn.
    let own = |rest: &str| {
        let behind = rest.strip_prefix(id).and_then(|rest| rest.chars().next());
        rest.starts_with("mtom-") || matches!(behind, Some('/' | '_'))
    };
    let is_config = line.split_once("/device/").is_some_and(|(_, rest)| own(rest));
    is_config || line.strip_prefix("mtom/").is_some_and(own)
}

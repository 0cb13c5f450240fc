//! Whether an external broker has had our session before, so that a start without one is known for a loss.
//!
//! One file in the data folder names the broker and us, and what we had subscribed to: the broker keeps that, so what
//! is not wanted any more has to be given up there. Another file has the topics of discovered devices, which come and go
//! while it runs; it is written before the broker is asked for them. Another broker or another name has had none. A file that cannot be
//! written costs no more than this knowledge.

use mtom_mqtt::target::Target;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file in the data folder.
const FILE: &str = "broker-session";
/// The one of discovered topics.
const WISHED: &str = "broker-wishes";

/// Our session at one broker, under one name.
pub(super) struct Session {
    path: PathBuf,
    /// The broker and our name there.
    head: String,
    filters: Vec<String>,
}

impl Session {
    pub(super) fn new(dir: &Path, target: &Target, client_id: &str, filters: &[String]) -> Self {
        let head = head(target, client_id);
        Self { path: dir.join(FILE), head, filters: filters.to_vec() }
    }

    /// The broker has had it.
    pub(super) fn is_known(&self) -> bool {
        self.noted().is_some()
    }

    /// What we had subscribed to and do not want any more.
    pub(super) fn given_up(&self) -> Vec<String> {
        let noted = self.noted().unwrap_or_default();
        let given_up =
            noted.lines().filter(|noted| self.filters.iter().all(|filter| filter != noted));
        given_up.map(str::to_owned).collect()
    }

    /// The broker has it now.
    pub(super) fn made(&self) {
        let lines: String = self.filters.iter().map(|filter| format!("{filter}\n")).collect();
        if self.noted().as_ref() != Some(&lines)
            && let Err(cause) = fs::write(&self.path, format!("{}{lines}", self.head))
        {
            tracing::debug!(%cause, "cannot note the broker's session");
        }
    }

    /// The filters in the file, one on a line, where it is of this session.
    fn noted(&self) -> Option<String> {
        let text = fs::read_to_string(&self.path).ok()?;
        text.strip_prefix(&self.head).map(str::to_owned)
    }
}

/// The topics of discovered devices that our session at one broker may have.
pub(super) struct Wished {
    path: PathBuf,
    head: String,
}

impl Wished {
    pub(super) fn new(dir: &Path, target: &Target, client_id: &str) -> Self {
        Self { path: dir.join(WISHED), head: head(target, client_id) }
    }

    /// What was noted by whoever ran before.
    pub(super) fn noted(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let lines = text.strip_prefix(&self.head).unwrap_or_default().lines();
        lines.map(str::to_owned).collect()
    }

    /// Notes it: the old file or the new one is there, whatever happens.
    pub(super) fn note(&self, all: &BTreeSet<String>) -> io::Result<()> {
        let lines: String = all.iter().map(|filter| format!("{filter}\n")).collect();
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(format!("{}{lines}", self.head).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }
}

/// The broker and our name there.
fn head(target: &Target, client_id: &str) -> String {
    format!("{}\n{client_id}\n", target.endpoint.address())
}

#[cfg(test)]
mod tests {
    use super::{Session, Wished};
    use mtom_mqtt::target::Target;

    #[test]
    fn what_is_not_wanted_any_more_is_known_for_this_session_alone() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::plain("broker.example", 1883);
        let session = |id: &str, filters: &[&str]| {
            let filters: Vec<_> = filters.iter().map(|filter| (*filter).to_owned()).collect();
            Session::new(dir.path(), &target, id, &filters)
        };
        let first = session("a", &["Environ/#", "cellar/+"]);
        assert!(!first.is_known() && first.given_up().is_empty());
        first.made();
        assert!(first.is_known() && first.given_up().is_empty());
        let shared = session("a", &["$share/house/Environ/#", "cellar/+"]);
        assert_eq!(shared.given_up(), ["Environ/#"]);
        assert!(!session("b", &[]).is_known() && session("b", &[]).given_up().is_empty());
        shared.made();
        assert_eq!(session("a", &["Environ/#"]).given_up(), ["$share/house/Environ/#", "cellar/+"]);
    }

    #[test]
    fn what_is_asked_for_while_it_runs_is_known_for_this_session_alone() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::plain("broker.example", 1883);
        let wished = Wished::new(dir.path(), &target, "a");
        assert!(wished.noted().is_empty());
        let all = ["$share/house/a/b", "kitchen/state"].map(str::to_owned).into();
        wished.note(&all).unwrap();
        assert_eq!(Wished::new(dir.path(), &target, "a").noted(), all);
        assert!(Wished::new(dir.path(), &target, "b").noted().is_empty());
        wished.note(&[].into()).unwrap();
        assert!(wished.noted().is_empty());
    }
}

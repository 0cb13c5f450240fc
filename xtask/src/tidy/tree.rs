//! The files that belong to the repository, in memory.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::programs;
use crate::repo::Repo;

/// Path, with `/` between its parts, to content.
#[derive(Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Vec<u8>>,
}

impl Tree {
    /// Every file that git tracks or would track: a problem shows before it is committed.
    pub(crate) fn of_repo(repo: &Repo) -> Result<Self> {
        let mut git = repo.program("git")?;
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let list = programs::stdout_of(&mut git)?;
        let mut tree = Self::default();
        for path in String::from_utf8_lossy(&list).split_terminator('\0') {
            // What git still lists but someone has just removed is no file.
            if let Ok(content) = std::fs::read(repo.root().join(path)) {
                tree.files.insert(path.to_string(), content);
            }
        }
        Ok(tree)
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files =
            files.iter().map(|(path, text)| ((*path).to_string(), text.as_bytes().to_vec()));
        Self { files: files.collect() }
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&str, usize)> {
        self.files.iter().map(|(path, content)| (path.as_str(), content.len()))
    }

    /// The text of `path`; none where there is no such file or it is no text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).and_then(|content| std::str::from_utf8(content).ok())
    }

    /// Every text file whose path ends so.
    pub(crate) fn texts<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.paths()
            .filter(move |path| path.ends_with(ending))
            .filter_map(|path| Some((path, self.text(path)?)))
    }

    /// The folders that hold a package: `crates/mtom`, and an empty string for the root.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &str> {
        self.texts("Cargo.toml").filter(|(_, text)| text.contains("[package]")).filter_map(
            |(path, _)| match path.strip_suffix("Cargo.toml")? {
                "" => Some(""),
                folder => folder.strip_suffix('/'),
            },
        )
    }
}

//! Where things are: the workspace, its build output, the page.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::programs;

/// The workspace that this `xtask` belongs to.
pub(crate) struct Repo {
    root: PathBuf,
    target: PathBuf,
    metadata: Value,
}

impl Repo {
    /// Asks cargo; fails outside of `cargo xtask`.
    pub(crate) fn open() -> Result<Self> {
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .context("CARGO_MANIFEST_DIR is not set: start this as `cargo xtask`")?;
        let root = PathBuf::from(manifest_dir);
        let root = root.parent().context("xtask has no parent folder")?.to_path_buf();
        let mut command = programs::cargo(&root);
        command.args(["metadata", "--format-version=1", "--no-deps"]);
        let metadata: Value = serde_json::from_slice(&programs::stdout_of(&mut command)?)
            .context("cargo metadata wrote no JSON")?;
        let Some(target) = metadata["target_directory"].as_str() else {
            bail!("cargo metadata names no target_directory");
        };
        Ok(Self { target: PathBuf::from(target), root, metadata })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn web(&self) -> PathBuf {
        self.root.join("web")
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// What `cargo metadata --no-deps` says: the workspace's own packages.
    pub(crate) fn metadata(&self) -> &Value {
        &self.metadata
    }

    /// Where ready-built development tools are kept; `cargo clean` removes them, the next run fetches them.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// The built binary `name` of `profile` (`debug` or `release`).
    pub(crate) fn binary(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// `cargo` in the workspace, with the tools of [`Repo::tools`] within reach.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = programs::cargo(&self.root);
        command.env("PATH", programs::path_with(&self.tools().join("bin")));
        command
    }

    /// Program `name`, wherever it was found or fetched, started in the workspace.
    pub(crate) fn program(&self, name: &str) -> Result<Command> {
        let path = self.find(name).with_context(|| format!("{name} is not installed"))?;
        let mut command = Command::new(path);
        command.current_dir(&self.root);
        command.env("PATH", programs::path_with(&self.tools().join("bin")));
        Ok(command)
    }

    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        programs::find(name, &[self.tools().join("bin")])
    }
}

//! Environments of Python below `target`, each with one package of its index, pinned by its version.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::programs;
use crate::repo::Repo;
use crate::setup::{apt_install, may_install};

/// Debian leaves out of Python what makes an environment.
const DEBIAN: [&str; 2] = ["python3", "python3-venv"];

/// One environment.
pub(crate) struct Environment {
    /// Of its folder.
    pub(crate) name: &'static str,
    /// What is installed: `name==version`.
    pub(crate) package: &'static str,
    /// What its Python is asked to run to see that it is there, in this version.
    pub(crate) check: &'static str,
}

impl Environment {
    /// Makes it, unless it is there.
    pub(crate) fn provide(&self, repo: &Repo) -> Result<()> {
        if self.is_there(repo) {
            return Ok(());
        }
        if self.make(repo).is_err() && may_install(repo) {
            apt_install(repo, &DEBIAN)?;
        }
        self.make(repo).with_context(|| {
            format!(
                "no Python environment can be made; on Debian: apt-get install {}",
                DEBIAN.join(" ")
            )
        })?;
        self.install(repo)
    }

    /// Whether it is there, in this version.
    pub(crate) fn is_there(&self, repo: &Repo) -> bool {
        programs::stdout_of(self.python(repo).args(["-c", self.check])).is_ok()
    }

    /// Puts the package into an environment that has been made.
    pub(crate) fn install(&self, repo: &Repo) -> Result<()> {
        println!("installing {} into target/{} with pip", self.package, self.name);
        let mut pip = self.python(repo);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", self.package]);
        programs::stdout_of(&mut pip).map(drop)
    }

    /// Its own Python, started in the workspace.
    pub(crate) fn python(&self, repo: &Repo) -> Command {
        let program = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
        let mut python = Command::new(self.folder(repo).join(program));
        python.current_dir(repo.root());
        python
    }

    fn make(&self, repo: &Repo) -> Result<()> {
        let mut python = repo.program("python3")?;
        let folder = self.folder(repo);
        programs::stdout_of(python.args(["-m", "venv", "--clear"]).arg(folder)).map(drop)
    }

    /// Where it is.
    pub(crate) fn folder(&self, repo: &Repo) -> PathBuf {
        repo.target().join(self.name)
    }
}

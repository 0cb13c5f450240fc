//! Where benchmarks keep their files: `bench` beside the folder of this program, on the disk that is built on.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// `target/bench`, for what is kept between runs.
pub(crate) fn kept() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let target = own.parent().and_then(Path::parent).context("this program lies in no folder")?;
    let folder = target.join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// A folder of this run; taken away when dropped.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// An empty one.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let path = kept()?.join(format!("{name}-{}", std::process::id()));
        // Left over from a process that had this number: that there is none is the usual case.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What stays lies where `cargo clean` finds it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

//! What is on a disk when the power fails: all that was synced, and of the rest anything.
//!
//! Each write that no sync has covered is kept, lost or torn at sectors, by itself, so that any order
//! is possible; the same goes for lengths. A name is durable when its folder was synced. As SQLite
//! does, this believes that a write leaves the bytes beside it alone.

use crate::strace::Op;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SECTOR_LEN: usize = 512;

/// Files as they would be found after a power cut.
pub(crate) type Image = BTreeMap<PathBuf, Vec<u8>>;

#[derive(Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// What running processes see.
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// What no sync of the folder has covered.
    pending_names: Vec<NameChange>,
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

enum Change {
    Write { offset: usize, data: Arc<[u8]> },
    SetLen(usize),
}

enum NameChange {
    Set(PathBuf, usize),
    Remove(PathBuf),
    /// Both names at once, as a file system's own log does it.
    Rename {
        from: PathBuf,
        to: PathBuf,
        file: usize,
    },
}

/// How cruel one power cut is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cruelty {
    /// Of a hundred unsynced changes, how many are kept whole.
    kept: u8,
    /// Of a hundred others, how many are torn; the rest is lost.
    torn: u8,
    /// Lost sectors hold noise instead of what was there before.
    has_noise: bool,
    /// Names are lost one by one, else those after a moment.
    loses_names_apart: bool,
}

impl Cruelty {
    pub(crate) fn any(rng: &mut Rng) -> Self {
        Self {
            kept: *rng.choice(&[0, 10, 50, 90, 100]).unwrap(),
            torn: *rng.choice(&[0, 50, 100]).unwrap(),
            has_noise: rng.u8(..4) == 0,
            loses_names_apart: rng.bool(),
        }
    }
}

impl Disk {
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Said(_) => {}
            Op::Create { path } => {
                self.files.push(File::default());
                let file = self.files.len() - 1;
                self.names.insert(path.clone(), file);
                self.pending_names.push(NameChange::Set(path.clone(), file));
            }
            Op::Write { path, offset, data } => {
                let offset = usize::try_from(*offset).unwrap();
                self.change(path, Change::Write { offset, data: data.as_slice().into() });
            }
            Op::SetLen { path, len } => {
                self.change(path, Change::SetLen(usize::try_from(*len).unwrap()));
            }
            Op::Sync { path, .. } => match self.names.get(path) {
                Some(&file) => self.files[file].sync(),
                None => self.sync_names(path),
            },
            Op::Rename { from, to } => {
                let file = self.names.remove(from).unwrap();
                self.names.insert(to.clone(), file);
                let (from, to) = (from.clone(), to.clone());
                self.pending_names.push(NameChange::Rename { from, to, file });
            }
            Op::Unlink { path } => {
                self.names.remove(path);
                self.pending_names.push(NameChange::Remove(path.clone()));
            }
        }
    }

    fn change(&mut self, path: &Path, change: Change) {
        self.files[self.names[path]].pending.push(change);
    }

    fn sync_names(&mut self, folder: &Path) {
        for change in std::mem::take(&mut self.pending_names) {
            assert!(change.is_in(folder), "one folder is all that this model knows");
            change.apply(&mut self.durable_names);
        }
    }

    /// One of the disks that a power cut now could leave.
    pub(crate) fn cut(&self, cruelty: Cruelty, rng: &mut Rng) -> Image {
        let mut names = self.durable_names.clone();
        for change in &self.pending_names {
            if rng.u8(..100) < cruelty.kept.clamp(5, 95) {
                change.apply(&mut names);
            } else if !cruelty.loses_names_apart {
                break;
            }
        }
        names.into_iter().map(|(path, file)| (path, self.files[file].cut(cruelty, rng))).collect()
    }
}

impl NameChange {
    fn is_in(&self, folder: &Path) -> bool {
        let (Self::Set(path, _) | Self::Remove(path) | Self::Rename { to: path, .. }) = self;
        path.parent() == Some(folder)
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Set(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename { from, to, file } => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
}

impl File {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Write { offset, data } => put(&mut self.durable, offset, &data),
                Change::SetLen(len) => self.durable.resize(len, 0),
            }
        }
    }

    fn cut(&self, cruelty: Cruelty, rng: &mut Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.pending {
            let is_kept = rng.u8(..100) < cruelty.kept;
            let is_torn = !is_kept && rng.u8(..100) < cruelty.torn;
            match change {
                Change::SetLen(len) if is_kept => bytes.resize(*len, 0),
                Change::SetLen(_) => {}
                Change::Write { offset, data } if is_kept => put(&mut bytes, *offset, data),
                Change::Write { offset, data } => {
                    for sector in sectors(*offset, data.len()) {
                        let at = offset + sector.start;
                        if is_torn && rng.bool() {
                            put(&mut bytes, at, &data[sector]);
                        } else if cruelty.has_noise && rng.bool() {
                            let noise: Vec<u8> = sector.map(|_| rng.u8(..)).collect();
                            put(&mut bytes, at, &noise);
                        }
                    }
                }
            }
        }
        bytes
    }
}

/// The parts of a write that lie in one sector each.
fn sectors(offset: usize, len: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let end = len.min(start + SECTOR_LEN - (offset + start) % SECTOR_LEN);
        let sector = start..end;
        start = end;
        (!sector.is_empty()).then_some(sector)
    })
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

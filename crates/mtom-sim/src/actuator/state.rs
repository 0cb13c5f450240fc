//! A file in the place of a flash: erased in pages, written only from ones to zeros, so that the
//! device's own code keeps its last command there.

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use mtom_device::actuator::Memory;
use mtom_device::flash::{Bond, Bonds, FlashError, Keep};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

const PAGE_LEN: u32 = 4_096;
/// Two pages: the fewest that survive a loss of power in the middle of a write.
const RANGE: Range<u32> = 0..2 * PAGE_LEN;

/// Where the last number is kept, and whom it was paired with.
pub(super) enum Kept {
    /// Until the end of the process.
    Nowhere(Bonds),
    File(Keep<StateFile>),
}

impl Kept {
    /// Opens the file; and the number of the last command in it.
    ///
    /// # Errors
    /// When the file cannot be used, or is something else.
    pub(super) async fn open(path: &Path) -> io::Result<(Self, u64)> {
        let file = StateFile::open(path)?;
        let mut keep = Keep::new(file, RANGE).ok_or(io::ErrorKind::InvalidInput)?;
        let last_number = keep.last_number().await.map_err(io::Error::other)?;
        Ok((Self::File(keep), last_number))
    }
}

impl Memory for Kept {
    async fn keep(&mut self, number: u64) -> Result<(), FlashError> {
        match self {
            Self::Nowhere(_) => Ok(()),
            Self::File(keep) => keep.keep(number).await,
        }
    }

    async fn bonds(&mut self) -> Result<Bonds, FlashError> {
        match self {
            Self::Nowhere(bonds) => Ok(bonds.clone()),
            Self::File(keep) => keep.bonds().await,
        }
    }

    async fn keep_bonds(&mut self, new: &[Bond]) -> Result<(), FlashError> {
        match self {
            Self::Nowhere(bonds) => *bonds = new.iter().copied().collect(),
            Self::File(keep) => keep.set_bonds(new).await?,
        }
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct StateFile {
    file: File,
}

impl StateFile {
    /// Makes an empty one when there is none.
    ///
    /// # Errors
    /// When the file cannot be used, or is something else.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let len = file.metadata()?.len();
        let mut flash = Self { file };
        if len == 0 {
            flash.fill(RANGE)?;
        } else if len != u64::from(RANGE.end) {
            let what = format!("{len} bytes long: expected {} of a simulated flash", RANGE.end);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(flash)
    }

    fn fill(&mut self, range: Range<u32>) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(range.start.into()))?;
        self.file.write_all(&vec![u8::MAX; range.len()])
    }

    fn read_at(&mut self, offset: u32, bytes: &mut [u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset.into()))?;
        self.file.read_exact(bytes)
    }

    fn write_at(&mut self, offset: u32, bytes: &[u8]) -> io::Result<()> {
        let mut cells = vec![0; bytes.len()];
        self.read_at(offset, &mut cells)?;
        cells.iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        self.file.seek(SeekFrom::Start(offset.into()))?;
        self.file.write_all(&cells)
    }
}

/// The file system refuses.
#[derive(Debug, thiserror::Error)]
#[error("the file of the simulated flash fails")]
pub(super) struct StateError(#[from] io::Error);

impl NorFlashError for StateError {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for StateFile {
    type Error = StateError;
}

impl ReadNorFlash for StateFile {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), StateError> {
        Ok(self.read_at(offset, bytes)?)
    }

    fn capacity(&self) -> usize {
        RANGE.len()
    }
}

impl NorFlash for StateFile {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE_LEN as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), StateError> {
        Ok(self.fill(from..to)?)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), StateError> {
        Ok(self.write_at(offset, bytes)?)
    }
}

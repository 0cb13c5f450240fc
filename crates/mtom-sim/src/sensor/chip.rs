//! The flash of a simulated sensor: like a real one, it is erased in pages and written only from
//! ones to zeros. It outlives the device's runs, as a chip's does.

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase,
    check_read, check_write,
};

const PAGE: usize = 4_096;

/// Flash in memory.
#[derive(Clone, Debug)]
pub(super) struct Chip {
    bytes: Vec<u8>,
}

impl Chip {
    /// Empty, of `len` bytes in whole pages, rounded up.
    pub(super) fn new(len: usize) -> Self {
        Self { bytes: vec![u8::MAX; len.next_multiple_of(PAGE)] }
    }

    fn range(offset: u32, len: usize) -> std::ops::Range<usize> {
        let start = offset as usize;
        start..start + len
    }
}

impl ErrorType for Chip {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.bytes[Self::range(offset, bytes.len())]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        self.bytes[from as usize..to as usize].fill(u8::MAX);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        for (place, byte) in self.bytes[Self::range(offset, bytes.len())].iter_mut().zip(bytes) {
            *place &= byte;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Chip {}

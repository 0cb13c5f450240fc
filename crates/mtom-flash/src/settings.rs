//! What a board is told beside its image, and the partition in which it finds that.
//!
//! The partition is written by the device's own code into a flash of memory: what the host writes
//! and what the chip reads cannot come apart.

use embassy_futures::block_on;
use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use mtom_device::flash::{CA_LEN_MAX, FlashError, Keep, layout};
use mtom_device::settings::{Settings, SettingsError};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// The smallest piece that a chip's flash erases, in bytes.
const ERASE_LEN: usize = 4_096;
/// The smallest piece that it writes, in bytes; decides how the items are padded.
const WRITE_LEN: usize = 4;
const ERASED: u8 = 0xff;

/// A certificate that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaError {
    /// It is no certificate.
    #[error("expected one certificate, as PEM or DER")]
    NotACertificate,
    /// It is a chain.
    #[error("expected one certificate and found {count}: the broker's CA alone")]
    Several {
        /// How many.
        count: usize,
    },
    /// It is too large for its place.
    #[error("expected a certificate of at most {CA_LEN_MAX} bytes as DER and found {len}")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
    },
}

/// What one board is told. Without `Debug`: it holds passwords.
#[derive(Clone, Default)]
pub struct BoardSettings {
    settings: Settings,
    ca: Option<Vec<u8>>,
}

impl BoardSettings {
    /// Sets one key of [`Settings`].
    ///
    /// # Errors
    /// What the key expects.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SettingsError> {
        self.settings.set(key, value)
    }

    /// The certificate of the broker's CA, as PEM or DER.
    ///
    /// # Errors
    /// When it is not exactly one certificate that fits.
    pub fn set_ca(&mut self, file: &[u8]) -> Result<(), CaError> {
        let der = certificate(file)?;
        if der.len() > CA_LEN_MAX {
            return Err(CaError::TooLarge { len: der.len() });
        }
        self.ca = Some(der);
        Ok(())
    }

    /// Names the device by its hardware address, unless it has a name.
    pub fn name_by(&mut self, mac: &str) {
        if self.settings.id.is_empty() {
            let digits = mac.chars().filter(char::is_ascii_hexdigit);
            let id: String = "mtom-".chars().chain(digits).collect();
            // An address has 12 digits, which fit; the board makes the same name without it.
            let _ = self.settings.set("id", &id);
        }
    }

    /// The device's name; empty when its board is to make one.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.settings.id
    }

    /// The bytes of the settings partition.
    ///
    /// # Errors
    /// When they do not fit.
    pub fn partition(&self) -> Result<Vec<u8>, FlashError> {
        let mut flash = Memory(vec![ERASED; layout::SETTINGS.end as usize]);
        let mut keep = Keep::new(&mut flash, layout::SETTINGS).ok_or(FlashError::Broken)?;
        block_on(async {
            keep.set_settings(&self.settings).await?;
            match &self.ca {
                Some(der) => keep.set_ca(der).await,
                None => Ok(()),
            }
        })?;
        Ok(flash.0.split_off(layout::SETTINGS.start as usize))
    }
}

/// DER as it is, PEM decoded.
fn certificate(file: &[u8]) -> Result<Vec<u8>, CaError> {
    if is_one_sequence(file) {
        return Ok(file.to_vec());
    }
    let mut found = CertificateDer::pem_slice_iter(file)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| CaError::NotACertificate)?;
    match (found.len(), found.pop()) {
        (1, Some(der)) if is_one_sequence(&der) => Ok(der.to_vec()),
        (0 | 1, _) => Err(CaError::NotACertificate),
        (count, _) => Err(CaError::Several { count }),
    }
}

/// Whether the bytes are one SEQUENCE of DER and nothing else, as a certificate is [X.690 8.1.3].
fn is_one_sequence(bytes: &[u8]) -> bool {
    let [0x30, 0x82, high, low, rest @ ..] = bytes else { return false };
    rest.len() == usize::from(u16::from_be_bytes([*high, *low]))
}

/// A chip's flash, in memory.
struct Memory(Vec<u8>);

/// Outside of the memory.
#[derive(Clone, Copy, Debug)]
struct Outside;

impl NorFlashError for Outside {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::OutOfBounds
    }
}

impl ErrorType for Memory {
    type Error = Outside;
}

impl ReadNorFlash for Memory {
    const READ_SIZE: usize = WRITE_LEN;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Outside> {
        let start = offset as usize;
        let place = self.0.get(start..start.saturating_add(bytes.len())).ok_or(Outside)?;
        bytes.copy_from_slice(place);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Memory {
    const WRITE_SIZE: usize = WRITE_LEN;
    const ERASE_SIZE: usize = ERASE_LEN;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Outside> {
        self.0.get_mut(from as usize..to as usize).ok_or(Outside)?.fill(ERASED);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Outside> {
        let start = offset as usize;
        let place = self.0.get_mut(start..start.saturating_add(bytes.len())).ok_or(Outside)?;
        // Bits only fall from 1 to 0 between two erasures.
        place.iter_mut().zip(bytes).for_each(|(old, new)| *old &= new);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

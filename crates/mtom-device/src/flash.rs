//! What survives a loss of power: settings, readings that wait, the last command's number.
//!
//! On `sequential-storage`: an item is there whole or not at all, whenever the power goes. The map
//! holds small things by key, the ring holds readings in order. Both stand in partitions of their
//! own, so that a full ring can never cost a device its network.

use crate::outbox::{FlashRing, PushError};
use crate::record::{RECORD_LEN, Record};
use crate::remote::Remote;
use crate::sensor::Keeper;
use crate::settings::{Settings, SettingsError, TEXT_LEN_MAX};
use core::cell::RefCell;
use core::fmt::{Debug, Write as _};
use core::ops::Range;
use embedded_storage::nor_flash as blocking;
use embedded_storage_async::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use heapless::{String, Vec};
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};
use sequential_storage::queue::{QueueConfig, QueueStorage};

/// Where things stand in the flash of an ESP32 of 4 MiB; `mtom flash` writes the same table.
pub mod layout {
    use core::ops::Range;

    /// Settings, the broker's CA, the last command's number.
    pub const SETTINGS: Range<u32> = 0x9000..0xf000;
    /// The program.
    pub const APP: Range<u32> = 0x1_0000..0x20_0000;
    /// Readings that wait for the broker: about 29,000 of them, 16 hours at one every 2 s.
    pub const RING: Range<u32> = 0x20_0000..0x30_0000;
}

/// The longest certificate of a broker's CA, as DER, in bytes.
pub const CA_LEN_MAX: usize = 1_536;

/// Room for the largest item and its key, a multiple of a flash's word.
const ITEM_LEN_MAX: usize = TEXT_LEN_MAX + 8;
const _: () = assert!(CA_LEN_MAX <= TEXT_LEN_MAX);

const KEY_SETTINGS: u8 = 1;
const KEY_CA: u8 = 2;
const KEY_LAST_NUMBER: u8 = 3;
const KEY_BONDS: u8 = 4;

/// How many a device is paired with at most; one more takes the place of the oldest.
pub const BONDS_MAX: usize = 4;

/// Whom a device was paired with over Bluetooth, and the keys that are of them both.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bond {
    /// The kind of the other's address, as in HCI, and the address.
    pub address: (u8, [u8; 6]),
    /// Resolves its changing addresses; all zeros where it has none.
    pub irk: [u8; 16],
    /// Encrypts what is said.
    pub ltk: [u8; 16],
}

/// Without the keys.
impl Debug for Bond {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Bond").field("address", &self.address).finish_non_exhaustive()
    }
}

/// All of them, the oldest first.
pub type Bonds = Vec<Bond, BONDS_MAX>;

const BOND_LEN: usize = 1 + 6 + 16 + 16;

impl Bond {
    fn to_bytes(self) -> [u8; BOND_LEN] {
        let mut bytes = [0; BOND_LEN];
        let (kind, address) = self.address;
        let all = core::iter::once(kind).chain(address).chain(self.irk).chain(self.ltk);
        bytes.iter_mut().zip(all).for_each(|(place, byte)| *place = byte);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, bytes) = bytes.split_first()?;
        let (address, bytes) = bytes.split_first_chunk()?;
        let (irk, ltk) = bytes.split_first_chunk()?;
        Some(Self { address: (*kind, *address), irk: *irk, ltk: ltk.try_into().ok()? })
    }
}

/// Why something could not be read or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlashError {
    /// The flash is at fault, or what stands in it.
    #[error("the flash cannot be read or written")]
    Broken,
    /// It is larger than its place.
    #[error("too large: at most {max} bytes")]
    TooLarge {
        /// How much fits.
        max: usize,
    },
}

/// Small things by key: settings, CA, the last command's number.
pub struct Keep<F: NorFlash> {
    map: MapStorage<u8, F, Uncached<u8>>,
}

type Uncached<K> = Cache<
    sequential_storage::cache::Uncached,
    sequential_storage::cache::Uncached,
    sequential_storage::cache::Uncached,
    K,
>;

impl<F: NorFlash> Keep<F> {
    /// The items in `range` of `flash`; `None` when the range is not whole pages, at least two.
    pub fn new(flash: F, range: Range<u32>) -> Option<Self> {
        let config = MapConfig::try_new(range).ok()?;
        Some(Self { map: MapStorage::new(flash, config, Cache::new_uncached()) })
    }

    /// The settings; `None` when there are none yet.
    ///
    /// # Errors
    /// When the flash fails. What stands there but cannot be used is the inner error.
    pub async fn settings(
        &mut self,
    ) -> Result<Option<Result<Settings, SettingsError>>, FlashError> {
        let mut buffer = [0; ITEM_LEN_MAX];
        let text = self.fetch(&mut buffer, KEY_SETTINGS).await?;
        Ok(text.map(Settings::parse))
    }

    /// Keeps the settings: after a loss of power at any moment the old ones stand there or these.
    ///
    /// # Errors
    /// When the flash fails.
    pub async fn set_settings(&mut self, settings: &Settings) -> Result<(), FlashError> {
        let mut text = String::<TEXT_LEN_MAX>::new();
        write!(text, "{settings}").map_err(|_| FlashError::TooLarge { max: TEXT_LEN_MAX })?;
        self.store(KEY_SETTINGS, text.as_bytes()).await
    }

    /// The certificate of the broker's CA, as DER, put at the beginning of `buffer`.
    ///
    /// # Errors
    /// When the flash fails.
    pub async fn ca<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, FlashError> {
        let mut item = [0; ITEM_LEN_MAX];
        let Some(der) = self.fetch(&mut item, KEY_CA).await? else { return Ok(None) };
        let place = buffer.get_mut(..der.len()).ok_or(FlashError::TooLarge { max: CA_LEN_MAX })?;
        place.copy_from_slice(der);
        Ok(Some(place))
    }

    /// Keeps the certificate of the broker's CA.
    ///
    /// # Errors
    /// When it is too large or the flash fails.
    pub async fn set_ca(&mut self, der: &[u8]) -> Result<(), FlashError> {
        if der.len() > CA_LEN_MAX {
            return Err(FlashError::TooLarge { max: CA_LEN_MAX });
        }
        self.store(KEY_CA, der).await
    }

    /// The number of the last command that was applied; 0 before the first.
    ///
    /// # Errors
    /// When the flash fails.
    pub async fn last_number(&mut self) -> Result<u64, FlashError> {
        let mut buffer = [0; ITEM_LEN_MAX];
        let bytes = self.fetch(&mut buffer, KEY_LAST_NUMBER).await?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes))
    }

    /// Keeps the number of the last command.
    ///
    /// # Errors
    /// When the flash fails.
    pub async fn set_last_number(&mut self, number: u64) -> Result<(), FlashError> {
        self.store(KEY_LAST_NUMBER, &number.to_le_bytes()).await
    }

    /// Whom the device was paired with.
    ///
    /// # Errors
    /// When the flash fails.
    pub async fn bonds(&mut self) -> Result<Bonds, FlashError> {
        let mut buffer = [0; ITEM_LEN_MAX];
        let bytes = self.fetch(&mut buffer, KEY_BONDS).await?.unwrap_or_default();
        Ok(bytes.chunks(BOND_LEN).filter_map(Bond::from_bytes).take(BONDS_MAX).collect())
    }

    /// Keeps whom the device is paired with: after a loss of power at any moment the old ones stand there or
    /// these.
    ///
    /// # Errors
    /// When the flash fails.
    pub async fn set_bonds(&mut self, bonds: &[Bond]) -> Result<(), FlashError> {
        let mut bytes = Vec::<u8, { BONDS_MAX * BOND_LEN }>::new();
        for bond in bonds {
            let too_large = FlashError::TooLarge { max: BONDS_MAX * BOND_LEN };
            bytes.extend_from_slice(&bond.to_bytes()).map_err(|_| too_large)?;
        }
        self.store(KEY_BONDS, &bytes).await
    }

    async fn fetch<'b>(
        &mut self,
        buffer: &'b mut [u8],
        key: u8,
    ) -> Result<Option<&'b [u8]>, FlashError> {
        self.map.fetch_item(buffer, &key).await.map_err(|_| FlashError::Broken)
    }

    async fn store(&mut self, key: u8, bytes: &[u8]) -> Result<(), FlashError> {
        let mut buffer = [0; ITEM_LEN_MAX];
        self.map.store_item(&mut buffer, &key, &bytes).await.map_err(|_| FlashError::Broken)
    }
}

impl<F: NorFlash> Keeper for Keep<F> {
    async fn keep(&mut self, settings: &Settings, remote: &Remote) -> Result<(), FlashError> {
        let mut settings = settings.clone();
        remote.put_into(&mut settings);
        self.set_settings(&settings).await
    }
}

/// Readings that wait, in order, in `range` of a flash.
pub struct Ring<F: NorFlash> {
    queue: QueueStorage<F, Uncached<()>>,
    len: usize,
}

impl<F: MultiwriteNorFlash> Ring<F> {
    /// The readings that stand in `range`, from before a loss of power too. What another program left
    /// there, or a broken page, is erased: it holds no reading that could still be read.
    ///
    /// # Errors
    /// When the range is not whole pages or the flash fails.
    pub async fn open(flash: F, range: Range<u32>) -> Result<Self, FlashError> {
        let config = QueueConfig::try_new(range).map_err(|_| FlashError::Broken)?;
        let mut queue = QueueStorage::new(flash, config, Cache::new_uncached());
        let len = match count(&mut queue).await {
            Ok(len) => len,
            Err(sequential_storage::Error::Storage { .. }) => return Err(FlashError::Broken),
            Err(_) => {
                queue.erase_all().await.map_err(|_| FlashError::Broken)?;
                0
            }
        };
        Ok(Self { queue, len })
    }
}

async fn count<F: MultiwriteNorFlash>(
    queue: &mut QueueStorage<F, Uncached<()>>,
) -> Result<usize, sequential_storage::Error<F::Error>> {
    let mut entries = queue.iter().await?;
    let mut buffer = [0; RECORD_LEN];
    let mut len: usize = 0;
    while entries.next(&mut buffer).await?.is_some() {
        len = len.saturating_add(1);
    }
    Ok(len)
}

impl<F: MultiwriteNorFlash> FlashRing for Ring<F> {
    fn len(&self) -> usize {
        self.len
    }

    async fn push(&mut self, record: &Record) -> Result<(), PushError> {
        match self.queue.push(&record.to_bytes(), false).await {
            Ok(()) => {
                self.len = self.len.saturating_add(1);
                Ok(())
            }
            Err(sequential_storage::Error::FullStorage) => Err(PushError::Full),
            Err(_) => Err(PushError::Broken),
        }
    }

    async fn peek(&mut self, index: usize) -> Result<Option<Record>, FlashError> {
        let mut entries = self.queue.iter().await.map_err(|_| FlashError::Broken)?;
        let mut at: usize = 0;
        let mut buffer = [0; RECORD_LEN];
        while let Some(entry) = entries.next(&mut buffer).await.map_err(|_| FlashError::Broken)? {
            if at == index {
                return Ok(Record::from_bytes(&entry));
            }
            at = at.saturating_add(1);
        }
        Ok(None)
    }

    async fn pop(&mut self) -> Result<(), FlashError> {
        let mut buffer = [0; RECORD_LEN];
        self.queue.pop(&mut buffer).await.map_err(|_| FlashError::Broken)?;
        self.len = self.len.saturating_sub(1);
        Ok(())
    }
}

/// A flash that several users share, on one executor.
///
/// A chip's flash blocks while it works, so the async traits are kept by being done at once.
#[derive(Debug)]
pub struct Shared<'a, F>(pub &'a RefCell<F>);

impl<F: ErrorType> ErrorType for Shared<'_, F>
where
    F::Error: Debug,
{
    type Error = F::Error;
}

impl<F: blocking::ReadNorFlash> ReadNorFlash for Shared<'_, F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.borrow_mut().read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.borrow().capacity()
    }
}

impl<F: blocking::NorFlash> NorFlash for Shared<'_, F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.0.borrow_mut().erase(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.borrow_mut().write(offset, bytes)
    }
}

impl<F: blocking::MultiwriteNorFlash> MultiwriteNorFlash for Shared<'_, F> {}

#[cfg(test)]
mod tests;

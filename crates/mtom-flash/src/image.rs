//! From an ELF file to what stands in a board's flash.
//!
//! Bootloader and image format are Espressif's, the partition table is ours: it follows
//! [`mtom_device::flash::layout`]. Readings that wait in a board's ring are left alone.

use crate::board::Board;
use crate::settings::BoardSettings;
use esp_idf_part::{AppType, DataType, Flags, Partition, PartitionTable, SubType, Type};
use espflash::flasher::{FlashData, FlashSettings, FlashSize};
use espflash::image_format::idf::IdfBootloaderFormat;
use espflash::image_format::{ImageFormat, Metadata};
use mtom_device::flash::{FlashError, layout};
use object::elf::{EM_RISCV, SHT_PROGBITS};
use object::read::elf::ElfFile32;
use object::{Endianness, Object, ObjectSection};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where the ROM looks for the partition table; the bundled bootloaders agree.
const TABLE_AT: u32 = 0x8000;
/// Calibration data of the radio; the firmware brings its own and may keep more here.
const PHY: Range<u32> = layout::SETTINGS.end..layout::APP.start;
/// What the layout needs.
pub(crate) const FLASH_SIZE: FlashSize = FlashSize::_4Mb;
const ERASED: u8 = 0xff;

/// The section by which the bootloader knows an application, and how long it is at least, in bytes.
const DESCRIPTOR: &str = ".flash.appdesc";
const DESCRIPTOR_LEN: usize = 256;

/// An image that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Some other file.
    #[error("not a firmware: expected the ELF file that cargo xtask firmware build makes")]
    NotFirmware,
    /// An ELF file of another processor.
    #[error("built for another processor: expected RISC-V, as the {board} has")]
    OtherProcessor {
        /// The board it is wanted for.
        board: Board,
    },
    /// Firmware of another chip.
    #[error("built for the {found}, and the board is an {board}")]
    OtherChip {
        /// As the image says.
        found: String,
        /// The board it is wanted for.
        board: Board,
    },
    /// It has no room.
    #[error("too large: {len} bytes, and {max} fit")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The room there is.
        max: usize,
    },
    /// The ELF file contradicts itself.
    #[error("a damaged firmware: {reason}")]
    Damaged {
        /// How.
        reason: String,
    },
    /// The settings do not fit.
    #[error("the settings do not fit into their partition")]
    Settings(#[source] FlashError),
}

/// One stretch of flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its address in flash.
    pub at: u32,
    /// What stands there.
    pub bytes: Vec<u8>,
}

/// Everything that is written, in the order of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    parts: Vec<Part>,
}

impl Image {
    /// Bootloader, partition table, settings and application.
    ///
    /// # Errors
    /// When `elf` is no firmware for `board`, or something does not fit.
    pub fn new(elf: &[u8], board: Board, settings: &BoardSettings) -> Result<Self, ImageError> {
        let mut parts = app_and_bootloader(elf, board)?;
        let settings = settings.partition().map_err(ImageError::Settings)?;
        parts.push(Part { at: layout::SETTINGS.start, bytes: settings });
        parts.push(Part { at: TABLE_AT, bytes: table()? });
        parts.sort_by_key(|part| part.at);
        Ok(Self { parts })
    }

    /// The stretches that are written.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The flash from its beginning to the end of the application, as one file to write at 0.
    #[must_use]
    pub fn merged(&self) -> Vec<u8> {
        let mut merged = Vec::new();
        for part in &self.parts {
            merged.resize(part.at as usize, ERASED);
            merged.extend_from_slice(&part.bytes);
        }
        merged
    }

    /// The size of the application in bytes, as [`app_size`] gives it.
    #[must_use]
    pub fn app_len(&self) -> usize {
        self.parts.iter().find(|part| part.at == layout::APP.start).map_or(0, |app| app.bytes.len())
    }
}

/// The size in flash of the application in an ELF file, in bytes.
///
/// # Errors
/// When `elf` is no firmware for `board` or does not fit.
pub fn app_size(elf: &[u8], board: Board) -> Result<usize, ImageError> {
    let parts = app_and_bootloader(elf, board)?;
    Ok(parts.iter().find(|part| part.at == layout::APP.start).map_or(0, |app| app.bytes.len()))
}

/// The board that an ELF file says it is built for; `None` when it does not say.
#[must_use]
pub fn board_of(elf: &[u8]) -> Option<Board> {
    Metadata::from_bytes(Some(elf)).chip_name().and_then(Board::parse)
}

fn app_and_bootloader(elf: &[u8], board: Board) -> Result<Vec<Part>, ImageError> {
    check(elf, board)?;
    let chip = board.chip();
    let data = FlashData::new(
        FlashSettings::new(None, Some(FLASH_SIZE), None),
        0,
        None,
        chip,
        chip.default_xtal_frequency(),
    );
    // The library indexes and subtracts by what the file says, so a damaged one makes it panic.
    let format = catch_unwind(AssertUnwindSafe(|| {
        IdfBootloaderFormat::new(elf, &data, None, None, Some(TABLE_AT), None)
    }));
    let format = match format {
        Ok(Ok(format)) => ImageFormat::from(format),
        Ok(Err(error)) => return Err(ImageError::Damaged { reason: error.to_string() }),
        Err(_) => return Err(ImageError::Damaged { reason: "its sections overlap".into() }),
    };
    let parts: Vec<Part> = format
        .flash_segments()
        .into_iter()
        .filter(|segment| segment.addr != TABLE_AT)
        .map(|segment| Part { at: segment.addr, bytes: segment.data.into_owned() })
        .collect();
    let max = layout::APP.len();
    match parts.iter().find(|part| part.at == layout::APP.start) {
        Some(app) if app.bytes.len() <= max => Ok(parts),
        Some(app) => Err(ImageError::TooLarge { len: app.bytes.len(), max }),
        None => Err(ImageError::Damaged { reason: "it has no application".into() }),
    }
}

/// Whether it is firmware for this board, in words that a person can use.
fn check(elf: &[u8], board: Board) -> Result<(), ImageError> {
    let file = ElfFile32::<Endianness>::parse(elf).map_err(|_| ImageError::NotFirmware)?;
    if file.elf_header().e_machine.get(Endianness::Little) != EM_RISCV {
        return Err(ImageError::OtherProcessor { board });
    }
    if let Some(found) = Metadata::from_bytes(Some(elf)).chip_name()
        && found != board.to_string()
    {
        // The name is the file's: it cannot be trusted with a terminal.
        let found = found.chars().filter(char::is_ascii_graphic).collect();
        return Err(ImageError::OtherChip { found, board });
    }
    let descriptor = file.section_by_name(DESCRIPTOR).ok_or(ImageError::NotFirmware)?;
    let is_mapped = u32::try_from(descriptor.address())
        .is_ok_and(|address| board.chip().addr_is_flash(address));
    let is_loaded = descriptor.elf_section_header().sh_type.get(Endianness::Little) == SHT_PROGBITS;
    let is_whole = descriptor.data().is_ok_and(|data| data.len() >= DESCRIPTOR_LEN);
    if is_mapped && is_loaded && is_whole {
        Ok(())
    } else {
        Err(ImageError::Damaged { reason: format!("its section {DESCRIPTOR} is not whole") })
    }
}

/// Our partition table, in its binary form.
fn table() -> Result<Vec<u8>, ImageError> {
    let partition = |name: &str, ty, subtype, at: Range<u32>| {
        Partition::new(name, ty, subtype, at.start, at.end - at.start, Flags::empty())
    };
    let unused = SubType::Data(DataType::Undefined);
    let table = PartitionTable::new(vec![
        partition("settings", Type::Data, unused, layout::SETTINGS),
        partition("phy_init", Type::Data, SubType::Data(DataType::Phy), PHY),
        partition("factory", Type::App, SubType::App(AppType::Factory), layout::APP),
        partition("ring", Type::Data, unused, layout::RING),
    ]);
    let bytes = table.validate().and_then(|()| table.to_bin());
    bytes.map_err(|error| ImageError::Damaged { reason: format!("partition table: {error}") })
}

#[cfg(test)]
mod tests;

//! How large an image is, in flash and in memory, and how large it may be.

use std::fmt::Write as _;
use std::ops::Range;

use anyhow::{Context, Result, bail};
use object::elf::{PT_LOAD, SHF_ALLOC};
use object::read::elf::{ElfFile32, ProgramHeader as _, SectionHeader as _};
use object::{Endianness, Object as _, ObjectSection as _};

use crate::firmware::{Bin, Board};

/// Where flash is mapped: constants (C3), code (C3), both (C6).
const FLASH: [Range<u32>; 2] = [0x3c00_0000..0x3d00_0000, 0x4200_0000..0x4300_0000];
/// Code stands in flash at the offset in its page at which it is mapped.
const PAGE_LEN: u32 = 0x1_0000;

/// The format of an image: a header, a header for each segment, a checksum that ends a line of 16
/// bytes, and a hash.
const HEADER_LEN: u32 = 24;
const SEGMENT_HEADER_LEN: u32 = 8;
const LINE_LEN: u32 = 16;
const HASH_LEN: u32 = 32;

/// Sections that are no memory of their own: code as seen from the other bus, what is left for the
/// stack, and what the bootloader has left behind, which becomes the heap.
const NO_MEMORY: [&str; 3] = [".rwdata_dummy", ".stack", ".dram2_uninit"];
const STACK: &str = ".stack";

/// What an image takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Of the application in flash, to some bytes.
    pub(super) flash: u32,
    /// Of memory that is always taken: code, data, the tasks, the static part of the heap.
    pub(super) ram: u32,
    /// What is left for the stack.
    pub(super) stack: u32,
}

/// The most that an image may take, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) flash: u32,
    pub(super) ram: u32,
}

/// The flash of the C3's sensor was decided when the devices were designed; the C6's radio takes more, and
/// pairing by a passkey takes 56 kB of each actuator for its elliptic curve. The memory is what was measured
/// and a tenth more.
pub(super) fn budget(board: Board, bin: Bin) -> Budget {
    let (flash, ram) = match (board, bin) {
        (Board::Esp32c3, Bin::Sensor) => (750_000, 150_000),
        (Board::Esp32c3, Bin::Actuator) => (550_000, 72_000),
        (Board::Esp32c6, Bin::Sensor) => (850_000, 179_000),
        (Board::Esp32c6, Bin::Actuator) => (690_000, 68_000),
    };
    Budget { flash, ram }
}

impl Size {
    /// Reads an ELF file for an ESP32.
    pub(super) fn of(elf: &[u8]) -> Result<Self> {
        let elf = ElfFile32::<Endianness>::parse(elf).context("no ELF file of 32 bits")?;
        let (mut ram, mut stack) = (0, 0);
        for section in elf.sections() {
            let header = section.elf_section_header();
            let len = header.sh_size(elf.endian());
            let address = header.sh_addr(elf.endian());
            let name = section.name().context("a section without a name")?;
            let has_place = header.sh_flags(elf.endian()) & SHF_ALLOC == SHF_ALLOC;
            if name == STACK {
                stack = len;
            } else if has_place && address != 0 && !is_flash(address) && !NO_MEMORY.contains(&name)
            {
                ram += len;
            }
        }
        Ok(Self { flash: flash_len(&elf)?, ram, stack })
    }
}

fn is_flash(address: u32) -> bool {
    FLASH.iter().any(|range| range.contains(&address))
}

/// As `espflash` lays an image out: what flash maps stands at the right offset in its page, and what
/// goes to memory fills the gaps before it.
fn flash_len(elf: &ElfFile32<'_, Endianness>) -> Result<u32> {
    let endian = elf.endian();
    let loaded = elf
        .elf_program_headers()
        .iter()
        .filter(|header| header.p_type(endian) == PT_LOAD && header.p_filesz(endian) > 0);
    let (mut mapped, copied): (Vec<_>, Vec<_>) = loaded
        .map(|header| (header.p_vaddr(endian), header.p_filesz(endian).next_multiple_of(4)))
        .partition(|(address, _)| is_flash(*address));
    if mapped.is_empty() {
        bail!("nothing in it belongs into flash: no image of an ESP32");
    }
    mapped.sort_unstable();
    let mut to_copy: u32 = copied.iter().map(|(_, len)| len + SEGMENT_HEADER_LEN).sum();
    let mut len = HEADER_LEN;
    for (address, mapped_len) in mapped {
        let offset = (address % PAGE_LEN + PAGE_LEN - SEGMENT_HEADER_LEN) % PAGE_LEN;
        let gap = (offset + PAGE_LEN - len % PAGE_LEN) % PAGE_LEN;
        to_copy = to_copy.saturating_sub(gap);
        len += gap + SEGMENT_HEADER_LEN + mapped_len;
    }
    Ok((len + to_copy + 1).next_multiple_of(LINE_LEN) + HASH_LEN)
}

/// One image in the table.
pub(super) struct Line {
    pub(super) board: &'static str,
    pub(super) bin: &'static str,
    pub(super) size: Size,
    pub(super) budget: Budget,
}

impl Line {
    pub(super) fn is_within_budget(&self) -> bool {
        self.size.flash <= self.budget.flash && self.size.ram <= self.budget.ram
    }
}

/// The images, one a line, and how much of its budget each takes.
pub(super) fn table(lines: &[Line]) -> String {
    let mut table = format!(
        "{:<9}{:<10}{:>9}{:>9}{:>7}{:>9}{:>9}{:>7}{:>9}\n",
        "board", "bin", "flash", "budget", "share", "RAM", "budget", "share", "stack"
    );
    for Line { board, bin, size, budget } in lines {
        let share = |taken: u32, of: u32| format!("{} %", u64::from(taken) * 100 / u64::from(of));
        let verdict = match (size.flash > budget.flash, size.ram > budget.ram) {
            (true, _) => "  too much flash",
            (_, true) => "  too much RAM",
            _ => "",
        };
        let _ = writeln!(
            table,
            "{board:<9}{bin:<10}{:>9}{:>9}{:>7}{:>9}{:>9}{:>7}{:>9}{verdict}",
            size.flash,
            budget.flash,
            share(size.flash, budget.flash),
            size.ram,
            budget.ram,
            share(size.ram, budget.ram),
            size.stack,
        );
    }
    table
}

#[cfg(test)]
mod tests;

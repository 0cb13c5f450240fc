//! The smallest firmware that a bootloader would start: an ELF file with a descriptor, code and data.

#![allow(clippy::cast_possible_truncation, reason = "everything here is small")]

/// A file for `chip` whose code has `code_len` bytes.
pub(crate) fn firmware(chip: &str, code_len: usize) -> Vec<u8> {
    Elf::new(chip, code_len).to_bytes()
}

const HEADER_LEN: usize = 52;
const SECTION_HEADER_LEN: usize = 40;
const SYMBOL_LEN: usize = 16;
const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const ALLOC: u32 = 2;

/// The word by which the bootloader knows an application.
const DESCRIPTOR_MAGIC: u32 = 0xabcd_5432;
/// The logarithm of the size of a page, where the descriptor has it.
const PAGE_AT: usize = 180;

struct Section {
    name: &'static str,
    kind: u32,
    flags: u32,
    address: u32,
    bytes: Vec<u8>,
    link: u32,
    entry_len: u32,
}

struct Elf {
    sections: Vec<Section>,
}

impl Elf {
    fn new(chip: &str, code_len: usize) -> Self {
        let mut descriptor = vec![0; 256];
        descriptor[..4].copy_from_slice(&DESCRIPTOR_MAGIC.to_le_bytes());
        descriptor[PAGE_AT] = 16;
        // Not compressible to nothing, so that several blocks are sent.
        let mut noise = 1_u32;
        let code = (0..code_len).map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        });
        // Where constants and memory are mapped.
        let (constants, memory) = match chip {
            "esp32c6" => (0x4200_0020, 0x4080_0000),
            _ => (0x3c00_0020, 0x3fc8_0000),
        };
        let name = "build_info.CHIP_NAME";
        let mut symbols = vec![0; SYMBOL_LEN];
        symbols.extend(1_u32.to_le_bytes());
        symbols.extend(0_u32.to_le_bytes());
        symbols.extend((chip.len() as u32).to_le_bytes());
        // A global object in section 4.
        symbols.extend([0x11, 0, 4, 0]);
        let section = |name, kind, flags, address, bytes| Section {
            name,
            kind,
            flags,
            address,
            bytes,
            link: 0,
            entry_len: 0,
        };
        let mut table = section(".symtab", SYMTAB, 0, 0, symbols);
        (table.link, table.entry_len) = (6, SYMBOL_LEN as u32);
        let names = [b"\0", name.as_bytes(), b"\0"].concat();
        Self {
            sections: vec![
                section(".flash.appdesc", PROGBITS, ALLOC, constants, descriptor),
                section(".text", PROGBITS, ALLOC, 0x4201_0020, code.collect()),
                section(".data", PROGBITS, ALLOC, memory, b"initialised".to_vec()),
                section(".espressif.metadata", PROGBITS, 0, 0, chip.as_bytes().to_vec()),
                table,
                section(".strtab", STRTAB, 0, 0, names),
            ],
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut names = vec![0];
        let mut body = Vec::new();
        let mut headers = vec![0; SECTION_HEADER_LEN];
        let mut header = |section: &Section, body: &mut Vec<u8>, names: &mut Vec<u8>| {
            let name_at = names.len() as u32;
            names.extend(section.name.as_bytes());
            names.push(0);
            while !body.len().is_multiple_of(4) {
                body.push(0);
            }
            let at = (HEADER_LEN + body.len()) as u32;
            // The names of the sections are the last section and hold their own.
            let bytes = if section.name == ".shstrtab" { &*names } else { &section.bytes };
            body.extend(bytes);
            let len = bytes.len() as u32;
            for word in [name_at, section.kind, section.flags, section.address, at, len] {
                headers.extend(word.to_le_bytes());
            }
            for word in [section.link, 0, 4, section.entry_len] {
                headers.extend(word.to_le_bytes());
            }
        };
        for section in &self.sections {
            header(section, &mut body, &mut names);
        }
        let last = Section {
            name: ".shstrtab",
            kind: STRTAB,
            flags: 0,
            address: 0,
            bytes: Vec::new(),
            link: 0,
            entry_len: 0,
        };
        header(&last, &mut body, &mut names);
        while !body.len().is_multiple_of(4) {
            body.push(0);
        }
        let mut elf = b"\x7fELF\x01\x01\x01".to_vec();
        elf.resize(16, 0);
        for half in [2_u16, 243] {
            elf.extend(half.to_le_bytes());
        }
        let (entry, headers_at) = (0x4201_0020_u32, (HEADER_LEN + body.len()) as u32);
        for word in [1, entry, 0, headers_at, 0] {
            elf.extend(word.to_le_bytes());
        }
        let count = self.sections.len() as u16 + 2;
        for half in [HEADER_LEN as u16, 0, 0, SECTION_HEADER_LEN as u16, count, count - 1] {
            elf.extend(half.to_le_bytes());
        }
        [elf, body, headers].concat()
    }
}

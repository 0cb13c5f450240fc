//! A board on a pseudo terminal: it speaks the protocol of the ROM's loader, and of the faster one
//! once that was sent to its RAM (Espressif, "Serial Protocol" of esptool). Then it runs what it is told.

#![allow(clippy::cast_possible_truncation, reason = "everything here is small")]

use embassy_futures::block_on;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use flate2::write::ZlibDecoder;
use md5::{Digest, Md5};
use mtom_device::flash::{CA_LEN_MAX, Keep, layout};
use mtom_device::settings::Settings;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, ptsname, unlockpt};
use std::collections::HashMap;
use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Write};
use std::thread::JoinHandle;

/// What stands everywhere in the flash of a board that holds nothing in particular.
pub(crate) const BEFORE: u8 = 0x5a;
const FLASH_LEN: usize = 4 * 1024 * 1024;
const SECTOR_LEN: usize = 4_096;
const MAGIC_REGISTER: u32 = 0x4000_1000;
const SPI_BUSY: u32 = 1 << 18;

/// Which board it is and what befalls it.
#[derive(Clone)]
pub(crate) struct Kind {
    /// As `GET_SECURITY_INFO` gives it; `None`: a chip that does not know that command.
    pub(crate) chip_id: Option<u32>,
    /// As a register of the ROM gives it.
    pub(crate) magic: u32,
    /// The third byte of the flash's JEDEC id.
    pub(crate) flash_size: u8,
    /// What stands in its flash already.
    pub(crate) holds: Option<Vec<u8>>,
    /// Says no to this block of data.
    pub(crate) refuses_block: Option<usize>,
    /// Is unplugged at this block of data.
    pub(crate) unplugged_at_block: Option<usize>,
    /// Says nothing at all.
    pub(crate) is_dead: bool,
}

/// Its hardware address.
pub(crate) const MAC: [u8; 6] = [0x40, 0x4c, 0xca, 0x12, 0x34, 0x56];

impl Kind {
    pub(crate) fn esp32c3() -> Self {
        Self {
            chip_id: Some(5),
            magic: 0x1b31_506f,
            flash_size: 0x16,
            holds: None,
            refuses_block: None,
            unplugged_at_block: None,
            is_dead: false,
        }
    }

    pub(crate) fn esp32c6() -> Self {
        Self { chip_id: Some(13), magic: 0x2ce0_806f, ..Self::esp32c3() }
    }

    pub(crate) fn esp32() -> Self {
        Self { chip_id: None, magic: 0x00f0_1d83, ..Self::esp32c3() }
    }
}

/// The board, running on a thread of its own.
pub(crate) struct Board {
    /// The terminal that it is plugged into.
    pub(crate) path: String,
    thread: JoinHandle<Vec<u8>>,
}

impl Board {
    /// Plugs it in. Once something was written, `firmware` gets its serial port.
    pub(crate) fn plug_in(kind: Kind, firmware: impl FnOnce(&mut File) + Send + 'static) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        // A terminal that nobody has open reports an error to its other end.
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        let mut chip = Chip::new(kind, File::from(master), File::from(slave));
        let thread = std::thread::spawn(move || {
            chip.load();
            if !chip.is_unplugged {
                firmware(&mut chip.port);
                // The last answer is still to be read.
                while chip.port.read(&mut [0; 64]).is_ok_and(|len| len > 0) {}
            }
            chip.flash
        });
        Self { path, thread }
    }

    /// What stands in its flash once whoever had its port has closed it.
    pub(crate) fn flash(self) -> Vec<u8> {
        self.thread.join().unwrap()
    }
}

/// One packet to the loader.
struct Request {
    op: u8,
    checksum: u32,
    data: Vec<u8>,
}

impl Request {
    fn word(&self, index: usize) -> u32 {
        let bytes = &self.data[index * 4..][..4];
        u32::from_le_bytes(bytes.try_into().unwrap())
    }
}

struct Chip {
    kind: Kind,
    port: File,
    /// Open until somebody else has opened it.
    other_end: Option<File>,
    flash: Vec<u8>,
    registers: HashMap<u32, u32>,
    /// The loader in RAM runs.
    is_stub: bool,
    is_unplugged: bool,
    /// Where the next block goes.
    write_at: usize,
    inflater: Option<ZlibDecoder<Vec<u8>>>,
    blocks: usize,
}

impl Chip {
    fn new(mut kind: Kind, port: File, other_end: File) -> Self {
        let mut registers = HashMap::from([(MAGIC_REGISTER, kind.magic)]);
        let [a, b, c, d, e, f] = MAC;
        // Block 1 of the eFuses of the C3 and of the C6.
        for block in [0x6000_8844, 0x600b_0844] {
            registers.insert(block, u32::from_be_bytes([c, d, e, f]));
            registers.insert(block + 4, u32::from_be_bytes([0, 0, a, b]));
        }
        let flash = kind.holds.take().unwrap_or_else(|| vec![BEFORE; FLASH_LEN]);
        Self {
            kind,
            port,
            other_end: Some(other_end),
            flash,
            registers,
            is_stub: false,
            is_unplugged: false,
            write_at: 0,
            inflater: None,
            blocks: 0,
        }
    }

    /// Serves until the end of a write, or until it is unplugged.
    fn load(&mut self) {
        while let Some(request) = self.receive() {
            self.other_end = None;
            if self.kind.is_dead {
                continue;
            }
            if self.serve(&request) || self.is_unplugged {
                return;
            }
        }
        self.is_unplugged = true;
    }

    /// True when the image is complete.
    fn serve(&mut self, request: &Request) -> bool {
        match request.op {
            0x02 | 0x10 => self.begin(request),
            0x03 | 0x11 => self.block(request),
            0x04 | 0x12 => {
                self.answer(request, 0, &[]);
                return true;
            }
            0x06 => {
                self.answer(request, 0, &[]);
                self.send(b"OHAI");
                self.is_stub = true;
            }
            // A chip answers the first one many times.
            0x08 => (0..8).for_each(|_| self.answer(request, 0, &[])),
            0x09 => {
                self.set_register(request.word(0), request.word(1));
                self.answer(request, 0, &[]);
            }
            0x0a => {
                let value = self.registers.get(&request.word(0)).copied().unwrap_or(0);
                self.answer(request, value, &[]);
            }
            // RAM, SPI and baud.
            0x05 | 0x07 | 0x0b | 0x0d | 0x0f => self.answer(request, 0, &[]),
            0x13 => self.digest(request),
            0x14 => match self.kind.chip_id {
                Some(id) => {
                    let info = [[0; 12].as_slice(), &id.to_le_bytes(), &[0; 4]].concat();
                    self.answer(request, 0, &info);
                }
                None => self.refuse(request, 0x05),
            },
            _ => self.refuse(request, 0xc3),
        }
        false
    }

    fn begin(&mut self, request: &Request) {
        let (len, at) = (request.word(0) as usize, request.word(3) as usize);
        let end = at + len.next_multiple_of(SECTOR_LEN);
        self.flash[at..end].fill(0xff);
        self.write_at = at;
        self.inflater = (request.op == 0x10).then(|| ZlibDecoder::new(Vec::new()));
        self.answer(request, 0, &[]);
    }

    fn block(&mut self, request: &Request) {
        self.blocks += 1;
        if self.kind.unplugged_at_block == Some(self.blocks) {
            self.is_unplugged = true;
            return;
        }
        if self.kind.refuses_block == Some(self.blocks) {
            return self.refuse(request, 0x08);
        }
        let bytes = &request.data[16..];
        let sum = bytes.iter().fold(0xef, |sum, byte| sum ^ byte);
        if u32::from(sum) != request.checksum || request.word(0) as usize != bytes.len() {
            return self.refuse(request, 0x07);
        }
        let plain = match &mut self.inflater {
            Some(inflater) => {
                inflater.write_all(bytes).unwrap();
                inflater.flush().unwrap();
                std::mem::take(inflater.get_mut())
            }
            None => bytes.to_vec(),
        };
        for byte in plain {
            self.flash[self.write_at] &= byte;
            self.write_at += 1;
        }
        self.answer(request, 0, &[]);
    }

    fn digest(&mut self, request: &Request) {
        let (at, len) = (request.word(0) as usize, request.word(1) as usize);
        let digest = Md5::digest(&self.flash[at..at + len]);
        if self.is_stub {
            self.answer(request, 0, &digest);
        } else {
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            self.answer(request, 0, hex.as_bytes());
        }
    }

    /// A command to the flash is answered at once: here it is the one that asks for its id.
    fn set_register(&mut self, address: u32, value: u32) {
        if value == SPI_BUSY {
            let id = u32::from(self.kind.flash_size) << 16;
            self.registers.insert(address, 0);
            self.registers.insert(address + 0x58, id);
            self.registers.insert(address + 0x80, id);
        } else {
            self.registers.insert(address, value);
        }
    }

    fn answer(&mut self, request: &Request, value: u32, data: &[u8]) {
        self.respond(request, value, data, [0, 0]);
    }

    fn refuse(&mut self, request: &Request, error: u8) {
        self.respond(request, 0, &[], [1, error]);
    }

    fn respond(&mut self, request: &Request, value: u32, data: &[u8], status: [u8; 2]) {
        let mut tail = [data, &status].concat();
        if !self.is_stub {
            tail.extend([0, 0]);
        }
        let mut packet = vec![1, request.op];
        packet.extend((tail.len() as u16).to_le_bytes());
        packet.extend(value.to_le_bytes());
        packet.extend(tail);
        self.send(&packet);
    }

    /// One packet, with SLIP around it [RFC 1055].
    fn send(&mut self, packet: &[u8]) {
        let mut bytes = vec![0xc0];
        for byte in packet {
            match byte {
                0xc0 => bytes.extend([0xdb, 0xdc]),
                0xdb => bytes.extend([0xdb, 0xdd]),
                byte => bytes.push(*byte),
            }
        }
        bytes.push(0xc0);
        self.port.write_all(&bytes).unwrap();
    }

    /// The next packet; `None` when the terminal is closed.
    fn receive(&mut self) -> Option<Request> {
        let mut packet = Vec::new();
        let mut is_escape = false;
        let mut buffer = [0; 1];
        loop {
            self.port.read_exact(&mut buffer).ok()?;
            match (buffer[0], is_escape) {
                (0xc0, _) if packet.len() >= 8 => break,
                (0xc0, _) => packet.clear(),
                (0xdb, _) => is_escape = true,
                (byte, true) => {
                    packet.push(if byte == 0xdc { 0xc0 } else { 0xdb });
                    is_escape = false;
                }
                (byte, false) => packet.push(byte),
            }
        }
        let checksum = u32::from_le_bytes(packet[4..8].try_into().unwrap());
        Some(Request { op: packet[1], checksum, data: packet.split_off(8) })
    }
}

/// What the device itself would read there: its settings and the broker's CA.
pub(crate) fn told(flash: Vec<u8>) -> (Settings, Vec<u8>) {
    let mut keep = Keep::new(Flash(flash), layout::SETTINGS).unwrap();
    let settings = block_on(keep.settings()).unwrap().unwrap().unwrap();
    let ca = block_on(keep.ca(&mut [0; CA_LEN_MAX])).unwrap().unwrap_or_default().to_vec();
    (settings, ca)
}

/// The flash of a board that is off.
struct Flash(Vec<u8>);

impl ErrorType for Flash {
    type Error = Infallible;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 4;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4_096;

    async fn erase(&mut self, _from: u32, _to: u32) -> Result<(), Infallible> {
        panic!("nothing is to be repaired")
    }

    async fn write(&mut self, _offset: u32, _bytes: &[u8]) -> Result<(), Infallible> {
        panic!("nothing is to be repaired")
    }
}

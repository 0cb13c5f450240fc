//! The last number across losses of power, on a flash that can lose its power at any write.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use super::{Told, no_nonce, on_links, settings, state};
use crate::actuator::{Actuator, BLOCK_LEN};
use crate::flash::{Keep, layout};
use core::cell::RefCell;
use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use mtom_protocol::link::Led::{Off, On};
use std::rc::Rc;

const PAGE_LEN: usize = 4_096;
/// What the makers of flash chips promise.
const ERASES_MAX: f64 = 100_000.0;

/// The pages of [`layout::SETTINGS`].
#[derive(Clone)]
struct Chip(Rc<RefCell<Cells>>);

struct Cells {
    bytes: Vec<u8>,
    erases: Vec<u32>,
    /// Words that can still be written before the power goes.
    words_left: usize,
}

#[derive(Debug)]
struct NoPower;

impl NorFlashError for NoPower {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl Chip {
    fn new() -> Self {
        let len = usize::try_from(layout::SETTINGS.end - layout::SETTINGS.start).unwrap();
        Self(Rc::new(RefCell::new(Cells {
            bytes: vec![0xff; len],
            erases: vec![0; len / PAGE_LEN],
            words_left: usize::MAX,
        })))
    }

    fn keep(&self) -> Keep<Self> {
        Keep::new(self.clone(), layout::SETTINGS).unwrap()
    }

    fn power_goes_after(&self, words: usize) {
        self.0.borrow_mut().words_left = words;
    }
}

fn place(offset: u32) -> usize {
    usize::try_from(offset - layout::SETTINGS.start).unwrap()
}

impl ErrorType for Chip {
    type Error = NoPower;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 4;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NoPower> {
        bytes.copy_from_slice(&self.0.borrow().bytes[place(offset)..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        usize::try_from(layout::SETTINGS.end).unwrap()
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE_LEN;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NoPower> {
        let mut cells = self.0.borrow_mut();
        if cells.words_left == 0 {
            return Err(NoPower);
        }
        cells.bytes[place(from)..place(to)].fill(0xff);
        for page in place(from) / PAGE_LEN..place(to) / PAGE_LEN {
            cells.erases[page] += 1;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
        let mut cells = self.0.borrow_mut();
        for (at, byte) in (place(offset)..).zip(bytes) {
            if at % 4 == 0 {
                cells.words_left = cells.words_left.checked_sub(1).ok_or(NoPower)?;
            }
            // A flash can only clear bits.
            cells.bytes[at] &= byte;
        }
        Ok(())
    }
}

/// A start of the device, until its power goes; returns the last command that it answered.
async fn run(chip: &Chip, first: u64, commands: u64, words: usize) -> u64 {
    let mut keep = chip.keep();
    let last_number = keep.last_number().await.unwrap();
    let actuator = Actuator::new(&settings(0), last_number, Told::default(), keep, no_nonce);
    let mut answered = 0;
    on_links(&actuator, async |[mut link]| {
        chip.power_goes_after(words);
        for number in first..first + commands {
            link.say(&format!("h {number}\n")).await;
            link.hear(&format!("h {number}\n")).await;
            // Whoever has no power does not answer.
            if chip.0.borrow().words_left == 0 {
                break;
            }
            answered = number;
        }
        chip.power_goes_after(usize::MAX);
    })
    .await;
    answered
}

#[tokio::test(start_paused = true)]
async fn after_a_loss_of_power_no_old_command_is_obeyed_and_the_next_one_above_is() {
    mtom_time::run(async {
        let chip = Chip::new();
        let mut first = 1;
        // At every word of a few writes, and between them.
        for words in 0..40 {
            let answered = run(&chip, first, 3 * BLOCK_LEN, words).await;
            let mut keep = chip.keep();
            let last_number = keep.last_number().await.unwrap();
            assert!(last_number >= answered, "{words} words: {last_number} < {answered}");
            assert!(last_number < first + 3 * BLOCK_LEN + BLOCK_LEN, "{words} words");
            let told = Told::default();
            let actuator = Actuator::new(&settings(0), last_number, told.clone(), keep, no_nonce);
            on_links(&actuator, async |[mut link]| {
                link.say(&format!("h {answered}\nh {}\n", last_number + 1)).await;
                link.hear(&format!("{}h {}\n", state(Off, last_number), last_number + 1)).await;
            })
            .await;
            assert_eq!(told.text(), "-+");
            first = chip.keep().last_number().await.unwrap() + 1;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flash_that_cannot_be_written_costs_no_command() {
    mtom_time::run(async {
        let chip = Chip::new();
        let actuator = Actuator::new(&settings(0), 0, Told::default(), chip.keep(), no_nonce);
        chip.power_goes_after(0);
        on_links(&actuator, async |[mut link]| {
            link.say("h 1\nc 500\n?\n").await;
            link.hear(&format!("h 1\nc 500\n{}", state(Off, 500))).await;
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_command_every_second_does_not_wear_the_flash_out_in_a_century() {
    mtom_time::run(async {
        let chip = Chip::new();
        let mut keep = chip.keep();
        // The worst neighbours: everything that stands there is as large as it may be.
        keep.set_ca(&[7; crate::flash::CA_LEN_MAX]).await.unwrap();
        keep.set_settings(&settings(30_000)).await.unwrap();
        let commands = 2_000 * BLOCK_LEN;
        let actuator = Actuator::new(&settings(0), 0, Told::default(), keep, no_nonce);
        for number in 1..=commands {
            let request = mtom_protocol::link::Request::Set { led: On, number };
            actuator.hear(request).await;
        }
        let most = f64::from(*chip.0.borrow().erases.iter().max().unwrap());
        let seconds = commands as f64 / most * ERASES_MAX;
        let years = seconds / (365.25 * 24.0 * 3_600.0);
        assert!(most >= 2.0 && years > 100.0, "{most} erases, {years:.0} years");
    })
    .await;
}

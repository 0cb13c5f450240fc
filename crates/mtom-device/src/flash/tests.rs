use super::{CA_LEN_MAX, FlashError, Keep, Ring, Shared, layout};
use crate::outbox::{FlashRing, PushError};
use crate::record::{DeciCelsius, Record, Taken};
use crate::settings::Settings;
use core::cell::RefCell;
use core::ops::Range;
use embassy_futures::block_on;
use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

mod bonds;

const WORD: usize = 4;
/// Erasing is cut at every so many bytes.
const ERASED: usize = 32;

/// A flash chip that loses its power after so many bytes.
///
/// Power goes in the middle of a byte too: then only some of its bits have been written or erased.
#[derive(Clone)]
struct Chip<const PAGE: usize> {
    bytes: Vec<u8>,
    /// How many more bytes are written, or pieces of [`ERASED`] bytes erased; `None`: the power stays.
    left: Option<usize>,
    is_off: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PowerCut;

impl NorFlashError for PowerCut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl<const PAGE: usize> Chip<PAGE> {
    fn new(pages: usize) -> Self {
        Self { bytes: vec![0xff; pages * PAGE], left: None, is_off: false }
    }

    fn len(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap()
    }

    /// The same chip, which will lose its power.
    fn cut_after(&self, bytes: usize) -> RefCell<Self> {
        RefCell::new(Self { left: Some(bytes), ..self.clone() })
    }

    fn power_back(&mut self) {
        (self.left, self.is_off) = (None, false);
    }

    /// Changes `range` by `change`, or as much of its last byte as is done before the cut.
    fn change(
        &mut self,
        range: Range<usize>,
        change: impl Fn(usize, u8) -> u8,
    ) -> Result<(), PowerCut> {
        let is_last = self.left == Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        for at in range.clone() {
            let old = self.bytes[at];
            let half = match (is_last && at + 1 == range.end, at % 2) {
                (false, _) => 0xff,
                (true, 0) => 0x0f,
                (true, _) => 0xaa,
            };
            self.bytes[at] = (change(at, old) & half) | (old & !half);
        }
        self.is_off |= is_last;
        self.is_on()
    }

    fn is_on(&self) -> Result<(), PowerCut> {
        if self.is_off { Err(PowerCut) } else { Ok(()) }
    }
}

impl<const PAGE: usize> ErrorType for Chip<PAGE> {
    type Error = PowerCut;
}

impl<const PAGE: usize> ReadNorFlash for Chip<PAGE> {
    const READ_SIZE: usize = WORD;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), PowerCut> {
        self.is_on()?;
        let at = offset as usize;
        assert_eq!((at % WORD, bytes.len() % WORD), (0, 0), "reads whole words");
        bytes.copy_from_slice(&self.bytes[at..at + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const PAGE: usize> NorFlash for Chip<PAGE> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerCut> {
        self.is_on()?;
        assert_eq!((from as usize % PAGE, to as usize % PAGE), (0, 0), "erases whole pages");
        let mut pieces = (from as usize..to as usize).step_by(ERASED);
        pieces.try_for_each(|at| self.change(at..at + ERASED, |_, _| 0xff))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerCut> {
        self.is_on()?;
        let at = offset as usize;
        assert_eq!((at % WORD, bytes.len() % WORD), (0, 0), "writes whole words");
        // Writing only clears bits.
        bytes
            .iter()
            .zip(at..)
            .try_for_each(|(byte, at)| self.change(at..at + 1, |_, old| old & byte))
    }
}

impl<const PAGE: usize> MultiwriteNorFlash for Chip<PAGE> {}

/// As small as holds some settings, so that what is still needed is often moved to the next page.
type Page = Chip<2_048>;
/// Few records fill a page of this size, so that the ring goes round often.
type SmallPage = Chip<256>;

fn settings(number: usize) -> Settings {
    let mut settings = Settings::default();
    for key in ["id", "wifi_ssid", "user"] {
        settings.set(key, &format!("{key}-{number}")).unwrap();
    }
    settings.set("password", &"\\".repeat(1 + number % 60)).unwrap();
    settings
}

fn keep<const PAGE: usize>(chip: &RefCell<Chip<PAGE>>) -> Keep<Shared<'_, Chip<PAGE>>> {
    let range = 0..chip.borrow().len();
    Keep::new(Shared(chip), range).unwrap()
}

fn kept(chip: &RefCell<Page>) -> Result<Option<Settings>, FlashError> {
    Ok(block_on(keep(chip).settings())?.map(Result::unwrap))
}

fn store(chip: &RefCell<Page>, settings: &Settings) -> Result<(), FlashError> {
    block_on(keep(chip).set_settings(settings))
}

type Store = fn(&RefCell<Page>, &Settings) -> Result<(), FlashError>;
type Load = fn(&RefCell<Page>) -> Result<Option<Settings>, FlashError>;

/// Cuts the power after each byte of writing `new` over `old`, which stands on `before`; the first
/// cut after which neither of them is there.
fn first_loss(
    before: &Page,
    old: &Settings,
    new: &Settings,
    store: Store,
    load: Load,
) -> Option<usize> {
    for cut in 0.. {
        let chip = before.cut_after(cut);
        let stored = store(&chip, new);
        chip.borrow_mut().power_back();
        let read = load(&chip).ok().flatten();
        if stored.is_ok() {
            assert_eq!(read.as_ref(), Some(new));
            return None;
        }
        if read.is_none_or(|read| read != *old && read != *new) {
            return Some(cut);
        }
        // And the device goes on: nothing stands in the way of the next settings.
        let third = settings(999);
        if store(&chip, &third).is_err() || load(&chip).ok().flatten() != Some(third) {
            return Some(cut);
        }
    }
    unreachable!("a write ends")
}

#[test]
fn after_a_power_cut_at_any_byte_the_old_settings_are_there_or_the_new() {
    let chip = RefCell::new(Page::new(2));
    let ca = [0x30; 400];
    block_on(keep(&chip).set_ca(&ca)).unwrap();
    block_on(keep(&chip).set_last_number(42)).unwrap();
    store(&chip, &settings(0)).unwrap();
    // As often as fills both pages and moves what is still needed to the other one.
    for number in 1..16 {
        let (old, new) = (settings(number - 1), settings(number));
        let before = chip.borrow().clone();
        assert_eq!(first_loss(&before, &old, &new, store, kept), None, "of write {number}");
        store(&chip, &new).unwrap();
    }
    // What else was there still is.
    let mut buffer = [0; CA_LEN_MAX];
    assert_eq!(block_on(keep(&chip).ca(&mut buffer)), Ok(Some(&ca[..])));
    assert_eq!(block_on(keep(&chip).last_number()), Ok(42));
}

#[test]
fn settings_written_in_place_would_be_lost_and_this_test_sees_it() {
    fn store_in_place(chip: &RefCell<Page>, settings: &Settings) -> Result<(), FlashError> {
        let mut chip = chip.borrow_mut();
        let mut text = settings.to_string().into_bytes();
        text.push(0);
        text.resize(text.len().next_multiple_of(WORD), 0);
        let len = chip.len();
        chip.erase(0, len).and_then(|()| chip.write(0, &text)).map_err(|_| FlashError::Broken)
    }
    fn load_in_place(chip: &RefCell<Page>) -> Result<Option<Settings>, FlashError> {
        let chip = chip.borrow();
        let text = chip.bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Settings::parse(text).ok())
    }
    let chip = RefCell::new(Page::new(1));
    store_in_place(&chip, &settings(0)).unwrap();
    assert_eq!(load_in_place(&chip), Ok(Some(settings(0))));
    let before = chip.into_inner();
    let loss = first_loss(&before, &settings(0), &settings(1), store_in_place, load_in_place);
    assert!(loss.is_some());
}

#[test]
fn a_power_cut_costs_neither_the_ca_nor_the_last_number() {
    let chip = RefCell::new(Page::new(2));
    let ca = [0x30; 400];
    block_on(keep(&chip).set_ca(&ca)).unwrap();
    for number in 1..200_u64 {
        block_on(keep(&chip).set_last_number(number)).unwrap();
    }
    let before = chip.into_inner();
    for cut in 0.. {
        let chip = before.cut_after(cut);
        let stored = block_on(keep(&chip).set_last_number(200));
        chip.borrow_mut().power_back();
        let number = block_on(keep(&chip).last_number()).unwrap();
        assert!(number == 200 || number == 199 && stored.is_err(), "{number} after {cut} bytes");
        let mut buffer = [0; CA_LEN_MAX];
        assert_eq!(block_on(keep(&chip).ca(&mut buffer)), Ok(Some(&ca[..])), "after {cut} bytes");
        if stored.is_ok() {
            break;
        }
    }
}

#[test]
fn an_empty_flash_has_nothing_and_that_is_no_error() {
    let chip = RefCell::new(Page::new(2));
    assert_eq!(kept(&chip), Ok(None));
    assert_eq!(block_on(keep(&chip).ca(&mut [0; CA_LEN_MAX])), Ok(None));
    assert_eq!(block_on(keep(&chip).last_number()), Ok(0));
}

#[test]
fn what_is_too_large_is_refused_and_leaves_the_old() {
    let chip = RefCell::new(Page::new(2));
    let too_large = Err(FlashError::TooLarge { max: CA_LEN_MAX });
    assert_eq!(block_on(keep(&chip).set_ca(&[7; CA_LEN_MAX + 1])), too_large);
    block_on(keep(&chip).set_ca(&[7; CA_LEN_MAX])).unwrap();
    let mut buffer = [0; CA_LEN_MAX];
    assert_eq!(block_on(keep(&chip).ca(&mut buffer)), Ok(Some(&[7; CA_LEN_MAX][..])));
    assert_eq!(
        block_on(keep(&chip).ca(&mut [0; 9])),
        Err(FlashError::TooLarge { max: CA_LEN_MAX })
    );
}

#[test]
fn a_partition_is_whole_pages_and_two_of_them_at_least() {
    let chip = RefCell::new(Page::new(4));
    for (range, is_good) in [
        (0..0x1000, true),
        (0x800..0x2000, true),
        (0..0x800, false),
        (0..0xc00, false),
        (4..0x1004, false),
    ] {
        assert_eq!(Keep::new(Shared(&chip), range.clone()).is_some(), is_good, "{range:?}");
    }
}

#[test]
fn partitions_are_whole_pages_of_a_chip_of_4_mib_and_do_not_overlap() {
    let all = [layout::SETTINGS, layout::APP, layout::RING];
    for Range { start, end } in &all {
        assert!(start < end && start % 0x1000 == 0 && end % 0x1000 == 0 && *end <= 0x40_0000);
    }
    assert!(all.is_sorted_by(|one, next| one.end <= next.start));
}

fn record(seq: u32) -> Record {
    Record { boot: 7, seq, celsius: DeciCelsius(234), taken: Taken::Uptime(u64::from(seq)) }
}

type TestRing<'a> = Ring<Shared<'a, SmallPage>>;

fn ring(chip: &RefCell<SmallPage>) -> TestRing<'_> {
    let range = 0..chip.borrow().len();
    block_on(Ring::open(Shared(chip), range)).unwrap()
}

/// The numbers of the readings that stand in a ring, from its oldest.
fn all(ring: &mut TestRing<'_>) -> Vec<u32> {
    let len = ring.len();
    let seqs = (0..len).map(|index| block_on(ring.peek(index)).unwrap().unwrap().seq).collect();
    assert_eq!(block_on(ring.peek(len)), Ok(None));
    seqs
}

/// A ring that has gone round and holds readings from `oldest` to `newest`.
fn filled(pages: usize, oldest: u32, newest: u32) -> SmallPage {
    let chip = RefCell::new(SmallPage::new(pages));
    let mut ring = ring(&chip);
    for seq in 0..=newest {
        if seq >= 9 {
            // Never full.
            while ring.len() > 8 {
                block_on(ring.pop()).unwrap();
            }
        }
        block_on(ring.push(&record(seq))).unwrap();
    }
    while block_on(ring.peek(0)).unwrap().unwrap().seq < oldest {
        block_on(ring.pop()).unwrap();
    }
    chip.into_inner()
}

#[test]
fn a_ring_gives_back_what_was_put_in_in_order_after_a_restart_too() {
    let chip = RefCell::new(SmallPage::new(4));
    let mut first = ring(&chip);
    assert!(first.is_empty());
    assert_eq!(block_on(first.pop()), Ok(()));
    for seq in 0..5 {
        block_on(first.push(&record(seq))).unwrap();
    }
    assert_eq!(all(&mut first), [0, 1, 2, 3, 4]);
    block_on(first.pop()).unwrap();
    let mut again = ring(&chip);
    assert_eq!(all(&mut again), [1, 2, 3, 4]);
    block_on(again.push(&record(5))).unwrap();
    assert_eq!(block_on(again.peek(0)), Ok(Some(record(1))));
    assert_eq!(all(&mut again), [1, 2, 3, 4, 5]);
}

#[test]
fn a_full_ring_says_so_and_has_room_again_when_the_oldest_are_gone() {
    let chip = RefCell::new(SmallPage::new(3));
    let mut ring = ring(&chip);
    let mut seq = 0;
    let full = loop {
        match block_on(ring.push(&record(seq))) {
            Ok(()) => seq += 1,
            Err(reason) => break reason,
        }
    };
    assert_eq!(full, PushError::Full);
    let held: Vec<u32> = (0..seq).collect();
    assert_eq!(all(&mut ring), held);
    // A page is free when all of its readings are gone.
    let mut dropped = 0;
    while block_on(ring.push(&record(seq))).is_err() {
        block_on(ring.pop()).unwrap();
        dropped += 1;
    }
    let held: Vec<u32> = (dropped..=seq).collect();
    assert_eq!(all(&mut ring), held);
}

#[test]
fn after_a_power_cut_at_any_byte_of_a_push_everything_from_before_is_there_in_order() {
    // Somewhere in this span a page ends and an old one is erased.
    for newest in 20..40 {
        let before = filled(4, newest - 6, newest);
        let held: Vec<u32> = (newest - 6..=newest).collect();
        let more: Vec<u32> = (newest - 6..=newest + 1).collect();
        for cut in 0.. {
            let chip = before.cut_after(cut);
            let pushed = {
                let mut ring = ring(&chip);
                block_on(ring.push(&record(newest + 1)))
            };
            chip.borrow_mut().power_back();
            let mut ring = ring(&chip);
            let now = all(&mut ring);
            let is_right = now == more || now == held && pushed.is_err();
            assert!(is_right, "{now:?} after {cut} bytes of {newest}");
            // And the next reading finds its place behind them.
            block_on(ring.push(&record(newest + 2))).unwrap();
            assert_eq!(all(&mut ring), [now, vec![newest + 2]].concat());
            if pushed.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn after_a_power_cut_at_any_byte_of_a_pop_only_the_oldest_may_be_gone() {
    for newest in 20..40 {
        let before = filled(4, newest - 6, newest);
        let held: Vec<u32> = (newest - 6..=newest).collect();
        for cut in 0.. {
            let chip = before.cut_after(cut);
            let popped = {
                let mut ring = ring(&chip);
                block_on(ring.pop())
            };
            chip.borrow_mut().power_back();
            let now = all(&mut ring(&chip));
            let is_right = now == held[1..] || now == held && popped.is_err();
            assert!(is_right, "{now:?} after {cut} bytes of {newest}");
            if popped.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn a_flash_that_fails_is_an_error_and_no_panic() {
    let chip = RefCell::new(SmallPage { is_off: true, ..filled(4, 20, 24) });
    let range = 0..chip.borrow().len();
    assert_eq!(block_on(Ring::open(Shared(&chip), range)).err(), Some(FlashError::Broken));
    let chip = RefCell::new(filled(4, 20, 24));
    let mut ring = ring(&chip);
    chip.borrow_mut().is_off = true;
    assert_eq!(block_on(ring.push(&record(25))), Err(PushError::Broken));
    assert_eq!(block_on(ring.peek(0)), Err(FlashError::Broken));
    assert_eq!(block_on(ring.pop()), Err(FlashError::Broken));
    // What could not be taken out is still counted.
    assert_eq!(ring.len(), 5);
}

#[test]
fn what_another_program_left_in_the_ring_is_no_reading_and_no_hindrance() {
    for seed in 0..50_u32 {
        let mut chip = SmallPage::new(4);
        for (at, byte) in (0..).zip(&mut chip.bytes) {
            // Seed 0: all zeros. The others: noise.
            *byte = seed.wrapping_mul(at + 1).wrapping_mul(2_654_435_761).to_be_bytes()[0];
        }
        let chip = RefCell::new(chip);
        let mut ring = ring(&chip);
        while !ring.is_empty() {
            block_on(ring.pop()).unwrap();
        }
        for seq in 0..3 {
            assert_eq!(block_on(ring.push(&record(seq))), Ok(()), "seed {seed}");
        }
        assert_eq!(all(&mut ring), [0, 1, 2], "seed {seed}");
    }
}

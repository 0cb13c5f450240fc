//! Whom a device was paired with.

use super::{Page, keep};
use crate::flash::{BONDS_MAX, Bond, FlashError};
use core::cell::RefCell;
use embassy_futures::block_on;

fn bond(number: u8) -> Bond {
    Bond { address: (1, [number; 6]), irk: [number; 16], ltk: [number + 100; 16] }
}

#[test]
fn a_power_cut_leaves_those_of_before_or_the_new_ones() {
    let chip = RefCell::new(Page::new(2));
    assert_eq!(block_on(keep(&chip).bonds()).unwrap(), []);
    let (old, new) = ([bond(1), bond(2)], [bond(1), bond(2), bond(3)]);
    block_on(keep(&chip).set_bonds(&old)).unwrap();
    let before = chip.into_inner();
    for cut in 0.. {
        let chip = before.cut_after(cut);
        let stored = block_on(keep(&chip).set_bonds(&new));
        chip.borrow_mut().power_back();
        let bonds = block_on(keep(&chip).bonds()).unwrap();
        assert!(bonds == new || bonds == old && stored.is_err(), "{bonds:?} after {cut} bytes");
        if stored.is_ok() {
            break;
        }
    }
}

#[test]
fn there_is_room_for_so_many_and_no_key_stands_in_a_log() {
    let chip = RefCell::new(Page::new(2));
    let all = [1, 2, 3, 4].map(bond);
    assert_eq!(all.len(), BONDS_MAX);
    block_on(keep(&chip).set_bonds(&all)).unwrap();
    assert_eq!(block_on(keep(&chip).bonds()).unwrap(), all);
    let more = [1, 2, 3, 4, 5].map(bond);
    let refused = block_on(keep(&chip).set_bonds(&more));
    assert!(matches!(refused, Err(FlashError::TooLarge { .. })));
    assert_eq!(block_on(keep(&chip).bonds()).unwrap(), all);
    assert_eq!(format!("{:?}", bond(1)), "Bond { address: (1, [1, 1, 1, 1, 1, 1]), .. }");
}

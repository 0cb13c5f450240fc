//! Whoever follows gets each reading once, in order, however the pieces fall.

use super::{Piece, Recent, Room};
use crate::lines::{Request, line};
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use proptest::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;

fn stored(id: u64) -> StoredReading {
    let at = UnixMicros(0);
    let device = if id.is_multiple_of(3) { "attic" } else { "cellar" };
    let reading = Reading {
        topic: format!("{device}/Temperature").into(),
        device: device.into(),
        quantity: "Temperature".into(),
        value: 20.0,
        unit: Unit::Celsius,
        taken_at: None,
        key: None,
    };
    StoredReading { id, at, arrived_at: at, suspect: false, reading }
}

fn wanted(filter: &str) -> Request {
    Request { subscribe: vec![filter.to_owned()], ..Request::default() }
}

const ROOM: Room = Room { bytes: 1_000_000, lines: 1_000, looks: 1_000 };

#[test]
fn what_is_no_longer_here_is_not_passed_over_in_silence() {
    let mut recent = Recent::new(3, 10, vec![]);
    let all = wanted("#");
    assert_eq!(recent.after(10, &all, ROOM), Some(Piece::behind(10)), "nothing is new");
    assert_eq!(recent.after(9, &all, ROOM), None, "10 was stored before");
    for id in 11..=14 {
        recent.push(Arc::new(stored(id)));
    }
    assert_eq!(recent.newest(), 14);
    assert_eq!(recent.after(10, &all, ROOM), None, "11 is gone");
    let piece = recent.after(11, &all, ROOM).unwrap();
    assert_eq!((piece.ids, piece.until), (vec![12, 13, 14], 14));
    assert_eq!(piece.bytes, [12, 13, 14].map(|id| line(&stored(id))).concat());
}

#[test]
fn what_was_stored_before_the_start_is_here_as_far_as_it_is_known() {
    let recent = Recent::new(10, 14, [12, 13, 14].map(stored).into());
    assert_eq!(recent.newest(), 14);
    assert_eq!(recent.after(10, &wanted("#"), ROOM), None);
    assert_eq!(recent.after(11, &wanted("#"), ROOM).unwrap().ids, [12, 13, 14]);
}

#[test]
fn what_nobody_asked_for_is_behind_one_all_the_same() {
    let mut recent = Recent::new(10, 0, vec![]);
    for id in 1..=5 {
        recent.push(Arc::new(stored(id)));
    }
    let piece = recent.after(0, &wanted("attic/#"), ROOM).unwrap();
    assert_eq!((piece.ids, piece.until), (vec![3], 5));
}

#[test]
fn a_line_that_is_longer_than_the_room_goes_alone() {
    let mut piece = Piece::behind(0);
    let room = Room { bytes: 5, lines: 10, looks: 10 };
    let long = || Cow::Borrowed(&b"longer than that"[..]);
    let (first, second) = (stored(1), stored(2));
    assert!(piece.add(&first, &wanted("#"), room, long));
    assert!(!piece.add(&second, &wanted("#"), room, long));
    assert_eq!((piece.ids, piece.until), (vec![1], 1));
}

proptest! {
    #[test]
    fn each_once_in_order_with_no_hole(
        pushed in 0..60_u64,
        max in 1..20_usize,
        rooms in prop::collection::vec((1..800_usize, 1..6_usize, 1..9_usize), 1..8),
        filter in prop::sample::select(vec!["#", "attic/#", "nobody"]),
    ) {
        let mut recent = Recent::new(max, 0, vec![]);
        for id in 1..=pushed {
            recent.push(Arc::new(stored(id)));
        }
        let begin = pushed.saturating_sub(max as u64);
        let (mut until, mut ids, mut bytes) = (begin, Vec::new(), Vec::new());
        for turn in 0.. {
            let (bytes_max, lines, looks) = rooms[turn % rooms.len()];
            let room = Room { bytes: bytes_max, lines, looks };
            let piece = recent.after(until, &wanted(filter), room).unwrap();
            prop_assert!(piece.until - until <= looks as u64);
            prop_assert!(piece.ids.len() <= lines);
            if piece.until == until {
                break;
            }
            until = piece.until;
            ids.extend(piece.ids);
            bytes.extend(piece.bytes);
        }
        let expected: Vec<_> = (begin + 1..=pushed)
            .filter(|id| filter == "#" || (filter == "attic/#" && id.is_multiple_of(3)))
            .collect();
        prop_assert_eq!(until, pushed);
        prop_assert_eq!(bytes, expected.iter().flat_map(|id| line(&stored(*id))).collect::<Vec<_>>());
        prop_assert_eq!(ids, expected);
    }
}

use super::{Batch, Place, Ring, Series};
use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};
use std::collections::HashMap;

/// Frames are `<series><count>;`, so that a batch can be read.
fn series(name: char) -> Series {
    (name.to_string().into(), "Temperature".into())
}

fn push(ring: &mut Ring, frames: &str) {
    for frame in frames.split_whitespace() {
        let name = frame.chars().next().unwrap();
        ring.push(series(name), format!("{frame};").into_bytes().into());
    }
}

fn text(batch: &Batch) -> String {
    String::from_utf8(batch.bytes.clone()).unwrap()
}

/// Reads all there is, in one batch.
#[track_caller]
fn check(ring: &Ring, place: &mut Place, expected: &str, skipped: u64) {
    let batch = ring.next(*place, usize::MAX);
    assert_eq!(text(&batch), expected);
    assert_eq!(batch.skipped, skipped);
    assert!(!batch.more);
    *place = batch.place;
}

#[test]
fn a_viewer_begins_with_the_last_known_frame_and_gets_each_once() {
    let mut ring = Ring::new(8, 8);
    let mut early = ring.join();
    check(&ring, &mut early, "", 0);
    push(&mut ring, "a1 b2");
    let mut late = ring.join();
    check(&ring, &mut early, "a1;b2;", 0);
    check(&ring, &mut late, "b2;", 0);
    push(&mut ring, "a3");
    check(&ring, &mut early, "a3;", 0);
    check(&ring, &mut late, "a3;", 0);
    check(&ring, &mut late, "", 0);
}

#[test]
fn a_viewer_within_the_ring_misses_nothing() {
    let mut ring = Ring::new(3, 8);
    let mut place = ring.join();
    push(&mut ring, "a1 a2 a3");
    check(&ring, &mut place, "a1;a2;a3;", 0);
}

#[test]
fn a_viewer_that_fell_out_gets_the_newest_of_each_series_in_order() {
    let mut ring = Ring::new(3, 8);
    let mut place = ring.join();
    push(&mut ring, "a1 q2 a3 b4 b5 a6 b7");
    check(&ring, &mut place, "q2;a6;b7;", 4);
    push(&mut ring, "a8 a9");
    check(&ring, &mut place, "a8;a9;", 0);
}

#[test]
fn what_was_seen_before_falling_out_is_not_repeated() {
    let mut ring = Ring::new(2, 8);
    let mut place = ring.join();
    push(&mut ring, "q1");
    check(&ring, &mut place, "q1;", 0);
    push(&mut ring, "a2 a3 a4");
    check(&ring, &mut place, "a4;", 2);
}

#[test]
fn a_batch_holds_whole_frames_and_at_least_one() {
    let mut ring = Ring::new(8, 8);
    push(&mut ring, "a1");
    let place = ring.join();
    push(&mut ring, "a2 a3");
    let batch = ring.next(place, 6);
    assert_eq!((text(&batch).as_str(), batch.frames, batch.more), ("a1;a2;", 2, true));
    let batch = ring.next(batch.place, 1);
    assert_eq!((text(&batch).as_str(), batch.frames, batch.more), ("a3;", 1, false));
}

#[test]
fn skipping_goes_on_until_the_viewer_has_caught_up() {
    let mut ring = Ring::new(2, 8);
    let place = ring.join();
    push(&mut ring, "a1 b2 c3 d4");
    let batch = ring.next(place, 1);
    assert_eq!((text(&batch).as_str(), batch.more), ("a1;", true));
    // It is slow: meanwhile `b`, `d` and `b` again.
    push(&mut ring, "b5 d6 b7");
    let batch = ring.next(batch.place, usize::MAX);
    assert_eq!((text(&batch).as_str(), batch.skipped, batch.more), ("c3;d6;b7;", 3, false));
    push(&mut ring, "b8 b9");
    let mut place = batch.place;
    check(&ring, &mut place, "b8;b9;", 0);
}

#[test]
fn whoever_skips_goes_on_with_the_newest_though_the_ring_has_more() {
    let mut ring = Ring::new(4, 8);
    let place = ring.join();
    push(&mut ring, "a1 a2 a3 b4 c5 a6");
    let batch = ring.next(place, 1);
    assert_eq!((text(&batch).as_str(), batch.more), ("b4;", true));
    push(&mut ring, "c7");
    let mut place = batch.place;
    check(&ring, &mut place, "a6;c7;", 1);
}

#[test]
fn of_too_many_series_the_quietest_are_forgotten() {
    let mut ring = Ring::new(1, 2);
    let mut place = ring.join();
    push(&mut ring, "a1 b2 c3 a4");
    check(&ring, &mut place, "c3;a4;", 2);
    assert_eq!((ring.newest.len(), ring.numbers.len(), ring.frames.len()), (2, 2, 1));
}

#[derive(Clone, Debug)]
enum Act {
    Push(char),
    Read { viewer: usize, bytes_max: usize },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0u8..4).prop_map(|name| Act::Push(char::from(b'a' + name))),
        2 => (0usize..3, prop_oneof![Just(1), 4usize..40])
            .prop_map(|(viewer, bytes_max)| Act::Read { viewer, bytes_max }),
    ]
}

proptest! {
    /// Whatever the order of pushes and reads: rising, nothing twice, nothing lost without being
    /// counted, and at the end every viewer has the newest of each series.
    #[test]
    fn viewers_rise_count_and_catch_up(
        acts in proptest::collection::vec(act(), 0..200),
        room in 1usize..6,
    ) {
        let mut ring = Ring::new(room, 16);
        let mut viewers = vec![(ring.join(), Vec::<u64>::new(), 0u64); 3];
        let mut newest = HashMap::new();
        let mut pushed = 0u64;
        let read = |ring: &Ring, viewer: &mut (Place, Vec<u64>, u64), bytes_max| {
            let batch = ring.next(viewer.0, bytes_max);
            let numbers = text(&batch);
            let numbers = numbers.split_terminator(';').map(|frame| frame[1..].parse::<u64>().unwrap());
            viewer.1.extend(numbers);
            viewer.0 = batch.place;
            viewer.2 += batch.skipped;
            batch.more
        };
        for act in acts {
            match act {
                Act::Push(name) => {
                    push(&mut ring, &format!("{name}{pushed}"));
                    newest.insert(name, pushed);
                    pushed += 1;
                }
                Act::Read { viewer, bytes_max } => {
                    read(&ring, &mut viewers[viewer], bytes_max);
                }
            }
        }
        for viewer in &mut viewers {
            while read(&ring, viewer, 9) {}
            prop_assert!(viewer.1.is_sorted_by(|before, after| before < after));
            prop_assert_eq!(viewer.1.len() as u64 + viewer.2, pushed);
            for number in newest.values() {
                prop_assert!(viewer.1.contains(number), "{} of {:?}", number, viewer.1);
            }
        }
    }
}

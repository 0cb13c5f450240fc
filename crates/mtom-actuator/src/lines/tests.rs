use super::{BUFFER_LEN, Lines};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

fn feed(lines: &mut Lines, bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut found = Vec::new();
    lines.feed(bytes, |line| found.push(line.map(<[u8]>::to_vec)));
    found
}

#[test]
fn lines_come_whole() {
    let mut lines = Lines::default();
    assert_eq!(feed(&mut lines, b"h 4"), []);
    let expected = [Some(b"h 42".to_vec()), Some(vec![]), Some(b"?\r".to_vec())];
    assert_eq!(feed(&mut lines, b"2\n\n?\r\nrest"), expected);
}

#[test]
fn the_end_of_a_line_that_is_too_long_is_no_line() {
    let mut lines = Lines::default();
    let mut bytes = vec![b'x'; BUFFER_LEN + 1];
    bytes.extend_from_slice(b"h 42\nh 43\n");
    assert_eq!(feed(&mut lines, &bytes), [None, Some(b"h 43".to_vec())]);
    assert_eq!(feed(&mut lines, &[0; 10 * BUFFER_LEN + 1]), [const { None }; 10]);
    assert_eq!(feed(&mut lines, b"h 44\nh 45\n"), [Some(b"h 45".to_vec())]);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_pieces_do_not_matter(bytes: Vec<u8>, cut: usize) {
        let (first, second) = bytes.split_at(cut % (bytes.len() + 1));
        let mut pieces = Lines::default();
        let mut found = feed(&mut pieces, first);
        found.extend(feed(&mut pieces, second));
        prop_assert!(found.iter().flatten().all(|line| line.len() <= BUFFER_LEN));
        prop_assert_eq!(found, feed(&mut Lines::default(), &bytes));
    }
}

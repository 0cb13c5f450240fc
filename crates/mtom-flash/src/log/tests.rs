use super::plain;

#[test]
fn a_line_is_text_and_nothing_that_moves_a_cursor() {
    for (line, expected) in [
        (&b"INFO - acknowledged 21.4 \xc2\xb0C\r"[..], "INFO - acknowledged 21.4 °C"),
        (b"\x1b[0;32mI (24) boot: ESP-IDF\x1b[0m\r", "I (24) boot: ESP-IDF"),
        (b"\x07\x1b]", ""),
        (b"\xff\xfe ok", "\u{fffd}\u{fffd} ok"),
    ] {
        assert_eq!(plain(line), expected);
    }
}

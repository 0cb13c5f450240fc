use super::*;

#[test]
fn a_cursor_survives_its_text() {
    for (at, id, text) in [
        (1_795_421_190_000_000, 42, "1795421190000000.42"),
        (0, 0, "0.0"),
        (-1, 7, "-1.7"),
        (i64::MIN, i64::MAX.cast_unsigned(), "-9223372036854775808.9223372036854775807"),
    ] {
        let cursor = Cursor { at: UnixMicros(at), id };
        assert_eq!(cursor.to_string(), text);
        assert_eq!(text.parse(), Ok(cursor));
    }
}

#[test]
fn other_texts_are_no_cursors() {
    for text in [
        "",
        ".",
        "1",
        "1.",
        ".1",
        "1.2.3",
        "+1.2",
        "1.+2",
        "1.-2",
        " 1.2",
        "1.2 ",
        "a.b",
        "1,2",
        "9223372036854775808.1",
        "1.9223372036854775808",
        "1.2; DROP TABLE reading",
        "１.２",
    ] {
        assert_eq!(text.parse::<Cursor>(), Err(NotACursor), "{text:?}");
    }
}

#[test]
fn a_target_is_named_without_what_may_be_secret() {
    for (url, shown) in [
        ("https://example.org", "https://example.org"),
        ("https://example.org/", "https://example.org"),
        ("http://127.0.0.1:80/a/b", "http://127.0.0.1:80/…"),
        ("https://me:word@example.org/services/T0/key?a=b#c", "https://example.org/…"),
        ("https://me:w@rd@[::1]:8443?key=1", "https://[::1]:8443/…"),
        ("https://example.org#me@there", "https://example.org/…"),
    ] {
        assert_eq!(AlertTarget::Url(url.into()).to_string(), shown);
    }
    let topic = AlertTarget::Topic { topic: "alarm/heat".into(), qos: 1, retain: false };
    assert_eq!(topic.to_string(), "alarm/heat");
}

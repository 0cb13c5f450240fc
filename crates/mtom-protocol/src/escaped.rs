//! What a `\` hides in a line of the InfluxDB line protocol, as payloads and files have it.

use alloc::borrow::Cow;
use alloc::string::String;

/// Splits at the first of `stops` that has no `\` before it.
#[must_use]
pub fn until<'a>(text: &'a str, stops: &str) -> (&'a str, &'a str) {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if !is_escaped && stops.as_bytes().contains(&byte) {
            return text.split_at_checked(at).unwrap_or((text, ""));
        }
        is_escaped = byte == b'\\';
    }
    (text, "")
}

/// Takes the `\` before a comma, an equals sign or a space away. Any other stands for itself.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match rest.peek() {
            Some(next @ (',' | '=' | ' ')) if c == '\\' => {
                plain.push(*next);
                rest.next();
            }
            _ => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

//! MQTT topic filters (MQTT 3.1.1 §4.7): `+` is one level, `#` is the rest.

/// What a shared subscription begins with.
const SHARE: &str = "$share/";

/// Why a text is no topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Nothing at all.
    #[error("a topic filter has at least one character")]
    Empty,
    /// `a#` or `#/a`.
    #[error("`#` stands alone in the last level, as in `Environ/#`")]
    Hash,
    /// `a+`.
    #[error("`+` stands alone in its level, as in `+/Temperature`")]
    Plus,
    /// NUL or another control character.
    #[error("a topic filter has no control characters")]
    Control,
    /// `$share` without a group or without a filter [MQTT-4.8.2-1, MQTT-4.8.2-2].
    #[error(
        "`$share` is followed by a group without `+` and `#`, and by a filter, as in `$share/gateways/Environ/#`"
    )]
    Share,
    /// Longer than the MQTT string.
    #[error("a topic filter has at most 65535 bytes")]
    TooLong,
}

/// Says whether `filter` is well formed [MQTT-4.7.1-2, MQTT-4.7.1-3, MQTT-4.7.3-1].
///
/// # Errors
/// The first rule it breaks.
pub fn check_filter(filter: &str) -> Result<(), FilterError> {
    if filter.is_empty() {
        return Err(FilterError::Empty);
    }
    if filter.len() > usize::from(u16::MAX) {
        return Err(FilterError::TooLong);
    }
    if filter.chars().any(char::is_control) {
        return Err(FilterError::Control);
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err(FilterError::Hash);
        }
        if level.contains('+') && level != "+" {
            return Err(FilterError::Plus);
        }
    }
    Ok(())
}

/// A subscription that may be shared: its group, where it has one, and its filter [MQTT-5.0 §4.8.2].
///
/// # Errors
/// The first rule it breaks.
pub fn subscription(text: &str) -> Result<(Option<&str>, &str), FilterError> {
    let Some(shared) = text.strip_prefix(SHARE) else {
        return check_filter(text).map(|()| (None, text));
    };
    match shared.split_once('/') {
        Some((group, filter))
            if !group.is_empty() && !group.contains(['+', '#']) && !filter.is_empty() =>
        {
            // The whole of it is one MQTT string.
            check_filter(text)?;
            check_filter(filter).map(|()| (Some(group), filter))
        }
        _ => Err(FilterError::Share),
    }
}

/// Says whether `topic` is among those that `filter` names.
///
/// A filter that begins with a wildcard does not match `$SYS` and its like [MQTT-4.7.2-1].
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// Says whether there is a topic that both filters name.
#[must_use]
pub fn overlap(one: &str, other: &str) -> bool {
    let begins = |filter: &str, with: &[char]| filter.starts_with(with);
    let is_apart = |one, other| begins(one, &['$']) && begins(other, &['+', '#']);
    if is_apart(one, other) || is_apart(other, one) {
        return false;
    }
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(a), Some(b)) if a == "+" || b == "+" || a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests;

//! Which known word somebody may have meant.

/// The known word that is the same but for its case, one that begins so, or one that is at most two
/// letters off.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|word| {
            let folded = word.to_lowercase();
            let begins = name.len() >= 2 && folded.starts_with(&name);
            (if begins { 1 } else { strsim::levenshtein(&name, &folded) }, word)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, word)| *distance <= 2 && *distance < word.len().div_ceil(2))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests;

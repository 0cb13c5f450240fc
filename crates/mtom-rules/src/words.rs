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
            (if begins { 1 } else { distance(&name, &folded) }, word)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, word)| *distance <= 2 && *distance < word.len().div_ceil(2))
        .map(|(_, word)| word)
}

/// Levenshtein's.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let here = (diagonal + usize::from(x != *y)).min(left + 1).min(*cell + 1);
            (diagonal, left) = (*cell, here);
            *cell = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

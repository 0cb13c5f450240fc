//! Seconds in decimal, as JSON writes numbers, without the rounding of a float.

/// How many digits behind the point are kept: picoseconds.
const DIGITS: i32 = 12;
/// One second.
pub(super) const SECOND: i128 = 1_000_000_000_000;
/// Beyond any time: 10^20 seconds.
const MAX: i128 = SECOND * 100_000_000_000_000_000_000;

/// `1.2e3` in picoseconds; what is below is cut off. `None` when it is no number or no time.
pub(super) fn picos(text: &str) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Digits one after the other, until what they count is below a picosecond.
    let mut place = i32::try_from(whole.len()).ok()?.checked_add(exponent)?.checked_add(DIGITS)?;
    let mut sum: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        if place <= 0 {
            break;
        }
        place -= 1;
        sum = sum * 10 + i128::from(digit - b'0');
        if sum > MAX {
            return None;
        }
    }
    while place > 0 && sum != 0 {
        place -= 1;
        sum *= 10;
        if sum > MAX {
            return None;
        }
    }
    Some(sign * sum)
}

#[cfg(test)]
mod tests;

//! The switches that keep radios silent, as the kernel shows them.

use crate::bluetooth::trouble::Trouble;
use std::fs;
use std::path::Path;

/// One folder for each switch, with the files `type`, `soft` and `hard`.
pub(crate) const SWITCHES: &str = "/sys/class/rfkill";

/// Says whether a switch under `switches` keeps Bluetooth silent.
///
/// # Errors
/// [`Trouble::Blocked`] or [`Trouble::BlockedHard`].
pub(crate) fn check(switches: &Path) -> Result<(), Trouble> {
    // A system without such switches blocks nothing.
    let Ok(folders) = fs::read_dir(switches) else { return Ok(()) };
    for folder in folders.flatten() {
        let says = |file| fs::read_to_string(folder.path().join(file)).unwrap_or_default();
        if says("type").trim() != "bluetooth" {
            continue;
        }
        if says("hard").trim() == "1" {
            return Err(Trouble::BlockedHard);
        }
        if says("soft").trim() == "1" {
            return Err(Trouble::Blocked);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

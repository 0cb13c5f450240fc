//! What is in reach, for a person who looks for a device.

use super::trouble::Trouble;
use super::{SIGHTINGS_LEN, Sighting};
use std::pin::pin;
use tokio::sync::mpsc;

/// Tells `seen` of every device in reach, as often as something about it changes, until dropped.
///
/// # Errors
/// What keeps this computer from searching.
pub async fn scan(adapter: Option<&str>, mut seen: impl FnMut(Sighting)) -> Trouble {
    let (sender, mut sightings) = mpsc::channel(SIGHTINGS_LEN);
    let mut look = pin!(super::look(adapter, sender));
    loop {
        tokio::select! {
            biased;
            Some(sighting) = sightings.recv() => seen(sighting),
            trouble = &mut look => return trouble,
        }
    }
}

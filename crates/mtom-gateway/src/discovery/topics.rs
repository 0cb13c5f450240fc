//! The topics that discovered devices speak on. No I/O.

use std::collections::BTreeMap;

/// What is said on a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Of {
    pub(crate) readings: bool,
    /// Devices say there whether they are there.
    pub(crate) words: bool,
}

/// The topics, and what is said on each.
pub(crate) type Topics = BTreeMap<String, Of>;

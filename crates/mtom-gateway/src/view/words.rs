//! The words for states, one each, on the page, the terminal and the API.

use super::{Hop, LinkState, Trust};

impl LinkState {
    /// The word for it on the page, the terminal and the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Searching => "searching",
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Broken => "broken",
        }
    }
}

impl Trust {
    /// The word for it on the page, the terminal and the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Authenticated => "authenticated",
            Self::Unauthenticated => "unauthenticated",
            Self::WrongKey => "wrong key",
        }
    }
}

impl Hop {
    /// The word for it on the page, the terminal and the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Gateway => "gateway",
            Self::Forward => "forward",
            Self::Rules => "rules",
            Self::Actuator => "actuator",
        }
    }
}

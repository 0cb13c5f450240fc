//! Cookies: who can repeat one gets what is sent to its address.
//!
//! Nothing is kept for those who ask. A cookie is a tag over an address and a slot of time, made with a secret that
//! nobody outside knows; it is worth nothing from another address and forgotten with the process.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// A cookie is good for the slot that it was made in and for the next one.
pub(crate) const SLOT: Duration = Duration::from_secs(60);
/// Keeps these tags apart from all others.
const LABEL: &[u8] = b"mtom udp 1 cookie";
/// Bytes of a tag. Half of the hash, so that a request need not be long: it is still past guessing.
const TAG_LEN: usize = 16;

/// What cookies are made with.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Of bytes that nobody can guess.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Without the bytes: they shall stand in no log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Makes cookies and knows its own again.
pub(crate) struct Cookies {
    secret: Secret,
    /// Slots are counted from here.
    begun: Instant,
}

impl Cookies {
    pub(crate) const fn new(secret: Secret, begun: Instant) -> Self {
        Self { secret, begun }
    }

    /// The cookie of `address`, in hexadecimal digits.
    pub(crate) fn of(&self, address: SocketAddr, now: Instant) -> String {
        let tag = self.tagging(address, self.slot(now)).finalize().into_bytes();
        tag.iter().take(TAG_LEN).fold(String::with_capacity(2 * TAG_LEN), |mut text, byte| {
            // Writing into memory does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Whether `cookie` was given to `address`, and not too long ago.
    pub(crate) fn prove(&self, cookie: &str, address: SocketAddr, now: Instant) -> bool {
        let Some(tag) = unhex(cookie) else { return false };
        let slot = self.slot(now);
        let slots = [Some(slot), slot.checked_sub(1)];
        slots.into_iter().flatten().any(|slot| {
            // Takes as long however much of it is right.
            self.tagging(address, slot).verify_truncated_left(&tag).is_ok()
        })
    }

    fn slot(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begun).as_secs() / SLOT.as_secs()
    }

    fn tagging(&self, address: SocketAddr, slot: u64) -> Hmac<Sha256> {
        let (ip, scope) = match address {
            SocketAddr::V4(address) => (address.ip().to_ipv6_mapped(), 0),
            SocketAddr::V6(address) => (*address.ip(), address.scope_id()),
        };
        let mut tagging =
            Hmac::<Sha256>::new_from_slice(&self.secret.0).expect("a key of any length is taken");
        tagging.update(LABEL);
        tagging.update(&slot.to_be_bytes());
        tagging.update(&ip.octets());
        tagging.update(&scope.to_be_bytes());
        tagging.update(&address.port().to_be_bytes());
        tagging
    }
}

fn unhex(text: &str) -> Option<[u8; TAG_LEN]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * TAG_LEN {
        return None;
    }
    let mut bytes = [0; TAG_LEN];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(value).ok()?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;

//! How many files and sockets this process may have open: many systems start it with 1,024, and a
//! fleet or a house full of viewers needs more.

/// Raises the limit as far as is permitted without asking; says how many files there may be then,
/// `None` when there is no limit.
#[cfg(unix)]
pub(crate) fn allow_many() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Refused: it stays as it was, and whoever needs more says so.
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

/// Sockets are not counted so here.
#[cfg(not(unix))]
pub(crate) fn allow_many() -> Option<u64> {
    None
}

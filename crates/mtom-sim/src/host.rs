//! Device code on a host: one thread that all devices of a kind share, as they share one executor
//! on a chip.

use std::io;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_blocking};

/// Runs `work` on a thread of its own, with the time that device code asks for (`mtom-time`).
///
/// # Errors
/// When the thread's runtime cannot be had.
///
/// # Panics
/// As `work` does.
pub async fn on_own_thread<T, W>(work: W) -> io::Result<T>
where
    T: Send + 'static,
    W: AsyncFnOnce() -> T + Send + 'static,
{
    let thread = spawn_blocking(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(LocalSet::new().block_on(&runtime, mtom_time::run(work())))
    });
    match thread.await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Nobody cancels it.
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

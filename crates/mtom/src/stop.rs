//! How a command that serves is told to stop: the first Ctrl-C or SIGTERM lets it finish what is in
//! flight, the second ends the process at once. Both are heard before anything is announced.

use anyhow::{Context, Result};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a blocking call may still hold the process once everything has ended: a serial port
/// that hangs while it opens would hold it for ever.
const HANGING_MAX: Duration = Duration::from_secs(2);
/// As a shell reports a process that Ctrl-C ended.
const EXIT_AT_ONCE: i32 = 130;

/// Runs `work` on a runtime of its own and cancels its token when the user wants it to stop.
///
/// # Errors
/// When the runtime or the signal handlers cannot be had; otherwise what `work` returns.
pub(crate) fn until_told<T>(work: impl AsyncFnOnce(CancellationToken) -> T) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::new().context("cannot listen to signals")?;
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let stop = stop.clone();
            async move {
                signals.next().await;
                tracing::info!(
                    "stopping: what is in flight is stored first; once more to stop at once"
                );
                stop.cancel();
                signals.next().await;
                std::process::exit(EXIT_AT_ONCE);
            }
        });
        let outcome = work(stop).await;
        tasks.shutdown().await;
        Ok(outcome)
    });
    runtime.shutdown_timeout(HANGING_MAX);
    outcome
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    async fn next(&mut self) {
        let _ = self.interrupt.recv().await;
    }
}

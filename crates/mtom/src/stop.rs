//! How a command that serves is told to stop: the first Ctrl-C or SIGTERM lets it finish what is in
//! flight, the second ends the process at once. Both are heard before anything is announced.
//!
//! On Windows Ctrl-Break, a console window that is closed, the end of a session and a shutdown say the same. After
//! the last three Windows itself ends the process in some seconds, done or not; what was acknowledged is safe then too.

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
    interrupt_hard: tokio::signal::windows::CtrlBreak,
    closed: tokio::signal::windows::CtrlClose,
    logged_off: tokio::signal::windows::CtrlLogoff,
    shut_down: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};
        Ok(Self {
            interrupt: ctrl_c()?,
            interrupt_hard: ctrl_break()?,
            closed: ctrl_close()?,
            logged_off: ctrl_logoff()?,
            shut_down: ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.interrupt_hard.recv() => {}
            _ = self.closed.recv() => {}
            _ = self.logged_off.recv() => {}
            _ = self.shut_down.recv() => {}
        }
    }
}

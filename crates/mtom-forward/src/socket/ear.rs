//! Asks a socket what has come only when something has, and hears when a shared write was not taken whole.
//!
//! A viewer's task that writes much itself runs for each batch. Without this each run would also go all the way to
//! the socket to find that nothing was said, which costs a third as much as the write.

use futures_util::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// What is woken when the other side says something.
pub(super) struct Ear {
    shared: Arc<Shared>,
    waker: Waker,
}

// Not the socket itself: that keeps the waker, and would keep itself.
#[derive(Default)]
struct Shared {
    has_come: AtomicBool,
    is_called: AtomicBool,
    /// Whom to tell.
    task: AtomicWaker,
}

impl Ear {
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared { has_come: AtomicBool::new(true), ..Shared::default() });
        Self { waker: Waker::from(Arc::clone(&shared)), shared }
    }

    /// Polls `listen` when something may have come since it was pending. Whatever reads from the socket has to go
    /// through here: who polls it in another way takes the ear's place there.
    pub(super) fn poll<T>(
        &self,
        cx: &Context<'_>,
        listen: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // Before the look: what comes in between is seen or wakes.
        self.shared.task.register(cx.waker());
        if !self.shared.has_come.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let heard = listen(&mut Context::from_waker(&self.waker));
        if heard.is_ready() {
            // There may be more.
            self.shared.has_come.store(true, Ordering::Release);
        }
        heard
    }

    /// Has whoever polls look whether it was called.
    pub(super) fn call(&self) {
        self.shared.is_called.store(true, Ordering::Release);
        self.shared.task.wake();
    }

    /// Whether it was called since the last time. To be asked after [`Ear::poll`], so that the next call wakes.
    pub(super) fn was_called(&self) -> bool {
        self.shared.is_called.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_come.store(true, Ordering::Release);
        self.task.wake();
    }
}

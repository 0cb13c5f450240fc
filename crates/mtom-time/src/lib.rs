//! The time of embedded code on a host: `embassy-time` on tokio's clock.
//!
//! Device code asks `embassy_time` for the time and for timers. On a chip its HAL answers; here
//! tokio does, so that thousands of devices share one thread, and a test that pauses tokio's clock
//! has paused the devices too.
//!
//! What surprises: time and timers belong to a thread. Everything that uses them must run inside
//! [`run`], on a current-thread runtime or a `LocalSet`; a timer set outside never fires.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

embassy_time_driver::time_driver_impl!(static DRIVER: Driver = Driver);

thread_local! {
    static TIMERS: RefCell<Timers> = RefCell::new(Timers::default());
    static EARLIER: Rc<Notify> = Rc::new(Notify::new());
}

/// Runs `work` with working timers, until it ends.
pub async fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        done = work => done,
        () = fire() => unreachable!("timers are fired for ever"),
    }
}

/// Wakes what is due, for ever.
async fn fire() {
    loop {
        let next = TIMERS.with_borrow_mut(|timers| {
            let now = timers.now();
            timers.wake_due(now);
            timers.next()
        });
        let earlier = EARLIER.with(Rc::clone);
        match next {
            Some(at) => {
                tokio::select! {
                    () = sleep_until(at) => {}
                    () = earlier.notified() => {}
                }
            }
            None => earlier.notified().await,
        }
    }
}

/// What `embassy-time` calls.
struct Driver;

impl embassy_time_driver::Driver for Driver {
    fn now(&self) -> u64 {
        TIMERS.with_borrow_mut(|timers| timers.now())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        if TIMERS.with_borrow_mut(|timers| timers.set(at, waker)) {
            EARLIER.with(|earlier| earlier.notify_one());
        }
    }
}

/// One entry for each task, as with every driver of `embassy-time`: a task that is woken looks at
/// all of its timers and sets those again that are not due.
#[derive(Default)]
struct Timers {
    /// Tick 0 of this thread.
    zero: Option<Instant>,
    by_task: HashMap<Task, (u64, Waker)>,
    by_time: BTreeSet<(u64, Task)>,
}

/// Tells two wakers apart: what they wake and how.
type Task = (usize, usize);

impl Timers {
    /// Ticks since [`Timers::zero`]; a tick is a microsecond.
    fn now(&mut self) -> u64 {
        let now = Instant::now();
        let zero = *self.zero.get_or_insert(now);
        u64::try_from(now.saturating_duration_since(zero).as_micros()).unwrap_or(u64::MAX)
    }

    /// True when this is now the first timer of all.
    fn set(&mut self, at: u64, waker: &Waker) -> bool {
        let task = (waker.data() as usize, std::ptr::from_ref(waker.vtable()) as usize);
        match self.by_task.get_mut(&task) {
            Some((already, _)) if *already <= at => return false,
            Some((already, _)) => {
                self.by_time.remove(&(*already, task));
                *already = at;
            }
            None => {
                self.by_task.insert(task, (at, waker.clone()));
            }
        }
        self.by_time.insert((at, task));
        self.by_time.first() == Some(&(at, task))
    }

    fn wake_due(&mut self, now: u64) {
        while let Some(&(at, task)) = self.by_time.first()
            && at <= now
        {
            self.by_time.pop_first();
            if let Some((_, waker)) = self.by_task.remove(&task) {
                waker.wake();
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        let (at, _) = self.by_time.first()?;
        // Further away than a clock can count is never.
        self.zero?.checked_add(Duration::from_micros(*at))
    }
}

#[cfg(test)]
mod tests;

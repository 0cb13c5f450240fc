//! The journal and the history: the only SQL of mtom.
//!
//! [`journal::Journal`] is the one writer of a file, blocking, on a thread of its own. What a
//! [`batch::Batch`] holds is on disk when its `commit` returns, and not at all when that fails.
//! [`history::History`] reads the same file from any thread, each call in its own short
//! transaction.
//!
//! [`maria`] brings what the journal holds to a MariaDB server and reads it there.
//!
//! A file that is damaged, of a newer version or in use is refused and left as it is.
//! Texts and numbers from outside reach SQL only as bound parameters.

pub mod backup;
pub mod batch;
pub mod error;
mod file;
pub mod history;
pub mod journal;
pub mod latency;
pub mod lineage;
mod log;
pub mod maria;
mod migrations;
mod names;
pub mod record;
pub mod retention;
mod rollup;
mod seen;

#[cfg(test)]
mod testing;

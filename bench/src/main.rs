//! Measures the real binary, and the store by itself, beside peers and floors, in one run on one computer.
//!
//! A figure alone says more about the computer than about mtom, so each comes with the figure of
//! something comparable, taken in turn with it over several rounds; ratios are of one round and the
//! median counts. Load, peers and floors are processes of their own. What was acknowledged must be
//! stored and what was published must be delivered: otherwise there is an error and no table.
//!
//! A missed target is printed, not an error: a busy computer can miss any. Linux only (`/proc`).
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark talks to the person who typed it"
)]

#[cfg(target_os = "linux")]
mod linux {
    pub(crate) mod bare;
    pub(crate) mod counter;
    pub(crate) mod crowd;
    pub(crate) mod drain;
    pub(crate) mod fleet;
    pub(crate) mod floors;
    pub(crate) mod folder;
    pub(crate) mod generate;
    pub(crate) mod history;
    pub(crate) mod hostile;
    pub(crate) mod idle;
    pub(crate) mod ingest;
    pub(crate) mod latency;
    pub(crate) mod load;
    pub(crate) mod many;
    pub(crate) mod mariadb;
    pub(crate) mod mosquitto;
    pub(crate) mod mqtt;
    pub(crate) mod mtom;
    pub(crate) mod page;
    pub(crate) mod plain;
    pub(crate) mod proc;
    pub(crate) mod replay;
    pub(crate) mod role;
    pub(crate) mod rules;
    pub(crate) mod run;
    pub(crate) mod stalled;
    pub(crate) mod store;
    pub(crate) mod table;
    pub(crate) mod viewers;
    pub(crate) mod watch;
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match linux::run::run(&words) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("bench: it reads CPU time and memory from /proc, so it runs on Linux only");
    std::process::ExitCode::FAILURE
}

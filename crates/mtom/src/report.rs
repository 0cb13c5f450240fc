//! The only place that writes to the terminal outside the log and the full-screen view.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks here")]

use crate::config::Problem;
use std::io::{IsTerminal, Write};

/// A line of output.
pub(crate) fn line(text: &str) {
    // A closed pipe (`mtom config default | head`) is not worth a panic.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A question, at whose end the answer is typed.
pub(crate) fn ask(question: &str) {
    let mut out = std::io::stdout();
    let _ = write!(out, "{question}").and_then(|()| out.flush());
}

/// A line beside the output, which may go into a file.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A line about a failure.
pub(crate) fn error(text: &str) {
    let _ = writeln!(std::io::stderr(), "mtom: {text}");
}

/// All that is wrong with a configuration.
pub(crate) fn problems(name: &str, problems: &[Problem]) -> String {
    let count = match problems.len() {
        1 => "1 mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    let mut text = format!("{count} in {name}:");
    for problem in problems {
        text.push_str(&format!("\n  {problem}"));
    }
    text
}

/// Starts the log on standard error. `RUST_LOG=mtom=debug` overrides the level.
pub(crate) fn log(level: tracing::Level) {
    let default = format!("warn,rmqtt=error,mtom={level}");
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
    if started.is_err() {
        error("the log was started already");
    }
}

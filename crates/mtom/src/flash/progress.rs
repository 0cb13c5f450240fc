//! How far the write is: a bar on a terminal, a line for every tenth elsewhere.

use crate::report;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mtom_flash::loader::Progress;
use std::io::IsTerminal;

/// Clones show the same bar.
#[derive(Clone)]
pub(super) struct Shown {
    bar: Option<ProgressBar>,
    /// The last tenth that was said.
    tenth: u8,
}

impl Shown {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            match ProgressStyle::with_template(
                "writing {bar:40} {percent:>3} % {bytes}/{total_bytes} {eta}",
            ) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { bar, tenth: 0 }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(progress.total as u64);
            bar.set_position(progress.written as u64);
            return;
        }
        let tenth = progress.percent() / 10;
        if tenth > self.tenth {
            self.tenth = tenth;
            report::line(&format!("writing {} %", tenth * 10));
        }
    }

    /// Takes the bar away, also under a write that goes on: the line is for whatever comes next.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

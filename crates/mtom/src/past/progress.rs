//! How far a long copy is: a bar on a terminal, a line for every tenth elsewhere. Both on standard error:
//! what is copied may go to standard output.

use crate::report;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    word: &'static str,
    /// The last tenth that was said.
    tenth: u64,
}

impl Progress {
    /// `word` is what is done, as in `exporting`.
    pub(crate) fn new(word: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let template = "{msg} {bar:40} {percent:>3} % {human_pos}/{human_len} {eta}";
            let bar = match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            };
            bar.with_message(word)
        });
        Self { bar, word, tenth: 0 }
    }

    pub(crate) fn show(&mut self, done: u64, of: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(done);
            return;
        }
        let tenth = done.saturating_mul(10).checked_div(of).unwrap_or(0).min(10);
        if tenth > self.tenth {
            self.tenth = tenth;
            report::note(&format!("{} {} %", self.word, tenth * 10));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

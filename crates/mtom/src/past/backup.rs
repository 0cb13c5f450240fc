//! `mtom backup` and `mtom restore`.

use super::arguments::{Backup, Restore};
use super::progress::Progress;
use super::with_journal;
use crate::{Failure, report};
use mtom_store::backup::{self, Summary};

pub(crate) fn back_up(arguments: &Backup) -> Result<(), Failure> {
    with_journal(&arguments.place, |_, path| {
        let mut progress = Progress::new("copying");
        let summary =
            backup::back_up(&path, &arguments.file, |pages, of| progress.show(pages, of))?;
        drop(progress);
        report::line(&format!(
            "{}: {}; opened and compared with the history: the same",
            arguments.file.display(),
            holds(&summary)
        ));
        Ok(())
    })
}

pub(crate) fn restore(arguments: &Restore) -> Result<(), Failure> {
    with_journal(&arguments.place, |_, path| {
        let summary = backup::restore(&arguments.file, &path, arguments.force)?;
        report::line(&format!("{} holds {} again", path.display(), holds(&summary)));
        Ok(())
    })
}

fn holds(summary: &Summary) -> String {
    format!(
        "{} readings, {} rejects, {} commands, {} KB",
        summary.readings,
        summary.rejects,
        summary.commands,
        summary.len.div_ceil(1_000)
    )
}

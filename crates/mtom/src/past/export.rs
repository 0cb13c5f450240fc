//! `mtom export`: readings into a file that others read, in the order of time.

use super::arguments::Export;
use super::progress::Progress;
use super::{query, with_history};
use crate::{Failure, clock, report};
use anyhow::Context;
use jiff::tz::TimeZone;
use mtom_exchange::format::Format;
use mtom_exchange::record::Record;
use mtom_exchange::writer::{WriteError, Writer};
use mtom_protocol::reading::StoredReading;
use mtom_store::history::{History, PAGE_LEN_MAX, PageQuery};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

pub(crate) fn run(arguments: &Export) -> Result<(), Failure> {
    let Some(format) = arguments.format.or_else(|| Format::of_path(&arguments.file)) else {
        return Err(Failure::Usage(format!(
            "{}: the extension names no format: add --format csv, jsonl, parquet, lp or senml",
            arguments.file.display()
        )));
    };
    if arguments.file.exists() && !arguments.force {
        return Err(Failure::Usage(format!(
            "{} exists: choose another name, or replace it with --force",
            arguments.file.display()
        )));
    }
    with_history(&arguments.place, |history| {
        let query = query(&arguments.selection, (clock::system())(), &TimeZone::system());
        // It has its name only when it is whole.
        let partial = beside(&arguments.file, ".part");
        let written = write(&history, query, format, &partial)?;
        fs::rename(&partial, &arguments.file)
            .with_context(|| format!("cannot write {}", arguments.file.display()))?;
        report::line(&format!("{}: {written} readings as {format}", arguments.file.display()));
        Ok(())
    })
}

fn write(
    history: &History,
    query: PageQuery,
    format: Format,
    path: &Path,
) -> Result<u64, anyhow::Error> {
    let cannot = || format!("cannot write {}", path.display());
    let file = File::create(path).with_context(cannot)?;
    let mut writer = Writer::new(format, file).with_context(cannot)?;
    let mut progress = Progress::new("exporting");
    let total = history.counts()?.stored;
    let end = each(history, query, |stored| {
        put(&mut writer, stored)?;
        if writer.written().is_multiple_of(1_000) {
            progress.show(writer.written(), total);
        }
        Ok(())
    });
    end.with_context(cannot)?;
    let written = writer.written();
    let file = writer.finish().with_context(cannot)?;
    file.sync_all().with_context(cannot)?;
    Ok(written)
}

/// Gives every reading of the query to `take`, page after page, so that no transaction is long.
pub(super) fn each(
    history: &History,
    mut query: PageQuery,
    mut take: impl FnMut(StoredReading) -> Result<(), WriteError>,
) -> Result<(), anyhow::Error> {
    query.limit = PAGE_LEN_MAX;
    loop {
        let page = history.page(&query)?;
        for stored in page.rows {
            take(stored)?;
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(()),
        }
    }
}

pub(super) fn put<W: Write + Send>(
    writer: &mut Writer<W>,
    stored: StoredReading,
) -> Result<(), WriteError> {
    writer.write(&Record::from(stored))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

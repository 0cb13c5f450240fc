//! Archives that are the same bytes whenever and wherever they are made: sorted, of nobody, of one time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::programs;
use crate::repo::Repo;

/// A file in an archive.
pub(super) struct Entry {
    bytes: Vec<u8>,
    mode: u32,
}

impl Entry {
    /// What can be started.
    pub(super) fn program(bytes: Vec<u8>) -> Self {
        Self { bytes, mode: 0o755 }
    }

    /// What can be read.
    pub(super) fn text(bytes: Vec<u8>) -> Self {
        Self { bytes, mode: 0o644 }
    }
}

/// By the path in the archive, with `/`.
pub(super) type Files = BTreeMap<String, Entry>;

/// When all files in an archive were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    unix_seconds: u64,
    /// Year, month, day, hour, minute, second in UTC.
    civil: [u16; 6],
}

impl Moment {
    /// A zip file knows none before.
    const FIRST: Self = Self { unix_seconds: 315_532_800, civil: [1980, 1, 1, 0, 0, 0] };

    /// That of the last commit; the first there is where the sources are no work tree of git.
    pub(super) fn of_commit(repo: &Repo) -> Self {
        let ask = || {
            let mut git = repo.program("git")?;
            git.env("TZ", "UTC").args(["log", "-1", "--format=%ct %cd"]);
            programs::stdout_of(git.arg("--date=format-local:%Y %m %d %H %M %S"))
        };
        let said = ask().unwrap_or_default();
        Self::read(&String::from_utf8_lossy(&said)).unwrap_or(Self::FIRST)
    }

    fn read(said: &str) -> Option<Self> {
        let mut words = said.split_whitespace();
        let unix_seconds = words.next()?.parse().ok()?;
        let civil: Vec<u16> = words.map_while(|word| word.parse().ok()).collect();
        Some(Self { unix_seconds, civil: civil.try_into().ok()? })
    }

    fn in_zip(self) -> DateTime {
        let [year, rest @ ..] = self.civil;
        let [month, day, hour, minute, second] =
            rest.map(|number| u8::try_from(number).unwrap_or(u8::MAX));
        DateTime::from_date_and_time(year, month, day, hour, minute, second).unwrap_or_default()
    }
}

/// All files below `folder`.
pub(super) fn tar_gz(folder: &str, files: &Files, moment: Moment) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (path, entry) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(entry.bytes.len())?);
        header.set_mode(entry.mode);
        header.set_mtime(moment.unix_seconds);
        tar.append_data(&mut header, format!("{folder}/{path}"), entry.bytes.as_slice())?;
    }
    Ok(tar.into_inner()?.finish()?)
}

/// The same as a zip file.
pub(super) fn zip(folder: &str, files: &Files, moment: Moment) -> Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, entry) in files {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(moment.in_zip())
            .unix_permissions(entry.mode);
        zip.start_file(format!("{folder}/{path}"), options)?;
        zip.write_all(&entry.bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Unpacks either into `dir`.
pub(super) fn unpack(archive: &Path, dir: &Path) -> Result<()> {
    let name = archive.to_string_lossy();
    let file = fs::File::open(archive).with_context(|| format!("cannot open {name}"))?;
    if name.ends_with(".zip") {
        ZipArchive::new(file)?.extract(dir)?;
    } else if name.ends_with(".tar.gz") {
        tar::Archive::new(GzDecoder::new(file)).unpack(dir)?;
    } else {
        bail!("{name} is neither .tar.gz nor .zip");
    }
    Ok(())
}

#[cfg(test)]
mod tests;

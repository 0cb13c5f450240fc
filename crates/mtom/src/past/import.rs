//! `mtom import`: readings of files and of the original's database into the journal.
//!
//! What was taken and how far it came are one transaction, so an import that was cut goes on where it
//! was. What is no reading is kept among the rejects, with its number and its reason.

use super::arguments::{Import as Arguments, Precision};
use super::progress::Progress;
use super::with_journal;
use crate::config::Config;
use crate::{Failure, clock, report};
use anyhow::Context;
use jiff::tz::TimeZone;
use mtom_exchange::format::Format;
use mtom_exchange::reader::Reader;
use mtom_exchange::record::{self, Defaults, Record};
use mtom_gateway::Clock;
use mtom_protocol::unit::Unit;
use mtom_store::journal::Journal;
use mtom_store::maria::{Limits, TempRow, TempTable, Url, chain};
use mtom_store::record::{ImportRow, Reject, Stored};
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Entries of one transaction.
const BATCH_LEN: u64 = 5_000;
/// A file is recognised by its name and by this much of its beginning.
const HEAD_LEN: u64 = 4_096;
/// The word of a reject that came from a file.
const CODE: &str = "import";
/// Rows of the other database that wait for the journal. Full: the database waits.
const ROWS_LEN: usize = 1_000;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let defaults = defaults(arguments)?;
    with_journal(&arguments.place, |config, path| {
        let clock = clock::system();
        let open = |source: &str| {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))
                .with_context(|| format!("cannot make the folder of {}", path.display()))?;
            let journal = Journal::open(&path, clock())?;
            Import::begin(journal, source, arguments.again, Arc::clone(&clock))
        };
        if Url::is_meant(&arguments.from) {
            let source = TableSource::new(arguments, &config, defaults)?;
            let mut import = open(&source.id)?;
            source.copy(&mut import)?;
            return import.end();
        }
        let source = FileSource::open(arguments, defaults)?;
        let mut import = open(&source.id)?;
        source.copy(&mut import)?;
        import.end()
    })
}

/// What counts where lines leave something out.
fn defaults(arguments: &Arguments) -> Result<Defaults, Failure> {
    let zone = match &arguments.zone {
        None => TimeZone::system(),
        Some(name) => TimeZone::get(name).map_err(|_| {
            Failure::Usage(format!("--zone {name}: expected a name as in Europe/Berlin or UTC"))
        })?,
    };
    Ok(Defaults {
        device: Some(Arc::from(arguments.device.as_str())),
        quantity: Some(Arc::from(arguments.quantity.as_str())),
        unit: arguments.unit,
        zone,
        precision: match arguments.precision {
            Precision::Ns => record::Precision::Nanoseconds,
            Precision::Us => record::Precision::Microseconds,
            Precision::Ms => record::Precision::Milliseconds,
            Precision::S => record::Precision::Seconds,
        },
        now: None,
    })
}

/// A file that is read.
struct FileSource {
    id: String,
    path: PathBuf,
    format: Format,
    defaults: Defaults,
}

impl FileSource {
    fn open(arguments: &Arguments, defaults: Defaults) -> Result<Self, Failure> {
        let path = PathBuf::from(&arguments.from);
        let Some(format) = arguments.format.or_else(|| Format::of_path(&path)) else {
            return Err(Failure::Usage(format!(
                "{}: the extension names no format: add --format csv, jsonl, parquet, lp or senml",
                path.display()
            )));
        };
        let cannot = || format!("cannot read {}", path.display());
        let mut head = Vec::new();
        let file = File::open(&path).with_context(cannot)?;
        file.take(HEAD_LEN).read_to_end(&mut head).with_context(cannot)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let id = format!("{format}:{name}:{:016x}", fingerprint(&head));
        Ok(Self { id, path, format, defaults })
    }

    fn copy(self, import: &mut Import) -> Result<(), Failure> {
        let cannot = || format!("cannot read {}", self.path.display());
        let file = File::open(&self.path).with_context(cannot)?;
        let len = file.metadata().with_context(cannot)?.len();
        // Shares its place with the file that is read: that is how far it is.
        let mut place = file.try_clone().with_context(cannot)?;
        let mut reader = Reader::open(self.format, file, self.defaults).with_context(cannot)?;
        let begin = import.row.position;
        if !reader.skip_to(begin).with_context(cannot)? {
            return Err(Failure::Usage(format!(
                "{} is shorter than it was: {begin} entries of it were brought in before; bring \
                 in the new file under another name, or all of it with --again",
                self.path.display()
            )));
        }
        let mut progress = Progress::new("importing");
        for entry in &mut reader {
            let entry = entry.with_context(cannot)?;
            match entry.record {
                Ok(record) => import.take(record, entry.position)?,
                Err(bad) => {
                    let reason = format!("{} {}: {}", bad.place, bad.number, bad.reason);
                    import.refuse(&bad.head, &reason, entry.position)?;
                }
            }
            if import.is_at_batch() {
                progress.show(place.stream_position().unwrap_or(0), len);
            }
        }
        Ok(())
    }
}

/// The table `temp` of an original system, which is only read.
struct TableSource {
    id: String,
    url: Url,
    password: Option<String>,
    defaults: Defaults,
}

impl TableSource {
    fn new(arguments: &Arguments, config: &Config, defaults: Defaults) -> Result<Self, Failure> {
        let url: Url = arguments
            .from
            .parse()
            // Not the address itself: somebody may have put a password into it.
            .map_err(|error| Failure::Usage(format!("the address of the database: {error}")))?;
        let password = match &arguments.password_file {
            None => config.store.password.clone(),
            Some(path) => {
                let text = fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                Some(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        };
        let id = format!("mysql:{}/{}/temp", url.address(), url.database);
        Ok(Self { id, url, password, defaults })
    }

    fn copy(self, import: &mut Import) -> Result<(), Failure> {
        let Self { url, password, defaults, .. } = self;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        runtime.block_on(async {
            let limits = Limits::default();
            let table = TempTable::open(&url, password.as_deref(), limits)
                .await
                .map_err(|error| anyhow::anyhow!(chain(&error)))?;
            let total = table.len();
            let (sender, mut rows) = mpsc::channel(ROWS_LEN);
            let zone = defaults.zone.clone();
            let begin = import.row.position;
            let reading = async move { table.rows(begin, &zone, &sender).await };
            let taking = async {
                let mut progress = Progress::new("importing");
                while let Some(row) = rows.recv().await {
                    take_row(import, row, &defaults)?;
                    if import.is_at_batch() {
                        progress.show(import.row.position, total);
                    }
                }
                Ok::<(), Failure>(())
            };
            let (read, taken) = tokio::join!(reading, taking);
            taken?;
            read.map_err(|error| anyhow::anyhow!(chain(&error)))?;
            Ok(())
        })
    }
}

fn take_row(import: &mut Import, row: TempRow, defaults: &Defaults) -> Result<(), Failure> {
    match row {
        TempRow::Reading { number, at, celsius } => {
            let name = |name: &Option<Arc<str>>| name.clone().unwrap_or_else(|| "temp".into());
            let (device, quantity) = (name(&defaults.device), name(&defaults.quantity));
            let record = Record {
                id: None,
                at,
                arrived_at: None,
                taken_at: Some(at),
                suspect: false,
                topic: format!("{device}/{quantity}").into(),
                device,
                quantity,
                value: celsius,
                unit: Unit::Celsius,
                key: None,
            };
            import.take(record, number)
        }
        TempRow::Bad { number, reason } => {
            import.refuse("", &format!("row {number}: {reason}"), number)
        }
    }
}

/// FNV-1a: it tells files apart and protects from nobody.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// An import under way.
struct Import {
    journal: Journal,
    clock: Clock,
    row: ImportRow,
    /// How it stood when this run began.
    before: ImportRow,
    waiting: Vec<Result<Record, (String, String)>>,
}

impl Import {
    fn begin(journal: Journal, source: &str, again: bool, clock: Clock) -> Result<Self, Failure> {
        let now = clock();
        let fresh = || ImportRow {
            source: source.to_owned(),
            position: 0,
            stored: 0,
            duplicate: 0,
            bad: 0,
            began_at: now,
            ended_at: None,
        };
        let row = match journal.history().import(source)? {
            Some(row) if !again => {
                let how = match row.ended_at {
                    Some(at) => format!("was brought in until {}", at.rfc3339()),
                    None => "was cut off".to_owned(),
                };
                report::note(&format!(
                    "{how}: going on behind entry {} ({} readings so far)",
                    row.position, row.stored
                ));
                ImportRow { ended_at: None, ..row }
            }
            _ => fresh(),
        };
        Ok(Self { journal, clock, before: row.clone(), row, waiting: Vec::new() })
    }

    fn take(&mut self, record: Record, position: u64) -> Result<(), Failure> {
        self.add(Ok(record), position)
    }

    fn refuse(&mut self, head: &str, reason: &str, position: u64) -> Result<(), Failure> {
        self.add(Err((head.to_owned(), reason.to_owned())), position)
    }

    fn add(
        &mut self,
        entry: Result<Record, (String, String)>,
        position: u64,
    ) -> Result<(), Failure> {
        self.waiting.push(entry);
        self.row.position = position;
        if self.is_at_batch() { self.write() } else { Ok(()) }
    }

    fn is_at_batch(&self) -> bool {
        self.row.position.is_multiple_of(BATCH_LEN)
    }

    /// One transaction.
    fn write(&mut self) -> Result<(), Failure> {
        let now = (self.clock)();
        let mut batch = self.journal.begin()?;
        for entry in self.waiting.drain(..) {
            let refused = match entry {
                Ok(record) if record.at.0 < 0 => {
                    Some((String::new(), "the time is before 1970".to_owned()))
                }
                Ok(record) => {
                    match batch.import(&plain(record).into_stored(0))? {
                        Stored::New(_) => self.row.stored += 1,
                        Stored::Duplicate => self.row.duplicate += 1,
                    }
                    None
                }
                Err(bad) => Some(bad),
            };
            if let Some((head, reason)) = refused {
                self.row.bad += 1;
                batch.reject(&Reject {
                    topic: &self.row.source,
                    payload: head.as_bytes(),
                    code: CODE,
                    reason: &reason,
                    arrived_at: now,
                })?;
            }
        }
        batch.import_progress(&self.row)?;
        batch.commit()?;
        Ok(())
    }

    fn end(mut self) -> Result<(), Failure> {
        self.row.ended_at = Some((self.clock)());
        self.write()?;
        let stored = self.row.stored - self.before.stored;
        let duplicate = self.row.duplicate - self.before.duplicate;
        let bad = self.row.bad - self.before.bad;
        report::line(&format!(
            "{stored} readings are new, {duplicate} were there already, {bad} were no readings"
        ));
        if bad > 0 {
            report::line(
                "each of those is kept with its number and its reason: mtom history --rejects",
            );
        }
        if stored + duplicate + bad == 0 && self.before.position > 0 {
            report::line("there was nothing new in it; --again brings in all of it once more");
        }
        Ok(())
    }
}

/// A time of a file is the device's own where the file does not say how it came to be.
fn plain(mut record: Record) -> Record {
    if record.arrived_at.is_none() && record.taken_at.is_none() {
        record.taken_at = Some(record.at);
    }
    if !record.suspect && record.taken_at.is_some_and(|taken_at| taken_at != record.at) {
        record.taken_at = Some(record.at);
    }
    record
}

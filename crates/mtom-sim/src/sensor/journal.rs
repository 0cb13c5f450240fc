//! What every simulated sensor did, as a file of JSON lines: the witness from outside of every test
//! that asks whether something was lost.
//!
//! `{"at_micros":…,"device":"sim-1","event":"acknowledged","boot":"…","seq":7,"celsius":23.4}`. A
//! reading's life is `measured`, `sent` (with `fate` when something was done to it on its way:
//! `garbled`, `doubled` or `late`), `acknowledged`, or else `given_up` (no room) or `lost` (in
//! memory when the power went).

use mtom_device::record::Record;
use mtom_protocol::time::UnixMicros;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// The file, shared by all sensors of one thread.
#[derive(Debug)]
pub struct Journal {
    file: RefCell<BufWriter<File>>,
    failed: RefCell<Option<io::Error>>,
}

impl Journal {
    /// A new file; an old one is written over.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        Ok(Self { file: RefCell::new(file), failed: RefCell::new(None) })
    }

    /// Brings what was written to the file.
    pub fn flush(&self) {
        let flushed = self.file.borrow_mut().flush();
        self.note(flushed);
    }

    /// Brings the rest to the file.
    ///
    /// # Errors
    /// The first that happened: the journal is not whole then.
    pub fn close(self) -> io::Result<()> {
        self.flush();
        self.failed.into_inner().map_or(Ok(()), Err)
    }

    pub(super) fn reading(
        &self,
        at: UnixMicros,
        device: &str,
        event: &str,
        record: &Record,
        fate: Option<&str>,
    ) {
        let Record { boot, seq, celsius, .. } = record;
        let fate = fate.map(|fate| format!(",\"fate\":\"{fate}\"")).unwrap_or_default();
        self.line(format_args!(
            "{{\"at_micros\":{},\"device\":\"{device}\",\"event\":\"{event}\",\"boot\":\"{boot:016x}\",\
             \"seq\":{seq},\"celsius\":{celsius}{fate}}}",
            at.0
        ));
    }

    /// Something that is about no reading. `event` is one of our own words.
    pub(super) fn happened(&self, at: UnixMicros, device: &str, event: &str) {
        let at = at.0;
        self.line(format_args!(
            "{{\"at_micros\":{at},\"device\":\"{device}\",\"event\":\"{event}\"}}"
        ));
    }

    fn line(&self, line: std::fmt::Arguments<'_>) {
        let written = writeln!(self.file.borrow_mut(), "{line}");
        self.note(written);
    }

    fn note(&self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failed.borrow_mut().get_or_insert(error);
        }
    }
}

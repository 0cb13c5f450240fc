//! The keys of devices: files that hold one each, 64 hexadecimal digits.
//!
//! A key never stands in a configuration, on a command line or in a log.

use crate::{Failure, cli, report};
use anyhow::Context;
use mtom_protocol::link::keyed::{KEY_LEN, Key};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Reads the text of a key file.
pub(crate) fn parse(path: &Path, text: io::Result<String>) -> Result<Key, String> {
    let text = text.map_err(|cause| format!("cannot read {}: {cause}", path.display()))?;
    let key = Key::parse(&text);
    key.map_err(|error| format!("{}: {error}; mtom actuator key makes one", path.display()))
}

/// Reads a key file.
pub(crate) fn read(path: &Path) -> Result<Key, String> {
    parse(path, std::fs::read_to_string(path))
}

/// `mtom actuator key`: writes a new key into a new file.
pub(crate) fn make(arguments: &cli::NewKey) -> Result<(), Failure> {
    let path = arguments.file.display();
    let mut bytes = [0; KEY_LEN];
    getrandom::fill(&mut bytes).context("this system gives no random numbers")?;
    let mut file = match create(&arguments.file) {
        // Whatever stands there may be the key of a device: it would be lost.
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Failure::Usage(format!("{path} is there already: expected a new file")));
        }
        created => created.with_context(|| format!("cannot write {path}"))?,
    };
    writeln!(file, "{}", Key::new(bytes).digits())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {path}"))?;
    report::line(&format!("wrote {path}: a key that only you can read"));
    report::line(&format!("to the device:  mtom flash actuator --key-file {path}"));
    report::line(&format!(
        "to the gateway: key_file = {:?} under its [[actuator]]",
        path.to_string()
    ));
    Ok(())
}

#[cfg(unix)]
fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Who may read it is what its folder says.
#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests;

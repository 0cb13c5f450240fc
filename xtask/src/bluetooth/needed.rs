//! Which shared libraries a program needs, by its dynamic section, and whether they are there.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::FileHeader as _;

/// The libraries that `program` names.
pub(crate) fn named_by(program: &[u8]) -> object::read::Result<Vec<String>> {
    let header = FileHeader64::<Endianness>::parse(program)?;
    let endian = header.endian()?;
    let table = header.sections(endian, program)?.dynamic_table(endian, program)?;
    let mut names = Vec::new();
    for entry in table.iter().filter(|entry| entry.tag == DT_NEEDED) {
        names.push(String::from_utf8_lossy(table.string(entry)?).into_owned());
    }
    Ok(names)
}

/// Every library that `programs` need, directly or through another, found with `find`.
pub(crate) fn all_of(
    programs: &[PathBuf],
    find: impl Fn(&str) -> Option<PathBuf>,
) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut open: VecDeque<PathBuf> = programs.iter().cloned().collect();
    while let Some(file) = open.pop_front() {
        for name in of_file(&file)? {
            let library = find(&name).with_context(|| {
                format!("{} needs {name}, which no package has", file.display())
            })?;
            if found.insert(library.clone()) {
                open.push_back(library);
            }
        }
    }
    Ok(found)
}

fn of_file(file: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(file).with_context(|| format!("no file {}", file.display()))?;
    named_by(&bytes).with_context(|| format!("{} is no program", file.display()))
}

#[cfg(test)]
mod tests;

//! On the test's own program.

use std::path::PathBuf;

use super::{all_of, named_by};

#[test]
fn a_rust_program_needs_the_c_library() {
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED: the programs of this system are no ELF files");
        return;
    }
    let own = std::env::current_exe().unwrap();
    let names = named_by(&std::fs::read(&own).unwrap()).unwrap();
    assert!(names.iter().any(|name| name.starts_with("libc.")), "{names:?}");
    let error = all_of(&[own], |_| None).unwrap_err().to_string();
    assert!(error.contains("which no package has"), "{error}");
}

#[test]
fn a_text_is_no_program() {
    assert!(named_by(b"#!/bin/sh\n").is_err());
    let text = PathBuf::from(file!()).file_name().map(PathBuf::from).unwrap();
    assert!(all_of(&[text], |_| None).is_err());
}

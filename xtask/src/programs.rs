//! Starting other programs: found by name, run in the open, failing with their own name.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Where servers live on Debian; a person's PATH often leaves it out.
const SERVER_DIRS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"];

/// What cargo tells the program it runs. A cargo inside would take it for a changed environment and
/// build again whatever watches these.
const CARGO_OWN_PREFIXES: [&str; 4] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_PRIMARY_"];

/// `cargo` in `dir`, the one that started us.
pub(crate) fn cargo(dir: &Path) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(dir);
    for (name, _) in env::vars_os() {
        let own = name
            .to_str()
            .is_some_and(|name| CARGO_OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
        if own {
            command.env_remove(name);
        }
    }
    command
}

/// `npm` in `dir`.
pub(crate) fn npm(dir: &Path) -> Command {
    // On Windows npm is a script, and only its full name starts.
    let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command.current_dir(dir);
    command
}

/// Runs to the end with our own output; fails unless it succeeded.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs to the end and keeps what it wrote; a failure is in [`Output::status`].
pub(crate) fn output_of(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))
}

/// What it wrote to standard output; fails with what it wrote to standard error.
pub(crate) fn stdout_of(command: &mut Command) -> Result<Vec<u8>> {
    let output = output_of(command)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` ended with {}: {}", shown(command), output.status, said.trim());
    }
    Ok(output.stdout)
}

/// Becomes this program: Ctrl-C reaches it directly and its exit code is ours.
#[cfg(unix)]
pub(crate) fn become_program(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec()).with_context(|| cannot_start(command))
}

/// Runs it and takes over its exit code; the console gives Ctrl-C to both of us.
#[cfg(not(unix))]
pub(crate) fn become_program(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().with_context(|| cannot_start(command))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX);
    Ok(ExitCode::from(code))
}

/// The full path of program `name`: in `first`, in PATH or where servers live.
pub(crate) fn find(name: &str, first: &[PathBuf]) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH").unwrap_or_default();
    first
        .iter()
        .cloned()
        .chain(env::split_paths(&path))
        .chain(SERVER_DIRS.iter().map(PathBuf::from))
        .map(|dir| dir.join(&file))
        .find(|path| path.is_file())
}

/// PATH with `first` in front and the servers' folders behind.
pub(crate) fn path_with(first: &Path) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(first.to_path_buf())
        .chain(env::split_paths(&path))
        .chain(SERVER_DIRS.iter().map(PathBuf::from));
    // Only a folder with a separator in its name cannot be joined; then PATH stays as it was.
    env::join_paths(all).unwrap_or(path)
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", shown(command))
}

//! What the kernel says about processes: CPU time, memory, open files.

use anyhow::{Context, Result, bail};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

/// Of `/proc/<pid>/stat`: USER_HZ is 100 on every Linux that matters.
const TICK: Duration = Duration::from_millis(10);
/// Says that the limit was raised already, so that it is tried once.
const RAISED: &str = "MTOM_BENCH_FILES_RAISED";

/// CPU time that all threads of `pid` have used, in user and in kernel mode.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let stat = read(pid, "stat")?;
    // The name may hold anything, also blanks and brackets; it ends at the last bracket.
    let (_, behind) = stat.rsplit_once(')').context("/proc/<pid>/stat has no name")?;
    let ticks = behind.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let ticks = ticks.sum::<Result<u32, _>>().context("/proc/<pid>/stat has no times")?;
    Ok(TICK * ticks)
}

/// CPU time of the thread that asks: what it took by itself, whatever else the computer was doing.
pub(crate) fn own_thread_cpu() -> Result<Duration> {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = said.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    nanos.map(Duration::from_nanos).context("/proc/thread-self/schedstat has no time")
}

/// Memory of `pid` that is in RAM, in KiB.
pub(crate) fn rss_kib(pid: u32) -> Result<f64> {
    let status = read(pid, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).context("/proc/<pid>/status has no VmRSS")
}

/// Open files of `pid`.
pub(crate) fn files(pid: u32) -> Result<usize> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/fd"));
    Ok(folder.with_context(|| format!("process {pid} has ended"))?.count())
}

/// Makes sure that this process and its children may have `count` open files: starts this program
/// once more under a higher limit where that is permitted.
pub(crate) fn allow_open_files(count: u64) -> Result<()> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()).unwrap_or("unlimited");
    if soft.parse().is_ok_and(|soft: u64| soft < count) {
        if std::env::var_os(RAISED).is_some() {
            bail!("only {soft} open files are permitted; `ulimit -n {count}` first");
        }
        let script = r#"ulimit -n "$(ulimit -Hn)"; exec "$0" "$@""#;
        let error = Command::new("sh")
            .args(["-c", script])
            .arg(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .env(RAISED, "1")
            .exec();
        return Err(error).context("cannot start again with more open files");
    }
    Ok(())
}

fn read(pid: u32, what: &str) -> Result<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{what}"))
        .with_context(|| format!("process {pid} has ended"))
}

//! Processes of a test's own: what they print goes to a log and can be waited for; dropped, they are
//! killed.

use crate::LIMIT;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// Between two looks at what says nothing by itself.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Between two looks at whether waiting for a line makes sense.
const PATIENCE: Duration = Duration::from_secs(1);
/// Lines that no test has asked for yet. Full: they are in the log alone.
const LINES_LEN: usize = 4_096;

/// The process without which nothing works; 0 while there is none.
static GROUND: AtomicU32 = AtomicU32::new(0);

/// Whoever waits fails at once when this process is gone.
pub(crate) fn stand_on(process: Option<&Process>) {
    GROUND.store(process.map_or(0, |process| process.child.id()), Ordering::Relaxed);
}

fn look_at_the_ground() {
    let pid = GROUND.load(Ordering::Relaxed);
    // A process that has ended and was not asked for its status has no memory any more.
    let memory = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    assert!(pid == 0 || !memory.starts_with("0 ") && !memory.is_empty(), "btvirt has crashed");
}

/// Looks again and again until there is something.
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, look).unwrap_or_else(|| panic!("{what}: not within {LIMIT:?}"))
}

/// The same with a limit of its own.
pub(crate) fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if start.elapsed() > limit {
            return None;
        }
        look_at_the_ground();
        park_timeout(LOOK_EVERY);
    }
}

/// Seconds since the boot, as the kernel's own messages have them.
fn uptime() -> String {
    let said = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    said.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Writes down in `steps.log` when something began.
pub(crate) fn note(logs: &Path, what: &str) {
    let path = logs.join("steps.log");
    let mut log = File::options().create(true).append(true).open(path).unwrap();
    writeln!(log, "[{}] {what}", uptime()).unwrap();
}

/// What a command that ends by itself printed, on both outputs.
pub(crate) fn said_by(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("timeout");
    command.args(["120", program]).args(arguments).stdin(Stdio::null());
    let output = command.output().unwrap();
    let both = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// A process that serves.
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Receiver<(Instant, String)>,
    /// Those that were passed over.
    said: VecDeque<String>,
}

impl Process {
    /// Starts it; what it prints goes to `<name>.log` in `logs`, after what an earlier one printed.
    pub(crate) fn start(logs: &Path, name: &str, command: &mut Command) -> Self {
        let path = logs.join(format!("{name}.log"));
        let log = || File::options().create(true).append(true).open(&path).unwrap();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let (sender, lines) = mpsc::sync_channel(LINES_LEN);
        let (stdout, mut log) = (child.stdout.take().unwrap(), log());
        // Ends with the process, whose output it reads.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let came = Instant::now();
                let _ = writeln!(log, "[{}] {line}", uptime());
                let _ = sender.try_send((came, line));
            }
        });
        Self { name: name.to_owned(), child, lines, said: VecDeque::new() }
    }

    /// Waits for a line with `wanted`; earlier ones are passed over.
    pub(crate) fn says(&mut self, wanted: &str) -> String {
        self.says_at(wanted).1
    }

    /// The same, with when it came.
    pub(crate) fn says_at(&mut self, wanted: &str) -> (Instant, String) {
        let start = Instant::now();
        loop {
            let left = LIMIT.saturating_sub(start.elapsed());
            match self.lines.recv_timeout(left.min(PATIENCE)) {
                Ok((came, line)) if line.contains(wanted) => return (came, line),
                Ok((_, line)) => self.said.push_back(line),
                Err(RecvTimeoutError::Timeout) if left > PATIENCE => look_at_the_ground(),
                Err(error) => {
                    panic!("{} never said {wanted:?} ({error}); it said {:?}", self.name, self.said)
                }
            }
        }
    }

    /// What it has said and nobody has waited for.
    pub(crate) fn said_since(&mut self) -> Vec<String> {
        self.lines.try_iter().map(|(_, line)| line).collect()
    }

    /// Without a word: `kill -9`, also for those that it has started in a group of its own.
    pub(crate) fn kill(&mut self) {
        said_by("kill", &["-KILL", &format!("-{}", self.child.id())]);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// As the shell's `kill` does.
    pub(crate) fn signal(&self, name: &str) {
        said_by("kill", &[&format!("-{name}"), &self.child.id().to_string()]);
    }

    /// Asks it to end.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        let name = self.name.clone();
        until(&format!("{name} ends"), || self.child.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

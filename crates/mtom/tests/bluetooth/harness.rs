//! Runs tests one after the other and writes down how each ended, at once: what is written survives
//! whatever comes after.

use crate::guest::Guest;
use serde_json::json;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What the host reads, and where the logs go.
const RESULTS: &str = "/results";
/// The words of a person or the names of what is to be tried again, one a line.
const WORDS: &str = "words";
/// What measures, and tests nothing.
const BENCH: &str = "bench::";
/// In the kernel's command line: this is the guest.
const MARK: &str = "mtom.bluetooth";

/// A fact, and how it is seen.
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Guest),
}

/// The tests by their paths.
#[macro_export]
macro_rules! tests {
    ($($module:ident::$test:ident),* $(,)?) => {
        &[$($crate::harness::Test {
            name: concat!(stringify!($module), "::", stringify!($test)),
            run: $crate::$module::$test,
        }),*]
    };
}

/// Where and why the running test has panicked.
static PANICKED: Mutex<String> = Mutex::new(String::new());

pub(crate) fn main(tests: &[Test]) -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        tests.iter().for_each(|test| println!("{}: test", test.name));
        return ExitCode::SUCCESS;
    }
    let kernel_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    if !kernel_line.split_whitespace().any(|word| word == MARK) {
        println!("SKIPPED: not inside the guest, which `cargo xtask bluetooth` boots");
        return ExitCode::SUCCESS;
    }
    std::panic::set_hook(Box::new(|panic| {
        println!("{panic}");
        *PANICKED.lock().unwrap() = panic.to_string();
    }));
    let words = fs::read_to_string(WORDS).unwrap_or_default();
    let chosen = chosen(tests, &words);
    let mut results = OpenOptions::new()
        .create(true)
        .append(true)
        .open(Path::new(RESULTS).join("results.jsonl"))
        .unwrap();
    let names: Vec<&str> = chosen.iter().map(|test| test.name).collect();
    writeln!(results, "{}", json!({ "plan": names })).unwrap();
    Guest::prepare(Path::new(RESULTS));
    let mut failed = 0;
    for (index, test) in chosen.iter().enumerate() {
        println!("test {} of {}: {}", index + 1, chosen.len(), test.name);
        let start = Instant::now();
        // Whoever asks for certain tests, or tries again, wants to know more; all of them want to be quick.
        let failure = run(test, !words.is_empty()).err();
        failed += usize::from(failure.is_some());
        write_down(&mut results, test.name, start.elapsed(), failure.as_deref());
    }
    println!("{} passed, {failed} failed, in the guest", chosen.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All, or those with one of the words; a whole name is that test alone. What measures is asked for by name.
fn chosen<'a>(tests: &'a [Test], words: &str) -> Vec<&'a Test> {
    let words: Vec<&str> = words.lines().filter(|word| !word.is_empty()).collect();
    let is_name = |word: &str| tests.iter().any(|test| test.name == word);
    let fits = |name: &str| {
        words.is_empty() && !name.starts_with(BENCH)
            || words
                .iter()
                .any(|word| if is_name(word) { name == *word } else { name.contains(word) })
    };
    tests.iter().filter(|test| fits(test.name)).collect()
}

fn run(test: &Test, is_watched: bool) -> Result<(), String> {
    let logs = Path::new(RESULTS).join(test.name.replace("::", "-"));
    fs::create_dir_all(&logs).unwrap();
    let mut guest = Guest::new(logs, is_watched);
    let ended = catch_unwind(AssertUnwindSafe(|| (test.run)(&mut guest)));
    if ended.is_err() {
        guest.tell();
    }
    // Also a machine that cannot be put away fails the test that left it so.
    let put_away = catch_unwind(AssertUnwindSafe(|| guest.put_away()));
    let panicked = || std::mem::take(&mut *PANICKED.lock().unwrap());
    ended.and(put_away).map_err(|_| panicked())
}

fn write_down(results: &mut File, name: &str, took: Duration, failure: Option<&str>) {
    let seconds = took.as_secs_f64();
    let mut line = json!({ "test": name, "seconds": seconds });
    if let Some(failure) = failure {
        line["failure"] = failure.into();
    }
    writeln!(results, "{line}").unwrap();
    let word = if failure.is_none() { "ok" } else { "FAILED" };
    println!("{word}, {seconds:.1} s: {name}");
}

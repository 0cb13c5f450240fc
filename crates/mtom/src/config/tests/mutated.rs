//! A configuration that somebody has typed badly: it is read, or every refusal says something.

use super::{Config, DEFAULT_FILE, Written};
use fastrand::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Nobody waits longer for a file of some kilobytes.
const LIMIT: Duration = Duration::from_secs(10);

/// Every key of the default file, the examples too.
fn good() -> String {
    let is_key = |line: &str| {
        let key = line.split_once('=').map_or("", |(key, _)| key.trim());
        line.starts_with('[')
            || (!key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    };
    let lines = DEFAULT_FILE.lines().map(|line| match line.strip_prefix("# ") {
        Some(example) if is_key(example) => example,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What a slip of the hand, a bad disk and a curious person put in.
const BITS: [&str; 24] = [
    "=",
    "\"",
    "'",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "#",
    ",",
    ".",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "nan",
    "true",
    "\u{0}",
    "\u{feff}",
    "é",
    "(",
    "inf",
];

fn mutate(text: &str, rng: &mut Rng) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..rng.u8(1..6) {
        let len = bytes.len().max(1);
        let at = rng.usize(..len);
        let end = bytes.len().min(at + rng.usize(1..40));
        match rng.u8(..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            1 => bytes.truncate(at),
            2 if at < end => drop(bytes.drain(at..end)),
            3 if at < end => {
                let copy = bytes[at..end].to_vec();
                let to = rng.usize(..=bytes.len());
                bytes.splice(to..to, copy);
            }
            4 => {
                let bit = BITS[rng.usize(..BITS.len())].repeat(rng.usize(1..30));
                bytes.splice(at.min(end)..end, bit.bytes());
            }
            5 => {
                let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
                rng.shuffle(&mut lines);
                bytes = lines.join(&b'\n');
            }
            _ => {
                let noise: Vec<u8> = (0..rng.u8(1..20)).map(|_| rng.u8(..)).collect();
                bytes.splice(at.min(end)..end, noise);
            }
        }
    }
    // Whoever reads the file refuses what is no UTF-8 before it comes here.
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_changed_configuration_is_read_or_refused_with_reasons() {
    let count = if std::env::var_os("MTOM_FAULTS_LONG").is_some() { 10_000 } else { 500 };
    let good = good();
    super::read(&good, &[]);
    let (mut read, mut wrong) = (0, Vec::new());
    for seed in 0..count {
        let text = mutate(&good, &mut Rng::with_seed(seed));
        let start = Instant::now();
        let verdict =
            catch_unwind(AssertUnwindSafe(|| Config::read(&text, &[], &Written::default())));
        let is_quick = start.elapsed() < LIMIT;
        match verdict {
            Ok(Ok(_)) if is_quick => read += 1,
            Ok(Err(problems)) if is_quick => {
                let is_said = |line: String| !line.trim().is_empty() && !line.contains('\u{0}');
                if problems.is_empty() || !problems.iter().all(|one| is_said(one.to_string())) {
                    wrong.push(format!("seed {seed}: refused without a reason"));
                }
            }
            Ok(_) => wrong.push(format!("seed {seed}: takes {:?}", start.elapsed())),
            Err(_) => wrong.push(format!("seed {seed}: panics\n{text}")),
        }
    }
    #[allow(clippy::print_stderr, reason = "the long run is read by people")]
    {
        eprintln!("changed configurations that are read: {read}");
        eprintln!("faults: changed configurations: {count}, failures: {}", wrong.len());
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

//! The real binary killed at each point of the path, under load.
//!
//! What a killed process leaves changes only with its system calls, so each point is the call that
//! comes next: `strace` kills the process when it is about to make it. The random kills are in
//! `crash.rs`; those before every single call of a journal in the tests of `mtom-store`.

use crate::crash::{Acknowledged, Device, early_proxy, stored};
use crate::mtom::{Ready, serving};
use crate::{LIMIT, soon};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;

/// A point on the path from the socket to the acknowledgement.
struct Point {
    name: &'static str,
    /// The call before which it dies, and of which file; none: of any socket.
    call: &'static str,
    file: Option<&'static str>,
    /// Between the first and the last of so many.
    times: std::ops::Range<u64>,
    /// It is asked to end: the point lies there.
    is_at_end: bool,
}

impl Point {
    const fn new(
        name: &'static str,
        call: &'static str,
        file: Option<&'static str>,
        times: std::ops::Range<u64>,
    ) -> Self {
        Self { name, call, file, times, is_at_end: false }
    }
}

/// There only once in a folder.
const FIRST: Point = Point::new("the file is made", "pwrite64", Some(""), 1..12);

const POINTS: [Point; 7] = [
    Point::new("numbers are reserved", "fdatasync", Some("-wal"), 1..3),
    Point::new("before BEGIN", "fcntl", Some("-shm"), 20..200),
    Point::new("within a commit", "pwrite64", Some("-wal"), 1..400),
    Point::new("after COMMIT, before the sync", "fdatasync", Some("-wal"), 2..60),
    Point::new("after the sync, before PUBACK", "sendto,writev,sendmsg", None, 1..60),
    Point::new("after PUBACK", "recvfrom", None, 10..200),
    Point { is_at_end: true, ..Point::new("the log is emptied", "pwrite64", Some(""), 1..10) },
];

const DEVICES: usize = 8;
/// How often each point has its turn in one folder.
const ROUNDS: usize = 3;

fn kills() -> usize {
    if std::env::var_os("MTOM_FAULTS_LONG").is_some() { 1_000 } else { 50 }
}

/// Why nothing can be traced here.
fn strace_is_missing() -> Option<String> {
    match Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("{error} (apt-get install strace)")),
    }
}

/// The tracer with the process that it kills.
struct Doomed(Child);

impl Doomed {
    fn start(dir: &Path, point: &Point, time: u64) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", "signal=none"]);
        if point.file.is_none() {
            command.args(["-e", &format!("trace={}", point.call)]);
        }
        if let Some(end) = point.file {
            command.arg("-P").arg(dir.join(format!("mtom.db{end}")));
            command.arg("-P").arg(dir.join(format!("mtom.db.new{end}")));
            command.args(["-e", &format!("trace={}", point.call)]);
        }
        command.args(["-e", &format!("inject={}:signal=KILL:when={time}", point.call)]);
        let served = serving("gateway", dir, &[]);
        command.arg(served.get_program()).args(served.get_args()).current_dir(dir);
        command.arg("--ready-file").arg(dir.join("ready.json")).env("TZ", "UTC");
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }

    /// The traced process, once there is one.
    fn inner(&self) -> Option<String> {
        let pid = self.0.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split(' ').next().filter(|pid| !pid.is_empty()).map(str::to_owned)
    }

    fn signal(&self, signal: &str) {
        if let Some(pid) = self.inner() {
            let _ = Command::new("kill").args([signal, &pid]).status();
        }
    }

    fn is_dead(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        self.signal("-KILL");
        let _ = self.0.wait();
    }
}

/// One life until its death; devices go on where they were, `planted` with the planted bug between.
async fn life(
    dir: &Path,
    (point, time): (&Point, u64),
    devices: &mut Vec<Device>,
    kept: &Acknowledged,
    planted: bool,
) {
    let ready_file = dir.join("ready.json");
    let _ = std::fs::remove_file(&ready_file);
    let mut doomed = Doomed::start(dir, point, time);
    let ready = soon("a ready file or an early death", async {
        loop {
            if doomed.is_dead() {
                return None;
            }
            if ready_file.is_file() {
                return Some(Ready::read(&ready_file));
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let Some(ready) = ready else { return };
    let count = Arc::new(AtomicU64::new(0));
    let mut helpers = JoinSet::new();
    let broker = if planted { early_proxy(ready.mqtt, &mut helpers).await } else { ready.mqtt };
    let mut sending = JoinSet::new();
    for mut device in devices.drain(..) {
        let (kept, count) = (Arc::clone(kept), Arc::clone(&count));
        sending.spawn(async move {
            device.publish(broker, &kept, &count).await;
            device
        });
    }
    let died = async {
        let mut is_asked = !point.is_at_end;
        while !doomed.is_dead() {
            if !is_asked && count.load(Ordering::SeqCst) > 50 {
                doomed.signal("-TERM");
                is_asked = true;
            }
            tokio::task::yield_now().await;
        }
    };
    let is_dead = tokio::time::timeout(LIMIT, died).await.is_ok();
    assert!(is_dead, "{}, {time}: it was never killed", point.name);
    helpers.shutdown().await;
    while let Some(device) = sending.join_next().await {
        devices.push(device.unwrap());
    }
}

fn fleet() -> Vec<Device> {
    (0..DEVICES).map(|n| Device { boot: format!("device{n}"), seq: 0 }).collect()
}

fn missing(dir: &Path, kept: &Acknowledged) -> Vec<(String, u64)> {
    let stored = stored(dir);
    assert!(stored.values().all(|count| *count == 1), "something is stored twice");
    let mut missing = kept.lock().unwrap().clone();
    missing.retain(|key| !stored.contains_key(key));
    missing
}

fn is_possible() -> bool {
    let Some(why) = strace_is_missing() else { return true };
    assert!(std::env::var_os("CI").is_none(), "strace: {why}: CI must not skip");
    eprintln!("SKIPPED: strace: {why}");
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_is_stored_once_wherever_on_the_path_it_is_killed() {
    if !is_possible() {
        return;
    }
    let mut rng = fastrand::Rng::with_seed(1);
    let (mut deaths, mut acknowledged) = (0, 0);
    // A new folder now and then, so that the first start is killed too.
    while deaths < kills() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, mut devices) = (Acknowledged::default(), fleet());
        let points = POINTS.iter().cycle().take(ROUNDS * POINTS.len());
        for point in std::iter::once(&FIRST).chain(points) {
            let time = rng.u64(point.times.clone());
            life(dir.path(), (point, time), &mut devices, &kept, false).await;
            deaths += 1;
            let missing = missing(dir.path(), &kept);
            assert!(missing.is_empty(), "{}: acknowledged and lost: {missing:?}", point.name);
        }
        acknowledged += kept.lock().unwrap().len();
    }
    eprintln!("{acknowledged} acknowledged");
    eprintln!("faults: kills at named points: {deaths}, failures: 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_acknowledgement_before_the_commit_is_caught_at_a_named_point() {
    if !is_possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (kept, mut devices) = (Acknowledged::default(), fleet());
    for time in 100..110 {
        let point = POINTS.iter().find(|point| point.name == "within a commit").unwrap();
        life(dir.path(), (point, time), &mut devices, &kept, true).await;
        if !missing(dir.path(), &kept).is_empty() {
            return;
        }
    }
    panic!("nothing was lost although it was acknowledged too early: the check sees nothing");
}

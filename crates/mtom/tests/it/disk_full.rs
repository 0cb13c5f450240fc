//! A disk that is filled and freed again and again under the real binary.
//!
//! Nothing is acknowledged that is not stored; viewers stay connected; and as soon as there is room
//! readings are stored, shown and decided upon again, by the same process.

use crate::crash::{Acknowledged, Device, early_proxy, stored};
use crate::mtom::Mtom;
use crate::soon;
use crate::viewer::Viewer;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;

const CYCLES: u64 = 20;
const DEVICES: u64 = 4;
/// Acknowledgements between a disk that is free again and the next time that it is full.
const ACKNOWLEDGED: u64 = 60;

/// Hot and cold in turn, so that each pair of readings is two decisions.
const RULE: &str = r#"rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",then=[{actuator="TEMP_LED"}]}]"#;

/// A file system of 8 MB in memory.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this user may not mount one, with the reason said.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder.path());
        let why = match mount.output() {
            Ok(output) if output.status.success() => return Some(Self(folder)),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(std::env::var_os("CI").is_none(), "no small disk: {why}: CI must not skip");
        eprintln!("SKIPPED: cannot mount a small disk, which root may: {why}");
        None
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        for len in [64 * 1024, 4096, 1] {
            while filler.write_all(&vec![0; len]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Waits until `count` is above `least`.
async fn above(what: &str, count: &AtomicU64, least: u64) {
    soon(what, async {
        while count.load(Ordering::SeqCst) <= least {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn decisions(mtom: &Mtom) -> u64 {
    mtom.get("/api/v1/actuators").await["actuators"][0]["desired"]["number"].as_u64().unwrap_or(0)
}

/// Keys that were acknowledged and are not stored.
async fn filled_and_freed(disk: &SmallDisk, cycles: u64, planted: bool) -> Vec<(String, u64)> {
    let dir = disk.0.path().to_owned();
    let mut mtom = Mtom::serve("up", &dir, &["simulate.actuators=1", RULE]);
    let mut viewer = Viewer::connect(mtom.ready.live).await;
    viewer.realtime().await;
    let (acknowledged, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let kept = Acknowledged::default();
    let mut helpers = JoinSet::new();
    let broker =
        if planted { early_proxy(mtom.ready.mqtt, &mut helpers).await } else { mtom.ready.mqtt };
    for n in 0..DEVICES {
        let kept = Arc::clone(&kept);
        let (acknowledged, refused) = (Arc::clone(&acknowledged), Arc::clone(&refused));
        helpers.spawn(async move {
            let mut device = Device { boot: format!("device{n}"), seq: 0 };
            loop {
                device.publish(broker, &kept, &acknowledged).await;
                refused.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for _ in 0..cycles {
        let before = acknowledged.load(Ordering::SeqCst);
        let decided = decisions(&mtom).await;
        above("acknowledgements", &acknowledged, before + ACKNOWLEDGED).await;
        // The same connection all the time, and the same process.
        while !viewer.hear().await.contains("new_data") {}
        soon("a decision", async { while decisions(&mtom).await <= decided {} }).await;
        disk.fill();
        let before = refused.load(Ordering::SeqCst);
        above("a connection that is closed", &refused, before + DEVICES).await;
        // Whoever asks is answered while nothing can be stored.
        decisions(&mtom).await;
        disk.free();
    }
    let before = acknowledged.load(Ordering::SeqCst);
    above("acknowledgements", &acknowledged, before + ACKNOWLEDGED).await;
    assert!(mtom.stop("-TERM").success());
    helpers.shutdown().await;
    let stored = stored(&dir);
    assert!(stored.values().all(|count| *count == 1), "something is stored twice");
    let mut lost = kept.lock().unwrap().clone();
    eprintln!("full disks: {cycles}, acknowledged: {}, refused: {refused:?}", lost.len());
    lost.retain(|key| !stored.contains_key(key));
    lost
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_filled_and_freed_costs_nothing_that_was_acknowledged() {
    let Some(disk) = SmallDisk::mount() else { return };
    let lost = filled_and_freed(&disk, CYCLES, false).await;
    eprintln!("faults: full disks: {CYCLES}, failures: {}", lost.len());
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_acknowledgement_before_the_commit_is_caught_by_a_full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let lost = filled_and_freed(&disk, 3, true).await;
    eprintln!("planted: acknowledged and lost: {}", lost.len());
    assert!(!lost.is_empty(), "nothing was lost: the check sees nothing");
}

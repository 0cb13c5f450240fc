//! Wine: what runs Windows' programs here, in a folder of its own below `target`.
//!
//! Serial ports of such a Windows are links in the folder `ports`: a test that leads `com33` to a pseudo terminal has
//! the other end of COM33. Whoever has started something in it ends it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::programs;
use crate::repo::Repo;

/// The ports that tests may lead somewhere; Wine itself gives the lowest numbers to this computer's own.
const PORTS: [&str; 4] = ["COM33", "COM34", "COM35", "COM36"];
const RANDOMNESS: &str = "bcryptprimitives.dll";
/// Lies in a folder that is ready; another name for another content.
const READY: &str = "ready-1";

/// A Windows of our own. Its processes end with it.
pub(crate) struct Wine<'a> {
    repo: &'a Repo,
    home: PathBuf,
}

impl<'a> Wine<'a> {
    /// Starts it, and makes it first when it is not there yet.
    pub(crate) fn provide(repo: &'a Repo) -> Result<Self> {
        let wine = Self { repo, home: repo.target().join("wine") };
        if !wine.home.join(READY).exists() {
            wine.make().context("cannot make a Windows with Wine")?;
        }
        // Its services start now, without anybody's pipes in their hands, and stay until the end.
        wine.server("--persistent")?;
        wine.run(&["wineboot"]).context("Wine does not start")?;
        Ok(wine)
    }

    /// Lets `command` run in it.
    pub(crate) fn inhabit(&self, command: &mut Command) {
        command.env("WINEPREFIX", &self.home);
        // Neither the programs that .NET and HTML would need, nor entries in a menu that nobody opens.
        command.env("WINEDLLOVERRIDES", "mscoree,mshtml=;winemenubuilder.exe=d");
        command.env("WINEDEBUG", "-all").env_remove("DISPLAY");
    }

    fn make(&self) -> Result<()> {
        println!("making a Windows with Wine in {}", self.home.display());
        // What another version has left.
        let _ = fs::remove_dir_all(&self.home);
        fs::create_dir_all(self.home.join("ports"))?;
        self.run(&["wineboot", "--init"])?;
        self.lend_randomness()?;
        for port in PORTS {
            let file = self.home.join("ports").join(port.to_lowercase());
            let file = file.to_str().context("the folder has no name that Wine can read")?;
            self.run(&["reg", "add", r"HKLM\Software\Wine\Ports", "/v", port, "/d", file, "/f"])?;
        }
        // Ports are looked for when it starts.
        self.end()?;
        Ok(fs::write(self.home.join(READY), "")?)
    }

    /// Rust's standard library asks `bcryptprimitives.dll` for randomness, which Wine has since version 9 (Debian 12 has
    /// 8): a library that hands the question on to the function that older programs ask.
    fn lend_randomness(&self) -> Result<()> {
        let system = self.home.join("drive_c/windows/system32");
        if system.join(RANDOMNESS).exists() {
            return Ok(());
        }
        let exports = self.home.join("bcryptprimitives.def");
        fs::write(&exports, "EXPORTS\nProcessPrng=advapi32.SystemFunction036\n")?;
        let mut compiler = self.repo.program("x86_64-w64-mingw32-gcc")?;
        compiler.args(["-shared", "-nostdlib", "-Wl,--entry=0", "-o"]);
        programs::run(compiler.arg(system.join(RANDOMNESS)).arg(exports))
    }

    fn run(&self, args: &[&str]) -> Result<()> {
        let mut wine = self.repo.program("wine")?;
        self.inhabit(&mut wine);
        // Services that it starts hold its pipes for as long as they run, so it has none.
        wine.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        programs::run(&mut wine)
    }

    /// Ends whatever runs in it, and waits until it has ended.
    pub(crate) fn end(&self) -> Result<()> {
        self.server("--kill")?;
        self.server("--wait")
    }

    /// Says that to the process that is the system; where none runs there is nothing to end, where one does it has been
    /// started already, and it complains.
    fn server(&self, arg: &str) -> Result<()> {
        let mut server = self.repo.program("wineserver")?;
        self.inhabit(&mut server);
        server.arg(arg).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        server.status().context("cannot start wineserver").map(drop)
    }

    /// Where its serial ports are links.
    pub(crate) fn ports(&self) -> PathBuf {
        self.home.join("ports")
    }
}

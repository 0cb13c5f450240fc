//! The original's page in a browser on another host: opened from a file, as its users do.
//!
//! It is written anew after `wire.md` §1. What it shows it says on its console too.

use super::{LIMIT, Process, net::Host};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A page that is open.
pub(super) struct Page {
    said: Receiver<String>,
    _browser: Process,
}

impl Page {
    /// Opens the page of the gateway `gateway` on `host`. `None`: skip.
    pub(super) fn open(host: &Host, folder: &Path, gateway: &str) -> Option<Self> {
        let Some(program) = chromium() else {
            assert!(std::env::var_os("CI").is_none(), "no chromium: CI must not skip");
            eprintln!("SKIPPED: no chromium on the path: install it, or set CHROMIUM");
            return None;
        };
        let file = folder.join("page.html");
        std::fs::write(&file, include_str!("page.html")).unwrap();
        let mut browser = Command::new(program);
        browser.args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
        ]);
        browser.arg(format!("--user-data-dir={}", folder.join("browser").display()));
        browser.arg(format!("file://{}#{gateway}", file.display()));
        let mut browser = host.there(&browser);
        let browser = browser.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut browser = Process(browser.spawn().unwrap());
        let lines = BufReader::new(browser.0.stderr.take().unwrap()).lines();
        let (say, said) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // …:CONSOLE(20)] "new_data … 26 °C 78.8 °F", source: …
                if let Some((_, rest)) = line.split_once("CONSOLE")
                    && let Some((_, text)) = rest.split_once("] \"")
                    && let Some((text, _)) = text.split_once("\", source")
                    && say.send(text.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        Some(Self { said, _browser: browser })
    }

    /// What it says next.
    pub(super) fn says(&self) -> String {
        self.said.recv_timeout(LIMIT).expect("the page says no more")
    }
}

fn chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let all = || std::env::split_paths(&path);
    NAMES.iter().flat_map(|name| all().map(move |folder| folder.join(name))).find(|it| it.is_file())
}

//! Hosts and the wires between them: network namespaces that can lose packets, fall silent and change addresses.
//!
//! Only root may make them; elsewhere the test says SKIPPED and why, in CI that is a failure. A namespace is that of a
//! process which ends with the test process, however that ends. Each host has a list of hosts of its own.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// One host.
pub(crate) struct Host {
    keeper: Child,
    /// Its `/etc/hosts`.
    names: PathBuf,
}

impl Host {
    /// `None`: skip.
    pub(crate) fn new(folder: &Path, name: &str) -> Option<Self> {
        let names = folder.join(format!("hosts-{name}"));
        std::fs::write(&names, "127.0.0.1 localhost\n").unwrap();
        let script = "mount --bind \"$1\" /etc/hosts && ip link set lo up && echo && exec cat";
        let mut keeper = Command::new("unshare");
        keeper.args(["--net", "--mount", "sh", "-c", script, "sh"]).arg(&names);
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut keeper = keeper.spawn().unwrap();
        // It says something, or ends, when it is in its namespace.
        let mut said = [0];
        if keeper.stdout.as_mut().unwrap().read_exact(&mut said).is_err() {
            let said = keeper.wait_with_output().unwrap().stderr;
            let why = String::from_utf8_lossy(&said).trim().to_owned();
            assert!(std::env::var_os("CI").is_none(), "no namespace: {why}: CI must not skip");
            eprintln!("SKIPPED: cannot make a network namespace, which root may: {why}");
            return None;
        }
        Some(Self { keeper, names })
    }

    fn pid(&self) -> String {
        self.keeper.id().to_string()
    }

    /// What goes before a command that is to run there.
    pub(crate) fn prefix(&self) -> Vec<String> {
        ["nsenter", "-t", &self.pid(), "-n", "-m", "--"].map(str::to_owned).into()
    }

    /// The same command, there.
    pub(crate) fn there(&self, command: &Command) -> Command {
        let prefix = self.prefix();
        let mut there = Command::new(&prefix[0]);
        there.args(&prefix[1..]).arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            there.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        there.stdin(Stdio::null());
        there
    }

    /// A wire to another host, with an address for each end; `device` is its name at both.
    pub(crate) fn wire(&self, device: &str, own: &str, other: &Self, others: &str) {
        run(
            "ip",
            &[
                "link",
                "add",
                "name",
                device,
                "netns",
                &self.pid(),
                "type",
                "veth",
                "peer",
                "name",
                device,
                "netns",
                &other.pid(),
            ],
        );
        for (host, address) in [(self, own), (other, others)] {
            host.run(&["ip", "addr", "add", &format!("{address}/24"), "dev", device]);
            host.run(&["ip", "link", "set", device, "up"]);
        }
    }

    /// Its address at that wire is another one from now on, without a word to anybody.
    pub(crate) fn change_address(&self, device: &str, from: &str, to: &str) {
        self.run(&["ip", "addr", "del", &format!("{from}/24"), "dev", device]);
        self.run(&["ip", "addr", "add", &format!("{to}/24"), "dev", device]);
    }

    /// From now on `name` is there, for programs of this host.
    pub(crate) fn name(&self, name: &str, address: &str) {
        // Written in place: it is mounted.
        std::fs::write(&self.names, format!("127.0.0.1 localhost\n{address} {name}\n")).unwrap();
    }

    /// So many of a hundred packets that come in by that wire are lost.
    pub(crate) fn lose(&self, device: &str, percent: u32) {
        self.drop_where(device, &format!("numgen random mod 100 < {percent}"));
    }

    /// No packet comes in by that wire, and nobody is told.
    pub(crate) fn silence(&self, device: &str) {
        self.drop_where(device, "");
    }

    fn drop_where(&self, device: &str, which: &str) {
        self.run(&["nft", "add", "table", "inet", "faults"]);
        let chain = "{ type filter hook input priority 0 ; }";
        self.run(&["nft", "add", "chain", "inet", "faults", "in", chain]);
        self.run(&["nft", &format!("add rule inet faults in iifname {device} {which} drop")]);
    }

    /// Everything comes in again.
    pub(crate) fn heal(&self) {
        self.run(&["nft", "delete", "table", "inet", "faults"]);
    }

    fn run(&self, command: &[&str]) {
        let prefix = self.prefix();
        let arguments: Vec<&str> =
            prefix[1..].iter().map(String::as_str).chain(command.iter().copied()).collect();
        run(&prefix[0], &arguments);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

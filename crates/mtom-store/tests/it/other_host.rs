//! Another host: a network namespace of its own at the end of a wire, whose answers can be cut off.
//!
//! Only root may make one; elsewhere the test says SKIPPED and why, in CI that is a failure. The namespace
//! is that of a process which ends with the test process, however that ends; wire and addresses go with it.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

pub(crate) struct OtherHost {
    keeper: Child,
    /// The other host's address.
    pub(crate) address: Ipv4Addr,
    /// This host's address on the wire.
    pub(crate) here: Ipv4Addr,
}

impl OtherHost {
    /// `None`: skip.
    pub(crate) fn new() -> Option<Self> {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut keeper = Command::new("unshare");
        keeper.args(["--net", "sh", "-c", "echo; exec cat"]);
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut keeper = keeper.spawn().unwrap();
        // It says something, or ends, when it is in its namespace.
        let mut said = [0];
        let stdout = keeper.stdout.as_mut().unwrap();
        if std::io::Read::read_exact(stdout, &mut said).is_err() {
            let said = keeper.wait_with_output().unwrap().stderr;
            let why = String::from_utf8_lossy(&said).trim().to_owned();
            assert!(std::env::var_os("CI").is_none(), "no namespace: {why}: CI must not skip");
            eprintln!("SKIPPED: cannot make a network namespace, which root may: {why}");
            return None;
        }
        // 198.18.0.0/15 is for tests of networks (RFC 2544); the process keeps two test runs apart.
        let [.., high, low] = std::process::id().to_be_bytes();
        let net = |last| Ipv4Addr::new(198, 18 + (high & 1), low, number.wrapping_mul(4) + last);
        let host = Self { keeper, address: net(2), here: net(1) };
        let (near, far) = (format!("mt{}a{number}", std::process::id()), "wire");
        let pid = host.keeper.id().to_string();
        run("ip", &["link", "add", &near, "type", "veth", "peer", "name", far, "netns", &pid]);
        run("ip", &["addr", "add", &format!("{}/30", host.here), "dev", &near]);
        run("ip", &["link", "set", &near, "up"]);
        host.run(&["ip", "addr", "add", &format!("{}/30", host.address), "dev", far]);
        host.run(&["ip", "link", "set", far, "up"]);
        host.run(&["ip", "link", "set", "lo", "up"]);
        Some(host)
    }

    /// What goes before a command that is to run there.
    pub(crate) fn prefix(&self) -> [String; 4] {
        ["nsenter", "-t", &self.keeper.id().to_string(), "-n"].map(str::to_owned)
    }

    /// From now on nothing comes back from there, though everything still arrives.
    pub(crate) fn cut_answers(&self) {
        self.run(&["ip", "route", "add", "blackhole", &format!("{}/32", self.here)]);
    }

    pub(crate) fn heal(&self) {
        self.run(&["ip", "route", "del", "blackhole", &format!("{}/32", self.here)]);
    }

    fn run(&self, command: &[&str]) {
        let prefix = self.prefix();
        let arguments: Vec<&str> =
            prefix[1..].iter().map(String::as_str).chain(command.iter().copied()).collect();
        run(&prefix[0], &arguments);
    }
}

impl Drop for OtherHost {
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

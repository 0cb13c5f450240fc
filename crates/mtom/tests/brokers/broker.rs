//! A broker as a process of the test's own, with its data in a folder of its own, on a port that it keeps.
//!
//! Where the program is not installed the test says SKIPPED and why; in CI that is a failure.

use crate::LIMIT;
use crate::mtom::serving;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use tempfile::TempDir;

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Mosquitto,
    Nats,
    RabbitMq,
    /// `mtom gateway`, whose broker is rmqtt.
    Mtom,
}

/// How it is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As its service would: it may write what it has.
    Asked,
    /// `kill -9`.
    Killed,
}

/// Another way in than plain TCP; a broker may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Tls,
    WebSocket,
    /// Over TLS.
    SecureWebSocket,
}

pub(crate) struct Broker {
    kind: Kind,
    program: PathBuf,
    pub(crate) address: SocketAddr,
    /// Where its other ways in are, each with lines of its own in the configuration.
    ways: Vec<(Way, SocketAddr, String)>,
    dir: TempDir,
    process: Option<Child>,
    /// Erlang's own registry of nodes.
    registry: Option<Child>,
}

impl Kind {
    fn program(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Mosquitto => {
                (&["/usr/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto"], "mosquitto")
            }
            Self::Nats => (&["/usr/sbin/nats-server", "/usr/bin/nats-server"], "nats-server"),
            Self::RabbitMq => (&["/usr/lib/rabbitmq/bin/rabbitmq-server"], "rabbitmq-server"),
            Self::Mtom => (&[env!("CARGO_BIN_EXE_mtom")], ""),
        }
    }

    /// The line that says that it serves.
    fn greeting(self) -> &'static str {
        match self {
            Self::Mosquitto => " running",
            Self::Nats => "Server is ready",
            Self::RabbitMq => "completed with",
            Self::Mtom => "Ctrl-C stops it",
        }
    }
}

impl Broker {
    /// Starts one; `None`: it is not installed.
    pub(crate) fn start(kind: Kind) -> Option<Self> {
        Self::with(kind, |_| Vec::new())
    }

    /// Starts one with more ways in, each at an address of its own: `ways` has what its configuration says of each.
    pub(crate) fn with(
        kind: Kind,
        ways: impl FnOnce(&dyn Fn() -> SocketAddr) -> Vec<(Way, SocketAddr, String)>,
    ) -> Option<Self> {
        let (paths, package) = kind.program();
        let Some(program) = paths.iter().find(|path| Path::new(path).exists()) else {
            assert!(std::env::var_os("CI").is_none(), "{package} is missing: CI must not skip");
            eprintln!("SKIPPED: {package} is not installed (apt-get install {package})");
            return None;
        };
        let address = free();
        let dir = tempfile::tempdir().unwrap();
        let mut broker = Self {
            kind,
            program: program.into(),
            address,
            ways: ways(&free),
            dir,
            process: None,
            registry: None,
        };
        broker.prepare();
        broker.start_again();
        Some(broker)
    }

    /// Where that way in is.
    pub(crate) fn at(&self, way: Way) -> SocketAddr {
        let (_, address, _) = self.ways.iter().find(|(each, ..)| *each == way).unwrap();
        *address
    }

    /// Ends it and starts it where it was, with what it has written.
    pub(crate) fn restart(&mut self, end: End) {
        self.end(end);
        self.start_again();
    }

    fn end(&mut self, end: End) {
        let Some(mut process) = self.process.take() else { return };
        let signal = if end == End::Asked { "-TERM" } else { "-KILL" };
        // RabbitMQ is a script and its children: a group of their own. Others end with the group of this process.
        let sign = if self.kind == Kind::RabbitMq { "-" } else { "" };
        let whom = format!("{sign}{}", process.id());
        let _ = Command::new("kill").args([signal, "--", &whom]).status();
        process.wait().unwrap();
    }

    fn start_again(&mut self) {
        let mut command = self.command();
        if self.kind == Kind::RabbitMq {
            command.process_group(0);
        }
        command.stdin(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (seen, greeted) = mpsc::channel();
        let greeting = self.kind.greeting();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(process.stdout.take().unwrap()), Box::new(process.stderr.take().unwrap())];
        for stream in streams {
            let seen = seen.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if line.contains(greeting) {
                        let _ = seen.send(());
                    }
                }
            });
        }
        self.process = Some(process);
        let kind = self.kind;
        greeted.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{kind:?} never served"));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    /// Writes its configuration; none of them forgets because its queue is full.
    fn prepare(&mut self) {
        let (address, dir) = (self.address, self.dir.path().display());
        let has = |way| self.ways.iter().any(|(each, ..)| *each == way);
        let ways: String = self.ways.iter().map(|(.., lines)| lines.as_str()).collect();
        match self.kind {
            // It saves what it has after each change, as often as it can: its default is every half hour.
            Kind::Mosquitto => self.write(
                "conf",
                &format!(
                    "listener {} {}\nallow_anonymous true\npersistence true\n\
                     persistence_location {dir}/\nautosave_on_changes true\nautosave_interval 1\n\
                     max_queued_messages 0\nuser root\nlog_dest stderr\n",
                    address.port(),
                    address.ip()
                ),
            ),
            // What was under way when a link was cut it delivers again after this; its default is 30 s.
            Kind::Nats => self.write(
                "conf",
                &format!(
                    "server_name: mtom-test\nlisten: \"{}\"\njetstream {{ store_dir: \"{dir}\" }}\n\
                     {}",
                    free(),
                    // It has one port for MQTT, with TLS or without.
                    if has(Way::Tls) {
                        ways
                    } else {
                        format!("mqtt {{ listen: \"{address}\", ack_wait: \"1s\" }}\n{ways}")
                    }
                ),
            ),
            Kind::RabbitMq => {
                let port = free().port().to_string();
                let mut registry = Command::new("epmd");
                registry.args(["-address", "127.0.0.1", "-port", &port]).stdin(Stdio::null());
                self.registry = Some(registry.spawn().unwrap());
                self.write("epmd", &port);
                let web = if has(Way::WebSocket) { ",rabbitmq_web_mqtt" } else { "" };
                self.write("plugins", &format!("[rabbitmq_mqtt{web}]."));
                let conf =
                    format!("listeners.tcp = none\nmqtt.listeners.tcp.1 = {address}\n{ways}");
                self.write("rabbitmq.conf", &conf);
            }
            Kind::Mtom => {}
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        match self.kind {
            Kind::Mosquitto | Kind::Nats => {
                command.arg("-c").arg(self.file("conf"));
            }
            Kind::RabbitMq => {
                command
                    .env("HOME", self.dir.path())
                    .env("ERL_CRASH_DUMP", self.file("crash"))
                    .env("RABBITMQ_NODENAME", format!("mtom{}@localhost", self.address.port()))
                    .env("RABBITMQ_MNESIA_BASE", self.file("mnesia"))
                    .env("RABBITMQ_LOG_BASE", self.file("log"))
                    .env("RABBITMQ_CONFIG_FILE", self.file("rabbitmq.conf"))
                    .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.file("plugins"))
                    .env("RABBITMQ_DIST_PORT", free().port().to_string())
                    .env("ERL_EPMD_ADDRESS", "127.0.0.1")
                    .env("ERL_EPMD_PORT", std::fs::read_to_string(self.file("epmd")).unwrap());
            }
            Kind::Mtom => {
                let listen = format!("broker.listen={}", self.address);
                return serving("gateway", self.dir.path(), &[&listen]);
            }
        }
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end(End::Killed);
        if let Some(mut registry) = self.registry.take() {
            let _ = registry.kill();
            let _ = registry.wait();
        }
    }
}

/// An address that nobody has at the moment.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

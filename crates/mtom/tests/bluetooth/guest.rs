//! The machine of one test: virtual controllers, a bluetoothd that knows nobody, and whatever the test
//! starts.
//!
//! The first controller is the gateway's; each of the others is a device's.

use crate::process::{Process, note, said_by, stand_on, until, within};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const CONTROLLERS: &str = "/sys/class/bluetooth";
/// What bluetoothd remembers.
const MEMORY: &str = "/var/lib/bluetooth";
const SETTINGS: &str = "/etc/bluetooth/main.conf";
/// Both ends of a pairing may be on one bluetoothd; the tests say which controller is on.
const OUR_SETTINGS: &str = "[General]
JustWorksRepairing = always
FastConnectable = true

[Policy]
AutoEnable = false
";
/// That of Debian 12 crashes now and then when a connection does not come about; a service manager starts
/// it again, and mtom goes on.
const SUPERVISED: &str = "while true; do bluetoothd -n -d; echo \"it CRASHED, status $?\"; done";
/// A command of btmgmt that brings nothing is given again after this.
const AGAIN: Duration = Duration::from_secs(3);

/// The bus serves all tests.
static BUS: OnceLock<()> = OnceLock::new();

/// See above.
pub(crate) struct Guest {
    logs: PathBuf,
    is_watched: bool,
    /// Killed in this order: who uses them goes before the controllers.
    daemon: Option<Process>,
    monitor: Option<Process>,
    controllers: Option<Process>,
}

impl Guest {
    /// What stays for all tests.
    pub(crate) fn prepare(results: &Path) {
        BUS.get_or_init(|| {
            fs::write(SETTINGS, OUR_SETTINGS).unwrap();
            let mut bus = Command::new("dbus-daemon");
            let bus = bus.args(["--system", "--nofork", "--nopidfile"]);
            // Until the machine is switched off.
            std::mem::forget(Process::start(results, "dbus", bus));
            until("the bus", || Path::new("/run/dbus/system_bus_socket").exists().then_some(()));
        });
    }

    /// Where it keeps its logs; watched, every word with the controllers is one of them.
    pub(crate) fn new(logs: PathBuf, is_watched: bool) -> Self {
        Self { logs, is_watched, daemon: None, monitor: None, controllers: None }
    }

    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    /// So many controllers, the gateway's switched on, and bluetoothd.
    pub(crate) fn start(&mut self, controllers: u16) {
        if self.is_watched {
            self.monitor = Some(Process::start(&self.logs, "btmon", &mut Command::new("btmon")));
        }
        let mut btvirt = Command::new("btvirt");
        btvirt.arg(format!("-l{controllers}"));
        self.controllers = Some(Process::start(&self.logs, "btvirt", &mut btvirt));
        stand_on(self.controllers.as_ref());
        note(&self.logs, "controllers");
        until("the controllers", || (present() == usize::from(controllers)).then_some(()));
        note(&self.logs, "bluetoothd");
        self.start_daemon();
        note(&self.logs, "power");
        self.power(0, true);
        note(&self.logs, "started");
    }

    pub(crate) fn start_daemon(&mut self) {
        // What an earlier one has said stands before.
        let log = self.logs.join("bluetoothd.log");
        let said = || fs::read_to_string(&log).unwrap_or_default();
        let from = said().len();
        let mut bluetoothd = Command::new("sh");
        let bluetoothd = bluetoothd.args(["-c", SUPERVISED]).process_group(0);
        self.daemon = Some(Process::start(&self.logs, "bluetoothd", bluetoothd));
        until("bluetoothd with the gateway's controller", || {
            said().get(from..)?.contains("/org/bluez/hci0 registered").then_some(())
        });
    }

    /// bluetoothd without a word.
    pub(crate) fn kill_daemon(&mut self) {
        self.daemon = None;
    }

    /// How often bluetoothd has crashed.
    pub(crate) fn crashes(&self) -> usize {
        let log = fs::read_to_string(self.logs.join("bluetoothd.log"));
        log.map_or(0, |log| log.matches("it CRASHED").count())
    }

    /// Switches a controller on or off, and waits until it is.
    pub(crate) fn power(&self, controller: u16, on: bool) {
        let (index, word) = (controller.to_string(), if on { "on" } else { "off" });
        until(&format!("hci{controller} {word}"), || {
            said_by("btmgmt", &["--index", &index, "power", word]);
            within(AGAIN, || (is_up(controller) == Some(on)).then_some(()))
        });
    }

    /// Waits until a controller of the classic kind can be connected to: Linux 6.1 may fall over a connection
    /// that fails at once.
    pub(crate) fn listens(&self, controller: u16) {
        until("the controller listens", || {
            said_by("hciconfig", &[&format!("hci{controller}")])
                .contains("PSCAN ISCAN")
                .then_some(())
        });
    }

    /// A controller's own address.
    pub(crate) fn address(&self, controller: u16) -> String {
        until("the controller's address", || {
            let said = said_by("hciconfig", &[&format!("hci{controller}")]);
            let (_, rest) = said.split_once("BD Address: ")?;
            rest.split_whitespace().next().map(str::to_owned)
        })
    }

    /// What a person who looks into a failure asks first.
    pub(crate) fn tell(&self) {
        println!("{}", said_by("hciconfig", &["-a"]));
        println!("{}", said_by("dmesg", &[]).lines().rev().take(10).collect::<Vec<_>>().join("\n"));
    }

    /// Ends everything and waits until the controllers are gone.
    pub(crate) fn put_away(mut self) {
        self.daemon = None;
        if self.crashes() > 0 {
            println!("bluetoothd has crashed and was started again");
        }
        stand_on(None);
        self.controllers = None;
        self.monitor = None;
        until("the controllers go", || (present() == 0).then_some(()));
        let _ = fs::remove_dir_all(MEMORY);
        fs::create_dir_all(MEMORY).unwrap();
    }
}

/// How many controllers there are. A connection has an entry too: `hci0:1`.
fn present() -> usize {
    let names = fs::read_dir(CONTROLLERS).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.contains(':')).count()
}

/// Whether a controller is on; `None` where it is in nobody's hands but a test's.
fn is_up(controller: u16) -> Option<bool> {
    let said = said_by("hciconfig", &[&format!("hci{controller}")]);
    let flags = said.lines().nth(2)?;
    Some(flags.split_whitespace().any(|flag| flag == "UP"))
}

//! The command line: what the user typed.

use crate::flash::arguments::Flash;
use crate::past::arguments as past;
use crate::rules::arguments as rules;
use clap::{Args, Parser, Subcommand};
use mtom_device::settings::{Format, PAIRING_SECONDS_MAX, Passkey};
use mtom_protocol::link::Led;
use mtom_sim::actuator::fault::Faults as ActuatorFaults;
use mtom_sim::actuator::{Bluetooth, Compare, SerialProfile};
use mtom_sim::sensor::fault::Faults;
use mtom_sim::sensor::profile::Profile;
use std::path::PathBuf;
use std::time::Duration;

/// Machine to machine: a sensor speaks over MQTT, mtom keeps every reading, shows it live, decides
/// by a rule, drives an actuator, and the device says that it obeyed.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example: mtom up        everything in one process; open the URL it prints"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process, with simulated devices where no real one is configured
    #[command(
        after_help = "Examples:\n  mtom up\n  mtom up --set live.listen=127.0.0.1:0 --set data.dir=/var/lib/mtom\n  mtom up --config mtom.toml --ready-file ready.json"
    )]
    Up(Serve),
    /// Broker, history, live and page, without rules and actuators (the original's PC1)
    #[command(
        after_help = "Examples:\n  mtom gateway\n  mtom gateway --set broker.url=mqtt://192.168.1.10"
    )]
    Gateway(Serve),
    /// Receives readings from a gateway, decides by rules and drives actuators (the original's PC2)
    #[command(
        after_help = "Examples:\n  mtom controller --from tcp://192.168.13.64:8766 --set 'actuator.0={name=\"TEMP_LED\",link=\"serial:/dev/rfcomm0\"}'\n  mtom controller --from ws://192.168.13.64:8765    the original server, or its port of ours"
    )]
    Controller(Controller),
    /// Simulated sensors that publish over MQTT
    #[command(
        after_help = "Examples:\n  mtom sensor --broker 127.0.0.1:1883 --profile room\n  mtom sensor --count 5000 --interval 2s --seed 7 --format json\n  mtom sensor --count 200 --format json --ram 0 --flash 64 --fault offline=5s/30s,reboot=1m,duplicate=0.01 --journal sent.jsonl"
    )]
    Sensor(Sensor),
    /// A simulated actuator with an LED, on TCP, a serial port, a new pseudo terminal and Bluetooth; SIGUSR1 presses its button
    #[command(
        after_help = "Examples:\n  mtom actuator --listen 127.0.0.1:7000\n  mtom actuator --serial /dev/ttyUSB1 --original\n  mtom actuator --ble hci0 --state led.state\n  mtom actuator --ble hci0 --pairing --compare same\n  mtom actuator --spp hci0 --original\n  mtom actuator --pty --fault drop=0.1,slow=300ms\n  mtom actuator scan"
    )]
    Actuator(Actuator),
    /// Puts the firmware on a real board, with its settings, and waits until it works
    #[command(
        subcommand,
        after_help = "Examples:\n  mtom flash sensor --wifi-ssid home --wifi-password-file wifi.txt --broker 192.168.1.10\n  mtom flash actuator"
    )]
    Flash(Flash),
    /// Looks at everything that mtom needs, and says what to do about what is wrong
    #[command(after_help = "Example: mtom doctor --config mtom.toml")]
    Doctor(past::Place),
    /// Readings of the history in the terminal
    #[command(
        after_help = "Examples:\n  mtom history\n  mtom history --series Environ/Temperature --since 2h\n  mtom history --since 7d --min 25 --format csv > warm.csv\n  mtom history --follow"
    )]
    History(past::History),
    /// Readings into a file: CSV, JSON lines, Parquet, InfluxDB line protocol or SenML
    #[command(
        after_help = "Examples:\n  mtom export week.parquet --since 7d\n  mtom export all.csv --series Environ/Temperature"
    )]
    Export(past::Export),
    /// Readings of a file, or of the original's database, into the history; goes on where it was cut
    #[command(
        after_help = "Examples:\n  mtom import week.parquet\n  mtom import temp.csv --zone Asia/Shanghai --unit °C\n  mtom import mysql://root@127.0.0.1/mtom --password-file password.txt"
    )]
    Import(past::Import),
    /// A checked copy of the history, while the gateway runs
    #[command(after_help = "Example: mtom backup mtom-2026-11-24.db")]
    Backup(past::Backup),
    /// Puts a backup in the place of the history; the gateway must be stopped
    #[command(after_help = "Example: mtom restore mtom-2026-11-24.db --force")]
    Restore(past::Restore),
    /// Plays history with its original spacing, to a broker or as a live port of its own
    #[command(
        after_help = "Examples:\n  mtom replay --since 2h --speed 60 --live\n  mtom replay --since 7d --speed max --to mqtt://127.0.0.1"
    )]
    Replay(past::Replay),
    /// What has become of everything that arrived; fails when it does not add up
    #[command(after_help = "Examples:\n  mtom audit\n  mtom audit --resend")]
    Audit(past::Audit),
    /// Rules before they drive anything: run their cases, look for mistakes, play the history through them
    #[command(
        subcommand,
        after_help = "Examples:\n  mtom rules test heat.toml\n  mtom rules check\n  mtom rules replay heat.toml --since 30d"
    )]
    Rules(rules::Rules),
    /// Why an actuator is as it is: the reading, the rule, the command and the device's word, each with its time
    #[command(
        after_help = "Examples:\n  mtom why TEMP_LED\n  mtom why TEMP_LED --at \"2026-11-24 08:00\""
    )]
    Why(rules::Why),
    /// Every command with its cause, and when it was decided, sent and applied
    #[command(
        after_help = "Examples:\n  mtom ledger\n  mtom ledger --since 7d --actuator TEMP_LED --format csv > ledger.csv"
    )]
    Ledger(rules::Ledger),
    /// Live readings, actuators and log in the terminal
    #[command(
        after_help = "Examples:\n  mtom watch\n  mtom watch --dashboard http://127.0.0.1:8080 --plain"
    )]
    Watch(Watch),
    /// The configuration: print the annotated default, or check a file
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The configuration file; without it mtom.toml, if there is one here
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Overrides one key, may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Written once everything listens: JSON with the addresses of mqtt, live, history, dashboard
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Controller {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The gateway: tcp://HOST:8766 or ws://HOST:8080/live, where nothing is missed after a break; udp://HOST:8767,
    /// where what is lost is counted; or the live port as the original has it, ws://HOST:8765, where only what is
    /// new comes
    #[arg(long, value_name = "URL", default_value = "tcp://127.0.0.1:8766")]
    pub(crate) from: String,
    /// What the gateway calls this controller; left out, this computer's name
    #[arg(long, value_name = "NAME", value_parser = controller_name)]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Sensor {
    /// The broker
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1883")]
    pub(crate) broker: String,
    /// The topic; with --count the second sensor publishes on Environ/sim2/Temperature and so on
    #[arg(long, default_value = "Environ/Temperature")]
    pub(crate) topic: String,
    /// MQTT client id; with --count followed by -1, -2 and so on
    #[arg(long, default_value_t = format!("mtom-sim-{}", std::process::id()), hide_default_value = true)]
    pub(crate) id: String,
    /// What a reading looks like; json has time, boot and seq, so that each is kept exactly once
    #[arg(long, value_name = "text|json", default_value = "text", value_parser = format)]
    pub(crate) format: Format,
    /// How many
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) count: u32,
    /// How often each one measures
    #[arg(long, visible_alias = "period", value_name = "TIME", default_value = "2s", value_parser = time_span)]
    pub(crate) interval: Duration,
    /// How the temperature goes: room, sine (21 to 29 °C in a minute), walk, or csv:FILE with one °C a line
    #[arg(long, default_value = "sine")]
    pub(crate) profile: Profile,
    /// Always this temperature in °C
    #[arg(long, value_name = "CELSIUS", allow_negative_numbers = true, conflicts_with = "profile")]
    pub(crate) celsius: Option<f64>,
    /// The same seed gives the same temperatures and the same faults
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// What goes wrong: offline=30s/5m,skew=+1h,reboot=10m,garbage=0.01,duplicate=0.01,late=0.05
    #[arg(long, value_name = "FAULTS", default_value = "", hide_default_value = true)]
    pub(crate) fault: Faults,
    /// How many readings wait in memory before the oldest go to flash; 0: each goes to flash first
    #[arg(long, value_name = "READINGS", default_value_t = 8, value_parser = clap::value_parser!(u16).range(0..=8))]
    pub(crate) ram: u16,
    /// Flash for readings that wait; each takes 36 bytes. Without it memory is all there is
    #[arg(long, value_name = "KIB", default_value_t = 0, value_parser = flash_kib)]
    pub(crate) flash: u32,
    /// Writes down what was measured, sent and acknowledged, as JSON lines
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Stops by itself after this long
    #[arg(long = "for", value_name = "TIME", value_parser = time_span)]
    pub(crate) run_for: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Actuator {
    #[command(subcommand)]
    pub(crate) command: Option<ActuatorCommand>,
    /// Wait for the gateway on this address; 127.0.0.1:7000 when there is no other link
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// Speak on this serial port, 115200 baud
    #[arg(long, value_name = "PATH")]
    pub(crate) serial: Option<String>,
    /// Make a pseudo terminal and print its path
    #[arg(long)]
    pub(crate) pty: bool,
    /// Be found over Bluetooth LE: a controller that speaks HCI over TCP, or on Linux hci0 and so on
    #[arg(long, value_name = "HOST:PORT|hciN")]
    pub(crate) ble: Option<Bluetooth>,
    /// Be found over classic Bluetooth, as the original was, by this adapter (Linux, BlueZ)
    #[arg(long, value_name = "hciN")]
    pub(crate) spp: Option<SerialProfile>,
    /// The device's name
    #[arg(long, default_value = "TEMP_LED")]
    pub(crate) name: String,
    /// Return to the safe state when nothing was heard for so long
    #[arg(long, value_name = "TIME|none", default_value = "30s", value_parser = lease)]
    pub(crate) lease: Lease,
    /// The state of the LED at the start and when the lease ends
    #[arg(long, value_name = "on|off", default_value = "off", value_parser = led)]
    pub(crate) safe: Led,
    /// Keep the number of the last command in this file, as a device does in its flash
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Obey only who has the key in this file, as mtom actuator key makes it
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Over Bluetooth LE obey only whom it was paired with; it can be for so long after its start
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "120s", value_parser = pairing, requires = "ble")]
    pub(crate) pairing: Option<Duration>,
    /// What is typed to pair it, six digits; without it a new one each time, which its log shows
    #[arg(long, value_name = "DIGITS", value_parser = passkey, requires = "pairing")]
    pub(crate) passkey: Option<Passkey>,
    /// Pair by comparing numbers instead: its log shows one, and ask waits for SIGUSR1, the press of its
    /// button that says it is the same
    #[arg(long, value_name = "ask|same|different", num_args = 0..=1, default_missing_value = "ask", value_parser = compare, requires = "pairing", conflicts_with = "passkey")]
    pub(crate) compare: Option<Compare>,
    /// Be an original device: takes h and c, never answers, has no lease
    #[arg(long, conflicts_with_all = ["ble", "lease", "safe", "state", "key_file", "pairing", "compare"])]
    pub(crate) original: bool,
    /// What goes wrong: drop=0.1 (lines lost), die-after=20 (lines), slow=300ms, legacy (as --original)
    #[arg(long, value_name = "FAULTS", default_value = "", hide_default_value = true)]
    pub(crate) fault: ActuatorFaults,
    /// The same seed gives the same faults
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ActuatorCommand {
    /// Which devices are in reach over Bluetooth, and what to write to drive one
    #[command(after_help = "Example: mtom actuator scan --for 20s")]
    Scan(Scan),
    /// The actuators of the gateway that runs: what each should be, what it says it is, how its link is
    #[command(after_help = "Example: mtom actuator list")]
    List(Listing),
    /// One actuator in full, with what it was told last and why its link is so
    #[command(after_help = "Example: mtom actuator status TEMP_LED")]
    Status(Status),
    /// Says by hand what an actuator is to be, above all rules, and waits for the device's word
    #[command(
        after_help = "Examples:\n  mtom actuator set TEMP_LED on --for 10m\n  mtom actuator set TEMP_LED auto\n\nExit code 1 when the device does not say in time that it obeyed."
    )]
    Set(SetByHand),
    /// Pairs a device over Bluetooth LE, by six digits that it shows or compares; the gateway must run
    #[command(
        after_help = "Example: mtom actuator pair TEMP_LED\n\nOne of our devices is paired within its first minutes of power, when it was given --pairing. Its log shows\nthe digits: on USB, or in the terminal of mtom actuator. One with --compare shows a number that is compared with\nthe one here: answer yes here, and press its button there. A pairing ends by itself after 120 s."
    )]
    Pair(Pair),
    /// Makes a key for one device and its gateway, so that nobody else can speak for either
    #[command(
        after_help = "Example: mtom actuator key lamp.key\n\nThe device gets it with mtom flash actuator --key-file lamp.key, the gateway with key_file = \"lamp.key\"\nunder its [[actuator]]. Each device has a key of its own."
    )]
    Key(NewKey),
}

#[derive(Debug, Args)]
pub(crate) struct Pair {
    /// The actuator
    pub(crate) name: String,
    /// The digits, where they are known before
    #[arg(long, value_name = "DIGITS", value_parser = passkey)]
    pub(crate) passkey: Option<Passkey>,
    #[command(flatten)]
    pub(crate) place: past::Place,
}

#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// The file, which must not be there yet; only you may read it
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Listing {
    #[command(flatten)]
    pub(crate) place: past::Place,
    /// As the API says it
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The actuator
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) listing: Listing,
}

#[derive(Debug, Args)]
pub(crate) struct SetByHand {
    /// The actuator
    pub(crate) name: String,
    /// on, off, or auto: as the rules want it
    #[arg(value_parser = ["on", "off", "auto"])]
    pub(crate) led: String,
    /// How long the rules have no say; without it until somebody says auto
    #[arg(long = "for", value_name = "TIME", value_parser = time_span)]
    pub(crate) until_after: Option<Duration>,
    /// How long to wait for the device's word
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time_span)]
    pub(crate) wait: Duration,
    #[command(flatten)]
    pub(crate) place: past::Place,
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// The adapter to search with; without one the system's first
    #[arg(long, value_name = "hciN")]
    pub(crate) adapter: Option<String>,
    /// How long to search; classic devices need ten seconds
    #[arg(long = "for", value_name = "TIME", default_value = "12s", value_parser = time_span)]
    pub(crate) run_for: Duration,
}

/// How long an LED stays without a word from the gateway; `None`: for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease(pub(crate) Option<Duration>);

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The page's address, as mtom up prints it
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) dashboard: String,
    /// One line per event instead of a full screen
    #[arg(long)]
    pub(crate) plain: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Prints mtom.toml with every key, its default and what it means
    #[command(after_help = "Example: mtom config default > mtom.toml")]
    Default,
    /// Says everything that is wrong, without starting anything
    #[command(after_help = "Example: mtom config check --config mtom.toml")]
    Check(Source),
}

fn format(text: &str) -> Result<Format, String> {
    Format::parse(text).ok_or_else(|| "expected text or json".into())
}

/// Nothing, or at least two pages.
fn flash_kib(text: &str) -> Result<u32, String> {
    let kib = text.parse().ok().filter(|kib| matches!(kib, 0 | 8..=4_096));
    kib.ok_or_else(|| "expected 0, or 8 to 4096".into())
}

fn time_span(text: &str) -> Result<Duration, String> {
    crate::config::time_span(text)
}

/// A device counts it in whole seconds.
pub(crate) fn pairing(text: &str) -> Result<Duration, String> {
    let span = time_span(text)?;
    let range = 1..=u64::from(PAIRING_SECONDS_MAX);
    range.contains(&span.as_secs()).then_some(span).ok_or_else(|| "expected 1s to 10m".into())
}

fn compare(text: &str) -> Result<Compare, String> {
    match text {
        "ask" => Ok(Compare::Ask),
        "same" => Ok(Compare::Same),
        "different" => Ok(Compare::Different),
        _ => Err("expected ask, same or different".into()),
    }
}

pub(crate) fn passkey(text: &str) -> Result<Passkey, String> {
    Passkey::parse(text).ok_or_else(|| "expected six digits".into())
}

fn lease(text: &str) -> Result<Lease, String> {
    match text {
        "none" => Ok(Lease(None)),
        text => {
            let lease = time_span(text)?;
            // A device counts in milliseconds, and 0 is none.
            let is_some = lease.as_millis() > 0;
            is_some.then_some(Lease(Some(lease))).ok_or_else(|| "expected a time or none".into())
        }
    }
}

fn led(text: &str) -> Result<Led, String> {
    match text {
        "on" => Ok(Led::On),
        "off" => Ok(Led::Off),
        _ => Err("expected on or off".into()),
    }
}

/// What persons call a controller.
fn controller_name(text: &str) -> Result<String, String> {
    if (1..=64).contains(&text.len()) && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 64 bytes without control characters".to_owned())
    }
}

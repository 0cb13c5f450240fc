//! The command line: what the user typed.

use clap::{Args, Parser, Subcommand};
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
        after_help = "Example: mtom controller --from ws://192.168.13.64:8765 --set 'actuator.0={name=\"TEMP_LED\",link=\"serial:/dev/rfcomm0\"}'"
    )]
    Controller(Controller),
    /// Simulated sensors that publish over MQTT
    #[command(after_help = "Example: mtom sensor --broker 127.0.0.1:1883 --count 10 --period 2s")]
    Sensor(Sensor),
    /// A simulated actuator with an LED, on TCP, on a serial port or on a new pseudo terminal
    #[command(
        after_help = "Examples:\n  mtom actuator --listen 127.0.0.1:7000\n  mtom actuator --serial /dev/ttyUSB1 --original"
    )]
    Actuator(Actuator),
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
    /// The gateway's live port, or the original server's
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8765")]
    pub(crate) from: String,
}

#[derive(Debug, Args)]
pub(crate) struct Sensor {
    /// The broker
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1883")]
    pub(crate) broker: String,
    /// The topic; with --count the second sensor publishes on Environ/sim2/Temperature and so on
    #[arg(long, default_value = "Environ/Temperature")]
    pub(crate) topic: String,
    /// How many
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) count: u32,
    /// How often each one measures
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time_span)]
    pub(crate) period: Duration,
    /// Always this temperature in °C instead of a wave around 25
    #[arg(long, value_name = "CELSIUS", allow_negative_numbers = true)]
    pub(crate) celsius: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct Actuator {
    /// Wait for the gateway on this address
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7000")]
    pub(crate) listen: String,
    /// Speak on this serial port, 115200 baud
    #[arg(long, value_name = "PATH", conflicts_with = "listen")]
    pub(crate) serial: Option<String>,
    /// Make a pseudo terminal and print its path
    #[arg(long, conflicts_with_all = ["listen", "serial"])]
    pub(crate) pty: bool,
    /// The device's name
    #[arg(long, default_value = "TEMP_LED")]
    pub(crate) name: String,
    /// Be an original device: takes h and c, never answers
    #[arg(long)]
    pub(crate) original: bool,
}

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

fn time_span(text: &str) -> Result<Duration, String> {
    crate::config::time_span(text)
}

//! The command line of `mtom flash`.

use clap::{Args, Subcommand, ValueEnum};
use mtom_device::settings::Passkey;
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum Flash {
    /// A board that measures and publishes over MQTT
    #[command(
        after_help = "The image is built by cargo xtask firmware build, or lies beside mtom in a release; nothing is downloaded.\nOnly the settings have changed? Run it again: what stands on the board already is skipped.\n\nExamples:\n  mtom flash sensor --wifi-ssid home --wifi-password-file wifi.txt --broker 192.168.1.10\n  mtom flash sensor --port /dev/ttyUSB0 --wifi-ssid home --wifi-password-file wifi.txt --broker mqtts://broker.lan --broker-ca ca.pem --user env1 --password-file mqtt.txt --format json\n  mtom flash sensor --wifi-ssid home --broker 192.168.1.10 --board esp32c3 --save sensor.bin"
    )]
    Sensor(Box<Sensor>),
    /// A board that drives an LED, over Bluetooth LE and over its serial port
    #[command(
        after_help = "The image is built by cargo xtask firmware build, or lies beside mtom in a release; nothing is downloaded.\n\nExamples:\n  mtom flash actuator\n  mtom flash actuator --port /dev/ttyACM0 --name TEMP_LED --lease 30s\n  mtom actuator key lamp.key && mtom flash actuator --key-file lamp.key"
    )]
    Actuator(Box<Actuator>),
}

#[derive(Debug, Args)]
pub(crate) struct Sensor {
    /// The name of the wireless network, 2.4 GHz
    #[arg(long, value_name = "SSID")]
    pub(crate) wifi_ssid: String,
    /// A file with its password
    #[arg(long, value_name = "FILE", conflicts_with = "wifi_password")]
    pub(crate) wifi_password_file: Option<PathBuf>,
    /// Its password; others on this computer can see it: better a file, or MTOM_WIFI_PASSWORD in the environment
    #[arg(long, value_name = "TEXT")]
    pub(crate) wifi_password: Option<Secret>,
    /// The broker as the board reaches it: host, host:port or mqtts://host
    #[arg(long, value_name = "BROKER")]
    pub(crate) broker: String,
    /// The certificate of the broker's CA, PEM or DER; with mqtts://
    #[arg(long, value_name = "FILE")]
    pub(crate) broker_ca: Option<PathBuf>,
    /// The user at the broker
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub(crate) user: Option<String>,
    /// A file with that user's password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(crate) password_file: Option<PathBuf>,
    /// The device's name at the broker; without it mtom- and the board's hardware address
    #[arg(long, value_name = "NAME")]
    pub(crate) id: Option<String>,
    /// Where it publishes
    #[arg(long, default_value = "Environ/Temperature")]
    pub(crate) topic: String,
    /// What a reading looks like: text as the original's, or json, which is kept exactly once
    #[arg(long, value_name = "text|json", default_value = "text")]
    pub(crate) format: String,
    /// How often it measures
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub(crate) period: String,
    /// The time server, or none
    #[arg(long, value_name = "HOST", default_value = "pool.ntp.org")]
    pub(crate) ntp: String,
    /// Introduce it to Home Assistant
    #[arg(long)]
    pub(crate) discovery: bool,
    #[command(flatten)]
    pub(crate) board: Board,
}

#[derive(Debug, Args)]
pub(crate) struct Actuator {
    /// The name under which it is found over Bluetooth
    #[arg(long, default_value = "TEMP_LED")]
    pub(crate) name: String,
    /// The LED goes dark when the gateway has been silent for so long; 0s: never
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) lease: String,
    /// A file with the key that its gateway has to have, as mtom actuator key makes it; without it anybody is obeyed
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Over Bluetooth it obeys only whom it was paired with; it can be for so long after its power came
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "120s", value_parser = crate::cli::pairing)]
    pub(crate) pairing: Option<Duration>,
    /// What is typed to pair it, six digits; without it a new one each time, which its log shows
    #[arg(long, value_name = "DIGITS", value_parser = crate::cli::passkey, requires = "pairing")]
    pub(crate) passkey: Option<Passkey>,
    /// It is paired by comparing numbers instead: its log shows one, and a press of its button (BOOT) says that it is the same
    #[arg(long, requires = "pairing", conflicts_with = "passkey")]
    pub(crate) compare: bool,
    #[command(flatten)]
    pub(crate) board: Board,
}

/// What is the same for both.
#[derive(Debug, Args)]
pub(crate) struct Board {
    /// The serial port; without it the only one that looks like a board
    #[arg(long, value_name = "PATH")]
    pub(crate) port: Option<String>,
    /// The board; without it what is found on the port
    #[arg(long, value_parser = ["esp32c3", "esp32c6"])]
    pub(crate) board: Option<String>,
    /// This firmware instead of the one that is built or lies beside mtom
    #[arg(long, value_name = "FILE.elf")]
    pub(crate) image: Option<PathBuf>,
    /// How the board comes into its loader: reset by its port, or brought there by hand with BOOT and RESET
    #[arg(long, value_enum, default_value_t = Before::DefaultReset)]
    pub(crate) before: Before,
    /// The speed of the transfer
    #[arg(long, default_value_t = 460_800, value_parser = clap::value_parser!(u32).range(115_200..=2_000_000))]
    pub(crate) baud: u32,
    /// Use the slower loader in the board's ROM
    #[arg(long)]
    pub(crate) no_stub: bool,
    /// Write everything into this file instead of onto a board
    #[arg(long, value_name = "FILE.bin", requires = "board", conflicts_with = "port")]
    pub(crate) save: Option<PathBuf>,
    /// Do not wait until it works
    #[arg(long)]
    pub(crate) no_monitor: bool,
    /// How long to wait for that
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = crate::config::time_span)]
    pub(crate) wait: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Before {
    /// Through the lines behind RESET and BOOT
    DefaultReset,
    /// It is in its loader already
    NoReset,
}

/// A text that no log shows.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

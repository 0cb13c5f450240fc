//! The binary: command line, configuration, signals and the wiring of the parts.
//!
//! Exit codes: 0 done or stopped, 1 failed, 2 a file of rules is wrong, 64 the command line or the
//! configuration is wrong.

mod actuators;
mod ask;
mod cli;
mod clock;
mod config;
mod controller;
mod devices;
mod doctor;
mod files;
mod flash;
mod key;
mod link;
mod pair;
mod past;
mod plan;
mod ready;
mod report;
mod rules;
mod scan;
mod sensors;
mod serve;
mod stop;
mod watch;

use clap::Parser;
use cli::{ActuatorCommand, Cli, Command, ConfigCommand};
use config::{Config, Process};
use std::path::Path;
use std::process::ExitCode;

/// A file of rules is wrong: told apart from a case that fails.
const EXIT_FILE: u8 = 2;
/// `EX_USAGE` of sysexits(3).
const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help_or_mistake) => {
            // A closed pipe is not worth a second failure.
            let _ = help_or_mistake.print();
            return match help_or_mistake.exit_code() {
                0 => ExitCode::SUCCESS,
                _ => ExitCode::from(EXIT_USAGE),
            };
        }
    };
    let outcome = match cli.command {
        Command::Up(arguments) => configured(&arguments.source, |config| {
            serve::run(config, serve::Role::Up, arguments.ready_file.as_deref())
        }),
        Command::Gateway(arguments) => configured(&arguments.source, |config| {
            serve::run(config, serve::Role::Gateway, arguments.ready_file.as_deref())
        }),
        Command::Controller(arguments) => {
            configured(&arguments.source, |config| controller::run(config, &arguments))
        }
        Command::Sensor(arguments) => sensors::run(&arguments).map_err(Failure::Failed),
        Command::Actuator(arguments) => match &arguments.command {
            None => devices::actuator(&arguments),
            Some(ActuatorCommand::Scan(arguments)) => scan::run(arguments),
            Some(ActuatorCommand::List(arguments)) => actuators::list(arguments),
            Some(ActuatorCommand::Status(arguments)) => actuators::status(arguments),
            Some(ActuatorCommand::Set(arguments)) => actuators::set(arguments),
            Some(ActuatorCommand::Pair(arguments)) => pair::run(arguments),
            Some(ActuatorCommand::Key(arguments)) => key::make(arguments),
        },
        Command::Flash(arguments) => flash::run(&arguments),
        Command::Doctor(place) => doctor::run(&place),
        Command::History(arguments) => past::list(&arguments),
        Command::Export(arguments) => past::export(&arguments),
        Command::Import(arguments) => past::import(&arguments),
        Command::Backup(arguments) => past::back_up(&arguments),
        Command::Restore(arguments) => past::restore(&arguments),
        Command::Replay(arguments) => past::replay(&arguments),
        Command::Audit(arguments) => past::audit(&arguments),
        Command::Rules(arguments) => rules::run(&arguments),
        Command::Why(arguments) => rules::why(&arguments),
        Command::Ledger(arguments) => rules::ledger(&arguments),
        Command::Watch(arguments) => watch::run(&arguments).map_err(Failure::Failed),
        Command::Config(ConfigCommand::Default) => {
            report::line(config::DEFAULT_FILE.trim_end());
            Ok(())
        }
        Command::Config(ConfigCommand::Check(source)) => configured(&source, |_| {
            report::line("the configuration is valid");
            Ok(())
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => {
            report::error(&text);
            ExitCode::from(EXIT_USAGE)
        }
        Err(Failure::File(text)) => {
            report::error(&text);
            ExitCode::from(EXIT_FILE)
        }
        Err(Failure::Failed(error)) => {
            report::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Why a command ended badly.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The user has to change something.
    Usage(String),
    /// A file of rules, given on the command line, is wrong.
    File(String),
    /// Something outside went wrong.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Reads the configuration and goes on with it, or says everything that is wrong with it.
pub(crate) fn configured(
    source: &cli::Source,
    run: impl FnOnce(Config) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (name, text) = match &source.config {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|cause| {
                Failure::Usage(format!("cannot read {}: {cause}", path.display()))
            })?;
            (path.display().to_string(), text)
        }
        None => match std::fs::read_to_string(Path::new("mtom.toml")) {
            Ok(text) => ("mtom.toml".to_owned(), text),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                ("the configuration".to_owned(), String::new())
            }
            Err(cause) => {
                return Err(Failure::Usage(format!("cannot read mtom.toml: {cause}")));
            }
        },
    };
    match Config::read(&text, &source.set, &Process) {
        Ok(config) => run(config),
        Err(problems) => Err(Failure::Usage(report::problems(&name, &problems))),
    }
}

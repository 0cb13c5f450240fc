//! `mtom flash`: puts the firmware and its settings on a board, and shows its log until it works.
//!
//! Whatever can be wrong with the command line is said before a port is touched. The work on the port
//! blocks, so it has a thread; Ctrl-C does not wait for it, because a half-written board can always
//! be written again.

pub(crate) mod arguments;
mod monitor;
mod progress;
mod wanted;

use crate::{Failure, report, stop};
use anyhow::{Context, anyhow};
use arguments::{Before, Flash};
use monitor::{Ear, Proof};
use mtom_flash::board::{Board, Role};
use mtom_flash::image::{self, Image};
use mtom_flash::loader::{Loader, Options};
use mtom_flash::settings::BoardSettings;
use mtom_flash::{places, ports};
use std::path::{Path, PathBuf};
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;
use wanted::Mistakes;

/// Flashes what the command line asks for.
pub(crate) fn run(command: &Flash) -> Result<(), Failure> {
    let mut mistakes = Mistakes::default();
    let (role, settings, heard_at, board) = match command {
        Flash::Sensor(arguments) => {
            let sensor = wanted::sensor(arguments, &mut mistakes);
            (Role::Sensor, sensor.settings, sensor.heard_at, &arguments.board)
        }
        Flash::Actuator(arguments) => {
            let settings = wanted::actuator(arguments, &mut mistakes);
            (Role::Actuator, settings, None, &arguments.board)
        }
    };
    let wanted = board.board.as_deref().and_then(Board::parse);
    let source = mistakes.check("--image", Source::of(role, board.image.as_deref(), wanted));
    mistakes.none()?;
    let Some(source) = source else { return Ok(()) };
    if let (Some(file), Some(board)) = (&board.save, wanted) {
        return save(file, &source, board, &settings);
    }
    report::log(tracing::Level::WARN);
    source.find(&wanted.map_or(Board::ALL.to_vec(), |board| vec![board]))?;
    if let Some((host, _)) = heard_at.as_ref().filter(|(host, _)| wanted::is_loopback(host)) {
        report::line(&format!(
            "note: to the board {host} is the board itself; a real one needs this computer's address"
        ));
    }
    let job = Job { settings, heard_at, source, wanted, arguments: board };
    stop::until_told(async |stop| job.run(stop).await)?
}

/// Everything in one file, for whoever writes it by other means.
fn save(
    file: &Path,
    source: &Source,
    board: Board,
    settings: &BoardSettings,
) -> Result<(), Failure> {
    let image = source.image(board, settings)?;
    std::fs::write(file, image.merged())
        .with_context(|| format!("cannot write {}", file.display()))?;
    report::line(&format!("app {} bytes", image.app_len()));
    report::line(&format!("wrote {}: it belongs at address 0 of an {board}", file.display()));
    Ok(())
}

/// Where the firmware comes from.
struct Source {
    role: Role,
    /// Named by the user, and for which board it says it is.
    named: Option<(PathBuf, Option<Board>)>,
}

impl Source {
    fn of(role: Role, path: Option<&Path>, wanted: Option<Board>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self { role, named: None }) };
        let elf = std::fs::read(path)
            .map_err(|cause| format!("cannot read {}: {cause}", path.display()))?;
        let says = image::board_of(&elf);
        if let Some(board) = wanted.or(says) {
            image::app_size(&elf, board).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(Self { role, named: Some((path.to_owned(), says)) })
    }

    /// The ELF file for the first of `boards` that has one.
    fn find(&self, boards: &[Board]) -> Result<PathBuf, Failure> {
        if let Some((path, _)) = &self.named {
            return Ok(path.clone());
        }
        let executable = std::env::current_exe().context("cannot tell where mtom lies")?;
        let current = std::env::current_dir().context("cannot tell the current folder")?;
        Ok(places::find(self.role, boards, &executable, &current)?)
    }

    fn image(&self, board: Board, settings: &BoardSettings) -> Result<Image, Failure> {
        let path = self.find(&[board])?;
        let elf =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let image = Image::new(&elf, board, settings);
        Ok(image.with_context(|| path.display().to_string())?)
    }
}

/// One board to flash.
struct Job<'a> {
    settings: BoardSettings,
    heard_at: Option<(String, u16)>,
    source: Source,
    wanted: Option<Board>,
    arguments: &'a arguments::Board,
}

impl Job<'_> {
    async fn run(mut self, stop: CancellationToken) -> Result<(), Failure> {
        let mut loader = self.connect(&stop).await?;
        let board = loader.board();
        self.settings.name_by(loader.mac());
        let image = self.source.image(board, &self.settings)?;
        report::line(&format!("app {} bytes", image.app_len()));
        let mut tasks = JoinSet::new();
        let is_watched = !self.arguments.no_monitor;
        let ear = self
            .heard_at
            .take()
            .filter(|_| is_watched)
            .map(|(host, port)| Ear::open(&mut tasks, host, port, self.settings.id()));
        let shown = progress::Shown::new();
        let mut showing = shown.clone();
        let writing = move || {
            loader.write(&image, &mut |progress| showing.show(progress))?;
            loader.start()
        };
        let stopped = "stopped while writing: run the same command again; a half-written board can always be flashed again";
        let log = unless_stopped(&stop, stopped, writing).await;
        shown.end();
        let log = log??;
        report::line(&format!("the {board} is written"));
        let outcome = if is_watched {
            let proof = match self.source.role {
                Role::Sensor => Proof::Reading,
                Role::Actuator => Proof::Answer,
            };
            monitor::until_it_works(log, ear, proof, self.arguments.wait, &stop).await
        } else {
            Ok(())
        };
        tasks.shutdown().await;
        outcome
    }

    /// Finds the board and checks that it is one that was asked for.
    async fn connect(&self, stop: &CancellationToken) -> Result<Loader, Failure> {
        let path = match &self.arguments.port {
            Some(path) => path.clone(),
            None => {
                let port = ports::choose(ports::list())?;
                report::line(&format!("a board is on {port}"));
                port.path
            }
        };
        let options = Options {
            reset: self.arguments.before == Before::DefaultReset,
            stub: !self.arguments.no_stub,
            baud: self.arguments.baud,
        };
        let stopped = "stopped before anything was written";
        let loader =
            unless_stopped(stop, stopped, move || Loader::connect(&path, options)).await??;
        let says = self.source.named.as_ref().and_then(|(_, says)| *says);
        if let Some(wanted) = self.wanted.or(says) {
            loader.expect(wanted)?;
        }
        report::line(&format!("{} with the address {}", loader.board(), loader.mac()));
        Ok(loader)
    }
}

/// Work that blocks; Ctrl-C does not wait for it.
async fn unless_stopped<T: Send + 'static>(
    stop: &CancellationToken,
    stopped: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Failure::Failed(anyhow!(stopped))),
        done = spawn_blocking(work) => Ok(done.context("the conversation with the board failed")?),
    }
}

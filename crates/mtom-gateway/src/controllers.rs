//! Which controller drives what, kept in the data folder: a restart of the gateway hands no actuator over.
//!
//! The file is written after each change, so a gateway that dies in the same moment has not kept that one. A line
//! that is none is left out.

use crate::Clock;
use mtom_forward::owners::{Controller, Owners};
use mtom_protocol::time::UnixMicros;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::{fs, io};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The file in the data folder: a JSON object in each line.
const FILE: &str = "controllers";

/// Keeps the list.
pub(crate) struct Keeper {
    path: PathBuf,
    owners: Owners,
}

impl Keeper {
    /// Gives those whom an earlier gateway had taken in what they had.
    pub(crate) fn open(folder: &Path, owners: Owners, clock: &Clock) -> Self {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).unwrap_or_default();
        owners.restore(text.lines().filter_map(read).collect(), clock(), Instant::now());
        Self { path, owners }
    }

    /// Writes each change, until `stop` and the last of them.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut has_failed = false;
        loop {
            let is_over = tokio::select! {
                biased;
                () = self.owners.changed() => false,
                () = stop.cancelled() => true,
            };
            if is_over {
                return;
            }
            match self.write().await {
                Ok(()) => has_failed = false,
                Err(error) if !std::mem::replace(&mut has_failed, true) => tracing::warn!(
                    path = %self.path.display(), %error,
                    "cannot be written: after a restart another controller may take an actuator"
                ),
                Err(_) => {}
            }
        }
    }

    async fn write(&self) -> io::Result<()> {
        let known = self.owners.list(Instant::now());
        let text: String = known.iter().map(|each| format!("{}\n", line(each))).collect();
        let path = self.path.clone();
        let written = spawn_blocking(move || {
            let new = path.with_extension("new");
            fs::write(&new, text)?;
            fs::rename(new, &path)
        });
        written.await.map_err(io::Error::other).flatten()
    }
}

fn line(controller: &Controller) -> Value {
    json!({
        "controller": controller.claim,
        "address": controller.place,
        "since_micros": controller.since.0,
        "away_since_micros": controller.away_since.map(|at| at.0),
    })
}

fn read(line: &str) -> Option<Controller> {
    let mut line: Value = serde_json::from_str(line).ok()?;
    let claim = serde_json::from_value(line.get_mut("controller")?.take()).ok()?;
    let place = line.get("address")?.as_str()?.to_owned();
    let since = UnixMicros(line.get("since_micros")?.as_i64()?);
    let away_since = line.get("away_since_micros")?.as_i64().map(UnixMicros);
    Some(Controller { number: 0, claim, place, since, away_since })
}

#[cfg(test)]
mod tests {
    use super::{Controller, Keeper, UnixMicros, line, read};
    use mtom_forward::owners::{Claim, Owners};
    use std::sync::Arc;
    use tokio::time::Instant;

    fn controller(id: &str) -> Controller {
        let actuators = vec!["TEMP_LED".to_owned()];
        Controller {
            number: 0,
            claim: Claim { name: "pc\u{201c}2\"".to_owned(), id: id.to_owned(), actuators },
            place: "10.0.0.2".to_owned(),
            since: UnixMicros(5),
            away_since: Some(UnixMicros(7)),
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_no_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let connected = Controller { away_since: None, ..controller("a") };
        for one in [&connected, &controller("b")] {
            assert_eq!(read(&line(one).to_string()).as_ref(), Some(one));
        }
        let text =
            format!("{}\n{{\"address\":1}}\n\u{0}\n{}\n", line(&connected), line(&controller("b")));
        std::fs::write(folder.path().join("controllers"), text).unwrap();
        let owners = Owners::default();
        Keeper::open(folder.path(), owners.clone(), &(Arc::new(|| UnixMicros(9)) as crate::Clock));
        let ids: Vec<_> = owners.list(Instant::now()).into_iter().map(|it| it.claim.id).collect();
        assert_eq!(ids, ["a", "b"]);
    }
}

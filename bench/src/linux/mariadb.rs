//! A MariaDB server of this run's own, on a free port.

use super::folder::Temporary;
use anyhow::{Context, Result, bail, ensure};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

const PROGRAMS: [&str; 3] =
    ["/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/opt/homebrew/bin/mariadbd"];
const START_MAX: Duration = Duration::from_secs(60);

/// A running server; killed when dropped.
pub(crate) struct MariaDb {
    pub(crate) port: u16,
    _server: Child,
    /// Reads on, so that the server never waits for a reader of its log.
    _log: JoinSet<()>,
    _folder: Temporary,
}

impl MariaDb {
    /// Starts it and waits for its own word that it listens. It syncs at each COMMIT, its default.
    pub(crate) async fn start() -> Result<Self> {
        let Some(program) = PROGRAMS.into_iter().find(|path| Path::new(path).exists()) else {
            bail!(
                "mariadbd is not installed; `apt-get install mariadb-server` (dnf, brew: mariadb) \
                 brings it"
            );
        };
        let folder = Temporary::new("mariadb")?;
        let data = format!("--datadir={}", folder.path().join("data").display());
        let user = is_root().await?.then_some("--user=root");
        let install = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(&data)
            .args(user)
            .output()
            .await
            .context("cannot start mariadb-install-db")?;
        ensure!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let socket = folder.path().join("s");
        let mut server = Command::new(program)
            .args(["--no-defaults", "--skip-name-resolve", "--bind-address=127.0.0.1"])
            .arg("--innodb-buffer-pool-size=256M")
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", socket.display()))
            .arg(format!("--pid-file={}", folder.path().join("pid").display()))
            .arg(data)
            .args(user)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start mariadbd")?;
        let log = server.stderr.take().context("its standard error is piped")?;
        let mut lines = BufReader::new(log).lines();
        timeout(START_MAX, async {
            while let Some(line) = lines.next_line().await? {
                if line.contains("ready for connections") {
                    return anyhow::Ok(());
                }
            }
            bail!("mariadbd ended before it listened")
        })
        .await
        .context("mariadbd does not listen")??;
        let mut log = JoinSet::new();
        log.spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { port, _server: server, _log: log, _folder: folder })
    }
}

async fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output().await?;
    Ok(id.stdout.trim_ascii() == b"0")
}

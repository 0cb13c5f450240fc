//! A real mariadbd on a free port, with its own folder.
//!
//! Where the program is not installed the test says SKIPPED and why; in CI that is a failure. A shell stands
//! between: it ends the server and takes its folder away when the test process is gone, however it went.

use super::other_host::OtherHost;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Waits for the end of its input, which is the end of the test process or of the server's owner.
const KEEPER: &str = r#"
"$@" &
echo $!
cat > /dev/null
kill -9 $! 2> /dev/null
wait
"#;
const FOLDER_KEEPER: &str = r#"cat > /dev/null; rm -rf "$1""#;

/// A running server; killed when dropped.
pub(crate) struct Server {
    keeper: Child,
    pid: String,
    pub(crate) host: Ipv4Addr,
    pub(crate) port: u16,
    /// What the program is started with: on another host a command before it.
    prefix: Vec<String>,
    options: Vec<String>,
    folder: Folder,
}

/// A folder that is taken away when the process or its owner is gone.
struct Folder {
    keeper: Child,
    path: PathBuf,
}

impl Folder {
    fn new() -> Self {
        let path = tempfile::Builder::new().prefix("mtom-maria").tempdir().unwrap().keep();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", FOLDER_KEEPER, "sh"]).arg(&path);
        Self { keeper: keeper.stdin(Stdio::piped()).spawn().unwrap(), path }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Whether the tests can run.
pub(crate) fn is_installed() -> bool {
    let is_there = mariadbd().is_some();
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "mariadbd is not installed: CI must not skip");
        eprintln!("SKIPPED: mariadbd is not installed (apt-get install mariadb-server)");
    }
    is_there
}

fn mariadbd() -> Option<&'static str> {
    ["/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/opt/homebrew/bin/mariadbd"]
        .into_iter()
        .find(|path| Path::new(path).exists())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// An empty data folder to copy: making one takes seconds.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<Folder> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let folder = Folder::new();
        let mut install = Command::new("mariadb-install-db");
        install.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
        install.args(["--skip-test-db", "--innodb-log-file-size=16M"]);
        if is_root() {
            install.arg("--user=root");
        }
        let output = install.arg(format!("--datadir={}", folder.path.display())).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    });
    &template.path
}

/// The server that all tests share which leave it alone; `None`: skip.
pub(crate) fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(&[])).as_ref()
}

impl Server {
    /// Starts one with further options; `None`: skip.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        Self::start_at(options, Ipv4Addr::LOCALHOST, Vec::new())
    }

    /// Starts one on another host; `None`: skip.
    pub(crate) fn start_on(host: &OtherHost) -> Option<Self> {
        Self::start_at(&[], host.address, host.prefix().into())
    }

    /// Starts one that listens there; what the program is started with comes before it. `None`: skip.
    pub(crate) fn start_at(options: &[&str], host: Ipv4Addr, prefix: Vec<String>) -> Option<Self> {
        let folder = is_installed().then(Folder::new)?;
        let data = folder.path.join("data");
        let copied = Command::new("cp").arg("-r").arg(template()).arg(&data).status().unwrap();
        assert!(copied.success());
        Some(Self::start_in(folder, &data, options, host, prefix))
    }

    fn start_in(
        folder: Folder,
        data: &Path,
        options: &[&str],
        host: Ipv4Addr,
        prefix: Vec<String>,
    ) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut all = vec![
            "--no-defaults".to_owned(),
            "--skip-name-resolve".to_owned(),
            format!("--bind-address={host}"),
            "--innodb-buffer-pool-size=64M".to_owned(),
            "--innodb-log-file-size=16M".to_owned(),
            "--performance-schema=OFF".to_owned(),
            format!("--port={port}"),
            format!("--datadir={}", data.display()),
            format!("--socket={}/s", folder.path.display()),
            format!("--pid-file={}/pid", folder.path.display()),
        ];
        if is_root() {
            all.push("--user=root".to_owned());
        }
        if !host.is_loopback() {
            // The administrator's account is only for this host.
            let init = folder.path.join("init.sql");
            let sql = "CREATE USER IF NOT EXISTS root@'%';\nGRANT ALL ON *.* TO root@'%';\n";
            std::fs::write(&init, sql).unwrap();
            all.push(format!("--init-file={}", init.display()));
        }
        all.extend(options.iter().map(|option| (*option).to_owned()));
        let (keeper, pid) = run(&prefix, &all);
        Self { keeper, pid, host, port, prefix, options: all, folder }
    }

    /// The server's Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path.join("s")
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().unwrap();
    }

    /// Starts it again after [`Server::kill`], on the same data.
    pub(crate) fn restart(&mut self) {
        (self.keeper, self.pid) = run(&self.prefix, &self.options);
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.pid]).status().unwrap().success());
    }

    /// A database that no other test uses.
    pub(crate) async fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}")).await;
        name
    }

    /// The URL of such a database, for root.
    pub(crate) async fn url(&self) -> String {
        format!("mysql://root@{}:{}/{}", self.host, self.port, self.database().await)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (self.host, self.port).into()
    }

    /// The administrator's connection.
    pub(crate) async fn root(&self) -> MySqlConnection {
        root(self.address()).await
    }

    /// Statements of the administrator.
    pub(crate) async fn sql(&self, statements: &str) {
        let mut root = self.root().await;
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut root).await.unwrap();
    }

    /// The only number of the only row of an answer.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        let mut root = self.root().await;
        let query = sqlx::query(AssertSqlSafe(query.to_owned()));
        query.fetch_one(&mut root).await.unwrap().get(0)
    }

    /// All rows of an answer.
    pub(crate) async fn rows(&self, query: &str) -> Vec<MySqlRow> {
        let mut root = self.root().await;
        sqlx::query(AssertSqlSafe(query.to_owned())).fetch_all(&mut root).await.unwrap()
    }
}

async fn root(address: SocketAddr) -> MySqlConnection {
    let options = MySqlConnectOptions::new().host(&address.ip().to_string());
    let options = options.port(address.port()).username("root");
    options.ssl_mode(MySqlSslMode::Disabled).connect().await.unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Starts the server and waits for its own word that it listens.
fn run(prefix: &[String], options: &[String]) -> (Child, String) {
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "sh"]).args(prefix).arg(mariadbd().unwrap()).args(options);
    keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut keeper = keeper.spawn().unwrap();
    let mut pid = String::new();
    BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut pid).unwrap();
    let mut lines = BufReader::new(keeper.stderr.take().unwrap()).lines();
    let mut said = String::new();
    let is_up = lines.by_ref().map_while(Result::ok).any(|line| {
        said.push_str(&line);
        said.push('\n');
        line.contains("ready for connections")
    });
    assert!(is_up, "mariadbd ended before it listened:\n{said}");
    // Somebody has to go on reading.
    std::thread::spawn(move || lines.for_each(drop));
    (keeper, pid.trim().to_owned())
}

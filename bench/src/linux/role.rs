//! This program again, as a child process in one role: load, client or floor.
//!
//! A role takes `key=value` words, says lines on its standard output, and ends when its standard
//! input does, so that none outlives whoever started it.

use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// Before the name of a role on the command line.
pub(crate) const PREFIX: &str = "role:";
/// No role is silent for longer.
const LINE_MAX: Duration = Duration::from_secs(120);

/// A running role; killed when dropped.
pub(crate) struct Role {
    name: &'static str,
    pub(crate) pid: u32,
    lines: Lines<BufReader<ChildStdout>>,
    stdin: Option<ChildStdin>,
    child: Child,
}

impl Role {
    /// Starts it.
    pub(crate) fn start(name: &'static str, words: &[(&str, String)]) -> Result<Self> {
        let own = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(own)
            .arg(format!("{PREFIX}{name}"))
            .args(words.iter().map(|(key, value)| format!("{key}={value}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the role {name}"))?;
        let stdout = child.stdout.take().context("its standard output is piped")?;
        let pid = child.id().context("it has just been started")?;
        let stdin = child.stdin.take();
        Ok(Self { name, pid, lines: BufReader::new(stdout).lines(), stdin, child })
    }

    /// The next line that it says.
    pub(crate) async fn line(&mut self) -> Result<String> {
        let name = self.name;
        match timeout(LINE_MAX, self.lines.next_line()).await {
            Ok(line) => line?.with_context(|| format!("the role {name} ended without a word")),
            Err(_) => bail!("the role {name} said nothing for {LINE_MAX:?}"),
        }
    }

    /// The next line, as the address of its `n`-th port.
    pub(crate) async fn ports(&mut self) -> Result<Vec<String>> {
        let line = self.line().await?;
        Ok(line.split(' ').map(str::to_owned).collect())
    }

    /// Lets it end and waits for it.
    pub(crate) async fn end(mut self) -> Result<()> {
        drop(self.stdin.take());
        let status = timeout(LINE_MAX, self.child.wait()).await??;
        if !status.success() {
            bail!("the role {} ended with {status}", self.name);
        }
        Ok(())
    }
}

/// What a role was told.
pub(crate) struct Words(HashMap<String, String>);

impl Words {
    /// From `key=value` words.
    pub(crate) fn parse(words: &[String]) -> Result<Self> {
        let pair = |word: &String| {
            let (key, value) = word.split_once('=').with_context(|| format!("no = in {word}"))?;
            Ok((key.to_owned(), value.to_owned()))
        };
        words.iter().map(pair).collect::<Result<_>>().map(Self)
    }

    /// The value of `key`.
    pub(crate) fn get<T: FromStr>(&self, key: &str) -> Result<T> {
        let value = self.0.get(key).with_context(|| format!("{key}= is missing"))?;
        value.parse().ok().with_context(|| format!("{key}={value} cannot be read"))
    }

    /// The value of `key` in milliseconds.
    pub(crate) fn millis(&self, key: &str) -> Result<Duration> {
        self.get(key).map(Duration::from_millis)
    }
}

/// Returns when whoever started us has closed our standard input.
pub(crate) async fn dismissed() {
    // Whatever the outcome, there is nobody left to tell.
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
}

//! `mtom actuator pair`: pairs a device over Bluetooth LE by way of the gateway that runs, which owns the
//! adapter, and asks the person at this terminal what the device shows.

use crate::ask::{Ask, ask, asked, percent};
use crate::{Failure, cli, report, stop};
use anyhow::{Context, anyhow, bail};
use hyper::Method;
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::interval;

/// How often the gateway is asked how it stands.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Lines of the person that nobody has read yet. Full: the terminal keeps the rest.
const LINES_LEN: usize = 4;

/// Begins it, answers what is asked, and says what came of it. Ctrl-C gives it up.
pub(crate) fn run(arguments: &cli::Pair) -> Result<(), Failure> {
    let path = format!("/api/v1/actuators/{}/pair", percent(&arguments.name));
    let begun = asked(&arguments.place, request(Method::POST, &path, "{}".into()))?;
    let (page, _) = begun.ok_or_else(|| {
        Failure::Failed(anyhow!(
            "no gateway runs at dashboard.listen of this configuration: start mtom up, or name its file with --config"
        ))
    })?;
    let paired = stop::until_told(async |stop| {
        tokio::select! {
            () = stop.cancelled() => {
                ask(page, request(Method::DELETE, &path, String::new())).await?;
                bail!("given up")
            }
            paired = follow(page, &path, arguments) => {
                if paired.is_err() {
                    // The link does not rest for nobody. What has ended already ends no more.
                    let _ = ask(page, request(Method::DELETE, &path, String::new())).await;
                }
                paired
            }
        }
    })?;
    report::line(&format!("{} is paired: {}", arguments.name, paired?));
    Ok(())
}

/// Until it has ended; the link of what is paired.
async fn follow(page: SocketAddr, path: &str, arguments: &cli::Pair) -> anyhow::Result<String> {
    let (mut said, mut turns) = (String::new(), interval(LOOK_EVERY));
    loop {
        turns.tick().await;
        let told = ask(page, request(Method::GET, path, String::new())).await?;
        let told = told.context("the gateway has ended")?;
        let state = text(&told, "state").to_owned();
        if state == said {
            continue;
        }
        let number = text(&told, "number");
        match state.as_str() {
            "paired" => return Ok(plain(text(&told, "link"))),
            "failed" => bail!("{}", plain(text(&told, "reason"))),
            _ => {}
        }
        let answer = tokio::select! {
            biased;
            answer = answer(&state, number, arguments) => answer?,
            // It may end before the person has answered.
            ended = changed(page, path, &state) => {
                ended?;
                // The question stands there without an end.
                report::line("");
                continue;
            }
        };
        if let Some(answer) = answer {
            ask(page, request(Method::PUT, path, answer.to_string())).await?;
        }
        said = state;
    }
}

/// What is asked in this state, once the person has answered; nothing where nobody is asked.
async fn answer(state: &str, number: &str, arguments: &cli::Pair) -> anyhow::Result<Option<Value>> {
    match state {
        "passkey" => Ok(Some(json!({ "passkey": passkey(arguments).await? }))),
        "compare" => Ok(Some(json!({ "same": is_same(number, arguments).await? }))),
        _ => {
            if let Some(words) = words(state, number) {
                report::line(&words);
            }
            Ok(None)
        }
    }
}

/// Until it is in another state.
async fn changed(page: SocketAddr, path: &str, state: &str) -> anyhow::Result<()> {
    let mut turns = interval(LOOK_EVERY);
    loop {
        turns.tick().await;
        let told = ask(page, request(Method::GET, path, String::new())).await?;
        if told.is_none_or(|told| text(&told, "state") != state) {
            return Ok(());
        }
    }
}

fn words(state: &str, number: &str) -> Option<String> {
    match state {
        "begun" => Some(
            "it must be able to be paired now: our devices are in their first minutes of power"
                .into(),
        ),
        "searching" => Some("searching".into()),
        "connecting" => Some("connecting".into()),
        "show" => Some(format!("type {number} at the device")),
        _ => None,
    }
}

/// The digits that the device shows.
async fn passkey(arguments: &cli::Pair) -> anyhow::Result<String> {
    match arguments.passkey {
        Some(passkey) => Ok(passkey.to_string()),
        None => {
            typed("the six digits that the device shows (its log has them): ", "--passkey").await
        }
    }
}

async fn is_same(number: &str, arguments: &cli::Pair) -> anyhow::Result<bool> {
    if let Some(passkey) = arguments.passkey {
        return Ok(passkey.to_string() == number);
    }
    let said = typed(&format!("does the device show {number}? yes or no: "), "--passkey").await?;
    Ok(said.eq_ignore_ascii_case("yes") || said.eq_ignore_ascii_case("y"))
}

/// What the person types; a thread of its own waits for it, and the process does not wait for the thread.
async fn typed(question: &str, flag: &str) -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody is at a terminal who could be asked: give the digits with {flag}");
    }
    report::ask(question);
    let (sender, mut lines) = mpsc::channel(LINES_LEN);
    std::thread::Builder::new().name("mtom-typed".into()).spawn(move || {
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line).is_ok() {
            let _ = sender.blocking_send(line);
        }
    })?;
    Ok(lines.recv().await.context("nothing was typed")?.trim().to_owned())
}

fn request(method: Method, path: &str, body: String) -> Ask<'_> {
    Ask { method, path, kind: "application/json", body }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Outside bytes: a reason may hold what steers a terminal.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}

//! `mtom watch`: live readings, actuators and log in the terminal, from a gateway's `/live`.
//!
//! A full screen where there is one, else one line per event. It sees what the page sees and
//! changes nothing. The connection is made again for ever; q, Esc or Ctrl-C ends it.

mod model;
mod screen;

use crate::{cli, report, stop};
use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use jiff::tz::TimeZone;
use model::Model;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// Frames that wait for the screen. Full: the socket is not read, and the gateway says what was lost.
const FRAMES_LEN: usize = 256;

/// What comes from the connection.
enum Heard {
    Frame(serde_json::Value),
    Connected,
    Lost(String),
}

/// Watches until the user has seen enough.
pub(crate) fn run(arguments: &cli::Watch) -> Result<()> {
    let url = live_url(&arguments.dashboard)?;
    let full_screen = !arguments.plain && std::io::stdout().is_terminal();
    stop::until_told(async |stop| {
        let (sender, heard) = mpsc::channel(FRAMES_LEN);
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(url.clone(), sender, stop.clone()));
        let outcome = if full_screen {
            screen::show(&url, heard, &stop).await
        } else {
            print(heard, &stop).await;
            Ok(())
        };
        stop.cancel();
        tasks.shutdown().await;
        outcome
    })?
}

/// `http://host:8080` → `ws://host:8080/live?batch=true`
fn live_url(dashboard: &str) -> Result<String> {
    let rest = dashboard.strip_prefix("http://").unwrap_or(dashboard).trim_end_matches('/');
    if rest.is_empty() || rest.contains(['/', ' ']) {
        bail!("{dashboard:?}: expected the page's address, as in http://127.0.0.1:8080");
    }
    Ok(format!("ws://{rest}/live?batch=true"))
}

/// Hears until `stop`, or until nobody wants to know any more.
async fn listen(url: String, heard: mpsc::Sender<Heard>, stop: CancellationToken) {
    let mut retry = RETRY_MIN;
    while !stop.is_cancelled() {
        let lost = tokio::select! {
            () = stop.cancelled() => return,
            ended = session(&url, &heard) => match ended {
                Ok(()) => {
                    retry = RETRY_MIN;
                    "the gateway closed the connection".to_owned()
                }
                Err(error) => format!("{error:#}"),
            },
        };
        if heard.send(Heard::Lost(lost)).await.is_err() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(retry) => {}
        }
        retry = (retry * 2).min(RETRY_MAX);
    }
}

async fn session(url: &str, heard: &mpsc::Sender<Heard>) -> Result<()> {
    let (mut socket, _) =
        connect_async(url).await.with_context(|| format!("no gateway at {url}"))?;
    heard.send(Heard::Connected).await.context("nobody watches")?;
    while let Some(message) = socket.next().await {
        match message {
            Ok(Message::Text(text)) => {
                let frame = serde_json::from_str(&text).context("not a frame of /live")?;
                heard.send(Heard::Frame(frame)).await.context("nobody watches")?;
            }
            Ok(_) => {}
            // It was connected: a new connection is tried at once.
            Err(_) => break,
        }
    }
    Ok(())
}

/// One line per event.
async fn print(mut heard: mpsc::Receiver<Heard>, stop: &CancellationToken) {
    let mut model = Model::new(TimeZone::system());
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = heard.recv() => event,
        };
        match event {
            None => return,
            Some(Heard::Connected) => report::line("connected"),
            Some(Heard::Lost(reason)) => report::line(&format!("not connected: {reason}")),
            Some(Heard::Frame(frame)) => {
                model.take(&frame).iter().for_each(|line| report::line(line))
            }
        }
    }
}

#[cfg(test)]
mod tests;

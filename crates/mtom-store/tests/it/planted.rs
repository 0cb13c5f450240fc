//! The same faults with a drain that is wrong: the oracle must say so, else its silence means nothing.

use super::drain::{accounts, database};
use super::maria_server::{self, Server};
use super::proxy::Proxy;
use super::{Memory, readings, settings};
use mtom_store::maria::{Maria, MariaError, Source};
use std::sync::atomic::Ordering;

#[derive(Clone, Copy, PartialEq)]
enum Bug {
    /// The position is moved in a transaction of its own, before the rows are there.
    PositionFirst,
    /// A batch that was not confirmed is sent again under new numbers.
    NewNumbers,
    /// A batch that was not confirmed is taken as stored.
    BelieveFailure,
}

/// A connection that is not there yet is tried again at once.
async fn connected(url: &str) -> Maria {
    loop {
        match Maria::connect(&settings(url)).await {
            Ok(maria) => return maria,
            Err(MariaError::Unreachable { .. } | MariaError::Lost(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Drains `last` readings; `fault` comes before the rows of each batch are sent.
async fn drain(bug: Bug, url: &str, last: u64, mut fault: impl AsyncFnMut(u64)) {
    let memory = Memory::of(readings(1..=last));
    let (mut position, mut number) = (0, 0);
    'connections: loop {
        let mut maria = connected(url).await;
        if bug == Bug::PositionFirst {
            position = maria.position().await.unwrap();
        }
        loop {
            let mut batch = memory.after(position, 100).unwrap();
            let Some(last) = batch.last().map(|reading| reading.id) else { return };
            if bug == Bug::PositionFirst {
                set_position(url, last).await;
            }
            for reading in &mut batch {
                if bug == Bug::NewNumbers {
                    number += 1;
                    reading.id = number;
                }
            }
            fault(last).await;
            let sent = maria.resend(&batch).await;
            if bug == Bug::BelieveFailure || sent.is_ok() {
                position = last;
            }
            if sent.is_err() {
                continue 'connections;
            }
        }
    }
}

async fn set_position(url: &str, position: u64) {
    use sqlx::ConnectOptions;
    let options: sqlx::mysql::MySqlConnectOptions = url.parse().unwrap();
    let options = options.ssl_mode(sqlx::mysql::MySqlSslMode::Disabled);
    let mut connection = options.connect().await.unwrap();
    let query = sqlx::query("UPDATE gateway SET drained = ? WHERE name = 'home'").bind(position);
    query.execute(&mut connection).await.unwrap();
}

async fn verdict(server: &Server, url: &str) -> Result<(), String> {
    accounts(server, database(url), &readings(1..=1_000)).await
}

#[tokio::test]
async fn the_oracle_finds_what_lost_commits_and_lost_answers_do_to_a_wrong_drain() {
    let Some(server) = maria_server::shared() else { return };
    for (bug, is_commit_lost, is_caught) in [
        (Bug::PositionFirst, true, true),
        (Bug::BelieveFailure, true, true),
        (Bug::NewNumbers, false, true),
        // The drain of this file itself is not what the oracle complains about.
        (Bug::PositionFirst, false, false),
        (Bug::NewNumbers, true, true),
    ] {
        let url = server.url().await;
        let proxy = Proxy::start(server.address()).await;
        let proxied = format!("mysql://root@127.0.0.1:{}/{}", proxy.port, database(&url));
        let lost = if is_commit_lost {
            &proxy.faults.commits_to_lose
        } else {
            &proxy.faults.replies_to_lose
        };
        let mut is_over = false;
        drain(bug, &proxied, 1_000, async |last| {
            if last == 500 && !is_over {
                is_over = true;
                lost.store(1, Ordering::SeqCst);
            }
        })
        .await;
        let verdict = verdict(server, &url).await;
        assert_eq!(verdict.is_err(), is_caught, "{verdict:?}");
    }
}

#[tokio::test]
async fn the_oracle_finds_what_kill_nine_does_to_a_wrong_drain() {
    let Some(mut server) = Server::start(&[]) else { return };
    for bug in [Bug::PositionFirst, Bug::BelieveFailure] {
        let url = server.url().await;
        let mut is_over = false;
        drain(bug, &url, 1_000, async |last| {
            if last == 500 && !is_over {
                is_over = true;
                server.kill();
                server.restart();
            }
        })
        .await;
        assert!(verdict(&server, &url).await.is_err());
    }
}

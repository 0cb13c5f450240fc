//! What breaks on the way to the server: the journal drains all the same, each reading once.
//!
//! `MTOM_FAULTS=50` runs each fault so often; without it, as often as CI does.

use super::drain::{Running, accounts, database};
use super::maria_server::{self, Server};
use super::other_host::OtherHost;
use super::proxy::Proxy;
use super::readings;
use mtom_store::maria::drain::{DrainState, Link};
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn faults(in_ci: u64) -> u64 {
    std::env::var("MTOM_FAULTS").ok().map_or(in_ci, |text| text.parse().unwrap())
}

/// For `cargo xtask faults`; whoever gets here has found nothing.
#[allow(clippy::print_stderr, reason = "a test says what it found")]
fn said(what: &str, tries: u64) {
    eprintln!("faults: {what}: {tries}, failures: 0");
}

fn is_away(state: &DrainState) -> bool {
    matches!(state.link, Link::Away { .. })
}

/// The same database, through the proxy.
fn through(proxy: &Proxy, url: &str) -> String {
    format!("mysql://root@127.0.0.1:{}/{}", proxy.port, database(url))
}

#[tokio::test]
async fn kill_nine_of_the_server_loses_and_doubles_nothing() {
    let Some(mut server) = Server::start(&[]) else { return };
    let url = server.url().await;
    let drain = Running::start(&url, readings(1..=1_000));
    let mut last = 1_000;
    for _ in 0..faults(5) {
        let base = last;
        last += 20_000;
        drain.push(readings(base + 1..=last));
        let moment = base + fastrand::u64(1..15_000);
        drain.until("the moment", |state| state.drained.is_some_and(|n| n >= moment)).await;
        server.kill();
        drain.until("the outage", is_away).await;
        drain.push(readings(last + 1..=last + 500));
        last += 500;
        server.restart();
        drain.all_drained().await;
    }
    let state = drain.all_drained().await;
    assert_eq!(state.outages, faults(5));
    drain.stop().await;
    accounts(&server, database(&url), &readings(1..=last)).await.unwrap();
    said("kills of MariaDB", faults(5));
}

#[tokio::test]
async fn a_lost_answer_to_commit_doubles_nothing() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let proxy = Proxy::start(server.address()).await;
    let drain = Running::start(&through(&proxy, &url), readings(1..=100));
    drain.all_drained().await;
    let mut last = 100;
    for _ in 0..faults(20) {
        proxy.faults.replies_to_lose.store(1, Ordering::SeqCst);
        drain.push(readings(last + 1..=last + 2_500));
        last += 2_500;
        drain.all_drained().await;
    }
    assert_eq!(proxy.faults.replies_to_lose.load(Ordering::SeqCst), 0);
    assert_eq!(drain.all_drained().await.outages, faults(20));
    drain.stop().await;
    accounts(server, database(&url), &readings(1..=last)).await.unwrap();
    said("lost answers to COMMIT", faults(20));
}

#[tokio::test]
async fn a_lost_commit_loses_nothing() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let proxy = Proxy::start(server.address()).await;
    let drain = Running::start(&through(&proxy, &url), readings(1..=100));
    drain.all_drained().await;
    let mut last = 100;
    for _ in 0..faults(20) {
        proxy.faults.commits_to_lose.store(1, Ordering::SeqCst);
        drain.push(readings(last + 1..=last + 2_500));
        last += 2_500;
        drain.all_drained().await;
    }
    assert_eq!(drain.all_drained().await.outages, faults(20));
    drain.stop().await;
    accounts(server, database(&url), &readings(1..=last)).await.unwrap();
    said("lost COMMITs", faults(20));
}

#[tokio::test]
async fn a_server_that_stands_still_is_noticed_and_goes_on() {
    let Some(server) = Server::start(&[]) else { return };
    let url = server.url().await;
    let drain = Running::start(&url, readings(1..=1_000));
    drain.all_drained().await;
    server.signal("-STOP");
    drain.push(readings(1_001..=30_000));
    let state = drain.until("the outage", is_away).await;
    let Link::Away { reason, .. } = &state.link else { unreachable!() };
    assert!(reason.contains("did not answer within"), "{reason}");
    assert_eq!((state.drained, state.newest), (Some(1_000), 30_000));
    server.signal("-CONT");
    drain.all_drained().await;
    drain.stop().await;
    accounts(&server, database(&url), &readings(1..=30_000)).await.unwrap();
}

#[tokio::test]
async fn a_partition_that_heals_brings_old_bytes_and_nothing_twice() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let proxy = Proxy::start(server.address()).await;
    let drain = Running::start(&through(&proxy, &url), readings(1..=1_000));
    let mut last = 1_000;
    for _ in 0..faults(3) {
        let base = last;
        last += 20_000;
        drain.push(readings(base + 1..=last));
        let moment = base + 2_000;
        drain.until("the moment", |state| state.drained.is_some_and(|n| n >= moment)).await;
        proxy.hold(true);
        drain.until("the outage", is_away).await;
        proxy.hold(false);
        drain.all_drained().await;
    }
    drain.stop().await;
    accounts(server, database(&url), &readings(1..=last)).await.unwrap();
    said("partitions", faults(3));
}

#[tokio::test]
async fn a_host_whose_answer_to_commit_never_comes_is_left_and_found_again() {
    let Some(host) = OtherHost::new() else { return };
    let Some(server) = Server::start_on(&host) else { return };
    let url = server.url().await;
    let proxy = Proxy::start(server.address()).await;
    let host = Arc::new(host);
    let wire = Arc::clone(&host);
    assert!(proxy.faults.cut.set(Box::new(move || wire.cut_answers())).is_ok());
    let drain = Running::start(&through(&proxy, &url), readings(1..=100));
    drain.all_drained().await;
    let mut last = 100;
    for _ in 0..faults(3) {
        proxy.faults.commits_to_cut.store(1, Ordering::SeqCst);
        drain.push(readings(last + 1..=last + 2_500));
        last += 2_500;
        let state = drain.until("the outage", is_away).await;
        assert!(state.drained.is_some_and(|drained| drained < last));
        host.heal();
        drain.all_drained().await;
    }
    assert_eq!(drain.all_drained().await.outages, faults(3));
    drain.stop().await;
    accounts(&server, database(&url), &readings(1..=last)).await.unwrap();
}

#[tokio::test]
async fn connections_that_an_administrator_ends_are_made_again() {
    let Some(server) = Server::start(&[]) else { return };
    let url = server.url().await;
    let drain = Running::start(&url, readings(1..=1_000));
    let mut last = 1_000;
    server.sql("CREATE USER admin; GRANT ALL ON *.* TO admin").await;
    for _ in 0..faults(10) {
        let base = last;
        last += 5_000;
        drain.push(readings(base + 1..=last));
        drain.until("the moment", |state| state.drained.is_some_and(|n| n > base)).await;
        let query = "SELECT CAST(MIN(ID) AS SIGNED) FROM information_schema.PROCESSLIST
             WHERE USER = 'root' AND ID <> CONNECTION_ID()";
        let id = server.number(query).await;
        // It may be gone by itself.
        let mut root = server.root().await;
        let kill = sqlx::AssertSqlSafe(format!("KILL {id}"));
        let _ = sqlx::raw_sql(kill).execute(&mut root).await;
        drain.all_drained().await;
    }
    drain.stop().await;
    accounts(&server, database(&url), &readings(1..=last)).await.unwrap();
    said("ended connections", faults(10));
}

#[tokio::test]
async fn a_full_disk_is_one_outage_and_ends_when_there_is_room() {
    let options =
        ["--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:12M:autoextend:max:40M"];
    let Some(server) = Server::start(&options) else { return };
    let url = server.url().await;
    let drain = Running::start(&url, readings(1..=1_000));
    drain.all_drained().await;
    let database = database(&url);
    server.sql(&format!("CREATE TABLE {database}.filler (text LONGTEXT) ENGINE=InnoDB")).await;
    // Not to the brim: the server needs room to drop the table too.
    server
        .sql(&format!(
            "USE {database}; INSERT INTO filler SELECT REPEAT('x', 1000000) FROM seq_1_to_24"
        ))
        .await;
    drain.push(readings(1_001..=100_000));
    let state = drain.until("the outage", is_away).await;
    let Link::Away { reason, .. } = &state.link else { unreachable!() };
    assert!(reason.contains("disk of the database server is full"), "{reason}");
    server.sql(&format!("DROP TABLE {database}.filler")).await;
    assert_eq!(drain.all_drained().await.outages, 1);
    drain.stop().await;
    accounts(&server, database, &readings(1..=100_000)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_read_only_is_one_outage() {
    let Some(server) = Server::start(&[]) else { return };
    let url = server.url().await;
    let database = database(&url);
    server.sql(&format!("CREATE USER d; GRANT ALL ON {database}.* TO d")).await;
    let user = format!("mysql://d@127.0.0.1:{}/{database}", server.port);
    let drain = Running::start(&user, readings(1..=1_000));
    drain.all_drained().await;
    server.sql("SET GLOBAL read_only = 1").await;
    drain.push(readings(1_001..=3_000));
    let state = drain.until("the outage", is_away).await;
    let Link::Away { reason, .. } = &state.link else { unreachable!() };
    assert!(reason.contains("only lets itself be read"), "{reason}");
    server.sql("SET GLOBAL read_only = 0").await;
    assert_eq!(drain.all_drained().await.outages, 1);
    drain.stop().await;
    accounts(&server, database, &readings(1..=3_000)).await.unwrap();
}

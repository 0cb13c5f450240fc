//! Readings go in once, whole, and under their numbers.

use super::{connect, maria_server, reading, readings, reject, settings};
use mtom_store::maria::{Appended, Maria, MariaError, chain};
use mtom_store::record::Order;
use sqlx::AssertSqlSafe;
use std::time::Instant;

#[tokio::test]
async fn a_reading_comes_back_as_it_went_in() {
    let Some(server) = maria_server::shared() else { return };
    let mut maria = connect(&server.url().await).await;
    let mut all = readings(1..=50);
    for (stored, value) in all.iter_mut().zip([0.1 + 0.2, -0.0, 5e-324, f64::MAX, -273.15]) {
        stored.reading.value = value;
    }
    all[7].reading.key.as_mut().unwrap().seq = u64::MAX;
    all[8].at.0 = -1;
    all[9].reading.device = "x".repeat(256).into();
    maria.append(&all).await.unwrap();
    let mut found = maria.page_by_time(None, Order::Ascending, 100, None, None).await.unwrap();
    found.sort_by_key(|stored| stored.id);
    assert_eq!(found, all);
    // The server has one zero: the other one is no other content.
    assert_eq!(maria.append(&all).await.unwrap().present, 50);
}

#[tokio::test]
async fn names_that_differ_in_case_accent_or_trailing_space_stay_apart() {
    let Some(server) = maria_server::shared() else { return };
    let mut maria = connect(&server.url().await).await;
    let names = ["a", "A", "a ", "ä", "a\u{308}", "ß", "ss", "A "];
    let mut all = readings(1..=8);
    for (stored, name) in all.iter_mut().zip(names) {
        stored.reading.device = name.into();
        stored.reading.topic = name.into();
        stored.reading.quantity = "t".into();
    }
    maria.append(&all).await.unwrap();
    for (stored, name) in all.iter().zip(names) {
        let found = maria.page_by_time(None, Order::Ascending, 9, Some(name), None).await.unwrap();
        assert_eq!(found, std::slice::from_ref(stored));
    }
}

#[tokio::test]
async fn sending_again_changes_nothing_and_moves_no_position_back() {
    let Some(server) = maria_server::shared() else { return };
    let mut maria = connect(&server.url().await).await;
    let all = readings(1..=2_500);
    let new = |inserted, present| Appended { inserted, present };
    assert_eq!(maria.position().await.unwrap(), 0);
    assert_eq!(maria.append(&all[..1_200]).await.unwrap(), new(1_200, 0));
    assert_eq!(maria.append(&all[..1_200]).await.unwrap(), new(0, 1_200));
    assert_eq!(maria.append(&all[1_000..]).await.unwrap(), new(1_300, 200));
    assert_eq!(maria.position().await.unwrap(), 2_500);
    assert_eq!(maria.append(&all[..10]).await.unwrap(), new(0, 10));
    assert_eq!(maria.position().await.unwrap(), 2_500);
    assert_eq!(maria.resend(&[reading(9_000)]).await.unwrap(), new(1, 0));
    assert_eq!(maria.position().await.unwrap(), 2_500);
}

#[tokio::test]
async fn a_number_with_another_content_is_reported_and_nothing_of_the_batch_is_written() {
    let Some(server) = maria_server::shared() else { return };
    let mut maria = connect(&server.url().await).await;
    maria.append(&readings(1..=10)).await.unwrap();
    let mut other = readings(5..=20);
    other[2].reading.value += 0.1;
    let error = maria.append(&other).await.unwrap_err();
    assert!(matches!(error, MariaError::Conflict { number: 7, count: 1, .. }), "{}", chain(&error));
    assert_eq!(maria.position().await.unwrap(), 10);
    let found = maria.page_by_time(None, Order::Ascending, 100, None, None).await.unwrap();
    assert_eq!(found.len(), 10);
    // The connection is as good as before.
    maria.append(&readings(11..=20)).await.unwrap();
}

#[tokio::test]
async fn one_gateway_has_one_writer_and_a_process_takes_over_from_its_own_dead_session() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let (mut first, mut second) = (connect(&url).await, connect(&url).await);
    first.lock(None).await.unwrap();
    let error = second.lock(None).await.unwrap_err();
    let holder = first.connection_id();
    assert!(
        matches!(error, MariaError::InUse { connection, .. } if connection == holder),
        "{}",
        chain(&error)
    );
    let mut other = settings(&url);
    other.gateway = "other".to_owned();
    Maria::connect(&other).await.unwrap().lock(None).await.unwrap();
    second.lock(Some(holder)).await.unwrap();
    assert!(first.position().await.is_err());
}

/// Prints rows per second beside a bare loop of the same rows: `cargo test -p mtom-store --release --test it
/// -- --ignored --nocapture figure`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a figure, not a fact"]
async fn figure_of_append_beside_a_bare_insert_loop() {
    let Some(server) = maria_server::Server::start(&[]) else { return };
    let url = server.url().await;
    let mut maria = connect(&url).await;
    let all = readings(1..=200_000);
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    server.sql(&format!("CREATE TABLE {database}.bare LIKE {database}.reading")).await;
    // Names are known and files have grown.
    maria.append(&all[..10_000]).await.unwrap();
    let mut root = server.root().await;
    for round in 0..3 {
        sqlx::raw_sql(AssertSqlSafe(format!("TRUNCATE {database}.bare")))
            .execute(&mut root)
            .await
            .unwrap();
        let start = Instant::now();
        let sql = format!(
            "INSERT INTO {database}.bare VALUES {}",
            vec!["(1,?,?,?,?,?,?,?,?,?,?)"; 1_000].join(",")
        );
        for batch in all[10_000..].chunks(1_000) {
            let mut query = sqlx::query(AssertSqlSafe(sql.clone()));
            for stored in batch {
                let key = stored.reading.key.as_ref();
                query = query
                    .bind(stored.id)
                    .bind(1 + stored.id % 30)
                    .bind(stored.at.0)
                    .bind(stored.reading.value)
                    .bind(stored.arrived_at.0)
                    .bind(stored.reading.taken_at.map(|at| at.0))
                    .bind(stored.suspect)
                    .bind(1 + stored.id % 30)
                    .bind(key.map(|_| 1 + stored.id % 2))
                    .bind(key.map(|key| key.seq));
            }
            query.execute(&mut root).await.unwrap();
        }
        let bare = 190_000.0 / start.elapsed().as_secs_f64();
        // Emptied, not deleted from: the server would still be busy with what was deleted.
        server
            .sql(&format!("TRUNCATE {database}.reading; UPDATE {database}.gateway SET drained = 0"))
            .await;
        let start = Instant::now();
        for batch in all[10_000..].chunks(1_000) {
            maria.append(batch).await.unwrap();
        }
        let ours = 190_000.0 / start.elapsed().as_secs_f64();
        eprintln!(
            "round {round}: append {ours:.0} rows/s, bare {bare:.0} rows/s, ratio {:.2}",
            ours / bare
        );
    }
}

#[tokio::test]
async fn rejects_are_kept_once_with_their_bytes() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let mut maria = connect(&url).await;
    maria.append_rejects(&[reject(1), reject(2)]).await.unwrap();
    maria.append_rejects(&[reject(2), reject(5)]).await.unwrap();
    assert_eq!(maria.rejects_position().await.unwrap(), 5);
    let database = url.rsplit_once('/').unwrap().1;
    let query = format!(
        "SELECT CAST(COUNT(*) AS SIGNED) FROM {database}.reject WHERE payload_head = 0x00FF27"
    );
    assert_eq!(server.number(&query).await, 3);
}

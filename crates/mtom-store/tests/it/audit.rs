//! What journal and database do not share is found and brought.

use super::{Memory, connect, maria_server, readings};
use mtom_store::maria::Source;
use std::sync::Arc;

#[tokio::test]
async fn what_is_missing_in_excess_or_different_is_found_and_resent() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let database = url.rsplit_once('/').unwrap().1;
    let mut maria = connect(&url).await;
    // With gaps, as retention and duplicates leave them.
    let all = readings((1..=45_000).filter(|number| number % 100 != 0));
    maria.append(&all).await.unwrap();
    let memory = Memory::of(all.clone());
    let source: Arc<dyn Source> = memory;
    let range = 1..=50_000;
    let found = maria.compare(&source, range.clone(), 1_000).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(found.blocks_fetched, 0);
    assert_eq!((found.compared, found.compared_to), (44_550, 50_000));
    server
        .sql(&format!(
            "USE {database};
             DELETE FROM reading WHERE number IN (1, 12345, 44999);
             UPDATE reading SET value = value + 1e-9 WHERE number = 23456;
             UPDATE reading SET topic = (SELECT id FROM topic LIMIT 1) WHERE number = 7;
             UPDATE reading SET suspect = 1 - suspect WHERE number = 8;
             UPDATE reading a JOIN reading b ON a.number = 30001 AND b.number = 30031
                 SET a.value = b.value, b.value = a.value;
             INSERT INTO reading SELECT gateway, 40000, series, at_micros, value, arrived_at_micros,
                 taken_at_micros, suspect, topic, boot, seq FROM reading WHERE number = 39999"
        ))
        .await;
    let found = maria.compare(&source, range.clone(), 1_000).await.unwrap();
    assert_eq!(found.missing, [1, 12_345, 44_999]);
    assert_eq!(found.excess, [40_000]);
    assert_eq!(found.different, [7, 8, 23_456, 30_001, 30_031]);
    // A page of it: whole blocks until there are enough.
    let page = maria.compare(&source, range.clone(), 1).await.unwrap();
    assert_eq!((page.len(), page.compared_to), (3, 10_000));
    let missing: Vec<_> =
        all.iter().filter(|reading| found.missing.contains(&reading.id)).cloned().collect();
    assert_eq!(maria.resend(&missing).await.unwrap().inserted, 3);
    let found = maria.compare(&source, range, 1_000).await.unwrap();
    assert!(found.missing.is_empty());
    // Resending does not overwrite what differs.
    assert_eq!(found.different.len(), 5);
}

#[tokio::test]
async fn the_checksum_agrees_for_every_size_of_number() {
    let Some(server) = maria_server::shared() else { return };
    let mut maria = connect(&server.url().await).await;
    let mut all = readings(1..=2_000);
    for (stored, n) in all.iter_mut().zip(0_i32..) {
        let sign = if n % 2 == 0 { 1.0 } else { -1.0 };
        stored.reading.value = match n % 5 {
            0 => sign * 10_f64.powi(n / 10 - 100) * 1.234_567_890_123_456_7,
            1 => sign * 1.0 / 3.0 * f64::from(n),
            2 => sign * 10_f64.powi(n / 10 - 100),
            3 => sign * f64::from(n) * 1e13 + 0.1,
            _ => sign * f64::from(n) / 100.0,
        };
    }
    all[0].reading.value = f64::MAX;
    all[1].reading.value = 5e-324;
    all[2].reading.value = -0.0;
    all[3].reading.value = 1e30;
    all[4].reading.value = 1e-13;
    maria.append(&all).await.unwrap();
    // Number by number, so that a difference names itself.
    let source: Arc<dyn Source> = Memory::of(all.clone());
    for stored in &all {
        let found = maria.compare(&source, stored.id..=stored.id, 1).await.unwrap();
        assert_eq!(found.blocks_fetched, 0, "{:?}", stored.reading.value);
    }
}

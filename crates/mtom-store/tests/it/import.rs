//! The original's table comes in whole and stays as it was.

use super::{maria_server, settings};
use jiff::tz::{TimeZone, offset};
use mtom_protocol::time::UnixMicros;
use mtom_store::maria::{MariaError, TempRow, TempTable, chain};
use sqlx::Row;
use tokio::sync::mpsc;

async fn rows(url: &str, after: u64) -> (u64, Vec<TempRow>) {
    let settings = settings(url);
    let table = TempTable::open(&settings.url, None, settings.limits).await.unwrap();
    let len = table.len();
    let (out, mut rows) = mpsc::channel(2);
    let zone = TimeZone::fixed(offset(2));
    let read = async {
        table.rows(after, &zone, &out).await.unwrap();
        drop(out);
    };
    let take = async {
        let mut all = Vec::new();
        while let Some(row) = rows.recv().await {
            all.push(row);
        }
        all
    };
    (len, tokio::join!(read, take).1)
}

#[tokio::test]
async fn rows_come_in_the_order_of_time_with_their_duplicates_and_the_bad_ones_say_why() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let database = url.rsplit_once('/').unwrap().1;
    server
        .sql(&format!(
            "SET sql_mode = ''; USE {database};
             CREATE TABLE temp (time DATETIME, temp FLOAT) ENGINE=MyISAM;
             INSERT INTO temp VALUES
                 ('2023-07-10 20:00:04', 24.1), ('2023-07-10 20:00:02', 16.1),
                 ('2023-07-10 20:00:02', 16.1), ('2023-07-10 20:00:02', -0.3),
                 (NULL, 20), ('0000-00-00 00:00:00', 21), ('2023-07-11 00:00:00', NULL)"
        ))
        .await;
    let checksum = format!("CHECKSUM TABLE {database}.temp");
    let before: i64 = server.rows(&checksum).await[0].get(1);
    // 2023-07-10T18:00:00Z
    let at = |seconds: i64| UnixMicros((1_689_012_000 + seconds) * 1_000_000);
    let reading = |number, at, celsius| TempRow::Reading { number, at, celsius };
    let (len, all) = rows(&url, 0).await;
    assert_eq!(len, 7);
    let bad: Vec<_> = all
        .iter()
        .filter_map(|row| match row {
            TempRow::Bad { number, reason } => Some((*number, reason.as_str())),
            TempRow::Reading { .. } => None,
        })
        .collect();
    assert_eq!(
        bad,
        [
            (1, "it has no time (NULL)"),
            (2, "`0000-00-00 00:00:00` is no time: expected one as 2023-07-10 20:00:02"),
            (7, "it has no temperature (NULL)"),
        ]
    );
    let good = [
        reading(3, at(2), -0.3),
        reading(4, at(2), 16.1),
        reading(5, at(2), 16.1),
        reading(6, at(4), 24.1),
    ];
    assert_eq!(all[2..6], good);
    // An import that was ended goes on where it was.
    assert_eq!(rows(&url, 4).await.1, all[4..]);
    let after: i64 = server.rows(&checksum).await[0].get(1);
    assert_eq!(after, before);
}

#[tokio::test]
async fn ten_thousand_rows_at_one_time_all_come() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let database = url.rsplit_once('/').unwrap().1;
    server
        .sql(&format!(
            "USE {database}; CREATE TABLE temp (time DATETIME NOT NULL, temp FLOAT NOT NULL);
             INSERT INTO temp SELECT '2023-07-10 20:00:02', seq / 10 FROM seq_1_to_10000"
        ))
        .await;
    let (len, all) = rows(&url, 0).await;
    assert_eq!((len, all.len()), (10_000, 10_000));
    let TempRow::Reading { celsius, .. } = all[240] else { panic!("{:?}", all[240]) };
    assert_eq!(celsius, 24.1);
}

#[tokio::test]
async fn a_database_without_the_table_says_what_is_expected() {
    let Some(server) = maria_server::shared() else { return };
    let settings = settings(&server.url().await);
    let error = TempTable::open(&settings.url, None, settings.limits).await.unwrap_err();
    assert!(matches!(error, MariaError::Server { .. }), "{}", chain(&error));
    assert!(error.to_string().contains("temp(time DATETIME, temp FLOAT)"), "{error}");
}

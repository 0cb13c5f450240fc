//! The first start, and what is said when it cannot be one.

use super::{connect, maria_server, readings, refused, settings};
use mtom_store::maria::{Limits, Maria, MariaError, Settings, Warning, chain};
use sqlx::{AssertSqlSafe, Row};
use std::time::Duration;

#[tokio::test]
async fn the_first_start_makes_database_and_schema_and_the_second_changes_nothing() {
    let Some(server) = maria_server::shared() else { return };
    let database = server.database().await;
    server.sql(&format!("DROP DATABASE {database}")).await;
    let url = format!("mysql://root@127.0.0.1:{}/{database}", server.port);
    let first = connect(&url).await;
    assert_eq!(first.warnings(), []);
    let tables = format!(
        "SELECT GROUP_CONCAT(TABLE_NAME ORDER BY TABLE_NAME) FROM information_schema.TABLES
         WHERE TABLE_SCHEMA = '{database}'"
    );
    let before: String = server.rows(&tables).await[0].get(0);
    assert_eq!(before, "boot,gateway,reading,reject,schema_version,series,temp,topic");
    connect(&url).await;
    let after: String = server.rows(&tables).await[0].get(0);
    assert_eq!(after, before);
    let versions = format!("SELECT CAST(COUNT(*) AS SIGNED) FROM {database}.schema_version");
    assert_eq!(server.number(&versions).await, 1);
}

#[tokio::test]
async fn two_gateways_that_start_at_once_share_one_schema() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let other = Settings { gateway: "other".to_owned(), ..settings(&url) };
    let (home, other) = tokio::join!(async { Maria::connect(&settings(&url)).await }, async {
        Maria::connect(&other).await
    });
    let (mut home, mut other) = (home.unwrap(), other.unwrap());
    home.append(&readings(1..=10)).await.unwrap();
    other.append(&readings(1..=5)).await.unwrap();
    assert_eq!(home.position().await.unwrap(), 10);
    assert_eq!(other.position().await.unwrap(), 5);
}

#[tokio::test]
async fn a_user_without_rights_is_told_the_statements_and_they_are_enough() {
    let Some(server) = maria_server::shared() else { return };
    let database = format!("{}_my%db`x", server.database().await);
    server.sql("CREATE OR REPLACE USER 'o''brien'@'127.0.0.%'").await;
    let encoded = database.replace('%', "%25").replace('`', "%60");
    let url = format!("mysql://o'brien@127.0.0.1:{}/{encoded}", server.port);
    let error = refused(&settings(&url)).await;
    let MariaError::NoGrant { statements, .. } = &error else { panic!("{}", chain(&error)) };
    assert!(statements.contains("TO 'o''brien'@'127.0.0.%';"), "{statements}");
    server.sql(statements).await;
    let mut maria = Maria::connect(&settings(&url)).await.unwrap();
    assert_eq!(maria.warnings(), []);
    maria.append(&readings(1..=3)).await.unwrap();
}

#[tokio::test]
async fn a_user_who_may_only_read_is_told_the_statements() {
    let Some(server) = maria_server::shared() else { return };
    let database = server.database().await;
    let statements = format!("CREATE USER reader; GRANT SELECT ON {database}.* TO reader");
    server.sql(&statements).await;
    let url = format!("mysql://reader@127.0.0.1:{}/{database}", server.port);
    let error = refused(&settings(&url)).await;
    assert!(matches!(error, MariaError::NoGrant { .. }), "{}", chain(&error));
    assert!(error.to_string().contains("GRANT SELECT, INSERT"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_the_right_one_is_not() {
    let Some(server) = maria_server::shared() else { return };
    let database = server.database().await;
    let statements =
        format!("CREATE USER p IDENTIFIED BY 'a secret: €'; GRANT ALL ON {database}.* TO p");
    server.sql(&statements).await;
    let url = format!("mysql://p@127.0.0.1:{}/{database}", server.port);
    for wrong in [None, Some("wrong".to_owned())] {
        let error = refused(&Settings { password: wrong, ..settings(&url) }).await;
        assert!(matches!(error, MariaError::Refused { .. }), "{}", chain(&error));
        assert!(error.to_string().contains("store.password_file"), "{error}");
    }
    let right = Settings { password: Some("a secret: €".to_owned()), ..settings(&url) };
    assert!(!format!("{right:?}").contains("secret"));
    Maria::connect(&right).await.unwrap();
}

#[tokio::test]
async fn the_session_is_strict_and_in_utc_whatever_the_server_is() {
    let options = ["--sql-mode=", "--default-time-zone=+05:00", "--character-set-server=latin1"];
    let mut options = options.to_vec();
    options.push("--innodb-flush-log-at-trx-commit=2");
    let Some(server) = maria_server::Server::start(&options) else { return };
    let url = server.url().await;
    let mut maria = connect(&url).await;
    assert_eq!(maria.warnings(), [Warning::NotDurable { flush: 2 }]);
    // A name that is too long would be cut without a word in a lax session.
    let mut long = readings([1]);
    long[0].reading.topic = "x".repeat(300).into();
    let error = maria.append(&long).await.unwrap_err();
    assert!(matches!(error, MariaError::Failed(_)), "{}", chain(&error));
    // Its transaction holds the position until it is gone.
    drop(maria);
    let mut maria = connect(&url).await;
    let mut one = readings([1]);
    one[0].reading.device = "Wohnzimmer °C 🌡".into();
    maria.append(&one).await.unwrap();
    let found = maria.page_by_time(None, Default::default(), 10, None, None).await.unwrap();
    assert_eq!(found, one);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    connect(&url).await;
    let database = url.rsplit_once('/').unwrap().1;
    server.sql(&format!("INSERT INTO {database}.schema_version VALUES (7, 0)")).await;
    let error = refused(&settings(&url)).await;
    assert!(matches!(error, MariaError::Newer { found: 7, known: 1 }), "{}", chain(&error));
}

#[tokio::test]
async fn tables_without_transactions_are_refused() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    connect(&url).await;
    let database = url.rsplit_once('/').unwrap().1;
    server.sql(&format!("ALTER TABLE {database}.reading ENGINE=MyISAM")).await;
    let error = refused(&settings(&url)).await;
    assert!(error.to_string().contains("reading with the engine MyISAM"), "{}", chain(&error));
}

#[tokio::test]
async fn the_view_temp_answers_the_original_s_query() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let mut maria = connect(&url).await;
    let mut two = readings([1, 2]);
    two[0].reading.value = 24.5;
    two[1].reading.value = 77.0;
    two[1].at.0 -= 60_000_000;
    maria.append(&two).await.unwrap();
    // 2040, beyond the end of the server's zones.
    let mut late = readings([4]);
    (late[0].at.0, late[0].reading.value) = (2_208_988_800_000_000, 1.5);
    maria.append(&late).await.unwrap();
    let database = url.rsplit_once('/').unwrap().1;
    let query = format!(
        "SET time_zone = '+01:00'; USE {database};
         SELECT * FROM temp ORDER BY time ASC LIMIT 0, 20"
    );
    let mut root = server.root().await;
    let rows = sqlx::raw_sql(AssertSqlSafe(query)).fetch_all(&mut root).await.unwrap();
    let shown: Vec<(String, f64)> = rows
        .iter()
        .map(|row| (row.try_get_unchecked::<String, _>("time").unwrap(), row.get("temp")))
        .collect();
    let expected = [
        ("2026-11-23 09:05:30", 25.0),
        ("2026-11-23 09:06:30", 24.5),
        ("2040-01-01 00:00:00", 1.5),
    ];
    assert_eq!(shown, expected.map(|(time, temp)| (time.to_owned(), temp)));
}

#[tokio::test]
async fn an_original_table_temp_stays_untouched_and_is_mentioned() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let database = url.rsplit_once('/').unwrap().1;
    server
        .sql(&format!(
            "CREATE TABLE {database}.temp (time DATETIME NOT NULL, temp FLOAT NOT NULL);
             INSERT INTO {database}.temp VALUES ('2023-07-10 20:00:02', 16.1)"
        ))
        .await;
    let mut maria = connect(&url).await;
    assert_eq!(maria.warnings(), [Warning::TempIsATable]);
    maria.append(&readings(1..=3)).await.unwrap();
    let count = format!("SELECT CAST(COUNT(*) AS SIGNED) FROM {database}.temp");
    assert_eq!(server.number(&count).await, 1);
}

#[tokio::test]
async fn a_unix_socket_works_as_well() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let database = url.rsplit_once('/').unwrap().1;
    let socket = server.socket();
    connect(&format!("mysql://root@localhost/{database}?socket={}", socket.display())).await;
}

#[tokio::test]
async fn a_port_where_nobody_listens_and_one_where_nobody_answers_end_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut silent = settings(&format!("mysql://u@{address}/d"));
    silent.limits = Limits { connect: Duration::from_millis(100), ..silent.limits };
    let error = refused(&silent).await;
    assert!(matches!(error, MariaError::Slow { .. }), "{}", chain(&error));
    drop(listener);
    let error = refused(&silent).await;
    assert!(matches!(error, MariaError::Unreachable { .. }), "{}", chain(&error));
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

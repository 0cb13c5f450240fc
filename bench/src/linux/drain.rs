//! The drain: readings/s from the journal into MariaDB, each once under its number.
//!
//! Beside it bare INSERT statements of a thousand rows each, as prepared statement and as text, of the same rows into
//! a table with the same columns and indexes, each committed by itself. The drain also reads the journal,
//! finds the numbers of names, and moves its position in the same transaction.

use super::folder::Temporary;
use super::generate;
use super::mariadb::MariaDb;
use super::run::Plan;
use super::table::{Row, Table, median, thousands};
use anyhow::{Result, ensure};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::{History, IdQuery, PAGE_LEN_MAX};
use mtom_store::maria::drain::{self, DrainSettings, DrainState};
use mtom_store::maria::{Limits, Maria, Settings};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Row as _};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const BATCH_LEN: usize = 1_000;
const TARGET: f64 = 0.7;
const DRAIN_MAX: Duration = Duration::from_secs(300);
const COLUMNS: usize = 11;

/// Measures the drain and both floors in each round.
pub(crate) async fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let folder = Temporary::new("drain")?;
    let path = folder.path().join("journal.db");
    generate::fill(&path, plan.drained)?;
    let history = History::open(&path)?;
    let rows = read(&history)?;
    let server = MariaDb::start().await?;
    let mut root = MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(server.port)
        .username("root")
        .ssl_mode(MySqlSslMode::Disabled)
        .connect()
        .await?;
    let (mut ours, mut prepared, mut text) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        let database = format!("mtom_{round}");
        ours.push(drained(&server, &database, &history, &rows).await?);
        prepared.push(bare(&mut root, &database, "prepared", &rows).await?);
        text.push(bare(&mut root, &database, "text", &rows).await?);
        for table in ["reading", "prepared", "text"] {
            let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {database}.{table}"));
            let count: i64 = sqlx::query(sql).fetch_one(&mut root).await?.try_get(0)?;
            ensure!(count == i64::try_from(rows.len())?, "{count} of {} in {table}", rows.len());
        }
        sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {database}")))
            .execute(&mut root)
            .await?;
    }
    for (beside, peer, target) in
        [(&prepared, "prepared INSERT", Some(TARGET)), (&text, "text INSERT", None)]
    {
        let ratios: Vec<f64> =
            ours.iter().zip(beside).map(|(ours, beside)| ours / beside).collect();
        table.row(Row {
            what: "drain to MariaDB",
            ours: format!("{}/s", thousands(median(&ours))),
            beside: format!("{}/s", thousands(median(beside))),
            peer,
            met: target.map(|target| median(&ratios) >= target),
            ratios,
            target: target.map_or(String::new(), |target| format!("≥ {target}")),
        });
    }
    table.note(format!(
        "drain: {} readings of {} series, {BATCH_LEN} per transaction, synced at each.",
        thousands(rows.len() as f64),
        generate::SERIES
    ));
    Ok(())
}

fn read(history: &History) -> Result<Vec<StoredReading>> {
    let mut rows: Vec<StoredReading> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.id);
        let page =
            history.page_by_id(IdQuery { after, limit: PAGE_LEN_MAX, ..IdQuery::default() })?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}

/// Readings/s of the drain, from its start to its end; the schema is there.
async fn drained(
    server: &MariaDb,
    database: &str,
    history: &History,
    rows: &[StoredReading],
) -> Result<f64> {
    let maria = Settings {
        url: format!("mysql://root@127.0.0.1:{}/{database}", server.port).parse()?,
        password: None,
        gateway: "bench".to_owned(),
        limits: Limits::default(),
    };
    Maria::connect(&maria).await?.close().await;
    let last = rows.last().map_or(0, |row| row.id);
    // Nobody will set it: the drain ends when everything is there.
    let (_, newest) = watch::channel(last);
    let (told, state) = watch::channel(DrainState::new());
    let mut settings = DrainSettings::new(maria);
    settings.batch_len = BATCH_LEN;
    let clock: drain::Clock = Arc::new(|| UnixMicros(generate::BEGINNING));
    let start = Instant::now();
    let run = drain::run(
        Arc::new(history.clone()),
        newest,
        settings,
        told,
        clock,
        CancellationToken::new(),
    );
    timeout(DRAIN_MAX, Box::pin(run)).await?;
    let took = start.elapsed();
    let state = state.borrow().clone();
    ensure!(state.drained == Some(last) && state.outages == 0, "the drain ended with {state:?}");
    Ok(rows.len() as f64 / took.as_secs_f64())
}

/// Rows/s of bare INSERT statements into a table like the drain's; `kind` is its name.
async fn bare(
    root: &mut MySqlConnection,
    database: &str,
    kind: &str,
    rows: &[StoredReading],
) -> Result<f64> {
    let create = format!("CREATE TABLE {database}.{kind} LIKE {database}.reading");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *root).await?;
    let start = Instant::now();
    for batch in rows.chunks(BATCH_LEN) {
        match kind {
            "text" => insert_text(root, database, batch).await?,
            _ => insert_prepared(root, database, batch).await?,
        }
    }
    Ok(rows.len() as f64 / start.elapsed().as_secs_f64())
}

async fn insert_prepared(
    root: &mut MySqlConnection,
    database: &str,
    batch: &[StoredReading],
) -> Result<()> {
    let row = format!(",(?{})", ",?".repeat(COLUMNS - 1)).repeat(batch.len());
    let sql = format!("INSERT INTO {database}.prepared VALUES {}", row.trim_start_matches(','));
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for row in batch {
        query = query
            .bind(1_u16)
            .bind(row.id)
            .bind(row.id % generate::SERIES + 1)
            .bind(row.at.0)
            .bind(row.reading.value)
            .bind(row.arrived_at.0)
            .bind(row.reading.taken_at.map(|at| at.0))
            .bind(row.suspect)
            .bind(row.id % generate::SERIES + 1)
            .bind(Some(row.id % generate::SERIES + 1))
            .bind(row.reading.key.as_ref().map(|key| key.seq));
    }
    query.execute(root).await?;
    Ok(())
}

async fn insert_text(
    root: &mut MySqlConnection,
    database: &str,
    batch: &[StoredReading],
) -> Result<()> {
    let mut sql = format!("INSERT INTO {database}.text VALUES ");
    for (index, row) in batch.iter().enumerate() {
        let series = row.id % generate::SERIES + 1;
        let (at, arrived, value) = (row.at.0, row.arrived_at.0, row.reading.value);
        let seq = row.reading.key.as_ref().map_or(0, |key| key.seq);
        let comma = if index > 0 { "," } else { "" };
        write!(
            sql,
            "{comma}(1,{},{series},{at},{value:e},{arrived},{at},0,{series},{series},{seq})",
            row.id
        )?;
    }
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(root).await?;
    Ok(())
}

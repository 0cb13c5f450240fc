//! Readings into the database, each once under its journal number.
//!
//! The rows and the position that stands for them are one transaction, so the position is right whatever
//! became of a COMMIT whose answer was lost.

use super::error::{MariaError, number};
use super::names::Numbers;
use super::row::{columns, joined, stored_reading};
use super::{Maria, within};
use mtom_protocol::reading::StoredReading;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Row};
use std::collections::HashMap;
use std::time::Duration;

/// How many rows one INSERT has at most. More gain little, and a statement has at most 65,535 parameters.
const ROWS_LEN_MAX: usize = 1_000;

/// How long a new connection waits for its predecessor to let the lock go.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Rows that are new.
    pub inserted: usize,
    /// Rows that were there already, with the same content.
    pub present: usize,
}

impl Maria {
    /// Every reading up to this journal number was brought here.
    ///
    /// # Errors
    /// [`MariaError`]
    pub async fn position(&mut self) -> Result<u64, MariaError> {
        let query = sqlx::query("SELECT drained FROM gateway WHERE id = ?").bind(self.gateway_id);
        let row = within(self.limit, "the position", query.fetch_one(&mut self.connection)).await?;
        Ok(row.try_get(0)?)
    }

    /// Makes this connection the only one that drains this gateway. `former` is the
    /// [`Maria::connection_id`] of this process's connection before: the server may not have noticed
    /// its end yet, so it is ended here.
    ///
    /// # Errors
    /// [`MariaError::InUse`] while another connection drains it.
    pub async fn lock(&mut self, former: Option<u64>) -> Result<(), MariaError> {
        if self.try_lock(Duration::ZERO).await? {
            return Ok(());
        }
        let query =
            "SELECT CAST(IS_USED_LOCK(CONCAT('mtom.drain.', MD5(CONCAT(DATABASE(), '/', ?))))
             AS UNSIGNED)";
        let query = sqlx::query(query).bind(&self.gateway);
        let row = within(self.limit, "who drains", query.fetch_one(&mut self.connection)).await?;
        let Some(connection) = row.try_get::<Option<u64>, _>(0)? else {
            // It has just been let go.
            return if self.try_lock(LOCK_WAIT).await? { Ok(()) } else { Err(self.in_use(0)) };
        };
        if former != Some(connection) {
            return Err(self.in_use(connection));
        }
        let kill = AssertSqlSafe(format!("KILL CONNECTION {connection}"));
        // It may have ended by itself in this moment.
        let _ = within(self.limit, "the end of the former session", {
            sqlx::raw_sql(kill).execute(&mut self.connection)
        })
        .await;
        if self.try_lock(LOCK_WAIT).await? { Ok(()) } else { Err(self.in_use(connection)) }
    }

    fn in_use(&self, connection: u64) -> MariaError {
        MariaError::InUse { gateway: self.gateway.clone(), connection }
    }

    async fn try_lock(&mut self, wait: Duration) -> Result<bool, MariaError> {
        let query = "SELECT GET_LOCK(CONCAT('mtom.drain.', MD5(CONCAT(DATABASE(), '/', ?))), ?)";
        let query = sqlx::query(query).bind(&self.gateway).bind(wait.as_secs());
        let limit = self.limit + wait;
        let row = within(limit, "the lock", query.fetch_one(&mut self.connection)).await?;
        Ok(row.try_get::<Option<i64>, _>(0)? == Some(1))
    }

    /// Brings the readings that follow [`Maria::position`], rising and none left out, and moves the
    /// position behind them. What is there already is left as it is.
    ///
    /// # Errors
    /// [`MariaError::Conflict`] when a number is there with another content: then nothing of the batch is
    /// written. After any other error the batch is there or it is not; the position tells.
    pub async fn append(&mut self, readings: &[StoredReading]) -> Result<Appended, MariaError> {
        let last = readings.last().map(|reading| reading.id);
        self.write(readings, last).await
    }

    /// Brings readings that the database lacks, wherever they belong; the position stays.
    ///
    /// # Errors
    /// As [`Maria::append`].
    pub async fn resend(&mut self, readings: &[StoredReading]) -> Result<Appended, MariaError> {
        self.write(readings, None).await
    }

    async fn write(
        &mut self,
        readings: &[StoredReading],
        position: Option<u64>,
    ) -> Result<Appended, MariaError> {
        if readings.is_empty() {
            return Ok(Appended::default());
        }
        self.run("BEGIN").await?;
        match self.write_rows(readings, position).await {
            Ok(appended) => {
                self.run("COMMIT").await?;
                Ok(appended)
            }
            Err(error) => {
                self.names = super::Names::default();
                if matches!(error, MariaError::Conflict { .. }) {
                    self.run("ROLLBACK").await?;
                }
                Err(error)
            }
        }
    }

    async fn write_rows(
        &mut self,
        readings: &[StoredReading],
        position: Option<u64>,
    ) -> Result<Appended, MariaError> {
        // Whoever else writes for this gateway waits here, also a session whose client is gone.
        let query = sqlx::query("SELECT drained FROM gateway WHERE id = ? FOR UPDATE");
        let query = query.bind(self.gateway_id).fetch_one(&mut self.connection);
        within(self.limit, "the lock on the position", query).await?;
        let mut appended = Appended::default();
        let mut numbers = Vec::with_capacity(ROWS_LEN_MAX.min(readings.len()));
        for chunk in readings.chunks(ROWS_LEN_MAX) {
            numbers.clear();
            for stored in chunk {
                let found = self.names.numbers(&mut self.connection, &stored.reading);
                numbers.push(within(self.limit, "the numbers of names", found).await?);
            }
            let rows = chunk.iter().zip(numbers.iter().copied());
            match self.insert(rows.clone()).await {
                Ok(()) => appended.inserted += chunk.len(),
                // 1062: some are there; the statement as a whole has done nothing.
                Err(MariaError::Failed(cause)) if number(&cause) == Some(1062) => {
                    let present = self.present(chunk).await?;
                    let rows = rows.filter(|(stored, _)| !present.contains(&stored.id));
                    self.insert(rows).await?;
                    appended.present += present.len();
                    appended.inserted += chunk.len() - present.len();
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(position) = position {
            let query = "UPDATE gateway SET drained = GREATEST(drained, ?) WHERE id = ?";
            let query = sqlx::query(query).bind(position).bind(self.gateway_id);
            within(self.limit, "the new position", query.execute(&mut self.connection)).await?;
        }
        Ok(appended)
    }

    async fn insert<'a>(
        &mut self,
        rows: impl Iterator<Item = (&'a StoredReading, Numbers)> + Clone,
    ) -> Result<(), MariaError> {
        let len = rows.clone().count();
        if len == 0 {
            return Ok(());
        }
        let mut query = sqlx::query(AssertSqlSafe(insert_sql(self.gateway_id, len)));
        for (stored, numbers) in rows {
            let reading = &stored.reading;
            query = query
                .bind(stored.id)
                .bind(numbers.series)
                .bind(stored.at.0)
                .bind(reading.value)
                .bind(stored.arrived_at.0)
                .bind(reading.taken_at.map(|at| at.0))
                .bind(stored.suspect)
                .bind(numbers.topic)
                .bind(numbers.boot)
                .bind(reading.key.as_ref().map(|key| key.seq));
        }
        within(self.limit, "an INSERT", query.execute(&mut self.connection)).await.map(drop)
    }

    /// Which of `readings` are there with the same content.
    async fn present(
        &mut self,
        readings: &[StoredReading],
    ) -> Result<std::collections::HashSet<u64>, MariaError> {
        let numbers: Vec<u64> = readings.iter().map(|reading| reading.id).collect();
        let found = self.rows(&numbers).await?;
        let wanted: HashMap<u64, &StoredReading> =
            readings.iter().map(|reading| (reading.id, reading)).collect();
        let differs =
            |row: &&StoredReading| wanted.get(&row.id).is_some_and(|wanted| *wanted != *row);
        let different: Vec<u64> = found.iter().filter(differs).map(|row| row.id).collect();
        if let Some(&number) = different.iter().min() {
            let (gateway, count) = (self.gateway.clone(), different.len());
            return Err(MariaError::Conflict { gateway, number, count });
        }
        Ok(found.iter().map(|row| row.id).collect())
    }

    /// The rows of these numbers as they are now, also for a transaction that began before.
    pub(super) async fn rows(&mut self, numbers: &[u64]) -> Result<Vec<StoredReading>, MariaError> {
        let mut sql = String::from(concat!(
            "SELECT ",
            columns!(),
            " FROM reading",
            joined!(),
            "WHERE reading.gateway = ? AND reading.number IN (?"
        ));
        sql.extend(std::iter::repeat_n(",?", numbers.len().saturating_sub(1)));
        sql.push_str(") LOCK IN SHARE MODE");
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(self.gateway_id);
        for number in numbers {
            query = query.bind(number);
        }
        let rows = within(self.limit, "rows", query.fetch_all(&mut self.connection)).await?;
        Ok(rows.iter().map(stored_reading).collect::<sqlx::Result<_>>()?)
    }

    /// A statement without parameters.
    pub(super) async fn run(&mut self, statement: &'static str) -> Result<(), MariaError> {
        let connection: &mut MySqlConnection = &mut self.connection;
        within(self.limit, statement, sqlx::raw_sql(statement).execute(connection)).await.map(drop)
    }
}

fn insert_sql(gateway_id: u16, len: usize) -> String {
    let mut sql = String::from(
        "INSERT INTO reading (gateway, number, series, at_micros, value, arrived_at_micros,
             taken_at_micros, suspect, topic, boot, seq) VALUES ",
    );
    let row = format!("({gateway_id},?,?,?,?,?,?,?,?,?,?)");
    for index in 0..len {
        if index > 0 {
            sql.push(',');
        }
        sql.push_str(&row);
    }
    sql
}

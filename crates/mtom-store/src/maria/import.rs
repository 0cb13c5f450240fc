//! The rows of an original database, `temp(time DATETIME, temp FLOAT)`, in the order of their time.
//!
//! The session can only read, so the table stays as it is. It has no key and equal rows are allowed: they
//! are streamed from one SELECT, ordered by both columns, so that row number N is always the same one and an
//! import can go on behind it. A FLOAT comes as the number that a person wrote: 24.1, not 24.100000381.

use super::error::MariaError;
use super::url::Url;
use super::{Limits, session, within};
use futures_util::TryStreamExt;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use mtom_protocol::time::UnixMicros;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Row};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long the server may take to sort the table.
const FIRST_ROW_LIMIT: Duration = Duration::from_secs(1_800);

/// One row, good or bad.
#[derive(Clone, Debug, PartialEq)]
pub enum TempRow {
    /// A temperature at a time.
    Reading {
        /// Counts from 1 in the order of time.
        number: u64,
        /// The row's time, which is a local one, in the zone that was given.
        at: UnixMicros,
        /// Degrees Celsius.
        celsius: f64,
    },
    /// A row that is no reading.
    Bad {
        /// Counts from 1 in the order of time.
        number: u64,
        /// Why, for people.
        reason: String,
    },
}

/// A table `temp` that is about to be read.
#[derive(Debug)]
pub struct TempTable {
    connection: MySqlConnection,
    limits: Limits,
    value: &'static str,
    len: u64,
}

impl TempTable {
    /// Connects, looks at the table and counts its rows.
    ///
    /// # Errors
    /// [`MariaError`]; [`MariaError::Server`] when there is no such table.
    pub async fn open(
        url: &Url,
        password: Option<&str>,
        limits: Limits,
    ) -> Result<Self, MariaError> {
        let mut connection = session::open_read_only(url, password, limits).await?;
        let limit = limits.statement;
        let query = sqlx::query(
            "SELECT CAST(COLUMN_NAME AS CHAR), CAST(DATA_TYPE AS CHAR) FROM information_schema.COLUMNS
             WHERE TABLE_SCHEMA = ? AND TABLE_NAME = 'temp' AND COLUMN_NAME IN ('time', 'temp')",
        );
        let query = query.bind(&url.database).fetch_all(&mut connection);
        let columns = within(limit, "the table's columns", query).await?;
        let mut value = None;
        let mut has_time = false;
        for column in &columns {
            let (name, kind): (String, String) = (column.try_get(0)?, column.try_get(1)?);
            match (name.as_str(), kind.as_str()) {
                ("time", _) => has_time = true,
                // As it is: its fewest digits are found here, the server shows only six.
                (_, "float") => value = Some("temp"),
                _ => value = Some("CAST(temp AS DOUBLE)"),
            }
        }
        let Some(value) = value.filter(|_| has_time) else {
            return Err(MariaError::Server {
                found: format!("one whose database {} shows this user no such table", url.database),
                expected: "the original's table temp(time DATETIME, temp FLOAT)",
            });
        };
        let statement = format!("USE `{}`", url.database.replace('`', "``"));
        let statement = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection);
        within(limit, "the database", statement).await?;
        // Whoever takes the rows may be slow.
        let statement = sqlx::raw_sql("SET SESSION net_write_timeout = 3600, time_zone = '+00:00'");
        within(limit, "the session's settings", statement.execute(&mut connection)).await?;
        let query = sqlx::query("SELECT CAST(COUNT(*) AS UNSIGNED) FROM temp");
        let row = within(FIRST_ROW_LIMIT, "the count", query.fetch_one(&mut connection)).await?;
        let len = row.try_get(0)?;
        Ok(Self { connection, limits, value, len })
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// There are no rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sends the rows behind number `after` (0: all) in the order of their time; waits when `out` is full and
    /// ends when it is closed. Their times are local ones of `zone`.
    ///
    /// # Errors
    /// [`MariaError`]
    pub async fn rows(
        mut self,
        after: u64,
        zone: &TimeZone,
        out: &mpsc::Sender<TempRow>,
    ) -> Result<(), MariaError> {
        let sql = format!(
            "SELECT CAST(time AS CHAR), {} FROM temp ORDER BY time, temp
             LIMIT 18446744073709551615 OFFSET ?",
            self.value
        );
        let mut rows = sqlx::query(AssertSqlSafe(sql)).bind(after).fetch(&mut self.connection);
        let mut number = after;
        let mut limit = FIRST_ROW_LIMIT;
        while let Some(row) = within(limit, "the next row", rows.try_next()).await? {
            number += 1;
            limit = self.limits.statement;
            let row = match read(&row, zone) {
                Ok((at, celsius)) => TempRow::Reading { number, at, celsius },
                Err(reason) => TempRow::Bad { number, reason },
            };
            if out.send(row).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

fn read(row: &MySqlRow, zone: &TimeZone) -> Result<(UnixMicros, f64), String> {
    let time: Option<&str> = row.try_get(0).map_err(|error| error.to_string())?;
    let time = time.ok_or("it has no time (NULL)")?;
    let at: DateTime = time
        .parse()
        .map_err(|_| format!("`{time}` is no time: expected one as 2023-07-10 20:00:02"))?;
    let at = zone
        .to_ambiguous_timestamp(at)
        .compatible()
        .map_err(|_| format!("`{time}` is out of range"))?;
    let celsius = match row.try_get::<Option<f32>, _>(1) {
        Ok(Some(value)) if is_float(row) => shortest(value),
        Ok(None) => return Err("it has no temperature (NULL)".to_owned()),
        _ => row.try_get::<f64, _>(1).map_err(|error| error.to_string())?,
    };
    Ok((UnixMicros(at.as_microsecond()), celsius))
}

fn is_float(row: &MySqlRow) -> bool {
    use sqlx::{Column, TypeInfo};
    row.columns().get(1).is_some_and(|column| column.type_info().name() == "FLOAT")
}

/// The number that has the fewest digits among those that are this FLOAT: 24.1, not 24.100000381….
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

#[cfg(test)]
mod tests {
    use super::shortest;

    #[test]
    fn a_float_is_the_number_that_a_person_wrote() {
        for text in ["24.5", "24.1", "-0.3", "16.1", "77", "0.1", "-273.15", "1234.56"] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(shortest(text.parse().unwrap()), expected);
        }
    }
}

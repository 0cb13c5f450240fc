//! Makes database, tables and view where they are missing, or says which statements would.
//!
//! Forward only: a database of a newer version is refused. What is not ours (an original table `temp`) is
//! left as it is.

use super::error::{MariaError, number};
use super::{Settings, within};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Row};
use std::fmt;
use std::time::Duration;

/// Each brings the schema from version N-1 to N.
const MIGRATIONS: &[&str] = &[include_str!("schema/0001.sql")];
const TEMP_VIEW: &str = include_str!("schema/temp.sql");

/// How long a migration may take: an index over a year of readings is not made in a statement's time.
const MIGRATION_LIMIT: Duration = Duration::from_secs(3_600);

/// What an operator should know about a server that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The server's own commits do not survive a loss of power.
    NotDurable {
        /// `@@innodb_flush_log_at_trx_commit`.
        flush: u64,
    },
    /// The database holds the original's own table, so the view of that name was not made.
    TempIsATable,
    /// The view `temp` is missing and may not be made.
    NoTempView {
        /// SQL that an administrator runs.
        statements: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDurable { flush } => write!(
                f,
                "the database server has innodb_flush_log_at_trx_commit = {flush}: what it confirms may be lost with its power (1 is safe)"
            ),
            Self::TempIsATable => f.write_str(
                "the database holds a table `temp` of the original system: it is left untouched, and the view of that name is not made (`mtom import` brings its rows in)",
            ),
            Self::NoTempView { statements } => {
                write!(f, "the view `temp` is missing and may not be made: {statements}")
            }
        }
    }
}

/// Goes into the database and brings its schema to this version.
pub(super) async fn prepare(
    connection: &mut MySqlConnection,
    settings: &Settings,
) -> Result<Vec<Warning>, MariaError> {
    let limit = settings.limits.statement;
    let mut maker = Maker { connection, database: &settings.url.database, limit };
    maker.enter().await?;
    maker.migrate().await?;
    maker.check_engine().await?;
    let mut warnings = maker.make_temp_view().await?;
    let row = maker.one("SELECT @@GLOBAL.innodb_flush_log_at_trx_commit").await?;
    let flush: u64 = row.try_get(0)?;
    if flush != 1 {
        warnings.push(Warning::NotDurable { flush });
    }
    Ok(warnings)
}

struct Maker<'a> {
    connection: &'a mut MySqlConnection,
    database: &'a str,
    limit: Duration,
}

impl Maker<'_> {
    async fn enter(&mut self) -> Result<(), MariaError> {
        let name = identifier(self.database);
        let Err(cause) = self.run(format!("USE {name}")).await else { return Ok(()) };
        // 1049: it is not there. Who may not see it is told 1044, whether it is there or not.
        if !matches!(&cause, MariaError::Failed(cause) if number(cause) == Some(1049)) {
            return Err(self.or_advice(cause).await);
        }
        let create = format!(
            "CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
        );
        if let Err(cause) = self.run(create).await {
            return Err(self.or_advice(cause).await);
        }
        self.run(format!("USE {name}")).await
    }

    async fn migrate(&mut self) -> Result<(), MariaError> {
        let known = u32::try_from(MIGRATIONS.len()).expect("there are few migrations");
        if self.version(known).await? == known {
            return Ok(());
        }
        // Two gateways may start at once: one makes the tables, the other finds them.
        let lock = "SELECT GET_LOCK(CONCAT('mtom.schema.', MD5(DATABASE())), 10)";
        let row = self.one(lock).await?;
        if row.try_get::<Option<i64>, _>(0)? != Some(1) {
            return Err(MariaError::Slow {
                what: "another gateway's migration",
                limit: self.limit,
            });
        }
        let made = self.run_migrations(known).await;
        self.one("SELECT RELEASE_LOCK(CONCAT('mtom.schema.', MD5(DATABASE())))").await?;
        match made {
            Ok(()) => Ok(()),
            Err(cause) => Err(self.or_advice(cause).await),
        }
    }

    async fn run_migrations(&mut self, known: u32) -> Result<(), MariaError> {
        let made = self.version(known).await?;
        let table = "CREATE TABLE IF NOT EXISTS schema_version (
                version INT UNSIGNED NOT NULL PRIMARY KEY,
                applied_at_micros BIGINT NOT NULL
            ) ENGINE=InnoDB";
        self.run(table.to_owned()).await?;
        for (migration, version) in MIGRATIONS.iter().zip(1_u32..) {
            if version <= made {
                continue;
            }
            for statement in statements(migration) {
                let statement = sqlx::raw_sql(statement).execute(&mut *self.connection);
                within(MIGRATION_LIMIT, "a migration", statement).await?;
            }
            let note = sqlx::query(
                "INSERT INTO schema_version VALUES (?, CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED))",
            );
            let note = note.bind(version).execute(&mut *self.connection);
            within(self.limit, "the schema's version", note).await?;
            tracing::info!(version, "the database has its schema");
        }
        Ok(())
    }

    /// The schema's version, 0 where there is none.
    async fn version(&mut self, known: u32) -> Result<u32, MariaError> {
        let found = self.one("SELECT CAST(MAX(version) AS UNSIGNED) FROM schema_version").await;
        let row = match found {
            Ok(row) => row,
            // There is no such table.
            Err(MariaError::Failed(cause)) if number(&cause) == Some(1146) => return Ok(0),
            Err(cause) => return Err(self.or_advice(cause).await),
        };
        let found = row.try_get::<Option<u64>, _>(0)?.unwrap_or(0);
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        if found > known { Err(MariaError::Newer { found, known }) } else { Ok(found) }
    }

    async fn check_engine(&mut self) -> Result<(), MariaError> {
        let query = "SELECT MIN(CONCAT(TABLE_NAME, ' with the engine ', ENGINE))
             FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND ENGINE <> 'InnoDB'
             AND TABLE_NAME IN ('gateway', 'series', 'topic', 'boot', 'reading', 'reject')";
        match self.one(query).await?.try_get::<Option<String>, _>(0)? {
            None => Ok(()),
            Some(found) => Err(MariaError::Server {
                found: format!("one that has the table {found}"),
                expected: "InnoDB, which has transactions (ALTER TABLE … ENGINE=InnoDB)",
            }),
        }
    }

    async fn make_temp_view(&mut self) -> Result<Vec<Warning>, MariaError> {
        let query = "SELECT MIN(TABLE_TYPE) FROM information_schema.TABLES
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'temp'";
        match self.one(query).await?.try_get::<Option<String>, _>(0)?.as_deref() {
            Some("VIEW") => return Ok(Vec::new()),
            Some(_) => return Ok(vec![Warning::TempIsATable]),
            None => {}
        }
        match self.run(TEMP_VIEW.to_owned()).await {
            Ok(()) => Ok(Vec::new()),
            // Another gateway has just made it.
            Err(MariaError::Failed(cause)) if number(&cause) == Some(1050) => Ok(Vec::new()),
            Err(cause) => match self.or_advice(cause).await {
                MariaError::NoGrant { statements, .. } => {
                    Ok(vec![Warning::NoTempView { statements }])
                }
                other => Err(other),
            },
        }
    }

    async fn run(&mut self, statement: String) -> Result<(), MariaError> {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *self.connection);
        within(self.limit, "a statement of the schema", statement).await.map(drop)
    }

    async fn one(&mut self, query: &'static str) -> Result<sqlx::mysql::MySqlRow, MariaError> {
        let row = sqlx::query(query).fetch_one(&mut *self.connection);
        within(self.limit, "a question about the schema", row).await
    }

    /// Turns a refusal for lack of rights into the statements that give them.
    async fn or_advice(&mut self, error: MariaError) -> MariaError {
        let MariaError::Failed(cause) = error else { return error };
        // Access to the database, a command on a table, a column or in general.
        if !matches!(number(&cause), Some(1044 | 1142 | 1143 | 1227 | 1370)) {
            return MariaError::Failed(cause);
        }
        // As the server knows the user, which is what a GRANT must name.
        let user = match self.one("SELECT CURRENT_USER()").await {
            Ok(row) => row.try_get::<String, _>(0).unwrap_or_default(),
            Err(error) => return error,
        };
        MariaError::NoGrant { statements: advice(self.database, &user), cause }
    }
}

/// The statements of a file, without its comments.
fn statements(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.split_inclusive(";\n").filter(|statement| !statement.trim().is_empty())
}

/// What an administrator runs so that `user`, as in `mtom@10.0.%`, may use `database`.
fn advice(database: &str, user: &str) -> String {
    let (name, host) = user.rsplit_once('@').unwrap_or((user, "%"));
    // In a GRANT these two would be wildcards.
    let pattern = identifier(database).replace('_', "\\_").replace('%', "\\%");
    format!(
        "CREATE DATABASE IF NOT EXISTS {} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin; \
         GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, CREATE VIEW ON {pattern}.* TO {}@{};",
        identifier(database),
        literal(name),
        literal(host)
    )
}

fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::{MIGRATIONS, advice, statements};

    #[test]
    fn names_in_the_advice_are_quoted() {
        let text = advice("a`b_c", "o'ne@10.0.%");
        assert!(text.contains("CREATE DATABASE IF NOT EXISTS `a``b_c` CHARACTER SET"), "{text}");
        assert!(text.contains("ON `a``b\\_c`.* TO 'o''ne'@'10.0.%';"), "{text}");
    }

    #[test]
    fn each_statement_of_a_migration_stands_alone() {
        assert_eq!(statements(MIGRATIONS[0]).count(), 6);
    }
}

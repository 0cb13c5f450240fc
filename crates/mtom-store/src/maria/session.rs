//! A connection whose session is what we need, whatever the server's defaults are.
//!
//! What was set is read back: a proxy or a server that ignores it would change values silently.

use super::error::{MariaError, number};
use super::url::{Tls, Url};
use super::{Limits, Settings, within};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{ConnectOptions, Row};
use std::time::Duration;

/// After how much silence the server ends a session. A session whose client is gone without a word holds
/// its locks for so long.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A strict session in UTC, without a database yet, and its number on the server.
pub(super) async fn open(settings: &Settings) -> Result<(MySqlConnection, u64), MariaError> {
    let Settings { url, password, limits, .. } = settings;
    let mut connection = connect(url, password.as_deref(), *limits).await?;
    let id = set(&mut connection, limits.statement).await?;
    check(&mut connection, limits.statement).await?;
    Ok((connection, id))
}

/// A session in which nothing can be written, for reading a database that is not ours.
pub(super) async fn open_read_only(
    url: &Url,
    password: Option<&str>,
    limits: Limits,
) -> Result<MySqlConnection, MariaError> {
    let mut connection = connect(url, password, limits).await?;
    let limit = limits.statement;
    let statement = "SET SESSION TRANSACTION READ ONLY";
    within(limit, "a read-only session", sqlx::raw_sql(statement).execute(&mut connection)).await?;
    let statement = "SET NAMES utf8mb4";
    within(limit, "the character set", sqlx::raw_sql(statement).execute(&mut connection)).await?;
    Ok(connection)
}

async fn connect(
    url: &Url,
    password: Option<&str>,
    limits: Limits,
) -> Result<MySqlConnection, MariaError> {
    let mut options = MySqlConnectOptions::new()
        .host(&url.host)
        .port(url.port)
        .username(&url.user)
        .ssl_mode(match url.tls {
            Tls::Verify => MySqlSslMode::VerifyIdentity,
            Tls::Required => MySqlSslMode::Required,
            Tls::Off => MySqlSslMode::Disabled,
        })
        // Set below, with everything else.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .set_names(false)
        .disable_statement_logging();
    if let Some(password) = password {
        options = options.password(password);
    }
    if let Some(ca) = &url.ca {
        options = options.ssl_ca(ca);
    }
    if let Some(socket) = &url.socket {
        options = options.socket(socket);
    }
    match tokio::time::timeout(limits.connect, options.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(cause)) => Err(why_not(cause, url)),
        Err(_) => Err(MariaError::Slow { what: "the connection", limit: limits.connect }),
    }
}

fn why_not(cause: sqlx::Error, url: &Url) -> MariaError {
    let address = url.address();
    match &cause {
        sqlx::Error::Tls(_) => MariaError::Tls { address, cause },
        // rustls reports a bad certificate as an error of the stream.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            MariaError::Tls { address, cause }
        }
        sqlx::Error::Io(_) => MariaError::Unreachable { address, cause },
        // A way to authenticate that the client does not know.
        sqlx::Error::Protocol(_) | sqlx::Error::Configuration(_) => {
            MariaError::Refused { address, user: url.user.clone(), cause }
        }
        _ => match number(&cause) {
            // Access denied, with and without a password; unknown plugin; a host that may not connect.
            Some(1045 | 1698 | 1251 | 1524 | 1130) => {
                MariaError::Refused { address, user: url.user.clone(), cause }
            }
            // Too many connections, host blocked, shutting down: it may pass.
            Some(1040 | 1129 | 1203 | 1053) => MariaError::Unreachable { address, cause },
            // The server insists on TLS.
            Some(3159) => MariaError::Tls { address, cause },
            _ => cause.into(),
        },
    }
}

async fn set(connection: &mut MySqlConnection, limit: Duration) -> Result<u64, MariaError> {
    let silence = SILENCE_MAX.as_secs();
    // The lock wait ends before our own patience does: then the server says who was in the way.
    let lock_wait = (limit.as_secs() / 2).clamp(1, 50);
    let statement = format!(
        "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci;
         SET SESSION
             sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
             time_zone = '+00:00',
             autocommit = 1,
             wait_timeout = {silence},
             innodb_lock_wait_timeout = {lock_wait},
             lock_wait_timeout = {lock_wait}"
    );
    let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *connection);
    within(limit, "the session's settings", statement).await?;
    let row = within(
        limit,
        "the binary log's format",
        sqlx::query("SELECT CONNECTION_ID(), @@log_bin AND @@binlog_format = 'STATEMENT'")
            .fetch_one(&mut *connection),
    )
    .await?;
    // A log of statements needs the level that is the server's default.
    if row.try_get::<Option<i64>, _>(1)? != Some(1) {
        let statement = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
        within(limit, "the isolation level", sqlx::raw_sql(statement).execute(&mut *connection))
            .await?;
    }
    Ok(row.try_get(0)?)
}

async fn check(connection: &mut MySqlConnection, limit: Duration) -> Result<(), MariaError> {
    let row = within(
        limit,
        "the session's state",
        sqlx::query(
            "SELECT VERSION(), @@sql_mode, @@time_zone, @@character_set_client,
                 @@character_set_connection, @@character_set_results, CAST(@@autocommit AS SIGNED)",
        )
        .fetch_one(connection),
    )
    .await?;
    let text = |column: usize| row.try_get::<String, _>(column);
    let version = text(0)?;
    if !is_new_enough(&version) {
        let found = format!("{version}, which lacks utf8mb4_nopad_bin or what else is used");
        return Err(MariaError::Server { found, expected: "MariaDB 10.5 or newer" });
    }
    let mode = text(1)?;
    for strict in ["STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"] {
        if !mode.split(',').any(|word| word == strict) {
            let found = format!("a session with sql_mode = '{mode}'");
            return Err(MariaError::Server { found, expected: "a strict mode that can be set" });
        }
    }
    if text(2)? != "+00:00" {
        let found = format!("a session with time_zone = '{}'", text(2)?);
        return Err(MariaError::Server {
            found,
            expected: "a time zone that can be set to +00:00",
        });
    }
    for column in 3..=5 {
        if text(column)? != "utf8mb4" {
            let found = format!("a session with the character set {}", text(column)?);
            return Err(MariaError::Server { found, expected: "utf8mb4" });
        }
    }
    if row.try_get::<i64, _>(6)? != 1 {
        let found = "a session without autocommit".to_owned();
        return Err(MariaError::Server { found, expected: "an autocommit that can be set" });
    }
    Ok(())
}

/// `10.11.19-MariaDB-0+deb12u1`, or `5.5.5-10.11.…` as old servers write it for old replicas.
fn is_new_enough(version: &str) -> bool {
    let plain = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut numbers = plain.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let release = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version.contains("MariaDB") && release >= (10, 5)
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn only_a_mariadb_from_10_5_on_is_new_enough() {
        assert!(is_new_enough("10.11.19-MariaDB-0+deb12u1"));
        assert!(is_new_enough("5.5.5-10.6.1-MariaDB"));
        assert!(is_new_enough("11.4.2-MariaDB"));
        assert!(!is_new_enough("10.4.30-MariaDB"));
        assert!(!is_new_enough("8.0.36"));
    }
}

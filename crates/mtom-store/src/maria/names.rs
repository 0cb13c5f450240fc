//! Texts that repeat in every reading, and the numbers that stand for them in the database.
//!
//! What a transaction added is forgotten when it ends without COMMIT: it may not be there.

use mtom_protocol::reading::Reading;
use mtom_protocol::unit::Unit;
use sqlx::Row;
use sqlx::mysql::MySqlConnection;
use std::collections::HashMap;
use std::sync::Arc;

/// How many of each kind are remembered. Full: all of that kind are forgotten and read again.
const REMEMBERED_LEN_MAX: usize = 65_536;

/// Numbers of series, topics and boots.
#[derive(Debug, Default)]
pub(super) struct Names {
    series: HashMap<(Arc<str>, Arc<str>, Unit), u32>,
    topics: HashMap<Arc<str>, u32>,
    boots: HashMap<Box<str>, u32>,
}

/// What stands in a row of `reading` for the texts of a reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) series: u32,
    pub(super) topic: u32,
    pub(super) boot: Option<u32>,
}

impl Names {
    /// The numbers of a reading's texts, added where they are new. To be called in a transaction.
    pub(super) async fn numbers(
        &mut self,
        connection: &mut MySqlConnection,
        reading: &Reading,
    ) -> sqlx::Result<Numbers> {
        let series = self.series(connection, reading).await?;
        let topic = match self.topics.get(&reading.topic) {
            Some(&number) => number,
            None => {
                let names = [&*reading.topic];
                let number = find_or_add(
                    connection,
                    "SELECT id FROM topic WHERE name = ?",
                    "INSERT INTO topic (name) VALUES (?) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)",
                    &names,
                    None,
                )
                .await?;
                remember(&mut self.topics, Arc::clone(&reading.topic), number)
            }
        };
        let Some(key) = &reading.key else { return Ok(Numbers { series, topic, boot: None }) };
        let boot = match self.boots.get(&key.boot) {
            Some(&number) => number,
            None => {
                let number = find_or_add(
                    connection,
                    "SELECT id FROM boot WHERE name = ?",
                    "INSERT INTO boot (name) VALUES (?) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)",
                    &[&*key.boot],
                    None,
                )
                .await?;
                remember(&mut self.boots, key.boot.clone(), number)
            }
        };
        Ok(Numbers { series, topic, boot: Some(boot) })
    }

    async fn series(
        &mut self,
        connection: &mut MySqlConnection,
        reading: &Reading,
    ) -> sqlx::Result<u32> {
        let Reading { device, quantity, unit, .. } = reading;
        let name = (Arc::clone(device), Arc::clone(quantity), *unit);
        if let Some(&number) = self.series.get(&name) {
            return Ok(number);
        }
        let number = find_or_add(
            connection,
            "SELECT id FROM series WHERE device = ? AND quantity = ? AND unit = ?",
            "INSERT INTO series (device, quantity, unit, is_temperature) VALUES (?, ?, ?, ?)
             ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)",
            &[device, quantity, unit.symbol()],
            Some(unit.is_temperature()),
        )
        .await?;
        Ok(remember(&mut self.series, name, number))
    }
}

/// The number that stands for a gateway, added where its name is new.
pub(super) async fn gateway(connection: &mut MySqlConnection, name: &str) -> sqlx::Result<u16> {
    let number = find_or_add(
        connection,
        "SELECT CAST(id AS UNSIGNED) FROM gateway WHERE name = ?",
        "INSERT INTO gateway (name) VALUES (?) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)",
        &[name],
        None,
    )
    .await?;
    u16::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn remember<K: std::hash::Hash + Eq>(names: &mut HashMap<K, u32>, name: K, number: u32) -> u32 {
    if names.len() >= REMEMBERED_LEN_MAX {
        names.clear();
    }
    names.insert(name, number);
    number
}

/// Another gateway may add the same name in between: then its number is the answer.
async fn find_or_add(
    connection: &mut MySqlConnection,
    find: &'static str,
    add: &'static str,
    names: &[&str],
    is_temperature: Option<bool>,
) -> sqlx::Result<u32> {
    let mut query = sqlx::query(find);
    for name in names {
        query = query.bind(*name);
    }
    let number = match query.fetch_optional(&mut *connection).await? {
        Some(row) => row.try_get::<u64, _>(0)?,
        None => {
            let mut query = sqlx::query(add);
            for name in names {
                query = query.bind(*name);
            }
            if let Some(is_temperature) = is_temperature {
                query = query.bind(is_temperature);
            }
            query.execute(connection).await?.last_insert_id()
        }
    };
    u32::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}

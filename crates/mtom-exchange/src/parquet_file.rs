//! Parquet: row groups of a bounded number of rows, times as UTC timestamps in microseconds, texts in
//! dictionaries, snappy. Plain columns, so DuckDB, pandas and others read it as it stands.

mod read;
mod write;

pub(crate) use read::Reader;
pub(crate) use write::Writer;

#[cfg(test)]
mod tests;

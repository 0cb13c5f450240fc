//! Which formats there are, and how they are named.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A format of files with readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Comma separated values with a header (RFC 4180).
    Csv,
    /// One JSON object per line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
    /// InfluxDB line protocol.
    LineProtocol,
    /// SenML in JSON (RFC 8428).
    SenMl,
}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {word:?}: expected csv, jsonl, parquet, lp or senml")]
pub struct UnknownFormat {
    /// What was said.
    pub word: String,
}

impl Format {
    /// Every format there is.
    pub const ALL: [Self; 5] =
        [Self::Csv, Self::JsonLines, Self::Parquet, Self::LineProtocol, Self::SenMl];

    /// The word for it, which is also the usual extension of its files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
            Self::LineProtocol => "lp",
            Self::SenMl => "senml",
        }
    }

    /// The format that a file's extension names; `None` when it names none.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "tsv" => Some(Self::Csv),
            "ndjson" => Some(Self::JsonLines),
            "pq" => Some(Self::Parquet),
            word => word.parse().ok(),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        match word {
            "influx" => Ok(Self::LineProtocol),
            word => Self::ALL
                .into_iter()
                .find(|format| format.word() == word)
                .ok_or_else(|| UnknownFormat { word: word.chars().take(40).collect() }),
        }
    }
}

#[cfg(test)]
mod tests;

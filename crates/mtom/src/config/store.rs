//! `[store]`: where readings go, and how long they stay.

use super::Surroundings;
use super::reader::{Problems, Section, count, text};
use super::sections::{password, section};
use super::tree::Node;
use mtom_gateway::settings::Keep;
use mtom_protocol::time::parse_span;
use std::fmt;
use std::time::Duration;

const PASSWORD_VARIABLE: &str = "MTOM_STORE_PASSWORD";
const MEGABYTE: u64 = 1_000_000;
/// So many megabytes are a petabyte.
const MEGABYTES_MAX: u32 = 1_000_000_000;
const MIN_FREE_MEGABYTES: u32 = 200;
/// Below this the journal's own log and sums have no room.
const MAX_MEGABYTES_MIN: u32 = 10;

/// `[store]`
#[derive(Clone, PartialEq)]
pub(crate) struct Store {
    /// The database that gets a copy of everything; `None`: the journal is all there is.
    pub(crate) url: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) keep: Keep,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("url", &self.url)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("keep", &self.keep)
            .finish()
    }
}

pub(super) fn read(
    root: &mut Section,
    around: &impl Surroundings,
    problems: &mut Problems,
) -> Store {
    let mut section = section(root, "store", problems);
    let url = section.get("url", problems, |node| match text(node)? {
        url if url == "sqlite" => Ok(None),
        url if url.starts_with("mysql:") => {
            mtom_gateway::settings::check_store_url(&url).map(|()| Some(url))
        }
        other => Err(format!("expected \"sqlite\" or \"mysql://user@host/mtom\", found {other:?}")),
    });
    let password = password(&mut section, PASSWORD_VARIABLE, around, problems);
    let raw = section.get("keep", problems, age).flatten();
    let rollups = section.get("keep_rollups", problems, age).flatten();
    let len_max =
        section.get("max_megabytes", problems, |node| match count(MEGABYTES_MAX)(node)? {
            0 => Ok(None),
            small if small < MAX_MEGABYTES_MIN => {
                Err(format!("expected 0 or at least {MAX_MEGABYTES_MIN}, found {small}"))
            }
            megabytes => Ok(Some(u64::from(megabytes) * MEGABYTE)),
        });
    let free = section.get("min_free_megabytes", problems, count(MEGABYTES_MAX));
    section.finish(problems);
    Store {
        url: url.flatten(),
        password,
        keep: Keep {
            raw,
            rollups,
            len_max: len_max.flatten(),
            disk_free_min: u64::from(free.unwrap_or(MIN_FREE_MEGABYTES)) * MEGABYTE,
            drained: None,
        },
    }
}

/// "forever", or at least an hour: rules and charts live on the newest readings.
fn age(node: Node) -> Result<Option<Duration>, String> {
    const EXPECTED: &str = "\"forever\", or 1h to 36500d, as in \"12h\" or \"400d\"";
    let text = text(node)?;
    if text == "forever" {
        return Ok(None);
    }
    let wrong = || format!("expected {EXPECTED}, found {text:?}");
    let within = Duration::from_hours(1)..=Duration::from_hours(24 * 36_500);
    parse_span(&text).filter(|age| within.contains(age)).map(Some).ok_or_else(wrong)
}

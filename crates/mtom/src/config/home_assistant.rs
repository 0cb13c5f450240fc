//! `[homeassistant]`: what is heard of what others say to Home Assistant, and what is said to it.

use super::reader::{Problems, Section, boolean, duration, text};
use super::sections::section;
use super::tree::Node;
use mtom_gateway::settings::{HomeAssistant, check_subscription};
use std::time::Duration;

/// The longest prefix, in bytes: what stands behind it has to fit into a topic too.
const PREFIX_LEN_MAX: usize = 64;
/// How long a sensor may be silent. Home Assistant counts whole seconds.
const EXPIRE_MIN: Duration = Duration::from_secs(10);
const EXPIRE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) fn read(root: &mut Section, problems: &mut Problems) -> HomeAssistant {
    let mut section = section(root, "homeassistant", problems);
    let usual = HomeAssistant::default();
    let prefix = section.get("prefix", problems, prefix);
    let discover = section.get("discover", problems, boolean);
    let announce = section.get("announce", problems, boolean);
    let expire_after = section.get("expire_after", problems, |node| match duration(node)? {
        span if (EXPIRE_MIN..=EXPIRE_MAX).contains(&span) => Ok(span),
        span => Err(format!("expected 10s to 7d, found {span:?}")),
    });
    section.finish(problems);
    HomeAssistant {
        prefix: prefix.unwrap_or(usual.prefix),
        discover: discover.unwrap_or(usual.discover),
        announce: announce.unwrap_or(usual.announce),
        expire_after: expire_after.unwrap_or(usual.expire_after),
    }
}

fn prefix(node: Node) -> Result<String, String> {
    let prefix = text(node)?;
    let expected = || {
        format!(
            "{prefix:?}: expected the discovery prefix of Home Assistant, as in \"homeassistant\": a topic of at most \
             {PREFIX_LEN_MAX} bytes without + and #, $ at the beginning and / at an end"
        )
    };
    let is_plain = !prefix.contains(['+', '#', '$'])
        && !prefix.starts_with('/')
        && !prefix.ends_with('/')
        && (1..=PREFIX_LEN_MAX).contains(&prefix.len())
        && check_subscription(&prefix).is_ok();
    if is_plain { Ok(prefix) } else { Err(expected()) }
}

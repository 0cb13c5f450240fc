//! The topics and the names that Home Assistant knows us by.
//!
//! All of ours stand below `mtom/mtom-XXXXXXXX/`, the name of this installation, so that no gateway takes them for
//! readings: neither we, nor another of the same broker.

use mtom_protocol::reading::Reading;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;

/// The longest beginning of a name that is kept when it has to be changed, in bytes.
const SLUG_LEN_MAX: usize = 40;
/// Hexadecimal digits of a name's digest: enough that no two names have the same.
const DIGEST_LEN: usize = 16;

/// Below which topics we speak.
pub(super) struct Names {
    prefix: String,
    id: String,
}

/// Knows the topics on which gateways speak with Home Assistant. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ours {
    prefix: Arc<str>,
    /// This installation's name, which a person may have given.
    id: Arc<str>,
}

impl Ours {
    pub(crate) fn new(prefix: &str, id: &str) -> Self {
        Self { prefix: prefix.into(), id: id.into() }
    }

    /// Whether a gateway, this one or another, says that to Home Assistant, or hears it.
    pub(crate) fn is(&self, topic: &str) -> bool {
        let is_config = topic
            .strip_prefix(&*self.prefix)
            .and_then(|rest| rest.strip_prefix("/device/"))
            .and_then(|rest| rest.strip_suffix("/config"))
            .and_then(|object| self.behind_id(object))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        is_config
            || topic.strip_prefix("mtom/").and_then(|rest| self.behind_id(rest)).is_some_and(
                |what| {
                    what == "/gateway"
                        || what.starts_with("/reading/")
                        || what.starts_with("/actuator/")
                },
            )
    }

    /// What stands behind the name of an installation.
    fn behind_id<'a>(&self, text: &'a str) -> Option<&'a str> {
        let own = text
            .strip_prefix(&*self.id)
            .filter(|rest| rest.is_empty() || rest.starts_with('_') || rest.starts_with('/'));
        own.or_else(|| is_installation(text).then(|| text.get(ID_LEN..)).flatten())
    }
}

/// `mtom-` and eight hexadecimal digits.
const ID_LEN: usize = 13;

/// Whether it begins with the name of an installation.
fn is_installation(text: &str) -> bool {
    let digits = text.strip_prefix("mtom-").and_then(|rest| rest.get(..ID_LEN - "mtom-".len()));
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl Names {
    /// `id` is this installation's.
    pub(super) fn new(prefix: &str, id: &str) -> Self {
        Self { prefix: prefix.to_owned(), id: id.to_owned() }
    }

    /// What tells us from other gateways.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Where it is said whether we are there.
    pub(super) fn gateway(&self) -> String {
        format!("mtom/{}/gateway", self.id)
    }

    /// Where the numbers of a series come.
    pub(super) fn reading(&self, reading: &Reading) -> String {
        self.series(&reading.device, &reading.quantity)
    }

    pub(super) fn series(&self, device: &str, quantity: &str) -> String {
        format!("mtom/{}/reading/{}/{}", self.id, slug(device), slug(quantity))
    }

    pub(super) fn actuator_set(&self, name: &str) -> String {
        format!("mtom/{}/actuator/{}/set", self.id, slug(name))
    }

    pub(super) fn actuator_state(&self, name: &str) -> String {
        format!("mtom/{}/actuator/{}/state", self.id, slug(name))
    }

    pub(super) fn actuator_online(&self, name: &str) -> String {
        format!("mtom/{}/actuator/{}/link", self.id, slug(name))
    }

    /// The actuator's name in a topic.
    pub(super) fn actuator(&self, name: &str) -> String {
        slug(name)
    }

    pub(super) fn device_id(&self, device: &str) -> String {
        format!("{}_d_{}", self.id, slug(device))
    }

    /// What tells one series from all others. An `_` stands between the names, or a full stop, which no name has, where
    /// the quantity has an `_` itself. Home Assistant keeps what a person says of a sensor by this: it never changes.
    pub(super) fn series_id(&self, device: &str, quantity: &str) -> String {
        let quantity = slug(quantity);
        let between = if quantity.contains('_') { '.' } else { '_' };
        format!("{}{between}{quantity}", self.device_id(device))
    }

    pub(super) fn actuator_id(&self, name: &str) -> String {
        format!("{}_a_{}", self.id, slug(name))
    }

    pub(super) fn config_of_gateway(&self) -> String {
        self.config(&self.id)
    }

    /// The config of so manieth part of a device, from 0.
    pub(super) fn config_of_device(&self, device: &str, part: usize) -> String {
        match part {
            0 => self.config(&self.device_id(device)),
            _ => self.config(&format!("{}_d{}_{}", self.id, part + 1, slug(device))),
        }
    }

    /// Whether that is the config of a device with readings, of ours.
    pub(super) fn is_config_of_device(&self, topic: &str) -> bool {
        let object = topic
            .strip_prefix(&*self.prefix)
            .and_then(|rest| rest.strip_prefix("/device/"))
            .and_then(|rest| rest.strip_suffix("/config"));
        let behind = object.and_then(|object| object.strip_prefix(&*self.id));
        behind.is_some_and(|rest| rest.starts_with("_d"))
    }

    pub(super) fn config_of_actuator(&self, name: &str) -> String {
        self.config(&self.actuator_id(name))
    }

    fn config(&self, object: &str) -> String {
        format!("{}/device/{object}/config", self.prefix)
    }
}

/// A text of letters, digits, `_` and `-`, another one for each name: the name itself, or the beginning of it with its
/// digest behind. A name that looks like one with a digest gets a digest too.
pub(super) fn slug(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_short = (1..=2 * SLUG_LEN_MAX).contains(&name.len());
    if is_short && name.chars().all(is_plain) && !has_digest(name) {
        return name.to_owned();
    }
    let plain = name.chars().map(|c| if is_plain(c) { c } else { '_' });
    let mut out: String = plain.take(SLUG_LEN_MAX).collect();
    out.push('_');
    for byte in &Sha256::digest(name)[..DIGEST_LEN / 2] {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// Whether it ends as a name that had to be changed.
fn has_digest(name: &str) -> bool {
    let digits = name.rsplit_once('_').map_or("", |(_, digits)| digits);
    digits.len() == DIGEST_LEN
        && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

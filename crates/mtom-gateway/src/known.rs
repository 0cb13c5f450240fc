//! Which device the name of a Bluetooth link has led to, kept in the data folder.
//!
//! A name is asked for once; from then on that device alone is meant, whoever else takes its name. The
//! file is for people too: a line that is deleted while the gateway stands still is looked for anew.

use mtom_actuator::{BluetoothDevice, BluetoothId, LinkAddress};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file in the data folder.
const FILE: &str = "bluetooth";
/// What stands above its lines.
const HEAD: &str =
    "# Which device each name is: address, link. Without its line a name is looked for anew.\n";

/// What is known.
pub(crate) struct Known {
    path: PathBuf,
    // A std mutex: held while a small file is written, which happens once for each device.
    ids: Mutex<BTreeMap<String, BluetoothId>>,
}

impl Known {
    /// Reads what an earlier gateway has written; a line that is none is left out.
    pub(crate) fn open(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let line = |line: &str| {
            let (id, link) = line.split_once(' ')?;
            Some((link.to_owned(), id.parse().ok()?))
        };
        Self { path, ids: Mutex::new(text.lines().filter_map(line).collect()) }
    }

    /// The device that the name in `link` has led to.
    pub(crate) fn of(&self, link: &LinkAddress) -> Option<BluetoothId> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.get(&key(link)?).cloned()
    }

    /// Keeps the device that the name in `link` has led to.
    ///
    /// # Errors
    /// When it cannot be written; it is known until the end of the process then.
    pub(crate) fn keep(&self, link: &LinkAddress, id: BluetoothId) -> io::Result<()> {
        let Some(key) = key(link) else { return Ok(()) };
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.insert(key, id);
        let lines = ids.iter().map(|(link, id)| format!("{id} {link}\n"));
        let text = HEAD.to_owned() + &lines.collect::<String>();
        let new = self.path.with_extension("new");
        fs::write(&new, text)?;
        fs::rename(new, &self.path)
    }
}

/// A name with its kind, without options; an address needs no memory.
fn key(link: &LinkAddress) -> Option<String> {
    let (scheme, device) = match link {
        LinkAddress::Ble(device) => ("ble", device),
        LinkAddress::Spp(device) => ("spp", device),
        LinkAddress::Serial { .. } | LinkAddress::Tcp { .. } | LinkAddress::Mqtt(_) => return None,
    };
    match &device.device {
        BluetoothDevice::Name(name) => Some(format!("{scheme}:{name}")),
        BluetoothDevice::Id(_) => None,
    }
}

#[cfg(test)]
mod tests;

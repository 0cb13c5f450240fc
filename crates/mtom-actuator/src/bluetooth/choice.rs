//! Which of the devices in reach is meant. Pure: no stack, no clock. Tested through `finder`.

use super::{Kind, Sighting};
use crate::address::bluetooth::{BluetoothDevice, BluetoothId};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// A name that is heard for the first time may be another device's as well: so long that one has to
/// be heard too. Devices that spare their battery speak up once a second.
const SETTLE: Duration = Duration::from_secs(2);

/// What a search has found so far.
pub(crate) struct Choice<'a> {
    wanted: &'a BluetoothDevice,
    /// What the name led to before.
    remembered: Option<&'a BluetoothId>,
    kind: Kind,
    /// Exactly the one.
    certain: Option<BluetoothId>,
    /// Those of the name, and since when there is one.
    named: BTreeSet<BluetoothId>,
    named_since: Option<Instant>,
    /// One of the name that does not have the service.
    unfit: Option<BluetoothId>,
}

impl<'a> Choice<'a> {
    pub(crate) fn new(
        wanted: &'a BluetoothDevice,
        remembered: Option<&'a BluetoothId>,
        kind: Kind,
    ) -> Self {
        let named = BTreeSet::new();
        Self { wanted, remembered, kind, certain: None, named, named_since: None, unfit: None }
    }

    /// Takes one sighting.
    pub(crate) fn take(&mut self, sighting: Sighting, now: Instant) {
        let Sighting { id, name, kind, has_service, .. } = sighting;
        let is_known = match self.wanted {
            BluetoothDevice::Id(wanted) => *wanted == id,
            BluetoothDevice::Name(_) => self.remembered == Some(&id),
        };
        if is_known {
            self.certain = Some(id);
        } else if let BluetoothDevice::Name(wanted) = self.wanted
            && name.as_ref() == Some(wanted)
        {
            if kind == self.kind && has_service != Some(false) {
                self.named.insert(id);
                self.named_since.get_or_insert(now);
            } else {
                self.unfit = Some(id);
            }
        }
    }

    /// When it will be known, if nothing else is seen.
    pub(crate) fn due(&self) -> Option<Instant> {
        let since = self.named_since.filter(|_| self.remembered.is_none())?;
        Some(since + SETTLE)
    }

    /// The one that is meant, or why none of those seen is; `None` as long as it is open.
    pub(crate) fn decided(&self, now: Instant) -> Option<Result<BluetoothId, String>> {
        if let Some(id) = &self.certain {
            return Some(Ok(id.clone()));
        }
        self.due().filter(|due| *due <= now)?;
        match self.named.iter().collect::<Vec<_>>().as_slice() {
            [] => None,
            [one] => Some(Ok((*one).clone())),
            many => {
                let ids: Vec<String> = many.iter().map(ToString::to_string).collect();
                let (scheme, first) = (self.scheme(), ids.first().cloned().unwrap_or_default());
                Some(Err(format!(
                    "{} devices call themselves {}: {}; choose one by its address, as in \
                     {scheme}:{first}",
                    ids.len(),
                    self.wanted,
                    ids.join(" and ")
                )))
            }
        }
    }

    /// Why nothing was found within `span`.
    pub(crate) fn nothing(&self, span: Duration) -> String {
        let (scheme, wanted) = (self.scheme(), self.wanted);
        if let (Some(was), Some(now)) = (self.remembered, self.named.first()) {
            return format!(
                "{wanted} was {was} until now, which is not in reach; {now} calls itself so too: to \
                 take that one write {scheme}:{now}"
            );
        }
        if let Some(unfit) = &self.unfit {
            let service = match self.kind {
                Kind::Le => "no UART service over Bluetooth LE",
                Kind::Classic => "no serial port over classic Bluetooth",
            };
            return format!("{wanted} is in reach at {unfit}, but offers {service}");
        }
        let was = self.remembered.map(|id| format!(" ({id})")).unwrap_or_default();
        format!("{wanted}{was} not found within {span:?}; is it on, and in reach?")
    }

    fn scheme(&self) -> &'static str {
        match self.kind {
            Kind::Le => "ble",
            Kind::Classic => "spp",
        }
    }
}

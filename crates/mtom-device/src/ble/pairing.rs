//! Whom a device that wants to be paired lets in: LE Secure Connections with a passkey or with numbers that
//! are compared, for some seconds after its power came.
//!
//! The passkey stands in the device's log, or is the one of its settings; the other end types it. With
//! `pairing_compare` both ends show a number instead, and both their persons say that it is the same: the
//! device's by its button. An end that can neither show nor take digits is not paired. A
//! window after power came needs no button, which not every board has, and who can reach the plug may
//! pair. Whoever is paired is known for good, by the keys that are kept in flash, and encrypts its
//! connection soon; a stranger is let go of outside the window, and so is one who knows the address
//! of somebody and not his keys. Before a connection is encrypted the link cannot be written or heard.
//!
//! What surprises: a passkey of the settings is the same each time, and each try of somebody who
//! listens in between betrays a part of it; the window limits that, a passkey that the log shows ends it.

use super::{Connection, ENCRYPTION_WAIT, Event, STRANGER_WAIT};
use crate::actuator::{COMPARE_WAIT, Pairing, Served};
use crate::flash::{BONDS_MAX, Bond};
use embassy_time::Instant;
use trouble_host::prelude::{
    AddrKind, Address, BdAddr, BondInformation, Controller, DefaultPacketPool, Error, Identity,
    IdentityResolvingKey, IoCapabilities, LongTermKey, PairingFailedReason, SecurityLevel, Stack,
};

/// Let go of the central.
#[derive(Debug)]
pub(super) struct Unwanted;

/// What follows from what was seen.
#[derive(Debug)]
pub(super) enum Turn {
    GoOn,
    /// A number is to be compared by the device's person, whatever was asked before.
    Ask,
    /// The person need not answer any more.
    AskNoMore,
}

/// Says what the device's person has said.
pub(super) fn tell(connection: &Connection<'_, '_>, is_same: bool) {
    // What becomes of it is an event.
    let _ = if is_same { connection.pass_key_confirm() } else { connection.pass_key_cancel() };
}

/// The one who decides.
pub(super) struct Door<'a, 's, C, A> {
    pub(super) stack: &'a Stack<'s, C, DefaultPacketPool>,
    pub(super) actuator: &'a A,
}

/// One central that was let in.
pub(super) struct Visit {
    /// Until then its connection must be encrypted.
    pub(super) until: Option<Instant>,
}

impl Visit {
    /// As [`STRANGER_WAIT`] says.
    fn ends_soon(&mut self) {
        let end = Instant::now().saturating_add(STRANGER_WAIT);
        self.until = Some(self.until.map_or(end, |until| until.min(end)));
    }
}

impl<C: Controller, A: Served> Door<'_, '_, C, A> {
    /// Tells the host whom it knows and what it can show.
    pub(super) async fn open(&self) {
        let Some(pairing) = self.actuator.pairing() else { return };
        self.stack.set_io_capabilities(if pairing.is_compared {
            IoCapabilities::DisplayYesNo
        } else {
            IoCapabilities::DisplayOnly
        });
        self.stack.set_passkey(pairing.passkey.map(|passkey| passkey.number()));
        let bonds_len = self.know().await;
        log::info!("paired with {bonds_len} others; more can be for {} s", left(pairing));
    }

    /// Tells the host whom it is paired with, and how many they are.
    async fn know(&self) -> usize {
        let bonds = self.actuator.bonds().await.unwrap_or_else(|error| {
            log::error!("whom it was paired with is lost: {error}");
            crate::flash::Bonds::new()
        });
        for bond in &bonds {
            // There is room for all that are kept.
            let _ = self.stack.add_bond_information(information(bond));
        }
        bonds.len()
    }

    /// Lets a central in, or not.
    pub(super) fn admit(&self, connection: &Connection<'_, '_>) -> Result<Visit, Unwanted> {
        let Some(pairing) = self.actuator.pairing() else { return Ok(Visit { until: None }) };
        let (raw, now) = (connection.raw(), Instant::now());
        let is_open = now < pairing.until;
        // Outside its window no try betrays anything of the passkey of the settings.
        self.stack.set_passkey(pairing.passkey.filter(|_| is_open).map(|passkey| passkey.number()));
        if raw.is_bonded_peer() {
            if is_open {
                // One that has forgotten the bond is paired anew.
                raw.set_bondable(true).map_err(|_| Unwanted)?;
            }
            return Ok(Visit { until: Some(now.saturating_add(ENCRYPTION_WAIT)) });
        }
        if !is_open {
            log::warn!(
                "a stranger is not let in: it is paired within its first minutes of power only"
            );
            return Ok(Visit { until: Some(now.saturating_add(STRANGER_WAIT)) });
        }
        raw.set_bondable(true).map_err(|_| Unwanted)?;
        Ok(Visit { until: Some(pairing.until) })
    }

    /// Sees what becomes of the connection.
    pub(super) async fn saw(
        &self,
        visit: &mut Visit,
        event: &Event<'_, '_>,
    ) -> Result<Turn, Unwanted> {
        let Some(pairing) = self.actuator.pairing() else { return Ok(Turn::GoOn) };
        let is_open = Instant::now() < pairing.until;
        match event {
            Event::PassKeyDisplay(passkey) if is_open => {
                log::info!("passkey {passkey}: type it where mtom actuator pair asks for it");
                // A person types it.
                visit.until = Some(pairing.until);
                Ok(Turn::GoOn)
            }
            Event::PassKeyConfirm(number) if is_open => {
                let limit = COMPARE_WAIT.as_secs();
                log::info!(
                    "number {number}: if mtom actuator pair shows the same, say so there and press the \
                     button here, within {limit} s"
                );
                visit.until = Some(pairing.until);
                Ok(Turn::Ask)
            }
            // Somebody under the address of one that it knows.
            Event::PassKeyDisplay(_) | Event::PassKeyConfirm(_) | Event::BondLost if !is_open => {
                log::warn!("not paired: its window is closed; switch it off and on");
                visit.ends_soon();
                Ok(Turn::AskNoMore)
            }
            Event::PairingComplete { security_level, bond } => {
                self.completed(is_open && security_level.authenticated(), bond.as_ref()).await?;
                visit.until = None;
                Ok(Turn::AskNoMore)
            }
            Event::PairingFailed(error) => {
                match error {
                    Error::Security(PairingFailedReason::NumericComparisonFailed) => log::warn!(
                        "not paired: it was not said at both ends that the numbers are the same"
                    ),
                    error => log::warn!("not paired: {error:?}"),
                }
                Ok(Turn::AskNoMore)
            }
            Event::Encrypted { security_level, .. } if security_level.authenticated() => {
                visit.until = None;
                Ok(Turn::GoOn)
            }
            _ => Ok(Turn::GoOn),
        }
    }

    /// Keeps who is paired; who `may` not be is forgotten, and whom the host took him for is known as before.
    async fn completed(&self, may: bool, bond: Option<&BondInformation>) -> Result<(), Unwanted> {
        let Some(bond) = bond else {
            log::warn!("not paired: the other end does not keep what was agreed on");
            return Err(Unwanted);
        };
        if !may {
            let _ = self.stack.remove_bond_information(bond.identity);
            self.know().await;
            log::warn!("not paired: without digits that a person has seen it might be anybody");
            return Err(Unwanted);
        }
        self.keep(bond).await;
        Ok(())
    }

    async fn keep(&self, new: &BondInformation) {
        let mut bonds = self.actuator.bonds().await.unwrap_or_default();
        bonds.retain(|bond| !information(bond).identity.match_identity(&new.identity));
        // Full: the oldest is forgotten.
        if bonds.len() == BONDS_MAX {
            let oldest = bonds.remove(0);
            let _ = self.stack.remove_bond_information(information(&oldest).identity);
        }
        let _ = bonds.push(bond(new));
        match self.actuator.keep_bonds(&bonds).await {
            Ok(()) => log::info!("paired with {}", new.identity.addr),
            Err(error) => log::error!("paired until its power goes: {error}"),
        }
    }
}

fn left(pairing: Pairing) -> u64 {
    pairing.until.saturating_duration_since(Instant::now()).as_secs()
}

/// As the host knows it. Only what was authenticated is kept.
fn information(bond: &Bond) -> BondInformation {
    let (kind, address) = bond.address;
    let addr = Address::new(AddrKind::new(kind), BdAddr::new(address));
    let identity = Identity { addr, irk: IdentityResolvingKey::from_le_bytes(bond.irk) };
    let ltk = LongTermKey::from_le_bytes(bond.ltk);
    BondInformation::new(identity, ltk, SecurityLevel::EncryptedAuthenticated, true)
}

/// As it is kept.
fn bond(information: &BondInformation) -> Bond {
    let Identity { addr, irk } = information.identity;
    Bond {
        address: (addr.kind.into_inner(), addr.addr.into_inner()),
        irk: irk.map_or([0; 16], IdentityResolvingKey::to_le_bytes),
        ltk: information.ltk.to_le_bytes(),
    }
}

#[cfg(test)]
mod tests;

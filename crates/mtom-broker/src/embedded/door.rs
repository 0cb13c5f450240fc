//! Who is let in, from outside: names are allowed and taken away, and who lost its name is put out.

use super::Inside;
use crate::clients::{Admission, Clients, Everybody, NameError};

/// The door of the embedded broker. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    clients: Clients,
    inside: Inside,
}

impl Door {
    pub(super) fn new(clients: Clients, inside: Inside) -> Self {
        Self { clients, inside }
    }

    /// The list that it keeps.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Everybody who is there, was there, or was not let in.
    #[must_use]
    pub fn everybody(&self) -> Everybody {
        self.clients.everybody()
    }

    /// Who says that name is let in from now on.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn allow(&self, name: &str) -> Result<(), NameError> {
        self.clients.allow(name)
    }

    /// Who says that name is not let in any more. False when it was not allowed.
    #[must_use]
    pub fn withdraw(&self, name: &str) -> bool {
        self.clients.withdraw(name)
    }

    /// Puts out who says that name and may not stay; it is begun at once, and goes on when nobody waits for it.
    pub fn put_out(&self, name: &str) -> impl Future<Output = ()> + use<> {
        let everybody = self.clients.everybody();
        let found = everybody.clients.iter().find(|client| &*client.name == name);
        // One that is just being let in is not among them yet.
        let stays = found.is_some_and(|client| self.clients.may_stay(name, client.address))
            || self.clients.admission() == Admission::Everyone;
        let ending = (!stays).then(|| self.inside.put_out(name));
        async move {
            if let Some(ending) = ending {
                let _ = ending.await;
            }
        }
    }
}

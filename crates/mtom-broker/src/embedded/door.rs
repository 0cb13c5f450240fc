//! Who is let in, from outside: names are allowed and taken away, and who lost its name is put out.

use super::Inside;
use crate::clients::{Clients, Everybody, NameError};

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

    /// Who says that name is not let in any more, and put out where it is connected from another computer.
    /// False when it was not allowed.
    pub async fn withdraw(&self, name: &str) -> bool {
        let was_allowed = self.clients.withdraw(name);
        let everybody = self.clients.everybody();
        let found = everybody.clients.iter().find(|client| &*client.name == name);
        let stays = found.is_none_or(|client| self.clients.may_stay(name, client.address));
        if !stays {
            self.inside.put_out(name).await;
        }
        was_allowed
    }
}

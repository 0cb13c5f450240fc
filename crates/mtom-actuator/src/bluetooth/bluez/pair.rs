//! Pairing through BlueZ: its daemon asks our agent, and our agent asks a person.
//!
//! The agent is there for one device and for as long as it is paired; whoever else wants to be paired
//! meanwhile is rejected, and so is a device for which nobody has to be asked.

use super::Bluez;
use crate::address::bluetooth::{BluetoothAddress, BluetoothId};
use crate::bluetooth::finder::Finder;
use crate::bluetooth::trouble::Trouble;
use crate::bluetooth::{Kind, LowEnergy};
use crate::pairing::{Answer, PairError, Say, Step};
use crate::settings::Settings;
use bluer::agent::{Agent, ReqError, ReqResult};
use bluer::{Address, Error, ErrorKind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep};

/// Nobody should have to begin again because the daemon has just crashed: it is back within seconds, and its
/// adapters come one after the other.
const BACK_MAX: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(500);

/// Finds the device of `address` and pairs it, or leaves nothing of it behind when it is `over` before.
pub(crate) async fn pair(
    address: &BluetoothAddress,
    settings: &Settings,
    say: Say,
    answers: mpsc::Receiver<Answer>,
    over: impl Future<Output = PairError>,
) -> Result<BluetoothId, PairError> {
    let mut over = pin!(over);
    say(Step::Searching);
    let (bluez, id) = tokio::select! {
        biased;
        why = &mut over => return Err(why),
        found = found_anew(address, settings) => found?,
    };
    say(Step::Connecting);
    let device = bluez.device(&id).map_err(PairError::Other)?;
    let person = Arc::new(Person {
        device: device.address(),
        say,
        answers: Mutex::new(answers),
        was_asked: AtomicBool::new(false),
        compared: StdMutex::new(Compared::Not),
    });
    let _agent = bluez.session.register_agent(person.clone().agent()).await.map_err(other)?;
    // Else nothing would be kept.
    let was_pairable = bluez.adapter.is_pairable().await.map_err(other)?;
    bluez.adapter.set_pairable(true).await.map_err(other)?;
    let paired = tokio::select! {
        biased;
        why = &mut over => Err(why),
        paired = device.pair() => paired.map_err(|error| person.reason(&error)),
    };
    let is_proven = person.was_asked.load(Ordering::SeqCst);
    let outcome = paired.and(if is_proven { Ok(()) } else { Err(PairError::Unproven) });
    match outcome {
        // The link makes a connection of its own, by the bond.
        Ok(()) => drop(device.disconnect().await),
        Err(_) => drop(bluez.forget(&id).await),
    }
    if !was_pairable {
        let _ = bluez.adapter.set_pairable(false).await;
    }
    outcome.map(|()| id)
}

/// The adapter and the device, of which the adapter knows nothing yet.
async fn found_anew(
    address: &BluetoothAddress,
    settings: &Settings,
) -> Result<(Bluez, BluetoothId), PairError> {
    let open = || Bluez::open(address.adapter.as_deref(), address.power_cycle);
    let bluez = patiently(open).await?;
    let id = find(address, settings).await?;
    bluez.forget(&id).await?;
    // What is forgotten has to be seen anew.
    Ok((bluez, find(address, settings).await?))
}

/// Opens again what may be there in a moment.
async fn patiently<T, F>(mut open: impl FnMut() -> F) -> Result<T, Trouble>
where
    F: Future<Output = Result<T, Trouble>>,
{
    use Trouble::{Busy, NoAdapter, NoDaemon, Other, OtherAdapter};
    let last = Instant::now() + BACK_MAX;
    loop {
        match open().await {
            Err(NoDaemon | NoAdapter | OtherAdapter { .. } | Busy(_) | Other(_))
                if Instant::now() < last =>
            {
                sleep(AGAIN).await;
            }
            opened => return opened,
        }
    }
}

async fn find(address: &BluetoothAddress, settings: &Settings) -> Result<BluetoothId, PairError> {
    let radio = LowEnergy::new(address, settings.write_timeout);
    let (remembered, limit) = (settings.remembered.clone(), settings.connect_timeout);
    let mut finder = Finder::new(radio, Kind::Le, address, remembered, limit);
    finder.find().await.map_err(PairError::NotFound)
}

impl Bluez {
    /// Forgets a bond and everything else about a device: the daemon keeps of each try that the device has
    /// refused that somebody listens to it, and lets nobody listen any more.
    async fn forget(&self, id: &BluetoothId) -> Result<(), PairError> {
        let device = self.device(id).map_err(PairError::Other)?;
        match self.adapter.remove_device(device.address()).await {
            Err(Error { kind: ErrorKind::DoesNotExist | ErrorKind::NotFound, .. }) | Ok(()) => {
                Ok(())
            }
            Err(error) => Err(other(error)),
        }
    }
}

/// Who is asked by the daemon.
struct Person {
    device: Address,
    say: Say,
    answers: Mutex<mpsc::Receiver<Answer>>,
    /// Without that the device has proven nothing.
    was_asked: AtomicBool,
    // A std mutex: never held across an await.
    compared: StdMutex<Compared>,
}

/// How far two numbers were compared here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    Not,
    Asked,
    Said(bool),
}

type Asked<T> = Pin<Box<dyn Future<Output = ReqResult<T>> + Send>>;

impl Person {
    /// One that knows no other device, and that lets nobody in who asks for nothing.
    fn agent(self: Arc<Self>) -> Agent {
        let passkey = Arc::clone(&self);
        let confirm = Arc::clone(&self);
        let show = self;
        Agent {
            request_passkey: Some(Box::new(move |request| -> Asked<u32> {
                let person = Arc::clone(&passkey);
                Box::pin(async move { person.passkey(request.device).await })
            })),
            request_confirmation: Some(Box::new(move |request| -> Asked<()> {
                let person = Arc::clone(&confirm);
                Box::pin(async move { person.compare(request.device, request.passkey).await })
            })),
            display_passkey: Some(Box::new(move |request| -> Asked<()> {
                let person = Arc::clone(&show);
                Box::pin(async move { person.shown(request.device, request.passkey) })
            })),
            ..Agent::default()
        }
    }

    async fn passkey(&self, device: Address) -> ReqResult<u32> {
        self.ask(device, Step::PasskeyWanted)?;
        loop {
            match self.answer().await? {
                Answer::Passkey(passkey) => return Ok(passkey),
                Answer::Same(_) => {}
            }
        }
    }

    async fn compare(&self, device: Address, number: u32) -> ReqResult<()> {
        self.ask(device, Step::Compare(number))?;
        self.set_compared(Compared::Asked);
        loop {
            if let Answer::Same(is_same) = self.answer().await? {
                self.set_compared(Compared::Said(is_same));
                return if is_same { Ok(()) } else { Err(ReqError::Rejected) };
            }
        }
    }

    fn set_compared(&self, compared: Compared) {
        *self.compared.lock().unwrap_or_else(PoisonError::into_inner) = compared;
    }

    /// Why it is not paired: the daemon does not tell who has said no.
    fn reason(&self, error: &Error) -> PairError {
        use ErrorKind::{
            AuthenticationCanceled, AuthenticationFailed, AuthenticationRejected,
            AuthenticationTimeout, ConnectionAttemptFailed,
        };
        let compared = *self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        let is_refused = matches!(error.kind, AuthenticationFailed | AuthenticationRejected);
        let is_late = matches!(error.kind, AuthenticationCanceled | AuthenticationTimeout);
        match compared {
            Compared::Said(false) if is_refused || is_late => PairError::Different,
            Compared::Said(true) if is_refused || is_late => PairError::NotConfirmed,
            Compared::Asked if is_refused => PairError::NotConfirmed,
            Compared::Asked if is_late => PairError::NotCompared,
            _ => match error.kind {
                AuthenticationTimeout => PairError::TooLate,
                ConnectionAttemptFailed => PairError::Refused,
                _ if is_refused || is_late => PairError::Refused,
                _ => PairError::Other(error.to_string()),
            },
        }
    }

    fn shown(&self, device: Address, passkey: u32) -> ReqResult<()> {
        self.ask(device, Step::Shown(passkey))
    }

    fn ask(&self, device: Address, step: Step) -> ReqResult<()> {
        if device != self.device {
            return Err(ReqError::Rejected);
        }
        self.was_asked.store(true, Ordering::SeqCst);
        (self.say)(step);
        Ok(())
    }

    async fn answer(&self) -> ReqResult<Answer> {
        self.answers.lock().await.recv().await.ok_or(ReqError::Canceled)
    }
}

fn other(error: Error) -> PairError {
    PairError::Other(error.to_string())
}

#[cfg(test)]
mod tests;

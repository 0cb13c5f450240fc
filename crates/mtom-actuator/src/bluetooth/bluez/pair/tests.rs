//! What the daemon may ask, and what the person says to it.

use super::{BACK_MAX, Compared, Person, patiently};
use crate::bluetooth::trouble::Trouble;
use crate::pairing::{Answer, PairError, Step};
use bluer::agent::ReqError;
use bluer::{Address, Error, ErrorKind};
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

const DEVICE: Address = Address::new([0xc6, 0x55, 0x44, 0x33, 0x22, 0x11]);
const STRANGER: Address = Address::new([0xc6, 0, 0, 0, 0, 1]);

/// A person who answers so, and the steps that are seen.
fn person(answers: &[Answer]) -> (Arc<Person>, Arc<Mutex<Vec<Step>>>) {
    let (sender, receiver) = mpsc::channel(answers.len().max(1));
    answers.iter().for_each(|answer| sender.try_send(*answer).unwrap());
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let person = Person {
        device: DEVICE,
        say: Arc::new(move |step| seen.lock().unwrap().push(step)),
        answers: tokio::sync::Mutex::new(receiver),
        was_asked: AtomicBool::new(false),
        compared: Mutex::new(Compared::Not),
    };
    (Arc::new(person), steps)
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_has_just_crashed_is_waited_for() {
    let wanted = || Trouble::OtherAdapter { wanted: "hci0".into(), there: "hci1".into() };
    let mut coming =
        [Trouble::NoDaemon, Trouble::Other("silent".into()), Trouble::NoAdapter, wanted()]
            .map(Err)
            .into_iter();
    assert_eq!(patiently(|| ready(coming.next().unwrap_or(Ok(7)))).await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn what_only_a_person_mends_is_told() {
    let start = Instant::now();
    let blocked = patiently(async || Err::<(), _>(Trouble::Blocked)).await;
    assert_eq!((blocked, start.elapsed()), (Err(Trouble::Blocked), Duration::ZERO));
    let gone = patiently(async || Err::<(), _>(Trouble::NoDaemon)).await;
    assert_eq!((gone, start.elapsed()), (Err(Trouble::NoDaemon), BACK_MAX));
}

#[tokio::test]
async fn digits_that_the_device_shows_are_typed_here() {
    let (person, steps) = person(&[Answer::Same(true), Answer::Passkey(42)]);
    assert_eq!(person.passkey(DEVICE).await, Ok(42));
    assert_eq!(*steps.lock().unwrap(), [Step::PasskeyWanted]);
    assert!(person.was_asked.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_number_on_both_sides_is_compared() {
    for (same, outcome) in [(true, Ok(())), (false, Err(ReqError::Rejected))] {
        let (person, steps) = person(&[Answer::Passkey(7), Answer::Same(same)]);
        assert_eq!(person.compare(DEVICE, 123).await, outcome);
        assert_eq!(*steps.lock().unwrap(), [Step::Compare(123)]);
        assert_eq!(*person.compared.lock().unwrap(), Compared::Said(same));
    }
}

#[tokio::test]
async fn a_number_for_the_device_is_shown_here() {
    let (person, steps) = person(&[]);
    assert_eq!(person.shown(DEVICE, 7), Ok(()));
    assert_eq!(*steps.lock().unwrap(), [Step::Shown(7)]);
}

#[tokio::test]
async fn nobody_else_is_asked_for_and_who_is_gone_answers_nothing() {
    let (person, steps) = person(&[Answer::Passkey(42)]);
    assert_eq!(person.passkey(STRANGER).await, Err(ReqError::Rejected));
    assert_eq!(person.compare(STRANGER, 1).await, Err(ReqError::Rejected));
    assert_eq!(person.shown(STRANGER, 1), Err(ReqError::Rejected));
    assert!(steps.lock().unwrap().is_empty() && !person.was_asked.load(Ordering::SeqCst));
    assert_eq!(person.passkey(DEVICE).await, Ok(42));
    assert_eq!(person.passkey(DEVICE).await, Err(ReqError::Canceled));
}

#[test]
fn what_the_daemon_says_leads_to_the_next_step() {
    let (person, _) = person(&[]);
    let told = |kind: ErrorKind| person.reason(&Error { kind, message: "no".into() });
    for kind in [ErrorKind::AuthenticationFailed, ErrorKind::ConnectionAttemptFailed] {
        assert_eq!(told(kind), PairError::Refused);
    }
    assert_eq!(told(ErrorKind::AuthenticationTimeout), PairError::TooLate);
    assert!(matches!(told(ErrorKind::Failed), PairError::Other(_)));
    for (compared, refused, late) in [
        (Compared::Asked, PairError::NotConfirmed, PairError::NotCompared),
        (Compared::Said(true), PairError::NotConfirmed, PairError::NotConfirmed),
        (Compared::Said(false), PairError::Different, PairError::Different),
    ] {
        person.set_compared(compared);
        assert_eq!(told(ErrorKind::AuthenticationFailed), refused, "{compared:?}");
        assert_eq!(told(ErrorKind::AuthenticationRejected), refused, "{compared:?}");
        assert_eq!(told(ErrorKind::AuthenticationCanceled), late, "{compared:?}");
        assert_eq!(told(ErrorKind::AuthenticationTimeout), late, "{compared:?}");
        assert_eq!(told(ErrorKind::ConnectionAttemptFailed), PairError::Refused);
    }
}

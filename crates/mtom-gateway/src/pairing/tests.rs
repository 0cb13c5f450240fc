use super::{Desk, PairingError, PairingState, Pairings};
use mtom_actuator::{Answer, LinkAddress, Settings, Step};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(60);

/// A link over Bluetooth by an adapter that no computer has, beside a cable.
fn lamp() -> (Pairings, Desk, Settings) {
    let pairings = Pairings::default();
    let link: LinkAddress = "ble:LAMP?adapter=hci250".parse().unwrap();
    let desk = pairings.desk("LAMP", &link);
    drop(pairings.desk("WIRE", &"serial:/dev/ttyS0".parse().unwrap()));
    (pairings, desk, Settings::new("LAMP", link))
}

#[test]
fn only_what_can_be_paired_is_and_once_at_a_time() {
    let (pairings, _desk, _) = lamp();
    assert_eq!(pairings.state("LAMP"), Ok(PairingState::Never));
    assert_eq!(pairings.begin("LAMP"), Ok(()));
    assert_eq!(pairings.begin("LAMP"), Err(PairingError::Busy { name: "LAMP".into() }));
    let wire = pairings.begin("WIRE").unwrap_err().to_string();
    assert!(wire.contains("serial:/dev/ttyS0") && wire.contains("docs/keys.md"), "{wire}");
    let nobody = pairings.begin("NOBODY").unwrap_err().to_string();
    assert_eq!(nobody, "there is no actuator \"NOBODY\": expected LAMP, WIRE");
}

#[test]
fn what_nobody_has_asked_is_not_answered() {
    let (pairings, _desk, _) = lamp();
    let not_asked = Err(PairingError::NotAsked { name: "LAMP".into() });
    assert_eq!(pairings.answer("LAMP", Answer::Passkey(1)), not_asked);
    pairings.begin("LAMP").unwrap();
    assert_eq!(pairings.answer("LAMP", Answer::Passkey(1)), not_asked);
    let state = PairingState::Step(Step::PasskeyWanted);
    pairings.lock().get_mut("LAMP").unwrap().state = state;
    assert_eq!(pairings.answer("LAMP", Answer::Same(true)), not_asked);
}

#[tokio::test]
async fn given_up_it_ends_and_another_may_begin() {
    let (pairings, mut desk, settings) = lamp();
    pairings.begin("LAMP").unwrap();
    timeout(LIMIT, desk.wanted()).await.expect("it is wanted");
    pairings.give_up("LAMP").unwrap();
    let stop = CancellationToken::new();
    timeout(LIMIT, desk.pair(&settings, &stop)).await.expect("it ends");
    assert_eq!(pairings.state("LAMP"), Ok(PairingState::Failed { reason: "given up".into() }));
    assert_eq!(pairings.begin("LAMP"), Ok(()));
    timeout(LIMIT, desk.wanted()).await.expect("it is wanted");
    // Given up and begun at once: the one before does not take the place of the new one.
    pairings.give_up("LAMP").unwrap();
    pairings.begin("LAMP").unwrap();
    timeout(LIMIT, desk.pair(&settings, &stop)).await.expect("it ends");
    assert_eq!(pairings.state("LAMP"), Ok(PairingState::Begun));
    timeout(LIMIT, desk.wanted()).await.expect("it is wanted");
}

#[tokio::test]
async fn without_such_an_adapter_it_fails_and_says_so() {
    let (pairings, mut desk, settings) = lamp();
    pairings.begin("LAMP").unwrap();
    desk.wanted().await;
    let stop = CancellationToken::new();
    timeout(LIMIT, desk.pair(&settings, &stop)).await.expect("it ends");
    let Ok(PairingState::Failed { reason }) = pairings.state("LAMP") else { panic!("not failed") };
    assert!(!reason.is_empty());
}

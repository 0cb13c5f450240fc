use super::trouble;
use crate::bluetooth::trouble::Trouble;
use bluer::{Error, ErrorKind, InternalErrorKind};

fn of(kind: ErrorKind) -> Trouble {
    trouble(&Error { kind, message: "words".into() })
}

fn of_bus(name: &str) -> Trouble {
    of(ErrorKind::Internal(InternalErrorKind::DBus(name.into())))
}

#[test]
fn what_the_bus_and_the_daemon_refuse_has_a_next_step() {
    for (trouble, expected) in [
        (of_bus("org.freedesktop.DBus.Error.ServiceUnknown"), Trouble::NoDaemon),
        (of_bus("org.freedesktop.DBus.Error.AccessDenied"), Trouble::NotPermitted),
        (of_bus("org.bluez.Error.Blocked"), Trouble::Blocked),
        (of(ErrorKind::NotAuthorized), Trouble::NotPermitted),
        (of(ErrorKind::NotFound), Trouble::NoAdapter),
    ] {
        assert_eq!(trouble, expected);
    }
    assert!(matches!(of(ErrorKind::InProgress), Trouble::Busy(words) if words.ends_with("words")));
    assert!(matches!(of(ErrorKind::Failed), Trouble::Other(words) if words.ends_with("words")));
}

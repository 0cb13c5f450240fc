use super::{AddressError, LinkAddress};
use proptest::prelude::{prop_assert_eq, proptest};

fn serial(path: &str, baud: u32) -> LinkAddress {
    LinkAddress::Serial { path: path.into(), baud }
}

fn tcp(host: &str, port: u16) -> LinkAddress {
    LinkAddress::Tcp { host: host.into(), port }
}

#[test]
fn an_address_is_read_and_written() {
    for (text, address, written) in [
        ("serial:/dev/rfcomm0?baud=115200", serial("/dev/rfcomm0", 115_200), "serial:/dev/rfcomm0"),
        ("serial:/dev/rfcomm0", serial("/dev/rfcomm0", 115_200), "serial:/dev/rfcomm0"),
        ("serial:COM10", serial("COM10", 115_200), "serial:COM10"),
        ("serial:COM3?baud=9600", serial("COM3", 9_600), "serial:COM3?baud=9600"),
        ("tcp:192.168.1.20:7000", tcp("192.168.1.20", 7_000), "tcp:192.168.1.20:7000"),
        ("tcp:led.local:65535", tcp("led.local", 65_535), "tcp:led.local:65535"),
        ("tcp:[::1]:7000", tcp("::1", 7_000), "tcp:[::1]:7000"),
    ] {
        assert_eq!(text.parse(), Ok(address.clone()), "{text}");
        assert_eq!(address.to_string(), written);
        assert_eq!(written.parse(), Ok(address));
    }
}

#[test]
fn anything_else_is_refused_with_what_is_expected() {
    for (text, error) in [
        ("", AddressError::Scheme),
        ("/dev/ttyUSB0", AddressError::Scheme),
        ("carrier pigeon", AddressError::Scheme),
        ("serial:", AddressError::Path),
        ("serial:?baud=9600", AddressError::Path),
        ("serial:/dev/tty\u{7}", AddressError::Path),
        ("serial:COM1?speed=9600", AddressError::Option),
        ("serial:COM1?", AddressError::Option),
        ("serial:COM1?baud=", AddressError::Baud),
        ("serial:COM1?baud=0", AddressError::Baud),
        ("serial:COM1?baud=+9600", AddressError::Baud),
        ("serial:COM1?baud=9600&x=1", AddressError::Baud),
        ("serial:COM1?baud=99999999999", AddressError::Baud),
        ("tcp:", AddressError::Port),
        ("tcp:host", AddressError::Port),
        ("tcp:host:", AddressError::Port),
        ("tcp:host:0", AddressError::Port),
        ("tcp:host:65536", AddressError::Port),
        ("tcp:host:+1", AddressError::Port),
        ("tcp:[::1]7000", AddressError::Port),
        ("tcp::7000", AddressError::Host),
        ("tcp:::1:7000", AddressError::Host),
        ("tcp://host:7000", AddressError::Host),
        ("tcp:ho st:7000", AddressError::Host),
        ("tcp:[::1:7000", AddressError::Host),
        ("tcp:[host]:7000", AddressError::Host),
    ] {
        assert_eq!(text.parse::<LinkAddress>(), Err(error.clone()), "{text}");
        assert!(error.to_string().contains("expected"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_is_written_back(text in "(serial:|tcp:)?.{0,40}") {
        if let Ok(address) = text.parse::<LinkAddress>() {
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }
    }
}

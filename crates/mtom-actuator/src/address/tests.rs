use super::bluetooth::{BluetoothAddress, BluetoothDevice};
use super::{AddressError, LinkAddress};
use proptest::prelude::{prop_assert_eq, proptest};

fn serial(path: &str, baud: u32) -> LinkAddress {
    LinkAddress::Serial { path: path.into(), baud }
}

fn tcp(host: &str, port: u16) -> LinkAddress {
    LinkAddress::Tcp { host: host.into(), port }
}

fn named(name: &str) -> BluetoothAddress {
    let device = BluetoothDevice::Name(name.into());
    BluetoothAddress { device, adapter: None, channel: None, power_cycle: false }
}

fn of_id(id: &str) -> BluetoothAddress {
    BluetoothAddress { device: BluetoothDevice::Id(id.parse().unwrap()), ..named("") }
}

#[test]
fn a_bluetooth_device_has_a_name_or_an_address() {
    let all = BluetoothAddress {
        adapter: Some("hci1".into()),
        channel: Some(30),
        power_cycle: true,
        ..named("Warm LED")
    };
    let mac = of_id("C6:55:44:33:22:11");
    let uuid = "1B2C3D4E-0000-1111-2222-1B2C3D4E5F60";
    for (text, address, written) in [
        ("ble:TEMP_LED", LinkAddress::Ble(named("TEMP_LED")), "ble:TEMP_LED"),
        ("ble:灯", LinkAddress::Ble(named("灯")), "ble:灯"),
        ("ble:c6:55:44:33:22:11", LinkAddress::Ble(mac.clone()), "ble:C6:55:44:33:22:11"),
        ("ble:C6:55:44:33:22", LinkAddress::Ble(named("C6:55:44:33:22")), "ble:C6:55:44:33:22"),
        (&format!("ble:{uuid}"), LinkAddress::Ble(of_id(uuid)), &format!("ble:{uuid}")),
        ("spp:C6:55:44:33:22:11", LinkAddress::Spp(mac), "spp:C6:55:44:33:22:11"),
        (
            "spp:Warm LED?power=cycle&channel=30&adapter=hci1",
            LinkAddress::Spp(all),
            "spp:Warm LED?adapter=hci1&channel=30&power=cycle",
        ),
    ] {
        assert_eq!(text.parse(), Ok(address.clone()), "{text}");
        assert_eq!(address.to_string(), written);
        assert_eq!(written.parse(), Ok(address));
    }
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
        ("ble:", AddressError::Device),
        ("ble: ", AddressError::Device),
        ("spp:?channel=1", AddressError::Device),
        ("ble:LED\u{1b}", AddressError::Device),
        (&format!("ble:{}", "x".repeat(249)), AddressError::Device),
        ("ble:LED?", AddressError::BleOption),
        ("ble:LED?channel=1", AddressError::BleOption),
        ("ble:LED?adapter=hci0&adapter=hci1", AddressError::BleOption),
        ("spp:LED?baud=9600", AddressError::SppOption),
        ("spp:LED?channel=1&channel=2", AddressError::SppOption),
        ("ble:LED?adapter=hci", AddressError::Adapter),
        ("ble:LED?adapter=usb0", AddressError::Adapter),
        ("ble:LED?adapter=hci65536", AddressError::Adapter),
        ("spp:LED?channel=0", AddressError::Channel),
        ("spp:LED?channel=31", AddressError::Channel),
        ("spp:LED?channel=+1", AddressError::Channel),
        ("ble:LED?power=on", AddressError::Power),
    ] {
        assert_eq!(text.parse::<LinkAddress>(), Err(error.clone()), "{text}");
        assert!(error.to_string().contains("expected"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_is_written_back(text in "(serial:|tcp:|ble:|spp:)?.{0,40}") {
        if let Ok(address) = text.parse::<LinkAddress>() {
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }
    }
}

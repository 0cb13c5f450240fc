use super::Bluetooth;

#[test]
fn a_controller_is_an_address_or_a_number() {
    for text in ["127.0.0.1:9000", "localhost:1", "[::1]:9000"] {
        assert_eq!(text.parse(), Ok(Bluetooth::Tcp(text.into())));
        assert_eq!(text.parse::<Bluetooth>().unwrap().to_string(), text);
    }
    for text in ["", "localhost", ":9000", "localhost:", "localhost:70000", "hci", "hcix", "hci-1"]
    {
        assert!(text.parse::<Bluetooth>().is_err(), "{text:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_machines_own_controllers_have_the_kernels_names() {
    let controller: Bluetooth = "hci10".parse().unwrap();
    assert_eq!((&controller, controller.to_string().as_str()), (&Bluetooth::Hci(10), "hci10"));
}

#[test]
fn a_name_has_one_address_of_its_own() {
    let address = |name| Bluetooth::Tcp("localhost:1".into()).address(name);
    assert_eq!(address("TEMP_LED"), Bluetooth::Tcp("localhost:2".into()).address("TEMP_LED"));
    assert_ne!(address("TEMP_LED"), address("LAMP"));
    assert_eq!(address("TEMP_LED").addr.into_inner()[5] & 0xc0, 0xc0);
}

#[cfg(target_os = "linux")]
#[test]
fn two_of_one_name_have_two_addresses() {
    let address = |number| Bluetooth::Hci(number).address("TEMP_LED");
    assert_eq!(address(1), address(1));
    assert_ne!(address(1), address(2));
}

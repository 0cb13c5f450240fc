use super::{Bluetooth, address};

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
    assert_eq!(address("TEMP_LED"), address("TEMP_LED"));
    assert_ne!(address("TEMP_LED"), address("LAMP"));
    assert_eq!(address("TEMP_LED").addr.into_inner()[5] & 0xc0, 0xc0);
}

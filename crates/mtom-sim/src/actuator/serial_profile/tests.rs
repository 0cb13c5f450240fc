use super::{NoAdapter, SerialProfile};

#[test]
fn an_adapter_has_the_kernels_name() {
    for text in ["", "hci", "hci65536", "usb0", "hci0 ", "127.0.0.1:1"] {
        assert_eq!(text.parse::<SerialProfile>(), Err(NoAdapter), "{text}");
    }
    if cfg!(target_os = "linux") {
        assert_eq!("hci1".parse::<SerialProfile>().map(|it| it.to_string()), Ok("hci1".into()));
    }
}

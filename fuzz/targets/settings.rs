//! Settings from flash and from MQTT: never a panic, and what is taken means the same when written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mtom_device::record::Record;
use mtom_device::remote::{self, Remote};
use mtom_device::settings::{Settings, TEXT_LEN_MAX};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(settings) = Settings::parse(bytes) {
        let text = settings.to_string();
        assert!(text.len() <= TEXT_LEN_MAX);
        assert_eq!(Settings::parse(text.as_bytes()), Ok(settings));
    }
    let now = Remote::of(&Settings::default());
    if let Ok(remote) = remote::parse(bytes, &now) {
        assert_eq!(remote::parse(remote.to_string().as_bytes(), &now), Ok(remote));
    }
    let _ = Record::from_bytes(bytes);
});

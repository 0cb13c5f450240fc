use super::{NoPort, Port, choose};
use serialport::UsbPortInfo;

fn port(path: &str, vid: u16, pid: u16) -> Port {
    Port {
        path: path.into(),
        usb: Some(UsbPortInfo {
            vid,
            pid,
            serial_number: None,
            manufacturer: Some("Silicon\u{1b}[31m Labs".into()),
            product: Some("CP2102".into()),
        }),
    }
}

fn bare(path: &str) -> Port {
    Port { path: path.into(), usb: None }
}

#[test]
fn the_only_likely_port_is_taken() {
    for (vid, pid) in [(0x303a, 0x1001), (0x10c4, 0xea60), (0x1a86, 0x7523), (0x0403, 0x6001)] {
        let likely = port("/dev/ttyUSB1", vid, pid);
        let ports = vec![bare("/dev/ttyS0"), port("/dev/ttyUSB0", 0x2341, 0x0043), likely.clone()];
        assert_eq!(choose(ports), Ok(likely));
    }
}

#[test]
fn without_one_it_says_how_to_plug_and_what_is_there_instead() {
    let text = choose(vec![bare("/dev/ttyS0")]).unwrap_err().to_string();
    for expected in ["no board is plugged in", "/dev/ttyS0", "hold BOOT", "dialout", "--port"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let text = choose(Vec::new()).unwrap_err().to_string();
    assert!(!text.contains("something else"), "{text}");
}

#[test]
fn two_are_listed_with_the_flag_that_decides() {
    let ports = vec![port("/dev/ttyUSB0", 0x10c4, 0xea60), port("/dev/ttyACM0", 0x303a, 0x1001)];
    let error = choose(ports).unwrap_err();
    assert!(matches!(error, NoPort::Several { .. }));
    let text = error.to_string();
    assert!(text.starts_with("2 boards are plugged in"), "{text}");
    assert!(text.contains("--port /dev/ttyUSB0 (Silicon[31m Labs CP2102 10c4:ea60)"), "{text}");
    assert!(text.contains("--port /dev/ttyACM0"), "{text}");
}

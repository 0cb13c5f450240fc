//! A board is written and read back.

use crate::board::{BEFORE, Board as Fake, Kind, MAC, told};
use crate::elf::firmware;
use mtom_device::flash::layout;
use mtom_device::settings::Settings;
use mtom_flash::board::Board;
use mtom_flash::image::{Image, app_size};
use mtom_flash::loader::{Loader, LoaderError, Options, Progress};
use mtom_flash::settings::BoardSettings;

const STUB: Options = Options { reset: true, stub: true, baud: 460_800 };
const ROM: Options = Options { reset: true, stub: false, baud: 115_200 };

fn settings() -> BoardSettings {
    let mut settings = BoardSettings::default();
    for (key, value) in [
        ("wifi_ssid", "a network"),
        ("wifi_password", "back\\slash and\nnewline"),
        ("broker_host", "192.168.1.10"),
        ("format", "json"),
    ] {
        settings.set(key, value).unwrap();
    }
    settings
}

fn image(board: Board, settings: &BoardSettings) -> Image {
    Image::new(&firmware(&board.to_string(), 100_000), board, settings).unwrap()
}

/// Writes a board and gives what stands in its flash.
fn written(kind: Kind, options: Options, settings: &mut BoardSettings) -> (Image, Vec<u8>) {
    let fake = Fake::plug_in(kind, |_| ());
    let mut loader = Loader::connect(&fake.path, options).unwrap();
    settings.name_by(loader.mac());
    let image = image(loader.board(), settings);
    let mut told = Vec::new();
    loader.write(&image, &mut |progress: Progress| told.push(progress.percent())).unwrap();
    assert!(told.is_sorted() && told.last() == Some(&100), "{told:?}");
    drop(loader);
    (image, fake.flash())
}

fn failure(kind: Kind, options: Options) -> LoaderError {
    let fake = Fake::plug_in(kind, |_| ());
    let failed = Loader::connect(&fake.path, options).and_then(|mut loader| {
        let image = image(loader.board(), &settings());
        loader.write(&image, &mut |_| ())
    });
    failed.unwrap_err()
}

#[test]
fn a_board_holds_what_was_asked_for_and_keeps_its_readings() {
    for (kind, options) in
        [(Kind::esp32c3(), STUB), (Kind::esp32c3(), ROM), (Kind::esp32c6(), STUB)]
    {
        let mut asked = settings();
        let (image, flash) = written(kind, options, &mut asked);
        for part in image.parts() {
            let stands = &flash[part.at as usize..][..part.bytes.len()];
            assert!(stands == part.bytes, "{:#x}", part.at);
        }
        let ring = &flash[layout::RING.start as usize..layout::RING.end as usize];
        assert!(ring.iter().all(|byte| *byte == BEFORE), "the ring was touched");
        let (read, ca) = told(flash);
        assert!(ca.is_empty());
        assert_eq!(read.id, "mtom-404cca123456");
        assert_eq!(read.wifi_ssid, "a network");
        assert_eq!(read.wifi_password, "back\\slash and\nnewline");
        assert_eq!(read.broker_host, "192.168.1.10");
        assert_eq!(read.period_millis, Settings::default().period_millis);
    }
}

#[test]
fn a_broker_with_tls_is_told_with_its_ca() {
    let der = [&[0x30, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
    let mut asked = settings();
    asked.set("tls", "on").unwrap();
    asked.set_ca(&der).unwrap();
    let (_, flash) = written(Kind::esp32c3(), STUB, &mut asked);
    let (read, ca) = told(flash);
    assert!(read.tls && ca == der);
}

#[test]
fn new_settings_are_all_that_is_written_on_a_board_that_holds_the_rest() {
    let (_, flash) = written(Kind::esp32c3(), STUB, &mut settings());
    let mut asked = settings();
    asked.set("broker_host", "10.0.0.1").unwrap();
    // The settings are one block; a second one would be refused.
    let kind = Kind { holds: Some(flash), refuses_block: Some(2), ..Kind::esp32c3() };
    let (_, flash) = written(kind, STUB, &mut asked);
    assert_eq!(told(flash).0.broker_host, "10.0.0.1");
}

#[test]
fn the_partition_table_is_the_layout_of_the_device() {
    let (_, flash) = written(Kind::esp32c3(), STUB, &mut settings());
    let table = esp_idf_part::PartitionTable::try_from_bytes(&flash[0x8000..0x8c00]).unwrap();
    table.validate().unwrap();
    let places: Vec<_> = table
        .partitions()
        .iter()
        .map(|part| (part.name(), part.offset()..part.offset() + part.size()))
        .collect();
    let expected = [
        ("settings", layout::SETTINGS),
        ("phy_init", 0xf000..0x1_0000),
        ("factory", layout::APP),
        ("ring", layout::RING),
    ];
    assert_eq!(places, expected.map(|(name, at)| (name.to_owned(), at)));
}

#[test]
fn a_merged_file_is_what_a_board_holds() {
    let (image, flash) = written(Kind::esp32c3(), STUB, &mut settings());
    let merged = image.merged();
    assert_eq!(merged.len(), layout::APP.start as usize + image.app_len());
    assert_eq!(app_size(&firmware("esp32c3", 100_000), Board::Esp32c3).unwrap(), image.app_len());
    for part in image.parts() {
        let range = part.at as usize..part.at as usize + part.bytes.len();
        assert!(merged[range.clone()] == flash[range], "{:#x}", part.at);
    }
}

#[test]
fn a_classic_esp32_is_told_of_the_original_sketch() {
    let text = failure(Kind::esp32(), STUB).to_string();
    assert!(text.contains("an esp32,") && text.contains("Arduino sketch"), "{text}");
}

#[test]
fn a_chip_without_firmware_is_named() {
    let kind = Kind { chip_id: Some(16), ..Kind::esp32c6() };
    let text = failure(kind, STUB).to_string();
    assert!(text.contains("esp32h2") && text.contains("esp32c3 and esp32c6"), "{text}");
}

#[test]
fn another_board_than_asked_for_is_refused_before_anything_is_written() {
    let fake = Fake::plug_in(Kind::esp32c6(), |_| ());
    let loader = Loader::connect(&fake.path, STUB).unwrap();
    let text = loader.expect(Board::Esp32c3).unwrap_err().to_string();
    assert!(text.contains("is an esp32c6") && text.contains("an esp32c3 was asked for"), "{text}");
    assert_eq!(loader.mac().replace(':', ""), MAC.map(|byte| format!("{byte:02x}")).concat());
}

#[test]
fn a_flash_that_is_too_small_is_said() {
    let text = failure(Kind { flash_size: 0x15, ..Kind::esp32c3() }, STUB).to_string();
    assert!(text.contains("2MB") && text.contains("4MB"), "{text}");
}

#[test]
fn a_board_that_refuses_in_the_middle_says_how_far_it_came() {
    for options in [STUB, ROM] {
        let error = failure(Kind { refuses_block: Some(6), ..Kind::esp32c3() }, options);
        let LoaderError::Refused { percent, reason } = &error else { panic!("{error}") };
        assert!((1..100).contains(percent), "{error}");
        assert!(reason.contains("failed to write to flash"), "{error}");
    }
}

#[test]
fn a_board_that_is_unplugged_in_the_middle_says_what_to_do() {
    for options in [STUB, ROM] {
        let error = failure(Kind { unplugged_at_block: Some(6), ..Kind::esp32c3() }, options);
        let LoaderError::Gone { percent } = error else { panic!("{error}") };
        assert!((1..100).contains(&percent), "{error}");
        let text = error.to_string();
        assert!(text.contains("went away") && text.contains("run the same command"), "{text}");
    }
}

#[test]
fn a_port_on_which_nothing_answers_says_how_to_hold_boot() {
    let text = failure(Kind { is_dead: true, ..Kind::esp32c3() }, STUB).to_string();
    assert!(text.contains("hold BOOT") && text.contains("--before no-reset"), "{text}");
}

#[test]
fn a_port_that_another_program_has_is_said_to_be_busy() {
    let fake = Fake::plug_in(Kind::esp32c3(), |_| ());
    let other = serialport::new(&fake.path, 115_200).open_native().unwrap();
    let Err(error) = Loader::connect(&fake.path, STUB) else { panic!("it was opened twice") };
    assert!(error.to_string().contains("in use by another program"), "{error}");
    drop(other);
}

#[test]
fn a_port_that_is_not_there_and_a_file_are_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    let path = file.to_str().unwrap();
    let Err(error) = Loader::connect(path, STUB) else { panic!("it is not there") };
    assert!(error.to_string().contains("there is no port"), "{error}");
    std::fs::write(&file, "no port").unwrap();
    let Err(error) = Loader::connect(path, STUB) else { panic!("it is a file") };
    assert!(error.to_string().contains("not usable as a serial port"), "{error}");
}

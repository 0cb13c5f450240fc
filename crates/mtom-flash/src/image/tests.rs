use super::{Image, ImageError, app_size, board_of};
use crate::board::Board;
use crate::settings::BoardSettings;
use mtom_device::flash::layout;

#[path = "../../tests/it/elf.rs"]
mod elf;

use elf::firmware;

fn build(elf: &[u8], board: Board) -> Result<Image, ImageError> {
    Image::new(elf, board, &BoardSettings::default())
}

#[test]
fn an_image_has_four_parts_that_do_not_touch() {
    for board in Board::ALL {
        let image = build(&firmware(&board.to_string(), 5_000), board).unwrap();
        let at: Vec<_> = image.parts().iter().map(|part| part.at).collect();
        assert_eq!(at, [0, 0x8000, layout::SETTINGS.start, layout::APP.start]);
        for two in image.parts().windows(2) {
            assert!(two[0].at as usize + two[0].bytes.len() <= two[1].at as usize);
        }
        assert_eq!(image.parts()[0].bytes[0], 0xe9, "a bootloader");
        assert_eq!(image.parts()[3].bytes[0], 0xe9, "an application");
    }
}

#[test]
fn an_elf_file_says_for_which_board_it_is() {
    assert_eq!(board_of(&firmware("esp32c6", 10)), Some(Board::Esp32c6));
    assert_eq!(board_of(&firmware("esp32h2", 10)), None);
    assert_eq!(board_of(b"hello"), None);
}

#[test]
fn firmware_of_another_chip_is_refused_by_name() {
    let error = build(&firmware("esp32c6", 10), Board::Esp32c3).unwrap_err();
    assert_eq!(error.to_string(), "built for the esp32c6, and the board is an esp32c3");
}

#[test]
fn other_files_are_refused() {
    for bytes in [&b""[..], b"hello", &[0; 4_096]] {
        let error = app_size(bytes, Board::Esp32c3).unwrap_err();
        assert!(matches!(error, ImageError::NotFirmware), "{error}");
    }
    let mut xtensa = firmware("esp32c3", 10);
    xtensa[18] = 94;
    let error = app_size(&xtensa, Board::Esp32c3).unwrap_err();
    assert!(matches!(error, ImageError::OtherProcessor { .. }), "{error}");
}

#[test]
fn an_application_that_would_reach_the_ring_is_refused() {
    let room = layout::APP.len();
    let error = build(&firmware("esp32c3", room), Board::Esp32c3).unwrap_err();
    assert!(matches!(error, ImageError::TooLarge { max, .. } if max == room), "{error}");
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let whole = firmware("esp32c3", 200);
    let mut noise = 7_u32;
    let mut next = |below: usize| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 8) as usize % below
    };
    for _ in 0..300 {
        let mut damaged = whole.clone();
        for _ in 0..1 + next(4) {
            let at = next(damaged.len());
            damaged[at] = u8::try_from(next(256)).unwrap();
        }
        damaged.truncate(whole.len() - next(2) * next(whole.len()));
        let _ = build(&damaged, Board::Esp32c3);
    }
}

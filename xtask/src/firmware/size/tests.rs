use super::{Budget, Line, Size, budget, table};
use crate::firmware::{Bin, Board};

/// An ELF file of 32 bits with these sections: name, address, length, and whether the file holds it.
fn elf(sections: &[(&str, u32, u32, bool)]) -> Vec<u8> {
    const HEADER_LEN: u32 = 52;
    const PROGRAM_HEADER_LEN: u32 = 32;
    let count = u32::try_from(sections.len()).unwrap();
    let data_at = HEADER_LEN + count * PROGRAM_HEADER_LEN;
    let (mut names, mut data) = (vec![0], Vec::new());
    let (mut segments, mut headers) = (Vec::new(), vec![[0; 10]]);
    for &(name, address, len, is_held) in sections {
        let at = data_at + u32::try_from(data.len()).unwrap();
        let held_len = if is_held { len } else { 0 };
        data.resize(data.len() + held_len as usize, 0x55);
        let (load, alloc) = (1, 2);
        segments.push([load, at, address, address, held_len, len, 7, 4]);
        let kind = if is_held { 1 } else { 8 };
        let name_at = u32::try_from(names.len()).unwrap();
        headers.push([name_at, kind, alloc, address, at, len, 0, 0, 4, 0]);
        names.extend_from_slice(name.as_bytes());
        names.push(0);
    }
    let names_at = data_at + u32::try_from(data.len()).unwrap();
    let names_len = u32::try_from(names.len()).unwrap();
    headers.push([0, 3, 0, 0, names_at, names_len, 0, 0, 1, 0]);
    let mut file = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let half = |file: &mut Vec<u8>, value: u32| {
        file.extend_from_slice(&u16::try_from(value).unwrap().to_le_bytes());
    };
    let word = |file: &mut Vec<u8>, value: u32| file.extend_from_slice(&value.to_le_bytes());
    let (executable, risc_v) = (2, 243);
    half(&mut file, executable);
    half(&mut file, risc_v);
    for value in [1, 0x4202_0072, HEADER_LEN, names_at + names_len, 0] {
        word(&mut file, value);
    }
    for value in [HEADER_LEN, PROGRAM_HEADER_LEN, count, 40, count + 2, count + 1] {
        half(&mut file, value);
    }
    segments.iter().flatten().for_each(|value| word(&mut file, *value));
    file.extend(data);
    file.extend(names);
    headers.iter().flatten().for_each(|value| word(&mut file, *value));
    file
}

/// Like a C3's: constants, code, memory in between, and what is no memory.
fn image(code_len: u32) -> Vec<u8> {
    elf(&[
        (".rwtext", 0x4038_0000, 4_000, true),
        (".rwdata_dummy", 0x3fc8_0000, 4_000, false),
        (".data", 0x3fc8_1000, 2_000, true),
        (".bss", 0x3fc8_2000, 8_000, false),
        (".stack", 0x3fca_0000, 100_000, false),
        (".dram2_uninit", 0x3fcc_e400, 65_536, false),
        (".rodata", 0x3c00_0020, 60_000, true),
        (".text", 0x4201_0020, code_len, true),
    ])
}

#[test]
fn memory_is_code_data_and_zeroes_without_what_is_left_for_the_stack() {
    let size = Size::of(&image(100_000)).unwrap();
    assert_eq!(size.ram, 4_000 + 2_000 + 8_000);
    assert_eq!(size.stack, 100_000);
}

#[test]
fn what_goes_to_memory_fills_the_gap_before_the_code() {
    // Constants end at 60,032; of the 5,504 bytes up to the next page memory fills all, and the
    // rest of it follows the code.
    let rest = 4_000 + 2_000 + 2 * 8 - (0x1_0018 - 60_032);
    let end = 0x1_0020 + 100_000 + rest + 1;
    let expected = u32::next_multiple_of(end, 16) + 32;
    assert_eq!(Size::of(&image(100_000)).unwrap().flash, expected);
}

#[test]
fn an_image_that_is_too_large_is_over_its_budget() {
    let line = |code_len| {
        let size = Size::of(&image(code_len)).unwrap();
        let budget = Budget { flash: 450_000, ram: size.ram };
        Line { board: "esp32c3", bin: "actuator", size, budget }
    };
    assert!(line(300_000).is_within_budget());
    assert!(!line(400_000).is_within_budget());
    let shown = table(&[line(300_000), line(400_000)]);
    assert_eq!(shown.matches("too much flash").count(), 1, "{shown}");
    assert!(shown.lines().next_back().unwrap().ends_with("too much flash"), "{shown}");
}

#[test]
fn an_image_that_takes_too_much_memory_is_over_its_budget() {
    let size = Size::of(&image(1_000)).unwrap();
    let budget = Budget { flash: size.flash, ram: size.ram - 1 };
    let line = Line { board: "esp32c6", bin: "sensor", size, budget };
    assert!(!line.is_within_budget());
    assert!(table(&[line]).contains("too much RAM"));
}

#[test]
fn what_is_no_image_has_no_size() {
    assert!(Size::of(b"no ELF file").is_err());
    assert!(Size::of(&elf(&[(".text", 0x8000_0000, 1_000, true)])).is_err());
}

#[test]
fn every_image_has_a_budget() {
    for (board, bin) in [
        (Board::Esp32c3, Bin::Sensor),
        (Board::Esp32c3, Bin::Actuator),
        (Board::Esp32c6, Bin::Sensor),
        (Board::Esp32c6, Bin::Actuator),
    ] {
        let Budget { flash, ram } = budget(board, bin);
        assert!(flash > 0 && ram > 0);
    }
}

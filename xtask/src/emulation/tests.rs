use super::flash_len;

/// A header with one program header behind it for each of `(kind, bytes in the file)`.
fn elf(segments: &[(u32, u32)]) -> Vec<u8> {
    let mut elf = vec![0; 52];
    elf[..6].copy_from_slice(b"\x7fELF\x01\x01");
    elf[28] = 52;
    elf[42] = 32;
    elf[44] = u8::try_from(segments.len()).unwrap();
    for (kind, in_file) in segments {
        for word in [*kind, 0, 0, 0, *in_file, 0, 0, 0] {
            elf.extend(word.to_le_bytes());
        }
    }
    elf
}

#[test]
fn an_image_takes_what_is_loaded() {
    assert_eq!(flash_len(&elf(&[(1, 1_000), (1, 4), (1, 0), (7, 9_999)])), Some(1_004));
}

#[test]
fn what_is_cut_or_of_another_kind_has_no_size() {
    let image = elf(&[(1, 1_000)]);
    for len in [0, 5, 45, image.len() - 20] {
        assert_eq!(flash_len(&image[..len]), None, "{len}");
    }
    let mut wide = image;
    wide[4] = 2;
    assert_eq!(flash_len(&wide), None);
}

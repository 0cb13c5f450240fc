use super::{Meter, Progress, no_firmware};
use espflash::target::ProgressCallbacks;

#[test]
fn progress_counts_bytes_of_the_whole_image() {
    let mut told = Vec::new();
    let mut tell = |progress: Progress| told.push(progress.percent());
    let mut meter = Meter {
        lens: vec![100, 300],
        at: 0,
        before: 0,
        blocks: 1,
        now: Progress { written: 0, total: 400 },
        progress: &mut tell,
    };
    // The first part stands there already.
    meter.finish(true);
    meter.init(0x1_0000, 3);
    for block in 1..=3 {
        meter.update(block);
    }
    meter.finish(false);
    assert_eq!(told, [25, 50, 75, 100, 100]);
}

#[test]
fn an_empty_image_is_written_at_once() {
    assert_eq!(Progress { written: 0, total: 0 }.percent(), 0);
    assert_eq!(Progress { written: 2, total: 1 }.percent(), 100);
}

#[test]
fn chips_without_a_compiler_are_sent_to_the_original() {
    for chip in ["esp32", "esp32s2", "esp32s3"] {
        assert!(no_firmware(chip).contains("the original's Arduino sketch"), "{chip}");
    }
    assert!(!no_firmware("esp32h2").contains("sketch"));
}

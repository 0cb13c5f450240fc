use super::wave;
use std::time::Duration;

#[test]
fn the_wave_crosses_the_threshold_both_ways_in_a_minute() {
    let at = |seconds| wave(Duration::from_secs(seconds));
    assert_eq!((at(0), at(30), at(60)), (21.0, 29.0, 21.0));
    assert!(at(14) < 25.0 && at(16) > 25.0 && at(44) > 25.0 && at(46) < 25.0);
}

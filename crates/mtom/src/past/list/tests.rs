use super::picture;
use expect_test::{Expect, expect};
use mtom_protocol::time::UnixMicros;
use mtom_store::history::chart::{Chart, ChartPoint, Level};

#[track_caller]
fn check(values: &[(i64, f64)], gaps: &[(i64, i64)], expected: Expect) {
    let points = values
        .iter()
        .map(|(at, value)| ChartPoint {
            at: UnixMicros(*at),
            id: None,
            count: 1,
            min: *value,
            max: *value,
            mean: *value,
            last: *value,
        })
        .collect();
    let chart = Chart {
        unit: "°C".into(),
        level: Level::Raw,
        width_micros: 0,
        points,
        gaps: gaps.iter().map(|(a, b)| (UnixMicros(*a), UnixMicros(*b))).collect(),
    };
    expected.assert_eq(&picture("a\u{1b}/t", &chart, UnixMicros(0), UnixMicros(48)));
}

#[test]
fn a_sparkline_shows_the_course_and_its_gaps() {
    let up: Vec<_> = (0..48).map(|at| (at, f64::from(i32::try_from(at).unwrap()))).collect();
    check(
        &up,
        &[],
        expect![[
            r#"a\u{1b}/t ▁▁▁▁▁▁▂▂▂▂▂▂▃▃▃▃▃▃▄▄▄▄▄▄▅▅▅▅▅▅▆▆▆▆▆▆▇▇▇▇▇▇██████ 0.0 … 47.0 °C, mean 23.5, 48 readings"#
        ]],
    );
    check(
        &[(0, 5.0), (20, 5.0), (40, 5.0)],
        &[],
        expect![[
            r#"a\u{1b}/t ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄ 5.0 … 5.0 °C, mean 5.0, 3 readings"#
        ]],
    );
    check(
        &[(0, 1.0), (8, 2.0), (30, 3.0), (38, 1.0)],
        &[(8, 30)],
        expect![[
            r#"a\u{1b}/t ▁▁▁▁▁▁▁▁▄                     ████████▁▁▁▁▁▁▁▁▁▁ 1.0 … 3.0 °C, mean 1.8, 4 readings, 1 gap"#
        ]],
    );
}

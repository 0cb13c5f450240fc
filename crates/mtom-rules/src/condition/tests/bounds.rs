//! No condition that is accepted takes more than 1 ms or more than 64 KiB, on a reading with the longest names
//! that there are. The dearest of these takes 47,104 bytes and, unoptimised on a busy computer, 76 µs. The fuzz
//! target `conditions` looks for others that take more.

use super::*;
use mtom_protocol::payload::TOPIC_LEN_MAX;
use std::time::Instant;

const EVALUATION_MAX: Duration = Duration::from_millis(1);
const EVALUATION_BYTES_MAX: u64 = 64 * 1024;
/// Of so many evaluations at least one is not interrupted, however busy the computer is.
const TRIES: usize = 20;

/// `part`, as often as it is accepted, with `joint` between them and `begin` and `end` around them.
fn as_often_as_may_be(begin: &str, part: &str, joint: &str, end: &str) -> String {
    let text = |times: usize| format!("{begin}{}{end}", vec![part; times].join(joint));
    let times = (1..=OPERATORS_LEN_MAX).rev().find(|times| compile(&text(*times)).is_ok());
    text(times.unwrap_or_else(|| panic!("{begin}{part}{end} is refused")))
}

/// Texts that grow, kept while others grow: `(t+t+…)+((t+t+…)+(…))`.
fn nested(terms: usize, groups: usize) -> String {
    let group = vec!["topic"; terms].join("+");
    let inner = (1..groups).fold(format!("({group})"), |inner, _| format!("({group})+({inner})"));
    format!("{inner} == topic")
}

fn dear() -> Vec<String> {
    let often = as_often_as_may_be;
    let mut all = vec![
        often("topic == ", "topic", "+", ""),
        often("(topic+topic+topic+topic+topic+topic+topic) in [", "topic+topic", ",", "]"),
        often("device in [", "topic", ",", "]"),
        often("", "topic.contains(device)", "&&", ""),
        often("", "topic.contains('äää')", "||", ""),
        often("", "size(topic) == 256", "&&", ""),
        often("", "int(topic) == 256", "||", ""),
        often("", "topic < topic", "||", ""),
        often("celsius < ", "celsius", "*", ""),
        often("celsius < ", "fahrenheit", "+", ""),
        often("", "avg('9m') < min('8m')", "||", ""),
        often("", "rate('9m') < other('a/b')", "||", ""),
        often("", "count('9m') % 7 < 1", "||", ""),
        often("", "(1 < 2 ? celsius : age) < 3.0", "||", ""),
    ];
    for terms in (1..=17).chain([24, 32, 33, 48, 60, 63]) {
        let chain = vec!["topic"; terms].join("+");
        all.push(format!("{chain} == {chain}"));
        all.push(format!("({chain}).contains({chain})"));
        all.push(format!("({chain}) in [{chain}]"));
        all.extend((1..12).map(|groups| nested(terms, groups)));
    }
    all.retain(|source| compile(source).is_ok());
    all
}

#[test]
fn the_dearest_conditions_are_quick_and_small() {
    let device = "d".repeat(TOPIC_LEN_MAX - 2);
    let stored = reading(&format!("{device}/T"), 25.0, Unit::Celsius);
    let spans = [Duration::from_secs(540), Duration::from_secs(480)];
    let mut windows = Windows::default();
    for seconds in 0..1_000 {
        let at = UnixMicros(seconds * 1_000_000);
        windows.take(&spans, &StoredReading { at, ..stored.clone() });
    }
    let others = [Some(Known { at: UnixMicros(0), value: 60.0 })];
    let about = Subject {
        windows: windows.of(&stored),
        others: &others,
        other_places: &[0],
        ..alone(&stored)
    };
    let dear = dear();
    assert!(dear.len() > 100, "most are accepted");
    for source in dear {
        let mut needs = Needs { windows: spans.to_vec(), ..Needs::default() };
        let condition = Language::new().compile(&source, &mut needs).unwrap();
        let memory = allocation_counter::measure(|| {
            condition.evaluate(&about);
        });
        assert!(memory.bytes_max <= EVALUATION_BYTES_MAX, "{} bytes: {source}", memory.bytes_max);
        let once = |_| {
            let begin = Instant::now();
            condition.evaluate(&about);
            begin.elapsed()
        };
        let time = (0..TRIES).map(once).min().unwrap_or_default();
        assert!(time <= EVALUATION_MAX, "{time:?}: {source}");
    }
}

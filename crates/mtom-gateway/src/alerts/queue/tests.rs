use super::{Blame, Ended, LINE_LEN_MAX, Queue, Target, Turn, UNDER_WAY_MAX};
use mtom_protocol::time::UnixMicros;
use std::time::Duration;

const NOW: UnixMicros = UnixMicros(1_795_421_190_000_000);
const TAKEN: Ended = Ended::Done { taken: true };

fn url(name: &str) -> Target {
    Target::Url(format!("http://{name}/"))
}

fn after(seconds: u64) -> UnixMicros {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn failed(blame: Blame, seconds: u64) -> Ended {
    Ended::Failed { blame, again_at: after(seconds) }
}

/// The alerts whose turn it is, in order.
fn started(queue: &mut Queue, now: UnixMicros) -> Vec<u64> {
    std::iter::from_fn(|| queue.start(now)).map(|turn| turn.id).collect()
}

#[test]
fn each_target_has_one_under_way_and_the_oldest_comes_first() {
    let mut queue = Queue::default();
    for (id, target) in [(1, "b"), (2, "a"), (3, "b"), (4, "a")] {
        assert!(queue.add(id, url(target)));
    }
    assert_eq!(started(&mut queue, NOW), [1, 2]);
    queue.end(&url("a"), TAKEN);
    assert_eq!(started(&mut queue, NOW), [4]);
    queue.end(&url("b"), TAKEN);
    assert_eq!((started(&mut queue, NOW), queue.len()), (vec![3], 2));
}

#[test]
fn a_target_that_fails_keeps_its_order_and_holds_up_nobody_else() {
    let mut queue = Queue::default();
    for (id, target) in [(1, "dead"), (2, "dead"), (3, "alive")] {
        queue.add(id, url(target));
    }
    assert_eq!(started(&mut queue, NOW), [1, 3]);
    queue.end(&url("dead"), failed(Blame::Target, 5));
    queue.end(&url("alive"), TAKEN);
    assert_eq!(queue.next_at(), Some(after(5)));
    assert_eq!(started(&mut queue, after(4)), [0; 0]);
    let turn = queue.start(after(5)).unwrap();
    assert_eq!((turn.id, turn.line_failures, turn.alert_failures), (1, 1, 0));
}

#[test]
fn an_alert_that_fails_lets_the_others_of_its_target_pass() {
    let mut queue = Queue::default();
    for id in 1..=3 {
        queue.add(id, url("a"));
    }
    assert_eq!(started(&mut queue, NOW), [1]);
    queue.end(&url("a"), failed(Blame::Alert, 5));
    assert_eq!(started(&mut queue, NOW), [2]);
    queue.end(&url("a"), TAKEN);
    assert_eq!(started(&mut queue, NOW), [3]);
    queue.end(&url("a"), TAKEN);
    assert_eq!(queue.next_at(), Some(after(5)));
    let turn = queue.start(after(5)).unwrap();
    assert_eq!((turn.id, turn.line_failures, turn.alert_failures), (1, 0, 1));
}

#[test]
fn messages_that_waited_through_a_start_are_held_and_posts_are_not() {
    let mut queue = Queue::default();
    let topic = |name: &str| Target::Topic(name.to_owned());
    queue.add(1, topic("alarm/heat"));
    queue.add(2, url("a"));
    queue.hold_topics(after(5));
    queue.add(3, topic("alarm/heat"));
    queue.add(4, topic("alarm/cold"));
    assert_eq!(started(&mut queue, NOW), [2, 4]);
    assert_eq!((queue.next_at(), started(&mut queue, after(5))), (Some(after(5)), vec![1]));
}

#[test]
fn what_is_too_much_is_refused_and_not_kept() {
    let mut queue = Queue::default();
    for id in 0..LINE_LEN_MAX as u64 {
        assert!(queue.add(id, url("a")));
    }
    assert!(!queue.add(LINE_LEN_MAX as u64, url("a")));
    for id in 0..2 * UNDER_WAY_MAX as u64 {
        assert!(queue.add(5_000 + id, url(&id.to_string())));
    }
    assert_eq!(queue.len(), LINE_LEN_MAX + 2 * UNDER_WAY_MAX);
    assert_eq!(started(&mut queue, NOW).len(), UNDER_WAY_MAX);
    assert_eq!(queue.next_at(), None, "the next turn comes when one ends");
}

#[test]
fn delays_double_from_one_second_to_ten_minutes() {
    let turn = |line_failures| Turn { id: 1, target: url("a"), line_failures, alert_failures: 0 };
    let delay = |failures, chance| turn(failures).delay(Blame::Target, chance);
    let seconds = |failures| delay(failures, 1.0).0.as_secs();
    let first: Vec<_> = (0..12).map(seconds).collect();
    assert_eq!(first, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    assert_eq!(seconds(u32::MAX), 600);
    assert_eq!(delay(3, 0.0).0, Duration::from_secs(4), "chance takes away half at most");
    assert_eq!((delay(0, 0.5).1, delay(1, 0.5).1), (true, false));
    assert_eq!(turn(9).delay(Blame::Alert, 1.0), (Duration::from_secs(1), true));
}

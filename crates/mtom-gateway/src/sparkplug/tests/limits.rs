//! How much is remembered, and for how much room is made.

use super::super::nodes::{METRICS_MAX, NODE_METRICS_MAX, NODES_LEN_MAX};
use super::super::questions::{ASKED_LEN_MAX, PAUSE_MIN, Questions};
use super::super::{REASONS_MAX, Sparkplug};
use super::{
    DOUBLE, NOW, STRING, device_birth, level, lines, message, metric, node_birth, read, session,
};
use mtom_protocol::payload::sparkplug::{METRICS_LEN_MAX, Value};
use std::sync::Arc;

#[test]
fn no_more_is_remembered_than_there_is_room_for() {
    let mut all = Sparkplug::default();
    let birth = |node: usize, count: usize| {
        let name = |number| format!("m{number}");
        let metric = |number: usize| metric(&name(number), number as u64, STRING, Value::Int(0));
        let metrics: Vec<_> = (0..count).map(metric).collect();
        message(&format!("G/NBIRTH/{node}"), Some(0), &metrics)
    };
    for node in 0..NODES_LEN_MAX {
        assert_eq!(read(&mut all, &birth(node, 1)).len(), 1);
    }
    assert_eq!(
        read(&mut all, &birth(NODES_LEN_MAX, 1)),
        ["Sparkplug: expected at most 1000 nodes"]
    );
    assert_eq!(all.counts().refused, 1);
    read(&mut all, &message("G/NDEATH/7", None, &[]));
    assert_eq!(read(&mut all, &birth(NODES_LEN_MAX, 1)).len(), 1, "one had gone");
    let many = METRICS_MAX / METRICS_LEN_MAX + 1;
    let refused = (0..many).filter(|node| {
        let said = read(&mut all, &birth(node + 10, METRICS_LEN_MAX));
        said[0].contains("200000 in all")
    });
    assert_eq!(refused.count(), 1);
    // The same birth again takes no more room.
    assert_eq!(read(&mut all, &birth(10, METRICS_LEN_MAX)), ["G/10 there"]);
}

const FULL: &str =
    "Sparkplug: expected at most 8192 metrics of a node and its devices, 200000 in all";

#[test]
fn devices_without_metrics_take_room_too() {
    let mut all = Sparkplug::default();
    read(&mut all, &node_birth(1));
    let device = |number: usize| message(&format!("G/DBIRTH/E/{number}"), None, &[]);
    // The node has two metrics.
    let mut places = Vec::new();
    for number in 2..NODE_METRICS_MAX {
        assert_eq!(lines(all.read(&device(number), NOW)).len(), 1, "{number}");
        places.push(all.nodes.devices_at("G/E"));
    }
    all.keep();
    places.dedup();
    assert_eq!(places.len(), 1, "one batch copies them once at most");
    assert_eq!(read(&mut all, &device(0)), [FULL]);
    assert_eq!(read(&mut all, &device(2)), ["G/E/2 there"], "it is known");
    assert_eq!(read(&mut all, &message("G/DDEATH/E/0", None, &[])), ["G/E/0 gone"]);
    assert_eq!(read(&mut all, &device(0)), [FULL], "it had no room to give");
    read(&mut all, &message("G/DDEATH/E/2", None, &[]));
    assert_eq!(read(&mut all, &device(0)), ["G/E/0 there"]);
    // Those that are not born again take the room of their names until it is known that they have gone.
    read(&mut all, &node_birth(1));
    assert_eq!(read(&mut all, &device(1)), [FULL]);
    assert_eq!(read(&mut all, &device(0)), ["G/E/0 there"]);
    let data = message("G/NDATA/E", None, &[]);
    assert_eq!(read(&mut all, &data).len(), NODE_METRICS_MAX - 3, "all others");
    assert_eq!(read(&mut all, &device(1)), ["G/E/1 there"]);
    assert_eq!(all.nodes.lens(), (4, 4));
}

#[test]
fn room_is_counted_as_it_is_taken_and_given_back_with_what_is_undone() {
    let mut all = Sparkplug::default();
    let many = |topic: &str, count: u64| {
        let metric = |number| metric(&format!("m{number}"), number, DOUBLE, Value::Double(1.0));
        message(topic, None, &(0..count).map(metric).collect::<Vec<_>>())
    };
    let messages = [
        many("G/NBIRTH/E", 3),
        many("G/DBIRTH/E/D", 4),
        many("G/DBIRTH/E/D", 2),
        many("G/DBIRTH/E/F", 0),
        many("G/DBIRTH/X/D", 5),
        many("G/NBIRTH/E", 1),
        many("G/DDEATH/E/F", 0),
        many("G/DBIRTH/E/D", 7),
        many("G/NBIRTH/X", 7),
        many("G/NDATA/X", 0),
        many("G/NDEATH/E", 0),
    ];
    for (at, message) in messages.iter().enumerate() {
        let before = all.nodes.lens();
        for others in [&messages[..], &messages[at..]] {
            others.iter().for_each(|message| drop(all.read(message, NOW)));
            all.undo();
            assert_eq!(all.nodes.lens(), before, "{at}");
        }
        read(&mut all, message);
        let (kept, counted) = all.nodes.lens();
        assert_eq!(kept, counted, "{at}");
    }
    assert_eq!(all.nodes.lens(), (7, 7));
}

#[test]
fn who_was_forgotten_for_another_is_back_when_that_is_undone() {
    let mut all = Sparkplug::default();
    // Its device is known, though the node is not born.
    read(&mut all, &device_birth(1));
    for node in 1..NODES_LEN_MAX {
        read(&mut all, &message(&format!("G/NBIRTH/{node}"), Some(0), &[session(1)]));
    }
    // The node is among those that the batch has changed: it counts once.
    all.read(&level(2, 7), NOW);
    all.read(&message("G/NBIRTH/new", Some(0), &[]), NOW);
    assert_eq!(all.counts().refused, 0);
    all.undo();
    assert_eq!(read(&mut all, &level(2, 7)), ["G/E/D Level 7  1000"]);
}

#[test]
fn of_many_metrics_that_cannot_be_read_a_few_say_why() {
    let mut all = Sparkplug::default();
    let wrong = metric("Level", 1, DOUBLE, Value::Double(f64::NAN));
    let mut metrics = vec![wrong; METRICS_LEN_MAX - 1];
    metrics.push(metric("Good", 2, DOUBLE, Value::Double(1.0)));
    let found = read(&mut all, &message("G/NDATA/E", Some(0), &metrics));
    assert_eq!(found.len(), REASONS_MAX + 2, "{found:?}");
    assert_eq!(found[REASONS_MAX], "G/E Good 1  1000");
    let more = "Sparkplug: expected metrics that can be read; more of this message cannot";
    assert_eq!(found.last().unwrap(), more);
}

#[test]
fn a_node_that_is_dead_dies_no_more() {
    let mut all = Sparkplug::default();
    let death = message("G/NDEATH/E", None, &[session(1)]);
    assert_eq!(read(&mut all, &death), ["G/E/# gone"], "nobody knew it");
    assert_eq!(read(&mut all, &death), [""; 0]);
    let whole = metric("Level", 1, DOUBLE, Value::Double(2.0));
    assert_eq!(read(&mut all, &message("G/DDATA/E/D", Some(1), &[whole])).len(), 1);
    assert_eq!(read(&mut all, &death), ["G/E/# gone"], "it had spoken since");
}

#[test]
fn no_more_nodes_are_asked_than_can_be_remembered() {
    let mut questions = Questions::default();
    let name = |number: usize| Arc::<str>::from(number.to_string());
    for number in 0..=ASKED_LEN_MAX {
        questions.want(&name(number), NOW);
        questions.refused(&name(number), NOW);
    }
    assert_eq!(questions.take().len(), ASKED_LEN_MAX);
    let later = NOW.saturating_add(PAUSE_MIN * 2);
    questions.want(&name(ASKED_LEN_MAX), later);
    assert_eq!(questions.take(), [name(ASKED_LEN_MAX)], "others may be asked again");
}

//! What may happen to a journal, and how often.

use crate::model::{DAY, HOUR, MINUTE, SECOND};
use mtom_protocol::reading::{Reading, ReadingKey};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// 2026-11-24T08:00:00Z.
pub(crate) const NOW: i64 = 1_795_507_200_000_000;

/// One thing that happens to a journal.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    Batch {
        items: Vec<Item>,
        end: End,
    },
    Sync,
    /// The process is killed: what was written is there.
    Crash,
    /// What was synced is there.
    PowerCut,
    Restart,
    /// Another database has so many per cent of the readings.
    Drained(u64),
    /// Ages in microseconds, and whether what is not drained stays.
    Forget {
        raw: Option<i64>,
        sums: Option<i64>,
        keeps_undrained: bool,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Commit,
    Write,
    /// The sums follow in a transaction of their own.
    Ahead,
    /// The process is killed between the two.
    AheadCrash,
    Drop,
    /// The process is killed while the batch is open.
    Crash,
}

#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// When it was taken, before or after its arrival, and how long after the item before it arrives.
    Reading {
        what: What,
        taken_after: Option<i64>,
        pause: i64,
    },
    /// A reading that was tried before, counted from the newest, comes again as it was.
    Again(usize),
    Reject,
    /// From another history; its time before or after now.
    Import {
        what: What,
        after: i64,
        taken: Taken,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct What {
    pub(crate) device: u8,
    pub(crate) kind: usize,
    pub(crate) key: Option<(u8, u64)>,
    pub(crate) value: f64,
}

/// What a reading of another history says of the device's time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Taken {
    Nothing,
    Believed,
    Suspect,
}

/// Quantities with their units; two of them differ in the unit alone.
const KINDS: [(&str, Unit); 4] =
    [("t", Unit::Celsius), ("t", Unit::Fahrenheit), ("h", Unit::Percent), ("n", Unit::None)];

impl What {
    pub(crate) fn reading(&self, taken_at: Option<i64>) -> Reading {
        let (quantity, unit) = KINDS[self.kind];
        Reading {
            topic: format!("{}/{quantity}", self.device).into(),
            device: self.device.to_string().into(),
            quantity: quantity.into(),
            value: self.value,
            unit,
            taken_at: taken_at.map(UnixMicros),
            key: self.key.map(|(boot, seq)| ReadingKey { boot: boot.to_string().into(), seq }),
        }
    }
}

pub(crate) fn schedules() -> impl Strategy<Value = Vec<Turn>> {
    vec(turn(), 1..14)
}

fn turn() -> impl Strategy<Value = Turn> {
    let end = prop_oneof![
        5 => Just(End::Commit),
        4 => Just(End::Write),
        2 => Just(End::Ahead),
        1 => Just(End::AheadCrash),
        1 => Just(End::Drop),
        1 => Just(End::Crash),
    ];
    let batch = (vec(item(), 0..12), end).prop_map(|(items, end)| Turn::Batch { items, end });
    let age = || option::of(prop_oneof![Just(0), Just(HOUR), Just(DAY), Just(10 * DAY), 0..DAY]);
    let forget = (age(), age(), any::<bool>())
        .prop_map(|(raw, sums, keeps_undrained)| Turn::Forget { raw, sums, keeps_undrained });
    prop_oneof![
        12 => batch,
        1 => Just(Turn::Sync),
        1 => Just(Turn::Crash),
        1 => Just(Turn::PowerCut),
        1 => Just(Turn::Restart),
        1 => (0..=100_u64).prop_map(Turn::Drained),
        2 => forget,
    ]
}

fn item() -> impl Strategy<Value = Item> {
    let pause = prop_oneof![Just(0), Just(1), 0..90 * SECOND, Just(HOUR)];
    // Late, far in the past or the future, equal to the arrival, and the ends of what is believed.
    let taken_after = prop_oneof![
        4 => Just(0),
        4 => -10 * SECOND..0,
        4 => -HOUR..0,
        4 => -31 * DAY..0,
        1 => Just(-30 * DAY),
        1 => Just(-30 * DAY - 1),
        1 => Just(5 * MINUTE),
        2 => 0..10 * MINUTE,
        1 => Just(-2 * NOW),
        1 => Just(400 * DAY),
    ];
    let reading = (what(), option::weighted(0.7, taken_after), pause)
        .prop_map(|(what, taken_after, pause)| Item::Reading { what, taken_after, pause });
    let taken = prop_oneof![Just(Taken::Nothing), Just(Taken::Believed), Just(Taken::Suspect)];
    let import = (what(), prop_oneof![-100 * DAY..0, -HOUR..HOUR], taken)
        .prop_map(|(what, after, taken)| Item::Import { what, after, taken });
    prop_oneof![
        8 => reading,
        2 => (0..20_usize).prop_map(Item::Again),
        1 => Just(Item::Reject),
        1 => import,
    ]
}

fn what() -> impl Strategy<Value = What> {
    // Few numbers, so that gaps open and close; and the ends of u64 and of i64.
    let seq = prop_oneof![
        12 => 0..12_u64,
        1 => prop_oneof![u64::MAX - 2..=u64::MAX, (1 << 63) - 2..(1 << 63) + 2_u64, any::<u64>()],
    ];
    // Sums of quarters are exact in any order.
    let value = (-100_i32..100).prop_map(|value| f64::from(value) / 4.0);
    (0..3_u8, 0..KINDS.len(), option::weighted(0.8, (0..2_u8, seq)), value)
        .prop_map(|(device, kind, key, value)| What { device, kind, key, value })
}

//! Connections that have not said a whole request yet.
//!
//! They take no place, so that those who never finish hold nobody up. Bounded: when one more comes, one of those from
//! where most come has to go, the oldest of them; one machine that floods throws out its own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Who waits there, by age. A clone is the same.
#[derive(Clone)]
pub struct Doorstep {
    len_max: usize,
    // `std`: held for one insertion or removal, never across an await.
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    ends: BTreeMap<u64, CancellationToken>,
    /// The numbers of those from one machine; none is empty.
    from: HashMap<IpAddr, BTreeSet<u64>>,
}

/// One who waits there until it is dropped.
pub struct Visitor {
    number: u64,
    from: IpAddr,
    doorstep: Doorstep,
    end: CancellationToken,
}

impl Doorstep {
    /// Room for `len_max`, at least one.
    #[must_use]
    pub fn new(len_max: usize) -> Self {
        Self { len_max: len_max.max(1), waiting: Arc::default() }
    }

    /// One more, from there. Where there are too many, one has to go.
    #[must_use]
    pub fn enter(&self, from: IpAddr) -> Visitor {
        let (end, from) = (CancellationToken::new(), machine(from));
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let number = waiting.next;
        waiting.next += 1;
        waiting.ends.insert(number, end.clone());
        waiting.from.entry(from).or_default().insert(number);
        if waiting.ends.len() > self.len_max {
            waiting.close_one();
        }
        drop(waiting);
        Visitor { number, from, doorstep: self.clone(), end }
    }
}

impl Waiting {
    /// The oldest from where most come; of several such machines, from where the oldest comes.
    fn close_one(&mut self) {
        let crowd =
            self.from.iter().max_by_key(|(_, numbers)| (numbers.len(), Reverse(numbers.first())));
        let oldest = crowd.and_then(|(from, numbers)| Some((*from, *numbers.first()?)));
        if let Some(end) = oldest.and_then(|(from, number)| self.remove(number, from)) {
            end.cancel();
        }
    }

    fn remove(&mut self, number: u64, from: IpAddr) -> Option<CancellationToken> {
        if let Some(numbers) = self.from.get_mut(&from) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.from.remove(&from);
            }
        }
        self.ends.remove(&number)
    }
}

/// What stands for one machine: of IPv6 its network of 64 bits, all of whose addresses it may have (RFC 4291 §2.5.1).
fn machine(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

impl Visitor {
    /// Is cancelled when it has to go.
    #[must_use]
    pub fn end(&self) -> CancellationToken {
        self.end.clone()
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        let mut waiting = self.doorstep.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        drop(waiting.remove(self.number, self.from));
    }
}

#[cfg(test)]
mod tests {
    use super::Doorstep;
    use std::net::IpAddr;

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn the_oldest_has_to_go_when_there_are_too_many_and_those_who_have_left_count_no_more() {
        let doorstep = Doorstep::new(2);
        let first = doorstep.enter(at("192.0.2.1"));
        let second = doorstep.enter(at("192.0.2.1"));
        assert!(!first.end().is_cancelled());
        drop(first);
        let third = doorstep.enter(at("192.0.2.1"));
        assert!(!second.end().is_cancelled());
        let fourth = doorstep.enter(at("192.0.2.1"));
        let ends = [&second, &third, &fourth].map(|visitor| visitor.end().is_cancelled());
        assert_eq!(ends, [true, false, false]);
        // It went by itself, or was told to: nobody else has to for it.
        drop(second);
        assert!(!third.end().is_cancelled());
        let _fifth = doorstep.enter(at("192.0.2.1"));
        assert!(third.end().is_cancelled());
    }

    #[test]
    fn who_floods_throws_out_its_own() {
        for (flooding, other) in [("192.0.2.1", "192.0.2.2"), ("::ffff:192.0.2.1", "2001:db8::1")] {
            let doorstep = Doorstep::new(3);
            let honest = doorstep.enter(at(other));
            let flood: Vec<_> = (0..100).map(|_| doorstep.enter(at(flooding))).collect();
            assert!(!honest.end().is_cancelled());
            let closed = flood.iter().filter(|visitor| visitor.end().is_cancelled()).count();
            assert_eq!(closed, 98);
            assert!(flood[..98].iter().all(|visitor| visitor.end().is_cancelled()), "the oldest");
            drop(flood);
            let waiting = doorstep.waiting.lock().unwrap();
            assert_eq!((waiting.ends.len(), waiting.from.len()), (1, 1), "nothing is left behind");
        }
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_are_one_machine() {
        let doorstep = Doorstep::new(2);
        let honest = doorstep.enter(at("2001:db8:1::1"));
        for number in 0..10 {
            drop(doorstep.enter(at(&format!("2001:db8:2::{number}"))));
        }
        let flood: Vec<_> =
            (0..10).map(|number| doorstep.enter(at(&format!("2001:db8:2::{number}")))).collect();
        assert!(!honest.end().is_cancelled());
        assert_eq!(flood.iter().filter(|visitor| visitor.end().is_cancelled()).count(), 9);
    }
}

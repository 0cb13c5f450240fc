use super::{Cookies, SLOT, Secret};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_cookie_proves_its_own_address_alone() {
    let now = Instant::now();
    let cookies = Cookies::new(Secret::new([7; 32]), now);
    let addresses = [
        "192.168.1.5:9000",
        "192.168.1.5:9001",
        "192.168.1.6:9000",
        "[fe80::1%2]:9000",
        "[fe80::1%3]:9000",
        "[::1]:9000",
    ]
    .map(address);
    for mine in addresses {
        let cookie = cookies.of(mine, now);
        assert_eq!((cookie.len(), cookie.is_ascii()), (32, true));
        for other in addresses {
            assert_eq!(cookies.prove(&cookie, other, now), mine == other, "{mine} {other}");
        }
        let others = Cookies::new(Secret::new([8; 32]), now);
        assert!(!others.prove(&cookie, mine, now), "another secret");
    }
}

#[test]
fn a_cookie_is_good_for_its_slot_and_the_next() {
    let begun = Instant::now();
    let (cookies, mine) = (Cookies::new(Secret::new([7; 32]), begun), address("10.0.0.1:1"));
    let at = |seconds| begun + Duration::from_secs(seconds);
    for (made, good_until) in [(0, 119), (59, 119), (60, 179), (3_601, 3_719)] {
        let cookie = cookies.of(mine, at(made));
        assert!(cookies.prove(&cookie, mine, at(made)));
        assert!(cookies.prove(&cookie, mine, at(good_until)), "{made}");
        assert!(!cookies.prove(&cookie, mine, at(good_until + 1)), "{made}");
    }
    let of_later = cookies.of(mine, at(0) + SLOT);
    assert!(!cookies.prove(&of_later, mine, at(0)), "it was not made yet");
}

#[test]
fn what_is_no_cookie_proves_nothing() {
    let now = Instant::now();
    let (cookies, mine) = (Cookies::new(Secret::new([7; 32]), now), address("10.0.0.1:1"));
    let cookie = cookies.of(mine, now);
    assert!(cookies.prove(&cookie.to_uppercase(), mine, now), "the same digits");
    for at in 0..cookie.len() {
        let mut digits: Vec<_> = cookie.chars().collect();
        digits[at] = if digits[at] == '0' { '1' } else { '0' };
        assert!(!cookies.prove(&String::from_iter(digits), mine, now), "{at}");
    }
    for text in ["", "00", &cookie[..31], &format!("{cookie}0"), &"é".repeat(16), &"g".repeat(32)]
    {
        assert!(!cookies.prove(text, mine, now), "{text}");
    }
    assert_eq!(format!("{:?}", Secret::new([7; 32])), "Secret(…)");
}

//! By which addresses other computers reach what listens here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Somewhere in each of the networks that people have: the system says by which of its own addresses it would
/// go there. Addresses for documentation (RFC 5737, RFC 3849) stand for the rest of the world.
const TOWARDS: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V4(Ipv4Addr::new(192, 168, 255, 254)),
    IpAddr::V4(Ipv4Addr::new(10, 255, 255, 254)),
    IpAddr::V4(Ipv4Addr::new(172, 31, 255, 254)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];
/// Nothing is sent, so any port will do.
const PORT: u16 = 9;

/// The addresses of `listens`, a `host:port`, for other computers; none when it is for this one alone.
pub(crate) fn of(listens: &str, own: impl Fn() -> Vec<IpAddr>) -> Vec<String> {
    let Ok(address) = listens.parse::<SocketAddr>() else {
        // The name of another computer, or nothing at all.
        let is_here = listens.is_empty() || listens.starts_with("localhost:");
        return if is_here { Vec::new() } else { vec![listens.to_owned()] };
    };
    if address.ip().to_canonical().is_loopback() {
        return Vec::new();
    }
    if !address.ip().is_unspecified() {
        return vec![address.to_string()];
    }
    let ours = own().into_iter().filter(|ip| ip.is_ipv4() || address.is_ipv6());
    ours.map(|ip| SocketAddr::new(ip, address.port()).to_string()).collect()
}

/// This computer's own addresses, the likeliest first.
pub(crate) fn own() -> Vec<IpAddr> {
    let mut found = Vec::new();
    for towards in TOWARDS {
        let any: IpAddr = match towards {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let asked = UdpSocket::bind((any, 0)).and_then(|socket| {
            // No packet leaves: the system only chooses a way.
            socket.connect((towards, PORT))?;
            socket.local_addr()
        });
        let Ok(address) = asked else { continue };
        let ip = address.ip();
        if !ip.is_loopback() && !ip.is_unspecified() && !found.contains(&ip) {
            found.push(ip);
        }
    }
    found
}

#[cfg(test)]
mod tests;

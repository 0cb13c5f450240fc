//! Targets: who gets every reading because the configuration says so, multicast too.
//!
//! Each has a socket of its own. The system keeps what it sends to one that is gone until it has looked for it in
//! vain, seconds long; out of one buffer for all that would be at the cost of the others.

use socket2::SockRef;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::UdpSocket;

/// Over so many routers, less one, multicast goes: it stays in this network.
pub const TTL: u8 = 1;

/// Them, and what is sent to each with.
#[derive(Debug, Default)]
pub struct Targets {
    sockets: Vec<(SocketAddr, UdpSocket)>,
}

impl Targets {
    /// Binds what it takes to send to `addresses`. `from` is the address of ours that is sent from, to those of its
    /// version of IP; it also says over which network multicast goes.
    ///
    /// # Errors
    /// When `from` is not ours.
    pub fn bind(addresses: &[SocketAddr], from: Option<IpAddr>, ttl: u8) -> io::Result<Self> {
        let bind = |address: &SocketAddr| {
            let from = from.filter(|from| from.is_ipv4() == address.is_ipv4());
            Ok((*address, socket(*address, from, ttl)?))
        };
        let sockets = addresses.iter().map(bind).collect::<io::Result<_>>()?;
        Ok(Self { sockets })
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|(address, _)| *address).collect()
    }

    pub(crate) fn sockets(&self) -> impl Iterator<Item = &UdpSocket> {
        self.sockets.iter().map(|(_, socket)| socket)
    }

    pub(crate) fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        match self.sockets.iter().find(|(address, _)| *address == to) {
            Some((_, socket)) => socket.try_send_to(bytes, to),
            None => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }
}

/// A socket to send to `target` with.
fn socket(target: SocketAddr, from: Option<IpAddr>, ttl: u8) -> io::Result<UdpSocket> {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((from.unwrap_or(any), 0))?;
    socket.set_nonblocking(true)?;
    if target.is_ipv4() {
        socket.set_multicast_ttl_v4(ttl.into())?;
        // The network's own broadcast address is a target like another.
        socket.set_broadcast(true)?;
        if let Some(IpAddr::V4(from)) = from {
            SockRef::from(&socket).set_multicast_if_v4(&from)?;
        }
    } else {
        SockRef::from(&socket).set_multicast_hops_v6(ttl.into())?;
    }
    UdpSocket::from_std(socket)
}

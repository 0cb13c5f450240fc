//! Targets: who gets every reading because the configuration says so, multicast too.
//!
//! They have sockets of their own, one for each version of IP: a socket that listens on one address only cannot send
//! from another.

use socket2::SockRef;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::UdpSocket;

/// Over so many routers, less one, multicast goes: it stays in this network.
pub const TTL: u8 = 1;

/// Them, and what is sent to them with.
#[derive(Debug, Default)]
pub struct Targets {
    addresses: Vec<SocketAddr>,
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl Targets {
    /// Binds what it takes to send to `addresses`. `from` is the address of ours that is sent from, to those of its
    /// version of IP; it also says over which network multicast goes.
    ///
    /// # Errors
    /// When `from` cannot be had.
    pub fn bind(addresses: Vec<SocketAddr>, from: Option<SocketAddr>, ttl: u8) -> io::Result<Self> {
        let mut targets = Self { addresses, v4: None, v6: None };
        if targets.addresses.iter().any(SocketAddr::is_ipv4) {
            let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            let from = from.filter(SocketAddr::is_ipv4);
            let socket = bind(from.unwrap_or(any))?;
            socket.set_multicast_ttl_v4(ttl.into())?;
            // The network's own broadcast address is a target like another.
            socket.set_broadcast(true)?;
            if let Some(IpAddr::V4(from)) =
                from.map(|from| from.ip()).filter(|ip| !ip.is_unspecified())
            {
                SockRef::from(&socket).set_multicast_if_v4(&from)?;
            }
            targets.v4 = Some(socket);
        }
        if targets.addresses.iter().any(SocketAddr::is_ipv6) {
            let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
            let socket = bind(from.filter(SocketAddr::is_ipv6).unwrap_or(any))?;
            SockRef::from(&socket).set_multicast_hops_v6(ttl.into())?;
            targets.v6 = Some(socket);
        }
        Ok(targets)
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    pub(crate) fn sockets(&self) -> impl Iterator<Item = &UdpSocket> {
        self.v4.iter().chain(&self.v6)
    }

    pub(crate) fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        match socket {
            Some(socket) => socket.try_send_to(bytes, to),
            None => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

//! Questions to a time server through the radio.

use crate::wifi::address_of;
use core::net::SocketAddr;
use embassy_net::udp::{PacketMetadata, UdpMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use mtom_device::sntp::TimeServer;
use sntpc::NtpUdpSocket;

/// The port of SNTP [RFC 4330 4].
const PORT: u16 = 123;
/// An SNTP packet, and whatever a server may hang behind it [RFC 4330 4].
const PACKET_LEN: usize = 128;

/// A time server on the network.
pub struct NetworkTime<'a> {
    stack: Stack<'a>,
    host: &'a str,
    buffers: Buffers,
}

struct Buffers {
    rx_meta: [PacketMetadata; 1],
    tx_meta: [PacketMetadata; 1],
    rx: [u8; PACKET_LEN],
    tx: [u8; PACKET_LEN],
}

impl<'a> NetworkTime<'a> {
    /// The server at `host`, through `stack`.
    #[must_use]
    pub const fn new(stack: Stack<'a>, host: &'a str) -> Self {
        let empty = [PacketMetadata::EMPTY; 1];
        let (rx, tx) = ([0; PACKET_LEN], [0; PACKET_LEN]);
        Self { stack, host, buffers: Buffers { rx_meta: empty, tx_meta: empty, rx, tx } }
    }
}

impl TimeServer for NetworkTime<'_> {
    type Socket<'a>
        = Socket<'a>
    where
        Self: 'a;

    async fn open(&mut self) -> Result<(Socket<'_>, SocketAddr), &'static str> {
        self.stack.wait_config_up().await;
        let address = address_of(self.stack, self.host).await.ok_or("nobody knows its name")?;
        let Buffers { rx_meta, tx_meta, rx, tx } = &mut self.buffers;
        let mut socket = UdpSocket::new(self.stack, rx_meta, rx, tx_meta, tx);
        // A port that is different each time is one thing more that a liar has to guess.
        socket.bind(0).map_err(|_| "no free port")?;
        Ok((Socket(socket), SocketAddr::new(address.into(), PORT)))
    }
}

/// A UDP socket as `sntpc` wants it.
pub struct Socket<'a>(UdpSocket<'a>);

impl NtpUdpSocket for Socket<'_> {
    async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> sntpc::Result<usize> {
        // The stack was built without IPv6.
        let SocketAddr::V4(to) = to else { return Err(sntpc::Error::Network) };
        let sent = self.0.send_to(bytes, IpEndpoint::from(to)).await;
        sent.map(|()| bytes.len()).map_err(|_| sntpc::Error::Network)
    }

    async fn recv_from(&self, bytes: &mut [u8]) -> sntpc::Result<(usize, SocketAddr)> {
        let (len, UdpMetadata { endpoint, .. }) =
            self.0.recv_from(bytes).await.map_err(|_| sntpc::Error::Network)?;
        Ok((len, SocketAddr::new(endpoint.addr.into(), endpoint.port)))
    }
}

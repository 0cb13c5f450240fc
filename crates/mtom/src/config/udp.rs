//! `[forward.udp]`: who gets readings as datagrams, asked or unasked.

use super::reader::{Problems, Section, address, count, list, text};
use super::sections::Listen;
use super::tree::Node;
use mtom_gateway::settings::Udp;
use std::net::SocketAddr;

/// Each reading is sent to each of them.
const TARGETS_LEN_MAX: usize = 100;

pub(super) fn read(mut udp: Section, listen: &Listen, problems: &mut Problems) -> Udp {
    let usual = Udp::default();
    let address_of = |node| maybe(node)?.map(|address| listen.check(address)).transpose();
    let listen = udp.get("listen", problems, address_of).flatten();
    let targets = udp.get("targets", problems, |node| {
        let mut targets = list(target)(node)?;
        if targets.len() > TARGETS_LEN_MAX {
            return Err(format!("expected at most {TARGETS_LEN_MAX}: send to a multicast group"));
        }
        targets.sort_unstable();
        targets.dedup();
        Ok(targets)
    });
    let from = udp.get("from", problems, |node| {
        let ip = text(node)?;
        let wrong = || {
            format!("expected one of this computer's addresses, as in 192.168.1.2, found {ip:?}")
        };
        if ip.is_empty() { Ok(None) } else { ip.parse().map(Some).map_err(|_| wrong()) }
    });
    let ttl = udp.get("ttl", problems, |node| {
        let ttl = count(u8::MAX.into())(node)?;
        Ok(u8::try_from(ttl).unwrap_or(u8::MAX))
    });
    udp.finish(problems);
    Udp {
        listen,
        targets: targets.unwrap_or_default(),
        from: from.flatten(),
        ttl: ttl.unwrap_or(usual.ttl),
    }
}

/// An address that may be left empty.
fn maybe(node: Node) -> Result<Option<SocketAddr>, String> {
    match node {
        Node::Text(text) if text.is_empty() => Ok(None),
        node => address(node).map(Some),
    }
}

/// An address to send to.
fn target(node: Node) -> Result<SocketAddr, String> {
    let target = address(node)?;
    if target.port() == 0 || target.ip().is_unspecified() {
        return Err(format!(
            "{target} is nowhere: expected an address and a port, as in 192.168.1.5:9000"
        ));
    }
    Ok(target)
}

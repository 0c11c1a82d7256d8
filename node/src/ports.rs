//! The ports of a node: all follow from one base port, so several networks run side by side.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Where a localnet starts unless told otherwise; below the range from which systems hand out
/// ports to outgoing connections.
pub const DEFAULT_BASE: u16 = 26_600;

/// Distance between the first ports of two nodes.
pub const PER_NODE: u16 = 10;

/// The addresses of one node, all on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePorts {
    /// CometBFT, for its peers.
    pub p2p: SocketAddr,
    /// CometBFT, JSON-RPC.
    pub rpc: SocketAddr,
    /// Ballast, HTTP.
    pub http: SocketAddr,
    /// Ballast, WebSocket.
    pub ws: SocketAddr,
    /// Ballast, Prometheus.
    pub metrics: SocketAddr,
    /// CometBFT, Prometheus.
    pub cometbft_metrics: SocketAddr,
}

/// Why a node's ports cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The numbers do not fit.
    #[error("base port {base}: node {node} would need ports above 65535 or below 1")]
    OutOfRange {
        /// The base port given.
        base: u16,
        /// The node, counted from 0.
        node: usize,
    },
    /// Somebody else has it.
    #[error("port {port}, the {purpose} port of node {node}, cannot be used: {source}")]
    Taken {
        /// The port.
        port: u16,
        /// What the node needs it for.
        purpose: &'static str,
        /// The node, counted from 0.
        node: usize,
        /// What the system says.
        source: io::Error,
    },
}

impl NodePorts {
    /// The ports of node `node` (from 0): `base + 10 * node` and the five after it.
    pub fn of(base: u16, node: usize) -> Result<Self, Error> {
        let out_of_range = || Error::OutOfRange { base, node };
        let first = u16::try_from(node)
            .ok()
            .and_then(|node| node.checked_mul(PER_NODE))
            .and_then(|offset| base.checked_add(offset))
            .filter(|first| *first > 0 && first.checked_add(5).is_some())
            .ok_or_else(out_of_range)?;
        let local = |offset| SocketAddr::from((Ipv4Addr::LOCALHOST, first + offset));
        Ok(Self {
            p2p: local(0),
            rpc: local(1),
            http: local(2),
            ws: local(3),
            metrics: local(4),
            cometbft_metrics: local(5),
        })
    }

    /// Each address with its use.
    pub fn named(&self) -> [(&'static str, SocketAddr); 6] {
        [
            ("p2p", self.p2p),
            ("rpc", self.rpc),
            ("http", self.http),
            ("ws", self.ws),
            ("metrics", self.metrics),
            ("CometBFT metrics", self.cometbft_metrics),
        ]
    }
}

/// Makes sure that every port of `nodes` is free now, by holding all of them for a moment.
pub fn probe(nodes: &[NodePorts]) -> Result<(), Error> {
    let mut held = Vec::new();
    for (node, ports) in nodes.iter().enumerate() {
        for (purpose, address) in ports.named() {
            let listener = TcpListener::bind(address).map_err(|source| Error::Taken {
                port: address.port(),
                purpose,
                node,
                source,
            })?;
            held.push(listener);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_from_the_base() {
        let table = [
            (26_600, 0, Some(26_600)),
            (26_600, 1, Some(26_610)),
            (26_600, 3, Some(26_630)),
            (1, 0, Some(1)),
            (0, 0, None),
            (0, 1, Some(10)),
            (65_530, 0, Some(65_530)),
            (65_531, 0, None),
            (65_530, 1, None),
            (100, 6_600, None),
            (100, usize::MAX, None),
        ];
        for (base, node, first) in table {
            let ports = NodePorts::of(base, node).ok();
            assert_eq!(
                ports.map(|p| p.p2p.port()),
                first,
                "base {base}, node {node}"
            );
        }
        let ports = NodePorts::of(30_000, 2).expect("in range");
        let numbers = ports.named().map(|(_, address)| address.port());
        assert_eq!(numbers, [30_020, 30_021, 30_022, 30_023, 30_024, 30_025]);
        assert!(
            ports
                .named()
                .iter()
                .all(|(_, address)| address.ip().is_loopback())
        );
    }

    #[test]
    fn a_taken_port_is_named_with_its_use() {
        // Any free port serves as the http port of node 1.
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = taken.local_addr().expect("bound").port();
        let Some(base) = port.checked_sub(12) else {
            return;
        };
        let Ok(nodes) = (0..2)
            .map(|i| NodePorts::of(base, i))
            .collect::<Result<Vec<_>, _>>()
        else {
            return;
        };
        let error = probe(&nodes).expect_err("one is taken");
        if let Error::Taken { port: named, .. } = &error
            && *named == port
        {
            let text = error.to_string();
            let expected = format!("port {port}, the http port of node 1, cannot be used");
            assert!(text.starts_with(&expected), "{text}");
        }
    }

    #[test]
    fn probing_leaves_the_ports_free() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let base = free.local_addr().expect("bound").port();
        drop(free);
        let Ok(ports) = NodePorts::of(base, 0) else {
            return;
        };
        if probe(&[ports]).is_ok() {
            probe(&[ports]).expect("still free");
        }
    }
}

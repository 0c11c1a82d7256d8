use super::cosmos::{cosmos, wallet};
use super::*;
use crate::Pool;

/// Four pools that gossip as CometBFT does: what one gives, all others get once, unless they have
/// seen the bytes.
struct Mesh {
    nodes: Vec<Arc<TxPool>>,
}

impl Mesh {
    fn gossip(&self, lost: impl Fn(usize, usize) -> bool) {
        for (from, node) in self.nodes.iter().enumerate() {
            for bytes in node.reap_txs(0, 0) {
                for (to, peer) in self.nodes.iter().enumerate() {
                    if to != from && !lost(from, to) {
                        assert_eq!(peer.insert_tx(bytes.clone()), 0);
                    }
                }
            }
        }
        for node in &self.nodes {
            settle(node);
        }
    }

    fn has(&self, node: usize, hash: &TxHash) -> bool {
        self.nodes[node].shared.store.lock().contains(hash)
    }
}

#[test]
fn every_node_gets_everything_and_any_of_them_can_propose_it() {
    let nodes = (0..4).map(|number| pool_with(Mode::App, number, Books::default(), |_| ()));
    let mesh = Mesh {
        nodes: nodes.collect(),
    };
    let mut hashes = BTreeSet::new();
    for nonce in 0..100 {
        for (node, number) in mesh.nodes.iter().zip(0..) {
            hashes.insert(node.submit(&tx(number, nonce)).unwrap());
        }
    }
    hashes.insert(mesh.nodes[1].submit(&cosmos(0, 0)).unwrap());
    let rpc = tx(7, 0);
    mesh.nodes[2].check_tx(&rpc).unwrap();
    hashes.insert(tx_hash(&rpc));
    assert_eq!(wallet(0).id(), user_of(&cosmos(0, 0)));

    mesh.gossip(|_, _| false);
    for node in &mesh.nodes {
        let block = node.prepare(Vec::new(), ample());
        let inside: BTreeSet<TxHash> = inside(&block).into_iter().collect();
        assert_eq!(inside, hashes);
        assert!(
            block.contains(&rpc) && block.contains(&cosmos(0, 0)),
            "unchanged"
        );
    }
    let all: Vec<TxHash> = hashes.into_iter().collect();
    for node in &mesh.nodes {
        commit(node, 1, &all);
        assert!(node.is_empty());
    }
}

#[test]
fn what_a_peer_missed_reaches_it_later() {
    let nodes = (0..4).map(|number| pool_with(Mode::App, number, Books::default(), |_| ()));
    let mesh = Mesh {
        nodes: nodes.collect(),
    };
    let hash = mesh.nodes[0].submit(&tx(0, 1)).unwrap();
    let sent = tx(0, 2);
    mesh.nodes[0].check_tx(&sent).unwrap();
    mesh.gossip(|_, to| to == 3);
    assert!(mesh.has(1, &hash) && mesh.has(2, &hash) && !mesh.has(3, &hash));
    for height in 1..=8 {
        for node in &mesh.nodes {
            commit(node, height, &[]);
        }
        mesh.gossip(|_, _| false);
    }
    assert!(mesh.has(3, &hash) && mesh.has(3, &tx_hash(&sent)));
}

fn user_of(bytes: &Bytes) -> AccountId {
    let chain = chain_hash(CHAIN);
    match decode(bytes, &spec(), &chain).unwrap() {
        Decoded::Tx(tx) => tx.account.master,
        Decoded::Bundle(_) => panic!("a bundle"),
    }
}

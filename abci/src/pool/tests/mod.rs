//! Fixtures, and what the pool does as tables.

mod blocks;
pub(crate) mod cosmos;
mod ingress;
mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ballast_app::view::MasterView;
use ballast_genesis::{Genesis, GenesisValidator, demo, validate};
use ballast_types::{
    Account, AccountId, Action, BlockEvents, Cancel, ChainSpec, Code, Decoded, MarketId, Order,
    OrderId, Secret, Side, TimeMs, TxBody, TxHash, TxResult, chain_hash, decode, sign_native,
    tx_hash,
};
use bytes::Bytes;

use super::*;

/// Block time of the tests in ms: ahead of every wall clock, which then decides nothing.
pub(crate) const NOW: TimeMs = 4_000_000_000_000;
pub(crate) const CHAIN: &str = "pool-test";

/// Owners of accounts: `user(0)` to `user(9)` exist.
pub(crate) fn user(number: u8) -> Secret {
    Secret::ed25519([number + 1; 32])
}

pub(crate) fn validator(number: u8) -> Secret {
    Secret::ed25519([200 + number; 32])
}

pub(crate) fn spec() -> ChainSpec {
    validate(&genesis(), CHAIN, NOW).unwrap().into_spec()
}

/// Ten users and three wallets with a billion USDC each, and four validators.
pub(crate) fn genesis() -> Genesis {
    let hex = |secret: Secret| {
        let ballast_types::PublicKey::Ed25519(key) = secret.public() else {
            panic!()
        };
        key.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let validators = (0..4).map(|number| GenesisValidator {
        name: format!("v{number}"),
        consensus_key: hex(Secret::ed25519([100 + number; 32])),
        ingress_key: hex(validator(number)),
        power: 10,
    });
    let wallets = (0..3).map(|number| cosmos::wallet(number).id());
    let owners = (0..10).map(|number| user(number).id()).chain(wallets);
    let accounts: Vec<_> = owners.map(|owner| Account::new(owner, 0)).collect();
    demo(&accounts, user(0).id(), validators.collect())
}

/// A state in which the ten users exist.
#[derive(Clone)]
pub(crate) struct Books {
    pub(crate) equity: BTreeMap<AccountId, u128>,
    pub(crate) cancel_tokens: u64,
    pub(crate) resting: BTreeSet<OrderId>,
    pub(crate) sequence: u64,
}

impl Default for Books {
    fn default() -> Self {
        Self {
            equity: BTreeMap::new(),
            cancel_tokens: 1_000,
            resting: BTreeSet::new(),
            sequence: 0,
        }
    }
}

impl Ledger for Books {
    fn exists(&self, account: &Account) -> bool {
        account.sub == 0 && self.master(&account.master).is_some()
    }

    fn master(&self, master: &AccountId) -> Option<MasterView> {
        let known = (0..10).any(|number| user(number).id() == *master)
            || (0..3).any(|number| cosmos::wallet(number).id() == *master);
        known.then(|| MasterView {
            master: *master,
            tokens: 1_000,
            cancel_tokens: self.cancel_tokens,
            sequence: self.sequence,
            subaccounts: vec![0],
            agents: vec![(user(9).id(), NOW + 5_000)],
        })
    }

    fn equity(&self, master: &AccountId) -> u128 {
        self.equity.get(master).copied().unwrap_or(1)
    }

    fn rests(&self, order: OrderId) -> bool {
        self.resting.contains(&order)
    }
}

/// A node's pool; `adjust` changes its settings.
pub(crate) fn pool_with(
    mode: Mode,
    number: u8,
    books: Books,
    adjust: impl FnOnce(&mut PoolConfig),
) -> Arc<TxPool> {
    let spec = Arc::new(spec());
    let mut config = PoolConfig::new(mode, validator(number), &spec);
    config.workers = 1;
    adjust(&mut config);
    TxPool::start(
        config,
        spec,
        Arc::new(books),
        Arc::new(Metrics::new().unwrap()),
    )
    .unwrap()
}

pub(crate) fn pool() -> Arc<TxPool> {
    pool_with(Mode::App, 0, Books::default(), |_| ())
}

pub(crate) fn order() -> Action {
    Action::Order(Order::limit(MarketId(0), Side::Buy, 100, 10))
}

pub(crate) fn body(owner: &Secret, nonce: u64, actions: Vec<Action>) -> TxBody {
    TxBody {
        chain: chain_hash(CHAIN),
        account: Account::new(owner.id(), 0),
        key: owner.public(),
        nonce: NOW + nonce,
        expiry: NOW + 60_000,
        actions,
    }
}

/// An order of a user; `nonce` is in ms after [`NOW`].
pub(crate) fn tx(number: u8, nonce: u64) -> Bytes {
    let owner = user(number);
    sign_native(&body(&owner, nonce, vec![order()]), &owner).into()
}

pub(crate) fn cancel(number: u8, nonce: u64, cancel: Cancel) -> Bytes {
    let owner = user(number);
    sign_native(&body(&owner, nonce, vec![Action::Cancel(cancel)]), &owner).into()
}

/// Waits until everything that peers sent before has been settled: one worker takes the queue in
/// order, so the refusal of a badly signed transaction comes after it.
pub(crate) fn settle(pool: &TxPool) {
    let bad = sign_native(&body(&user(0), 77, vec![order()]), &user(1));
    let refused = pool.submit(&bad.into()).unwrap_err();
    assert_eq!(refused.message, "BAD_SIGNATURE");
}

pub(crate) fn room(bytes: u64, weight: u64) -> BlockRoom {
    BlockRoom {
        bytes,
        weight,
        height: 1,
        time: NOW + 1_000,
    }
}

pub(crate) fn ample() -> BlockRoom {
    room(1 << 20, 4_000_000)
}

/// The transactions inside CometBFT transactions, in order.
pub(crate) fn inside(txs: &[Bytes]) -> Vec<TxHash> {
    let (spec, chain) = (spec(), chain_hash(CHAIN));
    let open = |tx: &Bytes| match decode(tx, &spec, &chain).unwrap() {
        Decoded::Tx(tx) => vec![tx.hash],
        Decoded::Bundle(bundle) => bundle.txs.iter().map(|tx| tx_hash(tx)).collect(),
    };
    txs.iter().flat_map(open).collect()
}

/// A block of `height` that holds these transactions.
pub(crate) fn block(height: u64, time: TimeMs, hashes: &[TxHash]) -> BlockEvents {
    let result = |hash: &TxHash| TxResult {
        hash: *hash,
        code: Code::Ok,
        actions: Vec::new(),
    };
    BlockEvents {
        height,
        time,
        txs: vec![hashes.iter().map(result).collect()],
        events: Vec::new(),
    }
}

pub(crate) fn commit(pool: &TxPool, height: u64, hashes: &[TxHash]) {
    pool.committed(
        &block(height, NOW + height, hashes),
        Arc::new(Books::default()),
    );
}

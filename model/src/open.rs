//! Pass 0: unpack, prices, flags, sweeps.

use crate::Model;
use crate::margin::{Open, Rate};
use crate::state::RestingOrder;
use ballast_types::{
    Account, ActionResult, Code, Decoded, Event, GroupId, Hash, Removal, Tx, TxResult, decode,
    tx_hash, verify,
};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// A transaction that may be authorised, and where its result goes.
pub(crate) struct Unpacked {
    pub(crate) tx: Tx,
    pub(crate) place: (usize, usize),
}

impl Model {
    pub(crate) fn open(&mut self, txs: &[Vec<u8>]) -> Vec<Unpacked> {
        let unpacked = self.unpack(txs);
        self.apply_prices();
        self.flag();
        for group in self.groups() {
            self.sweep_expired(group);
        }
        self.sweep_uncovered();
        unpacked
    }

    fn unpack(&mut self, txs: &[Vec<u8>]) -> Vec<Unpacked> {
        let mut seen = BTreeSet::new();
        let mut good = Vec::new();
        for (at, bytes) in txs.iter().enumerate() {
            let mut results = Vec::new();
            match decode(bytes, &self.spec, &self.chain) {
                Ok(Decoded::Bundle(bundle)) => {
                    self.coverage.count("bundle");
                    for inner in bundle.txs {
                        let checked = self.check(inner, &mut seen);
                        push(checked, tx_hash(inner), at, &mut results, &mut good);
                    }
                }
                Err(code) if bytes.first() == Some(&ballast_types::TAG_BUNDLE) => {
                    results.push(refused(Hash::default(), code));
                }
                _ => {
                    let checked = self.check(bytes, &mut seen);
                    push(checked, tx_hash(bytes), at, &mut results, &mut good);
                }
            }
            self.block.results.push(results);
        }
        good
    }

    /// Decodes one transaction and checks what can be checked without any state.
    fn check(&self, bytes: &[u8], seen: &mut BTreeSet<Hash>) -> Result<Tx, Code> {
        let Decoded::Tx(tx) = decode(bytes, &self.spec, &self.chain)? else {
            return Err(Code::Undecodable);
        };
        if !seen.insert(tx.hash) {
            return Err(Code::Duplicate);
        }
        if tx.chain != self.chain {
            return Err(Code::WrongChain);
        }
        if !verify((&tx.key, &tx.sign_hash, &tx.signature)) {
            return Err(Code::BadSignature);
        }
        Ok(*tx)
    }

    fn apply_prices(&mut self) {
        for (market, price) in std::mem::take(&mut self.state.pending) {
            self.state.marks[market.index()] = price;
            self.block.events.push(Event::Mark { market, price });
        }
    }

    fn flag(&mut self) {
        let accounts: Vec<Account> = self.state.accounts.keys().copied().collect();
        for account in accounts {
            let uncovered = !self.is_covered(account);
            if uncovered {
                self.coverage.count("account uncovered");
                if self.equity(account) < self.held(account) {
                    self.coverage.count("account under maintenance");
                }
            }
            self.state.accounts.insert(account, uncovered);
        }
    }

    fn sweep_expired(&mut self, group: GroupId) {
        let time = self.block.time;
        let orders = self.state.orders.values();
        let mut expired: Vec<_> = orders
            .filter(|order| order.expiry > 0 && order.expiry <= time)
            .filter(|order| self.group_of(order.market) == group)
            .map(|order| (order.expiry, order.priority, order.id))
            .collect();
        expired.sort_unstable();
        if expired.len() > self.sweep_quota() {
            self.coverage.count("expired sweep stopped by its quota");
        }
        for (_, _, id) in expired.into_iter().take(self.sweep_quota()) {
            self.coverage.count("expired order swept");
            let event = self.remove(id, Removal::Expired);
            self.block.events.push(event);
        }
    }

    fn sweep_uncovered(&mut self) {
        let mut quota = self.sweep_quota();
        let flagged: Vec<Account> = self
            .state
            .accounts
            .iter()
            .filter(|(_, uncovered)| **uncovered)
            .map(|(account, _)| *account)
            .collect();
        for account in flagged {
            self.sweep_account(account, &mut quota);
            if self.is_covered(account) {
                self.coverage.count("flag cleared by the sweep");
                self.state.accounts.insert(account, false);
            }
        }
    }

    fn sweep_account(&mut self, account: Account, quota: &mut usize) {
        let orders = self.state.orders.values();
        let mut orders: Vec<RestingOrder> = orders
            .filter(|order| order.account == account)
            .cloned()
            .collect();
        orders.sort_by_key(|order| {
            Reverse((order.height, self.group_of(order.market), order.priority))
        });
        for order in orders {
            if self.is_covered(account) {
                return;
            }
            if *quota == 0 {
                self.coverage.count("uncovered sweep stopped by its quota");
                return;
            }
            if self.adds_to_requirement(&order) {
                *quota -= 1;
                self.coverage.count("uncovered order swept");
                let event = self.remove(order.id, Removal::Uncovered);
                self.block.events.push(event);
            }
        }
    }

    /// True when the order's own term is below zero in the binding scenario of its market.
    fn adds_to_requirement(&self, order: &RestingOrder) -> bool {
        let open = self.open_orders(order.account);
        let requirement = |scenario| {
            self.scenario(
                order.account,
                order.market,
                scenario,
                Rate::Maintenance,
                &open,
            )
        };
        let binding = if requirement(1) >= requirement(-1) {
            1
        } else {
            -1
        };
        self.term(&order.open(), binding, Rate::Maintenance) < 0
    }

    fn sweep_quota(&self) -> usize {
        usize::try_from(self.spec.limits.sweep_orders).expect("32 bits fit")
    }
}

impl RestingOrder {
    pub(crate) fn open(&self) -> Open {
        Open {
            market: self.market,
            side: self.side,
            price: self.price,
            lots: self.remaining,
        }
    }
}

fn refused(hash: Hash, code: Code) -> TxResult {
    TxResult {
        hash,
        code,
        actions: Vec::new(),
    }
}

/// Adds the result of one transaction; a good one waits for pass 1.
fn push(
    checked: Result<Tx, Code>,
    hash: Hash,
    at: usize,
    results: &mut Vec<TxResult>,
    good: &mut Vec<Unpacked>,
) {
    match checked {
        Err(code) => results.push(refused(hash, code)),
        Ok(tx) => {
            let actions = vec![ActionResult::code(Code::Ok); tx.actions.len()];
            results.push(TxResult {
                hash,
                code: Code::Ok,
                actions,
            });
            good.push(Unpacked {
                tx,
                place: (at, results.len() - 1),
            });
        }
    }
}

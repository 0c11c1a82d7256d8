//! Pass 0: unpack, statuses, prices, flags. `expiry`, `surface`, `option`, `listing`, `unit`, `sweep`
//! and `trigger` hold the rest of it.

use crate::Model;
use ballast_types::{
    Account, ActionResult, Code, Decoded, Event, Hash, MarginMode, MarketStatus, PriceKind, Tx,
    TxResult, decode, tx_hash, verify,
};
use std::collections::BTreeSet;

/// A transaction that may be authorised, and where its result goes.
pub(crate) struct Unpacked {
    pub(crate) tx: Tx,
    pub(crate) place: (usize, usize),
}

impl Model {
    pub(crate) fn open(&mut self, txs: &[Vec<u8>]) -> Vec<Unpacked> {
        let unpacked = self.unpack(txs);
        self.sample();
        self.apply_statuses();
        self.apply_prices();
        self.settle_expired();
        self.apply_surfaces();
        self.settle_options();
        self.list();
        self.refresh_groups();
        self.flag();
        for group in self.groups() {
            self.sweep_expired(group);
        }
        self.switch_off();
        for group in self.groups() {
            self.trigger(group);
            self.slice(group);
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

    fn apply_statuses(&mut self) {
        for (market, status) in std::mem::take(&mut self.state.pending_statuses) {
            self.coverage.count(&format!("status {status:?}"));
            self.state.statuses[market.index()] = status;
            self.block.events.push(Event::Status { market, status });
        }
    }

    fn apply_prices(&mut self) {
        for ((market, kind), price) in std::mem::take(&mut self.state.pending) {
            if self.state.statuses[market.index()] == MarketStatus::Suspended {
                self.coverage.count("price of a suspended market waits");
                self.state.pending.insert((market, kind), price);
                continue;
            }
            let (prices, event) = match kind {
                PriceKind::Mark => (&mut self.state.marks, Event::Mark { market, price }),
                PriceKind::Index => (&mut self.state.indexes, Event::Index { market, price }),
            };
            prices[market.index()] = price;
            self.block.events.push(event);
            let group = self.group_of(market);
            self.block.stale.insert(group);
        }
    }

    fn flag(&mut self) {
        let accounts: Vec<Account> = self.state.accounts.keys().copied().collect();
        for account in accounts {
            let uncovered = !self.is_covered(account);
            if uncovered {
                let portfolio = self.margin_mode(account) == MarginMode::Portfolio;
                let under = self.equity(account) < self.held(account);
                for (happens, name) in [
                    (true, "account uncovered"),
                    (portfolio, "portfolio account uncovered"),
                    (under, "account under maintenance"),
                    (portfolio && under, "portfolio account under maintenance"),
                ] {
                    self.coverage.count_if(happens, name);
                }
            }
            self.state.accounts.insert(account, uncovered);
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

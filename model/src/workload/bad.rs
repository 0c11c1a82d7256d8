//! Transactions that must be refused.

use super::Workload;
use ballast_types::{Account, chain_hash, sign_native};

impl Workload {
    /// A transaction that cannot be authorised.
    pub(super) fn bad(&mut self) -> Vec<u8> {
        let account = self.own_account();
        let secret = self.owner(account.master);
        let actions = vec![self.action(account)];
        let mut body = self.body(account, &secret, actions);
        let limits = self.spec.limits.clone();
        match self.rng.below(14) {
            0 => return (0..self.rng.below(60)).map(|_| self.rng.byte()).collect(),
            1 => body.chain = chain_hash("another chain"),
            2 => {
                let mut bytes = sign_native(&body, &secret);
                let at = bytes.len() - 1 - self.rng.index(64);
                bytes[at] ^= 1;
                return bytes;
            }
            3 => body.expiry = self.time - self.rng.below(2),
            4 => body.nonce = self.time - limits.nonce_past_ms - self.rng.below(2),
            5 => body.nonce = self.time + limits.nonce_future_ms + self.rng.below(2),
            6 => body.nonce = self.rng.pick(&[0, u64::MAX]),
            7 => body.account = Account::new(account.master, 60_000),
            8 => body.account = self.own_account(),
            9 => body.actions.clear(),
            10 => body.actions = vec![body.actions[0].clone(); usize::from(limits.tx_actions) + 1],
            11 => {
                let mut bytes = sign_native(&body, &secret);
                bytes.resize(usize::try_from(limits.native_tx_bytes).unwrap_or(0) + 1, 0);
                return bytes;
            }
            12 => {
                let mut bytes = self.cosmos();
                let at = self.rng.index(bytes.len());
                bytes[at] ^= self.rng.byte();
                return bytes;
            }
            _ => {
                let bytes = sign_native(&body, &secret);
                return bytes[..self.rng.index(bytes.len())].to_vec();
            }
        }
        sign_native(&body, &secret)
    }
}

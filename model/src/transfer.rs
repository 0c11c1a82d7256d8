//! Transfers: debited in pass 1, credited in the serial step.

use crate::Model;
use crate::authorise::{MAX_AMOUNT, Request};
use crate::margin::Rate;
use crate::state::atoms;
use ballast_types::{Account, Code, Event, Transfer, claim_ticket};

impl Model {
    pub(crate) fn debit(&mut self, from: Account, transfer: &Transfer) -> Result<(), Code> {
        let Transfer { asset, amount, to } = *transfer;
        self.spec.asset(asset).ok_or(Code::UnknownAsset)?;
        if amount == 0 || amount > MAX_AMOUNT || to == from {
            return Err(Code::BadAmount);
        }
        let amount = atoms(amount);
        let open = self.open_orders(from);
        if asset == self.spec.margin_asset {
            if self.state.balance(from, asset) < amount {
                return Err(Code::InsufficientBalance);
            }
            if self.equity(from) - amount < self.requirement(from, Rate::Initial, &open) {
                return Err(Code::InsufficientMargin);
            }
        } else if self.free(from, asset, &open) < amount {
            return Err(Code::InsufficientBalance);
        }
        self.state.add_balance(from, asset, -amount);
        Ok(())
    }

    /// Serial step: credits transfers, and creates receivers while there is room.
    pub(crate) fn credit(&mut self, mut transfers: Vec<Request<Transfer>>) {
        let seed = self.block.seed;
        transfers.sort_by_key(|transfer| {
            (
                claim_ticket(&seed, "accounts", transfer.account.master),
                transfer.key,
            )
        });
        let limit = usize::try_from(self.spec.limits.accounts).expect("32 bits fit");
        for Request {
            account: from,
            place,
            action,
            ..
        } in transfers
        {
            let Transfer { asset, amount, to } = action;
            if !self.state.accounts.contains_key(&to) {
                if self.state.accounts.len() >= limit {
                    self.state.add_balance(from, asset, atoms(amount));
                    self.answer_code(place, Code::AccountLimit);
                    continue;
                }
                self.coverage.count("account created");
                self.state.create_account(to, self.block.time, &self.spec);
            }
            self.state.add_balance(to, asset, atoms(amount));
            self.block.events.push(Event::Transferred {
                asset,
                amount,
                from,
                to,
            });
        }
    }
}

//! Transfers: debited in pass 1, credited in the serial step. And changes of the margin mode.

use crate::Model;
use crate::authorise::{MAX_AMOUNT, Request};
use crate::margin::Rate;
use crate::state::{Refusal, atoms};
use ballast_types::{Account, Atoms, Code, Event, MarginMode, Transfer, claim_ticket};

impl Model {
    pub(crate) fn debit(&mut self, from: Account, transfer: &Transfer) -> Result<(), Refusal> {
        let Transfer { asset, amount, to } = *transfer;
        self.spec.asset(asset).ok_or(Code::UnknownAsset)?;
        if amount == 0 || amount > MAX_AMOUNT || to == from {
            return Err(Code::BadAmount.into());
        }
        let amount = atoms(amount);
        // Nothing is reserved of the margin asset.
        let free = self.free(from, asset, &self.open_orders(from));
        if free < amount {
            return Err(Refusal::short_of(Code::InsufficientBalance, amount - free));
        }
        self.state.add_balance(from, asset, -amount);
        let portfolio = self.margin_mode(from) == MarginMode::Portfolio;
        let margined = asset == self.spec.margin_asset || portfolio;
        let missing = self.missing_margin(from);
        if margined && missing > 0 {
            let other = asset != self.spec.margin_asset;
            self.coverage
                .count_if(other, "portfolio transfer of spot refused");
            self.state.add_balance(from, asset, amount);
            return Err(Refusal::short_of(Code::InsufficientMargin, missing));
        }
        Ok(())
    }

    /// By how much equity is below initial margin; not positive when it is enough.
    pub(crate) fn missing_margin(&self, account: Account) -> Atoms {
        let open = self.open_orders(account);
        self.requirement(account, Rate::Initial, &open) - self.equity(account)
    }

    /// The new mode counts at once, when it covers the positions.
    pub(crate) fn set_margin_mode(
        &mut self,
        account: Account,
        mode: MarginMode,
    ) -> Result<(), Refusal> {
        if self
            .state
            .orders
            .values()
            .any(|order| order.account == account)
        {
            return Err(Code::OpenOrders.into());
        }
        let before = self.margin_mode(account);
        self.state.modes.insert(account, mode);
        let missing = self.missing_margin(account);
        if missing > 0 {
            self.state.modes.insert(account, before);
            return Err(Refusal::short_of(Code::InsufficientMargin, missing));
        }
        self.coverage.count(&format!("margin mode {mode:?}"));
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
                    self.refuse(place, Code::AccountLimit);
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

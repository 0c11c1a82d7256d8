//! What must hold after every block.

use crate::Model;
use crate::state::atoms;
use ballast_types::{AssetId, Atoms, MarketKind};

impl Model {
    /// Conservation of every asset, positions that sum to zero, books that are not crossed, spot
    /// asks that are backed, accounts that are covered unless they are flagged, and no fill so far
    /// that took an account below maintenance.
    ///
    /// # Errors
    /// Names the first thing that does not hold, with its figures.
    pub fn check_invariants(&self) -> Result<(), String> {
        for at in 0..self.spec.assets.len() {
            self.check_conserved(AssetId(u16::try_from(at).expect("16 bits fit")))?;
        }
        for market in self.markets() {
            let positions = self
                .state
                .positions
                .iter()
                .filter(|((_, of), _)| *of == market);
            let sum: i128 = positions
                .map(|(_, position)| i128::from(position.size))
                .sum();
            if sum != 0 {
                return Err(format!("positions of market {market} sum to {sum}"));
            }
            let (bids, asks) = self.levels(market);
            if let (Some((bid, _)), Some((ask, _))) = (bids.first(), asks.first())
                && bid >= ask
            {
                return Err(format!("market {market} is crossed: bid {bid}, ask {ask}"));
            }
        }
        self.check_backed()?;
        self.check_covered()?;
        self.violations
            .first()
            .map_or(Ok(()), |violation| Err(violation.clone()))
    }

    fn check_conserved(&self, asset: AssetId) -> Result<(), String> {
        let of_asset = |key: &AssetId| *key == asset;
        let balances = self.state.balances.iter();
        let mut sum: Atoms = balances
            .filter(|((_, key), _)| of_asset(key))
            .map(|(_, atoms)| *atoms)
            .sum();
        if asset == self.spec.margin_asset {
            let costs: Atoms = self
                .state
                .positions
                .values()
                .map(|position| position.cost)
                .sum();
            sum += self.state.fee_pool - costs;
        }
        let genesis = self.spec.balances.iter();
        let supply: Atoms = genesis
            .filter(|(_, key, _)| of_asset(key))
            .map(|(_, _, amount)| atoms(*amount))
            .sum();
        if sum == supply {
            Ok(())
        } else {
            Err(format!("asset {asset} holds {sum} atoms, not {supply}"))
        }
    }

    fn check_backed(&self) -> Result<(), String> {
        for account in self.state.accounts.keys() {
            let open = self.open_orders(*account);
            for market in &self.spec.markets {
                let MarketKind::Spot { base, .. } = market.kind else {
                    continue;
                };
                let free = self.free(*account, base, &open);
                if free < 0 {
                    return Err(format!(
                        "{account} reserved {} too many atoms of {base}",
                        -free
                    ));
                }
            }
        }
        Ok(())
    }

    /// Flags are those of the block's beginning, so whatever happened since left accounts covered.
    fn check_covered(&self) -> Result<(), String> {
        for (account, flagged) in &self.state.accounts {
            let margin = self.margin(*account);
            if !flagged && margin.equity < margin.maintenance {
                return Err(format!(
                    "{account} became uncovered within a block: {margin:?}"
                ));
            }
        }
        Ok(())
    }
}

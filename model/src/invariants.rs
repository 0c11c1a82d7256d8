//! What must hold after every block.

use crate::Model;
use crate::book::fits_bands;
use crate::state::{PlacedOrder, Position, atoms};
use crate::trigger;
use ballast_types::{
    AssetId, Atoms, MarketId, MarketKind, MarketStatus, OptionKind, Side, TimeInForce,
};
use std::collections::BTreeSet;

impl Model {
    /// Conservation of every asset, positions that sum to zero, books that are not crossed without a
    /// reason, orders that show what they may, pegged orders within their limits, waiting orders
    /// within their bounds, links of open orders, spot asks that are backed, quotes that stand alone
    /// and within their protections, accounts that are covered unless they are flagged, and no fill
    /// so far that took an account below maintenance; nothing of a settled market is held or trades;
    /// prices on the steps of their bands, options that cost nothing after their premium, and ladders
    /// without gaps.
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
            self.check_book(market)?;
            self.check_settled(market)?;
            self.check_option(market)?;
        }
        for order in self.state.orders.values() {
            check_shown(order)?;
        }
        self.check_ladders()?;
        self.check_quotes_alone()?;
        self.check_waiting()?;
        self.check_links()?;
        self.check_open_orders_bound()?;
        self.check_backed()?;
        self.check_covered()?;
        self.violations
            .first()
            .map_or(Ok(()), |violation| Err(violation.clone()))
    }

    /// Where orders trade, nothing is left to trade, and pegged orders are few and within limits.
    fn check_book(&self, market: MarketId) -> Result<(), String> {
        let status = self.state.statuses[market.index()];
        let trades = matches!(status, MarketStatus::Open | MarketStatus::PostOnly);
        let may_cross = !trades || self.block.still_crossed.contains(&market);
        if self.is_crossed(market) && !may_cross {
            return Err(format!(
                "market {market} is crossed: {:?}",
                self.levels(market)
            ));
        }
        let here = self.state.orders.values();
        let here = here.filter(|order| order.market == market);
        let most = self.spec.markets[market.index()].max_price;
        let mut pegged = 0;
        for order in here {
            let within = match order.side {
                Side::Buy => order.level <= order.price,
                Side::Sell => order.level >= order.price,
            };
            let fits = fits_bands(&self.spec.markets[market.index()].tick_bands, order.level);
            let sound = within && fits && (1..=most).contains(&order.level);
            if !sound || order.peg.is_none() && order.level != order.price {
                return Err(format!("an order rests where it may not: {order:?}"));
            }
            if order.tif == TimeInForce::Ioc {
                return Err(format!("an IOC order rests: {order:?}"));
            }
            pegged += u32::from(order.peg.is_some());
        }
        if pegged > self.spec.limits.pegged_orders {
            return Err(format!("{pegged} pegged orders rest in market {market}"));
        }
        Ok(())
    }

    /// A premium is paid at once, so that a position in an option has no cost. Its value, vega, delta
    /// and marks are of its group's unit.
    fn check_option(&self, market: MarketId) -> Result<(), String> {
        let spec = &self.spec.markets[market.index()];
        let MarketKind::Option { kind, .. } = spec.kind else {
            return Ok(());
        };
        let mut held = self.state.positions.iter();
        if let Some((account, position)) =
            held.find(|((_, of), position)| *of == market && position.cost != 0)
        {
            return Err(format!(
                "{account:?} holds an option at a cost: {position:?}"
            ));
        }
        let lot = self.option_lot(market);
        let directed = match kind {
            OptionKind::Call => lot.delta >= 0,
            OptionKind::Put => lot.delta <= 0,
        };
        let within = lot.value >= 0 && lot.vega >= 0 && lot.underlying >= 0;
        let priced = self.state.marks[market.index()] >= 0;
        if directed && within && priced {
            Ok(())
        } else {
            Err(format!("option {market} has figures {lot:?}"))
        }
    }

    /// Every strike of a ladder is listed, as a call and as a put.
    fn check_ladders(&self) -> Result<(), String> {
        let listed: BTreeSet<&str> = self.spec.markets.iter().map(|m| &*m.symbol).collect();
        for ((series, expiry), ladder) in &self.state.ladders {
            let spec = &self.spec.series[*series];
            let digits = self.spec.groups[spec.market.group.index()].price_digits;
            let step = usize::try_from(ladder.step).expect("above zero");
            let strikes: Vec<i64> = (ladder.low..=ladder.high).step_by(step).collect();
            if strikes.last() != Some(&ladder.high)
                || strikes.len() > usize::from(spec.max_strikes)
                || ladder.low < ladder.step
            {
                return Err(format!("series {series} has a ladder {ladder:?}"));
            }
            for strike in strikes {
                for kind in [OptionKind::Call, OptionKind::Put] {
                    let symbol = spec.market(*expiry, strike, kind, digits).symbol;
                    if !listed.contains(&*symbol) {
                        return Err(format!("{symbol} is not listed"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Nobody holds anything in a settled market, no order has come to it, and none traded.
    fn check_settled(&self, market: MarketId) -> Result<(), String> {
        if !self.is_settled(market) {
            return Ok(());
        }
        let held = self
            .state
            .positions
            .iter()
            .filter(|((_, of), _)| *of == market);
        for ((account, _), position) in held {
            if *position != Position::default() {
                return Err(format!("{account} holds {position:?} of settled {market}"));
            }
        }
        let came =
            |order: &&PlacedOrder| order.market == market && order.height == self.block.height;
        if let Some(order) = self.placed().find(came) {
            return Err(format!("an order came to a settled market: {order:?}"));
        }
        match self.block.traded.iter().find(|(_, of)| *of == market) {
            Some((account, _)) => Err(format!("{account} traded in settled market {market}")),
            None => Ok(()),
        }
    }

    /// Links are of open orders, each in one of them, and only legs have dormant lots. Nothing
    /// doomed is left.
    fn check_links(&self) -> Result<(), String> {
        if !self.block.doomed.is_empty() || !self.block.woken.is_empty() {
            return Err(format!("doomed lots are left: {:?}", self.block.doomed));
        }
        let mut seen = BTreeSet::new();
        for link in &self.state.links {
            let open = link.open();
            if open.len() < 2
                || !open
                    .iter()
                    .all(|id| self.is_placed(*id) && seen.insert(*id))
            {
                return Err(format!("a link of orders that are not open: {link:?}"));
            }
        }
        for (id, waiting) in &self.state.waiting {
            let link = self.link(*id);
            let sleeps = link.is_some_and(|l| l.first().is_some() && l.legs().contains(id));
            let dormant = 0..=waiting.placed.remaining;
            if !dormant.contains(&waiting.dormant) || waiting.dormant > 0 && !sleeps {
                return Err(format!("an order is dormant and no leg: {waiting:?}"));
            }
        }
        Ok(())
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

    /// An account quotes a side of a market once, and not while it is frozen. A protection has not
    /// let through more than its bounds.
    fn check_quotes_alone(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for order in self.state.orders.values().filter(|order| order.quote) {
            if !seen.insert((order.account, order.market, order.side == Side::Buy)) {
                return Err(format!("a side is quoted twice: {order:?}"));
            }
            if self.is_frozen(order.account, self.group_of(order.market)) {
                return Err(format!("a frozen quote rests: {order:?}"));
            }
        }
        for protection in self.state.protections.values() {
            let within = |bound: u128, sum: Atoms| bound == 0 || sum.unsigned_abs() <= bound;
            let settings = &protection.settings;
            if !within(settings.notional, protection.notional)
                || !within(settings.delta, protection.delta)
                || !within(settings.vega, protection.vega)
            {
                return Err(format!("a protection was passed: {protection:?}"));
            }
        }
        Ok(())
    }

    /// Only as many orders wait as may, and none that waits is in a book or traded.
    fn check_waiting(&self) -> Result<(), String> {
        let limits = &self.spec.limits;
        let within = |number: usize, limit: u32, what: String| {
            if number <= usize::try_from(limit).expect("32 bits fit") {
                Ok(())
            } else {
                Err(format!("{number} {what} wait, more than {limit}"))
            }
        };
        for group in self.groups() {
            let here = self.state.waiting.values();
            let here = here.filter(|waiting| self.group_of(waiting.placed.market) == group);
            within(
                here.count(),
                limits.waiting_orders,
                format!("orders of group {group}"),
            )?;
        }
        for market in self.markets() {
            let here = self.state.waiting.values();
            let trailing = here.filter(|waiting| {
                waiting.placed.market == market && trigger::is_trailing(&waiting.trigger)
            });
            within(
                trailing.count(),
                limits.trailing_orders,
                format!("trailing orders of market {market}"),
            )?;
        }
        for (id, waiting) in &self.state.waiting {
            let placed = &waiting.placed;
            let idle = placed.shown == 0 && placed.remaining > 0;
            let traded = placed.filled > 0 && waiting.twap.is_none();
            if self.state.orders.contains_key(id) || !idle || traded {
                return Err(format!("an order waits and does not: {waiting:?}"));
            }
        }
        Ok(())
    }

    /// Resting and waiting orders of an account in a group.
    fn check_open_orders_bound(&self) -> Result<(), String> {
        let limit = usize::try_from(self.spec.limits.open_orders).expect("32 bits fit");
        for account in self.state.accounts.keys() {
            for group in self.groups() {
                let number = self.placed_by(*account, group).len();
                if number > limit {
                    return Err(format!("{account} has {number} orders in group {group}"));
                }
            }
        }
        Ok(())
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

/// An iceberg shows from one lot to its slice, every other order all that remains.
fn check_shown(order: &PlacedOrder) -> Result<(), String> {
    let most = order.display.unwrap_or(order.remaining);
    let least = if order.display.is_some() {
        1
    } else {
        order.remaining
    };
    let shown = order.shown;
    if shown < least || shown > most || shown > order.remaining || shown == 0 {
        return Err(format!("an order shows {shown} lots: {order:?}"));
    }
    Ok(())
}

//! Pass 3: which orders may enter their books.

use crate::Model;
use crate::authorise::Request;
use crate::book::fits_bands;
use crate::margin::{Open, Rate};
use crate::state::{Place, Refusal, Stamp, reducible};
use crate::{trigger, twap};
use ballast_types::{
    Account, ActionKey, Atoms, Class, Code, Limits, LinkKind, LinkRule, Lots, MarginMode,
    MarketKind, MarketSpec, MarketStatus, Matching, Order, OrderId, PostOnly, Rank, Side,
    TimeInForce,
};

/// Largest position with all open orders of its market, in lots.
const MAX_POSITION: i128 = 1 << 44;
/// The same in 10^-9 of the underlying.
const MAX_AMOUNT: i128 = 1 << 61;

/// How the first order of an action is linked.
#[derive(Clone, Debug)]
pub(crate) struct LinkTerms {
    pub(crate) kind: LinkKind,
    pub(crate) rule: LinkRule,
    pub(crate) legs: Vec<Entry>,
}

/// An order on its way into a book: new, an amended one that enters again, a triggered one, or a
/// slice.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) account: Account,
    pub(crate) key: ActionKey,
    /// Where its result goes; a triggered order has none.
    pub(crate) place: Option<Place>,
    /// What it asks for. Admission may cut its size. It has a trigger or a schedule when it is to
    /// wait.
    pub(crate) order: Order,
    /// Lots before admission cut them.
    pub(crate) asked: Lots,
    /// Lots that traded before an amend.
    pub(crate) filled: Lots,
    /// True when an amend made it, or its trigger: its sizes are not checked again.
    pub(crate) again: bool,
    /// The resting order that goes only when this one is admitted.
    pub(crate) replaces: Option<OrderId>,
    /// The waiting order that it was so far, or of which it is a slice.
    pub(crate) triggered: Option<OrderId>,
    /// Which slice it is.
    pub(crate) slice: Option<u64>,
    /// The orders that come with it.
    pub(crate) link: Option<LinkTerms>,
    /// It is a leg, and waits with or without a trigger.
    pub(crate) leg: bool,
    /// It is to quote its market.
    pub(crate) quote: bool,
}

impl Entry {
    pub(crate) fn new(request: &Request<Order>) -> Self {
        Self {
            account: request.account,
            key: request.key,
            place: Some(request.place),
            order: request.action,
            asked: request.action.size,
            filled: 0,
            again: false,
            replaces: None,
            triggered: None,
            slice: None,
            link: None,
            leg: false,
            quote: false,
        }
    }

    pub(crate) fn open(&self) -> Open {
        Open {
            market: self.order.market,
            side: self.order.side,
            price: self.order.price,
            lots: self.order.size,
        }
    }

    pub(crate) fn class(&self) -> Class {
        if self.order.may_take() {
            Class::Take
        } else {
            Class::PostOnly
        }
    }

    pub(crate) fn stamp(&self) -> Stamp {
        (self.key.nonce, self.key.index)
    }

    /// True when it is to wait.
    pub(crate) fn waits(&self) -> bool {
        self.leg || self.order.waits()
    }

    pub(crate) fn legs(&self) -> &[Entry] {
        self.link.as_ref().map_or(&[], |terms| &terms.legs)
    }

    /// True when it needs a place of its own among the account's orders of the group.
    fn needs_room(&self) -> bool {
        let stays = self.order.may_rest() || self.waits();
        stays && self.replaces.is_none() && self.triggered.is_none()
    }
}

impl Model {
    pub(crate) fn admit(&mut self, mut entries: Vec<Entry>) {
        entries.sort_by_key(|entry| Rank {
            class: entry.class(),
            action: entry.key,
        });
        for entry in entries {
            if entry.link.is_some() {
                self.admit_linked(entry);
                continue;
            }
            if entry.slice.is_some() && entry.asked == 0 {
                self.block.admitted.push(entry);
                continue;
            }
            match self.admitted_lots(&entry) {
                Ok(lots) => {
                    self.coverage
                        .count_if(lots < entry.order.size, "IOC order cut by admission");
                    let order = Order {
                        size: lots,
                        ..entry.order
                    };
                    self.block.admitted.push(Entry { order, ..entry });
                }
                Err(refusal) => match entry.place {
                    Some(place) => self.refuse(place, refusal),
                    None => {
                        let code = refusal.code;
                        let name = format!("triggered order refused, {}", code.name());
                        self.coverage.count_if(entry.slice.is_none(), &name);
                        self.block.refused.push((entry, code));
                    }
                },
            }
        }
    }

    /// All checks in their order. Returns how many lots are admitted.
    pub(crate) fn admitted_lots(&mut self, entry: &Entry) -> Result<Lots, Refusal> {
        if let Some(old) = entry.replaces {
            let rests = self.state.orders.contains_key(&old);
            if !rests || self.is_replaced(old) {
                self.coverage.count("keep entry without its old order");
                return Err(Code::UnknownOrder.into());
            }
        }
        let order = &entry.order;
        let form = self.check_form(entry);
        self.coverage.count_if(
            form == Err(Code::MarketExpired),
            "order in a settled market",
        );
        let between = form == Err(Code::BadPrice)
            && (1..=self.spec.markets[order.market.index()].max_price).contains(&order.price);
        self.coverage
            .count_if(between, "price between the steps of a band");
        form?;
        self.check_band(entry)?;
        self.check_notional(entry)?;
        if entry.triggered.is_none() {
            self.check_floors(entry)?;
            self.check_client_id(entry)?;
        }
        if entry.quote {
            self.check_thawed(entry)?;
        }
        self.check_open_orders(entry)?;
        if entry.waits() {
            return Ok(order.size);
        }
        let position = self.state.position(entry.account, order.market);
        if order.reduce_only && reducible(position, order.side) == 0 {
            return Err(Code::ReduceOnly.into());
        }
        let before = self.open_orders(entry.account);
        let rest = self.without_replaced(entry);
        let here = rest.iter().filter(|open| open.market == order.market);
        let open: i128 = here.map(|open| i128::from(open.lots)).sum();
        let most = i128::from(position).abs() + open + i128::from(order.size);
        let lot = i128::from(self.spec.markets[order.market.index()].lot_amount);
        let amount = most * lot > MAX_AMOUNT;
        if most > MAX_POSITION || amount {
            return Err(Code::PositionLimit.into());
        }
        let lots = self.covered_by_base(entry, &rest)?;
        let admitted = self.covered_by_margin(entry, lots, &before, &rest);
        if self.margin_mode(entry.account) == MarginMode::Portfolio {
            self.coverage.count(match admitted {
                Ok(admitted) if admitted < lots => "portfolio order cut",
                Ok(_) => "portfolio order admitted",
                Err(_) => "portfolio order refused",
            });
        }
        admitted
    }

    fn check_form(&self, entry: &Entry) -> Result<(), Code> {
        let order = &entry.order;
        let market = self.spec.market(order.market).ok_or(Code::UnknownMarket)?;
        match self.state.statuses[order.market.index()] {
            MarketStatus::Settled => return Err(Code::MarketExpired),
            MarketStatus::CancelOnly | MarketStatus::Suspended => {
                return Err(Code::MarketCancelOnly);
            }
            MarketStatus::PostOnly if entry.class() == Class::Take => {
                return Err(Code::MarketPostOnly);
            }
            MarketStatus::Auction if !order.may_rest() && !entry.waits() => {
                return Err(Code::MarketAuction);
            }
            MarketStatus::PostOnly | MarketStatus::Open | MarketStatus::Auction => {}
        }
        if !(1..=market.max_price).contains(&order.price)
            || !fits_bands(&market.tick_bands, order.price)
        {
            return Err(Code::BadPrice);
        }
        if !entry.again {
            check_sizes(order, market)?;
        }
        let post_only = order.post_only != PostOnly::No;
        if post_only && !order.may_rest() {
            return Err(Code::BadTimeInForce);
        }
        let dead = match order.tif {
            TimeInForce::Gtt(end) => end <= self.block.time,
            TimeInForce::Gtb(end) => end <= self.block.height,
            _ => false,
        };
        if dead {
            return Err(Code::Expired);
        }
        check_max_fills(order.max_fills, post_only, &self.spec.limits)?;
        if order.client_id == Some(0) {
            return Err(Code::BadClientId);
        }
        if let Some(trigger) = &order.trigger
            && !trigger::is_valid(trigger, market)
        {
            return Err(Code::BadTrigger);
        }
        if !is_good_peg(order, market) {
            return Err(Code::BadPeg);
        }
        match &order.twap {
            Some(twap) if !twap::is_valid(order, twap, market) => Err(Code::BadTwap),
            _ => Ok(()),
        }
    }

    /// How far the limit may lie beyond the mark, or beyond the index of a spot market: a part of
    /// that, of an option a part of the index.
    fn check_band(&mut self, entry: &Entry) -> Result<(), Code> {
        let order = &entry.order;
        let market = &self.spec.markets[order.market.index()];
        let mark = self.state.marks[order.market.index()];
        let index = self.state.indexes[order.market.index()];
        let (reference, of) = match market.kind {
            MarketKind::Perpetual | MarketKind::Future { .. } => (mark, mark),
            MarketKind::Spot { .. } => (index, index),
            MarketKind::Option { .. } => (mark, index),
        };
        if entry.waits() || market.price_band_ppm == 0 || reference == 0 {
            return Ok(());
        }
        let (price, reference) = (i128::from(order.price), i128::from(reference));
        let width = i128::from(of) * i128::from(market.price_band_ppm) / 1_000_000;
        let outside = match order.side {
            Side::Buy => price > reference + width,
            Side::Sell => price < reference - width,
        };
        if outside {
            let option = match market.kind {
                MarketKind::Option { .. } => " of an option",
                _ => "",
            };
            let name = format!("price beyond the band{option}, {:?}", order.side);
            self.coverage.count(&name);
            return Err(Code::PriceBand);
        }
        Ok(())
    }

    /// Bounds of price times size. Only new and triggered orders can be too small.
    fn check_notional(&mut self, entry: &Entry) -> Result<(), Code> {
        let order = &entry.order;
        let market = &self.spec.markets[order.market.index()];
        let notional = Atoms::from(order.price) * Atoms::from(order.size) * market.tick_value;
        if market.max_notional != 0 && notional > market.max_notional {
            self.coverage.count("notional too large");
            return Err(Code::BadNotional);
        }
        let entered_before = entry.again && entry.triggered.is_none() || entry.slice.is_some();
        if notional < market.min_notional && !order.reduce_only && !entered_before {
            self.coverage.count("notional too small");
            return Err(Code::BadNotional);
        }
        Ok(())
    }

    fn check_floors(&self, entry: &Entry) -> Result<(), Code> {
        let order = &entry.order;
        let (market, label, client_id) = (order.market, order.label, order.client_id);
        if self.is_below_floor(entry.account, market, label, client_id, entry.stamp()) {
            return Err(Code::CancelledBefore);
        }
        Ok(())
    }

    /// Entries of the same account and group that this pass has admitted, legs too.
    fn admitted_beside(&self, entry: &Entry) -> impl Iterator<Item = &Entry> {
        let (account, group) = (entry.account, self.group_of(entry.order.market));
        let admitted = self.block.admitted.iter();
        admitted
            .flat_map(|entry| [entry].into_iter().chain(entry.legs()))
            .filter(move |e| e.account == account && self.group_of(e.order.market) == group)
    }

    fn check_client_id(&self, entry: &Entry) -> Result<(), Code> {
        let Some(client_id) = entry.order.client_id else {
            return Ok(());
        };
        let placed = self.placed_by(entry.account, self.group_of(entry.order.market));
        let taken = placed
            .iter()
            .any(|o| o.client_id == Some(client_id) && Some(o.id) != entry.replaces);
        let mut admitted = self.admitted_beside(entry);
        if taken || admitted.any(|other| other.order.client_id == Some(client_id)) {
            return Err(Code::ClientIdInUse);
        }
        Ok(())
    }

    fn check_thawed(&mut self, entry: &Entry) -> Result<(), Code> {
        let group = self.group_of(entry.order.market);
        if self.is_frozen(entry.account, group) {
            return Err(Code::QuotesFrozen);
        }
        let frozen = self.protection(entry.account, group);
        let ended = frozen.is_some_and(|protection| protection.frozen_until > 0);
        self.coverage.count_if(ended, "freeze ended");
        Ok(())
    }

    fn check_open_orders(&self, entry: &Entry) -> Result<(), Code> {
        let placed = self.placed_by(entry.account, self.group_of(entry.order.market));
        let admitted = self.admitted_beside(entry);
        let taken = placed.len() + admitted.filter(|other| other.needs_room()).count();
        let limit = usize::try_from(self.spec.limits.open_orders).expect("32 bits fit");
        if entry.needs_room() && taken >= limit {
            return Err(Code::OpenOrderLimit);
        }
        Ok(())
    }

    /// Open orders of the account without the one that this entry would replace.
    fn without_replaced(&self, entry: &Entry) -> Vec<Open> {
        let mut open = self.open_orders(entry.account);
        if let Some(old) = entry.replaces.and_then(|id| self.state.orders.get(&id)) {
            let old = old.open();
            let at = open.iter().position(|order| *order == old);
            open.remove(at.expect("an order that rests and is not replaced yet is open"));
        }
        open
    }

    /// Spot asks are sold from what is free of the base asset.
    fn covered_by_base(&mut self, entry: &Entry, rest: &[Open]) -> Result<Lots, Refusal> {
        let MarketKind::Spot { base, lot_atoms } =
            self.spec.markets[entry.order.market.index()].kind
        else {
            return Ok(entry.order.size);
        };
        let free = self.free(entry.account, base, rest);
        if entry.order.side == Side::Buy || free >= Atoms::from(entry.order.size) * lot_atoms {
            return Ok(entry.order.size);
        }
        let enough = Lots::try_from(free / lot_atoms).expect("less than the order's lots");
        if entry.order.tif != TimeInForce::Ioc || enough <= 0 {
            let missing = Atoms::from(entry.order.size) * lot_atoms - free;
            return Err(Refusal::short_of(Code::InsufficientBalance, missing));
        }
        self.coverage.count("IOC ask cut to the free balance");
        Ok(enough)
    }

    fn covered_by_margin(
        &mut self,
        entry: &Entry,
        lots: Lots,
        before: &[Open],
        rest: &[Open],
    ) -> Result<Lots, Refusal> {
        let account = entry.account;
        let equity = self.equity(account);
        let held = self.held(account);
        let under_maintenance = equity < held;
        let initial = |lots| {
            let new = Open {
                lots,
                ..entry.open()
            };
            let with: Vec<Open> = rest.iter().chain([&new]).copied().collect();
            self.requirement(account, Rate::Initial, &with)
        };
        let fits = |lots| equity >= initial(lots);
        let reduces = |lots| {
            self.is_risk_reducing(
                account,
                &Open {
                    lots,
                    ..entry.open()
                },
                before,
                rest,
            )
        };
        if !under_maintenance && fits(lots) {
            return Ok(lots);
        }
        if reduces(lots) {
            self.coverage.count("admitted as risk-reducing");
            let portfolio = self.margin_mode(account) == MarginMode::Portfolio;
            self.coverage
                .count_if(portfolio, "portfolio order risk-reducing");
            return Ok(lots);
        }
        if entry.order.tif == TimeInForce::Ioc {
            let cut = if under_maintenance {
                0
            } else if self.margin_mode(account) == MarginMode::Portfolio {
                by_chords(lots, |lots| initial(lots) - equity)
            } else {
                largest(lots, fits)
            };
            if cut > 0 {
                self.coverage.count("IOC order cut to its margin");
                return Ok(cut);
            }
            let closing = lots.min(reducible(
                self.state.position(account, entry.order.market),
                entry.order.side,
            ));
            if closing > 0 && reduces(closing) {
                self.coverage.count("IOC order cut to the position");
                return Ok(closing);
            }
        }
        Err(if under_maintenance {
            Refusal::short_of(Code::UnderMaintenance, held - equity)
        } else {
            Refusal::short_of(Code::InsufficientMargin, initial(lots) - equity)
        })
    }
}

/// The largest number from 0 to `most` that fits, when everything below one that fits does too;
/// else what this search comes to.
fn largest(most: Lots, fits: impl Fn(Lots) -> bool) -> Lots {
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = (low + high + 1) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

/// Lots that a convex `missing`, which is above 0 at `all`, leaves at 0 or below.
fn by_chords(all: Lots, missing: impl Fn(Lots) -> Atoms) -> Lots {
    let mut low = 0;
    for _ in 0..3 {
        let here = missing(low);
        if here > 0 {
            return low;
        }
        let product = Atoms::from(all - low).saturating_mul(-here);
        let next = low + Lots::try_from(product / (missing(all) - here)).unwrap_or(0);
        if next == low || missing(next) > 0 {
            return low;
        }
        low = next;
    }
    low
}

/// Size and displayed size of a new order.
fn check_sizes(order: &Order, market: &MarketSpec) -> Result<(), Code> {
    if !(market.min_size..=market.max_size).contains(&order.size) {
        return Err(Code::BadSize);
    }
    match order.display {
        Some(display) if display < market.min_size || !order.may_rest() => Err(Code::BadDisplay),
        _ => Ok(()),
    }
}

/// Whether an order is not pegged, or one that may be, within its market's prices.
fn is_good_peg(order: &Order, market: &MarketSpec) -> bool {
    let offsets = -market.max_price..=market.max_price;
    let may = order.post_only == PostOnly::Slide
        && !order.waits()
        && market.matching == Matching::Continuous
        && market.tick_bands.is_empty();
    order
        .peg
        .is_none_or(|peg| may && offsets.contains(&peg.offset))
}

/// How many resting orders an order may meet.
pub(crate) fn check_max_fills(max: u16, post_only: bool, limits: &Limits) -> Result<(), Code> {
    let good = if post_only {
        max == 0
    } else {
        (1..=limits.max_fills).contains(&max)
    };
    if good { Ok(()) } else { Err(Code::BadMaxFills) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_fitting_number_is_found() {
        for limit in 0..=9 {
            assert_eq!(largest(8, |lots| lots <= limit), limit.min(8));
        }
    }
}

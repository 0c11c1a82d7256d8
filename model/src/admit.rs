//! Pass 3: which orders may enter their books.

use crate::Model;
use crate::authorise::Request;
use crate::margin::{Open, Rate};
use crate::state::{Place, Stamp, reducible};
use ballast_types::{
    Account, ActionKey, Atoms, Class, Code, Limits, Lots, MarketId, MarketKind, Order, OrderId,
    Rank, Side, Ticks, TimeInForce,
};

/// Largest position with all open orders of its market, in lots.
const MAX_POSITION: i128 = 1 << 44;

/// An order on its way into a book: new, or an amended one that enters again.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) account: Account,
    pub(crate) key: ActionKey,
    pub(crate) place: Place,
    pub(crate) market: MarketId,
    pub(crate) side: Side,
    pub(crate) price: Ticks,
    /// Lots that it asks for; admission may cut them.
    pub(crate) lots: Lots,
    /// Lots that traded before an amend.
    pub(crate) filled: Lots,
    pub(crate) tif: TimeInForce,
    pub(crate) post_only: bool,
    pub(crate) reduce_only: bool,
    pub(crate) client_id: Option<u128>,
    pub(crate) label: u32,
    pub(crate) max_fills: u16,
    /// True when an amend made it.
    pub(crate) again: bool,
    /// The resting order that goes only when this one is admitted.
    pub(crate) replaces: Option<OrderId>,
}

impl Entry {
    pub(crate) fn new(request: &Request<Order>) -> Self {
        let order = request.action;
        Self {
            account: request.account,
            key: request.key,
            place: request.place,
            market: order.market,
            side: order.side,
            price: order.price,
            lots: order.size,
            filled: 0,
            tif: order.tif,
            post_only: order.post_only,
            reduce_only: order.reduce_only,
            client_id: order.client_id,
            label: order.label,
            max_fills: order.max_fills,
            again: false,
            replaces: None,
        }
    }

    pub(crate) fn open(&self) -> Open {
        Open {
            market: self.market,
            side: self.side,
            price: self.price,
            lots: self.lots,
        }
    }

    pub(crate) fn class(&self) -> Class {
        if self.post_only {
            Class::PostOnly
        } else {
            Class::Take
        }
    }

    pub(crate) fn stamp(&self) -> Stamp {
        (self.key.nonce, self.key.index)
    }

    pub(crate) fn may_rest(&self) -> bool {
        matches!(self.tif, TimeInForce::Gtc | TimeInForce::Gtt(_))
    }

    /// Block time from which it may not trade; 0 is none.
    pub(crate) fn expiry(&self) -> u64 {
        match self.tif {
            TimeInForce::Gtt(time) => time,
            _ => 0,
        }
    }
}

impl Model {
    pub(crate) fn admit(&mut self, mut entries: Vec<Entry>) {
        entries.sort_by_key(|entry| Rank {
            class: entry.class(),
            action: entry.key,
        });
        for entry in entries {
            match self.admitted_lots(&entry) {
                Ok(lots) => {
                    self.coverage
                        .count_if(lots < entry.lots, "IOC order cut by admission");
                    self.block.admitted.push(Entry { lots, ..entry });
                }
                Err(code) => self.answer_code(entry.place, code),
            }
        }
    }

    /// All checks in their order. Returns how many lots are admitted.
    fn admitted_lots(&mut self, entry: &Entry) -> Result<Lots, Code> {
        if let Some(old) = entry.replaces {
            let rests = self.state.orders.contains_key(&old);
            if !rests || self.is_replaced(old) {
                self.coverage.count("keep entry without its old order");
                return Err(Code::UnknownOrder);
            }
        }
        self.check_form(entry)?;
        if self.is_below_floor(
            entry.account,
            entry.market,
            entry.label,
            entry.client_id,
            entry.stamp(),
        ) {
            return Err(Code::CancelledBefore);
        }
        self.check_open_orders(entry)?;
        let position = self.state.position(entry.account, entry.market);
        if entry.reduce_only && reducible(position, entry.side) == 0 {
            return Err(Code::ReduceOnly);
        }
        let before = self.open_orders(entry.account);
        let rest = self.without_replaced(entry);
        let here = rest.iter().filter(|open| open.market == entry.market);
        let open: i128 = here.map(|open| i128::from(open.lots)).sum();
        if i128::from(position).abs() + open + i128::from(entry.lots) > MAX_POSITION {
            return Err(Code::PositionLimit);
        }
        let lots = self.covered_by_base(entry, &rest)?;
        self.covered_by_margin(entry, lots, &before, &rest)
    }

    fn check_form(&self, entry: &Entry) -> Result<(), Code> {
        let market = self.spec.market(entry.market).ok_or(Code::UnknownMarket)?;
        if !(1..=market.max_price).contains(&entry.price) {
            return Err(Code::BadPrice);
        }
        if !entry.again && !(market.min_size..=market.max_size).contains(&entry.lots) {
            return Err(Code::BadSize);
        }
        if entry.post_only && !entry.may_rest() {
            return Err(Code::BadTimeInForce);
        }
        if matches!(entry.tif, TimeInForce::Gtt(time) if time <= self.block.time) {
            return Err(Code::Expired);
        }
        check_max_fills(entry.max_fills, entry.post_only, &self.spec.limits)?;
        if entry.client_id == Some(0) {
            return Err(Code::BadClientId);
        }
        Ok(())
    }

    /// Client ids, and the number of open orders.
    fn check_open_orders(&self, entry: &Entry) -> Result<(), Code> {
        let group = self.group_of(entry.market);
        let resting = self.resting(entry.account, group);
        let admitted = || {
            self.block.admitted.iter().filter(|other| {
                other.account == entry.account && self.group_of(other.market) == group
            })
        };
        if entry.client_id.is_some() {
            let rests = resting
                .iter()
                .any(|o| o.client_id == entry.client_id && Some(o.id) != entry.replaces);
            if rests || admitted().any(|other| other.client_id == entry.client_id) {
                return Err(Code::ClientIdInUse);
            }
        }
        let counts = |entry: &Entry| entry.may_rest() && entry.replaces.is_none();
        let open = resting.len() + admitted().filter(|other| counts(other)).count();
        let limit = usize::try_from(self.spec.limits.open_orders).expect("32 bits fit");
        if counts(entry) && open >= limit {
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
    fn covered_by_base(&mut self, entry: &Entry, rest: &[Open]) -> Result<Lots, Code> {
        let MarketKind::Spot { base, lot_atoms } = self.spec.markets[entry.market.index()].kind
        else {
            return Ok(entry.lots);
        };
        let free = self.free(entry.account, base, rest);
        if entry.side == Side::Buy || free >= Atoms::from(entry.lots) * lot_atoms {
            return Ok(entry.lots);
        }
        let enough = Lots::try_from(free / lot_atoms).expect("less than the order's lots");
        if entry.tif != TimeInForce::Ioc || enough <= 0 {
            return Err(Code::InsufficientBalance);
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
    ) -> Result<Lots, Code> {
        let account = entry.account;
        let equity = self.equity(account);
        let under_maintenance = equity < self.held(account);
        let fits = |lots| {
            let new = Open {
                lots,
                ..entry.open()
            };
            let with: Vec<Open> = rest.iter().chain([&new]).copied().collect();
            equity >= self.requirement(account, Rate::Initial, &with)
        };
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
            return Ok(lots);
        }
        if entry.tif == TimeInForce::Ioc {
            let cut = if under_maintenance {
                0
            } else {
                largest(lots, fits)
            };
            if cut > 0 {
                self.coverage.count("IOC order cut to its margin");
                return Ok(cut);
            }
            let closing = lots.min(reducible(
                self.state.position(account, entry.market),
                entry.side,
            ));
            if closing > 0 && reduces(closing) {
                self.coverage.count("IOC order cut to the position");
                return Ok(closing);
            }
        }
        Err(if under_maintenance {
            Code::UnderMaintenance
        } else {
            Code::InsufficientMargin
        })
    }
}

/// The largest number from 0 to `most` that fits, when everything below one that fits does too.
fn largest(most: Lots, fits: impl Fn(Lots) -> bool) -> Lots {
    let (mut fitting, mut above) = (0, most + 1);
    while above - fitting > 1 {
        let middle = fitting + (above - fitting) / 2;
        if fits(middle) {
            fitting = middle;
        } else {
            above = middle;
        }
    }
    fitting
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

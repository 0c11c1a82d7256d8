//! Uniform-price auctions: which price, and who trades at it.
//!
//! In an auction an order counts with all its lots, also those that it hides, and keeps its place
//! until it has traded them. An iceberg that loses what it shows but not all of it is refreshed
//! once, when the auction leaves it.

use crate::books::reaches;
use crate::ladder::{Level, place_of};
use crate::{Books, Resting, Stop};
use ballast_types::{Lots, Sharing, Side, Ticks};
use std::collections::VecDeque;

/// The outcome of an auction before it is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clearing {
    /// The one price of all trades, in ticks.
    pub price: Ticks,
    /// Lots that can trade at it; the greatest number there is when more can.
    pub volume: Lots,
    /// Lots that want to buy at it less those that want to sell, cut to the type's range.
    pub imbalance: Lots,
}

/// What becomes of a bid and an ask that an auction pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// This many lots trade: from 1 to what was offered. Any other number acts as `Stop`.
    Fill(Lots),
    /// The bid is removed.
    RemoveBid,
    /// The ask is removed.
    RemoveAsk,
    /// Both are removed.
    RemoveBoth,
    /// The auction ends here.
    Stop,
}

/// How an auction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncrossed {
    /// Lots that traded.
    pub volume: Lots,
    /// Fills, removals and refreshes. The last fill allowed may have refreshed both orders, so
    /// this may be two more than `max_fills`.
    pub met: u32,
    /// `NoCross`: all that can trade at the price has.
    pub stop: Stop,
}

/// An order that an auction is at.
#[derive(Clone, Copy)]
struct Party {
    /// As it rested when the auction came to it.
    order: Resting,
    /// What it may trade.
    quota: Lots,
    /// What it has traded.
    traded: Lots,
}

impl Party {
    fn left(&self) -> Lots {
        self.quota.saturating_sub(self.traded)
    }
}

/// What the orders of one level may trade, in their order.
struct Shares {
    side: Side,
    price: Ticks,
    quotas: VecDeque<(u32, Lots)>,
}

fn total(level: &Level) -> i128 {
    i128::from(level.size).saturating_add(i128::from(level.hidden))
}

fn cut_to_lots(lots: i128) -> Lots {
    let end = if lots < 0 { Lots::MIN } else { Lots::MAX };
    Lots::try_from(lots).unwrap_or(end)
}

impl Books {
    /// The price at which most lots trade; of several the one with the least absolute imbalance,
    /// then the nearest to the reference price, then the lower. `None` when the book is not
    /// crossed. Looks at the levels that cross.
    pub fn clearing(&self, market: u32, reference: Ticks) -> Option<Clearing> {
        let (bid, ask) = (
            self.best(market, Side::Buy)?,
            self.best(market, Side::Sell)?,
        );
        let ladders = &self.queues.ladders;
        let bids = ladders.walk(place_of(market, Side::Buy));
        let bids = bids.take_while(|found| found.price >= ask);
        let (mut worst, mut demand) = (None, 0_i128);
        for found in bids {
            worst = Some(found.at);
            demand = demand.saturating_add(total(found.level));
        }
        // Prices from the lowest to the highest: bids leave, asks come.
        let bids = std::iter::successors(worst, |at| ladders.better(*at));
        let mut bids = bids.filter_map(|at| ladders.found(at)).peekable();
        let mut asks = ladders.walk(place_of(market, Side::Sell)).peekable();
        let mut best: Option<((i128, u128, u64), Clearing)> = None;
        let (mut supply, mut from) = (0_i128, ask);
        while from <= bid {
            while let Some(found) = asks.next_if(|found| found.price <= from) {
                supply = supply.saturating_add(total(found.level));
            }
            let last_bid = bids.peek().map_or(bid, |found| found.price);
            let before_ask = asks.peek().map(|found| found.price.saturating_sub(1));
            // Nothing changes up to this price.
            let to = before_ask.map_or(last_bid, |price| price.min(last_bid));
            let (volume, imbalance) = (demand.min(supply), demand.saturating_sub(supply));
            let price = reference.max(from).min(to);
            let distance = price.abs_diff(reference);
            // Of equal ones the lower price was there first.
            let worth = (volume, !imbalance.unsigned_abs(), !distance);
            if best.is_none_or(|(most, _)| worth > most) {
                let clearing = Clearing {
                    price,
                    volume: cut_to_lots(volume),
                    imbalance: cut_to_lots(imbalance),
                };
                best = Some((worth, clearing));
            }
            while let Some(found) = bids.next_if(|found| found.price <= to) {
                demand = demand.saturating_sub(total(found.level));
            }
            let Some(next) = to.checked_add(1) else {
                break;
            };
            from = next;
        }
        best.map(|(_, clearing)| clearing)
    }

    /// Trades at one price: bids at or above it with asks at or below it, better prices first,
    /// then older orders, but for what `sharing` says. What is left when `max_fills` are reached
    /// stays for another auction.
    ///
    /// The judge sees a bid and an ask, as they rested when the auction came to them, and how many
    /// lots may trade, and decides; it may record what follows from that. Two orders of which
    /// lots are left are paired again. [`refreshed`](Self::refreshed) tells which icebergs showed
    /// lots that they had hidden; the judge sees those before its pair. A market that does not exist is
    /// empty.
    pub fn uncross(
        &mut self,
        market: u32,
        price: Ticks,
        sharing: Sharing,
        max_fills: u32,
        mut judge: impl FnMut(&Resting, &Resting, Lots, &[Resting]) -> Pairing,
    ) -> Uncrossed {
        self.refreshed.clear();
        let mut shares = match sharing {
            Sharing::Time => None,
            Sharing::ProRata => self.shares(market, price, max_fills),
        };
        let (mut bid, mut ask) = (None, None);
        let (mut volume, mut met) = (0, 0_u32);
        let stop = loop {
            for (side, party) in [(Side::Buy, &mut bid), (Side::Sell, &mut ask)] {
                met = met.saturating_add(self.advance(party, (market, price), side, &mut shares));
            }
            let (Some(buyer), Some(seller)) = (&mut bid, &mut ask) else {
                break Stop::NoCross;
            };
            if met >= max_fills {
                break Stop::Limit;
            }
            let most = buyer.left().min(seller.left());
            let refreshed = &self.refreshed;
            let (no_bid, no_ask) = match judge(&buyer.order, &seller.order, most, refreshed) {
                Pairing::Fill(lots) if (1..=most).contains(&lots) => {
                    buyer.traded = buyer.traded.saturating_add(lots);
                    seller.traded = seller.traded.saturating_add(lots);
                    volume = lots.saturating_add(volume);
                    met = met.saturating_add(1);
                    continue;
                }
                Pairing::RemoveBid => (true, false),
                Pairing::RemoveAsk => (false, true),
                Pairing::RemoveBoth => (true, true),
                Pairing::Fill(_) | Pairing::Stop => break Stop::Judge,
            };
            for (party, gone) in [(&mut bid, no_bid), (&mut ask, no_ask)] {
                if let Some(party) = party.take_if(|_| gone) {
                    self.remove(party.order.slot);
                    met = met.saturating_add(1);
                }
            }
        };
        for party in [bid, ask].into_iter().flatten() {
            met = met.saturating_add(self.leave(&party));
        }
        Uncrossed { volume, met, stop }
    }

    /// Goes on to the next order of a side when the one at hand has traded what it may, and returns
    /// how many refreshes that meant.
    fn advance(
        &mut self,
        at: &mut Option<Party>,
        (market, price): (u32, Ticks),
        side: Side,
        shares: &mut Option<Shares>,
    ) -> u32 {
        if at.is_some_and(|party| party.left() > 0) {
            return 0;
        }
        let met = at.take().map_or(0, |party| self.leave(&party));
        let Some(first) = self.first(market, side.opposite(), price) else {
            return met;
        };
        let shares = shares
            .as_mut()
            .filter(|shares| (shares.side, shares.price) == (side, first.price));
        let share = shares.and_then(|shares| shares.quotas.pop_front());
        let shared = share.and_then(|(slot, quota)| Some((self.get(slot)?, quota)));
        let (order, quota) = shared.unwrap_or((first, first.total()));
        *at = Some(Party {
            order,
            quota,
            traded: 0,
        });
        met
    }

    /// Takes from an order what it traded, and returns how many refreshes that meant.
    fn leave(&mut self, party: &Party) -> u32 {
        let refreshed = party.traded > 0 && self.cut(&party.order, party.traded);
        u32::from(refreshed)
    }

    /// Shares of the worst level that trades, when not all of it does.
    fn shares(&self, market: u32, price: Ticks, max_fills: u32) -> Option<Shares> {
        let ladders = &self.queues.ladders;
        let trading = |side: Side| {
            let levels = ladders.walk(place_of(market, side));
            levels.take_while(move |found| reaches(side.opposite(), price, found.price))
        };
        let lots =
            |side| trading(side).fold(0_i128, |sum, found| sum.saturating_add(total(found.level)));
        let (demand, supply) = (lots(Side::Buy), lots(Side::Sell));
        let side = match demand > supply {
            true => Side::Buy,
            false => Side::Sell,
        };
        let mut left = demand.min(supply);
        for found in trading(side) {
            let of_level = total(found.level);
            if left < of_level {
                let orders = self.queues.orders(found.level);
                let most = usize::try_from(max_fills).unwrap_or(usize::MAX);
                return Some(Shares {
                    side,
                    price: found.price,
                    quotas: share(left, orders.take(most)),
                });
            }
            left = left.saturating_sub(of_level);
        }
        None
    }
}

/// Divides lots among orders by their size. Orders that get nothing are left out.
fn share(lots: i128, orders: impl Iterator<Item = Resting>) -> VecDeque<(u32, Lots)> {
    struct Part {
        slot: u32,
        quota: i128,
        remainder: i128,
    }
    let orders: Vec<_> = orders.collect();
    let size = |order: &Resting| i128::from(order.total());
    let all = orders
        .iter()
        .fold(0_i128, |sum, order| sum.saturating_add(size(order)));
    let lots = lots.min(all);
    let part = |order: &Resting| {
        // Two numbers of 63 bits.
        let product = lots.saturating_mul(size(order));
        Part {
            slot: order.slot,
            quota: product.checked_div(all).unwrap_or(0),
            remainder: product.checked_rem(all).unwrap_or(0),
        }
    };
    let mut parts: Vec<_> = orders.iter().map(part).collect();
    let given = parts
        .iter()
        .fold(0_i128, |sum, part| sum.saturating_add(part.quota));
    let over = usize::try_from(lots.saturating_sub(given)).unwrap_or(0);
    let mut by_remainder: Vec<_> = parts.iter_mut().collect();
    by_remainder.sort_by_key(|part| std::cmp::Reverse(part.remainder));
    for part in by_remainder.into_iter().take(over) {
        part.quota = part.quota.saturating_add(1);
    }
    let some = parts.into_iter().filter(|part| part.quota > 0);
    some.map(|part| (part.slot, cut_to_lots(part.quota)))
        .collect()
}

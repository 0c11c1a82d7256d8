//! Pass 4: markets that collect orders, and what trades in them at one price after all entries.

use crate::accounts::AccountRef;
use crate::groups::GroupShard;
use crate::links::{Links, Loose};
use crate::passes::matching::{Matched, remove, remove_protected, take_off};
use crate::passes::meeting::{Floor, Ground, Protected, Shield, Taker, Traded};
use crate::passes::taking::{protect, trade};
use crate::passes::{Env, Place};
use crate::protection::Protections;
use crate::records::{OrderRecord, OrderTable};
use ballast_orderbook::{Clearing, Pairing, Resting, Stop};
use ballast_risk::LotRisk;
use ballast_types::{
    Event, Lots, MarketId, MarketKind, MarketSpec, MarketStatus, Matching, OrderId, Removal,
    SelfTrade, Side, Ticks,
};

/// By number within the group: the markets in which no order takes in this block.
pub(crate) fn collecting(group: &GroupShard, env: &Env<'_>) -> Vec<bool> {
    let markets = (0_u32..).zip(&group.markets);
    let collects = markets.map(|(local, market)| {
        let batch = env.chain.market(*market).map(|market| market.matching);
        batch == Some(Matching::Batch)
            || env.status(*market) == MarketStatus::Auction
            || group.books.crossed(local)
    });
    collects.collect()
}

/// Holds the auctions of the markets that are due, and tells what the others would do.
pub(crate) fn auctions(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    traded: &mut Traded,
    out: &mut Matched,
) {
    if !floor.collects.contains(&true) {
        return;
    }
    let markets: Vec<_> = (0_u32..).zip(group.markets.iter().copied()).collect();
    for (local, market) in markets {
        if !floor.collects(local) {
            continue;
        }
        let status = floor.env.status(market);
        if matches!(status, MarketStatus::Open | MarketStatus::PostOnly) {
            hold(group, floor, local, market, traded, out);
        }
        end_guests(group, floor, local, out);
        if status == MarketStatus::Auction {
            indicate(group, floor, local, market, out);
        }
    }
}

/// The price and volume of an auction; `None` when the book is not crossed.
fn clearing(
    group: &GroupShard,
    floor: &Floor<'_>,
    local: u32,
    market: MarketId,
) -> Option<Clearing> {
    let live = floor.env.live(market);
    let last = group.trades.get(local).map_or(0, |trades| trades.last);
    let reference = match floor.env.chain.market(market)?.kind {
        MarketKind::Perpetual | MarketKind::Future { .. } | MarketKind::Option { .. } => live.mark,
        MarketKind::Spot { .. } if last != 0 => last,
        MarketKind::Spot { .. } => live.index,
    };
    group.books.clearing(local, reference)
}

fn report(market: MarketId, clearing: Clearing, traded: Lots, out: &mut Matched) {
    let Clearing {
        price,
        volume,
        imbalance,
    } = clearing;
    out.output.events.push(Event::Auction {
        market,
        price,
        volume,
        imbalance,
        traded,
    });
}

/// Tells what an auction would do, when the book of a market that collects has changed.
fn indicate(
    group: &GroupShard,
    floor: &Floor<'_>,
    local: u32,
    market: MarketId,
    out: &mut Matched,
) {
    let Some(clearing) = clearing(group, floor, local, market) else {
        return;
    };
    let changed = group.books.changed();
    if changed.iter().any(|level| level.market == local) {
        report(market, clearing, 0, out);
    }
}

/// Removes what is left of the IOC orders that came to rest in a market.
fn end_guests(group: &mut GroupShard, floor: &Floor<'_>, local: u32, out: &mut Matched) {
    let guests = std::mem::take(&mut out.guests);
    let (here, others) = guests.into_iter().partition(|(at, _)| *at == local);
    out.guests = others;
    for (_, Place { slot, priority }) in Vec::from_iter::<Vec<_>>(here) {
        let there = group.orders.get(slot);
        if there.is_some_and(|record| record.priority == priority) {
            remove(group, slot, Removal::Ioc, true, floor, out);
            take_off(group, floor, out);
        }
    }
}

/// What becomes of a bid and an ask that meet.
#[derive(Clone, Copy)]
enum Outcome {
    /// After it the maker's protection may take effect.
    Trade(Lots, Option<Protected>),
    Remove(Side, Removal),
    RemoveBoth(Removal),
    /// The maker goes, and its protection takes effect.
    Protect(Protected),
}

/// A pair of the auction, as it was judged.
struct Met {
    bid: u32,
    ask: u32,
    /// How many icebergs had been refreshed before.
    refreshed: usize,
    /// Side of the order with the lower priority.
    maker: Side,
    outcome: Outcome,
}

/// Trades what crosses at one price.
fn hold(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    local: u32,
    market: MarketId,
    traded: &mut Traded,
    out: &mut Matched,
) -> Option<()> {
    let clearing = clearing(group, floor, local, market)?;
    let (spec, risk) = floor.env.market(market)?;
    let mut met: Vec<Met> = Vec::new();
    let GroupShard {
        books,
        orders,
        specials,
        links: table,
        loose,
        protections: records,
        protection_at: at,
        ..
    } = group;
    let (orders, specials) = (&*orders, &*specials);
    let ground = Ground {
        protections: Protections { at, records },
        links: Links {
            table,
            orders,
            specials,
        },
    };
    let most = floor.env.chain.spec.limits.auction_fills;
    let done = books.uncross(
        local,
        clearing.price,
        spec.sharing,
        most,
        |bid, ask, lots, refreshed| {
            let market = (spec, risk, local);
            let Some(pair) = Pair::of(orders, (bid, ask), refreshed, market) else {
                return Pairing::Stop;
            };
            let outcome = pair.meet(floor, clearing.price, lots, ground, traded, loose);
            let maker = pair.maker_side();
            met.push(Met {
                bid: bid.slot,
                ask: ask.slot,
                refreshed: refreshed.len(),
                maker,
                outcome,
            });
            match outcome {
                Outcome::Trade(lots, _) => Pairing::Fill(lots),
                Outcome::Remove(Side::Buy, _) => Pairing::RemoveBid,
                Outcome::Remove(Side::Sell, _) => Pairing::RemoveAsk,
                Outcome::RemoveBoth(_) => Pairing::RemoveBoth,
                Outcome::Protect(_) if maker == Side::Buy => Pairing::RemoveBid,
                Outcome::Protect(_) => Pairing::RemoveAsk,
            }
        },
    );
    let traded_all = met
        .iter()
        .all(|met| matches!(met.outcome, Outcome::Trade(..)));
    if done.stop != Stop::NoCross || !traded_all {
        out.uneven.push(local);
    }
    book_all(group, floor, (clearing.price, local), &met, out);
    group.loose.walked();
    take_off(group, floor, out);
    remove_protected(group, floor, out);
    report(market, clearing, done.volume, out);
    Some(())
}

/// Books what came of all pairs, each refresh of an iceberg at its place.
fn book_all(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    at: (Ticks, u32),
    met: &[Met],
    out: &mut Matched,
) {
    let refreshed: Vec<Resting> = group.books.refreshed().to_vec();
    let mut shown = 0;
    for met in met {
        for order in refreshed.iter().take(met.refreshed).skip(shown) {
            refresh(group, floor, order, out);
        }
        shown = met.refreshed;
        book(group, floor, at, met, out);
    }
    for order in refreshed.iter().skip(shown) {
        refresh(group, floor, order, out);
    }
    for met in met {
        for slot in [met.bid, met.ask] {
            show(group, slot);
        }
    }
}

/// An iceberg shows its next lots.
fn refresh(group: &mut GroupShard, floor: &Floor<'_>, order: &Resting, out: &mut Matched) {
    let slot = order.slot;
    let Some(record) = group.orders.get(slot).copied() else {
        return;
    };
    if group.refresh(slot, order.size).is_none() {
        return;
    }
    if let Some(id) = group.id(slot, &record) {
        out.output.events.push(Event::Refreshed {
            market: MarketId(record.market),
            order: id,
            account: floor.account(AccountRef(record.account)),
            shown: order.size,
        });
    }
}

/// Keeps what the book shows of an order that has traded and is not gone.
fn show(group: &mut GroupShard, slot: u32) {
    let Some(record) = group.orders.get(slot).copied() else {
        return;
    };
    if record.special != 0
        && let Some(resting) = group.books.get(slot)
        && let Some(special) = group.special_mut(&record)
    {
        special.shown = resting.size;
    }
}

/// Books what came of a pair.
fn book(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    (price, local): (Ticks, u32),
    met: &Met,
    out: &mut Matched,
) {
    let of = |side| match side {
        Side::Buy => met.bid,
        Side::Sell => met.ask,
    };
    match met.outcome {
        Outcome::Trade(lots, effect) => {
            // Both were paired a moment ago, so their records are there.
            let _ = fill(group, floor, (price, local), met, lots, out);
            if let Some(effect) = effect {
                protect(group, floor, effect, out);
            }
        }
        Outcome::Remove(side, reason) => remove(group, of(side), reason, true, floor, out),
        Outcome::RemoveBoth(reason) => {
            remove(group, met.bid, reason, true, floor, out);
            remove(group, met.ask, reason, true, floor, out);
        }
        Outcome::Protect(effect) => {
            remove(group, of(met.maker), Removal::Protection, true, floor, out);
            protect(group, floor, effect, out);
        }
    }
}

fn fill(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    (price, local): (Ticks, u32),
    met: &Met,
    lots: Lots,
    out: &mut Matched,
) -> Option<()> {
    let (maker, taker) = match met.maker {
        Side::Buy => (met.bid, met.ask),
        Side::Sell => (met.ask, met.bid),
    };
    let record = *group.orders.get(taker)?;
    let (market, risk) = floor.env.market(MarketId(record.market))?;
    let order = record.order(None);
    let owner = AccountRef(record.account);
    let taking = Taker {
        slot: taker,
        id: group.id(taker, &record)?,
        link: record.link_slot(),
        owner,
        account: floor.account(owner),
        order: &order,
        market,
        risk,
        local,
    };
    trade(group, floor, &taking, maker, price, lots, out)?;
    for slot in [maker, taker] {
        let record = group.orders.get_mut(slot)?;
        record.remaining = record.remaining.saturating_sub(lots);
        record.filled = record.filled.saturating_add(lots);
        if record.remaining == 0 {
            group.remove_alone(slot)?;
        }
    }
    Some(())
}

/// One side of a pair.
#[derive(Clone, Copy)]
struct Party<'a> {
    slot: u32,
    /// What comes before the priority: when the auction refreshed it last, if it did.
    refreshed: usize,
    record: &'a OrderRecord,
}

/// A bid and an ask that the auction pairs.
struct Pair<'a> {
    bid: Party<'a>,
    ask: Party<'a>,
    market: (&'a MarketSpec, &'a LotRisk, u32),
}

impl<'a> Pair<'a> {
    fn of(
        orders: &'a OrderTable,
        (bid, ask): (&Resting, &Resting),
        refreshed: &[Resting],
        market: (&'a MarketSpec, &'a LotRisk, u32),
    ) -> Option<Self> {
        let party = |slot| {
            let last = refreshed.iter().rposition(|order| order.slot == slot);
            Some(Party {
                slot,
                refreshed: last.map_or(0, |at| at.saturating_add(1)),
                record: orders.get(slot)?,
            })
        };
        Some(Self {
            bid: party(bid.slot)?,
            ask: party(ask.slot)?,
            market,
        })
    }

    fn maker_side(&self) -> Side {
        let age = |party: Party<'_>| (party.refreshed, party.record.priority);
        if age(self.bid) < age(self.ask) {
            Side::Buy
        } else {
            Side::Sell
        }
    }

    /// Maker and taker.
    fn roles(&self) -> (Party<'a>, Party<'a>) {
        match self.maker_side() {
            Side::Buy => (self.bid, self.ask),
            Side::Sell => (self.ask, self.bid),
        }
    }

    /// What becomes of the pair, of which `lots` may trade. Follows positions, protections and links.
    fn meet(
        &self,
        floor: &Floor<'_>,
        price: Ticks,
        lots: Lots,
        ground: Ground<'_>,
        traded: &mut Traded,
        loose: &mut Loose,
    ) -> Outcome {
        let links = ground.links;
        if let Some(outcome) = self.gone(floor, links, loose) {
            return outcome;
        }
        let outcome = self.trade(floor, price, lots, ground, traded, loose);
        let (maker, taker) = self.roles();
        match outcome {
            Outcome::Trade(lots, _) => links.trade(maker.slot, taker.slot, lots, loose),
            Outcome::Remove(Side::Buy, _) => links.leave(self.bid.slot, loose),
            Outcome::Remove(Side::Sell, _) => links.leave(self.ask.slot, loose),
            Outcome::Protect(_) => links.leave(maker.slot, loose),
            Outcome::RemoveBoth(_) => {
                links.leave(self.bid.slot, loose);
                links.leave(self.ask.slot, loose);
            }
        }
        outcome
    }

    /// Removes what is dead, then that of which nothing is left.
    fn gone(&self, floor: &Floor<'_>, links: Links<'_>, loose: &mut Loose) -> Option<Outcome> {
        let dead = |party: Party<'_>| party.record.dead(floor.env.time, floor.env.height);
        let reason = if dead(self.bid) || dead(self.ask) {
            Removal::Expired
        } else {
            Removal::Linked
        };
        let goes = |party: Party<'_>, loose: &mut Loose| {
            let goes = match reason {
                Removal::Expired => dead(party),
                _ => party.record.link != 0 && links.left(party.slot, loose) == 0,
            };
            if goes && reason != Removal::Linked {
                links.leave(party.slot, loose);
            }
            goes
        };
        match (goes(self.bid, loose), goes(self.ask, loose)) {
            (true, true) => Some(Outcome::RemoveBoth(reason)),
            (true, false) => Some(Outcome::Remove(Side::Buy, reason)),
            (false, true) => Some(Outcome::Remove(Side::Sell, reason)),
            (false, false) => None,
        }
    }

    fn trade(
        &self,
        floor: &Floor<'_>,
        price: Ticks,
        lots: Lots,
        ground: Ground<'_>,
        traded: &mut Traded,
        loose: &Loose,
    ) -> Outcome {
        let (maker, taker) = self.roles();
        let (market, risk, local) = self.market;
        let order = taker.record.order(None);
        let owner = AccountRef(taker.record.account);
        let taking = Taker {
            slot: taker.slot,
            // Nothing is told of it here.
            id: OrderId::default(),
            link: taker.record.link_slot(),
            owner,
            account: floor.account(owner),
            order: &order,
            market,
            risk,
            local,
        };
        let record = maker.record;
        let (maker_side, taker_side) = (record.side(), order.side);
        if floor.own(&taking, AccountRef(record.account)) {
            return match order.self_trade {
                SelfTrade::CancelMaker => Outcome::Remove(maker_side, Removal::SelfTrade),
                SelfTrade::CancelBoth => Outcome::RemoveBoth(Removal::SelfTrade),
                SelfTrade::CancelTaker | SelfTrade::Decrement => {
                    Outcome::Remove(taker_side, Removal::SelfTrade)
                }
            };
        }
        let mut offered = lots;
        for party in [maker, taker] {
            if party.record.link != 0 {
                offered = offered.min(ground.links.left(party.slot, loose));
            }
        }
        let shielded = floor.shield(&taking, record, price, offered, ground.protections, traded);
        let mut lots = match shielded {
            Ok(lots) => lots,
            Err(Shield::Frozen) => return Outcome::Remove(maker_side, Removal::Protection),
            Err(Shield::Effect(effect)) => return Outcome::Protect(effect),
        };
        let cut = lots < offered;
        let both = [
            (maker, maker_side, market.maker_fee_ppm),
            (taker, taker_side, market.taker_fee_ppm),
        ];
        for (party, side, _) in both {
            if party.record.reduce_only() {
                let owner = AccountRef(party.record.account);
                lots = floor.reducing_lots(owner, side, lots, &taking, traded);
                if lots == 0 {
                    return Outcome::Remove(side, Removal::ReduceOnly);
                }
            }
        }
        for (party, side, fee) in both {
            let owner = AccountRef(party.record.account);
            lots = floor.covered_lots(owner, side, (price, fee), lots, &taking, traded);
            if lots == 0 {
                return Outcome::Remove(side, Removal::Uncovered);
            }
        }
        let effect = floor.follow(
            &taking,
            record,
            (price, lots, cut),
            ground.protections,
            traded,
        );
        Outcome::Trade(lots, effect)
    }
}

//! Pass 4: what happens when an order that came in meets resting ones.

use crate::accounts::{AccountRef, AccountShard};
use crate::groups::GroupShard;
use crate::links::{Links, Loose};
use crate::passes::cancel::release_of;
use crate::passes::matching::{Matched, drop_rest, remove};
use crate::passes::settle::{Fill, Settlement};
use crate::passes::{Env, reducible};
use crate::protection::{PerLot, Protections};
use crate::records::{OrderRecord, ProtectionRecord};
use ballast_orderbook::{Resting, Stop, Verdict};
use ballast_risk::{LotRisk, allowed_while_uncovered, fee_per_lot, gain, notional};
use ballast_types::{
    Account, Atoms, Code, Event, Lots, MarketId, MarketKind, MarketSpec, Order, OrderId, Removal,
    SelfTrade, SelfTradeScope, Side, Ticks, TimeMs,
};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;

/// What this block's meetings have changed so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traded {
    /// Positions: lots bought minus sold.
    pub(crate) positions: BTreeMap<(AccountRef, MarketId), Lots>,
    /// Protections of accounts whose quotes were met.
    pub(crate) protections: BTreeMap<AccountRef, ProtectionRecord>,
}

impl Traded {
    /// The protection of an account as it is now.
    fn protection(
        &mut self,
        before: Protections<'_>,
        owner: AccountRef,
    ) -> Option<&mut ProtectionRecord> {
        match self.protections.entry(owner) {
            MapEntry::Occupied(now) => Some(now.into_mut()),
            MapEntry::Vacant(none) => Some(none.insert(*before.get(owner)?)),
        }
    }
}

/// Who a fill would belong to, and what it may do.
pub(crate) struct Floor<'a> {
    pub(crate) accounts: &'a [AccountShard],
    pub(crate) env: &'a Env<'a>,
    /// By number within the group: the markets in which no order takes.
    pub(crate) collects: Vec<bool>,
}

/// The order that takes.
pub(crate) struct Taker<'a> {
    pub(crate) slot: u32,
    pub(crate) id: OrderId,
    /// The link that it is in.
    pub(crate) link: Option<u32>,
    pub(crate) owner: AccountRef,
    pub(crate) account: Account,
    pub(crate) order: &'a Order,
    pub(crate) market: &'a MarketSpec,
    pub(crate) risk: &'a LotRisk,
    pub(crate) local: u32,
}

impl Taker<'_> {
    /// What a lot that trades at a price adds to the sums of a maker's protection.
    pub(crate) fn per_lot(&self, price: Ticks) -> PerLot {
        let notional = notional(price, 1, self.market.tick_value);
        let value = match self.market.kind {
            MarketKind::Perpetual => self.risk.value,
            MarketKind::Spot { .. } => notional,
        };
        let delta = match self.order.side {
            Side::Buy => 0_i128.saturating_sub(value),
            Side::Sell => value,
        };
        PerLot { notional, delta }
    }
}

/// What is to become of a meeting.
#[derive(Clone, Copy)]
enum Meeting {
    /// After it the maker's protection may take effect.
    Trade(Lots, Option<Protected>),
    /// The maker goes, and its protection takes effect.
    Protect(Protected),
    /// Both lose lots without a trade.
    Decrement(Lots),
    Remove(Removal),
    /// The maker goes, and the taker stops.
    RemoveAndStop(Removal, Halt),
    Stop(Halt),
}

/// The protection of an account took effect.
#[derive(Clone, Copy)]
pub(crate) struct Protected {
    pub(crate) owner: AccountRef,
    pub(crate) until: TimeMs,
}

/// Why a taking order stopped before its size or its limit did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Halt {
    SelfTrade,
    ReduceOnly,
    Uncovered,
}

/// How a taking order ended.
pub(crate) struct Took {
    pub(crate) remaining: Lots,
    /// Lots that traded.
    pub(crate) filled: Lots,
    pub(crate) code: Code,
    /// Why what remains goes, when it may not rest.
    pub(crate) why: Option<Removal>,
}

impl Floor<'_> {
    /// Whether no order takes in a market in this block.
    pub(crate) fn collects(&self, local: u32) -> bool {
        let at = usize::try_from(local).unwrap_or(usize::MAX);
        self.collects.get(at).copied().unwrap_or(false)
    }

    pub(crate) fn position(&self, owner: AccountRef, market: MarketId, traded: &Traded) -> Lots {
        let before = self
            .accounts
            .get(owner.shard())
            .map_or(0, |shard| shard.position_size(owner.slot(), market));
        before.saturating_add(traded.positions.get(&(owner, market)).copied().unwrap_or(0))
    }

    fn uncovered(&self, owner: AccountRef) -> bool {
        let shard = self.accounts.get(owner.shard());
        let record = shard.and_then(|shard| shard.accounts.get(owner.slot()));
        record.is_some_and(|record| record.uncovered != 0)
    }

    pub(crate) fn account(&self, owner: AccountRef) -> Account {
        let shard = self.accounts.get(owner.shard());
        let record = shard.and_then(|shard| shard.accounts.get(owner.slot()));
        record.map(|record| record.account()).unwrap_or_default()
    }

    /// Of `lots` traded at `price`, how many an account may have that is perhaps flagged uncovered.
    pub(crate) fn covered_lots(
        &self,
        owner: AccountRef,
        side: Side,
        (price, fee_ppm): (Ticks, i32),
        lots: Lots,
        taker: &Taker<'_>,
        traded: &Traded,
    ) -> Lots {
        if !self.uncovered(owner) {
            return lots;
        }
        let size = self.position(owner, taker.order.market, traded);
        let gain = gain(side, price, taker.market, taker.risk, fee_ppm);
        allowed_while_uncovered(side, gain, taker.risk.maintenance, size, lots)
    }

    /// Of `lots`, how many a reduce-only order of an account may trade.
    pub(crate) fn reducing_lots(
        &self,
        owner: AccountRef,
        side: Side,
        lots: Lots,
        taker: &Taker<'_>,
        traded: &Traded,
    ) -> Lots {
        let size = self.position(owner, taker.order.market, traded);
        lots.min(reducible(side, size))
    }

    /// Whether the taker must not trade with an order of `maker`.
    pub(crate) fn own(&self, taker: &Taker<'_>, maker: AccountRef) -> bool {
        if taker.market.self_trade {
            return false;
        }
        let owner = taker.owner;
        match taker.order.self_trade_scope {
            SelfTradeScope::Account => maker == owner,
            // A master's accounts share a shard.
            SelfTradeScope::Master => {
                maker.shard() == owner.shard() && self.account(maker).master == taker.account.master
            }
        }
    }

    /// What happens when the taker, with `remaining` lots, meets a resting order. Follows positions,
    /// protections and links.
    fn meet(
        &self,
        taker: &Taker<'_>,
        (maker, resting): (&OrderRecord, &Resting),
        remaining: Lots,
        ground: Ground<'_>,
        traded: &mut Traded,
        loose: &mut Loose,
    ) -> Meeting {
        let meeting = self.decide(taker, (maker, resting), remaining, ground, traded, loose);
        if maker.link != 0 || taker.link.is_some() {
            follow_links(taker, resting.slot, meeting, ground.links, loose);
        }
        meeting
    }

    fn decide(
        &self,
        taker: &Taker<'_>,
        (maker, resting): (&OrderRecord, &Resting),
        remaining: Lots,
        ground: Ground<'_>,
        traded: &mut Traded,
        loose: &Loose,
    ) -> Meeting {
        let owner = AccountRef(maker.account);
        if maker.dead(self.env.time, self.env.height) {
            return Meeting::Remove(Removal::Expired);
        }
        let mut whole = remaining.min(resting.size);
        if maker.link != 0 {
            whole = whole.min(ground.links.left(resting.slot, loose));
            if whole == 0 {
                return Meeting::Remove(Removal::Linked);
            }
        }
        if self.own(taker, owner) {
            return match taker.order.self_trade {
                SelfTrade::CancelTaker => Meeting::Stop(Halt::SelfTrade),
                SelfTrade::CancelMaker => Meeting::Remove(Removal::SelfTrade),
                SelfTrade::CancelBoth => {
                    Meeting::RemoveAndStop(Removal::SelfTrade, Halt::SelfTrade)
                }
                SelfTrade::Decrement => Meeting::Decrement(whole),
            };
        }
        let price = resting.price;
        let lots = match self.shield(taker, maker, price, whole, ground.protections, traded) {
            Ok(lots) => lots,
            Err(Shield::Frozen) => return Meeting::Remove(Removal::Protection),
            Err(Shield::Effect(effect)) => return Meeting::Protect(effect),
        };
        let cut = lots < whole;
        let lots = match self.bound(taker, maker, price, lots, traded) {
            Ok(lots) => lots,
            Err(meeting) => return meeting,
        };
        let effect = self.follow(taker, maker, (price, lots, cut), ground.protections, traded);
        Meeting::Trade(lots, effect)
    }

    /// Of `lots` that could trade at `price`, how many the protection of a maker that is a quote
    /// leaves.
    pub(crate) fn shield(
        &self,
        taker: &Taker<'_>,
        maker: &OrderRecord,
        price: Ticks,
        lots: Lots,
        protections: Protections<'_>,
        traded: &mut Traded,
    ) -> Result<Lots, Shield> {
        let owner = AccountRef(maker.account);
        let time = self.env.time;
        if maker.quote()
            && let Some(protection) = traded.protection(protections, owner)
        {
            if protection.frozen(time) {
                return Err(Shield::Frozen);
            }
            let lots = protection.allow(lots, taker.per_lot(price), time);
            if lots == 0 {
                let until = protection.take_effect(time);
                return Err(Shield::Effect(Protected { owner, until }));
            }
            return Ok(lots);
        }
        Ok(lots)
    }

    /// Of `lots` that could trade at `price`, how many the positions of both sides allow.
    fn bound(
        &self,
        taker: &Taker<'_>,
        maker: &OrderRecord,
        price: Ticks,
        mut lots: Lots,
        traded: &Traded,
    ) -> Result<Lots, Meeting> {
        let owner = AccountRef(maker.account);
        let side = taker.order.side;
        if maker.reduce_only() {
            lots = self.reducing_lots(owner, side.opposite(), lots, taker, traded);
            if lots == 0 {
                return Err(Meeting::Remove(Removal::ReduceOnly));
            }
        }
        let at = (price, taker.market.maker_fee_ppm);
        lots = self.covered_lots(owner, side.opposite(), at, lots, taker, traded);
        if lots == 0 {
            return Err(Meeting::Remove(Removal::Uncovered));
        }
        if taker.order.reduce_only {
            lots = self.reducing_lots(taker.owner, side, lots, taker, traded);
            if lots == 0 {
                return Err(Meeting::Stop(Halt::ReduceOnly));
            }
        }
        let at = (price, taker.market.taker_fee_ppm);
        lots = self.covered_lots(taker.owner, side, at, lots, taker, traded);
        if lots == 0 {
            return Err(Meeting::Stop(Halt::Uncovered));
        }
        Ok(lots)
    }

    /// Counts a trade in the positions of both sides, and in the protection of a maker that is a
    /// quote, which may take effect; it does when it has cut the lots.
    pub(crate) fn follow(
        &self,
        taker: &Taker<'_>,
        maker: &OrderRecord,
        (price, lots, cut): (Ticks, Lots, bool),
        protections: Protections<'_>,
        traded: &mut Traded,
    ) -> Option<Protected> {
        let owner = AccountRef(maker.account);
        let market = taker.order.market;
        let bought = match taker.order.side {
            Side::Buy => lots,
            Side::Sell => 0_i64.saturating_sub(lots),
        };
        let maker_sum = traded.positions.entry((owner, market)).or_default();
        *maker_sum = maker_sum.saturating_sub(bought);
        let taker_sum = traded.positions.entry((taker.owner, market)).or_default();
        *taker_sum = taker_sum.saturating_add(bought);
        if !maker.quote() {
            return None;
        }
        let protection = traded.protection(protections, owner)?;
        let effect = protection.add(lots, taker.per_lot(price)) || cut;
        effect.then(|| Protected {
            owner,
            until: protection.take_effect(self.env.time),
        })
    }
}

/// Why a protection leaves no lots.
pub(crate) enum Shield {
    Frozen,
    Effect(Protected),
}

/// What meetings read beside the orders that meet.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) protections: Protections<'a>,
    pub(crate) links: Links<'a>,
}

/// What a meeting means for orders that maker or taker is linked with.
fn follow_links(
    taker: &Taker<'_>,
    maker: u32,
    meeting: Meeting,
    links: Links<'_>,
    loose: &mut Loose,
) {
    match meeting {
        Meeting::Trade(lots, _) => {
            links.trade(maker, taker.slot, lots, loose);
        }
        Meeting::Decrement(lots) => {
            links.decrement(maker, lots, loose);
            links.decrement(taker.slot, lots, loose);
        }
        Meeting::Remove(_) | Meeting::RemoveAndStop(..) | Meeting::Protect(_) => {
            links.leave(maker, loose);
        }
        Meeting::Stop(_) => {}
    }
}

/// Tries the meetings of a fill-or-kill order without effect: whether all its lots would trade.
pub(crate) fn fills_whole(
    group: &GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    traded: &Traded,
) -> bool {
    let mut tried = traded.clone();
    let mut loose = group.loose.clone();
    let ground = Ground {
        protections: group.protections(),
        links: group.links(),
    };
    let order = taker.order;
    let most = u32::from(order.max_fills);
    let taken = group.books.walk(
        taker.local,
        order.side,
        order.price,
        order.size,
        most,
        |resting, left| {
            let Some(maker) = group.orders.get(resting.slot) else {
                return Verdict::Stop;
            };
            match floor.meet(
                taker,
                (maker, resting),
                left,
                ground,
                &mut tried,
                &mut loose,
            ) {
                Meeting::Trade(lots, _) => Verdict::Fill(lots),
                Meeting::Remove(_) | Meeting::Protect(_) => Verdict::Remove,
                Meeting::Decrement(_) | Meeting::RemoveAndStop(..) | Meeting::Stop(_) => {
                    Verdict::Stop
                }
            }
        },
    );
    taken.remaining == 0
}

/// Meets resting orders and books what happened.
pub(crate) fn take(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    traded: &mut Traded,
    out: &mut Matched,
) -> Took {
    let mut meetings: Vec<(Resting, Meeting)> = Vec::new();
    let order = taker.order;
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
    let orders = &*orders;
    let ground = Ground {
        protections: Protections { at, records },
        links: Links {
            table,
            orders,
            specials,
        },
    };
    let mut halt = None;
    let taken = books.take(
        taker.local,
        order.side,
        order.price,
        order.size,
        u32::from(order.max_fills),
        |resting, left| {
            let Some(maker) = orders.get(resting.slot) else {
                return Verdict::Stop;
            };
            let meeting = floor.meet(taker, (maker, resting), left, ground, traded, loose);
            let verdict = match meeting {
                Meeting::Trade(lots, _) => Verdict::Fill(lots),
                Meeting::Decrement(lots) => Verdict::Decrement(lots),
                Meeting::Remove(_) | Meeting::Protect(_) => Verdict::Remove,
                Meeting::RemoveAndStop(_, why) => {
                    halt = Some(why);
                    Verdict::RemoveAndStop
                }
                Meeting::Stop(why) => {
                    halt = Some(why);
                    Verdict::Stop
                }
            };
            meetings.push((*resting, meeting));
            verdict
        },
    );
    let mut took = Took {
        remaining: taken.remaining,
        filled: 0,
        code: Code::Ok,
        why: None,
    };
    for (resting, meeting) in meetings {
        book(group, floor, taker, &resting, meeting, &mut took, out);
    }
    group.loose.walked();
    end(&mut took, taken.stop, halt);
    took
}

/// Books what came of a meeting.
fn book(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    resting: &Resting,
    meeting: Meeting,
    took: &mut Took,
    out: &mut Matched,
) {
    took.code = Code::Ok;
    match meeting {
        Meeting::Trade(lots, effect) => {
            took.filled = took.filled.saturating_add(lots);
            // The maker was met a moment ago, so its record is there.
            let _ = fill(group, floor, taker, resting, lots, out);
            if let Some(effect) = effect {
                protect(group, floor, effect, out);
            }
        }
        Meeting::Protect(effect) => {
            remove(group, resting.slot, Removal::Protection, true, floor, out);
            protect(group, floor, effect, out);
        }
        Meeting::Decrement(lots) => {
            took.code = Code::SelfTrade;
            let _ = decrement(group, floor, taker, resting, lots, out);
        }
        Meeting::Remove(reason) | Meeting::RemoveAndStop(reason, _) => {
            remove(group, resting.slot, reason, true, floor, out);
        }
        Meeting::Stop(_) => {}
    }
}

/// Reports a protection, whose quotes go when the taker has ended.
pub(crate) fn protect(group: &GroupShard, floor: &Floor<'_>, effect: Protected, out: &mut Matched) {
    let Protected { owner, until } = effect;
    out.protected.push(owner);
    out.output.events.push(Event::Protected {
        account: floor.account(owner),
        group: group.group,
        until,
    });
}

/// Why the rest of a stopped order goes, if it does, and the code of the action.
fn end(took: &mut Took, stop: Stop, halt: Option<Halt>) {
    let no_fill = if took.filled > 0 {
        Code::Ok
    } else {
        Code::ReduceOnly
    };
    let (why, code) = match (halt, stop) {
        (Some(Halt::SelfTrade), _) => (Removal::SelfTrade, Code::SelfTrade),
        (Some(Halt::Uncovered), _) => (Removal::Uncovered, Code::Uncovered),
        (Some(Halt::ReduceOnly), _) | (None, Stop::Judge) => (Removal::ReduceOnly, no_fill),
        (None, Stop::Limit) => (Removal::FillLimit, Code::FillLimit),
        // A decrement that left nothing has set the code.
        (None, Stop::Done) => return,
        (None, Stop::NoCross) => {
            took.code = Code::Ok;
            return;
        }
    };
    (took.why, took.code) = (Some(why), code);
}

/// Books one trade of a taker that is not in the book.
fn fill(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    resting: &Resting,
    lots: Lots,
    out: &mut Matched,
) -> Option<()> {
    let record = trade(group, floor, taker, resting.slot, resting.price, lots, out)?;
    if record.remaining == lots {
        group.complete(resting.slot)?;
        return Some(());
    }
    let stored = group.orders.get_mut(resting.slot)?;
    stored.filled = stored.filled.saturating_add(lots);
    cut(group, floor, resting, lots, out)
}

/// Settles one trade of both sides and reports it. Returns the maker as it was.
pub(crate) fn trade(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    maker: u32,
    price: Ticks,
    lots: Lots,
    out: &mut Matched,
) -> Option<OrderRecord> {
    let record = *group.orders.get(maker)?;
    let order = taker.order;
    let owner = AccountRef(record.account);
    let fee = |ppm: i32| {
        fee_per_lot(price, taker.market.tick_value, ppm).saturating_mul(Atoms::from(lots))
    };
    let (maker_fee, taker_fee) = (
        fee(taker.market.maker_fee_ppm),
        fee(taker.market.taker_fee_ppm),
    );
    let one = |owner, side, limit, fee| {
        Settlement::Fill(Fill {
            owner,
            market: order.market,
            side,
            lots,
            price,
            limit,
            fee,
        })
    };
    out.settlements
        .push(one(owner, order.side.opposite(), record.price, maker_fee));
    out.settlements
        .push(one(taker.owner, order.side, order.price, taker_fee));
    out.fees = out.fees.saturating_add(maker_fee).saturating_add(taker_fee);
    out.fills = out.fills.saturating_add(1);
    let trades = group.trades.get_mut(taker.local)?;
    trades.trades = trades.trades.saturating_add(1);
    trades.last = price;
    let trade = trades.trades;
    out.output.events.push(Event::Fill {
        market: order.market,
        trade,
        maker: group.id(maker, &record)?,
        maker_account: floor.account(owner),
        taker: taker.id,
        taker_account: taker.account,
        taker_side: order.side,
        price,
        size: lots,
        maker_fee,
        taker_fee,
    });
    Some(record)
}

/// What a meeting leaves of a maker that loses lots and is not gone: an iceberg may show its next.
fn cut(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    resting: &Resting,
    lots: Lots,
    out: &mut Matched,
) -> Option<()> {
    let slot = resting.slot;
    let record = *group.orders.get(slot)?;
    let remaining = record.remaining.saturating_sub(lots);
    let shown = group.cut(slot, remaining, resting.size.saturating_sub(lots));
    if let Some(shown) = shown {
        out.output.events.push(Event::Refreshed {
            market: MarketId(record.market),
            order: group.id(slot, &record)?,
            account: floor.account(AccountRef(record.account)),
            shown,
        });
    }
    Some(())
}

/// Books lots that two orders of the same owner lose without a trade.
fn decrement(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    resting: &Resting,
    lots: Lots,
    out: &mut Matched,
) -> Option<()> {
    let slot = resting.slot;
    let record = *group.orders.get(slot)?;
    let owner = AccountRef(record.account);
    let order = group.id(slot, &record)?;
    let left = record.remaining.saturating_sub(lots);
    if left == 0 {
        remove(group, slot, Removal::SelfTrade, true, floor, out);
    } else {
        out.settlements
            .push(Settlement::Release(release_of(&record, lots)));
        out.output.events.push(Event::Reduced {
            market: taker.order.market,
            order,
            account: floor.account(owner),
            size: left,
            reason: Removal::SelfTrade,
        });
    }
    drop_rest(taker, lots, Removal::SelfTrade, out);
    if left > 0 {
        cut(group, floor, resting, lots, out)?;
    }
    Some(())
}

//! Orders that live and die together: which lots a fill or a removal takes from the others, and when
//! they are taken off.

use crate::accounts::AccountRef;
use crate::groups::GroupShard;
use crate::passes::Release;
use crate::passes::cancel::release_of;
use crate::records::{LinkRecord, LinkTable, OrderRecord, OrderTable, SpecialRecord, SpecialTable};
use ballast_types::{Account, Event, LinkKind, LinkRule, Lots, MarketId, OrderId, Removal};
use std::collections::BTreeMap;

/// What links have done to orders and is not in their records yet. By slot. Empty between the entries
/// of a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loose {
    /// Lots that traded or were decremented in the walk at hand.
    lost: BTreeMap<u32, Lots>,
    /// Lots that are lost without a trade and not taken off.
    doomed: BTreeMap<u32, Lots>,
    /// The doomed, in the order in which they became so.
    queue: Vec<u32>,
    /// Dormant lots of legs of which fewer are dormant than their records say.
    dormant: BTreeMap<u32, Lots>,
    /// Those legs, in the order in which that happened.
    woken: Vec<u32>,
}

impl Loose {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.woken.is_empty()
    }

    /// The records of the orders now tell what they lost in the walk.
    pub(crate) fn walked(&mut self) {
        self.lost.clear();
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Orders of a link by their roles: the first order, then the legs. Slots.
#[derive(Clone, Copy, Debug)]
struct Roles {
    kind: LinkKind,
    rule: LinkRule,
    first: Option<u32>,
    legs: [Option<u32>; 2],
}

impl Roles {
    fn of(record: &LinkRecord) -> Self {
        let [first, legs @ ..] = record.orders.map(|at| at.checked_sub(1));
        Self {
            kind: record.kind(),
            rule: record.rule(),
            first,
            legs,
        }
    }

    /// The other order of the pair of which one cancels the other.
    fn other(&self, slot: u32) -> Option<u32> {
        let [one, two] = match self.kind {
            LinkKind::Oco => [self.first, self.legs.first().copied().flatten()],
            LinkKind::Otoco => self.legs,
            LinkKind::Oto => return None,
        };
        match slot {
            _ if one == Some(slot) => two,
            _ if two == Some(slot) => one,
            _ => None,
        }
    }

    /// The legs that wait for the order, when it is the first.
    fn followers(&self, slot: u32) -> [Option<u32>; 2] {
        let leads = self.kind != LinkKind::Oco && self.first == Some(slot);
        if leads { self.legs } else { [None; 2] }
    }
}

/// The tables that links are read from.
#[derive(Clone, Copy)]
pub(crate) struct Links<'a> {
    pub(crate) table: &'a LinkTable,
    pub(crate) orders: &'a OrderTable,
    pub(crate) specials: &'a SpecialTable,
}

impl Links<'_> {
    /// The link that an order is in.
    fn roles(&self, slot: u32) -> Option<Roles> {
        let link = self.orders.get(slot)?.link_slot()?;
        self.table.get(link).map(Roles::of)
    }

    fn remaining(&self, slot: u32, loose: &Loose) -> Lots {
        let remaining = self.orders.get(slot).map_or(0, |record| record.remaining);
        remaining.saturating_sub(loose.lost.get(&slot).copied().unwrap_or(0))
    }

    /// What remains of an order without its doomed lots.
    pub(crate) fn left(&self, slot: u32, loose: &Loose) -> Lots {
        let doomed = loose.doomed.get(&slot).copied().unwrap_or(0);
        self.remaining(slot, loose).saturating_sub(doomed).max(0)
    }

    fn dormant(&self, slot: u32, loose: &Loose) -> Lots {
        if let Some(dormant) = loose.dormant.get(&slot) {
            return *dormant;
        }
        let special = self.orders.get(slot).and_then(OrderRecord::special_slot);
        let special = special.and_then(|at| self.specials.get(at));
        special.map_or(0, |special| special.dormant)
    }

    fn set_dormant(&self, slot: u32, lots: Lots, loose: &mut Loose) {
        if lots >= self.dormant(slot, loose) {
            return;
        }
        if loose.dormant.insert(slot, lots).is_none() {
            loose.woken.push(slot);
        }
    }

    /// So many more lots of an order are doomed, dormant ones first.
    fn doom(&self, slot: u32, lots: Lots, loose: &mut Loose) {
        let left = self.left(slot, loose);
        let lots = lots.min(left);
        if lots <= 0 {
            return;
        }
        match loose.doomed.get_mut(&slot) {
            Some(doomed) => *doomed = doomed.saturating_add(lots),
            None => {
                loose.doomed.insert(slot, lots);
                loose.queue.push(slot);
            }
        }
        let dormant = self.dormant(slot, loose).saturating_sub(lots).max(0);
        self.set_dormant(slot, dormant, loose);
    }

    fn doom_dormant(&self, slot: u32, loose: &mut Loose) {
        self.doom(slot, self.dormant(slot, loose), loose);
    }

    /// Two orders trade; either may be in a link.
    pub(crate) fn trade(&self, maker: u32, taker: u32, lots: Lots, loose: &mut Loose) {
        let both = [maker, taker].map(|slot| (slot, self.roles(slot), self.left(slot, loose)));
        for (slot, roles, _) in &both {
            if roles.is_some() {
                self.lose(*slot, lots, loose);
            }
        }
        for (slot, roles, left) in both {
            if let Some(roles) = roles {
                self.filled(&roles, slot, lots, left, loose);
            }
        }
    }

    /// An order of which `left` lots were left has traded.
    fn filled(&self, roles: &Roles, slot: u32, lots: Lots, left: Lots, loose: &mut Loose) {
        let act = |of: Lots| act(roles.rule, of, lots, left);
        for leg in roles.followers(slot).into_iter().flatten() {
            let dormant = self.dormant(leg, loose);
            self.set_dormant(leg, dormant.saturating_sub(act(dormant)), loose);
        }
        if let Some(other) = roles.other(slot) {
            self.doom(other, act(self.left(other, loose)), loose);
        }
    }

    /// An order of a link loses lots without a trade, perhaps the last.
    pub(crate) fn decrement(&self, slot: u32, lots: Lots, loose: &mut Loose) {
        if self.roles(slot).is_none() {
            return;
        }
        self.lose(slot, lots, loose);
        if self.remaining(slot, loose) <= 0 {
            self.leave(slot, loose);
        }
    }

    fn lose(&self, slot: u32, lots: Lots, loose: &mut Loose) {
        let lost = loose.lost.entry(slot).or_default();
        *lost = lost.saturating_add(lots);
    }

    /// An order of a link leaves otherwise than by its last fill, and no link takes it. To leave twice
    /// changes nothing.
    pub(crate) fn leave(&self, slot: u32, loose: &mut Loose) {
        if let Some(roles) = self.roles(slot) {
            self.leave_as(&roles, slot, loose);
        }
    }

    fn leave_as(&self, roles: &Roles, slot: u32, loose: &mut Loose) {
        if let Some(other) = roles.other(slot) {
            self.doom(other, self.left(other, loose), loose);
        }
        for leg in roles.followers(slot).into_iter().flatten() {
            self.doom_dormant(leg, loose);
        }
    }

    /// A leg enters, and leaves no lots to the others with the rule Incremental.
    fn enter(&self, slot: u32, loose: &mut Loose) {
        let Some(roles) = self.roles(slot) else {
            return;
        };
        let waited = roles.kind != LinkKind::Oco && roles.first != Some(slot);
        if !waited || roles.rule != LinkRule::Incremental {
            return;
        }
        if let Some(first) = roles.first {
            self.doom(first, self.left(first, loose), loose);
        }
        if let Some(other) = roles.other(slot) {
            self.doom_dormant(other, loose);
        }
    }
}

/// Of `of` lots, those that a fill of `lots` acts on when `left` of the order were left before it.
fn act(rule: LinkRule, of: Lots, lots: Lots, left: Lots) -> Lots {
    match rule {
        LinkRule::FirstHit => of,
        LinkRule::CompleteFill if lots == left => of,
        LinkRule::CompleteFill => 0,
        LinkRule::Incremental => {
            let part = i128::from(of)
                .saturating_mul(i128::from(lots))
                .checked_div(i128::from(left));
            part.and_then(|part| Lots::try_from(part).ok()).unwrap_or(0)
        }
    }
}

/// What taking lots off means for an order.
#[derive(Debug)]
pub(crate) struct Off {
    pub(crate) event: Event,
    /// What it had reserved for them.
    pub(crate) release: Option<Release>,
}

impl GroupShard {
    pub(crate) fn links(&self) -> Links<'_> {
        Links {
            table: &self.links,
            orders: &self.orders,
            specials: &self.specials,
        }
    }

    fn links_and_loose(&mut self) -> (Links<'_>, &mut Loose) {
        let Self {
            links: table,
            orders,
            specials,
            loose,
            ..
        } = self;
        let links = Links {
            table,
            orders,
            specials,
        };
        (links, loose)
    }

    /// A leg that entered takes from the others of its link.
    pub(crate) fn link_enters(&mut self, slot: u32) {
        let (links, loose) = self.links_and_loose();
        links.enter(slot, loose);
    }

    /// An order of a link is gone, or is about to be; what it does to the others is noted, unless
    /// it goes alone, by its last fill or because of the others.
    pub(crate) fn quit_link(&mut self, slot: u32, link: Option<u32>, alone: bool) -> Option<()> {
        let link = link?;
        let record = *self.links.get(link)?;
        let named = slot.checked_add(1)?;
        if !record.orders.contains(&named) {
            return None;
        }
        if !alone {
            let (links, loose) = self.links_and_loose();
            links.leave_as(&Roles::of(&record), slot, loose);
        }
        let orders = record.orders.map(|at| if at == named { 0 } else { at });
        let open = orders.iter().filter(|at| **at != 0).count();
        let [first, ..] = orders;
        let over = open < 2 || (record.kind() == LinkKind::Oto && first == 0);
        if !over {
            self.links.get_mut(link)?.orders = orders;
            return Some(());
        }
        for at in orders.into_iter().filter_map(|at| at.checked_sub(1)) {
            if let Some(order) = self.orders.get_mut(at) {
                order.link = 0;
            }
        }
        self.links.free(link).ok()
    }

    /// Takes off what links have doomed, in the order in which that happened, and wakes the legs of
    /// which fewer lots are dormant.
    pub(crate) fn take_off(&mut self, account: &dyn Fn(AccountRef) -> Account) -> Vec<Off> {
        let mut offs = Vec::new();
        self.loose.walked();
        for slot in std::mem::take(&mut self.loose.queue) {
            let lots = self.loose.doomed.remove(&slot).unwrap_or(0);
            offs.extend(self.take_off_one(slot, lots, account));
        }
        for slot in std::mem::take(&mut self.loose.woken) {
            let dormant = self.loose.dormant.remove(&slot).unwrap_or(0);
            offs.extend(self.wake(slot, dormant, account));
        }
        offs
    }

    fn take_off_one(
        &mut self,
        slot: u32,
        lots: Lots,
        account: &dyn Fn(AccountRef) -> Account,
    ) -> Option<Off> {
        let record = *self.orders.get(slot)?;
        let order = self.id(slot, &record)?;
        let owner = account(AccountRef(record.account));
        let lots = lots.min(record.remaining);
        let left = record.remaining.saturating_sub(lots);
        let release = (!record.waiting()).then(|| release_of(&record, lots));
        let event = if left > 0 {
            self.shrink(slot, left)?;
            Event::Reduced {
                market: MarketId(record.market),
                order,
                account: owner,
                size: left,
                reason: Removal::Linked,
            }
        } else {
            self.remove_alone(slot)?;
            removed_event(&record, order, owner, Removal::Linked)
        };
        Some(Off { event, release })
    }

    /// Fewer lots of a leg are dormant than before, if it is still there and waits.
    fn wake(
        &mut self,
        slot: u32,
        dormant: Lots,
        account: &dyn Fn(AccountRef) -> Account,
    ) -> Option<Off> {
        let record = *self.orders.get(slot).filter(|record| record.waiting())?;
        self.unwatch(slot, &record);
        self.special_mut(&record)?.dormant = dormant;
        self.watch(slot, &record)?;
        let event = self.waiting_event(slot, account(AccountRef(record.account)))?;
        Some(Off {
            event,
            release: None,
        })
    }

    /// Says that an order waits, and for what.
    pub(crate) fn waiting_event(&self, slot: u32, account: Account) -> Option<Event> {
        let record = self.orders.get(slot)?;
        let special: &SpecialRecord = self.special(record)?;
        Some(Event::Waiting {
            market: MarketId(record.market),
            order: self.id(slot, record)?,
            account,
            side: record.side(),
            price: record.price,
            size: record.remaining,
            dormant: special.dormant,
            trigger: special.trigger(),
            twap: special.twap(),
            client_id: record.client(),
        })
    }
}

/// Says that an order is gone.
pub(crate) fn removed_event(
    record: &OrderRecord,
    order: OrderId,
    account: Account,
    reason: Removal,
) -> Event {
    Event::Removed {
        market: MarketId(record.market),
        order,
        account,
        size: record.remaining,
        reason,
        client_id: record.client(),
    }
}

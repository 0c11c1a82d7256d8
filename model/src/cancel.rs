//! Pass 2, first half: cancels and the floors that they leave.

use crate::Model;
use crate::authorise::Request;
use crate::state::{Floors, Named, PlacedOrder, Stamp};
use ballast_types::{Account, Cancel, Class, GroupId, GroupKey, Removal, ticket};

impl Model {
    pub(crate) fn cancel(&mut self, cancels: Vec<Request<Cancel>>) {
        for group in self.groups() {
            let mut here: Vec<_> = cancels
                .iter()
                .filter(|request| self.acts_in(&request.action, group))
                .collect();
            here.sort_by_key(|request| GroupKey {
                class: Class::Cancel,
                ticket: ticket(&self.block.seed, group, request.account.master),
                action: request.key,
            });
            for request in here {
                self.cancel_in(group, request.account, &request.action);
                let stamp = (request.key.nonce, request.key.index);
                self.leave_floor(group, request.account, &request.action, stamp);
            }
        }
    }

    fn acts_in(&self, cancel: &Cancel, group: GroupId) -> bool {
        match cancel {
            Cancel::Market(market) => self.group_of(*market) == group,
            _ => cancel.group().is_none_or(|named| named == group),
        }
    }

    fn cancel_in(&mut self, group: GroupId, account: Account, cancel: &Cancel) {
        for order in self.placed_by(account, group) {
            if self.names(cancel, &order) && self.is_placed(order.id) {
                self.coverage.count_if(order.quote, "quote cancelled");
                let linked = self.link(order.id).is_some();
                self.coverage.count_if(linked, "linked order cancelled");
                let events = self.remove_now(order.id, Removal::Cancelled);
                self.group_events(group, events);
            }
        }
    }

    /// Whether a cancel names an order of its account and group.
    fn names(&self, cancel: &Cancel, order: &PlacedOrder) -> bool {
        match cancel {
            Cancel::Order(id) => self.aliases.get(id) == Some(&order.id),
            Cancel::Client { client_id, .. } => order.client_id == Some(*client_id),
            Cancel::Label { label, .. } => order.label == *label,
            Cancel::Market(market) => order.market == *market,
            Cancel::All(_) => true,
        }
    }

    fn leave_floor(&mut self, group: GroupId, account: Account, cancel: &Cancel, stamp: Stamp) {
        let limit = usize::try_from(self.spec.limits.floors).expect("32 bits fit");
        let floors = match cancel {
            Cancel::Order(_) => return,
            _ => self.state.floors.entry((account, group)).or_default(),
        };
        match cancel {
            Cancel::Order(_) => {}
            Cancel::Client { client_id, .. } => raise(floors, Named::Client(*client_id), stamp),
            Cancel::Label { label, .. } => raise(floors, Named::Label(*label), stamp),
            Cancel::Market(market) => {
                let floor = floors.markets.entry(*market).or_default();
                *floor = (*floor).max(stamp);
            }
            Cancel::All(_) => floors.all = floors.all.max(stamp),
        }
        while floors.named.len() > limit {
            self.coverage.count("floor evicted");
            let lowest = floors
                .named
                .iter()
                .map(|(named, stamp)| (*stamp, *named))
                .min();
            let Some((stamp, named)) = lowest else { return };
            floors.named.remove(&named);
            floors.all = floors.all.max(stamp);
        }
    }

    /// True when a cancel that came earlier, with a higher stamp, names an order like this.
    pub(crate) fn is_below_floor(
        &self,
        account: Account,
        market: ballast_types::MarketId,
        label: u32,
        client_id: Option<u128>,
        stamp: Stamp,
    ) -> bool {
        let Some(floors) = self.state.floors.get(&(account, self.group_of(market))) else {
            return false;
        };
        let by_client = client_id.and_then(|id| floors.named.get(&Named::Client(id)));
        let named = [
            Some(&floors.all),
            floors.markets.get(&market),
            floors.named.get(&Named::Label(label)),
            by_client,
        ];
        named.into_iter().flatten().any(|floor| stamp < *floor)
    }
}

fn raise(floors: &mut Floors, named: Named, stamp: Stamp) {
    let floor = floors.named.entry(named).or_insert(stamp);
    *floor = (*floor).max(stamp);
}

//! Pass 2, second half: amends.

use crate::Model;
use crate::admit::{Entry, check_max_fills};
use crate::authorise::Request;
use crate::state::RestingOrder;
use ballast_types::{ActionResult, Amend, Code, GroupId, OrderRef, Removal, TimeInForce, ticket};

impl Model {
    /// Returns the orders that enter again.
    pub(crate) fn amend(&mut self, amends: Vec<Request<Amend>>) -> Vec<Entry> {
        let mut entries = Vec::new();
        for group in self.groups() {
            let mut here: Vec<_> = amends
                .iter()
                .filter(|request| group_of(&request.action) == group)
                .collect();
            here.sort_by_key(|request| {
                (
                    ticket(&self.block.seed, group, request.account.master),
                    request.key,
                )
            });
            for request in here {
                match self.amend_one(group, request) {
                    Ok(entry) => entries.extend(entry),
                    Err(code) => self.answer_code(request.place, code),
                }
            }
        }
        entries
    }

    fn amend_one(
        &mut self,
        group: GroupId,
        request: &Request<Amend>,
    ) -> Result<Option<Entry>, Code> {
        let amend = &request.action;
        let order = self.amended(group, request).ok_or(Code::UnknownOrder)?;
        let market = &self.spec.markets[order.market.index()];
        if !(1..=market.max_price).contains(&amend.price) {
            return Err(Code::BadPrice);
        }
        if !(market.min_size..=market.max_size).contains(&amend.size) {
            return Err(Code::BadSize);
        }
        check_max_fills(amend.max_fills, order.post_only, &self.spec.limits)?;
        if let Some(agent) = &request.agent {
            self.coverage.count("amend of an agent");
            self.check_scope(agent, order.market, amend.price, amend.size)?;
        }
        let lots = amend.size - order.filled;
        if lots <= 0 {
            self.coverage.count("amend to nothing");
            let event = self.remove(order.id, Removal::Amended);
            self.group_event(group, event);
            return Ok(None);
        }
        if amend.price == order.price && lots <= order.remaining {
            self.coverage.count("amend in place");
            if lots < order.remaining {
                let event = self.shrink(order.id, lots, Removal::Amended);
                self.group_event(group, event);
            }
            let result = ActionResult {
                code: Code::Ok,
                order: Some(order.id),
                filled: 0,
            };
            self.answer(request.place, result);
            return Ok(None);
        }
        if !amend.keep_on_reject {
            self.coverage.count("amend by entering again");
            let event = self.remove(order.id, Removal::Amended);
            self.group_event(group, event);
        }
        Ok(Some(entry_again(request, &order, lots)))
    }

    fn amended(&self, group: GroupId, request: &Request<Amend>) -> Option<RestingOrder> {
        match request.action.order {
            OrderRef::Id(id) => self
                .own_order(request.account, *self.aliases.get(&id)?)
                .cloned(),
            OrderRef::Client { client_id, .. } => self
                .resting(request.account, group)
                .into_iter()
                .find(|order| order.client_id == Some(client_id)),
        }
    }
}

fn entry_again(request: &Request<Amend>, order: &RestingOrder, lots: i64) -> Entry {
    Entry {
        account: request.account,
        key: request.key,
        place: request.place,
        market: order.market,
        side: order.side,
        price: request.action.price,
        lots,
        filled: order.filled,
        tif: if order.expiry == 0 {
            TimeInForce::Gtc
        } else {
            TimeInForce::Gtt(order.expiry)
        },
        post_only: order.post_only,
        reduce_only: order.reduce_only,
        client_id: order.client_id,
        label: order.label,
        max_fills: request.action.max_fills,
        again: true,
        replaces: request.action.keep_on_reject.then_some(order.id),
    }
}

fn group_of(amend: &Amend) -> GroupId {
    match amend.order {
        OrderRef::Id(id) => id.group(),
        OrderRef::Client { group, .. } => group,
    }
}

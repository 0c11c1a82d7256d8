//! Pass 2, second half: amends.

use crate::Model;
use crate::admit::{Entry, check_max_fills};
use crate::authorise::Request;
use crate::state::PlacedOrder;
use ballast_types::{
    ActionResult, Amend, Code, GroupId, OrderId, OrderRef, PostOnly, Removal, ticket,
};

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
        check_max_fills(
            amend.max_fills,
            order.post_only != PostOnly::No,
            &self.spec.limits,
        )?;
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
        let kept = ActionResult {
            code: Code::Ok,
            order: Some(order.id),
            filled: 0,
        };
        if self.state.waiting.contains_key(&order.id) {
            self.amend_waiting(group, order.id, amend);
            self.answer(request.place, kept);
            return Ok(None);
        }
        if amend.price == order.price && lots <= order.remaining {
            self.coverage.count("amend in place");
            if lots < order.remaining {
                let event = self.shrink(order.id, lots, Removal::Amended);
                self.group_event(group, event);
            }
            self.answer(request.place, kept);
            return Ok(None);
        }
        if !amend.keep_on_reject {
            self.coverage.count("amend by entering again");
            let event = self.remove(order.id, Removal::Amended);
            self.group_event(group, event);
        }
        self.coverage
            .count_if(order.display.is_some(), "iceberg order enters again");
        Ok(Some(entry_again(request, &order, lots)))
    }

    fn amended(&self, group: GroupId, request: &Request<Amend>) -> Option<PlacedOrder> {
        let mut own = self.placed_by(request.account, group).into_iter();
        match request.action.order {
            OrderRef::Id(id) => {
                let id = *self.aliases.get(&id)?;
                own.find(|order| order.id == id)
            }
            OrderRef::Client { client_id, .. } => {
                own.find(|order| order.client_id == Some(client_id))
            }
        }
    }

    /// A waiting order takes its new values in its place.
    fn amend_waiting(&mut self, group: GroupId, id: OrderId, amend: &Amend) {
        let triggered = self.block.triggered.contains(&id);
        let waiting = self.state.waiting.get_mut(&id).expect("it waits");
        self.coverage.count("waiting order amended");
        self.coverage
            .count_if(waiting.due, "waiting order amended when due");
        self.coverage.count_if(triggered, "triggered order amended");
        waiting.placed.price = amend.price;
        waiting.placed.remaining = amend.size;
        waiting.max_fills = amend.max_fills;
        let event = waiting.event();
        self.group_event(group, event);
    }
}

fn entry_again(request: &Request<Amend>, order: &PlacedOrder, lots: i64) -> Entry {
    let amend = &request.action;
    Entry {
        account: request.account,
        key: request.key,
        place: Some(request.place),
        order: order.terms(amend.price, lots, amend.max_fills),
        filled: order.filled,
        again: true,
        replaces: amend.keep_on_reject.then_some(order.id),
        triggered: None,
    }
}

fn group_of(amend: &Amend) -> GroupId {
    match amend.order {
        OrderRef::Id(id) => id.group(),
        OrderRef::Client { group, .. } => group,
    }
}

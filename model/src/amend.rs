//! Pass 2, second half: what changes orders. Amends; `quote` holds quotes.

use crate::Model;
use crate::admit::{Entry, check_max_fills};
use crate::authorise::Request;
use crate::book::fits_bands;
use crate::state::{PlacedOrder, part_of};
use ballast_types::{
    Amend, Code, GroupId, Lots, OrderId, OrderRef, PostOnly, Quotes, Removal, ticket,
};

/// What changes orders that rest or wait.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Amend(Amend),
    Quotes(Quotes),
}

impl Change {
    fn group(&self) -> GroupId {
        match self {
            Self::Amend(amend) => group_of(amend),
            Self::Quotes(quotes) => quotes.group,
        }
    }
}

impl Model {
    /// Amends and quotes. Returns what they send to pass 3.
    pub(crate) fn change(&mut self, mut changes: Vec<Request<Change>>) -> Vec<Entry> {
        let seed = self.block.seed;
        changes.sort_by_key(|request| {
            let group = request.action.group();
            let ticket = ticket(&seed, group, request.account.master);
            (group, ticket, request.key)
        });
        let mut entries = Vec::new();
        for request in changes {
            match &request.action {
                Change::Quotes(quotes) => entries.extend(self.quote(quotes, &request.with(()))),
                Change::Amend(amend) => match self.amend(&request.with(*amend)) {
                    Ok(entry) => entries.extend(entry),
                    Err(code) => self.refuse(request.place, code),
                },
            }
        }
        entries
    }

    /// Returns the order that enters again, if any.
    pub(crate) fn amend(&mut self, request: &Request<Amend>) -> Result<Option<Entry>, Code> {
        let amend = &request.action;
        let group = group_of(amend);
        let order = self.amended(group, request).ok_or(Code::UnknownOrder)?;
        if self.link(order.id).is_some() {
            return Err(Code::OrderLinked);
        }
        let market = &self.spec.markets[order.market.index()];
        if !(1..=market.max_price).contains(&amend.price)
            || !fits_bands(&market.tick_bands, amend.price)
        {
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
        let kept = part_of(Code::Ok, Some(order.id));
        if self.state.waiting.contains_key(&order.id) {
            self.amend_waiting(group, order.id, amend, lots);
            self.answer(request.place, kept);
            return Ok(None);
        }
        if amend.price == order.price && lots <= order.remaining {
            self.coverage.count("amend in place");
            self.coverage
                .count_if(order.quote, "quote amended in place");
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
        let name = format!("quote amended, keep {}", amend.keep_on_reject);
        self.coverage.count_if(order.quote, &name);
        self.coverage
            .count_if(order.peg.is_some(), "pegged order enters again");
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
    fn amend_waiting(&mut self, group: GroupId, id: OrderId, amend: &Amend, lots: Lots) {
        let triggered = self.block.triggered.contains(&id);
        let waiting = self.state.waiting.get_mut(&id).expect("it waits");
        self.coverage.count("waiting order amended");
        self.coverage
            .count_if(waiting.due, "waiting order amended when due");
        self.coverage.count_if(triggered, "triggered order amended");
        self.coverage
            .count_if(waiting.placed.filled > 0, "TWAP order amended under way");
        waiting.placed.price = amend.price;
        waiting.placed.level = amend.price;
        waiting.placed.remaining = lots;
        waiting.max_fills = amend.max_fills;
        let event = waiting.event();
        self.group_event(group, event);
    }
}

fn entry_again(request: &Request<Amend>, order: &PlacedOrder, lots: Lots) -> Entry {
    let amend = &request.action;
    let terms = order.terms(amend.price, lots, amend.max_fills);
    Entry {
        filled: order.filled,
        again: true,
        replaces: amend.keep_on_reject.then_some(order.id),
        quote: order.quote,
        ..Entry::new(&request.with(terms))
    }
}

pub(crate) fn group_of(amend: &Amend) -> GroupId {
    match amend.order {
        OrderRef::Id(id) => id.group(),
        OrderRef::Client { group, .. } => group,
    }
}

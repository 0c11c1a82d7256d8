//! Actions of linked orders: checked in pass 1, judged together in pass 3, placed together in pass 4.

use crate::Model;
use crate::admit::{Entry, LinkTerms};
use crate::authorise::{Intents, Request};
use crate::link::Link;
use crate::state::{Place, Refusal, part_of};
use ballast_types::{Code, GroupId, LinkKind, LinkRule, Linked, Lots, Order, OrderId, PartResult};

impl Model {
    /// Pass 1. The orders are parts of the action, the first order before its legs.
    pub(crate) fn linked(
        &mut self,
        linked: &Linked,
        request: &Request<()>,
        intents: &mut Intents,
    ) -> Result<(), Code> {
        if !is_link(linked) {
            return Err(Code::BadLink);
        }
        let market = linked.order.market;
        self.spec.market(market).ok_or(Code::UnknownMarket)?;
        let orders: Vec<&Order> = [&linked.order].into_iter().chain(&linked.legs).collect();
        self.answer_parts(request.place, orders.len());
        if let Some(agent) = &request.agent {
            self.coverage.count("linked orders of an agent");
            for (at, order) in orders.iter().enumerate() {
                if let Err(code) = self.check_scope(agent, market, order.price, order.size) {
                    self.coverage.count("link refused in pass 1");
                    self.refuse_link(request.place, orders.len(), at, code);
                    return Ok(());
                }
            }
        }
        let mut entries = (0..).zip(orders).map(|(at, order)| Entry {
            leg: at > 0,
            ..Entry::new(&request.part(at).with(*order))
        });
        let first = entries.next().expect("the first order");
        let terms = LinkTerms {
            kind: linked.kind,
            rule: linked.rule,
            legs: entries.collect(),
        };
        intents.orders.push(Entry {
            link: Some(terms),
            ..first
        });
        Ok(())
    }

    /// One order of an action gets its code, and each other the one that says so.
    fn refuse_link(&mut self, place: Place, orders: usize, at: usize, refusal: impl Into<Refusal>) {
        let refusal = refusal.into();
        for part in 0..orders {
            let refusal = if part == at {
                refusal
            } else {
                Code::LinkRefused.into()
            };
            let place = Place {
                part: Some(part),
                ..place
            };
            self.refuse(place, refusal);
        }
    }

    /// Pass 3: all of them or none.
    pub(crate) fn admit_linked(&mut self, entry: Entry) {
        let admitted = self.block.admitted.len();
        let judged = self.judge_linked(&entry);
        self.block.admitted.truncate(admitted);
        match judged {
            Ok(lots) => {
                let order = Order {
                    size: lots,
                    ..entry.order
                };
                self.block.admitted.push(Entry { order, ..entry });
            }
            Err((at, refusal)) => {
                let place = entry.place.expect("an action has a result");
                self.coverage
                    .count_if(at == 0, "first order of a link refused");
                self.coverage.count_if(at > 0, "leg of a link refused");
                self.refuse_link(place, 1 + entry.legs().len(), at, refusal);
            }
        }
    }

    /// Lots of the first order, or which order is refused. Legs count from when they are judged.
    fn judge_linked(&mut self, entry: &Entry) -> Result<Lots, (usize, Refusal)> {
        for (at, leg) in (1..).zip(entry.legs()) {
            self.admitted_lots(leg).map_err(|refusal| (at, refusal))?;
            self.block.admitted.push(leg.clone());
        }
        self.admitted_lots(entry).map_err(|refusal| (0, refusal))
    }

    /// Pass 4: the legs wait, and the first order enters, if there is room for all that wait.
    pub(crate) fn enter_linked(&mut self, group: GroupId, entry: &Entry) {
        let parts: Vec<&Entry> = [entry].into_iter().chain(entry.legs()).collect();
        let ids: Vec<OrderId> = parts.iter().map(|_| self.next_id(group)).collect();
        let mut answers = vec![(Code::LinkRefused, 0); parts.len()];
        match self.full_for(group, entry) {
            Some(at) => {
                self.coverage.count("no room for linked orders");
                answers[at].0 = Code::TriggerLimit;
            }
            None => {
                self.place_linked(group, entry, &ids);
                answers.fill((Code::Ok, 0));
                let PartResult { code, filled, .. } = self.enter_as(group, entry, ids[0]);
                answers[0] = (code, filled);
            }
        }
        for ((part, id), (code, filled)) in parts.iter().zip(ids).zip(answers) {
            let result = PartResult {
                filled,
                ..part_of(code, Some(id))
            };
            self.answer(part.place.expect("an action has results"), result);
        }
    }

    /// The first part for which there is no room to wait.
    fn full_for(&mut self, group: GroupId, entry: &Entry) -> Option<usize> {
        let first = entry.order.waits().then_some((0, entry));
        let legs = (1..).zip(entry.legs());
        let waiting: Vec<(usize, &Entry)> = legs.chain(first).collect();
        for (before, (at, part)) in waiting.iter().enumerate() {
            let others: Vec<&Order> = waiting[..before].iter().map(|(_, e)| &e.order).collect();
            if !self.has_room_to_wait(group, &part.order, &others) {
                return Some(*at);
            }
        }
        None
    }

    fn place_linked(&mut self, group: GroupId, entry: &Entry, ids: &[OrderId]) {
        let terms = entry.link.as_ref().expect("it is linked");
        for (leg, id) in terms.legs.iter().zip(&ids[1..]) {
            let dormant = match terms.kind {
                LinkKind::Oco => 0,
                _ => leg.order.size,
            };
            self.begin_to_wait(group, leg, *id, dormant);
        }
        let name = format!("link {:?} {:?}", terms.kind, terms.rule);
        self.coverage.count(&name);
        let link = Link::new(terms.kind, terms.rule, ids.to_vec());
        self.state.links.push(link);
    }
}

/// Whether numbers, markets and kinds of the orders fit.
fn is_link(linked: &Linked) -> bool {
    let (order, legs) = (&linked.order, &linked.legs);
    let number = match linked.kind {
        LinkKind::Otoco => 2,
        LinkKind::Oco | LinkKind::Oto => 1,
    };
    let with_trigger = legs.iter().filter(|leg| leg.trigger.is_some()).count();
    let needed = match (linked.rule, linked.kind) {
        (LinkRule::Incremental, _) => number,
        (_, LinkKind::Oto) => 0,
        (_, LinkKind::Oco | LinkKind::Otoco) => 1,
    };
    let pair: Vec<&Order> = match linked.kind {
        LinkKind::Oco => [order].into_iter().chain(legs).collect(),
        LinkKind::Oto => Vec::new(),
        LinkKind::Otoco => legs.iter().collect(),
    };
    let one_side = pair.windows(2).all(|two| two[0].side == two[1].side);
    legs.len() == number
        && legs.iter().all(|leg| leg.market == order.market)
        && [order]
            .into_iter()
            .chain(legs)
            .all(|order| order.peg.is_none() && order.twap.is_none())
        && with_trigger >= needed
        && (linked.rule != LinkRule::Incremental || one_side)
}

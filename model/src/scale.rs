//! Pass 1: a scale as the orders that it stands for.

use crate::Model;
use crate::authorise::{Intents, Request};
use ballast_types::{Code, Lots, Order, Scale, Ticks};
use std::ops::RangeInclusive;

const ORDERS: RangeInclusive<u16> = 2..=64;
const LAST_SIZE_PPM: RangeInclusive<u32> = 1_000..=1_000_000_000;

impl Model {
    /// Each order is a part of the action, checked by itself.
    pub(crate) fn scale(
        &mut self,
        scale: &Scale,
        request: &Request<()>,
        intents: &mut Intents,
    ) -> Result<(), Code> {
        let orders = expand(scale).ok_or(Code::BadScale)?;
        self.coverage
            .count_if(request.agent.is_some(), "scale of an agent");
        self.answer_parts(request.place, orders.len());
        for (at, order) in orders.iter().enumerate() {
            let part = request.part(at);
            if let Err(code) = self.order(order, &part, intents) {
                self.coverage.count("scale part refused in pass 1");
                self.refuse(part.place, code);
            }
        }
        Ok(())
    }
}

/// The orders of a scale; `None` when it is not one.
fn expand(scale: &Scale) -> Option<Vec<Order>> {
    let first = &scale.order;
    let good = ORDERS.contains(&scale.orders)
        && LAST_SIZE_PPM.contains(&scale.last_size_ppm)
        && first.may_rest()
        && first.peg.is_none()
        && !first.waits();
    if !good {
        return None;
    }
    let sizes = sizes(first.size, scale.orders, scale.last_size_ppm);
    let prices = prices(first.price, scale.last_price, scale.orders);
    let orders = (0..).zip(prices).zip(sizes).map(|((at, price), size)| {
        let client_id = match first.client_id {
            Some(client_id) => Some(client_id.checked_add(at)?),
            None => None,
        };
        Some(Order {
            price,
            size,
            client_id,
            ..*first
        })
    });
    orders.collect()
}

/// `orders` prices from `first` to `last`, equally far apart but for rounding.
fn prices(first: Ticks, last: Ticks, orders: u16) -> Vec<Ticks> {
    let steps = i128::from(orders) - 1;
    let (first, last) = (i128::from(first), i128::from(last));
    (0..=steps)
        .map(|at| first + (last - first) * at / steps)
        .map(|price| Ticks::try_from(price).expect("between two prices"))
        .collect()
}

/// `size` lots in `orders` parts on a line, the last about `last_size_ppm` of the first.
fn sizes(size: Lots, orders: u16, last_size_ppm: u32) -> Vec<Lots> {
    let last = i128::from(orders) - 1;
    let weight = |at: i128| 1_000_000 * (last - at) + i128::from(last_size_ppm) * at;
    let sum: i128 = (0..=last).map(weight).sum();
    let mut sizes: Vec<Lots> = (0..=last)
        .map(|at| i128::from(size) * weight(at) / sum)
        .map(|part| Lots::try_from(part).expect("a part of the size"))
        .collect();
    let mut over = size - sizes.iter().sum::<Lots>();
    for part in &mut sizes {
        if over > 0 {
            *part += 1;
            over -= 1;
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_evenly_spaced_and_truncated() {
        for (first, last, orders, expected) in [
            (100, 110, 2, vec![100, 110]),
            (100, 110, 3, vec![100, 105, 110]),
            (100, 110, 4, vec![100, 103, 106, 110]),
            (110, 100, 4, vec![110, 107, 104, 100]),
            (5, 5, 3, vec![5, 5, 5]),
            (1, 2, 4, vec![1, 1, 1, 2]),
            (i64::MIN, i64::MAX, 2, vec![i64::MIN, i64::MAX]),
        ] {
            assert_eq!(prices(first, last, orders), expected);
        }
    }

    #[test]
    fn sizes_lie_on_a_line_and_the_first_get_what_is_left_over() {
        for (size, orders, ppm, expected) in [
            (10, 2, 1_000_000, vec![5, 5]),
            (11, 2, 1_000_000, vec![6, 5]),
            (11, 3, 1_000_000, vec![4, 4, 3]),
            (60, 3, 3_000_000, vec![10, 20, 30]),
            (61, 3, 3_000_000, vec![11, 20, 30]),
            (60, 3, 333_333, vec![31, 20, 9]),
            (2, 3, 1_000_000, vec![1, 1, 0]),
            (0, 2, 1_000_000, vec![0, 0]),
            (-5, 2, 1_000_000, vec![-2, -2]),
            (1_001, 2, 1_000, vec![1_000, 1]),
            (1_001, 2, 1_000_000_000, vec![1, 1_000]),
        ] {
            assert_eq!(sizes(size, orders, ppm), expected, "{size} {orders} {ppm}");
        }
    }
}

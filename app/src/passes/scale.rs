//! Pass 1: a scale becomes its orders.

use ballast_types::{Code, Lots, Order, Scale, Ticks};

/// How many orders a scale may have.
const ORDERS: std::ops::RangeInclusive<u16> = 2..=64;
/// Size of the last order as a multiple of the first's, in millionths.
const LAST_SIZE_PPM: std::ops::RangeInclusive<u32> = 1_000..=1_000_000_000;
/// Weight of the first order.
const MILLION: i128 = 1_000_000;

/// The orders of a scale, from the first price to the last.
pub(crate) fn orders(scale: &Scale) -> Result<Vec<Order>, Code> {
    let fits = ORDERS.contains(&scale.orders)
        && LAST_SIZE_PPM.contains(&scale.last_size_ppm)
        && scale.order.may_rest()
        && !scale.order.waits()
        && scale.order.peg.is_none();
    if !fits {
        return Err(Code::BadScale);
    }
    (0..scale.orders)
        .zip(sizes(scale))
        .map(|(i, size)| one(scale, i, size).ok_or(Code::BadScale))
        .collect()
}

fn one(scale: &Scale, i: u16, size: Lots) -> Option<Order> {
    let order = scale.order;
    let client_id = match order.client_id {
        Some(id) => Some(id.checked_add(u128::from(i))?),
        None => None,
    };
    let (first, last) = (i128::from(order.price), i128::from(scale.last_price));
    let steps = i128::from(scale.orders).saturating_sub(1);
    let step = last.saturating_sub(first).saturating_mul(i128::from(i));
    let price = first.saturating_add(step.checked_div(steps)?);
    Some(Order {
        price: Ticks::try_from(price).ok()?,
        size,
        client_id,
        ..order
    })
}

/// Sizes on a line from the first to the last; what rounding leaves over goes to the first orders.
fn sizes(scale: &Scale) -> Vec<Lots> {
    let total = i128::from(scale.order.size);
    let last = i128::from(scale.orders).saturating_sub(1);
    let weights: Vec<i128> = (0..scale.orders)
        .map(|i| {
            let i = i128::from(i);
            let first = MILLION.saturating_mul(last.saturating_sub(i));
            first.saturating_add(i128::from(scale.last_size_ppm).saturating_mul(i))
        })
        .collect();
    let sum = weights.iter().fold(0_i128, |sum, w| sum.saturating_add(*w));
    let share = |weight: &i128| total.saturating_mul(*weight).checked_div(sum).unwrap_or(0);
    let shares: Vec<i128> = weights.iter().map(share).collect();
    let given = shares.iter().fold(0_i128, |sum, n| sum.saturating_add(*n));
    let mut over = total.saturating_sub(given);
    let mut sizes = Vec::with_capacity(shares.len());
    for share in shares {
        let extra = over.clamp(0, 1);
        over = over.saturating_sub(extra);
        sizes.push(Lots::try_from(share.saturating_add(extra)).unwrap_or(0));
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballast_types::{Condition, MarketId, PriceSource, Side, TimeInForce, Trigger};

    fn scale(price: Ticks, size: Lots, last_price: Ticks, orders: u16, ppm: u32) -> Scale {
        Scale {
            order: Order {
                client_id: Some(7),
                ..Order::limit(MarketId(0), Side::Buy, price, size)
            },
            last_price,
            orders,
            last_size_ppm: ppm,
        }
    }

    #[test]
    fn prices_and_sizes_lie_on_a_line() {
        for (scale, expected) in [
            // Equal sizes; the lot over goes to the first.
            (
                scale(100, 10, 110, 3, 1_000_000),
                vec![(100, 4), (105, 3), (110, 3)],
            ),
            // Falling prices are rounded toward the first.
            (
                scale(100, 8, 95, 4, 1_000_000),
                vec![(100, 2), (99, 2), (97, 2), (95, 2)],
            ),
            // The last is three times the first.
            (
                scale(50, 12, 52, 3, 3_000_000),
                vec![(50, 2), (51, 4), (52, 6)],
            ),
            (scale(50, 1, 51, 2, 1_000), vec![(50, 1), (51, 0)]),
            (
                scale(1, Lots::MAX, Ticks::MAX, 2, 1_000_000),
                vec![(1, 1 << 62), (Ticks::MAX, (1 << 62) - 1)],
            ),
            (scale(50, -4, 52, 2, 1_000_000), vec![(50, -2), (52, -2)]),
        ] {
            let orders = orders(&scale).unwrap();
            let lines: Vec<_> = orders.iter().map(|o| (o.price, o.size)).collect();
            assert_eq!(lines, expected);
            let ids: Vec<_> = orders.iter().map(|o| o.client_id).collect();
            let counted: Vec<_> = (7..).map(Some).take(ids.len()).collect();
            assert_eq!(ids, counted);
        }
    }

    #[test]
    fn what_cannot_be_scaled_is_refused() {
        let good = scale(100, 10, 110, 64, 1_000);
        assert_eq!(orders(&good).map(|orders| orders.len()), Ok(64));
        let with = |order| Scale { order, ..good };
        for bad in [
            scale(100, 10, 110, 1, 1_000_000),
            scale(100, 10, 110, 65, 1_000_000),
            scale(100, 10, 110, 3, 999),
            scale(100, 10, 110, 3, 1_000_000_001),
            with(Order {
                tif: TimeInForce::Ioc,
                ..good.order
            }),
            with(Order {
                client_id: Some(u128::MAX - 62),
                ..good.order
            }),
            with(Order {
                trigger: Some(Trigger {
                    source: PriceSource::Mark,
                    condition: Condition::AtOrAbove(5),
                }),
                ..good.order
            }),
        ] {
            assert_eq!(orders(&bad), Err(Code::BadScale), "{bad:?}");
        }
    }
}

use crate::{Books, Resting};
use ballast_types::{Lots, Side, Ticks};

/// What becomes of a meeting between the taker and a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This many lots trade: from 1 to the smaller of the maker's size and what remains of the
    /// taker. Any other number acts as `Stop`.
    Fill(Lots),
    /// The resting order is removed.
    Remove,
    /// The taker stops; the resting order stays.
    Stop,
}

/// Why a taker stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing of it remains.
    Done,
    /// No resting order crosses it.
    NoCross,
    /// It has met as many resting orders as it may, and another one crosses.
    Limit,
    /// The judge said so.
    Judge,
}

/// How a taker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Lots that did not trade.
    pub remaining: Lots,
    /// Meetings that ended in a fill or a removal.
    pub met: u32,
    /// Why it stopped.
    pub stop: Stop,
}

/// What a walk would do to the book: the first `gone` orders leave, and the one behind them
/// shrinks to `left`.
#[derive(Default)]
struct Effect {
    gone: u32,
    left: Option<Lots>,
}

impl Books {
    /// Meets the resting orders of the other side in price-time priority, as long as something of
    /// `size` remains and the best price crosses `limit`.
    ///
    /// The judge sees each resting order and what remains of the taker, and decides; it may record
    /// what follows from that. A maker that it fills only in part, while something of the taker
    /// remains, is met again. A market that does not exist is empty, a size below one is done.
    pub fn take(
        &mut self,
        market: u32,
        taker_side: Side,
        limit: Ticks,
        size: Lots,
        max_fills: u32,
        judge: impl FnMut(&Resting, Lots) -> Verdict,
    ) -> Taken {
        let (taken, effect) = self.meet(market, taker_side, limit, size, max_fills, judge);
        for _ in 0..effect.gone {
            let first = self.first(market, taker_side, limit);
            first.and_then(|maker| self.remove(maker.slot));
        }
        let first = self.first(market, taker_side, limit);
        if let (Some(left), Some(first)) = (effect.left, first) {
            self.shrink(first.slot, left);
        }
        taken
    }

    /// What [`take`](Self::take) would do, with the same calls of the judge, without doing it.
    pub fn walk(
        &self,
        market: u32,
        taker_side: Side,
        limit: Ticks,
        size: Lots,
        max_fills: u32,
        judge: impl FnMut(&Resting, Lots) -> Verdict,
    ) -> Taken {
        self.meet(market, taker_side, limit, size, max_fills, judge)
            .0
    }

    fn meet(
        &self,
        market: u32,
        taker_side: Side,
        limit: Ticks,
        size: Lots,
        max_fills: u32,
        mut judge: impl FnMut(&Resting, Lots) -> Verdict,
    ) -> (Taken, Effect) {
        let mut makers = self.crossing(market, taker_side, limit);
        let mut again = None;
        let mut effect = Effect::default();
        let (mut remaining, mut met) = (size.max(0), 0_u32);
        let stop = loop {
            if remaining == 0 {
                break Stop::Done;
            }
            let Some(mut maker) = again.take().or_else(|| makers.next()) else {
                break Stop::NoCross;
            };
            if met >= max_fills {
                break Stop::Limit;
            }
            let filled = match judge(&maker, remaining) {
                Verdict::Fill(lots) if (1..=maker.size.min(remaining)).contains(&lots) => lots,
                Verdict::Remove => 0,
                Verdict::Fill(_) | Verdict::Stop => break Stop::Judge,
            };
            met = met.saturating_add(1);
            remaining = remaining.saturating_sub(filled);
            maker.size = maker.size.saturating_sub(filled);
            if filled == 0 || maker.size == 0 {
                effect = Effect {
                    gone: effect.gone.saturating_add(1),
                    left: None,
                };
            } else {
                effect.left = Some(maker.size);
                again = Some(maker);
            }
        };
        (
            Taken {
                remaining,
                met,
                stop,
            },
            effect,
        )
    }
}

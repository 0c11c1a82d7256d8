use crate::books::reaches;
use crate::ladder::place_of;
use crate::{Books, NONE, Resting};
use ballast_types::{Lots, Side, Ticks};
use std::collections::VecDeque;

/// What becomes of a meeting between the taker and a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This many lots trade: from 1 to the smaller of what the maker shows and what remains of the
    /// taker. Any other number acts as `Stop`.
    Fill(Lots),
    /// Both orders lose this many lots without a trade. The same bounds.
    Decrement(Lots),
    /// The resting order is removed, with what it hides.
    Remove,
    /// The resting order is removed, and the taker stops.
    RemoveAndStop,
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
    /// Lots that neither traded nor were decremented.
    pub remaining: Lots,
    /// Fills, decrements, removals and refreshes. A refresh follows its fill also when that was
    /// the last one allowed, so this may be one more than `max_fills`.
    pub met: u32,
    /// Why it stopped.
    pub stop: Stop,
}

/// What a verdict means for the maker: it loses lots, all of them when it is removed.
struct Ruling {
    lost: Lots,
    /// Of those, what the taker loses too.
    taken: Lots,
    stops: bool,
}

/// `None`: the taker stops and the maker stays.
#[inline]
fn ruling(verdict: Verdict, maker: &Resting, remaining: Lots) -> Option<Ruling> {
    let most = maker.size.min(remaining);
    let total = maker.total();
    let (lost, taken, stops) = match verdict {
        Verdict::Fill(lots) | Verdict::Decrement(lots) if (1..=most).contains(&lots) => {
            (lots, lots, false)
        }
        Verdict::Remove => (total, 0, false),
        Verdict::RemoveAndStop => (total, 0, true),
        Verdict::Fill(_) | Verdict::Decrement(_) | Verdict::Stop => return None,
    };
    Some(Ruling { lost, taken, stops })
}

/// A taker on its way.
struct Taker {
    remaining: Lots,
    met: u32,
    max_fills: u32,
}

impl Taker {
    fn new(size: Lots, max_fills: u32) -> Self {
        Self {
            remaining: size.max(0),
            met: 0,
            max_fills,
        }
    }

    /// What follows from the next maker: how many lots it loses, or why the taker stops.
    #[inline]
    fn meet(
        &mut self,
        maker: &Resting,
        judge: &mut impl FnMut(&Resting, Lots) -> Verdict,
    ) -> Result<Ruling, Stop> {
        if self.met >= self.max_fills {
            return Err(Stop::Limit);
        }
        let ruling = ruling(judge(maker, self.remaining), maker, self.remaining);
        let ruling = ruling.ok_or(Stop::Judge)?;
        self.remaining = self.remaining.saturating_sub(ruling.taken);
        self.met = self.met.saturating_add(1);
        Ok(ruling)
    }

    fn stopped(&self, stop: Stop) -> Taken {
        Taken {
            remaining: self.remaining,
            met: self.met,
            stop,
        }
    }
}

impl Books {
    /// Meets the resting orders of the other side in price-time priority, as long as something of
    /// `size` remains and the best price crosses `limit`.
    ///
    /// The judge sees each resting order and what remains of the taker, and decides; it may record
    /// what follows from that. A maker that it fills only in part, while something of the taker
    /// remains, is met again. A market that does not exist is empty, a size below one is done.
    ///
    /// An iceberg that loses all it shows is refreshed behind all other orders of its level, which
    /// [`refreshed`](Self::refreshed) tells. That is also what a judge can expect when the lots it
    /// fills are all that a maker shows and the maker hides more.
    pub fn take(
        &mut self,
        market: u32,
        taker_side: Side,
        limit: Ticks,
        size: Lots,
        max_fills: u32,
        mut judge: impl FnMut(&Resting, Lots) -> Verdict,
    ) -> Taken {
        self.refreshed.clear();
        let mut taker = Taker::new(size, max_fills);
        loop {
            if taker.remaining == 0 {
                return taker.stopped(Stop::Done);
            }
            let Some(maker) = self.first(market, taker_side, limit) else {
                return taker.stopped(Stop::NoCross);
            };
            let ruling = match taker.meet(&maker, &mut judge) {
                Ok(ruling) => ruling,
                Err(stop) => return taker.stopped(stop),
            };
            if self.cut(&maker, ruling.lost) {
                taker.met = taker.met.saturating_add(1);
            }
            if ruling.stops {
                return taker.stopped(Stop::Judge);
            }
        }
    }

    /// What [`take`](Self::take) would do, with the same calls of the judge, without doing it.
    pub fn walk(
        &self,
        market: u32,
        taker_side: Side,
        limit: Ticks,
        size: Lots,
        max_fills: u32,
        mut judge: impl FnMut(&Resting, Lots) -> Verdict,
    ) -> Taken {
        let mut taker = Taker::new(size, max_fills);
        let mut makers = Makers::new(self, market, taker_side);
        let mut again = None;
        loop {
            if taker.remaining == 0 {
                return taker.stopped(Stop::Done);
            }
            let maker = again.take().or_else(|| makers.next(limit));
            let Some(maker) = maker else {
                return taker.stopped(Stop::NoCross);
            };
            let ruling = match taker.meet(&maker, &mut judge) {
                Ok(ruling) => ruling,
                Err(stop) => return taker.stopped(stop),
            };
            if ruling.lost < maker.size {
                let size = maker.size.saturating_sub(ruling.lost);
                again = Some(Resting { size, ..maker });
            } else if ruling.lost < maker.total() {
                makers.refresh(&maker);
                taker.met = taker.met.saturating_add(1);
            }
            if ruling.stops {
                return taker.stopped(Stop::Judge);
            }
        }
    }

    /// The icebergs that the last [`take`](Self::take), or auction, refreshed, as they rested right
    /// after, in the order in which that happened. Each stood behind all other orders of its level
    /// then.
    pub fn refreshed(&self) -> &[Resting] {
        &self.refreshed
    }
}

/// The orders that a taker would meet one after the other, if it did.
struct Makers<'a> {
    books: &'a Books,
    taker_side: Side,
    /// The level at hand, as a number; [`NONE`] behind the last one.
    level: u32,
    /// The next order of it that has not been met.
    slot: u32,
    /// Its orders that would have been refreshed.
    behind: VecDeque<Resting>,
}

impl<'a> Makers<'a> {
    fn new(books: &'a Books, market: u32, taker_side: Side) -> Self {
        let place = place_of(market, taker_side.opposite());
        let mut makers = Self {
            books,
            taker_side,
            level: NONE,
            slot: NONE,
            behind: VecDeque::new(),
        };
        makers.enter(books.queues.ladders.best(place));
        makers
    }

    fn enter(&mut self, level: Option<u32>) {
        let ladders = &self.books.queues.ladders;
        self.level = level.unwrap_or(NONE);
        self.slot = ladders.level(self.level).map_or(NONE, |level| level.head);
    }

    fn next(&mut self, limit: Ticks) -> Option<Resting> {
        loop {
            let price = self.books.queues.ladders.price(self.level)?;
            if !reaches(self.taker_side, limit, price) {
                return None;
            }
            if let Some(node) = self.books.queues.node(self.slot) {
                let slot = std::mem::replace(&mut self.slot, node.next);
                return Some(self.books.queues.resting(slot, node));
            }
            if let Some(maker) = self.behind.pop_front() {
                return Some(maker);
            }
            self.enter(self.books.queues.ladders.worse(self.level));
        }
    }

    /// Puts an iceberg that lost all it shows behind the others of its level.
    fn refresh(&mut self, maker: &Resting) {
        let display = self.books.queues.iceberg(maker.slot).display;
        let size = display.min(maker.hidden);
        self.behind.push_back(Resting {
            size,
            hidden: maker.hidden.saturating_sub(size),
            ..*maker
        });
    }
}

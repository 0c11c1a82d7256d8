//! Quotes: checked in pass 1, replaced in pass 2, and one a side in pass 4.

use crate::Model;
use crate::admit::Entry;
use crate::authorise::Request;
use crate::state::{PlacedOrder, part_of};
use ballast_types::{
    Account, Code, MarketId, Order, PostOnly, QuoteSide, Quotes, Removal, SelfTrade,
    SelfTradeScope, Side, TimeInForce,
};

/// Most markets of one action.
const MARKETS: usize = 256;

impl Model {
    /// Pass 1.
    pub(crate) fn check_quotes(&self, quotes: &Quotes, request: &Request<()>) -> Result<(), Code> {
        self.check_group(quotes.group)?;
        for quote in &quotes.quotes {
            self.spec.market(quote.market).ok_or(Code::UnknownMarket)?;
        }
        let markets: Vec<MarketId> = quotes.quotes.iter().map(|quote| quote.market).collect();
        let good = (1..=MARKETS).contains(&markets.len())
            && markets.is_sorted_by(|one, next| one < next)
            && markets.iter().all(|m| self.group_of(*m) == quotes.group)
            && quotes.post_only != PostOnly::No;
        if !good {
            return Err(Code::BadQuotes);
        }
        let Some(agent) = &request.agent else {
            return Ok(());
        };
        for quote in &quotes.quotes {
            self.check_scope(agent, quote.market, 0, 0)?;
            for side in [quote.bid, quote.ask].into_iter().flatten() {
                self.check_scope(agent, quote.market, side.price, side.size)?;
            }
        }
        Ok(())
    }

    /// Pass 2. Returns the quotes that enter.
    pub(crate) fn quote(&mut self, quotes: &Quotes, request: &Request<()>) -> Vec<Entry> {
        let mut entries = Vec::new();
        let sides = quotes.quotes.iter().flat_map(|quote| {
            [
                (quote.market, Side::Buy, quote.bid),
                (quote.market, Side::Sell, quote.ask),
            ]
        });
        for (at, (market, side, wanted)) in sides.enumerate() {
            let part = request.part(at);
            match wanted {
                None => self.end_quote(part.account, market, side, Removal::Cancelled),
                Some(wanted) => {
                    let kind = quotes.post_only;
                    entries.extend(self.quote_side(market, side, wanted, kind, &part));
                }
            }
        }
        entries
    }

    fn quote_side(
        &mut self,
        market: MarketId,
        side: Side,
        wanted: QuoteSide,
        post_only: PostOnly,
        part: &Request<()>,
    ) -> Option<Entry> {
        let least = self.spec.markets[market.index()].min_size;
        let old = self.quoted(part.account, market, side);
        if let Some(old) = &old
            && old.price == wanted.price
            && (wanted.size == old.remaining || (least..old.remaining).contains(&wanted.size))
        {
            if wanted.size < old.remaining {
                let event = self.shrink(old.id, wanted.size, Removal::Amended);
                self.group_event(self.group_of(market), event);
                self.coverage.count("quote shrunk in place");
            } else {
                self.coverage.count("quote left as it is");
            }
            self.answer(part.place, part_of(Code::Ok, Some(old.id)));
            return None;
        }
        self.coverage.count(if old.is_some() {
            "quote replaced"
        } else {
            "quote where there is none"
        });
        self.end_quote(part.account, market, side, Removal::Amended);
        let order = Order {
            market,
            side,
            price: wanted.price,
            size: wanted.size,
            tif: TimeInForce::Gtc,
            post_only,
            reduce_only: false,
            client_id: None,
            label: 0,
            max_fills: 0,
            self_trade: SelfTrade::CancelTaker,
            self_trade_scope: SelfTradeScope::Account,
            display: None,
            trigger: None,
            peg: None,
            twap: None,
        };
        Some(Entry {
            quote: true,
            ..Entry::new(&part.with(order))
        })
    }

    /// The resting quote of an account on one side of a market.
    fn quoted(&self, account: Account, market: MarketId, side: Side) -> Option<PlacedOrder> {
        let mut here = self.state.orders.values();
        here.find(|o| o.quote && o.account == account && o.market == market && o.side == side)
            .cloned()
    }

    /// Removes the account's quote on a side, if it has one.
    fn end_quote(&mut self, account: Account, market: MarketId, side: Side, reason: Removal) {
        if let Some(old) = self.quoted(account, market, side) {
            self.coverage.count(&format!("quote removed, {reason:?}"));
            let event = self.remove(old.id, reason);
            self.group_event(self.group_of(market), event);
        }
    }

    /// Pass 4: a quote is about to rest, and ends the one that came to rest there before.
    pub(crate) fn make_room_for_quote(&mut self, entry: &Entry) {
        let Order { market, side, .. } = entry.order;
        if entry.quote && self.quoted(entry.account, market, side).is_some() {
            self.coverage.count("quote ends an earlier one");
            self.end_quote(entry.account, market, side, Removal::Amended);
        }
    }
}

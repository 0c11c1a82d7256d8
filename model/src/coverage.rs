//! Counts of what happened, so that a test can demand that everything did.

use ballast_types::{Atoms, BlockEvents, Code, Event, Removal};
use std::collections::BTreeMap;
use std::fmt;

/// Things that only the passes themselves can see, by the name they count under.
const INSIDE: &[&str] = &[
    "CompleteFill acts on a pair",
    "CompleteFill wakes a leg",
    "Cosmos transaction",
    "FOK order filled with a protection",
    "FOK order filled",
    "FOK order while the market collects",
    "FirstHit acts on a pair",
    "FirstHit wakes a leg",
    "IOC order dropped after an auction",
    "IOC order rests",
    "Incremental acts on a pair",
    "Incremental wakes a leg",
    "TWAP order amended under way",
    "TWAP order done",
    "TWAP order gone before its slice",
    "TWAP order swept by its market",
    "FOK order undone with a protection",
    "IOC ask cut to the free balance",
    "IOC order cut by admission",
    "IOC order cut to its margin",
    "IOC order cut to the position",
    "account created",
    "account uncovered",
    "account under maintenance",
    "action Amend",
    "action Cancel all of a group",
    "action Cancel all",
    "action Cancel by client id",
    "action Cancel by id",
    "action Cancel by label",
    "action Cancel by market",
    "action CancelAfter",
    "action Linked",
    "action Order",
    "action Quotes",
    "action RemoveAgent",
    "action Scale",
    "action SetAgent",
    "action SetMarketStatus",
    "action SetPrices",
    "action SetProtection",
    "action Transfer",
    "admitted as risk-reducing",
    "agent sets CancelAfter",
    "agent sets a protection",
    "amend by entering again",
    "amend in place",
    "amend of an agent",
    "amend to nothing",
    "auction cut short",
    "auction shared by lots",
    "auction shared by time",
    "auction, Open",
    "auction, PostOnly",
    "bound on delta reached",
    "bound on notional reached",
    "bundle",
    "crossed book collects",
    "decrement ends the maker",
    "decrement ends the taker",
    "decrement reduces the maker",
    "decrement refreshes the maker",
    "deficit made by settlement",
    "doomed maker met",
    "dormant trigger",
    "due order waits for its market",
    "due: Index AtOrAbove",
    "due: Index AtOrBelow",
    "due: Index Trail",
    "due: Last AtOrAbove",
    "due: Last AtOrBelow",
    "due: Last Trail",
    "due: Mark AtOrAbove",
    "due: Mark AtOrBelow",
    "due: Mark Trail",
    "end of an order dooms the other",
    "end of the first order dooms a leg",
    "expired maker removed",
    "expired sweep stopped by its quota",
    "fill cut by a protection",
    "fill of a link in an auction",
    "first order of a link refused",
    "flag cleared by the sweep",
    "floor evicted",
    "freeze ended",
    "frozen for a while",
    "frozen maker removed",
    "frozen quotes allowed again",
    "frozen until set again",
    "group full of waiting orders",
    "hidden lots reduced, Amended",
    "hidden lots reduced, ReduceOnly",
    "iceberg order enters again",
    "iceberg order rests",
    "iceberg refreshed in an auction",
    "indicative auction",
    "interval begins anew",
    "interval goes on",
    "keep entry without its old order",
    "leg enters and dooms the first order",
    "leg enters in part",
    "leg of a link refused",
    "leg wakes in part",
    "leg without a trigger is due",
    "limit of meetings reached by a refresh",
    "link Oco CompleteFill",
    "link Oco FirstHit",
    "link Oco Incremental",
    "link Oto CompleteFill",
    "link Oto FirstHit",
    "link Oto Incremental",
    "link Otoco CompleteFill",
    "link Otoco FirstHit",
    "link Otoco Incremental",
    "link refused in pass 1",
    "linked order cancelled",
    "linked order swept by its market",
    "linked orders of an agent",
    "long position settled",
    "market full of trailing orders",
    "native transaction",
    "no room for linked orders",
    "order in a settled market",
    "nonce not used for want of tokens",
    "notional too large",
    "notional too small",
    "order doomed while it takes",
    "order of an agent",
    "order replaced by keep",
    "order rests without a meeting",
    "order swept by its height",
    "order swept by its market",
    "order swept by its time",
    "peg comes back where it was",
    "peg follows Ask",
    "peg follows Bid",
    "peg follows Index",
    "peg has nowhere to go",
    "peg slides",
    "pegged order enters again",
    "pegged order swept by its market",
    "price beyond the band, Buy",
    "price beyond the band, Sell",
    "price for a settled market",
    "price of a settled market dropped",
    "price of a suspended market waits",
    "protected fill cut further",
    "protection lets nothing trade",
    "protections of two accounts",
    "quote amended in place",
    "quote amended, keep false",
    "quote amended, keep true",
    "quote cancelled",
    "quote ends an earlier one",
    "quote goes after the taker",
    "quote left as it is",
    "quote removed, Amended",
    "quote removed, Cancelled",
    "quote replaced",
    "quote shrunk in place",
    "quote where there is none",
    "quote would trade",
    "quotes of an agent",
    "reduce-only maker cut",
    "reduce-only order rests in part",
    "reduce-only order trimmed away",
    "removed in an auction, Expired",
    "removed in an auction, Linked",
    "removed in an auction, Protection",
    "removed in an auction, ReduceOnly",
    "removed in an auction, SelfTrade",
    "removed in an auction, Uncovered",
    "sample of a whole span",
    "sample of the first part of a span",
    "sample of the last part of a span",
    "scale of an agent",
    "scale part refused in pass 1",
    "self-trade across accounts of a master",
    "self-trade in an auction, CancelBoth",
    "self-trade in an auction, CancelMaker",
    "self-trade in an auction, CancelTaker",
    "self-trade in an auction, Decrement",
    "self-trade, CancelBoth",
    "self-trade, CancelMaker",
    "self-trade, CancelTaker",
    "self-trade, Decrement",
    "settled by samples",
    "settled when Auction",
    "settled when Open",
    "settled when Suspended",
    "settled with a crossed book",
    "settled without a sample",
    "short position settled",
    "slide, Buy",
    "slide, Sell",
    "slice OK",
    "slice SELF_TRADE",
    "slice at the limit",
    "slice catches up at most",
    "slice decremented",
    "slice of nothing",
    "slice within its tolerance",
    "slice without a price",
    "slices stopped by their quota",
    "status Auction",
    "status CancelOnly",
    "status Open",
    "status PostOnly",
    "status Settled refused",
    "status Suspended",
    "status for a settled market",
    "sweep of a settled market stopped by its quota",
    "switch armed again",
    "switch disarmed by going off",
    "switch disarmed",
    "switch stopped by its quota",
    "switch without orders goes off",
    "taker refreshes again",
    "trail in ppm, Buy",
    "trail in ppm, Sell",
    "trail in ticks, Buy",
    "trail in ticks, Sell",
    "trailing order active",
    "trailing order follows",
    "triggered leg gone before its turn",
    "triggered leg removed by its link",
    "triggered order amended",
    "triggered order cancelled",
    "triggered order of a link enters",
    "triggered order refused, INSUFFICIENT_MARGIN",
    "triggered order refused, PRICE_BAND",
    "triggered order refused, REDUCE_ONLY",
    "triggered order rests",
    "triggered order swept by its market",
    "triggered order trades",
    "triggers stopped by their quota",
    "uncovered maker cut",
    "uncovered order swept",
    "uncovered sweep stopped by its quota",
    "uncovered taker cut",
    "waiting order amended when due",
    "waiting order amended",
    "waiting order removed, Cancelled",
    "waiting order removed, DeadMan",
    "waiting order removed, Expired",
    "waiting order removed, Linked",
    "waiting order removed, Refused",
    "waiting order removed, Schedule",
    "action SetMarginMode",
    "action SetSurface",
    "bound on vega reached",
    "call settled in the money",
    "call settled out of the money",
    "fee of an option at the index",
    "fee of an option capped",
    "forward in the settlement window",
    "forward of a future",
    "forward of a surface",
    "forward of the index",
    "ladder begins",
    "ladder full",
    "ladder grows above",
    "ladder grows below",
    "listing stopped by its quota",
    "long option settled",
    "margin mode Portfolio",
    "margin mode Standard",
    "portfolio account uncovered",
    "portfolio account under maintenance",
    "portfolio fill allowed whole",
    "portfolio fill refused",
    "portfolio order admitted",
    "portfolio order cut",
    "portfolio order refused",
    "portfolio order risk-reducing",
    "portfolio order swept",
    "portfolio transfer of spot refused",
    "price between the steps of a band",
    "price beyond the band of an option, Buy",
    "price beyond the band of an option, Sell",
    "put settled in the money",
    "put settled out of the money",
    "short option settled",
    "slide to a step of a band",
    "surface of SVI",
    "surface of nodes",
    "surface replaces a pending one",
    "volatility of a surface",
    "volatility of the group",
];

/// Events, seen from outside.
const EVENTS: &[&str] = &[
    "event Mark",
    "event Index",
    "event Status",
    "event Settled",
    "event Waiting",
    "event Triggered",
    "event Refreshed",
    "event Rested",
    "event Fill",
    "event Fill with a rebate",
    "event Fill with oneself",
    "event Sliced",
    "event Moved",
    "event Auction",
    "event Auction with fills",
    "event Reduced, Amended",
    "event Reduced, Linked",
    "event Reduced, ReduceOnly",
    "event Reduced, SelfTrade",
    "event Transferred",
    "event Agent",
    "event Balance",
    "event Position",
    "event Book",
    "event Protected",
    "event Surface",
    "event Listed",
    "missing, INSUFFICIENT_MARGIN",
    "missing, UNDER_MAINTENANCE",
    "missing, INSUFFICIENT_BALANCE",
];

const REMOVALS: &[Removal] = &[
    Removal::Cancelled,
    Removal::Amended,
    Removal::Expired,
    Removal::Ioc,
    Removal::FillLimit,
    Removal::SelfTrade,
    Removal::ReduceOnly,
    Removal::Uncovered,
    Removal::DeadMan,
    Removal::Refused,
    Removal::Protection,
    Removal::Linked,
    Removal::Schedule,
];

/// How often each thing happened, by name.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    counts: BTreeMap<String, u64>,
}

impl Coverage {
    /// How often `name` happened.
    pub fn get(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// Everything that never happened. `INTERNAL` and `BOOK_FULL` are not expected.
    pub fn missing(&self) -> Vec<String> {
        let codes = Code::ALL
            .iter()
            .filter(|code| !matches!(code, Code::Internal | Code::BookFull));
        let names = INSIDE.iter().chain(EVENTS).map(|name| (*name).to_owned());
        names
            .chain(codes.map(|code| code_name(*code)))
            .chain(REMOVALS.iter().map(|reason| removal_name(*reason)))
            .filter(|name| self.get(name) == 0)
            .collect()
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_insert(0) += count;
        }
    }

    pub(crate) fn count(&mut self, name: &str) {
        *self.counts.entry(name.to_owned()).or_insert(0) += 1;
    }

    pub(crate) fn count_if(&mut self, condition: bool, name: &str) {
        if condition {
            self.count(name);
        }
    }

    /// Counts results and events of a block.
    pub(crate) fn record(&mut self, block: &BlockEvents) {
        for result in block.txs.iter().flatten() {
            self.count(&code_name(result.code));
            for action in &result.actions {
                self.count_result(action.code, action.missing);
                for part in &action.parts {
                    self.count_result(part.code, part.missing);
                }
            }
        }
        for event in &block.events {
            self.record_event(event);
        }
    }

    fn count_result(&mut self, code: Code, missing: Option<Atoms>) {
        self.count(&code_name(code));
        self.count_if(missing.is_some(), &format!("missing, {}", code.name()));
    }

    fn record_event(&mut self, event: &Event) {
        match event {
            Event::Mark { .. } => self.count("event Mark"),
            Event::Index { .. } => self.count("event Index"),
            Event::Status { .. } => self.count("event Status"),
            Event::Settled { .. } => self.count("event Settled"),
            Event::Waiting { .. } => self.count("event Waiting"),
            Event::Triggered { .. } => self.count("event Triggered"),
            Event::Refreshed { .. } => self.count("event Refreshed"),
            Event::Rested { .. } => self.count("event Rested"),
            Event::Fill {
                maker_account,
                taker_account,
                maker_fee,
                ..
            } => {
                self.count("event Fill");
                self.count_if(*maker_fee < 0, "event Fill with a rebate");
                self.count_if(maker_account == taker_account, "event Fill with oneself");
            }
            Event::Reduced { reason, .. } => self.count(&format!("event Reduced, {reason:?}")),
            Event::Removed { reason, .. } => self.count(&removal_name(*reason)),
            Event::Transferred { .. } => self.count("event Transferred"),
            Event::Agent { .. } => self.count("event Agent"),
            Event::Balance { .. } => self.count("event Balance"),
            Event::Position { .. } => self.count("event Position"),
            Event::Book { .. } => self.count("event Book"),
            Event::Surface { .. } => self.count("event Surface"),
            Event::Listed { .. } => self.count("event Listed"),
            Event::Protected { .. } => self.count("event Protected"),
            Event::Sliced { .. } => self.count("event Sliced"),
            Event::Moved { .. } => self.count("event Moved"),
            Event::Auction { traded, .. } => {
                self.count("event Auction");
                self.count_if(*traded > 0, "event Auction with fills");
            }
        }
    }
}

fn code_name(code: Code) -> String {
    format!("code {}", code.name())
}

fn removal_name(reason: Removal) -> String {
    format!("event Removed, {reason:?}")
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.counts {
            writeln!(f, "{count:>9}  {name}")?;
        }
        Ok(())
    }
}

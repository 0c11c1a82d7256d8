use borsh::{BorshDeserialize, BorshSerialize};
use std::{fmt, io};

macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident = $number:literal, $text:literal;)+) => {
        /// Result of a transaction or an action. Numbers never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])+ $name = $number,)+
        }

        impl Code {
            /// Every code, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable number.
            pub fn number(self) -> u16 {
                match self { $(Self::$name => $number,)+ }
            }

            /// The code with this number.
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)+ _ => None }
            }

            /// The stable name, as `INSUFFICIENT_MARGIN`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

codes! {
    /// Done as asked.
    Ok = 0, "OK";

    /// The bytes are none of the envelopes, or the envelope does not decode to the last byte.
    Undecodable = 100, "UNDECODABLE";
    /// A native transaction is larger than the chain allows.
    TooLarge = 101, "TOO_LARGE";
    /// A transaction without actions.
    NoActions = 102, "NO_ACTIONS";
    /// More actions, price updates or agent markets than the chain allows.
    TooManyActions = 103, "TOO_MANY_ACTIONS";
    /// Signed for another chain.
    WrongChain = 104, "WRONG_CHAIN";
    /// The signature does not verify.
    BadSignature = 105, "BAD_SIGNATURE";
    /// The same bytes came earlier in the block.
    Duplicate = 106, "DUPLICATE";
    /// Block time or height has reached the transaction's expiry.
    Expired = 107, "EXPIRED";
    /// The nonce is not within the window around block time.
    NonceWindow = 108, "NONCE_WINDOW";
    /// The account does not exist.
    UnknownAccount = 109, "UNKNOWN_ACCOUNT";
    /// The key neither owns the account nor is a live agent of it.
    KeyNotAllowed = 110, "KEY_NOT_ALLOWED";
    /// The key has used this nonce.
    NonceUsed = 111, "NONCE_USED";
    /// A Cosmos transaction's sequence is not the next one.
    BadSequence = 112, "BAD_SEQUENCE";
    /// No tokens are left in the master's bucket.
    RateLimited = 113, "RATE_LIMITED";
    /// The agent's scope does not cover this action, market or notional.
    AgentScope = 114, "AGENT_SCOPE";
    /// The key is no price authority.
    NotPriceAuthority = 115, "NOT_PRICE_AUTHORITY";
    /// The master has as many agents as the chain allows.
    AgentLimit = 116, "AGENT_LIMIT";
    /// No such agent.
    UnknownAgent = 117, "UNKNOWN_AGENT";

    /// No such market or group.
    UnknownMarket = 200, "UNKNOWN_MARKET";
    /// The price is not from 1 to the market's largest price.
    BadPrice = 201, "BAD_PRICE";
    /// The size is not within the market's bounds.
    BadSize = 202, "BAD_SIZE";
    /// Post-only together with IOC or FOK.
    BadTimeInForce = 203, "BAD_TIME_IN_FORCE";
    /// `max_fills` is not from 1 to the chain's limit, or not 0 for a post-only order.
    BadMaxFills = 204, "BAD_MAX_FILLS";
    /// Client id zero.
    BadClientId = 205, "BAD_CLIENT_ID";
    /// A cancel with a higher (nonce, index) names this order.
    CancelledBefore = 206, "CANCELLED_BEFORE";
    /// Another open order of the account in this group has the client id.
    ClientIdInUse = 207, "CLIENT_ID_IN_USE";
    /// The account has as many open orders in the group as the chain allows.
    OpenOrderLimit = 208, "OPEN_ORDER_LIMIT";
    /// Reduce-only without a position to reduce.
    ReduceOnly = 209, "REDUCE_ONLY";
    /// Post-only, but it would trade at once.
    PostOnlyWouldTrade = 210, "POST_ONLY_WOULD_TRADE";
    /// Fill-or-kill could not be filled whole within its limits.
    FokUnfilled = 211, "FOK_UNFILLED";
    /// The order met as many resting orders as it may; the rest of it was cancelled.
    FillLimit = 212, "FILL_LIMIT";
    /// The order met one of its own account; the rest of it was cancelled.
    SelfTrade = 213, "SELF_TRADE";
    /// The account has no such open order.
    UnknownOrder = 214, "UNKNOWN_ORDER";
    /// Position and open orders would exceed the largest that can be settled.
    PositionLimit = 215, "POSITION_LIMIT";
    /// The group, or the price level, cannot hold another order.
    BookFull = 216, "BOOK_FULL";
    /// The account is not covered, and this fill would have added risk; the rest was cancelled.
    Uncovered = 217, "UNCOVERED";
    /// The price is further from the mark or index than the market's band allows.
    PriceBand = 218, "PRICE_BAND";
    /// Price x size is not within the market's bounds.
    BadNotional = 219, "BAD_NOTIONAL";
    /// The market takes post-only orders and cancels only.
    MarketPostOnly = 220, "MARKET_POST_ONLY";
    /// The market takes cancels only, or is suspended.
    MarketCancelOnly = 221, "MARKET_CANCEL_ONLY";
    /// The displayed size is below the market's smallest order, or the order may not rest.
    BadDisplay = 222, "BAD_DISPLAY";
    /// A trigger price, activation or distance is out of range.
    BadTrigger = 223, "BAD_TRIGGER";
    /// The group has as many waiting, or the market as many trailing orders as the chain allows.
    TriggerLimit = 224, "TRIGGER_LIMIT";
    /// The time of a dead man's switch is neither zero nor within the chain's bounds.
    BadTimeout = 225, "BAD_TIMEOUT";
    /// Not from 2 to 64 orders, or of a kind, price or ratio of sizes that cannot be scaled.
    BadScale = 226, "BAD_SCALE";
    /// Not from 1 to 256 quotes of one group in ascending markets, or not post-only.
    BadQuotes = 227, "BAD_QUOTES";
    /// The interval or the freeze of a protection is above a day.
    BadProtection = 228, "BAD_PROTECTION";
    /// The account's quotes in the group are frozen by its protection.
    QuotesFrozen = 229, "QUOTES_FROZEN";
    /// Another order of the same linked action was refused.
    LinkRefused = 230, "LINK_REFUSED";
    /// The number, markets or kinds of linked orders do not fit.
    BadLink = 231, "BAD_LINK";
    /// Pegged, but not a post-only order that slides, or with a trigger, or in a batch market, or with
    /// an offset beyond the market's largest price.
    BadPeg = 232, "BAD_PEG";
    /// The market has as many pegged orders as the chain allows.
    PegLimit = 233, "PEG_LIMIT";
    /// There is no price that the order could follow.
    NoReference = 234, "NO_REFERENCE";
    /// A schedule that is out of range, or of an order that cannot be sliced, or in a batch market.
    BadTwap = 235, "BAD_TWAP";
    /// The market collects orders for an auction that is not yet due: IOC and FOK are refused.
    MarketAuction = 236, "MARKET_AUCTION";
    /// A linked order is not amended; cancel it and send it again.
    OrderLinked = 237, "ORDER_LINKED";
    /// The market has expired.
    MarketExpired = 238, "MARKET_EXPIRED";
    /// A volatility surface without expiries or with too many, with a number out of range, or with
    /// butterfly or calendar arbitrage.
    BadSurface = 239, "BAD_SURFACE";
    /// A volatility surface that moves further at once than the group allows.
    SurfaceJump = 240, "SURFACE_JUMP";
    /// The margin mode changes only while no order of the account rests.
    OpenOrders = 241, "OPEN_ORDERS";

    /// Initial margin would not be covered.
    InsufficientMargin = 300, "INSUFFICIENT_MARGIN";
    /// Not enough free balance of the asset.
    InsufficientBalance = 301, "INSUFFICIENT_BALANCE";
    /// Under maintenance margin: only cancels and risk-reducing orders.
    UnderMaintenance = 302, "UNDER_MAINTENANCE";
    /// No such asset.
    UnknownAsset = 303, "UNKNOWN_ASSET";
    /// Amount zero or more than can be held, or to the same account.
    BadAmount = 304, "BAD_AMOUNT";
    /// The chain has as many accounts as it may.
    AccountLimit = 305, "ACCOUNT_LIMIT";

    /// The block has no room for it, or stored state is corrupt. Never seen on a sound chain.
    Internal = 900, "INTERNAL";
}

impl BorshSerialize for Code {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        self.number().serialize(writer)
    }
}

impl BorshDeserialize for Code {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let number = u16::deserialize_reader(reader)?;
        Self::from_number(number)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unknown result code"))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_ascending_and_round_trip() {
        for pair in Code::ALL.windows(2) {
            assert!(
                pair[0].number() < pair[1].number(),
                "{} {}",
                pair[0],
                pair[1]
            );
        }
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(*code));
            assert_eq!(
                borsh::from_slice::<Code>(&borsh::to_vec(code).unwrap()).unwrap(),
                *code
            );
        }
        assert_eq!(Code::from_number(1), None);
    }
}

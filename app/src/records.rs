//! The records that state consists of. Bytes are hashed as they lie; `reserved` fields are zero.

use crate::form::mode_of;
use crate::pages::{Record, Reusable, Table, TableSnapshot};
use ballast_risk::{Position, Terms, Worst};
use ballast_types::{Account, AccountId, ChainSpec, KeyId, MarginMode, MarketSpec, OptionKind};
use bytemuck::{Pod, Zeroable};

/// Declares tables: the type over the records that fit a page of about 2 KiB, and its snapshot.
macro_rules! table {
    ($table:ident, $view:ident, $record:ident, $per_page:literal) => {
        pub(crate) type $table = Table<$record, $per_page>;
        pub(crate) type $view = TableSnapshot<$record, $per_page>;
    };
}

table!(AccountTable, AccountTableView, AccountRecord, 16);
table!(BalanceTable, BalanceTableView, BalanceRecord, 32);
table!(PositionTable, PositionTableView, PositionRecord, 16);
table!(MasterTable, MasterTableView, MasterRecord, 32);
table!(AgentTable, AgentTableView, AgentRecord, 16);
table!(NonceTable, NonceTableView, NonceRecord, 32);
table!(OrderTable, OrderTableView, OrderRecord, 16);
table!(SpecialTable, SpecialTableView, SpecialRecord, 16);
table!(LinkTable, LinkTableView, LinkRecord, 64);
table!(MemberTable, MemberTableView, MemberRecord, 64);
table!(ProtectionTable, ProtectionTableView, ProtectionRecord, 16);
table!(FloorTable, FloorTableView, FloorRecord, 32);
table!(TradeTable, TradeTableView, TradeRecord, 64);
table!(MarkTable, MarkTableView, MarkRecord, 32);
table!(OptionTable, OptionTableView, OptionRecord, 32);
table!(ExpiryTable, ExpiryTableView, ExpiryRecord, 32);
table!(LadderTable, LadderTableView, LadderRecord, 32);
table!(UnitTable, UnitTableView, UnitRecord, 32);
table!(SurfaceTable, SurfaceTableView, SurfaceRecord, 4);

macro_rules! record {
    ($record:ident, $layout:literal) => {
        impl Record for $record {
            const LAYOUT: u32 = $layout;
        }
    };
    ($record:ident, $layout:literal, reusable) => {
        impl Record for $record {
            const LAYOUT: u32 = $layout;
            fn free_link(&self) -> u32 {
                self.free_link
            }
        }

        impl Reusable for $record {
            fn set_free_link(&mut self, link: u32) {
                self.free_link = link;
            }
            fn reset_for_free(&mut self) {
                *self = self.freed();
            }
        }
    };
}

record!(AccountRecord, 3);
record!(BalanceRecord, 1);
record!(PositionRecord, 1);
record!(MasterRecord, 1);
record!(AgentRecord, 1, reusable);
record!(NonceRecord, 1, reusable);
record!(OrderRecord, 4, reusable);
record!(SpecialRecord, 2, reusable);
record!(LinkRecord, 1, reusable);
record!(MemberRecord, 1);
record!(ProtectionRecord, 2, reusable);
record!(FloorRecord, 1, reusable);
record!(TradeRecord, 2);
record!(MarkRecord, 3);
record!(OptionRecord, 1);
record!(ExpiryRecord, 1, reusable);
record!(LadderRecord, 1, reusable);
record!(UnitRecord, 1);
record!(SurfaceRecord, 1);

/// An account, with the sums over its positions and open orders that the margin check needs.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct AccountRecord {
    pub(crate) master: [u8; 20],
    pub(crate) sub: u16,
    /// 1 when the worst subset of fills would take it below maintenance.
    pub(crate) uncovered: u8,
    /// How its margin is computed, see `form::mode_of`.
    pub(crate) mode: u8,
    /// Slot + 1 of the newest balance and position record; 0 is none.
    pub(crate) balances: u32,
    pub(crate) positions: u32,
    /// Block time in ms at which the dead man's switch goes off; 0 is none.
    pub(crate) deadline: u64,
    pub(crate) reserved_2: u64,
    /// Balance of the margin asset.
    pub(crate) cash: i128,
    /// Sum over perpetuals of size x mark - cost.
    pub(crate) unrealised: i128,
    /// Sums of the requirements, and of maintenance margin on what is held.
    pub(crate) initial: i128,
    pub(crate) maintenance: i128,
    pub(crate) held: i128,
}

impl AccountRecord {
    pub(crate) fn account(&self) -> Account {
        Account::new(AccountId(self.master), self.sub)
    }

    /// Whether the margin of all its positions in a group is computed together.
    pub(crate) fn portfolio(&self) -> bool {
        mode_of(self.mode) == MarginMode::Portfolio
    }

    pub(crate) fn equity(&self) -> i128 {
        self.cash.saturating_add(self.unrealised)
    }
}

/// Balance of an asset other than the margin asset.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct BalanceRecord {
    pub(crate) account: u32,
    /// Slot + 1 of the account's next record; 0 is none.
    pub(crate) next: u32,
    pub(crate) asset: u16,
    pub(crate) reserved: [u8; 6],
    pub(crate) amount: i128,
    /// What open spot asks may deliver.
    pub(crate) held: i128,
}

/// Position and open orders of an account in a market.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct PositionRecord {
    pub(crate) account: u32,
    pub(crate) next: u32,
    pub(crate) market: u32,
    pub(crate) reserved: u32,
    pub(crate) size: i64,
    /// Remaining lots of all open orders.
    pub(crate) open: i64,
    pub(crate) cost: i128,
    pub(crate) initial_plus: i128,
    pub(crate) initial_minus: i128,
    pub(crate) maintenance_plus: i128,
    pub(crate) maintenance_minus: i128,
}

impl PositionRecord {
    pub(crate) fn position(&self) -> Position {
        Position {
            size: self.size,
            cost: self.cost,
        }
    }

    pub(crate) fn terms(&self) -> Terms {
        Terms {
            initial: Worst {
                plus: self.initial_plus,
                minus: self.initial_minus,
            },
            maintenance: Worst {
                plus: self.maintenance_plus,
                minus: self.maintenance_minus,
            },
        }
    }

    pub(crate) fn set_terms(&mut self, terms: Terms) {
        self.initial_plus = terms.initial.plus;
        self.initial_minus = terms.initial.minus;
        self.maintenance_plus = terms.maintenance.plus;
        self.maintenance_minus = terms.maintenance.minus;
    }
}

/// What all subaccounts of a master share.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct MasterRecord {
    pub(crate) master: [u8; 20],
    pub(crate) agents: u16,
    pub(crate) reserved: u16,
    /// Thousandths of a token.
    pub(crate) tokens: u64,
    pub(crate) cancel_tokens: u64,
    /// Block time in ms up to which the buckets are refilled.
    pub(crate) refilled: u64,
    /// Next Cosmos sequence and last Cosmos nonce.
    pub(crate) sequence: u64,
    pub(crate) cosmos_nonce: u64,
}

/// A key that may trade for a master.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct AgentRecord {
    pub(crate) free_link: u32,
    pub(crate) master: u32,
    pub(crate) key: [u8; 20],
    /// How many of `markets` count; 0 allows all.
    pub(crate) market_count: u32,
    pub(crate) markets: [u32; 8],
    pub(crate) max_notional: u128,
    pub(crate) expiry: u64,
    pub(crate) reserved: u64,
}

impl AgentRecord {
    fn freed(&self) -> Self {
        Self::zeroed()
    }
}

/// A nonce that a key has used.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct NonceRecord {
    pub(crate) free_link: u32,
    pub(crate) master: u32,
    pub(crate) key: [u8; 20],
    pub(crate) reserved: u32,
    pub(crate) nonce: u64,
}

impl NonceRecord {
    fn freed(&self) -> Self {
        Self::zeroed()
    }

    pub(crate) fn key_id(&self) -> KeyId {
        AccountId(self.key)
    }
}

/// Flags of an order.
pub(crate) const SELL: u16 = 1;
pub(crate) const POST_ONLY: u16 = 1 << 1;
pub(crate) const REDUCE_ONLY: u16 = 1 << 2;
/// With `POST_ONLY`: it moves away instead of being refused.
pub(crate) const SLIDE: u16 = 1 << 3;
/// It is in no book and reserves nothing.
pub(crate) const WAITING: u16 = 1 << 4;
/// `expiry` is a height.
pub(crate) const BY_HEIGHT: u16 = 1 << 5;
/// It must not trade with any account of its master.
pub(crate) const OF_MASTER: u16 = 1 << 6;
/// Two bits: what it does then, see `form::self_trade_bits`.
pub(crate) const SELF_TRADE_SHIFT: u16 = 7;
/// It came from an action of quotes.
pub(crate) const QUOTE: u16 = 1 << 9;
/// It rests at the price that its special record tells; its own is the limit.
pub(crate) const PEGGED: u16 = 1 << 10;

/// An open order: it rests in the book, or waits.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct OrderRecord {
    pub(crate) free_link: u32,
    /// How many orders had this slot before.
    pub(crate) generation: u32,
    /// Reference of the owner, see `AccountRef`.
    pub(crate) account: u32,
    pub(crate) market: u32,
    /// Its limit, at which it is reserved for.
    pub(crate) price: i64,
    pub(crate) remaining: i64,
    pub(crate) filled: i64,
    /// Block time in ms, or height, from which it is dead; 0 is none.
    pub(crate) expiry: u64,
    /// 0 is none.
    pub(crate) client_id: u128,
    /// What placed it.
    pub(crate) nonce: u64,
    pub(crate) index: u16,
    pub(crate) flags: u16,
    pub(crate) label: u32,
    /// Counter of the group: the order of arrival.
    pub(crate) priority: u64,
    /// Height at which it began to rest or to wait.
    pub(crate) placed: u64,
    /// Slot + 1 of what only special orders have; 0 is none.
    pub(crate) special: u32,
    /// Slot + 1 of the link that it is in; 0 is none.
    pub(crate) link: u32,
    pub(crate) reserved: [u8; 8],
}

impl OrderRecord {
    fn freed(&self) -> Self {
        Self {
            generation: self.generation.wrapping_add(1),
            ..Self::zeroed()
        }
    }
}

/// What only waiting, pegged and iceberg orders have.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct SpecialRecord {
    pub(crate) free_link: u32,
    /// Of a schedule: how far a slice may trade beyond the mark, in millionths.
    pub(crate) tolerance: u32,
    /// Lots that an iceberg shows at a time, 0 for any other order, and those that it shows now.
    pub(crate) display: i64,
    pub(crate) shown: i64,
    /// Price of the trigger; of a trailing one the price from which it is active.
    pub(crate) trigger: i64,
    /// Of a trailing trigger: ticks or millionths, and the best price seen while it was active.
    pub(crate) distance: i64,
    pub(crate) extreme: i64,
    pub(crate) max_fills: u16,
    /// The trigger that it waits for, see `SpecialRecord::trigger`; 0 is none.
    pub(crate) condition: u8,
    /// Which price, see `form::source_of`.
    pub(crate) source: u8,
    /// 0 good until its end, 1 IOC, 2 FOK.
    pub(crate) tif: u8,
    /// Of a trailing trigger: 1 when it is active.
    pub(crate) active: u8,
    /// 1 when the trigger has fired.
    pub(crate) due: u8,
    /// Which price a pegged order follows, see `form::peg_number`.
    pub(crate) peg: u8,
    /// Of a waiting leg: lots that wait for fills of the first order of its link.
    pub(crate) dormant: i64,
    /// Of a pegged order: how far from the price that it follows it wants to rest, and where it rests.
    pub(crate) offset: i64,
    pub(crate) rests: i64,
    /// Of a schedule: times in ms; an interval of 0 is none.
    pub(crate) interval: u64,
    pub(crate) duration: u64,
    /// Block time in ms at which the order began to wait.
    pub(crate) start: u64,
    /// Number of the next slice.
    pub(crate) slice: u32,
    pub(crate) reserved: [u8; 20],
}

impl SpecialRecord {
    fn freed(&self) -> Self {
        Self::zeroed()
    }
}

/// Orders that live and die together.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct LinkRecord {
    pub(crate) free_link: u32,
    /// Slot + 1 of the first order and of its legs; 0 when it is no longer open.
    pub(crate) orders: [u32; 3],
    /// 1 Oco, 2 Oto, 3 Otoco.
    pub(crate) kind: u8,
    /// 0 FirstHit, 1 CompleteFill, 2 Incremental.
    pub(crate) rule: u8,
    pub(crate) reserved: [u8; 14],
}

impl LinkRecord {
    fn freed(&self) -> Self {
        Self::zeroed()
    }
}

/// An account in a group: its open orders counted, and its floor for everything.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct MemberRecord {
    pub(crate) account: u32,
    pub(crate) open_orders: u32,
    /// Client-id and label floors.
    pub(crate) floors: u32,
    pub(crate) floor_index: u16,
    pub(crate) reserved: u16,
    pub(crate) floor_nonce: u64,
    pub(crate) reserved_2: u64,
}

/// What the quotes of an account in a group may trade, and what they have. An account without an
/// interval has none.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct ProtectionRecord {
    pub(crate) free_link: u32,
    /// Reference of the account, see `AccountRef`.
    pub(crate) account: u32,
    /// Settings: times in ms, and bounds in atoms of the margin asset, where 0 is none.
    pub(crate) interval: u64,
    pub(crate) freeze: u64,
    /// Block time in ms at which the interval began; 0 before the first.
    pub(crate) start: u64,
    pub(crate) max_notional: u128,
    pub(crate) max_delta: u128,
    pub(crate) max_vega: u128,
    /// Sums of the interval so far.
    pub(crate) notional: i128,
    pub(crate) delta: i128,
    pub(crate) vega: i128,
    /// Block time in ms until which quotes are refused; 0 is not.
    pub(crate) frozen_until: u64,
    pub(crate) reserved: u64,
}

impl ProtectionRecord {
    fn freed(&self) -> Self {
        Self::zeroed()
    }
}

/// A floor by market, label or client id.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct FloorRecord {
    pub(crate) free_link: u32,
    pub(crate) account: u32,
    pub(crate) index: u16,
    pub(crate) kind: u8,
    pub(crate) reserved: [u8; 5],
    pub(crate) nonce: u64,
    pub(crate) reserved_2: u64,
    pub(crate) value: u128,
}

impl FloorRecord {
    fn freed(&self) -> Self {
        Self::zeroed()
    }
}

/// What matching keeps of a market.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct TradeRecord {
    pub(crate) market: u32,
    /// Trailing orders that wait.
    pub(crate) trailing: u32,
    pub(crate) trades: u64,
    /// Price of the last trade; 0 is none.
    pub(crate) last: i64,
    pub(crate) reserved: u64,
}

/// Prices and status of a market, and those that count from the next block on.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct MarkRecord {
    pub(crate) mark: i64,
    /// 0 is none.
    pub(crate) pending: i64,
    /// Open interest: the sum of long positions in lots.
    pub(crate) open_interest: i64,
    pub(crate) index: i64,
    /// 0 is none.
    pub(crate) pending_index: i64,
    /// See `form::status_of`.
    pub(crate) status: u8,
    /// Status + 1; 0 is none.
    pub(crate) pending_status: u8,
    pub(crate) reserved: [u8; 2],
    /// Of the settlement price: ms sampled, and the sum of index x ms.
    pub(crate) weight: u32,
    pub(crate) sum: i128,
}

/// A listed option, by its number after the markets of the genesis.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct OptionRecord {
    /// Block time in ms.
    pub(crate) expiry: u64,
    /// In the scale of the group.
    pub(crate) strike: i64,
    /// What settlement pays for a long lot, in atoms; 0 before.
    pub(crate) payoff: i128,
    /// Number of the series that lists it.
    pub(crate) series: u16,
    /// 0 call, 1 put.
    pub(crate) kind: u8,
    pub(crate) reserved: [u8; 13],
}

impl OptionRecord {
    pub(crate) fn of(kind: OptionKind) -> Self {
        Self {
            kind: u8::from(kind == OptionKind::Put),
            ..Self::zeroed()
        }
    }

    /// The market that it is.
    pub(crate) fn market(&self, spec: &ChainSpec) -> Option<MarketSpec> {
        let series = spec.series.get(usize::from(self.series))?;
        let group = spec.groups.get(series.market.group.index())?;
        let kind = match self.kind {
            0 => OptionKind::Call,
            _ => OptionKind::Put,
        };
        Some(series.market(self.expiry, self.strike, kind, group.price_digits))
    }
}

/// An expiry of a group's options that is not settled.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct ExpiryRecord {
    pub(crate) free_link: u32,
    pub(crate) group: u16,
    pub(crate) reserved: u16,
    /// Block time in ms.
    pub(crate) expiry: u64,
    /// Of the settlement price: the sum of index x ms, and ms sampled; then what they were at the last
    /// refresh.
    pub(crate) sum: i128,
    pub(crate) unit_sum: i128,
    pub(crate) weight: u32,
    pub(crate) unit_weight: u32,
    pub(crate) reserved_2: u64,
}

impl ExpiryRecord {
    fn freed(&self) -> Self {
        Self::zeroed()
    }
}

/// Strikes that a series has listed of an expiry that is not settled.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct LadderRecord {
    pub(crate) free_link: u32,
    pub(crate) series: u16,
    pub(crate) reserved: u16,
    /// Block time in ms.
    pub(crate) expiry: u64,
    /// In the scale of the group.
    pub(crate) step: i64,
    pub(crate) low: i64,
    pub(crate) high: i64,
    pub(crate) reserved_2: u64,
}

impl LadderRecord {
    fn freed(&self) -> Self {
        Self::zeroed()
    }
}

/// The last refresh of a group, by the group's number.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct UnitRecord {
    /// Block time in ms; 0 is never.
    pub(crate) refreshed: u64,
    /// 1 when a surface is pending.
    pub(crate) pending: u8,
    pub(crate) reserved: [u8; 7],
    /// Open interest then, in money, where the parameters scale by it.
    pub(crate) open_interest: i128,
}

/// One expiry of a surface. A group has twice as many as a surface may have: those of the surface that
/// holds, then those of the pending one.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct SurfaceRecord {
    pub(crate) expiry: u64,
    pub(crate) forward: i64,
    pub(crate) rate: i64,
    pub(crate) tenor: u32,
    /// Nodes of a table; 0 is no expiry, 2^32 - 1 an SVI curve.
    pub(crate) nodes: u32,
    /// Log-moneyness and total variance; of SVI a, b, rho, m and sigma.
    pub(crate) points: [[i64; 2]; 32],
}

//! Bounds of a genesis.
//!
//! Together they make settlement infallible: no sum that a block forms overflows `i128`.
//! - A lot is worth at most [`MAX_LOT_VALUE`] = 2^62 atoms, one of an option also at
//!   [`STRIKE_REACH`] times the largest price of its group, and the position and open orders of an
//!   account in a market are at most 2^44 lots, so its notional there is at most 2^106 atoms; fees
//!   add at most a tenth and margin at most the same again, and over all [`MAX_MARKETS`] < 2^17
//!   markets that stays below 2^125.
//! - A spot position of 2^44 lots is at most [`MAX_SPOT_ATOMS`] = 2^100 atoms of the base asset.
//! - The supply of an asset is at most [`MAX_SUPPLY`] = 2^110 atoms and is conserved; what an
//!   account holds differs from it only by what others owe, at most the 2^125 above.

/// Characters of a chain id; CometBFT's own bound.
pub const MAX_CHAIN_ID: usize = 50;
/// Characters of a symbol, denomination or name.
pub const MAX_NAME: usize = 32;
/// Groups; what an order id can name.
pub const MAX_GROUPS: usize = 1 << 14;
/// Markets, with the options that the series list at a time.
pub const MAX_MARKETS: usize = 100_000;
/// Assets; what an [`ballast_types::AssetId`] can name.
pub const MAX_ASSETS: usize = 1 << 16;
/// Account shards.
pub const MAX_ACCOUNT_SHARDS: u16 = 256;
/// Decimal places of an asset.
pub const MAX_DECIMALS: u8 = 18;
/// Validators of the genesis, so that a commit fits into [`BLOCK_OVERHEAD`].
pub const MAX_VALIDATORS: usize = 500;
/// Sum of the validators' power.
pub const MAX_TOTAL_POWER: u64 = 1 << 60;

/// Atoms of the margin asset that one lot is worth at the largest price.
pub const MAX_LOT_VALUE: i128 = 1 << 62;
/// Largest price in the scale of its group; strikes and shocked prices may be eight times as high.
pub const MAX_PRICE: i128 = (1 << 59) - 1;
/// Least and most digits of the scale of a group's prices.
pub const PRICE_DIGITS: (u8, u8) = (3, 16);
/// Largest position and order in 10^-9 of the underlying.
pub const MAX_AMOUNT: i128 = 1 << 61;
/// Decimal places of the margin asset: portfolio margin counts money in 10^-12.
pub const MAX_MARGIN_DECIMALS: u8 = 12;
/// Bounds of the volatility of a group, in 10^-15: 0.01 to 10.
pub const VOLATILITY: (i128, i128) = (10_000_000_000_000, 10_000_000_000_000_000);
/// Most that volatilities may move at once, in 10^-15: ten times.
pub const MAX_SURFACE_CAP: i128 = 10_000_000_000_000_000;
/// Reserve of an open order in millionths.
pub const MAX_RESERVE_PPM: i128 = 1_000_000;

/// No strike is above this many times the largest price of the group.
pub const STRIKE_REACH: i128 = 8;
/// Expiries of the series of a group at a time; a surface names as many.
pub const MAX_EXPIRIES: u32 = 16;
/// Strikes of one expiry.
pub const MAX_STRIKES: u16 = 1_000;
/// How far ahead a series may list: ten years, in days of ms and in months.
pub const MAX_AHEAD: (u64, u32) = (3_660 * 86_400_000, 120);
/// Bands of the ticks of a series.
pub const MAX_TICK_BANDS: usize = 16;
/// Series.
pub const MAX_SERIES: usize = 1 << 14;

/// Largest order in lots.
pub const MAX_ORDER_LOTS: i64 = 1 << 40;
/// Lots of position and open orders that an account may have in one market.
pub const MAX_POSITION_LOTS: i64 = 1 << 44;
/// Atoms of the base asset in [`MAX_POSITION_LOTS`] lots of a spot market.
pub const MAX_SPOT_ATOMS: i128 = 1 << 100;
/// Atoms of one genesis balance.
pub const MAX_BALANCE: i128 = 1 << 100;
/// Atoms of an asset in all genesis balances.
pub const MAX_SUPPLY: i128 = 1 << 110;
/// Taker fee in millionths.
pub const MAX_FEE_PPM: i128 = 100_000;
/// Initial margin in millionths.
pub const MAX_MARGIN_PPM: i128 = 1_000_000;

/// Price band in millionths: the whole of the price that it is measured from.
pub const MAX_PRICE_BAND_PPM: i128 = 1_000_000;
/// Atoms of a bound on the notional: [`MAX_ORDER_LOTS`] of [`MAX_LOT_VALUE`], the most that an order
/// can be worth.
pub const MAX_NOTIONAL: i128 = 1 << 102;

/// Latest expiry of a future in ms: the end of the year 9999.
pub const MAX_EXPIRY: u64 = 253_402_300_799_999;

/// Block size in bytes; CometBFT's own bound.
pub const MAX_BLOCK_BYTES: u64 = 100 << 20;
/// Bytes of a block that transactions cannot use: header, evidence (64 KiB) and the commit.
pub const BLOCK_OVERHEAD: u64 = 128 << 10;
/// Bytes of a CometBFT transaction that a bundle's own fields may need.
pub const BUNDLE_OVERHEAD: u64 = 1 << 10;
/// Smallest size limit of native transactions in bytes.
pub const MIN_NATIVE_TX_BYTES: u64 = 1 << 10;
/// Actions in one transaction.
pub const MAX_TX_ACTIONS: u64 = 1_000;
/// Resting orders that one order may meet.
pub const MAX_FILLS: u64 = 4_096;
/// Open orders of one account in one group.
pub const MAX_OPEN_ORDERS: u64 = 100_000;
/// Agent keys of one master.
pub const MAX_AGENTS: u64 = 1_000;
/// Orders that a sweep removes in one block.
pub const MAX_SWEEP_ORDERS: u64 = 100_000;
/// Orders of one group that may wait for a trigger.
pub const MAX_WAITING_ORDERS: u64 = 1_000_000;
/// Trailing orders of one market; each of them looks at every block's price.
pub const MAX_TRAILING_ORDERS: u64 = 100_000;
/// Waiting orders of one group that enter in one block.
pub const MAX_TRIGGERED_ORDERS: u64 = 10_000;
/// Pegged orders of one market; all of them may move in each block.
pub const MAX_PEGGED_ORDERS: u64 = 100_000;
/// TWAP orders of one group that send a slice in one block.
pub const MAX_TWAP_SLICES: u64 = 10_000;
/// Fills, removals and refreshes of one auction.
pub const MAX_AUCTION_FILLS: u64 = 1_000_000;
/// Strikes that the series list in one block.
pub const MAX_LISTINGS: u64 = 10_000;
/// Client-id and label floors of one account in one group.
pub const MAX_FLOORS: u64 = 65_536;
/// Each side of the nonce window: one day.
pub const MAX_NONCE_WINDOW_MS: u64 = 86_400_000;
/// Tokens of a bucket, and tokens per second. Buckets count thousandths in 64 bits.
pub const MAX_TOKENS: u64 = 1_000_000_000;

use crate::margin::Params;
use crate::{
    Account, AssetId, Atoms, GroupId, Hash, KeyId, Limits, Lots, MarginMode, MarketId, OptionKind,
    Ticks, TimeMs,
};
use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};

/// What a chain is: the integers that a validated genesis comes down to.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ChainSpec {
    /// The CometBFT chain id.
    pub chain_id: String,
    /// Genesis time in ms; the first seed and the clock before block 1.
    pub genesis_time: TimeMs,
    /// Bounds.
    pub limits: Limits,
    /// Number of account shards, 1 to 256.
    pub account_shards: u16,
    /// The asset that margin, fees and every market's quotes are in.
    pub margin_asset: AssetId,
    /// Index is the [`AssetId`].
    pub assets: Vec<AssetSpec>,
    /// Index is the [`GroupId`].
    pub groups: Vec<GroupSpec>,
    /// Index is the [`MarketId`]; options that series list follow.
    pub markets: Vec<MarketSpec>,
    /// What options are listed.
    pub series: Vec<SeriesSpec>,
    /// Margin mode of a new account.
    pub margin_mode: MarginMode,
    /// What an open order adds to initial margin in Portfolio mode, as a fraction of price x size,
    /// so that a wall beyond the range of the scenarios costs equity.
    pub order_reserve_ppm: u32,
    /// Keys whose [`crate::Action::SetPrices`] counts.
    pub price_authorities: Vec<KeyId>,
    /// The first validators.
    pub validators: Vec<ValidatorSpec>,
    /// Genesis balances in atoms; sorted, each (account, asset) once.
    pub balances: Vec<(Account, AssetId, u128)>,
}

/// An asset.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AssetSpec {
    /// Symbol, as `USDC`.
    pub symbol: String,
    /// Denomination in Cosmos messages, as `usdc`.
    pub denom: String,
    /// Decimal places: one unit is `10^decimals` atoms.
    pub decimals: u8,
}

/// A group of markets with one underlying.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct GroupSpec {
    /// Name of the underlying, as `BTC`.
    pub name: String,
    /// Prices of the group have a common scale, `10^-price_digits` of the margin asset, 3 to 16.
    pub price_digits: u8,
    /// Volatility a year of its options while no surface says it, in 10^-15.
    pub volatility: i64,
    /// Largest change of a volatility by one surface as a part of itself, in 10^-15; zero is no bound.
    pub surface_cap: i64,
    /// How portfolio margin is computed.
    pub margin: Params,
}

/// What is traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum MarketKind {
    /// The base asset against the margin asset, delivered at once.
    Spot {
        /// Asset delivered.
        base: AssetId,
        /// Atoms of the base asset in one lot.
        lot_atoms: Atoms,
    },
    /// A linear perpetual settled in the margin asset.
    Perpetual,
    /// A linear future. When it expires, positions are settled in the margin asset at the average of
    /// its index over the last half hour.
    Future {
        /// Block time in ms from which it is expired.
        expiry: TimeMs,
    },
    /// A European option, paid for at once and settled in the margin asset at the average of the
    /// group's index over the last half hour.
    Option {
        /// Block time in ms from which it is expired.
        expiry: TimeMs,
        /// Strike in the scale of the group.
        strike: i64,
        /// Call or put.
        kind: OptionKind,
    },
}

/// How long before its expiry the index of a future or an option is averaged, in ms of block time.
pub const SETTLEMENT_WINDOW_MS: TimeMs = 1_800_000;

impl MarketKind {
    /// True when accounts hold positions in it, which are valued at a mark; else it delivers at once.
    pub fn is_derivative(self) -> bool {
        match self {
            Self::Spot { .. } => false,
            Self::Perpetual | Self::Future { .. } | Self::Option { .. } => true,
        }
    }

    /// Block time in ms from which it is expired, if it ever is.
    pub fn expiry(self) -> Option<TimeMs> {
        match self {
            Self::Future { expiry } | Self::Option { expiry, .. } => Some(expiry),
            Self::Spot { .. } | Self::Perpetual => None,
        }
    }
}

/// When the orders of a market trade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Matching {
    /// One after the other as they come.
    #[default]
    Continuous,
    /// All together at one price, at the end of each block.
    Batch,
}

/// Who trades at the worst level that trades in an auction, on the side that has more lots than trade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Sharing {
    /// Older orders first.
    #[default]
    Time,
    /// All, by their lots. Lots that the division leaves over go to the largest remainders, of
    /// equal ones to the older. Of a level with more orders than fills allowed the oldest share,
    /// as many as fills are allowed.
    ProRata,
}

/// A market. Rates are in millionths (ppm).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MarketSpec {
    /// Symbol, as `BTC-PERP`.
    pub symbol: String,
    /// Its group.
    pub group: GroupId,
    /// What is traded.
    pub kind: MarketKind,
    /// Price of one tick in units of the quote asset per unit of the base, as a decimal string, for
    /// display only.
    pub tick: String,
    /// Size of one lot in units of the base, as a decimal string, for display only.
    pub lot: String,
    /// Atoms of the margin asset that one lot is worth per tick of price.
    pub tick_value: Atoms,
    /// Price of one tick in the scale of the group.
    pub tick_price: i64,
    /// One lot in 10^-9 of the underlying.
    pub lot_amount: i64,
    /// Prices at or above the first of each must be multiples of the second, in ticks; by ascending
    /// price. Below the first any tick is allowed.
    pub tick_bands: Vec<(Ticks, Ticks)>,
    /// Smallest order in lots.
    pub min_size: Lots,
    /// Largest order in lots.
    pub max_size: Lots,
    /// Largest price in ticks.
    pub max_price: Ticks,
    /// How far the price of an order may lie beyond the mark (spot: the index), as a fraction of it
    /// (option: of the index); zero is no band.
    pub price_band_ppm: u32,
    /// Smallest price x size of an order in atoms of the margin asset; zero is no bound.
    pub min_notional: Atoms,
    /// Largest price x size of an order in atoms of the margin asset; zero is no bound.
    pub max_notional: Atoms,
    /// Fee of the maker; negative is a rebate, never above the taker's fee in size. Of an option a
    /// fraction of the index, not negative, and at most an eighth of the price.
    pub maker_fee_ppm: i32,
    /// Fee of the taker, not negative.
    pub taker_fee_ppm: i32,
    /// Initial margin as a fraction of the mark notional; zero for spot. Of a short option as a
    /// fraction of the index, less how far it is out of the money.
    pub initial_margin_ppm: u32,
    /// Least initial margin of a short option as a fraction of the index; zero for other markets.
    pub minimum_margin_ppm: u32,
    /// Maintenance margin as a fraction of the mark notional, at most the initial; zero for spot.
    pub maintenance_margin_ppm: u32,
    /// First mark price in ticks; zero for spot.
    pub mark: Ticks,
    /// When its orders trade.
    pub matching: Matching,
    /// How its auctions share.
    pub sharing: Sharing,
    /// True when an account may trade with itself.
    pub self_trade: bool,
    /// Blocks for which a taking order waits. Reserved: zero.
    pub taker_hold: u8,
}

/// A rule by which the options of a group are listed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SeriesSpec {
    /// When its options expire.
    pub cadences: Vec<Cadence>,
    /// Distance of strikes as a fraction of the index; see [`crate::strike_step`].
    pub step_ppm: u32,
    /// Strikes on each side of the one nearest to the index.
    pub strikes: u16,
    /// Most strikes of one expiry, also when the index moves.
    pub max_strikes: u16,
    /// What its options are. The symbol is the beginning of theirs; of the kind nothing counts.
    pub market: MarketSpec,
}

/// Times at which options expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Cadence {
    /// `offset_ms` after each multiple of `period_ms` since 1970. (A week since 1970 begins on a
    /// Thursday.)
    Every {
        /// Period in ms, at least a second, a whole number of seconds.
        period_ms: u64,
        /// Less than the period, a whole number of seconds.
        offset_ms: u64,
        /// How many are listed at a time.
        count: u8,
    },
    /// The last Friday of each month whose number is a multiple of `months`, `offset_ms` after
    /// midnight UTC.
    LastFriday {
        /// 1 is each month, 3 each quarter.
        months: u8,
        /// Less than a day, a whole number of seconds.
        offset_ms: u64,
        /// How many are listed at a time.
        count: u8,
    },
}

/// A validator of the genesis.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ValidatorSpec {
    /// Its name.
    pub name: String,
    /// CometBFT's Ed25519 consensus key.
    pub consensus_key: [u8; 32],
    /// Ed25519 key that signs the bundles of its node.
    pub ingress_key: [u8; 32],
    /// Voting power.
    pub power: u64,
}

/// Digest that ties signatures to a chain: SHA-256 of the chain id.
pub fn chain_hash(chain_id: &str) -> Hash {
    Sha256::digest(chain_id.as_bytes()).into()
}

impl ChainSpec {
    /// The market, if it exists.
    pub fn market(&self, id: MarketId) -> Option<&MarketSpec> {
        self.markets.get(id.index())
    }

    /// The asset, if it exists.
    pub fn asset(&self, id: AssetId) -> Option<&AssetSpec> {
        self.assets.get(id.index())
    }

    /// The asset that Cosmos messages call `denom`.
    pub fn asset_by_denom(&self, denom: &str) -> Option<AssetId> {
        let at = self.assets.iter().position(|asset| asset.denom == denom)?;
        u16::try_from(at).ok().map(AssetId)
    }
}

//! Cash and positions once more, from nothing but genesis and the events of blocks: what was traded,
//! what fees were paid, and what each expiry must have paid.

use std::collections::BTreeMap;
use std::sync::Arc;

use ballast_types::{
    Account, AssetId, Atoms, BlockEvents, ChainSpec, Event, Lots, MarketId, MarketKind, MarketSpec,
    OptionKind, SETTLEMENT_WINDOW_MS, Side, TimeMs,
};

/// What every account has.
pub(crate) struct Ledger {
    spec: Arc<ChainSpec>,
    /// Of the genesis, then those that were listed.
    markets: Vec<MarketSpec>,
    pub(crate) balances: BTreeMap<(Account, AssetId), Atoms>,
    pub(crate) positions: BTreeMap<(Account, MarketId), (Lots, Atoms)>,
    pub(crate) fee_pool: Atoms,
    /// The perpetual of the options' group, its index in ticks, and when that was last looked at.
    perpetual: MarketId,
    index: i64,
    time: TimeMs,
    /// Of each expiry that is not settled: the index by time, in the scale of the group, and the time.
    averages: BTreeMap<TimeMs, (i128, i128)>,
    /// Options that were settled, positions in them, and what these were paid.
    pub(crate) settled: usize,
    pub(crate) closed: usize,
    pub(crate) paid: Atoms,
}

impl Ledger {
    /// For a chain whose options are all of the group of this perpetual.
    pub(crate) fn new(spec: &Arc<ChainSpec>, perpetual: MarketId) -> Self {
        let balances = spec.balances.iter().map(|(account, asset, atoms)| {
            let atoms = Atoms::try_from(*atoms).expect("small");
            ((*account, *asset), atoms)
        });
        Self {
            markets: spec.markets.clone(),
            balances: balances.collect(),
            positions: BTreeMap::new(),
            fee_pool: 0,
            perpetual,
            index: spec.markets[perpetual.index()].mark,
            time: spec.genesis_time,
            averages: BTreeMap::new(),
            settled: 0,
            closed: 0,
            paid: 0,
            spec: Arc::clone(spec),
        }
    }

    /// Follows a block; panics when the chain says something else than it does.
    pub(crate) fn follow(&mut self, block: &BlockEvents) {
        self.sample(block.time);
        for event in &block.events {
            match event {
                Event::Index { market, price } if *market == self.perpetual => self.index = *price,
                Event::Listed {
                    market,
                    series,
                    expiry,
                    strike,
                    kind,
                } => self.list(*market, usize::from(*series), (*expiry, *strike, *kind)),
                Event::Settled { market, price } => self.settle(*market, *price),
                Event::Fill {
                    market,
                    maker_account,
                    taker_account,
                    taker_side,
                    price,
                    size,
                    maker_fee,
                    taker_fee,
                    ..
                } => {
                    let lots = match taker_side {
                        Side::Buy => *size,
                        Side::Sell => -size,
                    };
                    self.trade(*market, (*maker_account, -lots, *maker_fee), *price);
                    self.trade(*market, (*taker_account, lots, *taker_fee), *price);
                }
                Event::Transferred {
                    asset,
                    amount,
                    from,
                    to,
                } => {
                    let amount = Atoms::try_from(*amount).expect("small");
                    *self.balance(*from, *asset) -= amount;
                    *self.balance(*to, *asset) += amount;
                }
                Event::Balance {
                    account,
                    asset,
                    balance,
                } => {
                    let own = *self.balance(*account, *asset);
                    assert_eq!(own, *balance, "{account} at height {}", block.height);
                }
                Event::Position {
                    account,
                    market,
                    size,
                    cost,
                } => {
                    let own = *self.position(*account, *market);
                    assert_eq!(own, (*size, *cost), "{account} in {market}");
                }
                _ => {}
            }
        }
    }

    /// Requires that nothing was made or lost: of each asset as much as in genesis.
    pub(crate) fn assert_conserved(&self) {
        let mut sums: BTreeMap<AssetId, Atoms> = BTreeMap::new();
        for (_, asset, atoms) in &self.spec.balances {
            *sums.entry(*asset).or_default() -= Atoms::try_from(*atoms).expect("small");
        }
        for ((_, asset), atoms) in &self.balances {
            *sums.entry(*asset).or_default() += atoms;
        }
        let costs: Atoms = self.positions.values().map(|(_, cost)| cost).sum();
        *sums.entry(self.spec.margin_asset).or_default() += self.fee_pool - costs;
        assert!(sums.values().all(|sum| *sum == 0), "{sums:?}");
    }

    /// Counts the index for the time since the block before.
    fn sample(&mut self, time: TimeMs) {
        let spec = &self.markets[self.perpetual.index()];
        let index = i128::from(self.index) * i128::from(spec.tick_price);
        for (expiry, (sum, weight)) in &mut self.averages {
            let from = self.time.max(expiry.saturating_sub(SETTLEMENT_WINDOW_MS));
            let ms = i128::from(time.min(*expiry).saturating_sub(from));
            *sum += index * ms;
            *weight += ms;
        }
        self.time = time;
    }

    fn list(&mut self, market: MarketId, series: usize, terms: (TimeMs, i64, OptionKind)) {
        let (expiry, strike, kind) = terms;
        assert_eq!(market.index(), self.markets.len(), "the next number");
        let series = &self.spec.series[series];
        let digits = self.spec.groups[series.market.group.index()].price_digits;
        let spec = series.market(expiry, strike, kind, digits);
        assert_eq!(spec.group, self.markets[self.perpetual.index()].group);
        self.markets.push(spec);
        self.averages.entry(expiry).or_default();
    }

    /// Pays every position what the option is worth at the average.
    fn settle(&mut self, market: MarketId, price: i64) {
        let spec = &self.markets[market.index()];
        let MarketKind::Option {
            expiry,
            strike,
            kind,
        } = spec.kind
        else {
            panic!("{market} is no option");
        };
        assert!(expiry <= self.time, "{market} is settled early");
        let (sum, weight) = self.averages[&expiry];
        let average = (sum + weight / 2) / weight;
        let value = match kind {
            OptionKind::Call => average - i128::from(strike),
            OptionKind::Put => i128::from(strike) - average,
        };
        let group = &self.spec.groups[spec.group.index()];
        let decimals = self.spec.assets[self.spec.margin_asset.index()].decimals;
        let scale = 10_i128.pow(u32::from(group.price_digits) + 9 - u32::from(decimals));
        let pays = value.max(0) * i128::from(spec.lot_amount) / scale;
        let rounded = (pays + spec.tick_value / 2) / spec.tick_value;
        assert_eq!(i128::from(price), rounded, "{}", spec.symbol);
        self.settled += 1;
        let asset = self.spec.margin_asset;
        let holders = self.positions.iter_mut();
        for ((account, _), (lots, _)) in holders.filter(|((_, of), _)| *of == market) {
            let gain = Atoms::from(*lots) * pays;
            *self.balances.entry((*account, asset)).or_default() += gain;
            self.closed += usize::from(*lots != 0);
            self.paid += gain.max(0);
            *lots = 0;
        }
    }

    /// One side of a fill; lots are negative when sold.
    fn trade(
        &mut self,
        market: MarketId,
        (account, lots, fee): (Account, Lots, Atoms),
        price: i64,
    ) {
        let spec = &self.markets[market.index()];
        let (kind, asset) = (spec.kind, self.spec.margin_asset);
        let value = |lots: Lots| Atoms::from(lots) * Atoms::from(price) * spec.tick_value;
        let paid = match kind {
            MarketKind::Spot { base, lot_atoms } => {
                let paid = value(lots);
                *self.balance(account, base) += Atoms::from(lots) * lot_atoms;
                paid
            }
            MarketKind::Option { .. } => {
                let paid = value(lots);
                self.position(account, market).0 += lots;
                paid
            }
            MarketKind::Perpetual | MarketKind::Future { .. } => {
                let (size, cost) = self
                    .positions
                    .get(&(account, market))
                    .copied()
                    .unwrap_or_default();
                // What closes, with the sign of the position.
                let closes = if size.signum() == -lots.signum() {
                    size.signum() * size.abs().min(lots.abs())
                } else {
                    0
                };
                let part = if size == 0 {
                    0
                } else {
                    cost * Atoms::from(closes) / Atoms::from(size)
                };
                let opens = value(lots + closes);
                let gain = value(closes) - part;
                *self.position(account, market) = (size + lots, cost - part + opens);
                -gain
            }
        };
        *self.balance(account, asset) -= paid + fee;
        self.fee_pool += fee;
    }

    fn balance(&mut self, account: Account, asset: AssetId) -> &mut Atoms {
        self.balances.entry((account, asset)).or_default()
    }

    fn position(&mut self, account: Account, market: MarketId) -> &mut (Lots, Atoms) {
        self.positions.entry((account, market)).or_default()
    }
}

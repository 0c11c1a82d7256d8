//! Options, the surfaces that price them, and accounts whose margin is by scenarios.

use super::Workload;
use super::actions::{EDGES, FIRST_OPTION};
use super::surfaces::YEAR_SECS;
use ballast_types::{
    Account, Action, AssetId, Cancel, Event, GroupId, Lots, MarginMode, MarketId, MarketKind,
    MarketStatus, OptionKind, Order, PostOnly, PriceKind, PriceUpdate, Quote, Quotes,
    SetProtection, Side, Ticks, TimeInForce, TimeMs, Transfer,
};

impl Workload {
    /// The next market is an option that was listed.
    pub(super) fn learn_listing(&mut self, event: &Event) {
        let Event::Listed {
            series,
            expiry,
            strike,
            kind,
            ..
        } = event
        else {
            return;
        };
        let Some(series) = self.spec.series.get(usize::from(*series)) else {
            return;
        };
        let group = usize::from(series.market.group.0);
        let digits = self.spec.groups[group].price_digits;
        let market = series.market(*expiry, *strike, *kind, digits);
        self.spec.markets.push(market);
        self.marks.push(0);
        self.indexes.push(0);
        self.lasts.push(0);
        self.statuses.push(MarketStatus::Open);
    }

    pub(super) fn is_option(&self, market: MarketId) -> bool {
        self.spec
            .market(market)
            .is_some_and(|spec| matches!(spec.kind, MarketKind::Option { .. }))
    }

    /// Options that are not settled, those that expire first and were listed first before others.
    pub(super) fn options(&self) -> Vec<MarketId> {
        let listed = (0..).map(MarketId).zip(&self.spec.markets);
        let listed = listed.skip(usize::try_from(FIRST_OPTION).unwrap_or(usize::MAX));
        listed
            .map(|(id, _)| id)
            .filter(|id| !self.is_settled(*id))
            .collect()
    }

    /// One of them, some more often than others, so that accounts meet.
    pub(super) fn option(&mut self) -> Option<MarketId> {
        let options = self.options();
        let first = self
            .rng
            .index(options.len())
            .min(self.rng.index(options.len()));
        options.get(first).copied()
    }

    fn expiry_of(&self, market: MarketId) -> TimeMs {
        let spec = self.spec.market(market);
        spec.and_then(|spec| spec.kind.expiry()).unwrap_or(0)
    }

    /// The perpetual that gives a group its index.
    pub(super) fn reference(&self, group: GroupId) -> MarketId {
        let markets = (0..).map(MarketId).zip(&self.spec.markets);
        let mut own = markets.filter(|(_, market)| market.group == group);
        own.find(|(_, market)| market.kind == MarketKind::Perpetual)
            .map_or(MarketId(1), |(id, _)| id)
    }

    pub(super) fn reference_of_option(&self, market: MarketId) -> Option<MarketId> {
        let spec = self.spec.market(market)?;
        self.is_option(market).then(|| self.reference(spec.group))
    }

    /// Index of a group in its scale.
    pub(super) fn group_index(&self, group: GroupId) -> i64 {
        let reference = self.reference(group);
        let tick_price = self.spec.market(reference).map_or(1, |m| m.tick_price);
        self.index(reference) * tick_price
    }

    /// Of an option the index of its group, and the price of its ticks.
    pub(super) fn option_index(&self, market: MarketId) -> Option<(i64, i64)> {
        let spec = self
            .spec
            .market(market)
            .filter(|_| self.is_option(market))?;
        Some((self.group_index(spec.group), spec.tick_price))
    }

    /// About what an option is worth: what it would pay now, and a triangle for the time that is left.
    pub(super) fn option_value(&self, market: MarketId) -> Option<Ticks> {
        let (index, tick_price) = self.option_index(market)?;
        let spec = self.spec.market(market)?;
        let MarketKind::Option {
            expiry,
            strike,
            kind,
        } = spec.kind
        else {
            return None;
        };
        let intrinsic = match kind {
            OptionKind::Call => index - strike,
            OptionKind::Put => strike - index,
        };
        let secs = i64::try_from(expiry.saturating_sub(self.time) / 1_000).unwrap_or(0);
        let volatility = self.volatilities[usize::from(spec.group.0)];
        let deviation = index / 1_000 * volatility * secs.isqrt() / YEAR_SECS.isqrt();
        let time = (deviation * 2 / 5 - intrinsic.abs() * 2 / 5).max(0);
        Some(((intrinsic.max(0) + time) / tick_price).max(1))
    }

    /// The price, of most orders down to a step of the market's bands.
    pub(super) fn stepped(&mut self, market: MarketId, price: Ticks) -> Ticks {
        if self.rng.one_in(12) {
            return price;
        }
        let bands = self.spec.market(market).map(|spec| &spec.tick_bands);
        let step = bands.and_then(|bands| bands.iter().rev().find(|(from, _)| *from <= price));
        step.map_or(price, |(_, step)| price / step * step)
    }

    /// What belongs to options and to accounts in Portfolio mode.
    pub(super) fn optional(&mut self) -> Vec<Vec<u8>> {
        match self.rng.below(18) {
            0..=2 => self.option_trade(),
            3..=4 => self.option_quotes(),
            5 => self.beyond_the_band(),
            6 => self.leaves_mode(),
            7..=8 => self.portfolio_opens(),
            9..=10 => self.portfolio_squeeze(),
            11 => self.portfolio_limit(),
            12 | 16..=17 => self.portfolio_reduces(),
            13 => self.spot_leaves(),
            14 => self.bad_surface(),
            _ => self.index_jump(),
        }
    }

    /// An option at about its price, and who takes it.
    fn option_trade(&mut self) -> Vec<Vec<u8>> {
        let Some(market) = self.option() else {
            return Vec::new();
        };
        let (account, other) = (self.own_account(), self.own_account());
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let direction = if side == Side::Buy { 1 } else { -1 };
        let near = self.mark(market) + self.rng.signed(-6, 6);
        let price = self.stepped(market, near).max(1);
        let size = self.rng.signed(4, 30);
        let maker = Order::limit(market, side, price, size).post_only(PostOnly::Slide);
        let taker = Order {
            size: self.rng.signed(1, 30),
            price,
            tif: self.rng.pick(&[TimeInForce::Ioc, TimeInForce::Gtc]),
            ..self.crossing_order(market, -direction)
        };
        let mut txs = vec![
            self.native_of(account, vec![Action::Order(maker)]),
            self.native_of(other, vec![Action::Order(taker)]),
        ];
        if self.rng.one_in(3) {
            // Slides to the next price on the side of the maker's account.
            let beyond = Order {
                side: side.opposite(),
                ..maker
            };
            txs.push(self.native_of(other, vec![Action::Order(beyond)]));
        }
        txs
    }

    /// Quotes in options of a group with a bound on vega, and who takes them.
    fn option_quotes(&mut self) -> Vec<Vec<u8>> {
        // Those that have days to go are worth more when volatility is.
        let mut late = self.options();
        let tomorrow = self.time + 86_400_000;
        late.retain(|id| self.expiry_of(*id) > tomorrow);
        if late.is_empty() {
            return Vec::new();
        }
        let first = self.rng.pick(&late);
        let group = self
            .spec
            .market(first)
            .map_or(GroupId(0), |spec| spec.group);
        let own = |id: &MarketId| self.spec.market(*id).is_some_and(|m| m.group == group);
        let mut options: Vec<MarketId> = late.into_iter().filter(own).collect();
        let from = self.rng.index(options.len());
        options.drain(..from);
        options.truncate(4);
        let (account, other) = (self.own_account(), self.own_account());
        let mut quotes = Vec::new();
        for market in &options {
            let value = self.mark(*market);
            let mut side = |away: i64| {
                let size = self.rng.signed(4, 30);
                let price = self.stepped(*market, (value + away).max(1));
                Some(ballast_types::QuoteSide { price, size })
            };
            let (bid, ask) = (side(-3), side(3));
            quotes.push(Quote {
                market: *market,
                bid: bid.filter(|side| side.price < value),
                ask,
            });
        }
        // A few lots of ETH, or of BTC, of which one has fifty times as much.
        let most = self.rng.pick(&[150, 150, 4_000]);
        let vega = u128::from(self.rng.range(10, most));
        let protection = SetProtection {
            notional: 0,
            delta: 0,
            vega,
            interval_ms: 4_000,
            freeze_ms: self.rng.range(1, 2_000),
            group,
        };
        let quotes = Quotes {
            group,
            post_only: PostOnly::Slide,
            quotes,
        };
        let actions = vec![Action::SetProtection(protection), Action::Quotes(quotes)];
        let mut txs = vec![self.native_of(account, actions)];
        for market in options {
            let direction = self.rng.pick(&[-1, 1]);
            let value = self.mark(market);
            let taker = Order {
                size: self.rng.signed(2, 40),
                price: (value + direction * 6).max(1),
                ..self.crossing_order(market, direction)
            };
            txs.push(self.native_of(other, vec![Action::Order(taker)]));
        }
        txs
    }

    /// An order in an option further from its mark than the band allows.
    fn beyond_the_band(&mut self) -> Vec<Vec<u8>> {
        let Some(market) = self.option() else {
            return Vec::new();
        };
        let account = self.own_account();
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let away = self.index(market) / 10;
        let price = match side {
            Side::Buy => self.mark(market) + away,
            Side::Sell => (self.mark(market) - away).max(1),
        };
        let price = price / 10 * 10;
        let order = Order::limit(market, side, price.max(10), 2).post_only(PostOnly::Slide);
        vec![self.native_of(account, vec![Action::Order(order)])]
    }

    pub(super) fn margin_mode(&mut self, account: Account) -> MarginMode {
        let other = match self.portfolios.contains(&account) {
            true => MarginMode::Standard,
            false => MarginMode::Portfolio,
        };
        self.rng
            .pick(&[other, MarginMode::Standard, MarginMode::Portfolio])
    }

    /// An account takes its orders back, so that its mode may change in the next block.
    fn leaves_mode(&mut self) -> Vec<Vec<u8>> {
        let account = self.own_account();
        let mode = self.margin_mode(account);
        self.changing.push((account, mode));
        vec![self.native_of(account, vec![Action::Cancel(Cancel::All(None))])]
    }

    /// Half of the accounts have portfolio margin from the first block on.
    pub(super) fn change_modes(&mut self) -> Vec<Vec<u8>> {
        let mut changing = std::mem::take(&mut self.changing);
        if self.height == 1 {
            let accounts = self.accounts.iter().step_by(2);
            changing = accounts
                .map(|account| (*account, MarginMode::Portfolio))
                .collect();
        }
        let mut txs = Vec::new();
        for (account, mode) in changing {
            match mode {
                MarginMode::Portfolio => self.portfolios.insert(account),
                MarginMode::Standard => self.portfolios.remove(&account),
            };
            let secret = self.owner(account.master);
            let body = self.body(account, &secret, vec![Action::SetMarginMode(mode)]);
            txs.push(ballast_types::sign_native(&body, &secret));
        }
        txs
    }

    fn portfolio(&mut self) -> Account {
        let known = self.portfolios.iter();
        let known: Vec<Account> = known.filter(|a| self.is_owned(**a)).copied().collect();
        if known.is_empty() {
            return self.own_account();
        }
        self.rng.pick(&known)
    }

    /// A market of a group with options, some of them options.
    fn group_market(&mut self) -> MarketId {
        let option = self.option();
        let any = self
            .rng
            .pick(&[MarketId(1), MarketId(3), MarketId(1), MarketId(8)]);
        match option {
            Some(option) if self.rng.one_in(2) => option,
            _ if self.is_settled(any) => MarketId(3),
            _ => any,
        }
    }

    /// Two accounts in Portfolio mode trade as much as they can.
    fn portfolio_opens(&mut self) -> Vec<Vec<u8>> {
        let (account, other) = (self.portfolio(), self.portfolio());
        let market = self.group_market();
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let direction = if side == Side::Buy { 1 } else { -1 };
        let price = self.mark(market);
        let price = self.stepped(market, price);
        let size = self.rng.signed(20, 110);
        let maker = Order::limit(market, side, price, size);
        let taker = Order {
            price,
            size: self.rng.pick(&[40, 100, 400]),
            ..self.crossing_order(market, -direction)
        };
        vec![
            self.native_of(
                account,
                vec![Action::Order(maker.post_only(PostOnly::Slide))],
            ),
            self.native_of(other, vec![Action::Order(taker)]),
        ]
    }

    /// An account in Portfolio mode rests orders in all that it holds, more than it holds of some;
    /// then the index and the mark of its underlying jump, and somebody meets the orders.
    fn portfolio_squeeze(&mut self) -> Vec<Vec<u8>> {
        let any = self.portfolio();
        let weakest = self.weakest().filter(|_| self.rng.one_in(2));
        let account = weakest.unwrap_or(any);
        let held = self.held(account);
        let held: Vec<(MarketId, Lots)> = held.into_iter().rev().take(4).collect();
        let Some((market, _)) = held.first() else {
            return self.portfolio_opens();
        };
        let group = self.spec.market(*market).map_or(GroupId(0), |m| m.group);
        let mut actions = Vec::new();
        for (market, size) in &held {
            let mark = self.mark(*market);
            let away = self.rng.signed(0, mark / 60) * size.signum();
            let price = self.stepped(*market, (mark + away).max(1));
            let lots = size.abs() * self.rng.pick(&[1, 2, 2, 3]);
            let direction = self.rng.pick(&[-1, -1, -1, 1]);
            actions.push(Action::Order(Order {
                price,
                size: lots.max(2),
                tif: TimeInForce::Gtc,
                post_only: PostOnly::Reject,
                max_fills: 0,
                ..self.crossing_order(*market, direction * size)
            }));
        }
        self.squeezed.extend(held);
        let mut txs = vec![self.native_of(account, actions)];
        txs.extend(self.jump_of(group));
        txs
    }

    /// Mark and index of an underlying jump together.
    fn jump_of(&mut self, group: GroupId) -> Vec<Vec<u8>> {
        let market = self.reference(group);
        let now = self.mark(market);
        let factor = self.rng.pick(&[2, 3, 3, 5, 5, 6]);
        let price = (now * factor / 4).clamp(300, 4_000);
        let update = |kind| PriceUpdate {
            market,
            kind,
            price,
        };
        let updates = [PriceKind::Mark, PriceKind::Index].map(update);
        let jump = vec![Action::SetPrices(updates.to_vec())];
        vec![self.native_of(self.authority(), jump)]
    }

    fn index_jump(&mut self) -> Vec<Vec<u8>> {
        let group = GroupId(self.rng.pick(&[0, 0, 1, 2]));
        self.jump_of(group)
    }

    /// Orders for more than an account in Portfolio mode may have: cut, refused, or filled in part.
    fn portfolio_limit(&mut self) -> Vec<Vec<u8>> {
        let account = self.portfolio();
        let mut actions = Vec::new();
        for tif in [TimeInForce::Ioc, TimeInForce::Gtc] {
            let market = self.group_market();
            let direction = self.rng.pick(&[-1, 1]);
            actions.push(Action::Order(Order {
                size: self.rng.pick(&[200, 500, 1_000]),
                tif,
                price: self.mark(market),
                ..self.crossing_order(market, direction)
            }));
        }
        vec![self.native_of(account, actions)]
    }

    /// What an account in Portfolio mode has, and what is left when all prices move a fifth against
    /// it, about.
    fn worth(&self, account: Account) -> (i128, i128) {
        let cash = (account, self.spec.margin_asset);
        let mut equity = self.balances.get(&cash).copied().unwrap_or(0);
        let mut moves = 0;
        for (id, market) in (0..).map(MarketId).zip(&self.spec.markets) {
            let (lots, cost) = match market.kind {
                MarketKind::Spot { base, lot_atoms } => {
                    let atoms = self.balances.get(&(account, base)).copied().unwrap_or(0);
                    (atoms / lot_atoms, 0)
                }
                _ => match self.positions.get(&(account, id)) {
                    Some((size, cost)) => (i128::from(*size), *cost),
                    None => continue,
                },
            };
            let value = i128::from(self.mark(id)) * market.tick_value * lots;
            equity += value - cost;
            moves += value.abs() / 5;
        }
        (equity, equity - moves)
    }

    /// The solvent account in Portfolio mode that has least to spare.
    fn weakest(&self) -> Option<Account> {
        let known = self.portfolios.iter();
        let holding = known.filter(|a| self.is_owned(**a) && !self.held(**a).is_empty());
        let solvent = holding.filter(|account| self.worth(**account).0 > 0);
        solvent
            .min_by_key(|account| self.worth(**account).1)
            .copied()
    }

    /// The account in Portfolio mode that is weakest, mostly, closes some of what it has.
    fn portfolio_reduces(&mut self) -> Vec<Vec<u8>> {
        let any = self.portfolio();
        let weakest = self.weakest();
        let account = weakest.filter(|_| !self.rng.one_in(4)).unwrap_or(any);
        let mut actions = Vec::new();
        let mut txs = Vec::new();
        for (market, size) in self.held(account).into_iter().rev().take(3) {
            let lots = self
                .rng
                .pick(&[size.abs(), (2 * size.abs() + 2) / 3, 2 * size.abs()]);
            let price = self.mark(market);
            let price = self.stepped(market, price);
            let closes = Order {
                size: lots.max(2),
                price,
                tif: self.rng.pick(&[TimeInForce::Ioc, TimeInForce::Gtc]),
                ..self.crossing_order(market, -size)
            };
            actions.push(Action::Order(closes));
            if self.rng.one_in(2) {
                let maker = self.own_account();
                let side = closes.side.opposite();
                let other = Order::limit(market, side, price, 2 * size.abs() + 4);
                let other = other.post_only(PostOnly::Slide);
                txs.push(self.native_of(maker, vec![Action::Order(other)]));
            }
            // The first may leave less than the second is for.
            if self.rng.one_in(2) {
                actions.push(Action::Order(closes));
            }
        }
        if actions.is_empty() {
            return self.portfolio_opens();
        }
        txs.push(self.native_of(account, actions));
        txs
    }

    /// An account in Portfolio mode sends away the spot that its margin counts.
    fn spot_leaves(&mut self) -> Vec<Vec<u8>> {
        let account = self.portfolio();
        let asset = AssetId(self.rng.pick(&[1, 2]));
        let amount = self.amount(account, asset);
        let all = self.balances.get(&(account, asset)).copied().unwrap_or(0);
        let amount = match self.rng.below(3) {
            0 => u128::try_from(all).unwrap_or(0),
            1 => u128::try_from(all / 2).unwrap_or(0),
            _ => amount,
        };
        let to = self.own_account();
        let send = Transfer { asset, amount, to };
        vec![self.native_of(account, vec![Action::Transfer(send)])]
    }

    /// An edge now and then.
    pub(super) fn edge_or(&mut self, value: i64) -> i64 {
        if self.rng.one_in(60) {
            return self.rng.pick(&EDGES);
        }
        value
    }
}

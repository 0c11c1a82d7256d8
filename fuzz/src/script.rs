//! Blocks from bytes: each byte string is a program that places, amends and cancels orders on the
//! small exchange of the model's tests. Short programs reach far, because every choice is among few.

use ballast_model::workload::{cosmos_actions, cosmos_sends, test_secrets};
use ballast_types::margin::ONE;
use ballast_types::surface::{Curve, Node, Svi};
use ballast_types::{
    Account, AccountId, Action, Amend, AssetId, Cancel, ChainSpec, Condition, Distance,
    ExpirySurface, GroupId, LinkKind, LinkRule, Linked, MarginMode, MarketId, MarketKind,
    MarketStatus, MsgActionsBody, Order, OrderId, OrderRef, Peg, PegTo, PostOnly, PriceKind,
    PriceSource, PriceUpdate, Quote, QuoteSide, Quotes, SETTLEMENT_WINDOW_MS, Scale, Secret,
    SelfTrade, SelfTradeScope, SetAgent, SetMarketStatus, SetProtection, SetSurface, Side,
    TimeInForce, Transfer, Trigger, Twap, TxBody, chain_hash, encode_bundle, sign_native,
};
use std::collections::BTreeMap;

/// Blocks that one program makes.
pub const MAX_BLOCKS: usize = 12;
/// Transactions of one block.
const MAX_TXS: usize = 24;

/// Reads bytes and then zeros.
pub struct Input<'a>(pub &'a [u8]);

impl Input<'_> {
    /// True when all bytes were read.
    pub fn ended(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        byte
    }

    fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Near `middle`, or now and then at the end of the world.
    fn number(&mut self, middle: i64) -> i64 {
        match self.byte() {
            255 => i64::MAX,
            254 => i64::MIN,
            253 => 0,
            252 => 1 << 44,
            byte => middle + i64::from(byte % 32) - 16,
        }
    }
}

/// What the program has seen and where it is.
pub struct Script {
    spec: ChainSpec,
    secrets: Vec<Secret>,
    /// Height of the block that comes next.
    pub height: u64,
    /// Time of that block in ms.
    pub time: u64,
    nonce: u64,
    /// Orders to amend and to cancel.
    pub orders: Vec<OrderId>,
    sent: Vec<Vec<u8>>,
    /// Next Cosmos sequence by master.
    sequences: BTreeMap<AccountId, u64>,
}

impl Script {
    /// At the genesis.
    pub fn new(spec: ChainSpec) -> Self {
        Self {
            height: 1,
            time: spec.genesis_time + 1_000,
            nonce: 0,
            secrets: test_secrets(),
            orders: Vec::new(),
            sent: Vec::new(),
            sequences: BTreeMap::new(),
            spec,
        }
    }

    /// The transactions of the next block.
    pub fn block(&mut self, input: &mut Input<'_>) -> Vec<Vec<u8>> {
        let mut txs = Vec::new();
        while txs.len() < MAX_TXS && !input.ended() {
            match input.byte() {
                byte @ 0..=31 => {
                    // Futures expire after seconds, and after half an hour.
                    self.time += match byte {
                        31 => SETTLEMENT_WINDOW_MS,
                        byte => u64::from(byte) * 50,
                    };
                    break;
                }
                32..=39 if !self.sent.is_empty() => {
                    let at = usize::from(input.byte()) % self.sent.len();
                    txs.push(self.sent[at].clone());
                }
                40..=43 => {
                    let length = usize::from(input.byte()).min(input.0.len());
                    let (raw, rest) = input.0.split_at(length);
                    input.0 = rest;
                    txs.push(raw.to_vec());
                }
                44..=55 => txs.push(self.prices(input)),
                56..=71 => txs.push(self.cosmos(input)),
                72..=79 if !self.sent.is_empty() => {
                    let at = usize::from(input.byte()) % self.sent.len();
                    let chain = chain_hash(&self.spec.chain_id);
                    let ingress = Secret::ed25519([9; 32]);
                    txs.push(encode_bundle(
                        &self.sent[at..],
                        self.nonce,
                        &chain,
                        &ingress,
                    ));
                }
                byte => txs.push(self.tx(byte, input)),
            }
        }
        self.sent.extend_from_slice(&txs);
        txs
    }

    /// Moves a mark or an index by up to two fifths, changes what a market takes, or publishes a
    /// surface.
    fn prices(&mut self, input: &mut Input<'_>) -> Vec<u8> {
        let price = 600 + 3 * i64::from(input.byte());
        let market = market(input);
        let action = match input.below(10) {
            9 => Action::SetSurface(self.surface(input)),
            0 => Action::SetMarketStatus(SetMarketStatus {
                market,
                status: match input.below(8) {
                    0 => MarketStatus::PostOnly,
                    1 => MarketStatus::CancelOnly,
                    2 => MarketStatus::Suspended,
                    3 | 4 => MarketStatus::Auction,
                    5 => MarketStatus::Settled,
                    _ => MarketStatus::Open,
                },
            }),
            byte => Action::SetPrices(vec![PriceUpdate {
                market,
                kind: price_kind(byte),
                price,
            }]),
        };
        let authority = self.secrets[0].clone();
        self.sign(&authority, &authority, 0, vec![action])
    }

    /// A Cosmos transaction of the next sequence, or near it.
    fn cosmos(&mut self, input: &mut Input<'_>) -> Vec<u8> {
        let owner = self.someone(input).clone();
        let next = self.sequences.entry(owner.id()).or_default();
        let sequence = match input.below(8) {
            0 => *next + 1,
            _ => *next,
        };
        *next += 1;
        self.nonce += 1;
        let timeout = self.height + u64::from(input.below(4));
        if input.flag() {
            let to = self.someone(input).id();
            let sends = [(to, "usdc", u128::from(input.byte()) << 12)];
            return cosmos_sends(&self.spec, &owner, sequence, timeout, &sends);
        }
        let body = MsgActionsBody {
            account: Account::new(owner.id(), 0),
            nonce: self.time + self.nonce % 500,
            actions: vec![self.action(input)],
        };
        cosmos_actions(&self.spec, &owner, sequence, timeout, &body)
    }

    fn tx(&mut self, byte: u8, input: &mut Input<'_>) -> Vec<u8> {
        let count = 1 + byte % 3;
        let owner = &self.secrets[usize::from(input.byte()) % self.secrets.len()];
        // Mostly its own account, sometimes as an agent, rightly or not.
        let signer = match byte {
            240..=255 => &self.secrets[usize::from(byte) % self.secrets.len()],
            _ => owner,
        };
        let (owner, signer) = (owner.clone(), signer.clone());
        let sub = u16::from(input.below(8) == 7);
        let actions = (0..count).map(|_| self.action(input)).collect();
        self.sign(&owner, &signer, sub, actions)
    }

    fn sign(&mut self, owner: &Secret, signer: &Secret, sub: u16, actions: Vec<Action>) -> Vec<u8> {
        self.nonce += 1;
        let body = TxBody {
            chain: chain_hash(&self.spec.chain_id),
            account: Account::new(owner.id(), sub),
            key: signer.public(),
            nonce: self.time + self.nonce % 500,
            // One in sixteen is too late.
            expiry: self.time + self.nonce % 16 * 400,
            actions,
        };
        sign_native(&body, signer)
    }

    fn action(&self, input: &mut Input<'_>) -> Action {
        match input.below(28) {
            25 | 26 => Action::SetMarginMode(match input.flag() {
                true => MarginMode::Portfolio,
                false => MarginMode::Standard,
            }),
            27 => Action::SetSurface(self.surface(input)),
            23 | 24 => Action::Linked(self.linked(input)),
            20 => Action::Scale(Scale {
                order: self.order(input),
                last_price: input.number(1_000),
                orders: u16::from(input.below(6)),
                last_size_ppm: u32::from(input.byte()) * 20_000,
            }),
            21 => Action::Quotes(self.quotes(input)),
            22 => Action::SetProtection(SetProtection {
                group: group(input),
                interval_ms: u64::from(input.byte()) * 20,
                freeze_ms: u64::from(input.byte()) * 20,
                notional: u128::from(input.byte()) << 12,
                delta: u128::from(input.byte()) << 11,
                vega: u128::from(input.byte()) << 8,
            }),
            0 | 19 => Action::Amend(self.amend(input)),
            1 | 2 => Action::Cancel(self.cancel(input)),
            3 => Action::Transfer(Transfer {
                asset: AssetId(input.below(4).into()),
                amount: u128::from(input.byte()) << input.below(128),
                to: Account::new(self.someone(input).id(), u16::from(input.below(3))),
            }),
            4 => Action::SetAgent(SetAgent {
                key: self.someone(input).id(),
                expiry: self.time + u64::from(input.byte()) * 100,
                markets: (0..input.below(10))
                    .map(|market| MarketId(market.into()))
                    .collect(),
                max_notional: u128::from(input.byte()) << 16,
            }),
            5 => Action::RemoveAgent(self.someone(input).id()),
            6 => Action::SetPrices(vec![PriceUpdate {
                market: market(input),
                kind: price_kind(input.byte()),
                price: input.number(1_000),
            }]),
            7 => Action::CancelAfter(match input.below(4) {
                0 => 0,
                1 => input.byte().into(),
                _ => 1_000 + u64::from(input.byte()) * 20,
            }),
            _ => Action::Order(self.order(input)),
        }
    }

    fn someone(&self, input: &mut Input<'_>) -> &Secret {
        &self.secrets[usize::from(input.byte()) % self.secrets.len()]
    }

    fn order(&self, input: &mut Input<'_>) -> Order {
        let kind = input.byte();
        // One byte says which of the rarer features an order has.
        let extra = input.byte();
        let post_only = match kind & 1 {
            // What is pegged slides.
            _ if extra & 224 == 192 => PostOnly::Slide,
            0 => PostOnly::No,
            _ if input.flag() => PostOnly::Slide,
            _ => PostOnly::Reject,
        };
        let market = market(input);
        let side = if kind & 2 == 0 { Side::Buy } else { Side::Sell };
        let price = self.price(market, input);
        let size = if kind & 16 == 0 {
            input.number(17)
        } else {
            8 * i64::from(input.byte())
        };
        Order {
            tif: match kind >> 2 & 7 {
                0 => TimeInForce::Ioc,
                1 => TimeInForce::Fok,
                2 => TimeInForce::Gtt(self.time + u64::from(input.byte()) * 20),
                3 => TimeInForce::Gtb(self.height + u64::from(input.below(6))),
                _ => TimeInForce::Gtc,
            },
            post_only,
            reduce_only: kind >> 5 == 0,
            client_id: (kind >> 6 == 1).then(|| input.below(5).into()),
            label: input.below(3).into(),
            max_fills: match post_only {
                PostOnly::No => u16::from(1 + input.below(7)),
                PostOnly::Reject | PostOnly::Slide => 0,
            },
            self_trade: match extra & 3 {
                0 => SelfTrade::CancelTaker,
                1 => SelfTrade::CancelMaker,
                2 => SelfTrade::CancelBoth,
                _ => SelfTrade::Decrement,
            },
            self_trade_scope: match extra & 4 {
                0 => SelfTradeScope::Account,
                _ => SelfTradeScope::Master,
            },
            display: (extra & 24 == 8).then(|| input.number(17) / 4),
            trigger: (extra & 96 == 32).then(|| trigger(input)),
            peg: (extra & 224 == 192).then(|| peg(input)),
            twap: (extra & 224 == 224).then(|| twap(input)),
            ..Order::limit(market, side, price, size)
        }
    }

    /// Near the mark; options, whose numbers follow those of the genesis, are worth less.
    fn price(&self, market: MarketId, input: &mut Input<'_>) -> i64 {
        let middle = match self.spec.market(market) {
            Some(_) => 1_000,
            None => 4 * i64::from(input.byte()),
        };
        input.number(middle)
    }

    /// Of expiries that options have, mostly near the prices and volatilities of the genesis.
    fn surface(&self, input: &mut Input<'_>) -> SetSurface {
        let group = group(input);
        let mut series = self.spec.series.iter();
        let series = series.find(|series| series.market.group == group);
        let expiries = series.map_or(Vec::new(), |series| series.expiries(self.time));
        let perpetuals = self.spec.markets.iter();
        let perpetual = perpetuals
            .filter(|market| market.group == group)
            .find(|market| market.kind == MarketKind::Perpetual);
        let tick = perpetual.map_or(1, |market| market.tick_price);
        let first = usize::from(input.below(4) == 0);
        let expiries = expiries.iter().skip(first).map(|expiry| {
            let secs = expiry.saturating_sub(self.time) / 1_000;
            // One deviation in a year is 0.6.
            let variance = i64::try_from(secs).unwrap_or(0).min(1 << 24) * 360_000_000_000 / 31_557;
            ExpirySurface {
                expiry: *expiry,
                forward: tick.saturating_mul(input.number(1_000)),
                rate: (i64::from(input.byte()) - 128) * (ONE / 1_000),
                tenor: u32::try_from(secs).unwrap_or(u32::MAX).max(1),
                curve: curve(variance.max(1), input),
            }
        });
        SetSurface {
            group,
            expiries: expiries.collect(),
        }
    }

    /// Mostly of one market, and mostly of sides and sizes that fit.
    fn linked(&self, input: &mut Input<'_>) -> Linked {
        let choice = input.byte();
        let kind = match choice & 3 {
            0 => LinkKind::Oco,
            1 => LinkKind::Oto,
            _ => LinkKind::Otoco,
        };
        let order = self.order(input);
        let leg = |input: &mut Input<'_>| {
            let leg = self.order(input);
            let market = match input.below(8) {
                0 => leg.market,
                _ => order.market,
            };
            let side = match input.flag() {
                true => order.side,
                false => order.side.opposite(),
            };
            let trigger = leg.trigger.or_else(|| input.flag().then(|| trigger(input)));
            let (peg, twap) = (None, None);
            Order {
                market,
                side,
                trigger,
                peg,
                twap,
                ..leg
            }
        };
        let fitting = if kind == LinkKind::Otoco { 2 } else { 1 };
        let legs = match choice >> 4 {
            0 => input.below(4),
            _ => fitting,
        };
        Linked {
            kind,
            rule: match choice >> 2 & 3 {
                0 => LinkRule::FirstHit,
                1 => LinkRule::CompleteFill,
                _ => LinkRule::Incremental,
            },
            legs: (0..legs).map(|_| leg(input)).collect(),
            order: match choice & 128 {
                0 => order,
                _ => Order {
                    peg: None,
                    twap: None,
                    ..order
                },
            },
        }
    }

    fn quotes(&self, input: &mut Input<'_>) -> Quotes {
        let side = |market, input: &mut Input<'_>| {
            let price = self.price(market, input);
            let size = input.number(17);
            input.flag().then_some(QuoteSide { price, size })
        };
        Quotes {
            group: group(input),
            post_only: match input.below(8) {
                0 => PostOnly::No,
                1..=3 => PostOnly::Slide,
                _ => PostOnly::Reject,
            },
            quotes: (0..input.below(4))
                .map(|_| {
                    let market = market(input);
                    Quote {
                        market,
                        bid: side(market, input),
                        ask: side(market, input),
                    }
                })
                .collect(),
        }
    }

    fn order_id(&self, input: &mut Input<'_>) -> OrderId {
        let byte = input.byte();
        let at = usize::from(byte) % self.orders.len().max(1);
        self.orders.get(at).copied().unwrap_or(OrderId(byte.into()))
    }

    fn amend(&self, input: &mut Input<'_>) -> Amend {
        let order = match input.flag() {
            true => OrderRef::Client {
                group: group(input),
                client_id: input.below(5).into(),
            },
            false => OrderRef::Id(self.order_id(input)),
        };
        Amend {
            order,
            price: input.number(1_000),
            size: input.number(17),
            keep_on_reject: input.flag(),
            max_fills: u16::from(1 + input.below(7)),
        }
    }

    fn cancel(&self, input: &mut Input<'_>) -> Cancel {
        match input.below(6) {
            0 => Cancel::Client {
                group: group(input),
                client_id: input.below(5).into(),
            },
            1 => Cancel::Label {
                group: group(input),
                label: input.below(3).into(),
            },
            2 => Cancel::Market(market(input)),
            3 => Cancel::All(None),
            4 => Cancel::All(Some(group(input))),
            _ => Cancel::Order(self.order_id(input)),
        }
    }
}

/// Round a total variance.
fn curve(variance: i64, input: &mut Input<'_>) -> Curve {
    let part = |input: &mut Input<'_>| variance / 32 * i64::from(24 + input.below(16));
    if input.flag() {
        return Curve::Svi(Svi {
            a: part(input) / 2,
            b: part(input) / 2,
            rho: ONE / 16 * (i64::from(input.below(34)) - 17),
            m: ONE / 64 * (i64::from(input.below(32)) - 16),
            sigma: ONE / 16 * i64::from(input.below(16)),
        });
    }
    let nodes = (-1..=i64::from(input.below(3))).map(|at| Node {
        k: at * (ONE / 8),
        variance: part(input),
    });
    Curve::Nodes(nodes.collect())
}

fn price_kind(byte: u8) -> PriceKind {
    match byte % 2 {
        0 => PriceKind::Mark,
        _ => PriceKind::Index,
    }
}

/// Near the price that it follows.
fn peg(input: &mut Input<'_>) -> Peg {
    Peg {
        to: match input.below(3) {
            0 => PegTo::Index,
            1 => PegTo::Bid,
            _ => PegTo::Ask,
        },
        offset: input.number(0),
    }
}

/// Of a few slices, now and then too short or too close.
fn twap(input: &mut Input<'_>) -> Twap {
    Twap {
        duration_ms: 500 * u64::from(input.below(16)),
        interval_ms: 900 + 100 * u64::from(input.below(8)),
        tolerance_ppm: u32::from(input.byte()) * 4_000,
    }
}

/// Near the prices of orders and marks.
fn trigger(input: &mut Input<'_>) -> Trigger {
    let kind = input.byte();
    let condition = match kind & 3 {
        0 => Condition::AtOrAbove(input.number(1_000)),
        1 => Condition::AtOrBelow(input.number(1_000)),
        2 => Condition::Trail {
            distance: Distance::Ticks(input.number(17)),
            activation: input.number(1_000),
        },
        _ => Condition::Trail {
            distance: Distance::Ppm(u32::from(input.byte()) * 4_000),
            activation: 0,
        },
    };
    let source = match kind >> 2 & 3 {
        0 => PriceSource::Index,
        1 => PriceSource::Last,
        _ => PriceSource::Mark,
    };
    Trigger { source, condition }
}

/// One of the markets of the genesis, or one of the first options, listed or not.
fn market(input: &mut Input<'_>) -> MarketId {
    MarketId(match input.below(64) {
        byte @ 0..=39 => u32::from(byte / 4),
        byte => u32::from(byte - 30),
    })
}

/// One of the groups, or one more.
fn group(input: &mut Input<'_>) -> GroupId {
    GroupId((input.below(13) / 4).into())
}

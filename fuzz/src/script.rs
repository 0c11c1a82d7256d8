//! Blocks from bytes: each byte string is a program that places, amends and cancels orders on the
//! small exchange of the model's tests. Short programs reach far, because every choice is among few.

use ballast_model::workload::{cosmos_actions, cosmos_sends, test_secrets};
use ballast_types::{
    Account, AccountId, Action, Amend, AssetId, Cancel, ChainSpec, GroupId, MarketId,
    MsgActionsBody, Order, OrderId, OrderRef, PriceUpdate, Secret, SetAgent, Side, TimeInForce,
    Transfer, TxBody, chain_hash, encode_bundle, sign_native,
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
                    self.time += u64::from(byte) * 50;
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

    /// Moves a mark by up to two fifths.
    fn prices(&mut self, input: &mut Input<'_>) -> Vec<u8> {
        let price = 600 + 3 * i64::from(input.byte());
        let update = PriceUpdate {
            market: market(input),
            price,
        };
        let authority = self.secrets[0].clone();
        self.sign(
            &authority,
            &authority,
            0,
            vec![Action::SetPrices(vec![update])],
        )
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
        match input.below(20) {
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
                price: input.number(1_000),
            }]),
            _ => Action::Order(self.order(input)),
        }
    }

    fn someone(&self, input: &mut Input<'_>) -> &Secret {
        &self.secrets[usize::from(input.byte()) % self.secrets.len()]
    }

    fn order(&self, input: &mut Input<'_>) -> Order {
        let kind = input.byte();
        let post_only = kind & 1 == 1;
        Order {
            market: market(input),
            side: if kind & 2 == 0 { Side::Buy } else { Side::Sell },
            price: input.number(1_000),
            size: if kind & 16 == 0 {
                input.number(17)
            } else {
                8 * i64::from(input.byte())
            },
            tif: match kind >> 2 & 7 {
                0 => TimeInForce::Ioc,
                1 => TimeInForce::Fok,
                2 => TimeInForce::Gtt(self.time + u64::from(input.byte()) * 20),
                _ => TimeInForce::Gtc,
            },
            post_only,
            reduce_only: kind >> 5 == 0,
            client_id: (kind >> 6 == 1).then(|| input.below(5).into()),
            label: input.below(3).into(),
            max_fills: if post_only {
                0
            } else {
                u16::from(1 + input.below(7))
            },
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

/// One of the markets, or one more.
fn market(input: &mut Input<'_>) -> MarketId {
    MarketId((input.below(21) / 4).into())
}

/// One of the groups, or one more.
fn group(input: &mut Input<'_>) -> GroupId {
    GroupId((input.below(13) / 4).into())
}

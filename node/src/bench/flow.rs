//! The flows of the benchmark, signed before any clock starts. Each visits accounts one after the
//! other, the keys first, then their subaccounts; a round has visited all.
//!
//! - `orders` and `auction`: a visit is 64 actions in one market: one cancels what the account has
//!   there, 59 rest on both sides of a fixed price, and four take one lot. So no book has more orders
//!   than the visits of one round leave. In `auction` every market trades in a batch at the end of
//!   each block.
//! - `cancels`: in one round each account lets 64 orders rest, in the next it cancels each by its
//!   client id. So all cancels come in bursts of a round.
//! - `quotes`: a visit is one transaction, a mass quote of both sides of 200 markets that moves all
//!   quotes of the account by a tick; each eighth visit takes 16 lots instead.

use std::time::Duration;

use ballast_types::{
    Account, Action, AssetId, Cancel, ChainSpec, GroupId, MarketId, Order, PostOnly, Quote,
    QuoteSide, Quotes, Secret, Side, Ticks, TimeInForce, Transfer, TxHash,
};
use clap::ValueEnum;

use crate::actions::now_ms;
use crate::api::Api;
use crate::client::Signer;
use crate::cmd::Failure;

/// Subaccounts of each key that trade.
const SUBACCOUNTS: u16 = 128;
/// Actions of a visit; transactions of 1, 8 and 32 divide it.
pub const VISIT: usize = 64;
/// Markets that a mass quote covers, and the name of their group.
pub const QUOTED: (u32, &str) = (200, "MM");
/// One visit in so many takes from quotes, so many lots.
const QUOTE_TAKERS: (usize, usize) = (8, 16);
/// One action in so many of a visit takes.
const TAKER_EVERY: usize = 16;
/// Resting orders lie within so many ticks of the market's price.
const SPREAD: u64 = 25;
/// Whole units that each subaccount gets.
const FUNDS: [(&str, u128); 4] = [
    ("USDC", 2_000_000),
    ("BTC", 10),
    ("ETH", 200),
    ("AAPL", 20_000),
];
/// Whole units of the quote asset that a unit of each base is traded around.
const PRICES: [(&str, u64); 4] = [("BTC", 100_000), ("ETH", 4_000), ("AAPL", 585), ("MM", 100)];
/// Nonces of a batch start this long ago, as one key signs more than one a millisecond.
const HEAD_START_MS: u64 = 60_000;
const WAIT: Duration = Duration::from_secs(20);

/// What the flow consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// Orders that rest, and some that take.
    Orders,
    /// The same in markets that trade in batches.
    Auction,
    /// Orders, then a cancel for each.
    Cancels,
    /// Mass quotes over 200 markets.
    Quotes,
}

impl Load {
    /// Its word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Auction => "auction",
            Self::Cancels => "cancels",
            Self::Quotes => "quotes",
        }
    }

    /// How many of an action count as orders.
    fn counts(self, action: &Action) -> u32 {
        match action {
            Action::Order(_) => 1,
            Action::Cancel(_) => u32::from(self == Self::Cancels),
            Action::Quotes(quotes) => 2 * u32::try_from(quotes.quotes.len()).unwrap_or(0),
            _ => 0,
        }
    }

    /// Orders, sides of quotes or cancels in a transaction of `size` actions.
    pub fn orders(self, size: usize) -> usize {
        match self {
            Self::Orders | Self::Auction | Self::Cancels => size,
            Self::Quotes => 2 * QUOTED.0 as usize,
        }
    }
}

/// A signed transaction.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Names it in the `blocks` channel.
    pub hash: TxHash,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Orders in it, those that take included and cancels not; sides of quotes; of a flow of cancels
    /// these too.
    pub orders: u32,
}

struct Venue {
    market: MarketId,
    group: GroupId,
    price: Ticks,
    min_size: i64,
}

/// Makes and signs the flow.
pub struct Flow {
    load: Load,
    signers: Vec<Signer>,
    nonces: Vec<u64>,
    venues: Vec<Venue>,
    assets: Vec<(AssetId, u128)>,
    /// Actions made so far.
    made: usize,
    random: u64,
}

impl Flow {
    /// A flow of these keys over all markets of the chain.
    ///
    /// # Errors
    /// When the chain has a market or lacks an asset that the flow does not know; names it.
    pub fn new(load: Load, secrets: Vec<Secret>, spec: &ChainSpec) -> Result<Self, Failure> {
        let quoted = |market: &ballast_types::MarketSpec| market.symbol.starts_with(QUOTED.1);
        let venues: Result<_, Failure> = (0..)
            .zip(&spec.markets)
            .filter(|(_, market)| quoted(market) == (load == Load::Quotes))
            .map(|(id, market)| venue(MarketId(id), market))
            .collect();
        let asset = |(symbol, units): (&str, u128)| {
            let at = spec.assets.iter().position(|asset| asset.symbol == symbol);
            let at = at.ok_or_else(|| format!("the chain has no asset {symbol}"))?;
            let unit = 10_u128.pow(u32::from(spec.assets[at].decimals));
            Ok((AssetId(u16::try_from(at)?), units * unit))
        };
        let assets: Result<_, Failure> = FUNDS.into_iter().map(asset).collect();
        Ok(Self {
            load,
            nonces: vec![0; secrets.len()],
            signers: secrets
                .into_iter()
                .map(|secret| Signer::new(secret, &spec.chain_id))
                .collect(),
            venues: venues?,
            assets: assets?,
            made: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        })
    }

    /// Gives every subaccount its funds and waits for the blocks.
    pub async fn fund(&mut self, api: &Api) -> Result<(), Failure> {
        for signer in &mut self.signers {
            let master = signer.master();
            let transfers: Vec<_> = (1..=SUBACCOUNTS)
                .flat_map(|sub| {
                    let to = Account::new(master, sub);
                    self.assets.iter().map(move |(asset, amount)| {
                        Action::Transfer(Transfer {
                            asset: *asset,
                            amount: *amount,
                            to,
                        })
                    })
                })
                .collect();
            for part in transfers.chunks(VISIT) {
                let signed = signer.sign(Account::new(master, 0), part.to_vec());
                let answer = api.submit(signed.bytes, WAIT).await?;
                let actions = answer["result"]["actions"].as_array();
                let ok = |row: &serde_json::Value| row["code"] == 0;
                if !actions.is_some_and(|rows| rows.iter().all(ok)) {
                    return Err(format!("the set-up is refused: {answer}").into());
                }
            }
        }
        Ok(())
    }

    /// Signs the next `count` transactions of `size` actions, on all cores.
    pub fn prepare(&mut self, count: usize, size: usize) -> Vec<Prepared> {
        let earliest = now_ms().saturating_sub(HEAD_START_MS);
        // Size may have changed: begin with a new visit.
        self.made = self.made.next_multiple_of(VISIT);
        let mut unsigned = Vec::with_capacity(count);
        for _ in 0..count {
            let (signer, account) = self.account();
            let actions: Vec<_> = match self.load {
                Load::Orders | Load::Auction => (0..size).map(|_| self.action()).collect(),
                Load::Cancels => (0..size).map(|_| self.order_or_cancel()).collect(),
                Load::Quotes => self.quotes(),
            };
            let nonce = earliest.max(self.nonces[signer] + 1);
            self.nonces[signer] = nonce;
            unsigned.push((signer, nonce, account, actions));
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let part = count.div_ceil(threads).max(1);
        let (signers, load) = (&self.signers, self.load);
        let sign = |part: &[(usize, u64, Account, Vec<Action>)]| -> Vec<Prepared> {
            let one = |(signer, nonce, account, actions): &(usize, u64, Account, Vec<Action>)| {
                let signed = signers[*signer].sign_at(*nonce, *account, actions.clone());
                Prepared {
                    hash: signed.hash,
                    bytes: signed.bytes,
                    orders: actions.iter().map(|action| load.counts(action)).sum(),
                }
            };
            part.iter().map(one).collect()
        };
        std::thread::scope(|scope| {
            let sign = &sign;
            let parts: Vec<_> = unsigned
                .chunks(part)
                .map(|part| scope.spawn(move || sign(part)))
                .collect();
            parts
                .into_iter()
                .flat_map(|part| part.join().unwrap_or_default())
                .collect()
        })
    }

    /// Who acts now: visits go round the keys first, then the subaccounts.
    fn account(&self) -> (usize, Account) {
        let visit = self.made / VISIT;
        let signer = visit % self.signers.len();
        let sub = visit / self.signers.len() % usize::from(SUBACCOUNTS);
        let sub = u16::try_from(sub).unwrap_or(0) + 1;
        (signer, Account::new(self.signers[signer].master(), sub))
    }

    fn action(&mut self) -> Action {
        let (visit, at) = (self.made / VISIT, self.made % VISIT);
        self.made += 1;
        let round = self.signers.len() * usize::from(SUBACCOUNTS);
        let (first, second) = (self.draw(), self.draw());
        let venue = &self.venues[visit / round % self.venues.len()];
        if at == 0 {
            return Action::Cancel(Cancel::Market(venue.market));
        }
        let takes = at % TAKER_EVERY == TAKER_EVERY - 1;
        let side = if first % 2 == 0 {
            Side::Buy
        } else {
            Side::Sell
        };
        let far = i64::try_from(second % SPREAD + 1).unwrap_or(1);
        let price = match (side, takes) {
            (Side::Buy, false) | (Side::Sell, true) => venue.price - far,
            (Side::Sell, false) | (Side::Buy, true) => venue.price + far,
        };
        let lots = i64::try_from(first / 2 % 5 + 1).unwrap_or(1);
        let size = venue.min_size * if takes { 1 } else { lots };
        let order = Order::limit(venue.market, side, price, size);
        Action::Order(if takes {
            Order {
                tif: TimeInForce::Ioc,
                max_fills: 2,
                ..order
            }
        } else {
            order.post_only(PostOnly::Reject)
        })
    }

    /// Of the flow of cancels.
    fn order_or_cancel(&mut self) -> Action {
        let (visit, at) = (self.made / VISIT, self.made % VISIT);
        self.made += 1;
        let round = visit / (self.signers.len() * usize::from(SUBACCOUNTS));
        // A pair of rounds, one to place and one to cancel, is in the same market.
        let venue = &self.venues[round / 2 % self.venues.len()];
        let client_id = at as u128 + 1;
        if round % 2 == 1 {
            let group = venue.group;
            return Action::Cancel(Cancel::Client { group, client_id });
        }
        let side = if at % 2 == 0 { Side::Buy } else { Side::Sell };
        let far = i64::try_from(at).unwrap_or(0) / 2 + 1;
        let price = match side {
            Side::Buy => venue.price - far,
            Side::Sell => venue.price + far,
        };
        let order = Order::limit(venue.market, side, price, venue.min_size);
        Action::Order(Order {
            client_id: Some(client_id),
            ..order.post_only(PostOnly::Reject)
        })
    }

    /// A transaction of the flow of quotes.
    fn quotes(&mut self) -> Vec<Action> {
        let visit = self.made / VISIT;
        self.made += VISIT;
        let round = visit / (self.signers.len() * usize::from(SUBACCOUNTS));
        let (every, lots) = QUOTE_TAKERS;
        if visit % every == every - 1 {
            let take = |_| {
                let (which, side) = (self.draw(), self.draw());
                let venue = &self.venues[usize::try_from(which).unwrap_or(0) % self.venues.len()];
                let (side, price) = match side % 2 {
                    0 => (Side::Buy, venue.price + 10),
                    _ => (Side::Sell, venue.price - 10),
                };
                Action::Order(Order {
                    tif: TimeInForce::Ioc,
                    max_fills: 2,
                    ..Order::limit(venue.market, side, price, venue.min_size)
                })
            };
            return (0..lots).map(take).collect();
        }
        let moved = i64::try_from(round % 2).unwrap_or(0);
        let quote = |venue: &Venue| Quote {
            market: venue.market,
            bid: Some(QuoteSide {
                price: venue.price - 5 - moved,
                size: venue.min_size * 10,
            }),
            ask: Some(QuoteSide {
                price: venue.price + 5 + moved,
                size: venue.min_size * 10,
            }),
        };
        let quotes = self.venues.iter().map(quote).collect();
        let group = self.venues.first().map_or(GroupId(0), |venue| venue.group);
        vec![Action::Quotes(Quotes {
            group,
            post_only: PostOnly::Slide,
            quotes,
        })]
    }

    /// Xorshift: the same flow in every run.
    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 8
    }
}

fn venue(id: MarketId, market: &ballast_types::MarketSpec) -> Result<Venue, Failure> {
    let base = PRICES
        .iter()
        .find(|(base, _)| market.symbol.starts_with(base));
    let (_, units) = base.ok_or_else(|| format!("market {}: has no price here", market.symbol))?;
    let tick: rust_decimal::Decimal = market.tick.parse()?;
    let price = rust_decimal::Decimal::from(*units) / tick;
    Ok(Venue {
        market: id,
        group: market.group,
        price: price.try_into()?,
        min_size: market.min_size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballast_types::{Decoded, decode};

    fn flow() -> (Flow, ChainSpec) {
        let secrets: Vec<_> = (1..=2).map(|seed| Secret::ed25519([seed; 32])).collect();
        let accounts: Vec<_> = secrets
            .iter()
            .map(|key| Account::new(key.id(), 0))
            .collect();
        let genesis = ballast_genesis::demo(&accounts, secrets[0].id(), Vec::new());
        let genesis = ballast_genesis::Genesis {
            validators: vec![ballast_genesis::GenesisValidator {
                name: "a".to_owned(),
                consensus_key: hex::encode(consensus_key()),
                ingress_key: hex::encode(consensus_key()),
                power: 1,
            }],
            ..genesis
        };
        let spec = ballast_genesis::validate(&genesis, "test", 1)
            .expect("valid")
            .into_spec();
        (
            Flow::new(Load::Orders, secrets, &spec).expect("knows the markets"),
            spec,
        )
    }

    fn consensus_key() -> [u8; 32] {
        match Secret::ed25519([9; 32]).public() {
            ballast_types::PublicKey::Ed25519(key) => key,
            ballast_types::PublicKey::Secp256k1(_) => [0; 32],
        }
    }

    #[test]
    fn visits_cancel_first_and_transactions_are_good() {
        let (mut flow, spec) = flow();
        let chain = ballast_types::chain_hash(&spec.chain_id);
        let prepared = flow.prepare(4 * VISIT / 8, 8);
        assert_eq!(prepared.iter().map(|tx| tx.orders).sum::<u32>(), 4 * 63);
        let mut nonces = std::collections::BTreeSet::new();
        for (at, tx) in prepared.iter().enumerate() {
            let Ok(Decoded::Tx(decoded)) = decode(&tx.bytes, &spec, &chain) else {
                panic!("does not decode");
            };
            assert_eq!(decoded.hash, tx.hash);
            assert!(nonces.insert((decoded.key_id, decoded.nonce)));
            let cancels = matches!(decoded.actions[0], Action::Cancel(Cancel::Market(_)));
            assert_eq!(cancels, at % 8 == 0);
            let check = (&decoded.key, &decoded.sign_hash, &decoded.signature);
            assert!(ballast_types::verify(check));
        }
    }
}

use crate::surface::Curve;
use crate::{
    Action, Bundle, Cancel, ChainSpec, Code, Decoded, Hash, Limits, PublicKey, TimeInForce, Tx,
    decode,
};

// One unit is about 100 ns of one core. The figures are those of the worst case: every record that
// an action touches lies in a page of its own, which is copied and hashed at the end of the block.

/// Decoding, lookups, nonce record and result of a transaction.
const TX: u64 = 60;
/// Weight that a bundle adds to the sum of what it carries.
pub const BUNDLE_WEIGHT: u64 = TX;
/// One Ed25519 signature in a block of forged ones: two batches that fail, then a single check.
const ED25519: u64 = 1_000;
/// One secp256k1 signature.
const SECP256K1: u64 = 550;
/// An order without its fills.
const ORDER: u64 = 60;
/// Finding how much of an IOC order the margin of a portfolio covers.
const CUT: u64 = 200;
/// What a waiting or iceberg order keeps beside its record; a waiting one is admitted later again.
const SPECIAL: u64 = 50;
/// One resting order that may be met.
const FILL: u64 = 40;
/// One resting order that a cancel may remove.
const REMOVE: u64 = 20;
/// What a cancel costs in each group it acts in.
const CANCEL: u64 = 40;
/// A transfer that creates an account.
const TRANSFER: u64 = 150;
/// Setting or removing an agent.
const AGENT: u64 = 100;
/// A dead man's switch that is set and later disarmed.
const SWITCH: u64 = 100;
/// One price or status update, without the revaluation that it causes in the next block's open.
const PRICE: u64 = 20;
/// A change of the margin mode: all positions of the account are valued anew.
const MODE: u64 = 20_000;
/// One point at which the curve of an expiry is checked against those beside it.
const POINT: u64 = 20;
/// Points at which an SVI curve is checked.
const SVI_POINTS: u64 = 17;

/// Bytes that are hashed in the time of one unit.
const BYTES: u64 = 16;

/// Static worst-case weight of an action.
pub fn action_weight(action: &Action, spec: &ChainSpec) -> u64 {
    let limits = &spec.limits;
    match action {
        Action::Order(order) => {
            let special = order.waits() || order.display.is_some() || order.peg.is_some();
            let cut = order.tif == TimeInForce::Ioc;
            ORDER
                .saturating_add(if special { SPECIAL } else { 0 })
                .saturating_add(if cut { CUT } else { 0 })
                .saturating_add(fills(order.max_fills, limits))
        }
        Action::Amend(amend) => ORDER
            .saturating_add(SPECIAL)
            .saturating_add(REMOVE)
            .saturating_add(fills(amend.max_fills, limits)),
        Action::Cancel(Cancel::Order(_) | Cancel::Client { .. }) => CANCEL,
        Action::Cancel(Cancel::All(None)) => {
            let groups = u64::try_from(spec.groups.len()).unwrap_or(u64::MAX);
            CANCEL
                .saturating_add(removals(limits))
                .saturating_mul(groups.max(1))
        }
        Action::Cancel(_) => CANCEL.saturating_add(removals(limits)),
        Action::Transfer(_) => TRANSFER,
        Action::SetAgent(_) | Action::RemoveAgent(_) => AGENT,
        // The orders that the switch cancels count against the sweeper's quota.
        Action::CancelAfter(_) => SWITCH,
        Action::SetMarketStatus(_) => PRICE,
        Action::SetMarginMode(_) => MODE,
        Action::SetSurface(surface) => {
            let points = surface.expiries.iter().map(|expiry| match &expiry.curve {
                Curve::Nodes(nodes) => u64::try_from(nodes.len()).unwrap_or(u64::MAX),
                Curve::Svi(_) => SVI_POINTS,
            });
            points
                .map(|points| points.saturating_mul(POINT).saturating_add(PRICE))
                .fold(PRICE, u64::saturating_add)
        }
        Action::SetProtection(_) => CANCEL,
        Action::Scale(scale) => {
            let one = Action::Order(scale.order);
            action_weight(&one, spec).saturating_mul(u64::from(scale.orders).max(1))
        }
        // Each is special, and may be removed when another leaves.
        Action::Linked(linked) => linked
            .legs
            .iter()
            .chain([&linked.order])
            .map(|order| {
                let entry = ORDER.saturating_add(SPECIAL).saturating_add(REMOVE);
                entry.saturating_add(fills(order.max_fills, limits))
            })
            .fold(0, u64::saturating_add),
        // Each side may end a quote now, and is itself ended once, perhaps by a protection.
        Action::Quotes(quotes) => {
            let sides = u64::try_from(quotes.quotes.len()).unwrap_or(u64::MAX);
            let side = ORDER.saturating_add(REMOVE.saturating_mul(2));
            side.saturating_mul(sides.saturating_mul(2)).max(side)
        }
        Action::SetPrices(prices) => PRICE
            .saturating_mul(u64::try_from(prices.len()).unwrap_or(u64::MAX))
            .max(PRICE),
    }
}

/// Static worst-case weight of a transaction: signature, lookups and its actions.
pub fn tx_weight(tx: &Tx, spec: &ChainSpec) -> u64 {
    let signature = match tx.key {
        PublicKey::Ed25519(_) => ED25519,
        PublicKey::Secp256k1(_) => SECP256K1,
    };
    tx.actions
        .iter()
        .map(|action| action_weight(action, spec))
        .fold(TX.saturating_add(signature), u64::saturating_add)
}

/// Weight of bytes that hold no transaction: they are read and hashed, and get a code.
pub fn refused_weight(len: usize) -> u64 {
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    TX.saturating_add(len.checked_div(BYTES).unwrap_or(0))
}

/// Weight of a bundle: [`BUNDLE_WEIGHT`] and the sum over what it carries.
pub fn bundle_weight(bundle: &Bundle<'_>, spec: &ChainSpec, chain: &Hash) -> u64 {
    bundle
        .txs
        .iter()
        .map(|tx| match decode(tx, spec, chain) {
            Ok(Decoded::Tx(tx)) => tx_weight(&tx, spec),
            _ => refused_weight(tx.len()),
        })
        .fold(BUNDLE_WEIGHT, u64::saturating_add)
}

/// Weight of a CometBFT transaction, whatever it holds.
///
/// # Errors
/// `UNDECODABLE` when it is none of the envelopes. Everything else has a weight.
pub fn cometbft_tx_weight(bytes: &[u8], spec: &ChainSpec, chain: &Hash) -> Result<u64, Code> {
    match decode(bytes, spec, chain) {
        Ok(Decoded::Tx(tx)) => Ok(tx_weight(&tx, spec)),
        Ok(Decoded::Bundle(bundle)) => Ok(bundle_weight(&bundle, spec, chain)),
        Err(Code::Undecodable) => Err(Code::Undecodable),
        Err(_) => Ok(refused_weight(bytes.len())),
    }
}

fn fills(max_fills: u16, limits: &Limits) -> u64 {
    FILL.saturating_mul(u64::from(max_fills.min(limits.max_fills)))
}

fn removals(limits: &Limits) -> u64 {
    REMOVE.saturating_mul(u64::from(limits.open_orders))
}

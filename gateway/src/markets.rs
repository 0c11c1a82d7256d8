//! What markets are, and what options are priced from.

use crate::catalog::{Catalog, ratio};
use crate::prices;
use ballast_app::view::{GreeksView, MarketView, SurfaceView};
use ballast_types::surface::{Curve, Node, Svi};
use ballast_types::{
    ExpirySurface, GroupId, Lots, MarketKind, MarketSpec, MarketStatus, Matching, OptionKind,
    Sharing, Ticks, TimeMs,
};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Market {
    market: String,
    id: u32,
    group: String,
    group_id: u16,
    kind: &'static str,
    expiry: Option<TimeMs>,
    #[serde(flatten)]
    option: Option<OptionRow>,
    base: Option<String>,
    quote: String,
    tick: String,
    /// (price from which, step), in ticks.
    tick_bands: Vec<(Ticks, Ticks)>,
    lot: String,
    tick_value: String,
    lot_atoms: Option<String>,
    min_size: Lots,
    max_size: Lots,
    max_price: Ticks,
    price_band_ppm: u32,
    min_notional: String,
    min_notional_decimal: String,
    max_notional: String,
    max_notional_decimal: String,
    maker_fee_ppm: i32,
    taker_fee_ppm: i32,
    initial_margin_ppm: u32,
    minimum_margin_ppm: u32,
    maintenance_margin_ppm: u32,
    matching: &'static str,
    sharing: &'static str,
    self_trade: bool,
    status: &'static str,
    mark: Ticks,
    mark_decimal: String,
    index: Ticks,
    index_decimal: String,
    last: Ticks,
    last_decimal: String,
    trades: u64,
    open_interest: Lots,
    open_interest_decimal: String,
    /// Of options that have a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    greeks: Option<Greeks>,
}

/// What an option is.
#[derive(Serialize)]
pub(crate) struct OptionRow {
    strike: String,
    option_type: &'static str,
}

impl OptionRow {
    pub(crate) fn new(catalog: &Catalog, group: GroupId, strike: i64, kind: OptionKind) -> Self {
        Self {
            strike: catalog.group_price(group, strike),
            option_type: match kind {
                OptionKind::Call => "call",
                OptionKind::Put => "put",
            },
        }
    }
}

/// Volatility and derivatives of an option's mark, as decimals.
#[derive(Serialize)]
pub(crate) struct Greeks {
    /// The mark before it is rounded to ticks.
    mark_value: String,
    mark_iv: String,
    delta: String,
    gamma: String,
    /// Per percentage point of volatility.
    vega: String,
    /// Per day.
    theta: String,
    forward: String,
}

impl Greeks {
    pub(crate) fn new(catalog: &Catalog, group: GroupId, view: &GreeksView) -> Self {
        Self {
            mark_value: catalog.group_price(group, view.mark),
            mark_iv: ratio(view.volatility),
            delta: ratio(view.delta),
            gamma: ratio(view.gamma),
            vega: catalog.group_price(group, view.vega),
            theta: catalog.group_price(group, view.theta),
            forward: catalog.group_price(group, view.forward),
        }
    }
}

pub(crate) fn kind(kind: MarketKind) -> &'static str {
    match kind {
        MarketKind::Spot { .. } => "spot",
        MarketKind::Perpetual => "perpetual",
        MarketKind::Future { .. } => "future",
        MarketKind::Option { .. } => "option",
    }
}

fn option(catalog: &Catalog, spec: &MarketSpec) -> Option<OptionRow> {
    match spec.kind {
        MarketKind::Option { strike, kind, .. } => {
            Some(OptionRow::new(catalog, spec.group, strike, kind))
        }
        _ => None,
    }
}

pub(crate) fn market(catalog: &Catalog, view: &MarketView) -> Option<Market> {
    let spec = catalog.market(view.market)?;
    Some(Market {
        market: spec.symbol.clone(),
        id: view.market.0,
        group: catalog.group(spec.group).to_owned(),
        group_id: spec.group.0,
        kind: kind(spec.kind),
        expiry: view.expiry,
        option: option(catalog, spec),
        base: catalog.base(spec).map(str::to_owned),
        quote: catalog.asset(catalog.spec.margin_asset).to_owned(),
        tick: spec.tick.clone(),
        tick_bands: spec.tick_bands.clone(),
        lot: spec.lot.clone(),
        tick_value: spec.tick_value.to_string(),
        lot_atoms: match spec.kind {
            MarketKind::Spot { lot_atoms, .. } => Some(lot_atoms.to_string()),
            _ => None,
        },
        min_size: spec.min_size,
        max_size: spec.max_size,
        max_price: spec.max_price,
        price_band_ppm: spec.price_band_ppm,
        min_notional: spec.min_notional.to_string(),
        min_notional_decimal: catalog.cash(spec.min_notional),
        max_notional: spec.max_notional.to_string(),
        max_notional_decimal: catalog.cash(spec.max_notional),
        maker_fee_ppm: spec.maker_fee_ppm,
        taker_fee_ppm: spec.taker_fee_ppm,
        initial_margin_ppm: spec.initial_margin_ppm,
        minimum_margin_ppm: spec.minimum_margin_ppm,
        maintenance_margin_ppm: spec.maintenance_margin_ppm,
        matching: match spec.matching {
            Matching::Continuous => "continuous",
            Matching::Batch => "batch",
        },
        sharing: match spec.sharing {
            Sharing::Time => "time",
            Sharing::ProRata => "pro_rata",
        },
        self_trade: spec.self_trade,
        status: prices::status(view.status),
        mark: view.mark,
        mark_decimal: catalog.price(view.market, view.mark),
        index: view.index,
        index_decimal: catalog.price(view.market, view.index),
        last: view.last,
        last_decimal: catalog.price(view.market, view.last),
        trades: view.trades,
        open_interest: view.open_interest,
        open_interest_decimal: catalog.size(view.market, view.open_interest),
        greeks: view
            .greeks
            .as_ref()
            .map(|greeks| Greeks::new(catalog, spec.group, greeks)),
    })
}

#[derive(Serialize)]
pub(crate) struct Markets {
    pub markets: Vec<Market>,
}

/// Which markets a list names; what is `None` does not matter.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub group: Option<GroupId>,
    /// One of [`KINDS`].
    pub kind: Option<String>,
    pub expiry: Option<TimeMs>,
    /// Settled ones too.
    pub settled: bool,
}

/// What [`kind`] says.
pub(crate) const KINDS: [&str; 4] = ["spot", "perpetual", "future", "option"];

impl Filter {
    /// Whether the list names a market of this specification.
    pub(crate) fn names(&self, spec: &MarketSpec) -> bool {
        let kind_of = kind(spec.kind);
        self.group.is_none_or(|group| group == spec.group)
            && self.kind.as_ref().is_none_or(|kind| kind == kind_of)
            && (self.expiry.is_none() || self.expiry == spec.kind.expiry())
    }

    /// Whether it names one of this status.
    pub(crate) fn takes(&self, status: MarketStatus) -> bool {
        self.settled || status != MarketStatus::Settled
    }
}

/// Forwards and volatility curves of a group.
#[derive(Serialize)]
pub(crate) struct Surface {
    group: String,
    group_id: u16,
    /// Digits of the scale of prices, `10^-price_digits`.
    price_digits: u8,
    /// Block time of the prices, forwards and times that options were last priced from.
    refreshed: TimeMs,
    index: String,
    forwards: Vec<Forward>,
    expiries: Vec<Expiry>,
}

/// What options of an expiry are priced from.
#[derive(Serialize)]
struct Forward {
    expiry: TimeMs,
    forward: String,
    rate: String,
}

/// What was published of an expiry.
#[derive(Serialize)]
pub(crate) struct Expiry {
    expiry: TimeMs,
    forward: String,
    rate: String,
    /// Seconds.
    tenor: u32,
    #[serde(flatten)]
    curve: CurveRow,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum CurveRow {
    Nodes(Vec<(String, String)>),
    Svi(SviRow),
}

#[derive(Serialize)]
struct SviRow {
    a: String,
    b: String,
    rho: String,
    m: String,
    sigma: String,
}

pub(crate) fn expiry(catalog: &Catalog, group: GroupId, of: &ExpirySurface) -> Expiry {
    let node = |node: &Node| (ratio(node.k), ratio(node.variance));
    Expiry {
        expiry: of.expiry,
        forward: catalog.group_price(group, of.forward),
        rate: ratio(of.rate),
        tenor: of.tenor,
        curve: match &of.curve {
            Curve::Nodes(nodes) => CurveRow::Nodes(nodes.iter().map(node).collect()),
            Curve::Svi(Svi {
                a,
                b,
                rho,
                m,
                sigma,
            }) => CurveRow::Svi(SviRow {
                a: ratio(*a),
                b: ratio(*b),
                rho: ratio(*rho),
                m: ratio(*m),
                sigma: ratio(*sigma),
            }),
        },
    }
}

pub(crate) fn surface(catalog: &Catalog, view: &SurfaceView) -> Surface {
    let group = view.group;
    Surface {
        group: catalog.group(group).to_owned(),
        group_id: group.0,
        price_digits: catalog.price_digits(group),
        refreshed: view.time,
        index: catalog.group_price(group, view.index),
        forwards: view
            .forwards
            .iter()
            .map(|of| Forward {
                expiry: of.expiry,
                forward: catalog.group_price(group, of.forward),
                rate: ratio(of.rate),
            })
            .collect(),
        expiries: view
            .expiries
            .iter()
            .map(|of| expiry(catalog, group, of))
            .collect(),
    }
}

//! One underlying of a case: its marks and what the account holds.

use ballast_genesis::margin::Field;
use ballast_risk::black76::OptionKind;
use ballast_risk::portfolio::{
    AMOUNT_DIGITS, Basis, Collateral, Error, ExpiryMarks, ExpirySums, Held, Holdings, MONEY_DIGITS,
    Marks, ONE, OptionTerms, Params, RATIO_DIGITS, Scenarios, Svi,
};
use ballast_risk::surface;
use std::sync::Arc;

/// A unit, read.
pub(super) struct Unit {
    marks: Marks,
    perpetual: i64,
    perpetual_pnl: i128,
    spot: i64,
    futures: Vec<i64>,
    /// Per expiry: the option, or why it has none.
    options: Vec<Vec<Position>>,
    collateral: Vec<Collateral>,
}

struct Position {
    kind: OptionKind,
    strike: i64,
    amount: i64,
    volatility: Quoted,
}

enum Quoted {
    Flat(i64),
    Curve(Svi),
}

impl Unit {
    /// Reads a unit; prices get as many digits as the largest of them leaves room for.
    pub(super) fn read(field: &Field<'_>, params: &Params, stable: i64) -> Result<Self, String> {
        let perpetual = ["perp", "perp_mark", "perp_conf", "perp_pnl"];
        let others = [
            "spot",
            "spot_conf",
            "hedge_spot",
            "open_interest",
            "expiries",
            "collateral",
        ];
        field.only(&[&perpetual[..], &others].concat())?;
        let digits = price_digits(field, params)?;
        let index = field.get("spot").price(digits, None)?;
        let expiries = field.get("expiries").elements()?;
        let mut unit = Self {
            marks: Marks {
                price_digits: digits,
                index,
                stable,
                index_confidence: field.get("spot_conf").full()?,
                perpetual: field.get("perp_mark").price(digits, Some(index))?,
                perpetual_confidence: field.get("perp_conf").full()?,
                open_interest: field.get("open_interest").money()?,
                expiries: Vec::with_capacity(expiries.len()),
            },
            perpetual: field.get("perp").amount()?,
            perpetual_pnl: field.get("perp_pnl").money()?,
            spot: field.get("hedge_spot").amount()?,
            futures: Vec::with_capacity(expiries.len()),
            options: Vec::with_capacity(expiries.len()),
            collateral: Vec::new(),
        };
        for expiry in &expiries {
            unit.expiry(expiry, digits)?;
        }
        for asset in field.get("collateral").elements()? {
            unit.collateral.push(collateral(&asset)?);
        }
        Ok(unit)
    }

    fn expiry(&mut self, field: &Field<'_>, digits: u32) -> Result<(), String> {
        let forward = [
            "fwd_var",
            "fwd_fix",
            "fwd_conf",
            "rate",
            "rate_conf",
            "vol_conf",
        ];
        field.only(&[&["secs", "future", "options"][..], &forward].concat())?;
        self.marks.expiries.push(ExpiryMarks {
            secs: field.get("secs").secs(None)?,
            forward: field.get("fwd_var").price(digits, None)?,
            fixed: field.get("fwd_fix").price(digits, Some(0))?,
            rate: field.get("rate").ratio(0)?,
            forward_confidence: field.get("fwd_conf").full()?,
            rate_confidence: field.get("rate_conf").full()?,
            volatility_confidence: field.get("vol_conf").full()?,
        });
        self.futures.push(field.get("future").amount()?);
        let option = |field: &Field<'_>| {
            field.only(&["strike", "call", "amount", "vol", "svi"])?;
            let call = field.get("call");
            if call.value().is_none() {
                return Err(call.error(""));
            }
            Ok(Position {
                kind: if call.flag()? {
                    OptionKind::Call
                } else {
                    OptionKind::Put
                },
                strike: field.get("strike").price(digits, None)?,
                amount: field.get("amount").amount()?,
                volatility: match field.get("svi").present() {
                    Some(curve) => Quoted::Curve(svi(&curve, digits)?),
                    None => Quoted::Flat(field.get("vol").needed_ratio()?),
                },
            })
        };
        let options = field.get("options").elements()?;
        let options = options.iter().map(option).collect::<Result<_, _>>()?;
        self.options.push(options);
        Ok(())
    }

    /// What `of` makes of the unit.
    pub(super) fn run<T>(
        &self,
        params: &Arc<Params>,
        of: impl Fn(&Scenarios, &Holdings<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let scenarios = Scenarios::new(Arc::clone(params), self.marks.clone())?;
        let mut expiries = Vec::with_capacity(self.options.len());
        for (index, (future, options)) in self.futures.iter().zip(&self.options).enumerate() {
            let mut sums = ExpirySums::new(&scenarios);
            sums.set_future(Held::of(*future));
            for option in options {
                let volatility = match &option.volatility {
                    Quoted::Flat(volatility) => *volatility,
                    Quoted::Curve(curve) => curve.volatility(option.strike)?,
                };
                let terms = OptionTerms {
                    kind: option.kind,
                    strike: option.strike,
                    volatility,
                };
                let array = scenarios.option(index, &terms)?;
                sums.change(&array, Held::default(), Held::of(option.amount))?;
            }
            expiries.push(sums);
        }
        let held = Holdings {
            perpetual: Held::of(self.perpetual),
            perpetual_pnl: self.perpetual_pnl,
            spot: Held::of(self.spot),
            expiries: &expiries,
            collateral: &self.collateral,
        };
        of(&scenarios, &held)
    }
}

/// Raw SVI: `[a, b, rho, m, sigma, F, tau]`.
fn svi(field: &Field<'_>, digits: u32) -> Result<Svi, String> {
    let cells = field.elements()?;
    let [a, b, rho, m, sigma, forward, tau] = cells.as_slice() else {
        return Err(field.error("is not [a, b, rho, m, sigma, F, tau]"));
    };
    Ok(Svi {
        curve: surface::Svi {
            a: a.needed_ratio()?,
            b: b.needed_ratio()?,
            rho: rho.needed_ratio()?,
            m: m.needed_ratio()?,
            sigma: sigma.needed_ratio()?,
        },
        forward: forward.price(digits, None)?,
        tau: tau.needed_ratio()?,
    })
}

fn collateral(field: &Field<'_>) -> Result<Collateral, String> {
    field.only(&[
        "amount",
        "price",
        "conf",
        "hedge",
        "mm_haircut",
        "im_haircut",
    ])?;
    let amount = field.get("amount");
    let price = field.get("price").decimal(RATIO_DIGITS)?.unwrap_or(0);
    let to_money = 10_i128.pow(AMOUNT_DIGITS + RATIO_DIGITS - MONEY_DIGITS);
    let value = i128::from(amount.amount()?).checked_mul(price);
    let value = value.ok_or_else(|| amount.error("times its price is too large"))?;
    Ok(Collateral {
        value: value.div_euclid(to_money),
        confidence: field.get("conf").full()?,
        hedge: field.get("hedge").flag()?,
        maintenance_haircut: field.get("mm_haircut").ratio(0)?,
        initial_haircut: field.get("im_haircut").ratio(0)?,
    })
}

/// The most digits that keep the largest price of the unit, in its furthest scenario, below 2^62.
fn price_digits(field: &Field<'_>, params: &Params) -> Result<u32, String> {
    const DIGITS: u32 = 3;
    let prices = |field: &Field<'_>, names: &[&str], sum: &mut i128| -> Result<(), String> {
        for name in names {
            let price = field.get(name).decimal(DIGITS)?.unwrap_or(0);
            *sum = sum.saturating_add(price.saturating_abs()).saturating_add(1);
        }
        Ok(())
    };
    let mut largest = 0;
    prices(field, &["spot"], &mut largest)?;
    let mut mark = 0;
    prices(field, &["perp_mark"], &mut mark)?;
    largest = largest.max(mark);
    for expiry in field.get("expiries").elements()? {
        let mut forward = 0;
        prices(&expiry, &["fwd_var", "fwd_fix"], &mut forward)?;
        largest = largest.max(forward);
        for option in expiry.get("options").elements()? {
            let mut strike = 0;
            prices(&option, &["strike"], &mut strike)?;
            largest = largest.max(strike);
        }
    }
    let mut furthest = params
        .scenarios
        .iter()
        .map(|scenario| scenario.change)
        .max()
        .unwrap_or(0);
    if let Basis::Competing { up, .. } = params.basis {
        furthest = furthest.max(up);
    }
    let factor = i128::from(furthest.max(0)) / i128::from(ONE) + 2;
    let mut room = (1_i128 << 62) / largest.saturating_mul(factor).max(1);
    let mut digits = DIGITS;
    while room >= 10 && digits < 16 {
        room /= 10;
        digits += 1;
    }
    Ok(digits)
}

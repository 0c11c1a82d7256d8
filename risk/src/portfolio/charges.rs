//! Charges and floors: by notional, by delta, by what feeds are worth.

use super::fixed::{div_ceil, mul_div_ceil, share_ceil};
use super::fold::{Holdings, UnitMargin, Valued};
use super::{AMOUNT_ONE, Basis, Charges, Error, Floor, Numeraire, ONE, Scenarios};

/// Sizes of what is held. Deltas are products of an amount and a ratio, exact.
pub(super) struct Deltas {
    pub(super) net: i128,
    gross: i128,
    /// |delta| of each expiry.
    expiries: Vec<i128>,
    /// Futures without sign, an amount.
    futures: i128,
    /// Naked short options, an amount.
    pub(super) naked: i128,
}

impl Deltas {
    pub(super) fn new(held: &Holdings<'_>) -> Option<Self> {
        let one = i128::from(ONE);
        let (perpetual, spot) = (i128::from(held.perpetual), i128::from(held.spot));
        let outside = perpetual.checked_abs()?.checked_add(spot.checked_abs()?)?;
        let mut deltas = Self {
            net: perpetual.checked_add(spot)?.checked_mul(one)?,
            gross: outside.checked_mul(one)?,
            expiries: Vec::with_capacity(held.expiries.len()),
            futures: 0,
            naked: 0,
        };
        for sums in held.expiries {
            let future = i128::from(sums.future);
            let delta = future.checked_mul(one)?.checked_add(sums.delta)?;
            deltas.net = deltas.net.checked_add(delta)?;
            deltas.gross = deltas.gross.checked_add(delta.checked_abs()?)?;
            deltas.expiries.push(delta.checked_abs()?);
            deltas.futures = deltas.futures.checked_add(future.checked_abs()?)?;
            deltas.naked = deltas.naked.checked_add(sums.naked)?;
        }
        Some(deltas)
    }
}

/// Coins of a product of an amount and a ratio, rounded up.
fn coins(product: i128) -> Option<i128> {
    div_ceil(product, AMOUNT_ONE.unsigned_abs())
}

impl Scenarios {
    /// Fills in every charge and the floor.
    pub(super) fn charge(
        &self,
        held: &Holdings<'_>,
        deltas: &Deltas,
        assets: &[Valued],
        margin: &mut UnitMargin,
    ) -> Result<(), Error> {
        let params = &self.params;
        let fits = |field, value: Option<i128>| value.ok_or(Error::TooLarge(field));
        margin.roll = fits("roll", self.roll(held, deltas))?;
        margin.delta_shock = fits("delta_shock", self.delta_shock(deltas))?;
        let of = |charges: &Charges| self.by_notional(charges, held, deltas);
        let inside = fits("charges_in", of(&params.charges_in))?
            .checked_add(margin.roll)
            .and_then(|sum| sum.checked_add(margin.delta_shock));
        margin.charges_in = fits("charges_in", inside)?;
        margin.charges_maintenance = fits("charges_mm", of(&params.charges_maintenance))?;
        margin.charges_initial = fits("charges_im", of(&params.charges_initial))?;
        margin.floor = fits("floor", self.floor(held, deltas))?;
        for asset in assets {
            let size = asset.value.saturating_abs();
            let share = |ratio: i64, sum: i128| share_ceil(size, ratio)?.checked_add(sum);
            let terms = &asset.terms;
            let field = "collateral.mm_haircut";
            let sum = share(terms.maintenance_haircut, margin.haircuts_maintenance);
            margin.haircuts_maintenance = fits(field, sum)?;
            let sum = share(terms.initial_haircut, margin.haircuts_initial);
            margin.haircuts_initial = fits("collateral.im_haircut", sum)?;
        }
        margin.confidence = fits("confidence", self.doubt(held, assets))?;
        Ok(())
    }

    /// The price of linear charges: the perpetual's mark or the value of one coin.
    fn price(&self, at_mark: bool) -> i64 {
        match self.params.numeraire {
            Numeraire::Quote if at_mark => self.marks.perpetual,
            Numeraire::Quote | Numeraire::Coin => self.coin,
        }
    }

    /// Money of an amount x price x rate, rounded up twice.
    fn rate_of(&self, amount: i128, price: i64, rate: i64) -> Option<i128> {
        let notional = amount.checked_mul(i128::from(price))?;
        share_ceil(self.scale.money_ceil(notional)?, rate)
    }

    fn roll(&self, held: &Holdings<'_>, deltas: &Deltas) -> Option<i128> {
        let Basis::Roll { least, at_mark, .. } = self.params.basis else {
            return Some(0);
        };
        let perpetual = i128::from(held.perpetual).checked_abs()?;
        let mut sum = coins(perpetual.checked_mul(i128::from(least))?)?;
        for (delta, expiry) in deltas.expiries.iter().zip(&self.expiries) {
            sum = sum.checked_add(share_ceil(coins(*delta)?, expiry.roll)?)?;
        }
        self.scale.coins_ceil(sum, self.price(at_mark))
    }

    fn delta_shock(&self, deltas: &Deltas) -> Option<i128> {
        let Some(shock) = &self.params.delta_shock else {
            return Some(0);
        };
        // The threshold is money in quote, whatever the numeraire.
        let quote = super::fixed::Scale::new(self.marks.price_digits)?;
        let free = quote.coins_for(shock.threshold, self.marks.index)?;
        let size = coins(deltas.net.checked_abs()?)?;
        let beyond = size.checked_sub(free)?.max(0);
        let rate = share_ceil(beyond, shock.per_coin)?.min(i128::from(shock.most));
        let shocked = share_ceil(size, i64::try_from(rate).ok()?)?;
        self.scale.coins_ceil(shocked, self.coin)
    }

    fn by_notional(&self, charges: &Charges, held: &Holdings<'_>, deltas: &Deltas) -> Option<i128> {
        let perpetual = i128::from(held.perpetual).checked_abs()?;
        let spot = i128::from(held.spot).checked_abs()?;
        let mut sum = 0_i128;
        for (amount, rate) in [
            (perpetual, charges.perpetual),
            (deltas.futures, charges.future),
            (spot, charges.spot),
            (deltas.naked, charges.short_option),
        ] {
            sum = sum.checked_add(amount.checked_mul(i128::from(rate))?)?;
        }
        self.scale.coins_ceil(coins(sum)?, self.coin)
    }

    fn floor(&self, held: &Holdings<'_>, deltas: &Deltas) -> Option<i128> {
        match self.params.floor {
            Floor::None => Some(0),
            Floor::Unwind {
                linear, at_mark, ..
            } => {
                let perpetual = i128::from(held.perpetual).checked_abs()?;
                let mut sum = self.rate_of(perpetual, self.price(at_mark), linear)?;
                sum = sum.checked_add(self.rate_of(deltas.futures, self.coin, linear)?)?;
                let mut options = 0_i128;
                for sums in held.expiries {
                    options = options.checked_add(sums.unwind)?;
                }
                sum.checked_add(self.scale.money_ceil(options)?)
            }
            Floor::MinDelta { net, hedged } => {
                let size = deltas.net.checked_abs()?;
                let offset = coins(deltas.gross.checked_sub(size)?)?;
                let sum =
                    share_ceil(coins(size)?, net)?.checked_add(share_ceil(offset, hedged)?)?;
                self.scale.coins_ceil(sum, self.coin)
            }
            Floor::ShortOption { per_contract } => {
                mul_div_ceil(deltas.naked, per_contract, AMOUNT_ONE.unsigned_abs())
            }
        }
    }

    /// Add-on for doubtful feeds, by the lowest confidence behind each notional.
    fn doubt(&self, held: &Holdings<'_>, assets: &[Valued]) -> Option<i128> {
        let Some(terms) = &self.params.confidence else {
            return Some(0);
        };
        let share = |confidence: i64| {
            if confidence < terms.threshold {
                share_ceil(i128::from(ONE.checked_sub(confidence)?), terms.factor)
            } else {
                Some(0)
            }
        };
        let share = |confidence: i64| i64::try_from(share(confidence)?).ok();
        let marks = &self.marks;
        let index = marks.index_confidence;
        let linear = if held.perpetual == 0 {
            index
        } else {
            index.min(marks.perpetual_confidence)
        };
        let outside = i128::from(held.perpetual)
            .checked_abs()?
            .checked_add(i128::from(held.spot).checked_abs()?)?;
        let mut sum = self.rate_of(outside, self.coin, share(linear)?)?;
        for (sums, expiry) in held.expiries.iter().zip(&self.expiries) {
            let rate = share(linear.min(expiry.confidence()))?;
            sum = sum.checked_add(self.rate_of(sums.gross, self.coin, rate)?)?;
        }
        for asset in assets {
            let rate = share(index.min(asset.terms.confidence))?;
            sum = sum.checked_add(share_ceil(asset.value.checked_abs()?, rate)?)?;
        }
        Some(sum)
    }
}

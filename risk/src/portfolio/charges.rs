//! Charges and floors: by notional, by delta, by what feeds are worth.

use super::fixed::{div_ceil, mul_div_ceil, share_ceil};
use super::fold::{Holdings, Valued};
use super::sums::larger;
use super::{AMOUNT_ONE, Basis, Charges, Error, Floor, Numeraire, ONE, Scenarios};

/// Sizes of what is held, or each at its own worst subset of fills. Deltas are products of an
/// amount and a ratio, exact.
pub(super) struct Sizes {
    /// Whether open orders count.
    open: bool,
    /// Amounts without sign.
    perpetual: i128,
    spot: i128,
    futures: i128,
    /// Naked short options, an amount.
    pub(super) naked: i128,
    /// Lowest and highest net delta.
    pub(super) net: (i128, i128),
    /// Sum of the deltas of perpetual, spot and expiries without their signs.
    gross: i128,
}

impl Sizes {
    pub(super) fn new(held: &Holdings<'_>, open: bool) -> Option<Self> {
        let one = i128::from(ONE);
        let (perpetual, spot) = (held.perpetual.ends(open), held.spot.ends(open));
        let mut sizes = Self {
            open,
            perpetual: larger(perpetual)?,
            spot: larger(spot)?,
            futures: 0,
            naked: 0,
            net: (
                perpetual.0.checked_add(spot.0)?.checked_mul(one)?,
                perpetual.1.checked_add(spot.1)?.checked_mul(one)?,
            ),
            gross: 0,
        };
        sizes.gross = sizes.perpetual.checked_add(sizes.spot)?.checked_mul(one)?;
        for sums in held.expiries {
            let (low, high) = sums.delta_ends(one, open)?;
            sizes.net.0 = sizes.net.0.checked_add(low)?;
            sizes.net.1 = sizes.net.1.checked_add(high)?;
            sizes.gross = sizes.gross.checked_add(larger((low, high))?)?;
            let future = larger(sums.future.ends(open))?;
            sizes.futures = sizes.futures.checked_add(future)?;
            sizes.naked = sizes.naked.checked_add(sums.options(open).naked)?;
        }
        Some(sizes)
    }
}

/// Charges and the floor; money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Charged {
    pub(super) roll: i128,
    pub(super) delta_shock: i128,
    /// All charges inside the factors, the two above among them.
    pub(super) inside: i128,
    pub(super) floor: i128,
    pub(super) maintenance: i128,
    pub(super) haircuts_maintenance: i128,
    pub(super) initial: i128,
    pub(super) haircuts_initial: i128,
    pub(super) confidence: i128,
}

impl Charged {
    /// Outside of the factor of the maintenance requirement.
    pub(super) fn outside_maintenance(&self) -> Option<i128> {
        self.maintenance.checked_add(self.haircuts_maintenance)
    }

    /// Outside of the factor of the initial requirement.
    pub(super) fn outside_initial(&self) -> Option<i128> {
        self.outside_maintenance()?
            .checked_add(self.initial)?
            .checked_add(self.haircuts_initial)?
            .checked_add(self.confidence)
    }
}

/// Coins of a product of an amount and a ratio, rounded up.
fn coins(product: i128) -> Option<i128> {
    div_ceil(product, AMOUNT_ONE.unsigned_abs())
}

impl Scenarios {
    /// Every charge and the floor.
    pub(super) fn charge(
        &self,
        held: &Holdings<'_>,
        sizes: &Sizes,
        assets: &[Valued],
    ) -> Result<Charged, Error> {
        let params = &self.params;
        let fits = |field, value: Option<i128>| value.ok_or(Error::TooLarge(field));
        let of = |charges: &Charges| self.by_notional(charges, sizes);
        let mut charged = Charged {
            roll: fits("roll", self.roll(held, sizes))?,
            delta_shock: fits("delta_shock", self.delta_shock(sizes))?,
            maintenance: fits("charges_mm", of(&params.charges_maintenance))?,
            initial: fits("charges_im", of(&params.charges_initial))?,
            floor: fits("floor", self.floor(held, sizes))?,
            confidence: fits("confidence", self.doubt(held, sizes, assets))?,
            ..Charged::default()
        };
        let inside = fits("charges_in", of(&params.charges_in))?
            .checked_add(charged.roll)
            .and_then(|sum| sum.checked_add(charged.delta_shock));
        charged.inside = fits("charges_in", inside)?;
        for asset in assets {
            let size = asset.value.saturating_abs();
            let share = |ratio: i64, sum: i128| share_ceil(size, ratio)?.checked_add(sum);
            let terms = &asset.terms;
            let field = "collateral.mm_haircut";
            let sum = share(terms.maintenance_haircut, charged.haircuts_maintenance);
            charged.haircuts_maintenance = fits(field, sum)?;
            let sum = share(terms.initial_haircut, charged.haircuts_initial);
            charged.haircuts_initial = fits("collateral.im_haircut", sum)?;
        }
        Ok(charged)
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

    fn roll(&self, held: &Holdings<'_>, sizes: &Sizes) -> Option<i128> {
        let Basis::Roll { least, at_mark, .. } = self.params.basis else {
            return Some(0);
        };
        let mut sum = coins(sizes.perpetual.checked_mul(i128::from(least))?)?;
        for (sums, expiry) in held.expiries.iter().zip(&self.expiries) {
            let delta = larger(sums.delta_ends(i128::from(ONE), sizes.open)?)?;
            sum = sum.checked_add(share_ceil(coins(delta)?, expiry.roll)?)?;
        }
        self.scale.coins_ceil(sum, self.price(at_mark))
    }

    fn delta_shock(&self, sizes: &Sizes) -> Option<i128> {
        let Some(shock) = &self.params.delta_shock else {
            return Some(0);
        };
        // The threshold is money in quote, whatever the numeraire.
        let quote = super::fixed::Scale::new(self.marks.price_digits)?;
        let free = quote.coins_for(shock.threshold, self.marks.index)?;
        let size = coins(larger(sizes.net)?)?;
        let beyond = size.checked_sub(free)?.max(0);
        let rate = share_ceil(beyond, shock.per_coin)?.min(i128::from(shock.most));
        let shocked = share_ceil(size, i64::try_from(rate).ok()?)?;
        self.scale.coins_ceil(shocked, self.coin)
    }

    fn by_notional(&self, charges: &Charges, sizes: &Sizes) -> Option<i128> {
        let mut sum = 0_i128;
        for (amount, rate) in [
            (sizes.perpetual, charges.perpetual),
            (sizes.futures, charges.future),
            (sizes.spot, charges.spot),
            (sizes.naked, charges.short_option),
        ] {
            sum = sum.checked_add(amount.checked_mul(i128::from(rate))?)?;
        }
        self.scale.coins_ceil(coins(sum)?, self.coin)
    }

    fn floor(&self, held: &Holdings<'_>, sizes: &Sizes) -> Option<i128> {
        match self.params.floor {
            Floor::None => Some(0),
            Floor::Unwind {
                linear, at_mark, ..
            } => {
                let mut sum = self.rate_of(sizes.perpetual, self.price(at_mark), linear)?;
                sum = sum.checked_add(self.rate_of(sizes.futures, self.coin, linear)?)?;
                let mut options = 0_i128;
                for sums in held.expiries {
                    options = options.checked_add(sums.options(sizes.open).unwind)?;
                }
                sum.checked_add(self.scale.money_ceil(options)?)
            }
            Floor::MinDelta { net, hedged } => {
                let size = larger(sizes.net)?;
                let all = share_ceil(coins(sizes.gross)?, hedged)?;
                let sum = if net >= hedged {
                    // Rises with both, so that the worst of each bounds what fills make of both.
                    all.checked_add(share_ceil(coins(size)?, net.checked_sub(hedged)?)?)?
                } else if sizes.net.0 == sizes.net.1 {
                    let offset = coins(sizes.gross.checked_sub(size)?)?;
                    let hedge = share_ceil(offset, hedged)?;
                    all.min(share_ceil(coins(size)?, net)?.checked_add(hedge)?)
                } else {
                    all
                };
                self.scale.coins_ceil(sum, self.coin)
            }
            Floor::ShortOption { per_contract } => {
                mul_div_ceil(sizes.naked, per_contract, AMOUNT_ONE.unsigned_abs())
            }
        }
    }

    /// Add-on for doubtful feeds, by the lowest confidence behind each notional.
    fn doubt(&self, held: &Holdings<'_>, sizes: &Sizes, assets: &[Valued]) -> Option<i128> {
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
        let linear = if sizes.perpetual == 0 {
            index
        } else {
            index.min(marks.perpetual_confidence)
        };
        let outside = sizes.perpetual.checked_add(sizes.spot)?;
        let mut sum = self.rate_of(outside, self.coin, share(linear)?)?;
        for (sums, expiry) in held.expiries.iter().zip(&self.expiries) {
            let rate = share(linear.min(expiry.confidence()))?;
            sum =
                sum.checked_add(self.rate_of(sums.options(sizes.open).gross, self.coin, rate)?)?;
        }
        for asset in assets {
            let rate = share(index.min(asset.terms.confidence))?;
            sum = sum.checked_add(share_ceil(asset.value.checked_abs()?, rate)?)?;
        }
        Some(sum)
    }
}

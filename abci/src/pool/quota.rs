//! How many bytes each origin of bundles may bring.

use std::collections::HashMap;
use std::time::Instant;

use ballast_types::ChainSpec;
use parking_lot::Mutex;

/// Whose quota pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin(usize);

/// Everyone who is not a validator of genesis, and whatever comes without a good signature.
pub(crate) const SHARED: Origin = Origin(0);

/// What a bad transaction costs its origin, as a multiple of its bytes.
const PENALTY: u64 = 64;

pub(crate) struct Quotas {
    origins: HashMap<[u8; 32], Origin>,
    buckets: Mutex<Vec<Bucket>>,
}

struct Bucket {
    /// Bytes per second, and the most that can be saved up.
    rate: u64,
    bytes: u64,
    /// Bytes that wait for a check of the origin's signature.
    unchecked: u64,
    filled: Instant,
}

impl Bucket {
    fn new(rate: u64, now: Instant) -> Self {
        Self {
            rate,
            bytes: rate,
            unchecked: 0,
            filled: now,
        }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_micros();
        let earned = u64::try_from(u128::from(self.rate) * passed / 1_000_000);
        // Below one byte the time is kept for the next call.
        if earned != Ok(0) {
            self.bytes = self
                .bytes
                .saturating_add(earned.unwrap_or(self.rate))
                .min(self.rate);
            self.filled = now;
        }
    }
}

impl Quotas {
    pub(crate) fn new(spec: &ChainSpec, origin_rate: u64, shared_rate: u64, now: Instant) -> Self {
        let keys = spec
            .validators
            .iter()
            .map(|validator| validator.ingress_key);
        let mut buckets = vec![Bucket::new(shared_rate, now)];
        buckets.extend(
            spec.validators
                .iter()
                .map(|_| Bucket::new(origin_rate, now)),
        );
        Self {
            origins: keys.zip((1..).map(Origin)).collect(),
            buckets: Mutex::new(buckets),
        }
    }

    /// The quota of a key.
    pub(crate) fn origin(&self, key: &[u8; 32]) -> Origin {
        self.origins.get(key).copied().unwrap_or(SHARED)
    }

    /// Makes room for bytes that claim an origin and are still to be checked. Nobody else can use
    /// up what an origin has, as only checked bytes are paid for; what waits is bounded.
    pub(crate) fn reserve(&self, origin: Origin, bytes: u64, now: Instant) -> bool {
        self.with(origin, now, |bucket| {
            let unchecked = bucket.unchecked.saturating_add(bytes);
            let fits = unchecked <= bucket.bytes;
            if fits {
                bucket.unchecked = unchecked;
            }
            fits
        })
    }

    /// Ends a reservation.
    pub(crate) fn release(&self, origin: Origin, bytes: u64, now: Instant) {
        self.with(origin, now, |bucket| {
            bucket.unchecked = bucket.unchecked.saturating_sub(bytes);
            true
        });
    }

    /// Takes checked bytes from a quota; false when they are not there.
    pub(crate) fn pay(&self, origin: Origin, bytes: u64, now: Instant) -> bool {
        self.with(origin, now, |bucket| {
            match bucket.bytes.checked_sub(bytes) {
                Some(left) => {
                    bucket.bytes = left;
                    true
                }
                None => false,
            }
        })
    }

    /// Charges bad content of so many bytes.
    pub(crate) fn penalise(&self, origin: Origin, bytes: u64, now: Instant) {
        self.with(origin, now, |bucket| {
            bucket.bytes = bucket.bytes.saturating_sub(bytes.saturating_mul(PENALTY));
            true
        });
    }

    fn with(&self, origin: Origin, now: Instant, act: impl FnOnce(&mut Bucket) -> bool) -> bool {
        let mut buckets = self.buckets.lock();
        buckets.get_mut(origin.0).is_some_and(|bucket| {
            bucket.refill(now);
            act(bucket)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pool::tests::spec;

    #[test]
    fn origins_pay_for_what_they_bring_and_more_for_what_is_bad() {
        let now = Instant::now();
        let spec = spec();
        let quotas = Quotas::new(&spec, 1_000, 100, now);
        let validator = quotas.origin(&spec.validators[0].ingress_key);
        assert_ne!(validator, SHARED);
        assert_eq!(quotas.origin(&[0; 32]), SHARED);

        assert!(quotas.pay(validator, 600, now));
        assert!(!quotas.pay(validator, 600, now), "over its quota");
        assert!(quotas.pay(SHARED, 100, now), "others have their own");
        let later = now + Duration::from_millis(300);
        assert!(quotas.pay(validator, 600, later), "earned again");
        quotas.penalise(SHARED, 1, later);
        assert!(!quotas.pay(SHARED, 1, later), "bad content costs the rest");
    }

    #[test]
    fn who_only_claims_to_be_an_origin_cannot_use_up_its_quota() {
        let now = Instant::now();
        let spec = spec();
        let quotas = Quotas::new(&spec, 1_000, 100, now);
        let validator = quotas.origin(&spec.validators[0].ingress_key);
        assert!(quotas.reserve(validator, 1_000, now));
        assert!(!quotas.reserve(validator, 1, now), "what waits is bounded");
        quotas.release(validator, 1_000, now);
        assert!(quotas.pay(validator, 1_000, now));
    }
}

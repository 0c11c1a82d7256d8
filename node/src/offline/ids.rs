//! Which ids have occurred.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

/// A set of numbers that only grows. Numbers close to each other share 16 bytes for 64 of them,
/// so that a stream that counts its ids up costs next to nothing.
#[derive(Debug, Default)]
pub struct Ids {
    /// By the number without its last 6 bits: a bit for each that is in the set.
    words: HashMap<u64, u64, FxBuildHasher>,
}

impl Ids {
    /// Adds a number. False when it was there.
    pub fn insert(&mut self, id: u64) -> bool {
        let word = self.words.entry(id >> 6).or_default();
        let bit = 1 << (id & 63);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_new_once() {
        let mut ids = Ids::default();
        let numbers = [0, 1, 63, 64, 65, 1 << 40, u64::MAX, u64::MAX - 1];
        for id in numbers {
            assert!(ids.insert(id), "{id}");
        }
        for id in numbers {
            assert!(!ids.insert(id), "{id}");
        }
        assert!(ids.insert(2));
    }
}

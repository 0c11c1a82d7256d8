//! Markets, from the numbers of a stream to places in the books and back.

use std::collections::HashMap;
use std::hash::Hash;

use rustc_hash::FxBuildHasher;

/// Markets in the order in which a stream names them first.
#[derive(Debug)]
pub struct Markets<K> {
    places: HashMap<K, u32, FxBuildHasher>,
    names: Vec<K>,
}

impl<K> Default for Markets<K> {
    fn default() -> Self {
        Self {
            places: HashMap::default(),
            names: Vec::new(),
        }
    }
}

impl<K: Copy + Eq + Hash + Ord> Markets<K> {
    /// The place of a market; a new one comes behind the others.
    pub fn place(&mut self, name: K) -> u32 {
        let new = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let names = &mut self.names;
        *self.places.entry(name).or_insert_with(|| {
            names.push(name);
            new
        })
    }

    /// The name of the market at a place.
    ///
    /// # Panics
    /// When there is no such place.
    pub fn name(&self, place: u32) -> K {
        self.names[place as usize]
    }

    /// How many markets there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True when no market has been named.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Names and places, by name.
    pub fn sorted(&self) -> Vec<(K, u32)> {
        let mut all: Vec<_> = self.names.iter().copied().zip(0..).collect();
        all.sort_unstable();
        all
    }
}

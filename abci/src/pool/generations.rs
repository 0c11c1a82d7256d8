//! A bounded memory of hashes: two generations, of which the older one is forgotten whole.

use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use parking_lot::RwLock;

/// Remembers at least the last `capacity` keys and at most twice as many.
pub(crate) struct Generations<K, V> {
    /// Young, then old.
    maps: RwLock<(DashMap<K, V>, DashMap<K, V>)>,
    young: AtomicUsize,
    capacity: usize,
}

impl<K: Copy + Eq + Hash, V: Copy> Generations<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            maps: RwLock::default(),
            young: AtomicUsize::new(0),
            capacity,
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let maps = self.maps.read();
        maps.0
            .get(key)
            .or_else(|| maps.1.get(key))
            .map(|value| *value)
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// True when the key was not in the young generation.
    pub(crate) fn insert(&self, key: K, value: V) -> bool {
        let new = self.maps.read().0.insert(key, value).is_none();
        if new && self.young.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= self.capacity {
            self.rotate();
        }
        new
    }

    /// Forgets the old generation; the young one becomes old.
    pub(crate) fn rotate(&self) {
        let mut maps = self.maps.write();
        maps.1 = std::mem::take(&mut maps.0);
        self.young.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_keys_are_remembered_and_older_ones_forgotten() {
        let memory = Generations::new(10);
        for key in 0..100 {
            memory.insert(key, key);
        }
        assert!((90..100).all(|key| memory.get(&key) == Some(key)));
        assert!((0..80).all(|key| !memory.contains(&key)));
    }
}

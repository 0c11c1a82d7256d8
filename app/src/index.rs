//! Ordered indexes over records: derived, never hashed, and undone when a candidate is dropped.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

/// A `BTreeMap` that can go back to the content that it had at the last [`Index::seal`].
#[derive(Clone, Debug)]
pub(crate) struct Index<K, V> {
    map: BTreeMap<K, V>,
    /// What each changed key held before, oldest change first.
    undo: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self {
            map: BTreeMap::new(),
            undo: Vec::new(),
        }
    }
}

impl<K: Ord + Copy, V: Copy> Index<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.map.get(key).copied()
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.map.contains_key(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        let before = self.map.insert(key, value);
        self.undo.push((key, before));
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let before = self.map.remove(key)?;
        self.undo.push((*key, Some(before)));
        Some(before)
    }

    pub(crate) fn range(
        &self,
        range: impl RangeBounds<K>,
    ) -> impl DoubleEndedIterator<Item = (K, V)> {
        self.map.range(range).map(|(key, value)| (*key, *value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub(crate) fn first(&self) -> Option<(K, V)> {
        self.map
            .first_key_value()
            .map(|(key, value)| (*key, *value))
    }

    /// Makes the present content the one to go back to.
    pub(crate) fn seal(&mut self) {
        self.undo.clear();
    }

    /// Goes back to the content of the last seal.
    pub(crate) fn discard(&mut self) {
        for (key, before) in self.undo.drain(..).rev() {
            match before {
                Some(value) => self.map.insert(key, value),
                None => self.map.remove(&key),
            };
        }
    }
}

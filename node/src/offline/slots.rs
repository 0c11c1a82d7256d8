//! Names of resting orders, from outside to slots and back.

use std::collections::HashMap;
use std::hash::Hash;

use rustc_hash::FxBuildHasher;

/// The slots of resting orders by the names that a stream gives them.
#[derive(Clone, Debug)]
pub struct Slots<K> {
    slots: HashMap<K, u32, FxBuildHasher>,
    /// By slot; of a free slot the name that it had last.
    names: Vec<K>,
    free: Vec<u32>,
}

impl<K> Default for Slots<K> {
    fn default() -> Self {
        Self {
            slots: HashMap::default(),
            names: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<K: Copy + Eq + Hash> Slots<K> {
    /// The slot of an order.
    pub fn get(&self, name: K) -> Option<u32> {
        self.slots.get(&name).copied()
    }

    /// Gives a slot to an order: the one that was freed last, or the first that was never used.
    pub fn claim(&mut self, name: K) -> u32 {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.names[slot as usize] = name;
                slot
            }
            None => {
                self.names.push(name);
                u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX)
            }
        };
        self.slots.insert(name, slot);
        slot
    }

    /// Frees the slot of an order that has left.
    pub fn release(&mut self, slot: u32) {
        if let Some(name) = self.names.get(slot as usize)
            && self.slots.remove(name).is_some()
        {
            self.free.push(slot);
        }
    }

    /// The name of the order that a slot belongs to.
    ///
    /// # Panics
    /// When no order ever had the slot.
    pub fn name(&self, slot: u32) -> K {
        self.names[slot as usize]
    }

    /// How many orders have a slot.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True when no order has a slot.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_dense_and_used_again() {
        let mut slots = Slots::default();
        assert_eq!([70, 80, 90].map(|name| slots.claim(name)), [0, 1, 2]);
        slots.release(1);
        slots.release(1);
        assert_eq!((slots.get(80), slots.len()), (None, 2));
        assert_eq!([60, 50].map(|name| slots.claim(name)), [1, 3]);
        assert_eq!(
            (slots.get(60), slots.name(1), slots.name(2)),
            (Some(1), 60, 90)
        );
    }
}

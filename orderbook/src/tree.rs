//! Ordered sets of 64-bit numbers, one per root, in one pool: binary tries without the forks that
//! have one child. A walk takes at most 64 steps, whatever numbers somebody chose.

use crate::{NONE, index};

/// Marks a reference to a leaf. The rest of it is the caller's.
const LEAF: u32 = 1 << 31;

/// What a set begins with: a fork, a leaf, or [`NONE`] for the empty set.
pub(crate) type Root = u32;

/// The forks of all sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    forks: Vec<Fork>,
    free: Vec<u32>,
}

/// Below it the numbers differ in one bit, and agree in those above it.
#[derive(Clone, Copy, Debug)]
struct Fork {
    /// The bit.
    bit: u64,
    clear: u32,
    set: u32,
}

impl Fork {
    fn child(&self, number: u64) -> u32 {
        if number & self.bit == 0 {
            self.clear
        } else {
            self.set
        }
    }

    fn child_mut(&mut self, number: u64) -> &mut u32 {
        if number & self.bit == 0 {
            &mut self.clear
        } else {
            &mut self.set
        }
    }
}

/// The neighbour that a new leaf has on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Neighbour {
    /// There is none: the set was empty.
    None,
    /// The greatest leaf below the new one.
    Below(u32),
    /// The smallest leaf above the new one.
    Above(u32),
}

impl Tree {
    /// The leaf of `number`, or another one that shares the most leading bits with it.
    pub(crate) fn nearest(&self, root: Root, number: u64) -> Option<u32> {
        self.descend(root, |fork| fork.child(number))
    }

    /// Adds a leaf for `number`, which the set does not have. `nearest` is the number of the leaf
    /// of that name.
    pub(crate) fn insert(
        &mut self,
        root: &mut Root,
        number: u64,
        leaf: u32,
        nearest: u64,
    ) -> Neighbour {
        let differ = number ^ nearest;
        let bit = (1_u64 << 63).wrapping_shr(differ.leading_zeros());
        let (mut above, mut at) = (NONE, *root);
        while let Some(fork) = self.forks.get(index(at)) {
            if fork.bit < bit {
                break;
            }
            above = at;
            at = fork.child(number);
        }
        let (fork, neighbour) = if number & bit == 0 {
            let smallest = self.descend(at, |fork| fork.clear);
            let (clear, set) = (leaf | LEAF, at);
            (Fork { bit, clear, set }, smallest.map(Neighbour::Above))
        } else {
            let greatest = self.descend(at, |fork| fork.set);
            let (clear, set) = (at, leaf | LEAF);
            (Fork { bit, clear, set }, greatest.map(Neighbour::Below))
        };
        let Some(neighbour) = neighbour else {
            *root = leaf | LEAF;
            return Neighbour::None;
        };
        let new = self.allocate(fork);
        match self.forks.get_mut(index(above)) {
            Some(above) => *above.child_mut(number) = new,
            None => *root = new,
        }
        neighbour
    }

    /// Takes out the leaf of `number`, which the set has.
    pub(crate) fn remove(&mut self, root: &mut Root, number: u64) {
        let (mut above, mut fork, mut at) = (NONE, NONE, *root);
        while let Some(next) = self.forks.get(index(at)) {
            above = fork;
            fork = at;
            at = next.child(number);
        }
        let Some(gone) = self.forks.get(index(fork)) else {
            *root = NONE;
            return;
        };
        let sibling = gone.child(number ^ gone.bit);
        self.free.push(fork);
        match self.forks.get_mut(index(above)) {
            Some(above) => *above.child_mut(number) = sibling,
            None => *root = sibling,
        }
    }

    fn descend(&self, mut at: u32, child: impl Fn(&Fork) -> u32) -> Option<u32> {
        while let Some(fork) = self.forks.get(index(at)) {
            at = child(fork);
        }
        (at != NONE).then_some(at & !LEAF)
    }

    fn allocate(&mut self, fork: Fork) -> u32 {
        if let Some(at) = self.free.pop() {
            if let Some(place) = self.forks.get_mut(index(at)) {
                *place = fork;
            }
            return at;
        }
        self.forks.push(fork);
        // One fork for each chunk but one, and those have numbers below 2^31.
        u32::try_from(self.forks.len().saturating_sub(1)).unwrap_or(NONE)
    }
}

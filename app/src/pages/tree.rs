use rayon::prelude::*;
use triomphe::Arc;

use super::{FANOUT, Hash, NODE_KEY, PAGE_KEY, Record, keyed_hash};

/// Bits of a page index that choose the child at one level.
const LEVEL_BITS: u32 = FANOUT.trailing_zeros();

/// Changed pages below which a subtree is hashed by one thread.
const SERIAL: usize = 32;

/// A page as it is hashed.
pub(super) fn page_bytes<R: Record, const N: usize>(page: &[R; N]) -> &[u8] {
    bytemuck::cast_slice(page)
}

#[derive(Clone)]
struct Node<R, const N: usize> {
    /// Hashes of the children; only those of existing children are meaningful.
    hashes: [Hash; FANOUT],
    children: Children<R, N>,
}

#[derive(Clone)]
enum Children<R, const N: usize> {
    Pages([Option<Arc<[R; N]>>; FANOUT]),
    Nodes([Option<Arc<Node<R, N>>>; FANOUT]),
}

/// A new version of a page.
pub(super) struct Change<R, const N: usize> {
    pub(super) index: u32,
    pub(super) page: Arc<[R; N]>,
}

/// A persistent array of pages with a hash over them. Its height is the least that holds them.
#[derive(Clone)]
pub(super) struct Tree<R, const N: usize> {
    root: Option<Arc<Node<R, N>>>,
    /// Levels above the nodes that hold pages.
    height: u32,
    hash: Hash,
}

impl<R: Record, const N: usize> Tree<R, N> {
    pub(super) fn new() -> Self {
        Self {
            root: None,
            height: 0,
            hash: keyed_hash(NODE_KEY, &[]),
        }
    }

    pub(super) fn hash(&self) -> Hash {
        self.hash
    }

    pub(super) fn get(&self, index: u32) -> Option<&Arc<[R; N]>> {
        if !self.reaches(index) {
            return None;
        }
        let mut node = self.root.as_ref()?;
        for level in (1..=self.height).rev() {
            node = node.node(child_of(index, level))?;
        }
        node.page(child_of(index, 0))
    }

    /// Replaces and appends pages. `changes` ascend by index and leave no gap behind the pages
    /// that exist.
    pub(super) fn apply(&mut self, changes: &[Change<R, N>]) {
        let Some(last) = changes.last() else { return };
        while !self.reaches(last.index) {
            self.raise();
        }
        let height = self.height;
        let root = self
            .root
            .get_or_insert_with(|| Arc::new(Node::empty(height)));
        self.hash = Node::apply(root, height, changes);
    }

    /// Whether a tree of this height has a place for the page.
    fn reaches(&self, index: u32) -> bool {
        let bits = shift(self.height.saturating_add(1));
        index.checked_shr(bits).is_none_or(|rest| rest == 0)
    }

    /// Puts a level on top, with the old root as its first child. Raising twice leaves a stale
    /// hash in the first child, whose subtree the appended pages then pass through.
    fn raise(&mut self) {
        self.height = self.height.saturating_add(1);
        if let Some(old) = self.root.take() {
            let mut nodes = [const { None }; FANOUT];
            let mut hashes = [Hash::default(); FANOUT];
            if let (Some(node), Some(hash)) = (nodes.first_mut(), hashes.first_mut()) {
                *node = Some(old);
                *hash = self.hash;
            }
            self.root = Some(Arc::new(Node {
                hashes,
                children: Children::Nodes(nodes),
            }));
        }
    }

    /// Calls `found` in ascending order for each page that `older` does not share, in time
    /// proportional to what differs.
    pub(super) fn changed_since<'a>(
        &'a self,
        older: &Self,
        found: &mut dyn FnMut(u32, &'a Arc<[R; N]>),
    ) {
        let mut old = older.root.as_ref().map(|root| (root, older.height));
        while let Some((node, level)) = old
            && level > self.height
        {
            old = node.node(0).map(|child| (child, level.saturating_sub(1)));
        }
        if let Some(root) = &self.root {
            Node::changed(root, self.height, 0, old, found);
        }
    }
}

impl<R: Record, const N: usize> Node<R, N> {
    fn empty(level: u32) -> Self {
        let children = if level == 0 {
            Children::Pages([const { None }; FANOUT])
        } else {
            Children::Nodes([const { None }; FANOUT])
        };
        Self {
            hashes: [Hash::default(); FANOUT],
            children,
        }
    }

    fn page(&self, child: usize) -> Option<&Arc<[R; N]>> {
        match &self.children {
            Children::Pages(pages) => pages.get(child)?.as_ref(),
            Children::Nodes(_) => None,
        }
    }

    fn node(&self, child: usize) -> Option<&Arc<Self>> {
        match &self.children {
            Children::Pages(_) => None,
            Children::Nodes(nodes) => nodes.get(child)?.as_ref(),
        }
    }

    /// Hash of the hashes of the existing children, which are always the first ones.
    fn hash(&self) -> Hash {
        let used = match &self.children {
            Children::Pages(pages) => pages.iter().take_while(|p| p.is_some()).count(),
            Children::Nodes(nodes) => nodes.iter().take_while(|n| n.is_some()).count(),
        };
        keyed_hash(
            NODE_KEY,
            self.hashes.get(..used).unwrap_or_default().as_flattened(),
        )
    }

    /// Puts `changes`, all of them below `node`, in place and returns the node's new hash.
    fn apply(node: &mut Arc<Self>, level: u32, changes: &[Change<R, N>]) -> Hash {
        let node = Arc::make_mut(node);
        match &mut node.children {
            Children::Pages(pages) => {
                for change in changes {
                    let child = child_of(change.index, 0);
                    let (Some(page), Some(hash)) =
                        (pages.get_mut(child), node.hashes.get_mut(child))
                    else {
                        continue;
                    };
                    *hash = keyed_hash(PAGE_KEY, page_bytes(&change.page));
                    *page = Some(change.page.clone());
                }
            }
            Children::Nodes(nodes) => {
                let below = level.saturating_sub(1);
                let mut rest = changes;
                let tasks = nodes
                    .iter_mut()
                    .zip(&mut node.hashes)
                    .enumerate()
                    .filter_map(|(child, (node, hash))| {
                        let count = rest.partition_point(|c| child_of(c.index, level) == child);
                        let (mine, others) = rest.split_at(count);
                        rest = others;
                        (!mine.is_empty()).then_some((node, hash, mine))
                    });
                let run =
                    |(node, hash, mine): (&mut Option<Arc<Self>>, &mut Hash, &[Change<R, N>])| {
                        let node = node.get_or_insert_with(|| Arc::new(Self::empty(below)));
                        *hash = Self::apply(node, below, mine);
                    };
                if changes.len() > SERIAL {
                    tasks.collect::<Vec<_>>().into_par_iter().for_each(run);
                } else {
                    tasks.for_each(run);
                }
            }
        }
        node.hash()
    }

    /// `old`, with its level, covers the same first pages as `node` and is not higher.
    fn changed<'a>(
        node: &'a Arc<Self>,
        level: u32,
        first: u32,
        old: Option<(&Arc<Self>, u32)>,
        found: &mut dyn FnMut(u32, &'a Arc<[R; N]>),
    ) {
        if old.is_some_and(|(old, _)| Arc::ptr_eq(node, old)) {
            return;
        }
        match &node.children {
            Children::Pages(pages) => {
                for (child, (page, index)) in pages.iter().zip(first..).enumerate() {
                    let before = old.and_then(|(old, _)| old.page(child));
                    if let Some(page) = page
                        && !before.is_some_and(|before| Arc::ptr_eq(page, before))
                    {
                        found(index, page);
                    }
                }
            }
            Children::Nodes(nodes) => {
                let below = level.saturating_sub(1);
                let stride = 1usize.checked_shl(shift(level)).unwrap_or(usize::MAX);
                let firsts = (first..).step_by(stride);
                for (child, (node, first)) in nodes.iter().zip(firsts).enumerate() {
                    let before = match old {
                        Some((old, old_level)) if old_level == level => {
                            old.node(child).map(|old| (old, below))
                        }
                        // A lower tree is what the first child covers.
                        lower => lower.filter(|_| child == 0),
                    };
                    if let Some(node) = node {
                        Self::changed(node, below, first, before, found);
                    }
                }
            }
        }
    }
}

/// Bits below the ones that choose the child at `level`.
fn shift(level: u32) -> u32 {
    level.saturating_mul(LEVEL_BITS)
}

fn child_of(index: u32, level: u32) -> usize {
    index.checked_shr(shift(level)).unwrap_or(0) as usize & FANOUT.saturating_sub(1)
}

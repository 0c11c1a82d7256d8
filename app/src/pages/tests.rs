#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

use bytemuck::{Pod, Zeroable};
use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct Item {
    amount: i128,
    generation: u32,
    free_link: u32,
    tag: u8,
    reserved: [u8; 7],
}

impl Record for Item {
    const LAYOUT: u32 = 3;
    fn free_link(&self) -> u32 {
        self.free_link
    }
}

impl Reusable for Item {
    fn set_free_link(&mut self, link: u32) {
        self.free_link = link;
    }
    fn reset_for_free(&mut self) {
        *self = Self {
            generation: self.generation.wrapping_add(1),
            ..Self::zeroed()
        };
    }
}

/// Two records a page: a few hundred records make a tree of three levels.
type Items = Table<Item, 2>;
const LIMIT: u32 = 20_000;

fn item(amount: i128) -> Item {
    Item {
        amount,
        ..Item::zeroed()
    }
}

fn filled(count: u32) -> Items {
    let mut table = Items::new(LIMIT);
    for n in 0..count {
        assert_eq!(table.push(item(n.into())), Ok(n));
    }
    table
}

/// The root as the module's documentation defines it, from a plain scan of the pages.
fn plain_root(snapshot: &TableSnapshot<Item, 2>) -> Hash {
    let page = |index| keyed_hash(PAGE_KEY, snapshot.page_bytes(index).unwrap());
    let mut level: Vec<Hash> = (0..snapshot.page_count()).map(page).collect();
    loop {
        let parents = level
            .chunks(FANOUT)
            .map(|c| keyed_hash(NODE_KEY, c.as_flattened()));
        level = parents.collect();
        if level.len() <= 1 {
            break;
        }
    }
    let tree = level
        .first()
        .copied()
        .unwrap_or_else(|| keyed_hash(NODE_KEY, &[]));
    let mut bytes = Vec::new();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend(32u64.to_le_bytes());
    bytes.extend(2u64.to_le_bytes());
    bytes.extend(bytemuck::bytes_of(snapshot.header()));
    bytes.extend(tree);
    keyed_hash(TABLE_KEY, &bytes)
}

fn reload(snapshot: &TableSnapshot<Item, 2>) -> Items {
    let pages = (0..snapshot.page_count()).map(|index| snapshot.page_bytes(index).unwrap());
    Items::load(LIMIT, *snapshot.header(), pages).unwrap()
}

#[test]
fn a_table_reads_its_own_writes_and_snapshots_wait_for_the_seal() {
    let mut table = filled(5);
    let before = table.snapshot();
    assert_eq!(table.get(4), Some(&item(4)));
    assert_eq!(table.get(5), None);
    assert_eq!(before.get(4), None);
    table.seal();
    table.get_mut(4).unwrap().amount = 40;
    let sealed = table.snapshot();
    assert_eq!(table.get(4).unwrap().amount, 40);
    assert_eq!(sealed.get(4).unwrap().amount, 4);
    assert_eq!(
        sealed.iter().map(|(slot, _)| slot).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4]
    );
    assert_eq!(before.len(), 0);
}

#[test]
fn tables_and_snapshots_cross_threads() {
    fn crosses<T: Send + Sync>(_: &T) {}
    let table = filled(1);
    crosses(&table);
    crosses(&table.snapshot());
}

#[test]
fn a_page_is_owned_once_a_block() {
    let mut table = filled(8);
    assert_eq!((table.page_count(), table.owned_page_count()), (4, 4));
    table.seal();
    assert_eq!(table.owned_page_count(), 0);
    for slot in [6, 7, 6, 0] {
        table.get_mut(slot).unwrap().amount += 1;
    }
    assert_eq!(table.owned_page_count(), 2);
    assert_eq!(table.get_mut(8), None);
    assert_eq!(table.owned_page_count(), 2);
}

#[test]
fn the_slot_freed_last_is_given_out_first_and_keeps_its_generation() {
    let mut table = filled(6);
    for slot in [1, 5, 3] {
        table.free(slot).unwrap();
    }
    assert_eq!(table.header().free_len(), 3);
    assert_eq!(table.get(5), None);
    assert_eq!(table.get_mut(5), None);
    assert_eq!(table.free(5), Err(Error::NotInUse { slot: 5 }));
    assert_eq!(table.free(6), Err(Error::NotInUse { slot: 6 }));
    let given: Vec<_> = (0..4).map(|_| table.alloc().unwrap()).collect();
    assert_eq!(given, [3, 5, 1, 6]);
    assert_eq!(
        table.get(3),
        Some(&Item {
            generation: 1,
            ..Item::zeroed()
        })
    );
    assert_eq!(table.get(6), Some(&Item::zeroed()));
}

#[test]
fn a_full_table_refuses_and_still_reuses() {
    let mut table = Items::new(2);
    assert_eq!((table.alloc(), table.alloc()), (Ok(0), Ok(1)));
    assert_eq!(table.alloc(), Err(Error::Full { limit: 2 }));
    assert_eq!(table.push(item(1)), Err(Error::Full { limit: 2 }));
    table.free(0).unwrap();
    assert_eq!(table.alloc(), Ok(0));
}

#[test]
fn header_words_are_state() {
    let mut table = filled(3);
    let root = table.seal();
    table.words_mut().sums[2] = -1;
    assert_ne!(table.seal(), root);
    table.words_mut().counters[7] = 9;
    table.discard();
    assert_eq!(table.words().counters[7], 0);
    assert_eq!(table.words().sums[2], -1);
    table.words_mut().sums[2] = 0;
    assert_eq!(table.seal(), root);
}

#[test]
fn restore_goes_back_and_on_across_tree_heights() {
    // Two records a page, sixteen pages a node: 32 and 512 slots fill a level exactly.
    let lengths = [0, 1, 32, 33, 512, 513, 1_200];
    let mut table = Items::new(LIMIT);
    let mut snapshots = vec![table.snapshot()];
    for len in &lengths[1..] {
        while table.len() < *len {
            table.push(item(table.len().into())).unwrap();
        }
        table.get_mut(0).unwrap().amount += 1;
        table.seal();
        snapshots.push(table.snapshot());
    }
    for to in &snapshots {
        for from in &snapshots {
            table.restore(from);
            table.push(item(7)).unwrap();
            table.restore(to);
            assert_eq!(table.root(), to.root());
            assert_eq!(table.owned_page_count(), 0);
            assert!(table.iter().eq(to.iter()));
            assert_eq!(plain_root(&table.snapshot()), to.root());
        }
    }
    let last_two = snapshots.last().unwrap().pages_changed_since(&snapshots[5]);
    let expected: Vec<u32> = [0, 256].into_iter().chain(257..600).collect();
    assert_eq!(last_two, expected);
}

#[test]
fn load_refuses_what_contradicts_itself() {
    let snapshot = {
        let mut table = filled(4);
        table.seal();
        table.snapshot()
    };
    let header = *snapshot.header();
    let page = snapshot.page_bytes(0).unwrap();
    let cases = [
        (
            Header {
                len: LIMIT + 1,
                ..header
            },
            vec![page; 2],
            "20001 slots",
        ),
        (
            Header {
                free_len: 1,
                ..header
            },
            vec![page; 2],
            "1 free, first free 0",
        ),
        (
            Header {
                free_head: 5,
                free_len: 1,
                ..header
            },
            vec![page; 2],
            "first free 5",
        ),
        (header, vec![page], "1 pages, header says 2"),
        (header, vec![page; 3], "3 pages, header says 2"),
        (header, vec![page, &page[1..]], "page 1 has 63 bytes"),
    ];
    for (header, pages, message) in cases {
        let error = Items::load(LIMIT, header, pages).err().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_damaged_free_list_is_an_error() {
    let mut table = filled(4);
    let mut header = *table.seal_and_header();
    (header.free_head, header.free_len) = (2, 1);
    let snapshot = table.snapshot();
    let pages = (0..2).map(|index| snapshot.page_bytes(index).unwrap());
    let mut damaged = Items::load(LIMIT, header, pages).unwrap();
    assert_eq!(damaged.alloc(), Err(Error::CorruptFreeList { slot: 1 }));
}

impl Items {
    fn seal_and_header(&mut self) -> &Header {
        self.seal();
        self.header()
    }
}

#[test]
fn combine_depends_on_number_and_order() {
    let (a, b) = ([1; 32], [2; 32]);
    let roots = [
        combine(&[]),
        combine(&[a]),
        combine(&[a, b]),
        combine(&[b, a]),
    ];
    for (n, root) in roots.iter().enumerate() {
        assert!(!roots[..n].contains(root));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Alloc(u8),
    Push,
    Free(u16),
    Write(u16, i64),
    Word(u64),
    Seal,
    Discard,
    Snapshot,
    Restore(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<u8>().prop_map(Step::Alloc),
        2 => Just(Step::Push),
        6 => any::<u16>().prop_map(Step::Free),
        8 => (any::<u16>(), any::<i64>()).prop_map(|(slot, value)| Step::Write(slot, value)),
        1 => any::<u64>().prop_map(Step::Word),
        2 => Just(Step::Seal),
        1 => Just(Step::Discard),
        1 => Just(Step::Snapshot),
        1 => any::<u8>().prop_map(Step::Restore),
    ]
}

/// The table as plain data: a slot's generation and, while in use, its amount.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    slots: Vec<(u32, Option<i128>)>,
    free: Vec<u32>,
    word: u64,
}

impl Model {
    fn alloc(&mut self) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize].1 = Some(0);
            return slot;
        }
        self.slots.push((0, Some(0)));
        self.slots.len() as u32 - 1
    }

    fn agrees(&self, header: &Header, get: impl Fn(u32) -> Option<Item>) {
        assert_eq!(header.len() as usize, self.slots.len());
        assert_eq!(header.free_len() as usize, self.free.len());
        assert_eq!(header.words().counters[0], self.word);
        for (slot, (generation, amount)) in (0..).zip(&self.slots) {
            let expected = amount.map(|amount| Item {
                amount,
                generation: *generation,
                ..Item::zeroed()
            });
            assert_eq!(get(slot), expected, "slot {slot}");
        }
        assert_eq!(get(header.len()), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_table_is_a_vector_with_a_root(steps in prop::collection::vec(step(), 1..160)) {
        let mut table = Items::new(LIMIT);
        let (mut now, mut sealed) = (Model::default(), Model::default());
        let mut snapshots = vec![(table.snapshot(), Model::default())];
        for step in steps {
            match step {
                Step::Alloc(count) => for _ in 0..count % 48 {
                    prop_assert_eq!(table.alloc(), Ok(now.alloc()));
                },
                Step::Push => {
                    now.slots.push((0, Some(5)));
                    prop_assert_eq!(table.push(item(5)), Ok(now.slots.len() as u32 - 1));
                }
                Step::Free(slot) => {
                    let slot = u32::from(slot) % (now.slots.len() as u32 + 1);
                    let used = now.slots.get_mut(slot as usize).filter(|s| s.1.is_some());
                    prop_assert_eq!(table.free(slot).is_ok(), used.is_some());
                    if let Some((generation, amount)) = used {
                        (*generation, *amount) = (*generation + 1, None);
                        now.free.push(slot);
                    }
                }
                Step::Write(slot, value) => {
                    let slot = u32::from(slot) % (now.slots.len() as u32 + 1);
                    let amount = now.slots.get_mut(slot as usize).and_then(|s| s.1.as_mut());
                    let record = table.get_mut(slot);
                    prop_assert_eq!(record.is_some(), amount.is_some());
                    if let (Some(record), Some(amount)) = (record, amount) {
                        record.amount = value.into();
                        *amount = value.into();
                    }
                }
                Step::Word(word) => {
                    table.words_mut().counters[0] = word;
                    now.word = word;
                }
                Step::Seal => {
                    let root = table.seal();
                    sealed = now.clone();
                    prop_assert_eq!(root, plain_root(&table.snapshot()));
                    prop_assert_eq!(root, reload(&table.snapshot()).root());
                }
                Step::Discard => {
                    let root = table.root();
                    table.discard();
                    now = sealed.clone();
                    prop_assert_eq!(table.owned_page_count(), 0);
                    prop_assert_eq!(table.seal(), root);
                }
                Step::Snapshot => snapshots.push((table.snapshot(), sealed.clone())),
                Step::Restore(which) => {
                    let (snapshot, model) = &snapshots[usize::from(which) % snapshots.len()];
                    table.restore(snapshot);
                    prop_assert_eq!(table.root(), snapshot.root());
                    (now, sealed) = (model.clone(), model.clone());
                }
            }
            now.agrees(table.header(), |slot| table.get(slot).copied());
            let last = table.snapshot();
            sealed.agrees(last.header(), |slot| last.get(slot).copied());
        }
        for (snapshot, model) in &snapshots {
            model.agrees(snapshot.header(), |slot| snapshot.get(slot).copied());
            prop_assert_eq!(snapshot.root(), plain_root(snapshot));
        }
    }
}

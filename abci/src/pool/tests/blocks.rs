use std::collections::HashSet;

use ballast_types::{GroupId, cometbft_tx_weight};
use proptest::prelude::*;

use super::cosmos::cosmos;
use super::*;
use crate::Pool;
use crate::noop::block_bytes;
use crate::proposal::{Reason, Verified, process};

fn weight(bytes: &Bytes) -> u64 {
    cometbft_tx_weight(bytes, &spec(), &chain_hash(CHAIN)).unwrap()
}

/// How many of each user's transactions are in the block.
fn counts(txs: &[Bytes], users: u8, nonces: u64) -> Vec<usize> {
    let hashes: HashSet<TxHash> = inside(txs).into_iter().collect();
    let of = |number| {
        (0..nonces)
            .filter(|nonce| hashes.contains(&tx_hash(&tx(number, *nonce))))
            .count()
    };
    (0..users).map(of).collect()
}

#[test]
fn shares_go_by_equity_and_everyone_gets_something() {
    let one = weight(&tx(0, 0));
    let full = one * 40 + 60;
    // Equities, transactions that wait, and what a block of 40 takes of each.
    type Case = (&'static str, [u128; 3], [u64; 3], [usize; 3]);
    let cases: [Case; 5] = [
        ("alike", [5, 5, 5], [40, 40, 40], [14, 13, 13]),
        (
            "three to one",
            [300 << 40, 100 << 40, 0],
            [40, 40, 40],
            [26, 11, 3],
        ),
        (
            "nothing against much",
            [u128::MAX >> 30, 0, 0],
            [40, 40, 40],
            [34, 3, 3],
        ),
        (
            "what one leaves goes to the others",
            [900 << 40, 50 << 40, 50 << 40],
            [10, 40, 40],
            [10, 15, 15],
        ),
        ("all fits", [1 << 90, 0, 0], [10, 10, 10], [10, 10, 10]),
    ];
    for (name, equity, waiting, expected) in cases {
        let masters = (0..3).map(|number| user(number).id());
        let books = Books {
            equity: masters.zip(equity).collect(),
            ..Books::default()
        };
        let pool = pool_with(Mode::App, 0, books, |_| ());
        for number in 0..3 {
            for nonce in 0..waiting[usize::from(number)] {
                pool.submit(&tx(number, nonce)).unwrap();
            }
        }
        let txs = pool.prepare(Vec::new(), room(1 << 20, full));
        assert_eq!(counts(&txs, 3, 40), expected, "{name}");
    }
}

#[test]
fn what_is_passed_over_comes_with_age() {
    let one = weight(&tx(0, 0));
    let equity = [(user(0).id(), u128::MAX >> 30)].into();
    let books = Books {
        equity,
        ..Books::default()
    };
    let pool = pool_with(Mode::App, 0, books, |_| ());
    let big = sign_native(&body(&user(1), 0, vec![order(); 5]), &user(1)).into();
    pool.submit(&big).unwrap();
    let mut nonce = 0;
    let mut heights = 0;
    loop {
        heights += 1;
        for _ in 0..8 {
            pool.submit(&tx(0, nonce)).unwrap();
            nonce += 1;
        }
        let room = BlockRoom {
            height: heights,
            ..room(1 << 20, one * 8 + 60)
        };
        let hashes = inside(&pool.prepare(Vec::new(), room));
        pool.committed(
            &block(heights, NOW + heights, &hashes),
            pool.shared.ledger(),
        );
        if hashes.contains(&tx_hash(&big)) {
            break;
        }
    }
    assert!((2..20).contains(&heights), "after {heights} blocks");
}

#[test]
fn live_cancels_come_first_up_to_a_quarter() {
    let dead = OrderId::new(GroupId(0), 1, 1).unwrap();
    let resting = OrderId::new(GroupId(0), 1, 2).unwrap();
    let named = |order| move |nonce| cancel(1, 1_000 + nonce, Cancel::Order(order));
    let one = weight(&tx(0, 0));
    type Case<'a> = (&'a str, &'a dyn Fn(u64) -> Bytes, bool);
    let cases: [Case<'_>; 3] = [
        ("of an order that rests", &named(resting), true),
        (
            "that leaves a floor",
            &|nonce| {
                cancel(
                    1,
                    nonce,
                    Cancel::Client {
                        group: GroupId(0),
                        client_id: 7,
                    },
                )
            },
            true,
        ),
        ("of nothing", &named(dead), false),
    ];
    for (name, make, live) in cases {
        let books = Books {
            resting: [resting].into(),
            ..Books::default()
        };
        let pool = pool_with(Mode::App, 0, books, |_| ());
        for nonce in 0..60 {
            pool.submit(&tx(0, nonce)).unwrap();
        }
        let cancels: Vec<Bytes> = (0..60).map(make).collect();
        for bytes in &cancels {
            pool.submit(bytes).unwrap();
        }
        let hashes = inside(&pool.prepare(Vec::new(), room(1 << 20, one * 40 + 60)));
        let is_cancel = |hash: &TxHash| cancels.iter().any(|bytes| tx_hash(bytes) == *hash);
        let first = hashes.iter().take_while(|hash| is_cancel(hash)).count() as u64;
        let quarter = one * 10 / weight(&cancels[0]);
        // Beyond the quarter both masters take turns, as they do when no cancel is live.
        let expected = if live { quarter..quarter + 4 } else { 0..4 };
        assert!(expected.contains(&first), "{name}: {first}");
    }
}

#[test]
fn cancels_alone_may_fill_a_block() {
    let pool = pool();
    let all = |nonce| cancel(0, nonce, Cancel::All(None));
    for nonce in 0..40 {
        pool.submit(&all(nonce)).unwrap();
    }
    let one = weight(&all(0));
    assert_eq!(
        inside(&pool.prepare(Vec::new(), room(1 << 20, one * 20 + 60))).len(),
        20
    );
}

#[test]
fn cancels_over_the_token_budget_wait_and_are_never_lost() {
    let books = Books {
        cancel_tokens: 3,
        ..Books::default()
    };
    let pool = pool_with(Mode::App, 0, books.clone(), |_| ());
    for nonce in 0..10 {
        pool.submit(&cancel(0, nonce, Cancel::Market(MarketId(0))))
            .unwrap();
        pool.submit(&cancel(1, nonce, Cancel::Market(MarketId(0))))
            .unwrap();
    }
    let hashes = inside(&pool.prepare(Vec::new(), ample()));
    assert_eq!(hashes.len(), 6, "three of each master");
    assert_eq!(pool.len(), 20);
    let none = Books {
        cancel_tokens: 0,
        ..Books::default()
    };
    let mut left = 20;
    for height in 1..=10 {
        let room = BlockRoom { height, ..ample() };
        pool.committed(&block(height, NOW + height, &[]), Arc::new(none.clone()));
        let hashes = inside(&pool.prepare(Vec::new(), room));
        assert_eq!(hashes.len(), 2, "the oldest of each master always goes");
        pool.committed(
            &block(height, NOW + height, &hashes),
            Arc::new(none.clone()),
        );
        left -= 2;
        assert_eq!(pool.len(), left);
    }
}

#[test]
fn only_what_the_block_can_use_is_in_it() {
    for mode in [Mode::App, Mode::Flood] {
        let pool = pool_with(mode, 0, Books::default(), |_| ());
        let expiring = {
            let owner = user(1);
            let body = TxBody {
                expiry: NOW + 500,
                ..body(&owner, 0, vec![order()])
            };
            Bytes::from(sign_native(&body, &owner))
        };
        let early = tx(2, 30_000);
        let usable = tx(3, 0);
        let offer = [expiring, early.clone(), usable.clone()];
        for bytes in &offer {
            pool.check_tx(bytes).unwrap();
        }
        let at = |time| pool.prepare(offer.to_vec(), BlockRoom { time, ..ample() });
        assert_eq!(at(NOW + 1_000), [early.clone(), usable.clone()], "{mode:?}");
        assert_eq!(
            at(NOW - 1),
            [offer[0].clone(), usable.clone()],
            "{mode:?}: nonce ahead"
        );
        assert_eq!(at(NOW + 120_001), Vec::<Bytes>::new(), "{mode:?}: expired");
    }
}

#[test]
fn what_cometbft_offers_is_filtered_and_cancels_go_first() {
    let pool = pool_with(Mode::Flood, 0, Books::default(), |_| ());
    let bundle = |stamp, txs: &[Bytes]| {
        Bytes::from(ballast_types::encode_bundle(
            txs,
            stamp,
            &chain_hash(CHAIN),
            &validator(0),
        ))
    };
    let cancel = cancel(0, 9, Cancel::Market(MarketId(0)));
    let first = bundle(1, &[tx(0, 1), tx(0, 2)]);
    let offer = vec![
        Bytes::from_static(b"garbage"),
        first.clone(),
        bundle(2, &[tx(0, 2), tx(0, 1)]),
        tx(0, 1),
        tx(0, 3),
        tx(0, 3),
        vec![2; 70_000].into(),
        cancel.clone(),
    ];
    assert_eq!(
        pool.prepare(offer.clone(), ample()),
        [cancel.clone(), first, tx(0, 3)]
    );
    commit(&pool, 1, &[tx_hash(&tx(0, 1)), tx_hash(&tx(0, 2))]);
    assert_eq!(
        pool.prepare(offer, ample()),
        [cancel, tx(0, 3)],
        "nothing twice"
    );
}

#[test]
fn proposals_are_refused_for_what_their_bytes_prove() {
    let (mut spec, chain) = (spec(), chain_hash(CHAIN));
    let one = weight(&tx(0, 0));
    spec.limits.block_weight = one * 2;
    spec.limits.block_bytes = 1_000;
    spec.limits.tx_bytes = 900;
    let bad_signature: Bytes = sign_native(&body(&user(0), 0, vec![order()]), &user(1)).into();
    let bad_inside = ballast_types::encode_bundle(&[&[1_u8, 2, 3][..]], 0, &chain, &user(0));
    type Case = (Vec<Bytes>, Result<Vec<u64>, Reason>);
    let cases: Vec<Case> = vec![
        (vec![], Ok(vec![])),
        (vec![tx(0, 1), tx(0, 2)], Ok(vec![one, one])),
        (vec![bad_signature], Ok(vec![one])),
        (vec![bad_inside.into()], Ok(vec![60 + 60])),
        (vec![tx(0, 1), tx(0, 1)], Err(Reason::Repeated { index: 1 })),
        (
            vec![tx(0, 1), Bytes::new()],
            Err(Reason::Undecodable { index: 1 }),
        ),
        (
            vec![Bytes::from_static(&[3, 1])],
            Err(Reason::Undecodable { index: 0 }),
        ),
        (
            vec![vec![1; 901].into()],
            Err(Reason::TxBytes {
                index: 0,
                bytes: 901,
            }),
        ),
        (
            vec![vec![1; 500].into(), vec![2; 500].into()],
            Err(Reason::Bytes {
                bytes: 2 * block_bytes(500),
            }),
        ),
        (
            vec![tx(0, 1), tx(0, 2), tx(0, 3)],
            Err(Reason::Weight { weight: 3 * one }),
        ),
    ];
    for (txs, expected) in cases {
        assert_eq!(
            process(&txs, &spec, &chain, &Verified::default()),
            expected,
            "{txs:?}"
        );
    }
}

#[test]
fn judging_a_proposal_remembers_the_good_signatures() {
    let (spec, chain, verified) = (spec(), chain_hash(CHAIN), Verified::default());
    let bad: Bytes = sign_native(&body(&user(0), 0, vec![order()]), &user(1)).into();
    let bundled = ballast_types::encode_bundle(&[tx(0, 1), bad.clone()], 0, &chain, &user(0));
    process(&[bundled.into(), tx(0, 2)], &spec, &chain, &verified).unwrap();
    assert!(verified.contains(&tx_hash(&tx(0, 1))));
    assert!(verified.contains(&tx_hash(&tx(0, 2))));
    assert!(!verified.contains(&tx_hash(&bad)));
}

/// A transaction of some kind, good or bad.
fn any_tx() -> impl Strategy<Value = Bytes> {
    let small = (0..10_u8, 0..40_u64);
    prop_oneof![
        4 => small.clone().prop_map(|(number, nonce)| tx(number, nonce)),
        2 => (0..10_u8, 0..40_u64, 1..64_usize).prop_map(|(number, nonce, actions)| {
            let owner = user(number);
            sign_native(&body(&owner, nonce, vec![order(); actions]), &owner).into()
        }),
        1 => small.clone()
            .prop_map(|(number, nonce)| cancel(number, nonce, Cancel::All(None))),
        1 => (0..3_u8, 0..5_u64).prop_map(|(number, sequence)| cosmos(number, sequence)),
        1 => small.prop_map(|(number, nonce)| {
            sign_native(&body(&user(number), nonce, vec![order()]), &user(60)).into()
        }),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from),
    ]
}

fn any_offer() -> impl Strategy<Value = Bytes> {
    let bundle = proptest::collection::vec(any_tx(), 1..6).prop_map(|txs| {
        let native: Vec<Bytes> = txs
            .into_iter()
            .filter(|tx| tx.first() == Some(&ballast_types::TAG_NATIVE))
            .collect();
        ballast_types::encode_bundle(&native, 5, &chain_hash(CHAIN), &validator(1)).into()
    });
    prop_oneof![3 => any_tx(), 1 => bundle]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_prepared_block_is_accepted_elsewhere_and_repeats_nothing(
        txs in proptest::collection::vec((any_offer(), 0..3), 0..40),
        bytes in 0..40_000_u64,
        weight in 0..400_000_u64,
        flood in any::<bool>(),
    ) {
        let mode = if flood { Mode::Flood } else { Mode::App };
        let pool = pool_with(mode, 0, Books::default(), |_| ());
        for (bytes, way) in &txs {
            match way {
                0 => drop(pool.submit(bytes)),
                1 => drop(pool.check_tx(bytes)),
                _ => drop(pool.insert_tx(bytes.clone())),
            }
        }
        settle(&pool);
        let offer = if flood { txs.into_iter().map(|(bytes, _)| bytes).collect() } else { Vec::new() };
        let block = pool.prepare(offer, room(bytes, weight));
        let mut spec = spec();
        spec.limits.block_bytes = bytes;
        spec.limits.block_weight = weight;
        let judged = process(&block, &spec, &chain_hash(CHAIN), &Verified::default());
        prop_assert!(judged.is_ok(), "{judged:?}");
        if mode == Mode::App {
            let hashes = inside(&block);
            let distinct: HashSet<&TxHash> = hashes.iter().collect();
            prop_assert_eq!(distinct.len(), hashes.len());
        }
    }
}

use ballast_types::{Hash, encode_bundle};

use super::cosmos::cosmos;
use super::*;
use crate::Pool;

fn bundle(origin: &Secret, stamp: u64, txs: &[Bytes]) -> Bytes {
    encode_bundle(txs, stamp, &chain_hash(CHAIN), origin).into()
}

fn signed(change: impl FnOnce(&mut TxBody), by: &Secret) -> Bytes {
    let mut body = body(&user(0), 0, vec![order()]);
    change(&mut body);
    body.key = by.public();
    sign_native(&body, by).into()
}

#[test]
fn bad_transactions_are_refused_with_the_code_that_a_block_would_give() {
    let owner = user(0);
    let stranger = user(50);
    let cases: Vec<(&str, Bytes)> = vec![
        ("UNDECODABLE", Bytes::from_static(b"hello")),
        ("UNDECODABLE", Bytes::from_static(&[])),
        ("UNDECODABLE", Bytes::from_static(&[1, 2, 3])),
        ("TOO_LARGE", [&[1_u8][..], &[0; 16 << 10]].concat().into()),
        ("TOO_LARGE", vec![2; 65 << 10].into()),
        ("NO_ACTIONS", signed(|body| body.actions.clear(), &owner)),
        (
            "TOO_MANY_ACTIONS",
            signed(|body| body.actions = vec![order(); 65], &owner),
        ),
        ("WRONG_CHAIN", signed(|body| body.chain = [9; 32], &owner)),
        (
            "BAD_SIGNATURE",
            sign_native(&body(&owner, 0, vec![order()]), &stranger).into(),
        ),
        ("EXPIRED", signed(|body| body.expiry = NOW, &owner)),
        (
            "NONCE_WINDOW",
            signed(|body| body.nonce = NOW - 120_001, &owner),
        ),
        (
            "NONCE_WINDOW",
            signed(|body| body.nonce = NOW + 30_001, &owner),
        ),
        (
            "UNKNOWN_ACCOUNT",
            signed(|body| body.account.master = stranger.id(), &stranger),
        ),
        (
            "UNKNOWN_ACCOUNT",
            signed(|body| body.account.sub = 1, &owner),
        ),
        ("KEY_NOT_ALLOWED", signed(|_| (), &stranger)),
        (
            "UNDECODABLE",
            bundle(&owner, 1, &[Bytes::from_static(&[1, 2, 3])]),
        ),
    ];
    for mode in [Mode::App, Mode::Flood] {
        let pool = pool_with(mode, 0, Books::default(), |_| ());
        for (expected, bytes) in &cases {
            let submitted = pool.submit(bytes).unwrap_err();
            assert_eq!(submitted.message, *expected, "submit {mode:?}");
            assert_eq!(code_name(submitted.code), *expected);
            assert_eq!(pool.check_tx(bytes), Err(submitted), "check_tx {mode:?}");
            assert_eq!(
                pool.insert_tx(bytes.clone()),
                0,
                "insert_tx answers before it looks"
            );
        }
        settle(&pool);
        assert!(pool.is_empty());
    }
}

#[test]
fn what_is_at_the_edge_is_taken() {
    let pool = pool();
    let agent = user(9);
    for bytes in [
        signed(|body| body.nonce = NOW - 120_000, &user(0)),
        signed(|body| body.nonce = NOW + 30_000, &user(0)),
        signed(|body| body.expiry = NOW + 1, &user(0)),
        signed(|_| (), &agent),
        cosmos(0, 0),
    ] {
        assert_eq!(pool.submit(&bytes), Ok(tx_hash(&bytes)));
        assert_eq!(
            pool.submit(&bytes),
            Ok(tx_hash(&bytes)),
            "a retry has one effect"
        );
        assert!(pool.is_verified(&tx_hash(&bytes)));
    }
    assert_eq!(pool.len(), 5);
}

#[test]
fn one_transaction_by_every_way_is_in_a_block_once() {
    let pool = pool();
    let bytes = tx(0, 1);
    pool.submit(&bytes).unwrap();
    pool.check_tx(&bytes).unwrap();
    pool.insert_tx(bytes.clone());
    pool.insert_tx(bundle(&validator(1), 1, &[bytes.clone(), tx(0, 2)]));
    pool.insert_tx(bundle(&validator(2), 2, &[bytes.clone(), tx(0, 2)]));
    pool.insert_tx(bundle(&user(30), 3, &[tx(0, 2), tx(0, 1)]));
    settle(&pool);
    let hashes = inside(&pool.prepare(Vec::new(), ample()));
    assert_eq!(hashes, [tx_hash(&bytes), tx_hash(&tx(0, 2))]);
    commit(&pool, 1, &hashes);
    pool.insert_tx(bundle(&validator(1), 9, std::slice::from_ref(&bytes)));
    pool.insert_tx(bundle(&user(30), 9, &[bytes, tx(0, 2)]));
    settle(&pool);
    assert!(pool.is_empty(), "late copies are dropped");
}

#[test]
fn a_strangers_bundle_waits_whole_until_a_part_of_it_is_committed() {
    let pool = pool();
    let whole = bundle(&user(30), 1, &[tx(0, 1), tx(0, 2)]);
    pool.insert_tx(whole.clone());
    pool.insert_tx(bundle(&validator(1), 2, &[tx(0, 1)]));
    settle(&pool);
    assert_eq!(pool.prepare(Vec::new(), ample()), [whole]);
    commit(&pool, 1, &[tx_hash(&tx(0, 1))]);
    let hashes = inside(&pool.prepare(Vec::new(), ample()));
    assert_eq!(hashes, [tx_hash(&tx(0, 2))]);
    commit(&pool, 2, &hashes);
    assert!(pool.is_empty());
}

#[test]
fn what_rpc_clients_send_travels_unchanged() {
    let own = pool();
    let clients_bundle = bundle(&user(30), 1, &[tx(1, 1), tx(1, 2)]);
    let sent = [tx(0, 1), clients_bundle, cosmos(2, 0)];
    for bytes in &sent {
        assert!(own.check_tx(bytes).unwrap() > 600);
    }
    assert_eq!(own.reap_txs(0, 0), sent);
    assert!(own.reap_txs(0, 0).is_empty());
    let peer = pool_with(Mode::App, 1, Books::default(), |_| ());
    for bytes in &sent {
        assert_eq!(peer.insert_tx(bytes.clone()), 0);
    }
    settle(&peer);
    for node in [own, peer] {
        assert_eq!(node.prepare(Vec::new(), ample()), sent);
    }
}

#[test]
fn the_gateways_transactions_travel_in_bundles() {
    let pool = pool();
    let txs: Vec<Bytes> = (0..300).map(|nonce| tx(0, nonce)).collect();
    for bytes in &txs {
        pool.submit(bytes).unwrap();
    }
    pool.submit(&cosmos(1, 0)).unwrap();
    let bundles = pool.reap_txs(0, 0);
    assert_eq!(inside(&bundles).len(), 301);
    assert!(bundles.iter().all(|bundle| bundle.len() <= 20 << 10));
    let length = txs[0].len() + 4;
    assert_eq!(
        bundles.len(),
        1 + 300_usize.div_ceil(((20 << 10) - 109) / length)
    );
    assert!(pool.reap_txs(0, 0).is_empty(), "once");
}

#[test]
fn reaping_keeps_to_its_limits() {
    let pool = pool();
    for nonce in 0..10 {
        pool.submit(&tx(0, nonce)).unwrap();
    }
    let length = tx(0, 0).len() as u64 + 4;
    let first = pool.reap_txs(109 + 3 + 3 * length, 0);
    assert_eq!(inside(&first).len(), 3);
    let weight = pool.check_tx(&tx(0, 9)).unwrap();
    assert_eq!(inside(&pool.reap_txs(0, 60 + 2 * weight)).len(), 2);
    assert_eq!(inside(&pool.reap_txs(0, 0)).len(), 5);
}

#[test]
fn a_full_pool_says_so() {
    let length = tx(0, 0).len();
    type Case = (&'static str, u32, fn(&mut PoolConfig, usize));
    let cases: [Case; 3] = [
        ("bytes", POOL_FULL, |config, length| {
            config.max_bytes = 2 * length
        }),
        ("count", POOL_FULL, |config, _| config.max_txs = 2),
        ("master", MASTER_FULL, |config, length| {
            config.max_master_bytes = 2 * length
        }),
    ];
    for (name, code, adjust) in cases {
        let pool = pool_with(Mode::App, 0, Books::default(), |config| {
            adjust(config, length)
        });
        pool.submit(&tx(0, 1)).unwrap();
        pool.submit(&tx(0, 2)).unwrap();
        let refused = pool.submit(&tx(0, 3)).unwrap_err();
        assert_eq!(refused.code, code, "{name}");
        assert_eq!(pool.check_tx(&tx(0, 4)).unwrap_err().code, code, "{name}");
        assert_eq!(
            pool.submit(&tx(1, 1)).is_ok(),
            code == MASTER_FULL,
            "{name}: others"
        );
        commit(&pool, 1, &[tx_hash(&tx(0, 1))]);
        assert!(
            pool.submit(&tx(0, 3)).is_ok(),
            "{name}: there is room again"
        );
    }
}

#[test]
fn strangers_share_a_quota_and_validators_have_their_own() {
    let stranger = |stamp| bundle(&user(30), stamp, &[tx(0, 1), tx(0, 2)]);
    let pool = pool_with(Mode::App, 0, Books::default(), |config| {
        config.shared_rate = 2 * stranger(0).len() as u64;
        config.origin_rate = 100_000;
    });
    assert_eq!(pool.insert_tx(stranger(1)), 0);
    settle(&pool);
    assert_eq!(
        pool.insert_tx(stranger(2)),
        0,
        "the same bytes would cost nothing"
    );
    settle(&pool);
    assert_eq!(pool.insert_tx(stranger(3)), ORIGIN_QUOTA);
    assert_eq!(pool.insert_tx(tx(0, 3)), ORIGIN_QUOTA);
    assert_eq!(pool.insert_tx(bundle(&validator(1), 1, &[tx(0, 4)])), 0);
    settle(&pool);
    assert_eq!(pool.len(), 3);

    let forged = |stamp| {
        let mut bytes = bundle(&validator(2), stamp, &[tx(0, 5), tx(0, 6)]).to_vec();
        bytes[1] ^= 1;
        Bytes::from(bytes)
    };
    assert_eq!(pool.insert_tx(forged(1)), 0);
    settle(&pool);
    assert_eq!(pool.len(), 3, "a forged origin is a stranger");
}

#[test]
fn bad_content_costs_the_origin_and_harms_only_itself() {
    let pool = pool_with(Mode::App, 0, Books::default(), |config| {
        config.origin_rate = 1_000
    });
    let bad: Bytes = sign_native(&body(&user(0), 5, vec![order()]), &user(1)).into();
    assert_eq!(
        pool.insert_tx(bundle(&validator(1), 1, &[tx(0, 1), bad, tx(0, 2)])),
        0
    );
    settle(&pool);
    assert_eq!(pool.len(), 2);
    assert_eq!(
        pool.insert_tx(bundle(&validator(1), 2, &[tx(0, 3)])),
        ORIGIN_QUOTA
    );
    assert_eq!(pool.insert_tx(bundle(&validator(2), 3, &[tx(0, 3)])), 0);
}

#[test]
fn what_peers_send_is_passed_on_only_by_a_relay_and_once() {
    for relay in [false, true] {
        let pool = pool_with(Mode::App, 0, Books::default(), |config| {
            config.relay = relay
        });
        let txs = [
            bundle(&validator(1), 1, &[tx(0, 1), tx(0, 2)]),
            cosmos(0, 0),
        ];
        for bytes in &txs {
            pool.insert_tx(bytes.clone());
        }
        settle(&pool);
        let sent: &[Bytes] = if relay { &txs } else { &[] };
        assert_eq!(
            pool.reap_txs(0, 0),
            sent,
            "unchanged, with the origin's signature"
        );
        pool.insert_tx(bundle(&validator(2), 2, &[tx(0, 1)]));
        settle(&pool);
        for height in 1..100 {
            commit(&pool, height, &[]);
            assert!(pool.reap_txs(0, 0).is_empty());
        }
    }
}

#[test]
fn what_is_missing_is_sent_again_until_it_is_in_a_block_or_expires() {
    let pool = pool();
    let (included, missing, rpc) = (tx(0, 1), tx(0, 2), tx(0, 3));
    pool.submit(&included).unwrap();
    pool.submit(&missing).unwrap();
    pool.check_tx(&rpc).unwrap();
    let first = pool.reap_txs(0, 0);
    let mut sent = Vec::new();
    for height in 1..=60 {
        let now: &[TxHash] = if height == 3 {
            &[tx_hash(&included)]
        } else {
            &[]
        };
        commit(&pool, height, now);
        let again = pool.reap_txs(0, 0);
        if !again.is_empty() {
            assert_eq!(inside(&again), [tx_hash(&missing), tx_hash(&rpc)]);
            assert!(
                again.iter().all(|bytes| !first.contains(bytes)),
                "new bytes"
            );
            sent.push(height);
        }
    }
    assert_eq!(sent, [8, 24, 56], "less and less often");
    let expired = block(61, NOW + 60_000, &[]);
    pool.committed(&expired, Arc::new(Books::default()));
    assert!(pool.is_empty());
    assert!(pool.reap_txs(0, 0).is_empty());
}

#[test]
fn answers_arrive_by_callback_and_signatures_are_checked_once() {
    let pool = pool();
    let (send, receive) = crossbeam_channel::unbounded();
    for nonce in 0..50 {
        let send = send.clone();
        pool.submit_then(&tx(0, nonce), move |answer| send.send(answer).unwrap());
    }
    let hashes: BTreeSet<Hash> = (0..50).map(|_| receive.recv().unwrap().unwrap()).collect();
    assert_eq!(hashes.len(), 50);
    let checked = |how| {
        pool.shared
            .metrics
            .signatures
            .with_label_values(&[how])
            .get()
    };
    assert_eq!(checked("batched") + checked("single"), 50);
    for nonce in 0..50 {
        pool.check_tx(&tx(0, nonce)).unwrap();
    }
    assert_eq!(checked("batched") + checked("single"), 50);
    assert_eq!(checked("cached"), 50);
}

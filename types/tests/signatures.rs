//! Signatures: the same answer alone and in a batch, for every key that anyone can craft.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use ballast_types::{Hash, PublicKey, Secret, verify, verify_batch};

/// The encodings of the eight points of small order, then those that are not canonical. ZIP-215
/// accepts all of them.
const SMALL_ORDER: [&str; 14] = [
    // order 1: (0, 1)
    "0100000000000000000000000000000000000000000000000000000000000000",
    // order 2: (0, -1)
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    // order 4: y = 0
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    // order 8
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    // x = 0 with the sign bit set
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    // y + p for y = 1 and y = 0
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// The order of the group, which a canonical `s` lies below.
const GROUP_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

const HASH: Hash = [9; 32];

type Signed = (PublicKey, Hash, [u8; 64]);

fn point(hex: &str) -> [u8; 32] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

fn signature(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
    [*r, *s].concat().try_into().unwrap()
}

fn signed(secret: &Secret, hash: Hash) -> Signed {
    (secret.public(), hash, secret.sign(&hash))
}

/// Checks that all batches of consecutive signatures of each of `sizes` answer as single checks do,
/// and returns those answers.
fn answers(signed: &[Signed], sizes: &[usize]) -> Vec<bool> {
    let alone: Vec<_> = signed
        .iter()
        .map(|(key, hash, sig)| verify((key, hash, sig)))
        .collect();
    for &size in sizes {
        for (checks, alone) in signed.chunks(size).zip(alone.chunks(size)) {
            let checks: Vec<_> = checks
                .iter()
                .map(|(key, hash, sig)| (key, hash, sig))
                .collect();
            assert_eq!(verify_batch(&checks), alone, "in batches of {size}");
        }
    }
    alone
}

const SIZES: &[usize] = &[1, 2, 3, 4, 5, 7, 16, 64, 200, 1_000];

#[test]
fn small_order_keys_and_nonces_are_accepted_alone_and_in_batches() {
    let mut all = Vec::new();
    for key in SMALL_ORDER.map(point) {
        for r in SMALL_ORDER.map(point) {
            all.push((PublicKey::Ed25519(key), HASH, signature(&r, &[0; 32])));
        }
    }
    assert_eq!(all.len(), 196);
    assert!(answers(&all, SIZES).iter().all(|good| *good));
}

#[test]
fn small_order_keys_among_good_and_bad_signatures_change_no_answer() {
    let mut all = Vec::new();
    for (number, r) in (1_u8..).zip(SMALL_ORDER.map(point)) {
        let good = signed(&Secret::ed25519([number; 32]), [number; 32]);
        all.push((PublicKey::Ed25519(r), good.1, signature(&r, &[0; 32])));
        all.push(good);
        all.push((good.0, [0; 32], good.2));
        // An honest key under a small-order nonce.
        all.push((good.0, good.1, signature(&r, &[0; 32])));
        // A small-order key under an honest signature.
        all.push((PublicKey::Ed25519(r), good.1, good.2));
    }
    let expected = [true, true, false, false, false].repeat(14);
    assert_eq!(answers(&all, SIZES), expected);
}

#[test]
fn s_is_canonical() {
    let order = point(GROUP_ORDER);
    let mut below = order;
    below[0] -= 1;
    for key in SMALL_ORDER.map(point) {
        let forged = |s: &[u8; 32]| (PublicKey::Ed25519(key), HASH, signature(&key, s));
        // With s = 0 the equation holds, and so it would with s = order, were it canonical.
        let all = [
            forged(&[0; 32]),
            forged(&order),
            forged(&below),
            forged(&[0xff; 32]),
        ];
        assert_eq!(answers(&all, &[1, 4]), [true, false, false, false]);
    }
}

#[test]
fn keys_that_are_no_points_refuse() {
    let mut no_point = [0; 32];
    no_point[0] = 2;
    let all: Vec<_> = (0..8)
        .map(|number| match number % 2 {
            0 => signed(&Secret::ed25519([number; 32]), HASH),
            _ => (PublicKey::Ed25519(no_point), HASH, [number; 64]),
        })
        .collect();
    assert_eq!(answers(&all, SIZES), [true, false].repeat(4));
    let no_point = PublicKey::Secp256k1([5; 33]);
    assert!(!verify((&no_point, &HASH, &[1; 64])));
}

#[test]
fn both_schemes_mix_in_a_batch() {
    let mut all = Vec::new();
    for number in 1..=60 {
        let secret = match number % 3 {
            0 => Secret::secp256k1([number; 32]).unwrap(),
            _ => Secret::ed25519([number; 32]),
        };
        let mut one = signed(&secret, [number; 32]);
        if number % 7 == 0 {
            one.2[40] ^= 1;
        }
        all.push(one);
    }
    let expected: Vec<_> = (1..=60).map(|number| number % 7 != 0).collect();
    assert_eq!(answers(&all, SIZES), expected);
}

#[test]
fn secp256k1_refuses_the_high_s_of_a_good_signature() {
    /// The order of secp256k1's group, big-endian.
    const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let (key, hash, low) = signed(&Secret::secp256k1([3; 32]).unwrap(), HASH);
    assert!(verify((&key, &hash, &low)));

    let mut high = low;
    let mut borrow = 0;
    for at in (0..32).rev() {
        let minuend = i16::from(point(ORDER)[at]);
        let difference = minuend - i16::from(low[32 + at]) - borrow;
        borrow = i16::from(difference < 0);
        high[32 + at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    assert!(!verify((&key, &hash, &high)));
    // It is the mirror image, and good but for being high.
    let mut mirrored = secp256k1::ecdsa::Signature::from_compact(&high).unwrap();
    mirrored.normalize_s();
    assert_eq!(mirrored.serialize_compact(), low);

    for bad in [[0; 64], [0xff; 64], signature(&point(ORDER), &[1; 32])] {
        assert!(!verify((&key, &hash, &bad)));
    }
}

#[test]
fn secrets_come_back_from_their_bytes() {
    assert!(Secret::secp256k1([0; 32]).is_none());
    assert!(Secret::secp256k1([0xff; 32]).is_none());
    let secret = Secret::secp256k1([7; 32]).unwrap();
    assert_eq!(
        Secret::secp256k1(secret.to_bytes()).unwrap().id(),
        secret.id()
    );
    let text = format!("{secret:?}");
    assert!(!text.contains("0707"), "{text} shows the secret");
}

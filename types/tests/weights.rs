//! Weights: every action has one, and what may do more weighs more.

#![allow(
    clippy::unwrap_used,
    clippy::unreachable,
    clippy::arithmetic_side_effects
)]

mod common;

use ballast_types::surface::{Curve, Node};
use ballast_types::{
    Account, Action, Cancel, Decoded, ExpirySurface, GroupId, LinkKind, LinkRule, Linked,
    MarginMode, Order, Peg, PegTo, PostOnly, Secret, SetSurface, Twap, TxBody, action_weight,
    chain_hash, decode, sign_native, tx_weight,
};
use common::{CHAIN_ID, action, order, spec};
use proptest::prelude::*;

fn weight_of(actions: Vec<Action>, secret: &Secret) -> u64 {
    let body = TxBody {
        chain: chain_hash(CHAIN_ID),
        account: Account::new(secret.id(), 0),
        key: secret.public(),
        nonce: 1,
        expiry: 2,
        actions,
    };
    let bytes = sign_native(&body, secret);
    let spec = spec();
    match decode(&bytes, &spec, &body.chain).unwrap() {
        Decoded::Tx(tx) => tx_weight(&tx, &spec),
        Decoded::Bundle(_) => unreachable!("a native transaction"),
    }
}

fn with_fills(max_fills: u16) -> u64 {
    action_weight(
        &Action::Order(Order {
            max_fills,
            ..order()
        }),
        &spec(),
    )
}

#[test]
fn an_order_weighs_more_with_each_fill_it_may_have_up_to_the_chains_limit() {
    let limit = spec().limits.max_fills;
    assert!((0..limit).all(|fills| with_fills(fills) < with_fills(fills + 1)));
    assert_eq!(with_fills(limit), with_fills(u16::MAX));
}

#[test]
fn cancelling_everywhere_weighs_as_much_as_in_each_group() {
    let mut spec = spec();
    let one = action_weight(&Action::Cancel(Cancel::All(Some(GroupId(0)))), &spec);
    spec.groups = vec![spec.groups[0].clone(); 5];
    assert_eq!(
        action_weight(&Action::Cancel(Cancel::All(None)), &spec),
        5 * one
    );
}

#[test]
fn orders_that_wait_or_move_weigh_more() {
    let weight = |order| action_weight(&Action::Order(order), &spec());
    let twap = Twap {
        duration_ms: 60_000,
        interval_ms: 1_000,
        tolerance_ppm: 1,
    };
    let twap = Some(twap);
    assert!(weight(Order { twap, ..order() }) > weight(order()));

    let post_only = order().post_only(PostOnly::Slide);
    let peg = Some(Peg {
        to: PegTo::Bid,
        offset: 0,
    });
    assert!(weight(Order { peg, ..post_only }) > weight(post_only));
}

#[test]
fn linked_orders_weigh_more_than_each_alone() {
    let linked = |legs| {
        let linked = Linked {
            kind: LinkKind::Otoco,
            rule: LinkRule::FirstHit,
            order: order(),
            legs: vec![order(); legs],
        };
        action_weight(&Action::Linked(linked), &spec())
    };
    let alone = action_weight(&Action::Order(order()), &spec());
    for legs in [0, 1, 2, 200] {
        assert!(linked(legs) > alone * (legs as u64 + 1), "{legs} legs");
    }
}

#[test]
fn surfaces_weigh_more_with_each_point_and_a_margin_mode_much() {
    let weight = |expiries: usize, points| {
        let expiry = ExpirySurface {
            expiry: 0,
            forward: 1,
            rate: 0,
            tenor: 1,
            curve: Curve::Nodes(vec![Node { k: 0, variance: 1 }; points]),
        };
        let surface = SetSurface {
            group: GroupId(0),
            expiries: vec![expiry; expiries],
        };
        action_weight(&Action::SetSurface(surface), &spec())
    };
    assert!(weight(0, 0) > 0);
    assert!((0..16).all(|expiries| weight(expiries, 1) < weight(expiries + 1, 1)));
    assert!((0..32).all(|points| weight(1, points) < weight(1, points + 1)));
    let mode = Action::SetMarginMode(MarginMode::Portfolio);
    assert!(action_weight(&mode, &spec()) > weight(16, 32));
}

#[test]
fn the_heaviest_transaction_fits_a_block() {
    let spec = spec();
    let heaviest = Action::Order(Order {
        max_fills: spec.limits.max_fills,
        ..order()
    });
    let actions = vec![heaviest; spec.limits.tx_actions.into()];
    assert!(weight_of(actions, &Secret::ed25519([1; 32])) <= spec.limits.block_weight);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_transaction_weighs_its_actions_and_more(
        actions in proptest::collection::vec(action(), 1..=8),
        secp in any::<bool>(),
    ) {
        let secret = match secp {
            true => Secret::secp256k1([1; 32]).unwrap(),
            false => Secret::ed25519([1; 32]),
        };
        let spec = spec();
        let weights: Vec<_> = actions.iter().map(|action| action_weight(action, &spec)).collect();
        prop_assert!(weights.iter().all(|weight| *weight > 0));
        prop_assert!(weight_of(actions, &secret) > weights.iter().sum());
    }
}

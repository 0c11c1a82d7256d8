//! The exchange through its ABCI methods.

use std::sync::Arc;

use ballast_genesis::to_json;
use ballast_types::{
    Account, ActionResult, Cancel, Code, MarketId, Secret, TxResult, encode_bundle, sign_native,
    tx_hash,
};
use bytes::Bytes;
use crossbeam_channel::unbounded;
use tendermint_abci::Application;
use tendermint_proto::google::protobuf::Timestamp;

use crate::Pool;
use crate::application::{Committed, Exchange, HEIGHTS};
use crate::metrics::Metrics;
use crate::pool::tests::cosmos::{cosmos, wallet};
use crate::pool::tests::{
    CHAIN, NOW, body, cancel, genesis, order, settle, spec, tx, user, validator,
};
use crate::pool::{Mode, PoolConfig};
use crate::proto::response_process_proposal::ProposalStatus;
use crate::proto::response_verify_vote_extension::VerifyStatus;
use crate::proto::{
    ExecTxResult, RequestCheckTx, RequestFinalizeBlock, RequestInitChain, RequestPrepareProposal,
    RequestProcessProposal, RequestQuery, RequestVerifyVoteExtension, ResponseFinalizeBlock,
    ResponseQuery,
};
use crate::query::{BAD_QUERY, HEIGHT_GONE, NOT_FOUND, UNKNOWN_QUERY};
use crate::sequencer::{Sequencer, step};

fn exchange(mode: Mode, number: u8) -> Exchange {
    let spec = Arc::new(spec());
    let mut config = PoolConfig::new(mode, validator(number), &spec);
    config.workers = 1;
    Exchange::start(config, spec, Arc::new(Metrics::new().unwrap())).unwrap()
}

fn time(height: i64) -> Option<Timestamp> {
    let millis = i64::try_from(NOW).unwrap() + height * 100;
    let nanos = i32::try_from(millis % 1_000).unwrap() * 1_000_000;
    Some(Timestamp {
        seconds: millis / 1_000,
        nanos,
    })
}

fn finalize(exchange: &Exchange, height: i64, txs: &[Bytes]) -> ResponseFinalizeBlock {
    exchange.finalize_block(RequestFinalizeBlock {
        txs: txs.to_vec(),
        height,
        time: time(height),
        ..Default::default()
    })
}

fn results(result: &ExecTxResult) -> Vec<TxResult> {
    borsh::from_slice(&result.data).unwrap()
}

fn bundle(txs: &[Bytes]) -> Bytes {
    encode_bundle(txs, 1, &ballast_types::chain_hash(CHAIN), &validator(0)).into()
}

fn query(exchange: &Exchange, path: &str, height: i64) -> ResponseQuery {
    exchange.query(RequestQuery {
        path: path.to_owned(),
        height,
        ..Default::default()
    })
}

fn json(exchange: &Exchange, path: &str) -> serde_json::Value {
    let answer = query(exchange, path, 0);
    assert_eq!(answer.code, 0, "{path}: {}", answer.log);
    serde_json::from_slice(&answer.value).unwrap()
}

#[test]
fn every_input_of_a_block_has_a_code_and_nothing_else_happens() {
    let exchange = exchange(Mode::App, 0);
    let before = json(&exchange, &format!("/account/{}", user(0).id()));
    let forged: Bytes = sign_native(&body(&user(0), 1, vec![order()]), &user(1)).into();
    let other_chain = {
        let mut body = body(&user(0), 1, vec![order()]);
        body.chain = [1; 32];
        Bytes::from(sign_native(&body, &user(0)))
    };
    let mut cut = bundle(&[tx(0, 1)]).to_vec();
    cut.pop();
    let cases: Vec<(Bytes, u32, Vec<Code>)> = vec![
        (Bytes::new(), 100, vec![Code::Undecodable]),
        (
            Bytes::from_static(b"\x0a\xff"),
            100,
            vec![Code::Undecodable],
        ),
        (Bytes::from_static(&[1; 200]), 100, vec![Code::Undecodable]),
        (Bytes::from_static(&[3; 200]), 100, vec![Code::Undecodable]),
        (vec![1; 20_000].into(), 101, vec![Code::TooLarge]),
        (cut.into(), 100, vec![Code::Undecodable]),
        (forged.clone(), 105, vec![Code::BadSignature]),
        (other_chain.clone(), 104, vec![Code::WrongChain]),
        (
            bundle(&[forged, other_chain, Bytes::from_static(&[1, 2])]),
            0,
            vec![Code::Duplicate, Code::Duplicate, Code::Undecodable],
        ),
        (cosmos(0, 5), 112, vec![Code::BadSequence]),
        (tx(0, 30_101), 108, vec![Code::NonceWindow]),
    ];
    let txs: Vec<Bytes> = cases.iter().map(|(bytes, ..)| bytes.clone()).collect();
    let response = finalize(&exchange, 1, &txs);
    assert_eq!(response.tx_results.len(), cases.len());
    for (at, ((bytes, code, codes), result)) in cases.iter().zip(&response.tx_results).enumerate() {
        assert_eq!(result.code, *code, "case {at}");
        assert!(
            result.gas_used > 0 && result.gas_used == result.gas_wanted,
            "case {at}"
        );
        if bytes.first() != Some(&0x0a) {
            let found: Vec<Code> = results(result).iter().map(|result| result.code).collect();
            assert_eq!(found, *codes, "case {at}");
        }
    }
    exchange.commit();
    assert_eq!(
        json(&exchange, &format!("/account/{}", user(0).id())),
        before
    );
    assert_eq!(json(&exchange, "/chain")["height"], 1);
}

#[test]
fn a_transaction_is_checked_proposed_executed_and_found() {
    for mode in [Mode::App, Mode::Flood] {
        let exchange = exchange(mode, 0);
        let (send, committed) = unbounded::<Arc<Committed>>();
        exchange.on_commit(Arc::new(move |block| send.send(Arc::clone(block)).unwrap()));
        let check = RequestCheckTx {
            tx: tx(0, 1),
            ..Default::default()
        };
        let checked = exchange.check_tx(check);
        assert_eq!(checked.code, 0, "{}", checked.log);
        exchange.pool().submit(&tx(1, 1)).unwrap();
        let mut offer = exchange.pool().reap_txs(0, 0);
        offer.push(tx(0, 1));
        let prepared = exchange.prepare_proposal(RequestPrepareProposal {
            max_tx_bytes: 1 << 20,
            txs: if mode == Mode::Flood {
                offer
            } else {
                Vec::new()
            },
            height: 1,
            time: time(1),
            ..Default::default()
        });
        assert_eq!(prepared.txs.len(), 2, "one alone, one in a bundle");
        let processed = exchange.process_proposal(RequestProcessProposal {
            txs: prepared.txs.clone(),
            height: 1,
            ..Default::default()
        });
        assert_eq!(processed.status(), ProposalStatus::Accept);
        let response = finalize(&exchange, 1, &prepared.txs);
        let alone = prepared
            .txs
            .iter()
            .position(|bytes| *bytes == tx(0, 1))
            .unwrap();
        assert_eq!(response.tx_results[alone].gas_used, checked.gas_wanted);
        let result = results(&response.tx_results[alone]).remove(0);
        assert_eq!((result.hash, result.code), (tx_hash(&tx(0, 1)), Code::Ok));
        assert!(matches!(
            result.actions[..],
            [ActionResult {
                code: Code::Ok,
                order: Some(_),
                ..
            }]
        ));
        exchange.commit();
        let block = committed.try_recv().unwrap();
        assert_eq!(block.events.txs[alone][0], result);
        assert_eq!(block.snapshot.height(), 1);
        assert_eq!(exchange.info(Default::default()).last_block_height, 1);
        assert_eq!(
            exchange.info(Default::default()).last_block_app_hash,
            response.app_hash
        );
        assert!(exchange.pool().is_empty());
        let id = result.actions[0].order.unwrap();
        assert_eq!(
            json(&exchange, &format!("/order/{}", id.0))["remaining"],
            10
        );
        assert_eq!(
            json(&exchange, "/book/0")["bids"],
            serde_json::json!([[100, 20, 2]])
        );
    }
}

#[test]
fn a_block_that_is_executed_again_gives_the_same_answer() {
    let (first, second) = (exchange(Mode::App, 0), exchange(Mode::App, 1));
    let txs = [bundle(&[tx(0, 1), tx(1, 1)]), cosmos(0, 0)];
    let answer = finalize(&first, 1, &txs);
    finalize(&second, 1, &[tx(3, 3)]);
    assert_eq!(
        finalize(&second, 1, &txs),
        answer,
        "after another candidate"
    );
    assert_eq!(finalize(&first, 1, &txs), answer, "after itself");
    first.commit();
    second.commit();
    let (other, alone) = (exchange(Mode::Flood, 2), [cosmos(0, 0), tx(1, 1), tx(0, 1)]);
    assert_eq!(
        finalize(&other, 1, &alone).app_hash,
        answer.app_hash,
        "whatever the bundles"
    );
}

#[test]
fn wallets_see_the_first_refusal_and_data_that_they_can_read() {
    let exchange = exchange(Mode::App, 0);
    let response = finalize(&exchange, 1, &[cosmos(0, 0), cosmos(0, 1)]);
    let results: Vec<u32> = response
        .tx_results
        .iter()
        .map(|result| result.code)
        .collect();
    assert_eq!(results, [0, 0]);
    let data = &response.tx_results[0].data;
    assert_eq!(data[0], 2 << 3 | 2, "TxMsgData.msg_responses");
    exchange.commit();
    let path = "/cosmos.auth.v1beta1.Query/Account";
    let account = |owner: &Secret| {
        let address = owner.id().to_string();
        let data = [
            &[0x0a, u8::try_from(address.len()).unwrap()],
            address.as_bytes(),
        ]
        .concat();
        let data = Bytes::from(data);
        exchange.query(RequestQuery {
            path: path.to_owned(),
            data,
            ..Default::default()
        })
    };
    let answer = account(&wallet(0));
    assert_eq!((answer.code, answer.height), (0, 1));
    assert!(answer.value.ends_with(&[0x20, 2]), "sequence 2");
    let unknown = account(&user(77));
    assert_ne!(unknown.code, 0);
    assert!(
        unknown.log.contains("rpc error: code = NotFound"),
        "{}",
        unknown.log
    );
}

#[test]
fn balances_are_told_in_denominations() {
    let exchange = exchange(Mode::App, 0);
    let address = user(0).id().to_string();
    let data = |denom: &str| {
        let mut data = vec![0x0a, u8::try_from(address.len()).unwrap()];
        data.extend_from_slice(address.as_bytes());
        if !denom.is_empty() {
            data.extend_from_slice(&[0x12, u8::try_from(denom.len()).unwrap()]);
            data.extend_from_slice(denom.as_bytes());
        }
        data
    };
    let ask = |method: &str, denom: &str| {
        let path = format!("/cosmos.bank.v1beta1.Query/{method}");
        let answer = exchange.query(RequestQuery {
            path,
            data: data(denom).into(),
            ..Default::default()
        });
        assert_eq!(answer.code, 0, "{}", answer.log);
        String::from_utf8_lossy(&answer.value).into_owned()
    };
    assert!(ask("Balance", "usdc").contains("1000000000000000"));
    assert!(ask("Balance", "nothing").ends_with('0'));
    let all = ask("AllBalances", "");
    for denom in ["aapl", "btc", "eth", "usdc"] {
        assert!(all.contains(denom), "{all}");
    }
}

#[test]
fn queries_answer_or_say_why_not() {
    let exchange = exchange(Mode::App, 0);
    exchange.pool().submit(&tx(0, 1)).unwrap();
    for height in 1..=20 {
        assert_eq!(step(&exchange, NOW + 1_000 + height), Ok(height));
    }
    let owner = user(0).id();
    let paths = [
        "/chain".to_owned(),
        format!("/account/{owner}"),
        format!("/account/{owner}/0"),
        format!("/master/{owner}"),
        "/market/0".to_owned(),
        "/book/0".to_owned(),
    ];
    for path in &paths {
        json(&exchange, path);
        assert_eq!(query(&exchange, path, 0).height, 20);
        assert_eq!(query(&exchange, path, 5).height, 5);
        let gone = query(&exchange, path, 4);
        assert_eq!(gone.code, HEIGHT_GONE, "{HEIGHTS} heights are served");
        assert_eq!(query(&exchange, path, 21).code, HEIGHT_GONE);
        assert_eq!(query(&exchange, path, -1).code, HEIGHT_GONE);
    }
    assert_eq!(json(&exchange, &paths[1])["margin_mode"], "standard");
    // The first option is listed behind the markets of the genesis.
    let option = json(&exchange, "/market/5");
    let symbol = option["market"].as_str().unwrap();
    assert!(
        symbol.starts_with("BTC-") && symbol.ends_with("-C"),
        "{symbol}"
    );
    for (path, code) in [
        ("", UNKNOWN_QUERY),
        ("/nonsense/1", UNKNOWN_QUERY),
        ("/account/me", BAD_QUERY),
        ("/market/x", BAD_QUERY),
        ("/book/-1", BAD_QUERY),
        ("/order/99999999999999999999", BAD_QUERY),
        ("/market/1000", NOT_FOUND),
        ("/order/7", NOT_FOUND),
        ("/p2p/filter/addr/1.2.3.4:5", 0),
        ("p2p/filter/id/abc", 0),
    ] {
        assert_eq!(query(&exchange, path, 0).code, code, "{path}");
    }
    let stranger = Account::new(user(99).id(), 0);
    assert_eq!(
        query(&exchange, &format!("/account/{stranger}"), 0).code,
        NOT_FOUND
    );
}

fn init(chain_id: &str, app_state: String) -> RequestInitChain {
    RequestInitChain {
        time: time(0),
        chain_id: chain_id.to_owned(),
        app_state_bytes: app_state.into(),
        initial_height: 1,
        ..Default::default()
    }
}

#[test]
fn init_chain_takes_only_the_genesis_of_the_node() {
    let exchange = exchange(Mode::App, 0);
    let answer = exchange.init_chain(init(CHAIN, to_json(&genesis())));
    assert_eq!(answer.validators.len(), 4);
    assert_eq!(answer.app_hash, exchange.snapshot().app_hash().to_vec());
    assert_eq!(answer.consensus_params, None);
    let mut other = genesis();
    other.price_authorities.clear();
    for request in [
        init("another", to_json(&genesis())),
        init(CHAIN, to_json(&other)),
        init(CHAIN, "{}".to_owned()),
    ] {
        let asked = std::panic::AssertUnwindSafe(|| exchange.init_chain(request));
        assert!(std::panic::catch_unwind(asked).is_err());
    }
}

#[test]
fn only_empty_vote_extensions_are_accepted() {
    let exchange = exchange(Mode::App, 0);
    assert!(
        exchange
            .extend_vote(Default::default())
            .vote_extension
            .is_empty()
    );
    for (extension, status) in [("", VerifyStatus::Accept), ("x", VerifyStatus::Reject)] {
        let request = RequestVerifyVoteExtension {
            vote_extension: extension.into(),
            ..Default::default()
        };
        assert_eq!(exchange.verify_vote_extension(request).status(), status);
    }
}

#[test]
fn four_nodes_agree_whoever_proposes() {
    for mode in [Mode::App, Mode::Flood] {
        let nodes: Vec<Exchange> = (0..4).map(|number| exchange(mode, number)).collect();
        let mut total = 0;
        for height in 1..=8_i64 {
            for (node, number) in nodes.iter().zip(0..) {
                for nonce in 0..5 {
                    let nonce = u64::try_from(height).unwrap() * 10 + nonce;
                    let bytes = match nonce % 3 {
                        0 => cancel(number, nonce, Cancel::Market(MarketId(0))),
                        _ => tx(number, nonce),
                    };
                    node.pool().submit(&bytes).unwrap();
                }
            }
            let mut offer = Vec::new();
            for (from, node) in nodes.iter().enumerate() {
                for bytes in node.pool().reap_txs(0, 0) {
                    for peer in nodes.iter().enumerate().filter(|(to, _)| *to != from) {
                        peer.1.pool().insert_tx(bytes.clone());
                    }
                    offer.push(bytes);
                }
            }
            nodes.iter().for_each(|node| settle(node.pool()));
            let proposer = &nodes[usize::try_from(height).unwrap() % 4];
            let prepared = proposer.prepare_proposal(RequestPrepareProposal {
                max_tx_bytes: 1 << 20,
                txs: if mode == Mode::Flood {
                    offer
                } else {
                    Vec::new()
                },
                height,
                time: time(height),
                ..Default::default()
            });
            let answers: Vec<_> = nodes
                .iter()
                .map(|node| {
                    let processed = node.process_proposal(RequestProcessProposal {
                        txs: prepared.txs.clone(),
                        height,
                        ..Default::default()
                    });
                    assert_eq!(processed.status(), ProposalStatus::Accept);
                    let answer = finalize(node, height, &prepared.txs);
                    node.commit();
                    answer
                })
                .collect();
            assert!(answers.iter().all(|answer| *answer == answers[0]));
            let codes = answers[0].tx_results.iter().flat_map(results);
            total += codes.filter(|result| result.code == Code::Ok).count();
            assert!(nodes.iter().all(|node| node.pool().is_empty()));
        }
        assert_eq!(total, 8 * 4 * 5, "everything was executed once");
    }
}

#[test]
fn the_sequencer_makes_blocks_until_it_is_stopped() {
    let exchange = exchange(Mode::App, 0);
    let (send, committed) = unbounded();
    exchange.on_commit(Arc::new(move |block| {
        // Nobody listens any more at the end of the test.
        let _ = send.send(block.events.height);
    }));
    exchange.pool().submit(&tx(0, 1)).unwrap();
    let interval = std::time::Duration::from_millis(1);
    let fatal = Arc::new(|reason: &str| panic!("{reason}"));
    let sequencer = Sequencer::start(exchange.clone(), interval, fatal).unwrap();
    for height in 1..=5 {
        assert_eq!(committed.recv().unwrap(), height);
    }
    sequencer.stop();
    assert_eq!(json(&exchange, "/chain")["open_orders"], 1);
}

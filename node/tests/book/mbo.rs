//! Databento's market-by-order records, as its own encoder writes them.

use dbn::encode::EncodeRecord as _;
use dbn::encode::dbn::Encoder;
use dbn::{FlagSet, MboMsg, Metadata, RecordHeader, SType, Schema, UNDEF_PRICE, rtype};

use super::{fills, orders, run};

/// A market-by-order record: action, side, id, price, size; of instrument 10, last of its event.
fn record(action: char, side: char, order_id: u64, price: i64, size: u32) -> MboMsg {
    MboMsg {
        hd: RecordHeader::new::<MboMsg>(rtype::MBO, 1, 10, 0),
        order_id,
        price,
        size,
        flags: FlagSet::empty().set_last(),
        action: action as std::ffi::c_char,
        side: side as std::ffi::c_char,
        ..MboMsg::default()
    }
}

fn of(instrument: u32, publisher: u16, mut record: MboMsg) -> MboMsg {
    record.hd.instrument_id = instrument;
    record.hd.publisher_id = publisher;
    record
}

fn metadata(schema: Schema) -> Metadata {
    let metadata = Metadata::builder()
        .dataset("XNAS.ITCH")
        .schema(Some(schema));
    let metadata = metadata.start(0).stype_in(None);
    metadata.stype_out(SType::InstrumentId).build()
}

/// The stream as the encoder of `dbn` writes it.
fn dbn(records: &[MboMsg]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, &metadata(Schema::Mbo)).expect("encodes");
    encoder.encode_records(records).expect("encodes");
    bytes
}

/// The same, compressed.
fn dbn_zst(records: &[MboMsg]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::with_zstd(&mut bytes, &metadata(Schema::Mbo)).expect("encodes");
    encoder.encode_records(records).expect("encodes");
    drop(encoder);
    bytes
}

/// Three bids, 1 and 2 at 100 (3 and 4) and 3 at 99 (5), and ask 4 at 102 (6).
fn opening() -> Vec<MboMsg> {
    vec![
        record('A', 'B', 1, 100, 3),
        record('A', 'B', 2, 100, 4),
        record('A', 'B', 3, 99, 5),
        record('A', 'A', 4, 102, 6),
    ]
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn records_change_the_book() {
    let all = [[1, 100, 3], [2, 100, 4], [3, 99, 5], [4, 102, 6]];
    for (rule, records, expected) in [
        (
            "add",
            vec![record('A', 'A', 9, 102, 1)],
            [&all[..], &[[9, 102, 1]]].concat(),
        ),
        (
            "a crossed book is kept",
            vec![record('A', 'A', 9, 99, 1)],
            [&all[..3], &[[9, 99, 1]], &all[3..]].concat(),
        ),
        ("cancel in part", vec![record('C', 'B', 1, 100, 1)], {
            [&[[1, 100, 2]], &all[1..]].concat()
        }),
        (
            "cancel",
            vec![record('C', 'B', 1, 100, 3)],
            all[1..].to_vec(),
        ),
        (
            "cancel more than rests",
            vec![record('C', 'B', 1, 100, 9)],
            all[1..].to_vec(),
        ),
        (
            "cancel what does not rest",
            vec![record('C', 'B', 77, 100, 3)],
            all.to_vec(),
        ),
        (
            "smaller keeps priority",
            vec![record('M', 'B', 1, 100, 2)],
            { [&[[1, 100, 2]], &all[1..]].concat() },
        ),
        (
            "larger loses it",
            vec![record('M', 'B', 1, 100, 9)],
            vec![[2, 100, 4], [1, 100, 9], [3, 99, 5], [4, 102, 6]],
        ),
        (
            "another price loses it",
            vec![record('M', 'B', 1, 99, 1)],
            vec![[2, 100, 4], [3, 99, 5], [1, 99, 1], [4, 102, 6]],
        ),
        (
            "to no size",
            vec![record('M', 'B', 1, 100, 0)],
            all[1..].to_vec(),
        ),
        (
            "what does not rest is added",
            vec![record('M', 'A', 9, 103, 1)],
            [&all[..], &[[9, 103, 1]]].concat(),
        ),
        ("trade", vec![record('T', 'A', 0, 100, 3)], all.to_vec()),
        ("fill", vec![record('F', 'B', 1, 100, 3)], all.to_vec()),
        (
            "nothing",
            vec![record('N', 'N', 0, UNDEF_PRICE, 0)],
            all.to_vec(),
        ),
        ("clear", vec![record('R', 'N', 0, UNDEF_PRICE, 0)], vec![]),
        (
            "clear, then the same ids again",
            vec![
                record('R', 'N', 0, UNDEF_PRICE, 0),
                record('A', 'B', 1, 98, 7),
            ],
            vec![[1, 98, 7]],
        ),
        (
            "another instrument has its own ids and its own clear",
            vec![
                of(11, 1, record('A', 'B', 1, 50, 1)),
                of(11, 1, record('R', 'N', 0, UNDEF_PRICE, 0)),
                of(9, 1, record('A', 'B', 1, 51, 2)),
            ],
            [&[[1, 51, 2]], &all[..]].concat(),
        ),
        (
            "so has another venue, and both are shown as one",
            vec![
                of(10, 2, record('A', 'B', 1, 100, 1)),
                of(10, 2, record('A', 'B', 5, 101, 1)),
                of(10, 1, record('C', 'B', 1, 100, 3)),
            ],
            [&[[5, 101, 1], [2, 100, 4], [1, 100, 1]], &all[2..]].concat(),
        ),
        (
            "no price, no order",
            vec![record('A', 'B', 9, UNDEF_PRICE, 1)],
            all.to_vec(),
        ),
        (
            "a top of book replaces its side",
            vec![top('B', 98, 2)],
            vec![[0, 98, 2], all[3]],
        ),
        (
            "or empties it",
            vec![top('A', UNDEF_PRICE, 0)],
            all[..3].to_vec(),
        ),
    ] {
        let run = run("mbo", &dbn(&[opening(), records].concat()), &[]);
        assert!(run.success, "{rule}: {}", run.stderr);
        assert_eq!(orders(&run), expected, "{rule}");
    }
}

fn top(side: char, price: i64, size: u32) -> MboMsg {
    MboMsg {
        flags: FlagSet::empty().set_last().set_tob(),
        ..record('A', side, 0, price, size)
    }
}

/// Two trades that take bid 1 and a part of bid 2 in one event, one trade at a price that is not
/// the best, one without side; on instrument 11 a trade with an empty book.
fn session() -> Vec<MboMsg> {
    let middle = |record: MboMsg| MboMsg {
        flags: FlagSet::empty(),
        ..record
    };
    let trades = vec![
        middle(record('T', 'A', 9, 100, 3)),
        middle(record('F', 'B', 1, 100, 3)),
        middle(record('C', 'B', 1, 100, 3)),
        middle(record('T', 'A', 9, 100, 1)),
        middle(record('F', 'B', 2, 100, 1)),
        record('C', 'B', 2, 100, 1),
        record('T', 'B', 0, 103, 1),
        record('T', 'N', 0, 102, 1),
        of(11, 1, record('T', 'B', 0, 50, 1)),
    ];
    [opening(), trades].concat()
}

#[test]
fn trades_are_compared_with_the_best_price() {
    let run = run("mbo", &dbn(&session()), &["--explain"]);
    assert!(run.success, "{}", run.stderr);
    let differences = [
        "record 11: market 10: trade at 103, best is 102",
        "record 13: market 11: trade at 50, nothing rests",
    ];
    assert_eq!(run.summary["differences"], serde_json::json!(differences));
    for (name, count) in [
        ("messages", 13),
        ("steps", 8),
        ("trades", 5),
        ("trades_compared", 4),
        ("trades_agreed", 2),
        ("fills", 2),
        ("volume", 7),
        ("resting_orders", 3),
        ("markets", 2),
        ("unknown", 0),
    ] {
        assert_eq!(run.summary[name], count, "{name}: {}", run.summary);
    }
    assert_eq!(fills(&run), [[9, 1, 100, 3], [9, 2, 100, 1]]);
    assert_eq!(
        run.levels,
        "{\"market\":10,\"side\":\"buy\",\"price\":100,\"qty\":3,\"orders\":1}\n\
         {\"market\":10,\"side\":\"buy\",\"price\":99,\"qty\":5,\"orders\":1}\n\
         {\"market\":10,\"side\":\"sell\",\"price\":102,\"qty\":6,\"orders\":1}\n"
    );
}

#[test]
fn streams_may_be_compressed() {
    let [plain, packed] =
        [dbn(&session()), dbn_zst(&session())].map(|bytes| run("mbo", &bytes, &[]));
    assert!(packed.success, "{}", packed.stderr);
    assert_eq!((plain.orders, plain.levels), (packed.orders, packed.levels));
}

#[test]
fn streams_that_cannot_be_read_are_refused() {
    let good = dbn(&opening());
    let packed = dbn_zst(&opening());
    let with = |record: MboMsg| dbn(&[opening(), vec![record]].concat());
    let mut other = Vec::new();
    Encoder::new(&mut other, &metadata(Schema::Trades)).expect("encodes");
    for (stream, expected) in [
        (Vec::new(), "is no DBN stream"),
        (b"time,type\n1,2\n".to_vec(), "is no DBN stream"),
        (good[..5].to_vec(), "is no DBN stream"),
        (
            good[..good.len() - 1].to_vec(),
            "record 4: the stream is cut short",
        ),
        (
            good[..good.len() - 60].to_vec(),
            "record 3: the stream is cut short",
        ),
        (packed[..packed.len() - 4].to_vec(), "cut short"),
        (
            with(record('Z', 'B', 9, 1, 1)),
            "record 5: action: 'Z' is unknown",
        ),
        (
            with(record('A', 'Z', 9, 1, 1)),
            "record 5: side: 'Z' is unknown",
        ),
        (other, "schema: trades is not mbo"),
    ] {
        let run = run("mbo", &stream, &[]);
        assert!(
            !run.success && run.stderr.contains(expected),
            "{expected}: {}",
            run.stderr
        );
        assert!(run.stderr.contains("standard input"), "{}", run.stderr);
    }
}

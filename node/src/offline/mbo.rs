//! `mbo` streams: Databento's market-by-order records, kept as books. Nothing is matched: the
//! venue did that, and a book may be crossed between two records.

use std::cell::Cell;
use std::io::{BufRead, Cursor, ErrorKind, Read};
use std::rc::Rc;

use ballast_orderbook::Resting;
use ballast_types::{Lots, Side, Ticks};
use dbn::decode::dbn::Decoder;
use dbn::decode::{DbnMetadata as _, DecodeRecordRef as _, DynReader};
use dbn::enums::VersionUpgradePolicy;
use dbn::{Action, MboMsg, Record as _, Schema, UNDEF_PRICE};

use super::Failure;
use super::markets::Markets;
use super::output::{FillRow, Outputs, View};
use super::scaled::Scaled;
use super::slots::Slots;
use super::summary::{Progress, Summary};

/// Bytes before the metadata: `DBN`, the version, and the length of the metadata.
const PREFIX: usize = 8;

/// An order: the place of its book, its id, and which top of book it stands for, 0 if none.
type Name = (u32, u64, u8);

/// The books of a stream.
struct Mirror<'a> {
    books: Scaled,
    slots: Slots<Name>,
    /// Books by instrument and publisher: each venue has its own.
    markets: Markets<(u32, u16)>,
    /// By place of the book: the order id of the last trade.
    takers: Vec<u64>,
    outputs: &'a mut Outputs,
    counts: Counts,
    /// The trades that do not agree, if they are asked for.
    differences: Option<Vec<String>>,
}

#[derive(Default)]
struct Counts {
    steps: u64,
    fills: u64,
    trades: u64,
    volume: u128,
    compared: u64,
    agreed: u64,
    unknown: u64,
    ignored: u64,
    other: u64,
}

/// Counts what is read, so that a stream that ends inside a record is noticed.
struct Counted<R> {
    inner: R,
    bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        // The decoder takes this kind of error for the end of the stream.
        let cut = |error: std::io::Error| match error.kind() {
            ErrorKind::UnexpectedEof => std::io::Error::other("the stream is cut short"),
            _ => error,
        };
        let read = self.inner.read(buffer).map_err(cut)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

/// Runs a stream to its end and writes what is asked for. It may be compressed with zstd.
///
/// # Errors
/// At the first record that cannot be read, with its number; when a file cannot be written.
pub fn run(
    name: &str,
    input: Box<dyn BufRead>,
    explain: bool,
    outputs: &mut Outputs,
) -> Result<Summary, Failure> {
    let bytes = Rc::new(Cell::new(0));
    let mut reader = Counted {
        inner: DynReader::inferred_with_buffer(input)
            .map_err(|error| format!("{name}: {error}"))?,
        bytes: bytes.clone(),
    };
    let mut prefix = [0; PREFIX];
    let no_stream = |why: &str| -> Failure { format!("{name}: is no DBN stream: {why}").into() };
    let start = reader.read_exact(&mut prefix);
    start.map_err(|error| no_stream(&error.to_string()))?;
    let [b'D', b'B', b'N', _, length @ ..] = prefix else {
        return Err(no_stream("it does not begin with DBN"));
    };
    let mut expected = PREFIX as u64 + u64::from(u32::from_le_bytes(length));
    let reader = Cursor::new(prefix).chain(reader);
    let mut decoder = Decoder::with_upgrade_policy(reader, VersionUpgradePolicy::AsIs)
        .map_err(|error| format!("{name}: {error}"))?;
    if let Some(schema) = decoder.metadata().schema
        && schema != Schema::Mbo
    {
        return Err(format!("{name}: schema: {schema} is not mbo").into());
    }
    let mut mirror = Mirror::new(explain, outputs);
    let (mut records, mut progress) = (0_u64, Progress::start());
    loop {
        let failure = |what: &dyn std::fmt::Display| -> Failure {
            format!("{name}: record {}: {what}", records + 1).into()
        };
        let record = decoder.decode_record_ref();
        let Some(record) = record.map_err(|error| failure(&error))? else {
            break;
        };
        expected += record.record_size() as u64;
        match record.get::<MboMsg>() {
            Some(record) => mirror
                .record(records + 1, record)
                .map_err(|error| failure(&error))?,
            None => mirror.counts.other += 1,
        }
        records += 1;
        progress.at(records);
    }
    if bytes.get() != expected {
        return Err(format!("{name}: record {}: the stream is cut short", records + 1).into());
    }
    mirror.finish(records)
}

impl<'a> Mirror<'a> {
    fn new(explain: bool, outputs: &'a mut Outputs) -> Self {
        Self {
            books: Scaled::default(),
            slots: Slots::default(),
            markets: Markets::default(),
            takers: Vec::new(),
            outputs,
            counts: Counts::default(),
            differences: explain.then(Vec::new),
        }
    }

    fn record(&mut self, number: u64, record: &MboMsg) -> Result<(), String> {
        let bad = |field: &str, byte: u8| format!("{field}: {:?} is unknown", char::from(byte));
        let action = record.action();
        let action = action.map_err(|_| bad("action", record.action.cast_unsigned()))?;
        let side = match record.side.cast_unsigned() {
            b'B' => Some(Side::Buy),
            b'A' => Some(Side::Sell),
            b'N' => None,
            byte => return Err(bad("side", byte)),
        };
        let place = self.place(record.hd.instrument_id, record.hd.publisher_id);
        match action {
            Action::Add => self.add(place, side, record)?,
            Action::Modify => self.modify(place, side, record)?,
            Action::Cancel => self.cancel(place, record),
            Action::Clear => self.clear(place),
            Action::Trade => self.trade(number, place, side, record),
            Action::Fill => self.fill(place, record)?,
            Action::None => {}
        }
        self.counts.steps += u64::from(record.flags.is_last());
        Ok(())
    }

    fn place(&mut self, instrument: u32, publisher: u16) -> u32 {
        let place = self.markets.place((instrument, publisher));
        if self.takers.len() <= place as usize {
            self.takers.push(0);
            self.books.grow(self.takers.len());
        }
        place
    }

    fn add(&mut self, place: u32, side: Option<Side>, record: &MboMsg) -> Result<(), String> {
        let Some(side) = side else {
            self.counts.ignored += 1;
            return Ok(());
        };
        if record.flags.is_tob() {
            // Not an order but the best price, in place of all that the side had.
            self.clear_side(place, side);
        }
        if record.price == UNDEF_PRICE || record.size == 0 {
            self.counts.ignored += u64::from(!record.flags.is_tob());
            return Ok(());
        }
        self.insert(
            name(place, side, record),
            place,
            side,
            record.price,
            record.size,
        )
    }

    fn insert(
        &mut self,
        name: Name,
        place: u32,
        side: Side,
        price: Ticks,
        size: u32,
    ) -> Result<(), String> {
        if let Some(slot) = self.slots.get(name) {
            self.remove(slot);
        }
        let slot = self.slots.claim(name);
        let inserted = self
            .books
            .insert(slot, place, side, price, Lots::from(size));
        inserted.map_err(|error| error.to_string())
    }

    fn remove(&mut self, slot: u32) {
        self.books.remove(slot);
        self.slots.release(slot);
    }

    fn order(&self, place: u32, id: u64) -> Option<Resting> {
        self.books.get(self.slots.get((place, id, 0))?)
    }

    /// An order that is not known is added.
    fn modify(&mut self, place: u32, side: Option<Side>, record: &MboMsg) -> Result<(), String> {
        let Some(order) = self.order(place, record.order_id) else {
            self.counts.unknown += 1;
            return self.add(place, side, record);
        };
        if record.price == UNDEF_PRICE {
            self.counts.ignored += 1;
            return Ok(());
        }
        let (side, size) = (side.unwrap_or(order.side), Lots::from(record.size));
        if size == 0 {
            self.remove(order.slot);
        } else if (side, record.price) == (order.side, order.price) && size <= order.size {
            self.books.shrink(order.slot, size);
        } else {
            let name = (place, record.order_id, 0);
            self.insert(name, place, side, record.price, record.size)?;
        }
        Ok(())
    }

    fn cancel(&mut self, place: u32, record: &MboMsg) {
        let Some(order) = self.order(place, record.order_id) else {
            self.counts.unknown += 1;
            return;
        };
        let left = order.size - Lots::from(record.size);
        match left > 0 {
            true => self.books.shrink(order.slot, left),
            false => self.remove(order.slot),
        }
    }

    fn clear(&mut self, place: u32) {
        self.clear_side(place, Side::Buy);
        self.clear_side(place, Side::Sell);
    }

    fn clear_side(&mut self, place: u32, side: Side) {
        let orders: Vec<_> = self.books.books().orders(place, side).collect();
        orders.iter().for_each(|order| self.remove(order.slot));
    }

    /// A trade whose price is the best of the side that it hits agrees with the book.
    fn trade(&mut self, number: u64, place: u32, taker: Option<Side>, record: &MboMsg) {
        self.counts.trades += 1;
        self.counts.volume += u128::from(record.size);
        self.takers[place as usize] = record.order_id;
        let Some(taker) = taker else { return };
        let (price, best) = (record.price, self.books.best(place, taker.opposite()));
        self.counts.compared += 1;
        if best == Some(price) {
            self.counts.agreed += 1;
        } else if let Some(differences) = &mut self.differences {
            let market = record.hd.instrument_id;
            let best = best.map_or("nothing rests".to_owned(), |best| format!("best is {best}"));
            differences.push(format!(
                "record {number}: market {market}: trade at {price}, {best}"
            ));
        }
    }

    fn fill(&mut self, place: u32, record: &MboMsg) -> Result<(), String> {
        self.counts.fills += 1;
        let row = FillRow {
            taker: self.takers[place as usize],
            maker: record.order_id,
            price: record.price,
            qty: record.size.into(),
            market: record.hd.instrument_id.into(),
        };
        self.outputs.fill(&row).map_err(|error| error.to_string())
    }

    fn finish(self, records: u64) -> Result<Summary, Failure> {
        let markets = self.markets.sorted().into_iter();
        let markets = markets.map(|((instrument, _), place)| (instrument.into(), place));
        let view = View {
            books: self.books.books(),
            units: self.books.units(),
            markets: markets.collect(),
            id: &|slot| self.slots.name(slot).1,
        };
        let instruments = view.markets.chunk_by(|a, b| a.0 == b.0).count();
        self.outputs.books(&view)?;
        let counts = self.counts;
        let mut summary = Summary {
            messages: records,
            fills: counts.fills,
            volume: counts.volume,
            resting_orders: self.books.books().len(),
            markets: instruments,
            differences: self.differences.unwrap_or_default(),
            ..Summary::default()
        };
        for (name, count, words) in [
            ("steps", counts.steps, "steps"),
            ("trades", counts.trades, "trades"),
            (
                "trades_compared",
                counts.compared,
                "trades that name a side",
            ),
            (
                "trades_agreed",
                counts.agreed,
                "of them at the best price of the side that they hit",
            ),
            (
                "unknown",
                counts.unknown,
                "cancels and modifies of orders that do not rest",
            ),
            (
                "ignored",
                counts.ignored,
                "orders without side, price or size",
            ),
            (
                "other_records",
                counts.other,
                "records that are not market by order",
            ),
        ] {
            summary.count(name, count, words);
        }
        Ok(summary)
    }
}

fn name(place: u32, side: Side, record: &MboMsg) -> Name {
    let top = match (record.flags.is_tob(), side) {
        (false, _) => 0,
        (true, Side::Buy) => 1,
        (true, Side::Sell) => 2,
    };
    (place, record.order_id, top)
}

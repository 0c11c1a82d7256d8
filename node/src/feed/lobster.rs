//! The two files of a LOBSTER sample: messages, and the book after each of them.

use std::str::FromStr;

use ballast_types::{Lots, Side, Ticks};

/// Recorded prices are in units of 1/10,000; a tick of the exchange's market is 1/100.
const PER_CENT: i64 = 100;
/// Columns of a level: ask price, ask size, bid price, bid size.
const LEVEL: usize = 4;
/// Columns of a message.
const FIELDS: usize = 6;
/// Largest size of an order or of a level.
const MAX_SIZE: Lots = 1 << 48;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Type 1: a limit order rests.
    New,
    /// Type 2: a part of an order is cancelled.
    Reduce,
    /// Type 3: an order is cancelled.
    Delete,
    /// Type 4: a visible order trades.
    Trade,
    /// Types 5, 6 and 7: a hidden order trades, a cross, a halt. No visible order changes.
    Nothing,
}

/// One line of the message file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Nanoseconds after midnight.
    pub time: u64,
    /// What happens.
    pub kind: Kind,
    /// The order, as the record names it.
    pub order: u64,
    /// Shares.
    pub size: Lots,
    /// Its price, of a hidden order rounded.
    pub price: Ticks,
    /// Side of the resting order.
    pub side: Side,
}

/// One line of the book file: visible levels, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Recorded levels a side, also those that are empty.
    pub depth: usize,
    /// Price and size of the bids.
    pub bids: Vec<(Ticks, Lots)>,
    /// Price and size of the asks.
    pub asks: Vec<(Ticks, Lots)>,
}

/// A sample: as many messages as rows; row `k` is the book after message `k`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The messages.
    pub messages: Vec<Message>,
    /// The books.
    pub rows: Vec<Row>,
}

impl Row {
    /// One side, best first.
    pub fn side(&self, side: Side) -> &[(Ticks, Lots)] {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    /// The worst price that the row shows of a side; none when it shows the whole side.
    pub fn last(&self, side: Side) -> Option<Ticks> {
        let levels = self.side(side);
        levels
            .last()
            .filter(|_| levels.len() == self.depth)
            .map(|(price, _)| *price)
    }
}

impl Sample {
    /// Reads the text of both files, for a market whose tick is 1/100.
    ///
    /// # Errors
    /// Names the file, the line, and what does not fit.
    pub fn parse(messages: &str, book: &str) -> Result<Self, String> {
        let messages = lines("messages", messages, |line| Message::parse(line, PER_CENT))?;
        let rows = lines("book", book, |line| Row::parse(line, PER_CENT))?;
        if messages.len() != rows.len() || messages.is_empty() {
            let (messages, rows) = (messages.len(), rows.len());
            return Err(format!("book: has {rows} rows for {messages} messages"));
        }
        Ok(Self { messages, rows })
    }
}

fn lines<T>(
    name: &str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty());
    lines
        .map(|(at, line)| parse(line).map_err(|error| format!("{name}: line {}: {error}", at + 1)))
        .collect()
}

impl Message {
    /// Reads a line of a message file. A tick has `per_tick` recorded units.
    ///
    /// # Errors
    /// Names the field and the value that do not fit.
    pub fn parse(line: &str, per_tick: i64) -> Result<Self, String> {
        let mut fields = line.split(',').map(str::trim);
        let mut all = [""; FIELDS];
        for (at, place) in all.iter_mut().enumerate() {
            let field = fields.next();
            *place = field.ok_or_else(|| format!("{at} fields, {FIELDS} are expected"))?;
        }
        // A seventh names the market participant, in newer files.
        let more = fields.count();
        if more > 1 {
            return Err(format!("{} fields, {FIELDS} are expected", FIELDS + more));
        }
        let [time, kind, order, size, price, side] = all;
        let kind = match kind {
            "1" => Kind::New,
            "2" => Kind::Reduce,
            "3" => Kind::Delete,
            "4" => Kind::Trade,
            "5" | "6" | "7" => Kind::Nothing,
            _ => return Err(format!("type: {kind:?} is not from 1 to 7")),
        };
        let price = number("price", price)?;
        Ok(Self {
            time: nanoseconds(time)?,
            kind,
            order: number("order", order)?,
            size: bounded("size", size)?,
            // Hidden orders trade between ticks too.
            price: match kind {
                Kind::Nothing => price / per_tick,
                _ => ticks(price, per_tick)?,
            },
            side: match side {
                "1" => Side::Buy,
                "-1" => Side::Sell,
                _ => return Err(format!("direction: {side:?} is neither 1 nor -1")),
            },
        })
    }
}

impl Row {
    /// Reads a line of a book file. A tick has `per_tick` recorded units.
    ///
    /// # Errors
    /// Names the field and the value that do not fit.
    pub fn parse(line: &str, per_tick: i64) -> Result<Self, String> {
        let mut fields = line.split(',').map(str::trim);
        let mut row = Self::default();
        while let Some(ask) = fields.next() {
            let mut next = || {
                let short = || {
                    let count = line.split(',').count();
                    format!("{count} fields, a multiple of {LEVEL} is expected")
                };
                fields.next().ok_or_else(short)
            };
            let (ask_size, bid, bid_size) = (next()?, next()?, next()?);
            row.depth += 1;
            // A level that does not exist has size zero.
            for (levels, price, size) in [
                (&mut row.asks, ask, ask_size),
                (&mut row.bids, bid, bid_size),
            ] {
                let (price, size) = (number("level", price)?, bounded("level", size)?);
                if size > 0 {
                    levels.push((ticks(price, per_tick)?, size));
                }
            }
        }
        Ok(row)
    }
}

fn number<T: FromStr>(field: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{field}: {text:?} is not a number"))
}

/// A size that the total of a level can count many times.
fn bounded(field: &str, text: &str) -> Result<Lots, String> {
    let size: Lots = number(field, text)?;
    match (0..=MAX_SIZE).contains(&size) {
        true => Ok(size),
        false => Err(format!("{field}: {size} is not from 0 to {MAX_SIZE}")),
    }
}

fn ticks(price: i64, per_tick: i64) -> Result<Ticks, String> {
    match price % per_tick {
        0 => Ok(price / per_tick),
        _ => Err(format!("price: {price} is not a multiple of {per_tick}")),
    }
}

/// Nanoseconds of decimal seconds, without a float between. Further decimals are cut.
fn nanoseconds(text: &str) -> Result<u64, String> {
    let bad = || format!("time: {text:?} is not in decimal seconds");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let seconds: u64 = whole.parse().map_err(|_| bad())?;
    let mut nanoseconds = 0;
    for (at, digit) in part.bytes().enumerate() {
        if !digit.is_ascii_digit() {
            return Err(bad());
        }
        if at < 9 {
            nanoseconds = nanoseconds * 10 + u64::from(digit - b'0');
        }
    }
    for _ in part.len()..9 {
        nanoseconds *= 10;
    }
    seconds
        .checked_mul(1_000_000_000)
        .and_then(|ns| ns.checked_add(nanoseconds))
        .ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_empty_levels_left_out() {
        let sample = Sample::parse(
            "34200.00426064,1,7,18,5853300,1\n34200.1,5,0,1,5853400,-1\n",
            "5859400,200,5853300,18,9999999999,0,5853000,150\n\
             5859400,200,5853300,18,9999999999,0,-9999999999,0\n",
        );
        let sample = sample.expect("reads");
        let first = Message {
            time: 34_200_004_260_640,
            kind: Kind::New,
            order: 7,
            size: 18,
            price: 58_533,
            side: Side::Buy,
        };
        assert_eq!(sample.messages[0], first);
        assert_eq!(sample.messages[1].kind, Kind::Nothing);
        assert_eq!(sample.rows[0].asks, [(58_594, 200)]);
        assert_eq!(sample.rows[0].bids, [(58_533, 18), (58_530, 150)]);
        assert_eq!(sample.rows[0].last(Side::Buy), Some(58_530));
        assert_eq!(sample.rows[0].last(Side::Sell), None);
    }

    #[test]
    fn prices_of_any_unit_and_times_of_any_precision_are_read() {
        let line = "34200.1234567891, 1, 7, 18, 5853333, -1, null\r";
        let message = Message::parse(line.trim_end(), 1).expect("reads");
        assert_eq!(
            (message.time, message.price),
            (34_200_123_456_789, 5_853_333)
        );
        assert_eq!(
            Message::parse("1,7,0,0,-1,-1", 1).expect("reads").kind,
            Kind::Nothing
        );
        let row = Row::parse("9999999999,0,5853333,7", 1).expect("reads");
        assert_eq!(
            (row.depth, row.bids, row.asks),
            (1, vec![(5_853_333, 7)], vec![])
        );
    }

    #[test]
    fn errors_name_file_line_and_value() {
        for (messages, book, expected) in [
            (
                "1,1,1,1,100,1\n1,9,1,1,100,1",
                "",
                "messages: line 2: type: \"9\" is not",
            ),
            (
                "1,1,1,1,100,0",
                "",
                "messages: line 1: direction: \"0\" is neither",
            ),
            (
                "1,1,1,1,150,1",
                "",
                "messages: line 1: price: 150 is not a multiple of 100",
            ),
            (
                "1.0x,1,1,1,100,1",
                "",
                "messages: line 1: time: \"1.0x\" is not",
            ),
            ("1,1,1,1,100", "", "messages: line 1: 5 fields"),
            ("1,1,1,1,100,1,x,y", "", "messages: line 1: 8 fields"),
            (
                "1,1,1,-1,100,1",
                "",
                "messages: line 1: size: -1 is not from 0",
            ),
            (
                "1,1,1,1,100,1",
                "100,1,x,1",
                "book: line 1: level: \"x\" is not a number",
            ),
            ("1,1,1,1,100,1", "100,1,100", "book: line 1: 3 fields"),
            ("1,1,1,1,100,1", "", "book: has 0 rows for 1 messages"),
        ] {
            let error = Sample::parse(messages, book).expect_err("refused");
            assert!(error.starts_with(expected), "{error}");
        }
    }
}

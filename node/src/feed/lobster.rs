//! The two files of a LOBSTER sample: messages, and the book after each of them.

use std::str::FromStr;

use ballast_types::{Lots, Side, Ticks};

/// Recorded prices are in units of 1/10,000; a tick of the market is 1/100.
const PER_TICK: i64 = 100;
/// Columns of a level: ask price, ask size, bid price, bid size.
const LEVEL: usize = 4;

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
    /// Reads the text of both files.
    ///
    /// # Errors
    /// Names the file, the line, and what does not fit.
    pub fn parse(messages: &str, book: &str) -> Result<Self, String> {
        let messages = lines("messages", messages, message)?;
        let rows = lines("book", book, row)?;
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

fn message(line: &str) -> Result<Message, String> {
    let fields: Vec<&str> = line.split(',').collect();
    let [time, kind, order, size, price, side] = fields.as_slice() else {
        return Err(format!("{} fields, 6 are expected", fields.len()));
    };
    let kind = match *kind {
        "1" => Kind::New,
        "2" => Kind::Reduce,
        "3" => Kind::Delete,
        "4" => Kind::Trade,
        "5" | "6" | "7" => Kind::Nothing,
        _ => return Err(format!("type: {kind:?} is not from 1 to 7")),
    };
    let price = number("price", price)?;
    Ok(Message {
        time: nanoseconds(time)?,
        kind,
        order: number("order", order)?,
        size: number("size", size)?,
        // Hidden orders trade between ticks too.
        price: if kind == Kind::Nothing {
            price / PER_TICK
        } else {
            ticks(price)?
        },
        side: match *side {
            "1" => Side::Buy,
            "-1" => Side::Sell,
            _ => return Err(format!("direction: {side:?} is neither 1 nor -1")),
        },
    })
}

fn row(line: &str) -> Result<Row, String> {
    let fields: Result<Vec<i64>, _> = line.split(',').map(|text| number("level", text)).collect();
    let fields = fields?;
    if fields.is_empty() || !fields.len().is_multiple_of(LEVEL) {
        return Err(format!(
            "{} fields, a multiple of {LEVEL} is expected",
            fields.len()
        ));
    }
    let mut row = Row {
        depth: fields.len() / LEVEL,
        ..Row::default()
    };
    for level in fields.chunks_exact(LEVEL) {
        let [ask, ask_size, bid, bid_size] = level else {
            continue;
        };
        // A level that does not exist has size zero.
        for (levels, price, size) in [
            (&mut row.asks, *ask, *ask_size),
            (&mut row.bids, *bid, *bid_size),
        ] {
            if size > 0 {
                levels.push((ticks(price)?, size));
            }
        }
    }
    Ok(row)
}

fn number<T: FromStr>(field: &str, text: &str) -> Result<T, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("{field}: {text:?} is not a number"))
}

fn ticks(price: i64) -> Result<Ticks, String> {
    match price % PER_TICK {
        0 => Ok(price / PER_TICK),
        _ => Err(format!("price: {price} is not in whole cents")),
    }
}

/// Nanoseconds of decimal seconds, without a float between.
fn nanoseconds(text: &str) -> Result<u64, String> {
    let bad = || format!("time: {text:?} is not in seconds with at most 9 decimals");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 9 {
        return Err(bad());
    }
    let seconds: u64 = whole.parse().map_err(|_| bad())?;
    let part: u64 = format!("{part:0<9}").parse().map_err(|_| bad())?;
    seconds
        .checked_mul(1_000_000_000)
        .and_then(|ns| ns.checked_add(part))
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
                "messages: line 1: price: 150 is not in whole cents",
            ),
            (
                "1.0000000001,1,1,1,100,1",
                "",
                "messages: line 1: time: \"1.0000000001\" is not",
            ),
            ("1,1,1,1,100", "", "messages: line 1: 5 fields"),
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

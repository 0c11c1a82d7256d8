//! `lobster` streams: recorded messages, with or without the recorded books beside them.

use super::Failure;
use super::lines::Lines;
use super::output::{FillRow, Outputs, View};
use super::summary::{Progress, Summary};
use crate::feed::lobster::{Message, Row};
use crate::feed::plan::{Plan, UNATTRIBUTED};

/// Ticks are the record's own unit of price, 1/10,000.
const PER_TICK: i64 = 1;
/// In outputs the id of what the record does not name: takers, and orders that it does not show
/// entering.
const UNNAMED: u64 = 0;

/// The recorded books, one row a message.
struct Rows<'a> {
    lines: Lines<'a>,
    last: Row,
}

/// Runs a stream to its end, compares with the recorded books if there are any, and writes what is
/// asked for. The first row seeds the book, and its message is not followed.
///
/// # Errors
/// At the first bad line, with its number, the field and the value; when a file cannot be read or
/// written.
pub fn run<'a>(
    mut messages: Lines<'a>,
    rows: Option<Lines<'a>>,
    explain: bool,
    outputs: &mut Outputs,
) -> Result<Summary, Failure> {
    let (mut plan, mut summary) = (Plan::default(), Summary::default());
    let (mut rows, mut progress) = (rows.map(Rows::new), Progress::start());
    while let Some(message) = message(&mut messages)? {
        match &mut rows {
            None => plan.follow(&message),
            Some(rows) if summary.messages == 0 => {
                let first = rows.next()?;
                plan.seed(&first);
                rows.last = first;
            }
            Some(rows) => {
                let row = rows.next()?;
                let step = usize::try_from(summary.messages)?;
                plan.step(step, &message, &rows.last, &row);
                rows.last = row;
            }
        }
        plan.items.clear();
        for trade in plan.trades.drain(..) {
            summary.fills += 1;
            summary.volume += u128::from(trade.size.unsigned_abs());
            outputs.fill(&FillRow {
                taker: UNNAMED,
                maker: named(trade.maker),
                price: trade.price,
                qty: trade.size,
                market: 0,
            })?;
        }
        let differences = plan.tally.differences.drain(..);
        let differences = differences.map(|(step, what)| format!("step {step}: {what}"));
        match explain {
            true => summary.differences.extend(differences),
            false => drop(differences),
        }
        summary.messages += 1;
        progress.at(summary.messages);
    }
    outputs.books(&View {
        books: plan.book.books(),
        units: &[],
        markets: vec![(0, 0)],
        id: &|slot| named(plan.book.id(slot)),
    })?;
    if let Some(rows) = &mut rows {
        rows.end()?;
        compared(&plan, &mut summary);
    }
    summary.count(
        "unattributed",
        plan.unattributed as u64,
        "messages about orders that were not seen to enter",
    );
    summary.resting_orders = plan.book.books().len();
    summary.markets = 1;
    Ok(summary)
}

fn compared(plan: &Plan, summary: &mut Summary) {
    let (steps, agreed) = (plan.tally.steps, plan.tally.agreed);
    summary.count("steps", steps as u64, "steps compared");
    summary.count("agreed", agreed as u64, "steps agree");
    summary.count("levels", plan.tally.levels as u64, "levels compared");
    summary.count(
        "adopted",
        plan.adopted as u64,
        "levels adopted from the record",
    );
    summary.count(
        "reentered",
        plan.reentered as u64,
        "orders entered again by adoptions",
    );
    if agreed < steps {
        summary.failure = Some(format!("{agreed} of {steps} steps agree"));
    }
}

impl<'a> Rows<'a> {
    fn new(lines: Lines<'a>) -> Self {
        Self {
            lines,
            last: Row::default(),
        }
    }

    /// The book after the next message.
    fn next(&mut self) -> Result<Row, Failure> {
        let Some(line) = self.lines.next()? else {
            return Err(self.lines.failure("there are fewer rows than messages"));
        };
        let row = text(line).and_then(|line| Row::parse(line, PER_TICK));
        let row = row.map_err(|error| self.lines.failure(&error))?;
        let (depth, before) = (row.depth, self.last.depth);
        match before == depth || before == 0 {
            true => Ok(row),
            false => {
                let what = format!("{depth} levels; the rows before have {before}");
                Err(self.lines.failure(&what))
            }
        }
    }

    fn end(&mut self) -> Result<(), Failure> {
        match self.lines.next()? {
            None => Ok(()),
            Some(_) => Err(self.lines.failure("there are more rows than messages")),
        }
    }
}

fn message(lines: &mut Lines<'_>) -> Result<Option<Message>, Failure> {
    let Some(line) = lines.next()? else {
        return Ok(None);
    };
    let message = text(line).and_then(|line| Message::parse(line, PER_TICK));
    message.map(Some).map_err(|error| lines.failure(&error))
}

fn text(line: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(line).map_err(|_| format!("{line:?} is not text"))
}

fn named(id: u128) -> u64 {
    match id < UNATTRIBUTED {
        true => u64::try_from(id).unwrap_or(UNNAMED),
        false => UNNAMED,
    }
}

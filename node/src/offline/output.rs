//! What a run writes: fills as they happen, levels and orders of the books at the end.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use ballast_orderbook::{Books, Level, Resting};
use ballast_types::{Lots, Side, Ticks};
use serde::Serialize;

use super::Failure;

/// The files that are asked for.
#[derive(Debug, Default)]
pub struct Outputs {
    fills: Option<Writer>,
    levels: Option<Writer>,
    orders: Option<Writer>,
}

/// Writes whole lines.
#[derive(Debug)]
struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
}

/// Two orders trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FillRow {
    /// Id of the order that came.
    pub taker: u64,
    /// Id of the order that rested.
    pub maker: u64,
    /// Price of the maker in ticks.
    pub price: Ticks,
    /// Lots.
    pub qty: Lots,
    /// Market, as the stream numbers it.
    pub market: u64,
}

#[derive(Serialize)]
struct LevelRow {
    market: u64,
    side: &'static str,
    price: Ticks,
    qty: Lots,
    orders: u32,
}

#[derive(Serialize)]
struct OrderRow {
    market: u64,
    side: &'static str,
    price: Ticks,
    id: u64,
    qty: Lots,
}

/// Books as a stream knows them.
pub struct View<'a> {
    /// The books.
    pub books: &'a Books,
    /// What their prices are counted in, by place; 1 where that is left out.
    pub units: &'a [Ticks],
    /// Markets: the stream's number and the place in `books`, by number. Books of one number are
    /// shown as one.
    pub markets: Vec<(u64, u32)>,
    /// The stream's id of an order by slot.
    pub id: &'a dyn Fn(u32) -> u64,
}

impl Outputs {
    /// Creates the files.
    ///
    /// # Errors
    /// Names the file that cannot be made.
    pub fn create(
        fills: Option<&Path>,
        levels: Option<&Path>,
        orders: Option<&Path>,
    ) -> Result<Self, Failure> {
        let create = |path: Option<&Path>| path.map(Writer::create).transpose();
        Ok(Self {
            fills: create(fills)?,
            levels: create(levels)?,
            orders: create(orders)?,
        })
    }

    /// Writes a trade.
    ///
    /// # Errors
    /// Names the file that cannot be written.
    pub fn fill(&mut self, row: &FillRow) -> Result<(), Failure> {
        match &mut self.fills {
            Some(writer) => writer.line(row),
            None => Ok(()),
        }
    }

    /// Writes the books.
    ///
    /// # Errors
    /// Names the file that cannot be written.
    pub fn books(&mut self, view: &View<'_>) -> Result<(), Failure> {
        for group in view.markets.chunk_by(|a, b| a.0 == b.0) {
            let Some(&(market, _)) = group.first() else {
                continue;
            };
            for (side, name) in [(Side::Buy, "buy"), (Side::Sell, "sell")] {
                if let Some(writer) = &mut self.levels {
                    for level in view.levels(group, side) {
                        let Level {
                            price,
                            size,
                            orders,
                        } = level;
                        writer.line(&LevelRow {
                            market,
                            side: name,
                            price,
                            qty: size,
                            orders,
                        })?;
                    }
                }
                if let Some(writer) = &mut self.orders {
                    for order in view.orders(group, side) {
                        let id = (view.id)(order.slot);
                        writer.line(&OrderRow {
                            market,
                            side: name,
                            price: order.price,
                            id,
                            qty: order.size,
                        })?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sees to it that everything is written.
    ///
    /// # Errors
    /// Names the file that cannot be written.
    pub fn finish(&mut self) -> Result<(), Failure> {
        let files = [&mut self.fills, &mut self.levels, &mut self.orders];
        files.into_iter().flatten().try_for_each(Writer::flush)
    }
}

impl Writer {
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::with_capacity(1 << 18, file),
        })
    }

    fn line(&mut self, row: &impl Serialize) -> Result<(), Failure> {
        let written = serde_json::to_writer(&mut self.file, row).map_err(std::io::Error::from);
        let written = written.and_then(|()| self.file.write_all(b"\n"));
        Ok(written.map_err(|error| format!("{}: {error}", self.path.display()))?)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let flushed = self.file.flush();
        Ok(flushed.map_err(|error| format!("{}: {error}", self.path.display()))?)
    }
}

impl View<'_> {
    fn unit(&self, place: u32) -> Ticks {
        self.units.get(place as usize).copied().unwrap_or(1)
    }

    /// The orders of a side of some books, best price first.
    fn orders(&self, group: &[(u64, u32)], side: Side) -> Vec<Resting> {
        let of_place = |&(_, place): &(u64, u32)| {
            let unit = self.unit(place);
            let orders = self.books.orders(place, side);
            orders.map(move |order| Resting {
                price: order.price * unit,
                ..order
            })
        };
        let mut orders: Vec<_> = group.iter().flat_map(of_place).collect();
        if group.len() > 1 {
            orders.sort_by(|a, b| best_first(side, a.price, b.price));
        }
        orders
    }

    /// The levels of a side of some books, best price first.
    fn levels(&self, group: &[(u64, u32)], side: Side) -> Vec<Level> {
        let of_place = |&(_, place): &(u64, u32)| {
            let unit = self.unit(place);
            let levels = self.books.levels(place, side);
            levels.map(move |level| Level {
                price: level.price * unit,
                ..level
            })
        };
        let mut levels: Vec<_> = group.iter().flat_map(of_place).collect();
        if group.len() > 1 {
            levels.sort_by(|a, b| best_first(side, a.price, b.price));
            levels.dedup_by(|next, level| {
                let same = next.price == level.price;
                if same {
                    level.size = level.size.saturating_add(next.size);
                    level.orders = level.orders.saturating_add(next.orders);
                }
                same
            });
        }
        levels
    }
}

fn best_first(side: Side, a: Ticks, b: Ticks) -> std::cmp::Ordering {
    match side {
        Side::Buy => b.cmp(&a),
        Side::Sell => a.cmp(&b),
    }
}

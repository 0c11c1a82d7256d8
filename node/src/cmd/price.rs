//! `ballast price`: options on forwards through the kernel that the chain prices with.

mod number;
mod report;

use std::collections::BTreeMap;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ballast_risk::black76::{
    ONE, OptionKind, Scaled, Terms, WIDE, discount_wide, greeks_wide, implied_vol_wide,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cmd::Failure;
use number::{In, Number, print};
use report::Errors;

/// Arguments of `price`.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "The file holds one JSON object:\n  \
    {\"vectors\": [{\"id\": 1, \"inputs\": {\"F\": \"100\", \"K\": \"120\", \"sigma\": \"0.5\", \
    \"T_secs\": \"2592000\",\n    \"r\": \"0.05\", \"type\": \"call\"}, \"outputs\": {\"price\": \
    \"0.75\"}}], \"degenerate\": []}\n\
    F is the forward, K the strike, sigma the volatility a year (0.5 is 50 %), T_secs the whole \
    seconds to expiry (a year has 31,536,000), r the rate at which the price is discounted, type \
    call or put. Numbers are decimal strings or JSON numbers. Rows of degenerate have no id; they \
    are d0, d1 and so on. outputs may be left out.\n\n\
    Printed for each: price, delta_fwd and gamma_fwd (with the forward), vega (per 1.00 of \
    volatility), theta (per year), and implied_vol_from_price15: what outputs.price implies, or \
    else the printed price; null (-) where that price holds no time value or sits on a bound. Then, \
    where there are outputs, how far they are from these.\n\n\
    A vector that cannot be priced is told with its field and value, and the others still are. The \
    exit code is 0 when all were, 1 when not, 2 when the arguments are wrong.\n\n\
    Examples:\n  \
    ballast price options.json\n  \
    ballast price - --json < options.json")]
pub struct Args {
    /// The options; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON object a line, with numbers as strings of 15 digits, and no table of errors
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    vectors: Vec<Box<RawValue>>,
    #[serde(default)]
    degenerate: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Row {
    id: Option<Box<RawValue>>,
    inputs: Option<BTreeMap<String, Box<RawValue>>>,
    outputs: Option<BTreeMap<String, Box<RawValue>>>,
}

/// An option as the file states it.
struct Contract {
    forward: Number,
    strike: Number,
    /// In units of 1 / [`ONE`].
    vol: i64,
    seconds: u64,
    /// Like `discount`, in units of 1 / [`WIDE`].
    rate: i128,
    discount: i128,
    kind: OptionKind,
}

/// What is printed of an option: numbers of 15 digits.
struct Priced {
    price: String,
    delta: String,
    gamma: String,
    vega: String,
    theta: String,
    implied_vol: Option<String>,
}

impl Priced {
    /// Names and values, in the order of printing.
    fn fields(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("price", Some(&self.price)),
            ("delta_fwd", Some(&self.delta)),
            ("gamma_fwd", Some(&self.gamma)),
            ("vega", Some(&self.vega)),
            ("theta", Some(&self.theta)),
            ("implied_vol_from_price15", self.implied_vol.as_deref()),
        ]
    }
}

/// Prices the options of a file, and compares them with its outputs.
pub fn run(args: Args) -> Result<(), Failure> {
    let name = args.file.display();
    let text = read(&args.file).map_err(|error| format!("{name}: {error}"))?;
    let file: File = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
    let vectors = file.vectors.iter().enumerate().map(|row| (false, row));
    let degenerate = file.degenerate.iter().enumerate().map(|row| (true, row));
    let mut errors = Errors::default();
    let mut failed = 0;
    // A reader may leave before the end.
    let mut out = BufWriter::new(std::io::stdout().lock());
    if !args.json {
        writeln!(out, "{}", report::header())?;
    }
    for (is_degenerate, (index, text)) in vectors.chain(degenerate) {
        let parsed = serde_json::from_str::<Row>(text.get());
        let stated = parsed.as_ref().ok().and_then(|row| row.id.as_ref());
        let stated = stated.filter(|id| !id.get().starts_with(['{', '[', 'n']));
        let id = match stated {
            _ if is_degenerate => format!("\"d{index}\""),
            Some(id) => id.get().to_owned(),
            None => format!("\"vectors[{index}]\""),
        };
        let outcome = parsed
            .map_err(|error| format!("{}: {error}", text.get()))
            .and_then(|row| price(&row, &id, &mut errors));
        failed += usize::from(outcome.is_err());
        let line = if args.json {
            report::json(&id, &outcome)?
        } else {
            report::text(&id, &outcome)
        };
        writeln!(out, "{line}")?;
    }
    if !args.json {
        write!(out, "{}", errors.table())?;
    }
    out.flush()?;
    match (failed, file.vectors.len() + file.degenerate.len()) {
        (_, 0) => Err(format!("{name}: neither vectors nor degenerate hold a row").into()),
        (0, _) => Ok(()),
        (failed, all) => Err(format!("{name}: {failed} of {all} rows could not be priced").into()),
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    if path != Path::new("-") {
        return std::fs::read_to_string(path);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

type Fields = BTreeMap<String, Box<RawValue>>;

/// The text of a field: of a string without its quotes, and of anything else as it stands.
fn text(fields: &Fields, field: &str) -> Result<String, String> {
    let value = fields
        .get(field)
        .ok_or_else(|| format!("{field} is missing"))?;
    Ok(serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned()))
}

fn number(fields: &Fields, field: &str) -> Result<Number, String> {
    let text = text(fields, field)?;
    text.parse()
        .map_err(|()| format!("{field} is {text}, not a decimal number"))
}

/// A number that is not below 0.
fn size(fields: &Fields, field: &str) -> Result<Number, String> {
    let number = number(fields, field)?;
    if number.is_negative() {
        return Err(format!("{field} is {}, below 0", text(fields, field)?));
    }
    Ok(number)
}

impl Contract {
    fn new(inputs: &Fields) -> Result<Self, String> {
        let bad = |field: &str, what: &str| {
            let text = text(inputs, field).unwrap_or_default();
            format!("{field} is {text}, {what}")
        };
        let vol = size(inputs, "sigma")?.ratio(&Number::ONE, 57);
        let vol = vol.and_then(|vol| i64::try_from(vol).ok());
        let rate = number(inputs, "r")?.ratio(&Number::ONE, 120);
        let rate = rate.filter(|rate| rate.unsigned_abs() < 64 << 120);
        let rate = rate.ok_or_else(|| bad("r", "not between -64 and 64"))?;
        let seconds = size(inputs, "T_secs")?.whole();
        let seconds = seconds.ok_or_else(|| bad("T_secs", "not a whole number of seconds"))?;
        let discount = discount_wide(rate, seconds);
        if discount >= WIDE << 6 {
            return Err(bad("r", "which makes a discount of 64 or more in T_secs"));
        }
        let kind = match text(inputs, "type")?.as_str() {
            "call" => OptionKind::Call,
            "put" => OptionKind::Put,
            _ => return Err(bad("type", "neither call nor put")),
        };
        Ok(Self {
            forward: size(inputs, "F")?,
            strike: size(inputs, "K")?,
            vol: vol.ok_or_else(|| bad("sigma", "not below 64"))?,
            seconds,
            rate,
            discount,
            kind,
        })
    }

    /// The price and what else is printed; `paid` is the price to invert.
    fn price(&self, paid: Option<Number>) -> (Priced, Number) {
        let [forward, strike] = self.forward.integers(&self.strike);
        let unit = self.forward.max(self.strike);
        let (kind, seconds, discount) = (self.kind, self.seconds, self.discount);
        let terms = Terms {
            forward,
            strike,
            vol: self.vol,
            seconds,
            discount: 0,
        };
        let all = greeks_wide(&terms, kind, self.rate, discount);
        let print = |x: Scaled, unit| print(x.digits, x.bits, unit);
        let price = print(all.price, In::Unit(unit));
        let paid = match paid {
            Some(paid) => paid,
            None => price.parse().unwrap_or_default(),
        };
        // As many bits as there is room for: prices far out of the money are tiny.
        let paid = [320, 240, 180, 120].into_iter().find_map(|bits| {
            let digits = paid.ratio(&unit, bits)?;
            Some(Scaled { digits, bits })
        });
        let vol =
            paid.and_then(|paid| implied_vol_wide(paid, kind, forward, strike, seconds, discount));
        let vol = vol.map(|vol| Scaled {
            digits: vol.into(),
            bits: 57,
        });
        let priced = Priced {
            price,
            delta: print(all.delta, In::Nothing),
            gamma: print(all.gamma, In::PerUnit(unit)),
            vega: print(all.vega, In::Unit(unit)),
            theta: print(all.theta, In::Unit(unit)),
            implied_vol: vol.map(|vol| print(vol, In::Nothing)),
        };
        (priced, unit)
    }
}

/// Prices one row and notes how far its outputs are.
fn price(row: &Row, id: &str, errors: &mut Errors) -> Result<Priced, String> {
    let inputs = row.inputs.as_ref().ok_or("inputs is missing")?;
    let option = Contract::new(inputs)?;
    let empty = Fields::new();
    let outputs = row.outputs.as_ref().unwrap_or(&empty);
    // A number, null, or nothing.
    let expected = |field: &str| {
        let stated = outputs.get(field).filter(|value| value.get() != "null");
        let number = stated.map(|_| number(outputs, field)).transpose();
        number.map_err(|error| format!("outputs.{error}"))
    };
    let (priced, unit) = option.price(expected("price")?);
    let mut found = Vec::new();
    for (field, ours) in priced.fields() {
        if outputs.contains_key(field) {
            found.push((field, ours, expected(field)?));
        }
    }
    let shift = expected("implied_vol_rel_shift")?;
    let vol = option.vol as f64 / ONE as f64;
    errors.note(id, &found, shift, unit, vol);
    Ok(priced)
}

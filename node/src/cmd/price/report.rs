//! What `ballast price` prints: rows, and how far the file's outputs are from them.

use super::Priced;
use super::number::Number;

/// A row's values, or why there are none.
type Outcome = Result<Priced, String>;

/// Widths of the columns of text; values are up to 21 letters.
const WIDTH: usize = 22;

/// The line above the rows.
pub(super) fn header() -> String {
    let names = [
        "price",
        "delta_fwd",
        "gamma_fwd",
        "vega",
        "theta",
        "implied vol",
    ];
    names.iter().fold(format!("{:<8}", "id"), |line, name| {
        format!("{line} {name:>WIDTH$}")
    })
}

/// One row as text.
pub(super) fn text(id: &str, outcome: &Outcome) -> String {
    let id = format!("{:<8}", id.trim_matches('"'));
    match outcome {
        Ok(priced) => priced.fields().iter().fold(id, |line, (_, value)| {
            format!("{line} {:>WIDTH$}", value.unwrap_or("-"))
        }),
        Err(error) => format!("{id} error: {error}"),
    }
}

/// One row as JSON; `id` is JSON already.
pub(super) fn json(id: &str, outcome: &Outcome) -> serde_json::Result<String> {
    let mut line = format!("{{\"id\":{id}");
    match outcome {
        Ok(priced) => {
            for (field, value) in priced.fields() {
                line += &format!(",\"{field}\":{}", serde_json::to_string(&value)?);
            }
        }
        Err(error) => line += &format!(",\"error\":{}", serde_json::to_string(error)?),
    }
    Ok(line + "}")
}

/// How an output is compared.
struct Measure {
    field: &'static str,
    /// Power of max(F, K) that it is multiplied by.
    power: i32,
    /// Allowed, absolutely and relatively, by the convention of the format.
    allowed: [f64; 2],
    what: &'static str,
}

const MEASURES: [Measure; 6] = [
    Measure {
        field: "price",
        power: -1,
        allowed: [1e-9, 0.0],
        what: "of max(F, K)",
    },
    Measure {
        field: "delta_fwd",
        power: 0,
        allowed: [1e-8, 0.0],
        what: "",
    },
    Measure {
        field: "gamma_fwd",
        power: 1,
        allowed: [1e-9, 1e-7],
        what: "times max(F, K)",
    },
    Measure {
        field: "vega",
        power: -1,
        allowed: [1e-9, 1e-7],
        what: "of max(F, K)",
    },
    Measure {
        field: "theta",
        power: -1,
        allowed: [1e-9, 1e-7],
        what: "of max(F, K)",
    },
    Measure {
        field: "implied_vol_from_price15",
        power: 0,
        allowed: [1e-6, 0.0],
        what: "where the price holds it",
    },
];

/// The worst row of an output.
#[derive(Clone, Default)]
struct Worst {
    compared: usize,
    /// Null in the file, or null here, and not both.
    nulls: usize,
    beyond: usize,
    /// In units of what is allowed.
    score: f64,
    absolute: f64,
    relative: f64,
    id: String,
}

/// The largest difference of each output.
#[derive(Default)]
pub(super) struct Errors {
    worst: [Worst; 6],
}

/// A field, what is printed of it, and what the file says.
pub(super) type Found<'a> = (&'static str, Option<&'a str>, Option<Number>);

impl Errors {
    /// Notes a row whose numbers are in `unit`. Its implied volatility counts where rounding the
    /// price to 15 digits shifted it by less than 1e-9 (`shift`), and where vega times `vol` is at
    /// least 1e-5 of the unit.
    pub(super) fn note(
        &mut self,
        id: &str,
        found: &[Found<'_>],
        shift: Option<Number>,
        unit: Number,
        vol: f64,
    ) {
        let unit = unit.approximate();
        let float = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok());
        let vega = found.iter().find(|(field, ..)| *field == "vega");
        let vega = vega
            .and_then(|(_, ours, _)| float(*ours))
            .unwrap_or(f64::MAX);
        let stable =
            shift.is_none_or(|shift| shift.approximate() < 1e-9) && vega * vol >= 1e-5 * unit;
        for (measure, worst) in MEASURES.iter().zip(&mut self.worst) {
            let row = found.iter().find(|(field, ..)| *field == measure.field);
            let Some((_, ours, expected)) = row else {
                continue;
            };
            let (ours, expected) = match (float(*ours), expected) {
                (Some(ours), Some(expected)) => (ours, expected.approximate()),
                (None, None) => continue,
                _ => {
                    worst.nulls += 1;
                    continue;
                }
            };
            if measure.field == "implied_vol_from_price15" && !stable {
                continue;
            }
            let scale = if unit > 0.0 {
                unit.powi(measure.power)
            } else {
                1.0
            };
            let absolute = (ours - expected).abs() * scale;
            let relative = if absolute == 0.0 {
                0.0
            } else {
                absolute / (expected.abs() * scale)
            };
            let [by_size, by_ratio] = measure.allowed;
            let mut score = absolute / by_size;
            if by_ratio > 0.0 {
                score = score.min(relative / by_ratio);
            }
            worst.compared += 1;
            worst.beyond += usize::from(score > 1.0);
            if worst.id.is_empty() || score > worst.score {
                *worst = Worst {
                    score,
                    absolute,
                    relative,
                    id: id.trim_matches('"').to_owned(),
                    ..worst.clone()
                };
            }
        }
    }

    /// The table; empty where nothing was compared.
    pub(super) fn table(&self) -> String {
        let mut table = String::new();
        for (measure, worst) in MEASURES.iter().zip(&self.worst) {
            if worst.compared + worst.nulls == 0 {
                continue;
            }
            if table.is_empty() {
                table = format!(
                    "\n{:<25} {:>8} {:>8} {:>8} {:>10} {:>10} {:>8}\n",
                    "output", "compared", "beyond", "nulls", "error", "relative", "at id"
                );
            }
            let [absolute, relative] = measure.allowed;
            let or = if relative > 0.0 {
                format!(" or {relative:e} relative")
            } else {
                String::new()
            };
            let what = format!(" {}", measure.what);
            table += &format!(
                "{:<25} {:>8} {:>8} {:>8} {:>10.1e} {:>10.1e} {:>8}  allowed {absolute:e}{}{or}\n",
                measure.field,
                worst.compared,
                worst.beyond,
                worst.nulls,
                worst.absolute,
                worst.relative,
                worst.id,
                what.trim_end(),
            );
        }
        table
    }
}

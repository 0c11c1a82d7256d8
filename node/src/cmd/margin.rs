//! `ballast margin`: portfolio margin of the cases in a file.

use std::io::{Read as _, Write};
use std::path::PathBuf;

use ballast_risk::portfolio::{Params, RATIO_DIGITS, UnitMargin, Worst, decimal};
use serde_json::{Value, json};

use crate::cmd::Failure;
use crate::margin_file::{MarginFile, Outcome, money};

/// Arguments of `margin`.
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "FILE is {\"param_sets\": {NAME: PARAMS}, \"vectors\": [CASE]}. A case is\n  \
    {\"id\":\"A\",\"params\":\"default\",\"input\":{\"cash\":\"10000\",\"units\":{\"BTC\":\
    {\"spot\":\"60000\",\"perp\":\"1\"}}}}\n\
    with the name of a set of the file or of a preset (default, derive-1, derive-2, \
    deribit-linear, deribit-coin, okx, paradex, span-16, aevo), or with the parameters \
    themselves. docs/margin.md tells every field and its default.\n\n\
    With --json each case is one line: its id, equity, im, mm, net_im, net_mm and its units, \
    amounts as decimal strings, requirements rounded up and equity down to 12 decimals. A case \
    that the program does not know becomes {\"id\":..,\"error\":..}, which names the field and its \
    value; the others still run.\n\n\
    The exit code is 0 when every case has a margin, 1 otherwise, 2 when the arguments are \
    wrong.\n\n\
    Examples:\n  \
    ballast margin accounts.json\n  \
    ballast margin accounts.json --json | jq -c '[.id, .im, .mm]'"
)]
pub struct Args {
    /// The cases; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print every charge and the result of every scenario
    #[arg(long, conflicts_with = "json")]
    explain: bool,
    /// Print one JSON object a case
    #[arg(long)]
    json: bool,
}

/// Runs `margin`.
///
/// # Errors
/// A file that cannot be read, or a case without a margin.
pub fn run(args: Args) -> Result<(), Failure> {
    let mut text = String::new();
    if args.file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(&args.file)
            .map_err(|error| format!("{}: {error}", args.file.display()))?;
    }
    let file =
        MarginFile::parse(&text).map_err(|error| format!("{}: {error}", args.file.display()))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut failed = 0_usize;
    for case in file.cases() {
        let id = case.get("id").unwrap_or(&Value::Null);
        let outcome = file.run(case);
        failed += usize::from(outcome.is_err());
        match outcome {
            Ok(outcome) if args.json => writeln!(out, "{}", line(id, &outcome))?,
            Err(error) if args.json => writeln!(out, "{}", json!({"id": id, "error": error}))?,
            Ok(outcome) => {
                print(&mut out, case, &outcome)?;
                if args.explain {
                    explain(&mut out, &file.params_of_case(case)?, &outcome)?;
                }
            }
            Err(error) => writeln!(out, "{}: {error}", title(case))?,
        }
    }
    out.flush()?;
    if failed > 0 {
        let all = file.cases().len();
        return Err(format!("{failed} of {all} cases have no margin").into());
    }
    Ok(())
}

fn line(id: &Value, outcome: &Outcome) -> Value {
    let mut line = outcome.json();
    if let Some(members) = line.as_object_mut() {
        members.insert("id".to_owned(), id.clone());
    }
    line
}

/// Id and name of a case.
fn title(case: &Value) -> String {
    let text = |name: &str| match case.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let (id, name) = (text("id"), text("name"));
    match (id.as_str(), name.as_str()) {
        ("", name) => name.to_owned(),
        (id, "") => id.to_owned(),
        (id, name) => format!("{id} {name}"),
    }
}

fn print(out: &mut impl Write, case: &Value, outcome: &Outcome) -> std::io::Result<()> {
    let account = &outcome.account;
    writeln!(out, "{}", title(case))?;
    writeln!(
        out,
        "  equity {}  initial {}  maintenance {}",
        money(account.equity),
        money(account.initial),
        money(account.maintenance)
    )?;
    for (name, unit) in &outcome.units {
        let worst = match unit.worst {
            None => "nothing loses".to_owned(),
            Some(Worst::Scenario(index)) => format!("scenario {index}"),
            Some(Worst::Basis) => "the basis".to_owned(),
        };
        writeln!(
            out,
            "  {name}: value {}  initial {}  maintenance {}  scan {} ({worst})",
            money(unit.value),
            money(unit.initial),
            money(unit.maintenance),
            money(unit.scan),
        )?;
        for (name, amount) in charges(unit) {
            if amount != 0 {
                writeln!(out, "    {name} {}", money(amount))?;
            }
        }
    }
    Ok(())
}

/// Every part of the requirements besides the scan.
fn charges(unit: &UnitMargin) -> [(&'static str, i128); 10] {
    [
        ("competing basis", unit.basis),
        ("roll", unit.roll),
        ("delta shock", unit.delta_shock),
        ("charges inside the factors", unit.charges_in),
        ("floor", unit.floor),
        ("charges of both requirements", unit.charges_maintenance),
        ("haircuts of both requirements", unit.haircuts_maintenance),
        ("charges of the initial requirement", unit.charges_initial),
        ("haircuts of the initial requirement", unit.haircuts_initial),
        ("doubtful feeds", unit.confidence),
    ]
}

fn explain(out: &mut impl Write, params: &Params, outcome: &Outcome) -> std::io::Result<()> {
    for (name, unit) in &outcome.units {
        let ratio = |ratio: i128| decimal(ratio, RATIO_DIGITS);
        writeln!(out, "  {name} in full")?;
        writeln!(out, "    core {}", money(unit.core))?;
        writeln!(out, "    initial factor {}", ratio(unit.initial_factor))?;
        let factor = i128::from(params.maintenance_factor);
        writeln!(out, "    maintenance factor {}", ratio(factor))?;
        writeln!(out, "    net delta {}", ratio(unit.net_delta))?;
        writeln!(out, "    naked short options {}", ratio(unit.naked_short))?;
        writeln!(out, "    scenario  move  volatility  weight  result")?;
        for (index, (scenario, pnl)) in params.scenarios.iter().zip(&unit.scenario_pnl).enumerate()
        {
            writeln!(
                out,
                "    {index:>8}  {}  {}  {}  {}",
                ratio(i128::from(scenario.change)),
                format!("{:?}", scenario.volatility).to_lowercase(),
                ratio(i128::from(scenario.weight)),
                money(*pnl)
            )?;
        }
    }
    Ok(())
}

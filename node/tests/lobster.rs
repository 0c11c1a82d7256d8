//! The plan for a real sample, which is no part of the project.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::PathBuf;

use ballast::feed::lobster::Sample;
use ballast::feed::plan::{plan, runs};

/// The sample's messages and books; `BALLAST_TEST_DATA` names the directory that holds it.
fn real_sample() -> Option<Sample> {
    let root = std::env::var_os("BALLAST_TEST_DATA").map(PathBuf::from);
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let directory = root.unwrap_or_else(|| beside.into()).join("lobster_aapl");
    let read = |name: &str| {
        std::fs::read_to_string(
            directory.join(format!("AAPL_2012-06-21_34200000_57600000_{name}_10.csv")),
        )
    };
    match (read("message"), read("orderbook")) {
        (Ok(messages), Ok(book)) => Some(Sample::parse(&messages, &book).expect("reads")),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("skipped: no sample in {}: {error}", directory.display());
            None
        }
    }
}

#[test]
fn the_plan_follows_the_recorded_book_in_every_step() {
    let Some(sample) = real_sample() else { return };
    let plan = plan(&sample);
    assert_eq!(plan.tally.differences, []);
    assert_eq!((plan.tally.steps, plan.tally.agreed), (998, 998));
    assert_eq!(plan.tally.levels, 19_642);
    assert_eq!(
        (plan.adopted, plan.reentered, plan.unattributed),
        (14, 1, 6)
    );
    let blocks = runs(&plan.items);
    println!("{} items in {} blocks", plan.items.len(), blocks.len());
    assert!(blocks.len() < 600);
}

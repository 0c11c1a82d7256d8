//! kill -9 under load: everything comes back by itself, and nothing that was acknowledged is lost
//! or doubled.

use std::time::Duration;

use crate::audit::Audit;
use crate::load::Load;
use crate::net::{Net, Victim};
use crate::{flood_kills, kills, report, serial};

/// Results that must come between two kills, so that there is something to lose.
const RESULTS: usize = 250;

/// Kills each in turn under load and then compares everything.
async fn survive(mempool: &'static str, seed: u64, victims: &[(Victim, bool)]) -> String {
    let mut net = Net::start(mempool).await;
    let load = Load::start(&net, &[0, 1, 2, 3], seed).await;
    let mut times = Vec::new();
    for (victim, supervisor) in victims {
        let (acked, mut height) = (load.acked(), net.height());
        while load.acked() < acked + RESULTS {
            height += 1;
            net.reach(&[0], height).await;
        }
        times.push(net.kill(*victim, *supervisor).await);
    }
    let journal = load.finish().await;
    assert_eq!(journal.unanswered, [""; 0]);
    let mut audit = Audit::new(&net);
    let height = audit.check(&net, &journal).await;
    net.assert_no_violations().await;
    net.stop();
    let mean = times.iter().sum::<Duration>().as_secs_f64()
        / f64::from(u32::try_from(times.len()).unwrap_or(1));
    let longest = times
        .iter()
        .max()
        .copied()
        .unwrap_or_default()
        .as_secs_f64();
    format!(
        "{} kills, back in {mean:.1} s (longest {longest:.1}); height {height}, {} results \
         acknowledged, all there once",
        times.len(),
        journal.acked.len()
    )
}

fn victims(count: usize, victim: impl Fn(usize) -> Victim) -> Vec<(Victim, bool)> {
    (0..count).map(|at| (victim(at), false)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_of_a_nodes_ballast() {
    let Some(_alone) = serial().await else { return };
    let victims = victims(kills(), |at| Victim::Ballast(at % 4));
    report(
        "kill -9 of a node's Ballast",
        &survive("app", 11, &victims).await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_of_a_nodes_cometbft() {
    let Some(_alone) = serial().await else { return };
    let victims = victims(kills(), |at| Victim::CometBft(at % 4));
    report(
        "kill -9 of a node's CometBFT",
        &survive("app", 12, &victims).await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_of_all_eight_processes() {
    let Some(_alone) = serial().await else { return };
    // Every other time `localnet` dies too, and is started again in the same home.
    let victims: Vec<_> = (0..kills()).map(|at| (Victim::All, at % 2 == 1)).collect();
    report(
        "kill -9 of all eight processes",
        &survive("app", 13, &victims).await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_on_the_flood_mempool() {
    let Some(_alone) = serial().await else { return };
    let each = [
        (Victim::Ballast(1), false),
        (Victim::CometBft(2), false),
        (Victim::All, false),
    ];
    let victims: Vec<_> = (0..flood_kills()).flat_map(|_| each).collect();
    report(
        "kill -9 of each kind, flood",
        &survive("flood", 14, &victims).await,
    );
}

//! CPU time of processes, from Linux's `/proc`.

use std::collections::BTreeMap;
use std::fs;

/// `/proc` counts in hundredths of a second on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;
/// What this process is called.
pub const LOAD_GENERATOR: &str = "load generator";

/// CPU seconds so far by process: this one, and everything that it started, named after its
/// program and the node whose home it runs on.
pub fn sample() -> BTreeMap<String, f64> {
    let own = std::process::id();
    let mut times = BTreeMap::new();
    if let Some((_, seconds)) = stat(own) {
        times.insert(LOAD_GENERATOR.to_owned(), seconds);
    }
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok());
        if let Some((pid, (parent, seconds))) = pid.and_then(|pid| Some((pid, stat(pid)?))) {
            all.push((pid, parent, seconds));
        }
    }
    let mut family = vec![own];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        for (pid, of, seconds) in &all {
            if *of == parent && !family.contains(pid) {
                family.push(*pid);
                *times.entry(name(*pid)).or_default() += seconds;
            }
        }
        at += 1;
    }
    times
}

/// What each process used between two samples.
pub fn between(
    before: &BTreeMap<String, f64>,
    after: &BTreeMap<String, f64>,
) -> BTreeMap<String, f64> {
    let used = |(name, seconds): (&String, &f64)| {
        (
            name.clone(),
            (seconds - before.get(name).copied().unwrap_or(0.0)).max(0.0),
        )
    };
    after.iter().map(used).collect()
}

/// Parent and CPU seconds of a process.
fn stat(pid: u32) -> Option<(u32, f64)> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in parentheses may hold anything, so fields are counted from its end.
fn parse(stat: &str) -> Option<(u32, f64)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
    let (user, system) = (number(11)?, number(12)?);
    Some((
        number(1)?,
        (f64::from(user) + f64::from(system)) / TICKS_PER_SECOND,
    ))
}

fn name(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    let program = if line.contains("--proxy_app") {
        "cometbft"
    } else {
        "ballast"
    };
    let node = line.split(['/', ' ']).find(|part| part.starts_with("node"));
    format!("{program} {}", node.unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "7 (a ) b) S 3 7 7 0 -1 0 1 2 3 4 150 50 0 0 20 0 1 0 9 9 9";
        assert_eq!(parse(stat), Some((3, 2.0)));
        assert_eq!(parse("7 (a"), None);
    }

    #[test]
    fn this_process_has_a_time() {
        let before = sample();
        assert!(before.contains_key(LOAD_GENERATOR));
        assert!(
            between(&before, &sample())
                .values()
                .all(|seconds| *seconds >= 0.0)
        );
    }
}

//! Loss of power at every moment, simulated.
//!
//! Workloads run on real files while a [recorder](Recorder) behind the [seam](crate::system) writes down each call that changes the
//! disk or makes a change last. The calls are then played to a [disk](disk) that promises only what the standard does: data,
//! attributes and names are durable once their file or directory was synced, and until then each may be there or not, whatever the
//! order. After each call every [state](crash) such a disk may be in is made of real files again, opened, and looked at: what was
//! acknowledged is there, what was not is as before or as after, and nothing else is.

#![allow(
    clippy::disallowed_methods,
    reason = "what makes the disk for a test must not be recorded"
)]

mod crash;
mod disk;
mod explorer;
mod mistake;
mod observation;
mod operation;
mod recorder;

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use storage_core::Durability;

use self::explorer::{Counts, Crash, Explorer, Violation, Workload};
use self::mistake::Mistake;
use self::operation::Operation;
pub(crate) use self::recorder::Recorder;

/// Every workload of so many operations.
fn workloads(length: usize) -> Vec<Workload> {
    let mut all = vec![Vec::new()];
    for _ in 0..length {
        all = all
            .iter()
            .flat_map(|begun: &Vec<Operation>| {
                Operation::ALL.iter().map(|next| {
                    let mut longer = begun.clone();
                    longer.push(*next);
                    longer
                })
            })
            .collect();
    }
    all.into_iter().map(Workload::of).collect()
}

/// Explores workloads on all processors until they are done, the time is up or a promise is broken.
fn explore(
    workloads: &[Workload],
    until: Option<Instant>,
    explorer: impl Fn() -> Explorer + Sync,
) -> (Counts, Option<Violation>) {
    let next = AtomicUsize::new(0);
    let found = Mutex::new((Counts::default(), None));
    let work = || {
        let mut explorer = explorer();
        while until.is_none_or(|until| Instant::now() < until)
            && let Some(workload) = workloads.get(next.fetch_add(1, Ordering::Relaxed))
        {
            if let Err(violation) = explorer.explore(workload) {
                next.store(workloads.len(), Ordering::Relaxed);
                found.lock().unwrap().1 = Some(violation);
            }
        }
        found.lock().unwrap().0.add(explorer.counts);
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(work);
        }
    });
    found.into_inner().unwrap()
}

/// Prints a line that is seen also when the test passes.
fn print(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// How long a test run goes on into the workloads of three operations, after all shorter ones.
const A_WHILE: Duration = Duration::from_secs(20);

/// In an order that has nothing to do with what they are, the same every time.
fn mixed(mut workloads: Vec<Workload>) -> Vec<Workload> {
    // A prime that does not divide the number of workloads.
    const STEP: usize = 1_511;
    let count = workloads.len();
    for at in 0..count {
        workloads.swap(at, (at * STEP) % count);
    }
    workloads
}

/// What it does not hold is a failure; how much was looked at is printed.
fn held((counts, violation): (Counts, Option<Violation>), what: &str) {
    print(&format!("simulated disk, {what}: {counts}"));
    if let Some(violation) = violation {
        panic!("{what}: {violation}");
    }
}

#[test]
fn what_is_acknowledged_survives_loss_of_power_at_every_moment() {
    let end = Instant::now() + A_WHILE;
    let explorer = || Explorer::new(Durability::PowerLoss, Crash::Power);
    let shorter: Vec<Workload> = (0..=2).flat_map(workloads).collect();
    held(
        explore(&shorter, None, explorer),
        "loss of power, all of up to 2 operations",
    );
    held(
        explore(&mixed(workloads(3)), Some(end), explorer),
        "loss of power, some of 3 operations",
    );
}

#[test]
#[ignore = "takes minutes"]
fn what_is_acknowledged_survives_loss_of_power_after_any_three_operations() {
    let explorer = || Explorer::new(Durability::PowerLoss, Crash::Power);
    held(
        explore(&workloads(3), None, explorer),
        "loss of power, all of 3 operations",
    );
}

#[test]
fn what_is_acknowledged_survives_a_crash_of_the_process_without_a_sync() {
    let explorer = || Explorer::new(Durability::ProcessCrash, Crash::Process);
    let all: Vec<Workload> = (0..=2).flat_map(workloads).collect();
    held(
        explore(&all, None, explorer),
        "crash of the process, all of up to 2 operations",
    );
    let explorer = || Explorer::new(Durability::ProcessCrash, Crash::Power);
    let (_, violation) = explore(&workloads(1), None, explorer);
    assert!(
        violation.is_some(),
        "more is kept than is declared, or nothing was simulated"
    );
}

#[test]
fn planted_mistakes_are_caught() {
    let all: Vec<Workload> = (1..=2).flat_map(workloads).collect();
    for mistake in Mistake::ALL {
        let explorer = || Explorer::new(Durability::PowerLoss, Crash::Power).with_mistake(mistake);
        let (counts, violation) = explore(&all, None, explorer);
        match violation {
            Some(violation) => print(&format!("{mistake:?} is caught by \"{}\"", violation.workload)),
            None => panic!("{mistake:?} is not caught: {counts}"),
        }
    }
}

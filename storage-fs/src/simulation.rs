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

mod conformance;
mod crash;
mod disk;
mod event;
mod expected;
mod explorer;
mod failing;
mod mistake;
mod observation;
mod operation;
mod recorder;
mod tree;
mod workload;

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use storage_core::Durability;

use self::explorer::{Crash, Explorer, Medium};
use self::mistake::Mistake;
use self::operation::Operation;
use self::recorder::Fault;
pub(crate) use self::recorder::Recorder;
use self::workload::{Counts, Violation, Workload};

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

/// Looks at many things on all processors until they are done, the time is up or a promise is broken.
fn each<T: Sync>(
    all: &[T],
    until: Option<Instant>,
    explorer: impl Fn() -> Explorer + Sync,
    look: impl Fn(&mut Explorer, &T) -> Result<(), Violation> + Sync,
) -> (Counts, Option<Violation>) {
    let next = AtomicUsize::new(0);
    let found = Mutex::new((Counts::default(), None));
    let work = || {
        let mut explorer = explorer();
        while until.is_none_or(|until| Instant::now() < until)
            && let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed))
        {
            if let Err(violation) = look(&mut explorer, one) {
                next.store(all.len(), Ordering::Relaxed);
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

fn explore(
    workloads: &[Workload],
    until: Option<Instant>,
    explorer: impl Fn() -> Explorer + Sync,
) -> (Counts, Option<Violation>) {
    each(workloads, until, explorer, Explorer::explore)
}

/// Prints a line that is seen also when the test passes.
fn print(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// How long a test run explores, all shorter workloads first and then those of three operations.
const A_WHILE: Duration = Duration::from_secs(20);

/// How long it explores those of three operations at least, on a machine however busy.
const AT_LEAST: Duration = Duration::from_secs(4);

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
        explore(
            &mixed(workloads(3)),
            Some(end.max(Instant::now() + AT_LEAST)),
            explorer,
        ),
        "loss of power, some of 3 operations",
    );
}

#[test]
fn what_is_acknowledged_survives_loss_of_power_on_every_kind_of_disk() {
    let all: Vec<Workload> = (0..=1).flat_map(workloads).collect();
    for medium in [Medium::WithoutAttributes, Medium::WithoutRenameNew] {
        let explorer = || Explorer::new(Durability::PowerLoss, Crash::Power).on(medium);
        held(
            explore(&all, None, explorer),
            &format!("{medium:?}, loss of power, all of up to 1 operation"),
        );
    }
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

/// What a process did that was killed at each call of its last operation, and what another one does after it.
fn killed(others: impl Fn(Option<Operation>) -> Vec<Operation>) -> Vec<Workload> {
    let mut explorer = Explorer::new(Durability::PowerLoss, Crash::Power);
    let mut workloads = Vec::new();
    for operation in [None].into_iter().chain(Operation::ALL.map(Some)) {
        let done: Vec<Operation> = match operation {
            Some(operation) => operation.needs().iter().copied().chain([operation]).collect(),
            None => Vec::new(),
        };
        for call in 1..=explorer.calls(&done) {
            for other in others(operation) {
                workloads.push(Workload {
                    killed: Some((done.clone(), call)),
                    operations: vec![other],
                });
            }
        }
    }
    workloads
}

#[test]
fn what_a_killed_process_did_not_sync_does_not_take_down_what_the_next_one_promises() {
    let same = |operation: Option<Operation>| vec![operation.unwrap_or(Operation::Overwrite)];
    let explorer = || Explorer::new(Durability::PowerLoss, Crash::Power);
    held(
        explore(&killed(same), None, explorer),
        "a process that was killed, another that does the same, loss of power",
    );
}

#[test]
#[ignore = "takes minutes"]
fn what_a_killed_process_did_not_sync_does_not_take_down_anything_the_next_one_does() {
    let explorer = || Explorer::new(Durability::PowerLoss, Crash::Power);
    held(
        explore(&killed(|_| Operation::ALL.to_vec()), None, explorer),
        "a process that was killed, another that does anything, loss of power",
    );
}

/// Each call of each operation fails, once and from then on.
fn faults(errno: Errno) -> Vec<(Vec<Operation>, Fault)> {
    let mut explorer = Explorer::new(Durability::PowerLoss, Crash::Power);
    let mut faults = Vec::new();
    for operation in Operation::ALL {
        let done: Vec<Operation> = operation.needs().iter().copied().chain([operation]).collect();
        for first in 1..=explorer.calls(&done) {
            for persistent in [false, true] {
                let only = "";
                faults.push((
                    done.clone(),
                    Fault {
                        only,
                        first,
                        errno,
                        persistent,
                        made: false,
                    },
                ));
            }
        }
    }
    faults
}

fn fails(errno: Errno) -> (Counts, Option<Violation>) {
    let explorer = || Explorer::new(Durability::PowerLoss, Crash::Power);
    each(&faults(errno), None, explorer, |explorer, (operations, fault)| {
        explorer.fail(operations, *fault)
    })
}

#[test]
fn a_call_that_fails_never_makes_an_answer_untrue() {
    held(fails(Errno::IO), "a call that fails, loss of power");
}

#[test]
#[ignore = "takes a while, and differs little from the disk that fails"]
fn a_full_disk_never_makes_an_answer_untrue() {
    held(fails(Errno::NOSPC), "a full disk, loss of power");
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

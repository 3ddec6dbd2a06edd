//! Runs cases: panics are caught, time is bounded, what is not declared is checked to be refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use storage_core::{Capability, Clock, SystemClock};

use crate::case::{Case, Failure, Verdict};
use crate::context::Ctx;
use crate::date;
use crate::harness::{Harness, Waiver};
use crate::plan::{Plan, Settings};
use crate::registry::case;
use crate::report::{CaseReport, Outcome, Report};
use crate::twin;

/// Runs the cases of a plan and tells `progress` of each as it ends.
///
/// The harness's own cases come first, one by one; when one of them fails nothing else is run, because no other answer would mean
/// anything. Dropping the future stops the run and leaves the places of unfinished cases behind.
pub async fn run(
    harness: Arc<dyn Harness>,
    plan: Plan,
    progress: impl Fn(&CaseReport) + Send + Sync,
) -> Report {
    let mut report = Report::new(harness.label(), plan.settings().seed);
    match Ctx::open(Arc::clone(&harness), plan.settings()).await {
        Ok(ctx) => {
            report.declare(ctx.declaration());
            if let Err(error) = ctx.clean_up().await {
                report.aborted = Some(format!("the harness cannot clean up: failed to {error}"));
            }
        }
        Err(error) => report.aborted = Some(format!("the harness cannot open a place: failed to {error}")),
    }
    let chosen = |own: bool| {
        let plan = &plan;
        plan.cases()
            .filter(move |case| case.id.starts_with("harness.") == own)
    };
    for case in chosen(true) {
        if report.aborted.is_some() {
            break;
        }
        let done = execute(Arc::clone(&harness), case, plan.settings()).await;
        progress(&done);
        if !done.outcome.is_success() {
            report.aborted = Some(format!(
                "{} did not pass, so no other answer would mean anything",
                case.id
            ));
        }
        report.cases.push(done);
    }
    if report.aborted.is_none() {
        let mut waiting = chosen(false);
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < plan.jobs_value()
                && let Some(case) = waiting.next()
            {
                running.push(execute(Arc::clone(&harness), case, plan.settings()));
            }
            let Some(done) = running.next().await else { break };
            progress(&done);
            report.cases.push(done);
        }
        // In the order of the catalogue, whatever finished first.
        report
            .cases
            .sort_by_key(|done| plan.cases().position(|case| case.id == done.id));
    }
    report
}

/// Runs one case and prints how it went.
///
/// # Panics
/// When it fails, with the seed to run it again.
pub async fn run_one(harness: impl Harness, id: &str) {
    let case = case(id).unwrap_or_else(|| panic!("there is no case {id:?}"));
    let settings = Settings::of_environment();
    let done = execute(Arc::new(harness), case, settings).await;
    println!("{done}");
    // What is not there is no failure of a run, but of a test that asks for it.
    let missing = matches!(done.outcome, Outcome::Unavailable { .. });
    assert!(
        done.outcome.is_success() && !missing,
        "{done}\nit proves: {}\nrun it again with CONFORMANCE_SEED={}",
        case.proves,
        settings.seed
    );
}

/// Runs one case on a runtime of its own, two threads wide: the body of each test [`suite!`](crate::suite) makes.
///
/// # Panics
/// When it fails.
pub fn run_test<H: Harness>(harness: impl Future<Output = H>, id: &str) {
    run_on_a_runtime(async { run_one(harness.await, id).await });
}

/// Runs a test on a runtime of its own, two threads wide.
///
/// # Panics
/// When the test does.
pub fn run_on_a_runtime(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.unwrap_or_else(|error| panic!("failed to start a runtime: {error}"));
    runtime.block_on(test);
}

/// Runs a case, or what stands for it where something it needs is not declared.
async fn execute(harness: Arc<dyn Harness>, case: &'static Case, settings: Settings) -> CaseReport {
    let started = Instant::now();
    let mut advisories = Vec::new();
    let outcome = match attempt(&harness, case, settings, &mut advisories).await {
        Ok(outcome) => outcome,
        Err(message) => Outcome::HarnessError { message },
    };
    let waiver = harness.waivers().iter().find(|waiver| waiver.case == case.id);
    CaseReport {
        id: case.id.to_owned(),
        tier: case.tier,
        outcome: waive(outcome, waiver),
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        advisories,
    }
}

/// # Errors
/// What the harness did wrong.
async fn attempt(
    harness: &Arc<dyn Harness>,
    case: &'static Case,
    settings: Settings,
    advisories: &mut Vec<String>,
) -> Result<Outcome, String> {
    if let Some(facility) = case.facility
        && !harness.facilities().contains(&facility)
    {
        return Ok(Outcome::Unavailable {
            facility: facility.to_string(),
        });
    }
    let timeout = case.timeout * harness.patience();
    let ctx = open(harness, settings).await?;
    let absent: Vec<Capability> = case
        .capabilities
        .iter()
        .copied()
        .filter(|capability| !ctx.has(*capability))
        .collect();
    if absent.is_empty() {
        return bounded(ctx, timeout, Check::Case(case), advisories).await;
    }
    close(&ctx).await?;
    for capability in &absent {
        let ctx = open(harness, settings).await?;
        let outcome = bounded(ctx, timeout, Check::Twin(*capability), advisories).await?;
        if let Outcome::Fail { message } = outcome {
            let message = format!("{}::{capability}: {message}", twin::ID);
            return Ok(Outcome::Fail { message });
        }
        if outcome != Outcome::Pass {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Refused {
        capabilities: absent.iter().map(ToString::to_string).collect(),
    })
}

#[derive(Clone, Copy)]
enum Check {
    Case(&'static Case),
    Twin(Capability),
}

/// Runs one check in a task of its own, for as long as the case may take, and cleans up after it.
async fn bounded(
    ctx: Ctx,
    timeout: Duration,
    check: Check,
    advisories: &mut Vec<String>,
) -> Result<Outcome, String> {
    let ctx = Arc::new(ctx);
    let shared = Arc::clone(&ctx);
    let mut task = tokio::spawn(async move {
        match check {
            Check::Case(case) => (case.run)(&shared).await,
            Check::Twin(capability) => twin::refused(&shared, capability).await,
        }
    });
    let outcome = match tokio::time::timeout(timeout, &mut task).await {
        Ok(Ok(verdict)) => judged(verdict),
        Ok(Err(stopped)) => Outcome::Fail {
            message: panic_message(stopped),
        },
        Err(_) => {
            task.abort();
            Outcome::TimedOut {
                seconds: timeout.as_secs(),
            }
        }
    };
    advisories.extend(ctx.take_advisories());
    // What a failed or stuck case left may be in the way of closing; its own outcome says more.
    let closed = tokio::time::timeout(timeout, async {
        // One that was given up is over once its future is dropped; before that it may still write.
        if !task.is_finished() {
            let _ = (&mut task).await;
        }
        close(&ctx).await
    });
    let closed = closed.await;
    match closed {
        Ok(Ok(())) => Ok(outcome),
        _ if !outcome.is_success() => Ok(outcome),
        Ok(Err(message)) => Err(message),
        Err(_) => Err(format!("closing and wiping took longer than {timeout:?}")),
    }
}

fn judged(verdict: Verdict) -> Outcome {
    match verdict {
        Ok(()) => Outcome::Pass,
        Err(failure) if failure.is_inconclusive() => Outcome::Inconclusive {
            message: failure.to_string(),
        },
        Err(failure) => Outcome::Fail {
            message: failure.to_string(),
        },
    }
}

/// What a task that panicked said.
pub(crate) fn panic_message(stopped: tokio::task::JoinError) -> String {
    let Ok(payload) = stopped.try_into_panic() else {
        return "the case was cancelled".to_owned();
    };
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "with something that is not text".to_owned());
    format!("it panicked: {text}")
}

async fn open(harness: &Arc<dyn Harness>, settings: Settings) -> Result<Ctx, String> {
    let opened = Ctx::open(Arc::clone(harness), settings).await;
    opened.map_err(|error| format!("the harness cannot open a place: {}", Failure::from(error)))
}

async fn close(ctx: &Ctx) -> Result<(), String> {
    let done = ctx.clean_up().await;
    done.map_err(|error| format!("the harness cannot clean up: {}", Failure::from(error)))
}

/// What an outcome counts as, given that its failure was expected.
fn waive(outcome: Outcome, waiver: Option<&Waiver>) -> Outcome {
    let Some(waiver) = waiver else { return outcome };
    match outcome {
        Outcome::Pass | Outcome::Refused { .. } => Outcome::UnexpectedPass {
            reason: waiver.reason.to_owned(),
        },
        Outcome::Fail { message } => match date::is_past(waiver.expires, SystemClock::default().now()) {
            Some(false) => Outcome::Waived {
                reason: waiver.reason.to_owned(),
                issue: waiver.issue.to_owned(),
                message,
            },
            Some(true) => {
                let message = format!(
                    "its waiver ended on {} ({}): {message}",
                    waiver.expires, waiver.issue
                );
                Outcome::Fail { message }
            }
            None => Outcome::HarnessError {
                message: format!("{:?} is not a date YYYY-MM-DD", waiver.expires),
            },
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(expires: &'static str) -> Waiver {
        Waiver {
            case: "objects.x",
            reason: "known",
            issue: "#1",
            expires,
        }
    }

    #[test]
    fn a_waiver_is_strict_and_ends() {
        let failed = || Outcome::Fail { message: "no".into() };
        assert!(matches!(
            waive(failed(), Some(&waiver("2999-01-01"))),
            Outcome::Waived { .. }
        ));
        assert!(matches!(
            waive(failed(), Some(&waiver("2020-01-01"))),
            Outcome::Fail { .. }
        ));
        assert!(matches!(
            waive(failed(), Some(&waiver("soon"))),
            Outcome::HarnessError { .. }
        ));
        assert!(matches!(
            waive(Outcome::Pass, Some(&waiver("2999-01-01"))),
            Outcome::UnexpectedPass { .. }
        ));
        assert_eq!(waive(failed(), None), failed());
    }
}

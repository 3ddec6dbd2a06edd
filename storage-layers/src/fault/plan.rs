//! What goes wrong, and when.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use storage_core::{Applied, Error, ErrorKind, Retry};

use crate::call::Operation;

/// What happens to a call.
#[derive(Clone)]
#[non_exhaustive]
pub enum FaultAction {
    /// It fails before it has an effect, with an error of this kind and `applied: No`.
    Before(ErrorKind),
    /// It happens, and then fails with an error of this kind: `applied: Unknown` where it could change something.
    After(ErrorKind),
    /// It waits before it is done.
    DelayBefore(Duration),
    /// It is done and the answer waits.
    DelayAfter(Duration),
    /// Somebody else does this first.
    Meanwhile(Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>),
}

/// One action, and the calls it strikes: by default every one.
#[derive(Debug, Clone)]
#[must_use]
pub struct FaultRule {
    action: FaultAction,
    operations: Option<Vec<Operation>>,
    when: When,
}

#[derive(Debug, Clone, Copy)]
enum When {
    At(u64),
    Every(u64),
    From(u64),
    /// In so many of 1,000 calls, by numbers that begin with this seed.
    Often(u64, u64),
}

impl FaultRule {
    /// This action at every call.
    pub const fn new(action: FaultAction) -> Self {
        Self {
            action,
            operations: None,
            when: When::From(0),
        }
    }

    /// Only these operations are struck, and counted.
    pub fn on(mut self, operations: &[Operation]) -> Self {
        self.operations = Some(operations.to_vec());
        self
    }

    /// Only at call `n`, the first being 0.
    pub const fn at(mut self, n: u64) -> Self {
        self.when = When::At(n);
        self
    }

    /// At call `n` and every later one, the first being 0.
    pub const fn from(mut self, n: u64) -> Self {
        self.when = When::From(n);
        self
    }

    /// At every `n`th call; 0 is taken for 1, every call.
    pub const fn every(mut self, n: u64) -> Self {
        self.when = When::Every(n);
        self
    }

    /// At so many of 1,000 calls, chosen by numbers that are the same for the same seed.
    pub const fn often(mut self, per_mille: u64, seed: u64) -> Self {
        self.when = When::Often(per_mille, seed);
        self
    }

    fn is_about(&self, operation: Operation) -> bool {
        self.operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&operation))
    }
}

impl When {
    const fn strikes(self, call: u64) -> bool {
        match self {
            Self::At(n) => call == n,
            Self::Every(0) => true,
            Self::Every(n) => (call + 1).is_multiple_of(n),
            Self::From(n) => call >= n,
            Self::Often(per_mille, seed) => scatter(seed, call) % 1000 < per_mille,
        }
    }
}

/// splitmix64, at this place of the sequence.
const fn scatter(seed: u64, place: u64) -> u64 {
    let mut x = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Rules and how often they were asked. Clones share both, so a test keeps one and looks.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Each with how many calls it was asked about.
    rules: Mutex<Vec<(FaultRule, u64)>>,
    calls: AtomicU64,
    struck: AtomicU64,
}

impl FaultPlan {
    /// These rules, asked in this order.
    pub fn new(rules: impl IntoIterator<Item = FaultRule>) -> Self {
        let plan = Self::default();
        plan.replace(rules);
        plan
    }

    /// From now on these rules, which begin to count anew; none lets everything through.
    pub fn replace(&self, rules: impl IntoIterator<Item = FaultRule>) {
        *self.rules() = rules.into_iter().map(|rule| (rule, 0)).collect();
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// How often something was done to a call.
    pub fn struck(&self) -> u64 {
        self.0.struck.load(Ordering::SeqCst)
    }

    /// What happens to this call.
    pub(super) fn strike(&self, operation: Operation) -> Vec<FaultAction> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        let mut actions = Vec::new();
        for (rule, calls) in self.rules().iter_mut() {
            if !rule.is_about(operation) {
                continue;
            }
            if rule.when.strikes(*calls) {
                actions.push(rule.action.clone());
            }
            *calls += 1;
        }
        self.0.struck.fetch_add(actions.len() as u64, Ordering::SeqCst);
        actions
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<(FaultRule, u64)>> {
        self.0.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn before(kind: ErrorKind, operation: Operation) -> Error {
    planned(
        kind,
        format!("{operation} was planned to fail before it had an effect"),
    )
}

pub(super) fn after(kind: ErrorKind, operation: Operation) -> Error {
    let error = planned(
        kind,
        format!("{operation} was planned to fail after it had its effect"),
    );
    if operation.changes() {
        error.with_applied(Applied::Unknown)
    } else {
        error
    }
}

/// Whether to try again follows from the kind, as with a real medium.
fn planned(kind: ErrorKind, message: String) -> Error {
    let passes = matches!(
        kind,
        ErrorKind::Conflict | ErrorKind::RateLimited | ErrorKind::Timeout | ErrorKind::Unavailable
    );
    let retry = if passes { Retry::Later } else { Retry::Never };
    Error::new(kind, message).with_retry(retry)
}

impl fmt::Debug for FaultAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(kind) => f.debug_tuple("Before").field(kind).finish(),
            Self::After(kind) => f.debug_tuple("After").field(kind).finish(),
            Self::DelayBefore(time) => f.debug_tuple("DelayBefore").field(time).finish(),
            Self::DelayAfter(time) => f.debug_tuple("DelayAfter").field(time).finish(),
            Self::Meanwhile(_) => f.write_str("Meanwhile"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(rule: FaultRule, calls: usize) -> Vec<usize> {
        let plan = FaultPlan::new([rule]);
        (0..calls)
            .filter(|_| !plan.strike(Operation::Read).is_empty())
            .collect()
    }

    fn rule() -> FaultRule {
        FaultRule::new(FaultAction::Before(ErrorKind::Io))
    }

    #[test]
    fn rules_strike_the_calls_they_name() {
        assert_eq!(struck(rule(), 3), [0, 1, 2]);
        assert_eq!(struck(rule().at(1), 4), [1]);
        assert_eq!(struck(rule().from(2), 4), [2, 3]);
        assert_eq!(struck(rule().every(2), 5), [1, 3]);
        assert_eq!(struck(rule().on(&[Operation::Write]), 5), [0_usize; 0]);
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed_and_as_often_as_asked() {
        let (one, again, other) = (
            struck(rule().often(200, 7), 1000),
            struck(rule().often(200, 7), 1000),
            struck(rule().often(200, 8), 1000),
        );
        assert_eq!(one, again);
        assert_ne!(one, other);
        assert!((150..250).contains(&one.len()), "{}", one.len());
    }

    #[test]
    fn only_calls_a_rule_is_about_are_counted_by_it() {
        let plan = FaultPlan::new([rule().on(&[Operation::Write]).at(1)]);
        let mut outcomes = Vec::new();
        for operation in [Operation::Write, Operation::Read, Operation::Write] {
            outcomes.push(plan.strike(operation).len());
        }
        assert_eq!(outcomes, [0, 0, 1]);
        assert_eq!((plan.calls(), plan.struck()), (3, 1));
    }
}

//! When the next attempt is made, if at all.

use std::time::Duration;

use storage_core::{Error, Retry as Advice, random_u128};
use tokio::time::Instant;

use crate::call::Operation;

/// How often, how fast and how long calls are tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryOptions {
    /// Attempts in all, the first included; 5. At least 1.
    pub attempts: u32,
    /// No attempt begins later than this after the first; 60 seconds. What is under way is not cut short: that is a timeout's work.
    pub deadline: Duration,
    /// The longest pause before the second attempt; 50 milliseconds. It doubles from one attempt to the next.
    pub first_pause: Duration,
    /// No pause is longer; 5 seconds.
    pub longest_pause: Duration,
    /// Whether unconditional writes and deletes are repeated also where it is not known whether they happened; off. One that did
    /// happen and is repeated takes away what somebody else wrote in between, as if the call had come late and twice.
    pub repeat_overwrites: bool,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts: 5,
            deadline: Duration::from_secs(60),
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(5),
            repeat_overwrites: false,
        }
    }
}

/// The attempts of one call.
pub(super) struct Pace<'a> {
    options: &'a RetryOptions,
    begun: Instant,
    attempts: u32,
}

impl<'a> Pace<'a> {
    pub(super) fn new(options: &'a RetryOptions) -> Self {
        Self {
            options,
            begun: Instant::now(),
            attempts: 1,
        }
    }

    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Waits for the next attempt; `false` when there is none.
    pub(super) async fn again(&mut self, operation: Operation, error: &Error) -> bool {
        if self.attempts >= self.options.attempts.max(1) {
            return false;
        }
        let pause = self.pause();
        if self.begun.elapsed() + pause > self.options.deadline {
            return false;
        }
        self.attempts += 1;
        tracing::debug!(%operation, attempt = self.attempts, ?pause, kind = %error.kind(), "tried again after a pause");
        tokio::time::sleep(pause).await;
        true
    }

    /// Any length up to the bound: callers that failed together do not come back together.
    fn pause(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.attempts - 1);
        let bound = self
            .options
            .first_pause
            .saturating_mul(doubled)
            .min(self.options.longest_pause);
        let micros = bound.as_micros().max(1);
        Duration::from_micros(u64::try_from(random_u128() % micros).unwrap_or(u64::MAX))
    }

    /// The error of the last attempt.
    pub(super) fn exhausted(&self, error: Error) -> Error {
        error
            .with_retry(Advice::Exhausted)
            .with_context("attempts", self.attempts.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_scattered() {
        let options = RetryOptions::default();
        let mut pace = Pace::new(&options);
        for (attempt, bound) in [(1, 50), (2, 100), (3, 200), (4, 400), (9, 5000), (40, 5000)] {
            pace.attempts = attempt;
            let pauses: Vec<_> = (0..200).map(|_| pace.pause()).collect();
            let longest = pauses.iter().max().copied().unwrap_or_default();
            let bound = Duration::from_millis(bound);
            assert!(
                longest <= bound && longest > bound / 2,
                "{attempt}: {longest:?} of {bound:?}"
            );
        }
    }
}

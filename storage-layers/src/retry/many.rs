//! Calls over many items: only the items that failed are tried again.

use futures::future::BoxFuture;
use storage_core::{Error, ErrorKind, Result, StorageBackend};

use super::pace::Pace;
use super::{Retry, count};
use crate::call::Call;

impl<A: StorageBackend> Retry<A> {
    /// Makes the call over all items, then over those that may be tried again. `calls` has one for each item and decides about it.
    pub(super) async fn repeat_items<'a, T: Send>(
        &'a self,
        whole: Call,
        calls: Vec<Call>,
        attempt: impl Fn(&[usize]) -> BoxFuture<'a, Result<Vec<Result<T>>>> + Send,
    ) -> Result<Vec<Result<T>>> {
        count(&self.counters.calls);
        let mut pace = Pace::new(&self.options);
        let mut answers: Vec<Option<Result<T>>> = calls.iter().map(|_| None).collect();
        let mut pending: Vec<usize> = (0..calls.len()).collect();
        loop {
            // Why there will be another attempt.
            let reason = match attempt(&pending).await {
                Ok(results) => {
                    let mut failed = Vec::new();
                    for (at, result) in pending.iter().copied().zip(results) {
                        if let Err(error) = &result
                            && self.may_repeat(&calls[at], error)
                        {
                            failed.push(at);
                        }
                        answers[at] = Some(result);
                    }
                    pending = failed;
                    match pending.first().and_then(|at| answers[*at].as_ref()) {
                        Some(Err(error)) => shadow(error),
                        _ => break,
                    }
                }
                // Nothing could be attempted: this call is as if it had not been made.
                Err(error) if self.may_repeat(&whole, &error) => error,
                Err(error) if answers.iter().all(Option::is_none) => return Err(error),
                Err(_) => break,
            };
            if !pace.again(whole.operation, &reason).await {
                count(&self.counters.exhausted);
                if answers.iter().all(Option::is_none) {
                    return Err(pace.exhausted(reason));
                }
                for at in pending {
                    answers[at] = answers[at]
                        .take()
                        .map(|answer| answer.map_err(|error| pace.exhausted(error)));
                }
                return Ok(settle(answers));
            }
            count(&self.counters.repeated);
        }
        if pace.attempts() > 1 {
            count(&self.counters.recovered);
        }
        Ok(settle(answers))
    }
}

/// What can be told about an error that belongs to an item.
fn shadow(error: &Error) -> Error {
    Error::new(error.kind(), error.message().to_owned())
}

fn settle<T>(answers: Vec<Option<Result<T>>>) -> Vec<Result<T>> {
    let missing = || {
        Err(Error::new(
            ErrorKind::Internal,
            "fewer results came back than items were sent",
        ))
    };
    answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(missing))
        .collect()
}

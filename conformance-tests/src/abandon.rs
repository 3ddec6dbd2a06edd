//! [`dropped_after`]: a caller that gives up.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Polls a future `polls` times and drops it. `Some` when it ended by then.
///
/// Between polls the task gives way, so that what the future waits for gets on.
pub(crate) async fn dropped_after<R>(polls: usize, future: impl Future<Output = R>) -> Option<R> {
    let mut future = pin!(future);
    let mut done = 0;
    poll_fn(|context| {
        if done == polls {
            return Poll::Ready(None);
        }
        done += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            // The last poll is done: no need to wait until the future could go on.
            Poll::Pending if done == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

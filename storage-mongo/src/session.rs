//! [`transaction`]: several writes, all or none.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use mongodb::ClientSession;
use mongodb::bson::doc;
use mongodb::options::{Acknowledgment, ReadConcern, WriteConcern};
use storage_core::{Applied, Error, ErrorKind, Result, Retry, random_u128};

use crate::error::{is_commit_unknown, is_lost, is_transient};
use crate::store::Inner;

/// How often a transaction is begun at most. Each attempt that fails met another writer that went on, so this many failures in a row
/// mean a contention that waiting longer does not end.
const ATTEMPTS: u32 = 16;
/// How often a commit whose answer was lost is sent again.
const COMMITS: u32 = 5;
/// The first pause between attempts; each one doubles it, and a random part of it is waited. About the time of one transaction.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Runs `steps` in one transaction and commits it. A refusal by the steps themselves undoes everything and is the answer. Whatever the
/// steps read or write through the session is decided at one point in time; `steps` runs again from the start where another writer was
/// in the way. Every step must use [`Inner::write`] or [`Inner::read`], so that errors keep their labels.
///
/// # Errors
/// What the steps say, not applied; the last refusal where other writers were in the way to the end; an error of the commit, unknown
/// where its answer was lost.
pub(crate) async fn transaction<T, F>(inner: &Inner, mut steps: F) -> Result<T>
where
    T: Send,
    F: for<'s> FnMut(&'s mut ClientSession) -> BoxFuture<'s, Result<T>> + Send,
{
    let begun = Instant::now();
    let mut session = inner.read(async { inner.client.start_session().await }).await?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        match once(inner, &mut session, &mut steps).await {
            Err(error)
                if can_repeat(&error)
                    && attempt < ATTEMPTS
                    && begun.elapsed() < inner.config.operation_timeout =>
            {
                pause(attempt).await;
            }
            answer => return answer,
        }
    }
}

/// Whether an attempt came to nothing only because of what went on beside it.
fn can_repeat(error: &Error) -> bool {
    let in_the_way = error.kind() == ErrorKind::Conflict && error.retry() == Retry::Later;
    error.applied() == Applied::No && (is_transient(error) || in_the_way)
}

async fn once<T, F>(inner: &Inner, session: &mut ClientSession, steps: &mut F) -> Result<T>
where
    F: for<'s> FnMut(&'s mut ClientSession) -> BoxFuture<'s, Result<T>> + Send,
{
    let majority = WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        .build();
    let begin = session
        .start_transaction()
        .read_concern(ReadConcern::snapshot())
        .write_concern(majority)
        .max_commit_time(inner.config.operation_timeout);
    inner.read(begin).await?;
    match steps(session).await {
        Ok(answer) => {
            let committed = commit(inner, session).await;
            // Perhaps no server has heard of the commit, and then the transaction is open and in the way of every other writer.
            if let Err(error) = &committed
                && error.applied() == Applied::Unknown
            {
                release(inner, session).await;
            }
            committed.map(|()| answer)
        }
        Err(error) => {
            if let Err(undo) = inner.read(session.abort_transaction()).await {
                tracing::debug!(error = %undo, "left a transaction to the server to abort");
            }
            // The driver does not say whether an abort was heard, and sends none where it was not answered at all.
            if is_lost(&error) {
                release(inner, session).await;
            }
            // Nothing of a transaction that was never committed is applied, whatever became of the step.
            Err(error.with_applied(Applied::No))
        }
    }
}

/// Ends a transaction that may be open on the server and that the driver does no more about. One that is committed stays so. Where
/// this fails, or a service does not allow it, the server does it by itself: MongoDB after a minute (`transactionLifetimeLimitSeconds`).
async fn release(inner: &Inner, session: &ClientSession) {
    let kill = doc! { "killSessions": [session.id()] };
    let admin = inner.client.database("admin");
    if let Err(error) = inner.read(admin.run_command(kill)).await {
        tracing::debug!(%error, "left a transaction to the server to abort");
    }
}

async fn commit(inner: &Inner, session: &mut ClientSession) -> Result<()> {
    let mut sent = 0;
    loop {
        sent += 1;
        match inner.write(session.commit_transaction()).await {
            Ok(()) => return Ok(()),
            // The server knows a commit that it did before by the transaction's number, so that sending it again is safe.
            Err(error) if is_commit_unknown(&error) && sent < COMMITS => pause(sent).await,
            Err(error) if is_commit_unknown(&error) => return Err(error.with_applied(Applied::Unknown)),
            // A commit that was sent once and refused as transient was not done. After a lost answer that is no longer sure.
            Err(error) if is_transient(&error) && sent == 1 => return Err(error.with_applied(Applied::No)),
            Err(error) if sent > 1 => return Err(error.with_applied(Applied::Unknown)),
            Err(error) => return Err(error),
        }
    }
}

/// Waits a random part of a time that doubles with each attempt.
async fn pause(attempt: u32) {
    let most = FIRST_PAUSE
        .saturating_mul(1 << attempt.min(16))
        .min(LONGEST_PAUSE);
    // A fraction in 1/256: enough to keep two writers apart.
    #[allow(clippy::cast_possible_truncation, reason = "the low byte is as random as any")]
    let part = u32::from(random_u128() as u8);
    tokio::time::sleep(most * part / 256).await;
}

//! One transaction for many requests, each behind a savepoint of its own.

use storage_core::{Applied, Error, ErrorKind, Result, Retry};

use super::job::Job;
use crate::connect::Session;
use crate::error::{classify, is_busy};

/// Runs a group in the transaction that was begun and ends it. Gives back the requests that were not begun because the transaction
/// was lost.
pub(super) fn transact(session: &mut Session, group: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    let mut waiting = group.into_iter();
    let mut done: Vec<Box<dyn Job>> = Vec::with_capacity(waiting.len());
    while let Some(mut job) = waiting.next() {
        let stepped = step(session, &mut *job);
        done.push(job);
        // SQLite ends the transaction by itself after some errors: a full disk, a failed read, no memory.
        let lost = session.connection.is_autocommit();
        if lost || stepped.is_err() {
            roll_back(session);
            let error = match stepped {
                Err(error) => classify(error),
                Ok(()) => Error::new(
                    ErrorKind::Conflict,
                    "a request of the same transaction met a failure of the database that undid them all; try again",
                )
                .with_retry(Retry::Later),
            };
            fail(done, &error);
            return waiting.collect();
        }
    }
    match execute(session, "COMMIT") {
        Ok(()) => done.into_iter().for_each(|job| job.settle(Ok(()))),
        Err(error) => {
            let certain = is_busy(&error) && !session.connection.is_autocommit();
            roll_back(session);
            // The commit record may have reached the disk although the call failed.
            let applied = if certain { Applied::No } else { Applied::Unknown };
            fail(done, &classify(error).with_applied(applied));
        }
    }
    Vec::new()
}

/// Runs one request behind a savepoint.
fn step(session: &mut Session, job: &mut dyn Job) -> rusqlite::Result<()> {
    execute(session, "SAVEPOINT request")?;
    let keep = job.run(session);
    if session.connection.is_autocommit() {
        return Ok(());
    }
    if !keep {
        session.catalog.undone();
        execute(session, "ROLLBACK TO request")?;
    }
    execute(session, "RELEASE request")
}

/// Runs `work` behind a savepoint within a request, so that its refusal undoes only itself.
pub(crate) fn within_savepoint<T>(
    session: &mut Session,
    work: impl FnOnce(&mut Session) -> Result<T>,
) -> Result<Result<T>> {
    execute(session, "SAVEPOINT item").map_err(classify)?;
    let result = work(session);
    if session.connection.is_autocommit() {
        // The transaction is lost, and with it the whole request.
        return result.map(Ok);
    }
    if result.is_err() {
        session.catalog.undone();
        execute(session, "ROLLBACK TO item").map_err(classify)?;
    }
    execute(session, "RELEASE item").map_err(classify)?;
    Ok(result)
}

pub(super) fn execute(session: &Session, sql: &str) -> rusqlite::Result<()> {
    session.connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

pub(super) fn roll_back(session: &mut Session) {
    session.catalog.undone();
    if !session.connection.is_autocommit()
        && let Err(error) = session.connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

/// Tells everybody the same.
pub(super) fn fail(group: Vec<Box<dyn Job>>, error: &Error) {
    for job in group {
        let source = std::error::Error::source(error).map(ToString::to_string);
        let mut copy = Error::new(error.kind(), error.message().to_owned())
            .with_applied(error.applied())
            .with_retry(error.retry());
        if let Some(source) = source {
            copy = copy.with_source(source);
        }
        job.settle(Err(copy));
    }
}

//! One transaction for many requests, each behind a savepoint of its own where it is not alone.

use storage_core::{Applied, Error, ErrorKind, Result, Retry};

use super::job::Job;
use crate::connect::Session;
use crate::error::{classify, is_busy};

/// Runs a group in the transaction that was begun and ends it. Gives back the requests that were not begun because the transaction
/// was lost.
pub(super) fn transact(session: &mut Session, mut group: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    if let [job] = group.as_mut_slice() {
        // The transaction is its alone, and so does what a savepoint would.
        let keep = job.run(session);
        if session.connection.is_autocommit() {
            roll_back(session);
            fail(group, &lost());
        } else if keep {
            commit(session, group);
        } else {
            roll_back(session);
            settle(group);
        }
        return Vec::new();
    }
    let mut waiting = group.into_iter();
    let mut done: Vec<Box<dyn Job>> = Vec::with_capacity(waiting.len());
    while let Some(mut job) = waiting.next() {
        let stepped = step(session, &mut *job);
        done.push(job);
        // SQLite ends the transaction by itself after some errors: a full disk, a failed read, no memory.
        if session.connection.is_autocommit() || stepped.is_err() {
            roll_back(session);
            fail(done, &stepped.map_or_else(classify, |()| lost()));
            return waiting.collect();
        }
    }
    commit(session, done);
    Vec::new()
}

fn commit(session: &mut Session, done: Vec<Box<dyn Job>>) {
    match execute(session, "COMMIT") {
        Ok(()) => settle(done),
        Err(error) => {
            let certain = is_busy(&error) && !session.connection.is_autocommit();
            roll_back(session);
            // The commit record may have reached the disk although the call failed.
            let applied = if certain { Applied::No } else { Applied::Unknown };
            fail(done, &classify(error).with_applied(applied));
        }
    }
}

/// Gives everybody the answer that is theirs.
fn settle(done: Vec<Box<dyn Job>>) {
    done.into_iter().for_each(|job| job.settle(Ok(())));
}

/// What those are told whose transaction is gone without a word.
fn lost() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "a request of the same transaction met a failure of the database that undid them all; try again",
    )
    .with_retry(Retry::Later)
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

//! [`Writer`]: the one thread that writes, and its group commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use storage_core::{Applied, Error, ErrorKind, Result, Retry};
use tokio::sync::oneshot;

use crate::connect::Session;
use crate::error::{classify, is_busy};

/// The most requests in one transaction: beyond this the flush no longer dominates and latency grows for nothing.
const GROUP_REQUESTS: usize = 256;
/// The most bytes the requests of one transaction carry, unless a single one has more.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// The first and the longest pause between two looks at a write lock somebody else holds.
const FIRST_LOOK: Duration = Duration::from_micros(250);
const LONGEST_LOOK: Duration = Duration::from_millis(1);
/// How long the lock is left alone between two transactions where others write too: longer than a waiter's pause, so it gets in.
const GIVE_WAY: Duration = Duration::from_micros(1500);
/// How long a foreign write counts as a sign of others.
const OTHERS_REMEMBERED: Duration = Duration::from_secs(1);

/// The connection that writes. In memory, readers share it.
pub(crate) type Shared = Arc<Mutex<Option<Session>>>;

/// Takes requests to the thread that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Option<Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
}

/// A request, whatever its answer is.
trait Job: Send {
    fn bytes(&self) -> usize;
    /// Does the work and keeps the answer. `false` if it has to be undone.
    fn run(&mut self, session: &mut Session) -> bool;
    /// Gives the answer, or tells why the transaction came to nothing.
    fn settle(self: Box<Self>, outcome: Result<(), Error>);
}

struct Request<W, T> {
    bytes: usize,
    work: Option<W>,
    answer: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<W, T> Job for Request<W, T>
where
    W: FnOnce(&mut Session) -> Result<T> + Send,
    T: Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, session: &mut Session) -> bool {
        let answer = match self.work.take() {
            Some(work) => catch_unwind(AssertUnwindSafe(|| work(session)))
                .unwrap_or_else(|panic| Err(panicked(&*panic))),
            None => Err(Error::new(ErrorKind::Internal, "a request ran twice")),
        };
        let keep = answer.is_ok();
        self.answer = Some(answer);
        keep
    }

    fn settle(self: Box<Self>, outcome: Result<(), Error>) {
        let answer = match (self.answer, outcome) {
            (Some(answer), Ok(())) => answer,
            (None, Ok(())) => Err(Error::new(ErrorKind::Internal, "a request was never run")),
            (Some(Err(own)), Err(_)) if is_failure_of_medium(own.kind()) => Err(own),
            // It may have been refused for what the group wrote before it, which came to nothing.
            (Some(Err(_)), Err(group)) => Err(group.with_applied(Applied::No)),
            (_, Err(group)) => Err(group),
        };
        // Whoever asked may be gone; the work is done all the same.
        let _ = self.reply.send(answer);
    }
}

/// Whether an error tells of the medium, and not of what was there.
const fn is_failure_of_medium(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Corrupt
            | ErrorKind::Internal
            | ErrorKind::Io
            | ErrorKind::NoSpace
            | ErrorKind::PermissionDenied
    )
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::new(
        ErrorKind::Internal,
        format!(
            "a write panicked and was undone: {}",
            said.unwrap_or("no message")
        ),
    )
}

impl Writer {
    /// Starts the thread on an open connection.
    pub(crate) fn start(session: Shared, busy_timeout: Duration) -> Result<Self> {
        let (queue, requests) = channel();
        let thread = std::thread::Builder::new()
            .name("storage-sqlite".into())
            .spawn(move || {
                Turns {
                    session,
                    busy_timeout,
                    last_commit: None,
                    others: None,
                    data_version: None,
                }
                .serve(&requests)
            })
            .map_err(|error| {
                Error::new(ErrorKind::Io, "the thread that writes cannot be started").with_source(error)
            })?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Does work in a transaction that is committed, together with others, before this returns. `bytes` is about how much it writes.
    ///
    /// Once asked for, it happens even when nobody waits for the answer.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.ask(bytes, work)?.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Asks for work without waiting.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>> {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(Request {
            bytes,
            work: Some(work),
            answer: None,
            reply,
        });
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or_else(closed)?;
        queue
            .send(job)
            .map_err(|_| Error::new(ErrorKind::Internal, "the thread that writes ended"))?;
        Ok(answer)
    }

    /// Lets the thread finish what was asked for and waits for its end. Blocks; the second call finds nothing to do.
    pub(crate) fn close(&self) -> Result<()> {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => Err(panicked(&*panic)),
        }
    }
}

/// The thread took a request and never answered.
pub(crate) fn ended() -> Error {
    Error::new(ErrorKind::Internal, "the thread that writes ended").with_applied(Applied::Unknown)
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the database was closed; open it again")
}

/// The thread's own state.
struct Turns {
    session: Shared,
    busy_timeout: Duration,
    last_commit: Option<Instant>,
    /// When another connection was last seen to write.
    others: Option<Instant>,
    data_version: Option<i64>,
}

impl Turns {
    fn serve(mut self, requests: &Receiver<Box<dyn Job>>) -> Result<()> {
        while let Ok(first) = requests.recv() {
            let mut bytes = first.bytes();
            let mut group = vec![first];
            while group.len() < GROUP_REQUESTS && bytes < GROUP_BYTES {
                let Ok(next) = requests.try_recv() else { break };
                bytes = bytes.saturating_add(next.bytes());
                group.push(next);
            }
            self.serve_group(group);
        }
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        session.map_or(Ok(()), finish)
    }

    fn serve_group(&mut self, mut group: Vec<Box<dyn Job>>) {
        let session = Arc::clone(&self.session);
        let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
        while !group.is_empty() {
            let Some(session) = session.as_mut() else {
                return group.into_iter().for_each(|job| job.settle(Err(closed())));
            };
            if let Err(error) = self.begin(session) {
                return fail(group, &error);
            }
            group = transact(session, group);
            self.last_commit = Some(Instant::now());
        }
    }

    /// Takes the write lock, giving way where others write too.
    fn begin(&mut self, session: &mut Session) -> Result<()> {
        if self.others.is_some_and(|seen| seen.elapsed() < OTHERS_REMEMBERED)
            && let Some(since) = self.last_commit.map(|last| last.elapsed())
        {
            std::thread::sleep(GIVE_WAY.saturating_sub(since));
        }
        let started = Instant::now();
        let mut pause = FIRST_LOOK;
        loop {
            match execute(session, "BEGIN IMMEDIATE") {
                Ok(()) => break,
                Err(error) if !is_busy(&error) => return Err(classify(error)),
                Err(error) if started.elapsed() >= self.busy_timeout => {
                    let message = format!(
                        "another process kept the database locked for {:?}",
                        self.busy_timeout
                    );
                    return Err(Error::new(ErrorKind::Timeout, message)
                        .with_retry(Retry::Later)
                        .with_source(error));
                }
                Err(_) => {
                    self.others = Some(Instant::now());
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_LOOK);
                }
            }
        }
        let looked = self
            .look_for_others(session)
            .and_then(|()| session.catalog.refresh(&session.connection));
        if looked.is_err() {
            roll_back(session);
        }
        looked
    }

    fn look_for_others(&mut self, session: &Session) -> Result<()> {
        let mut statement = session
            .connection
            .prepare_cached("PRAGMA data_version")
            .map_err(classify)?;
        let version = statement.query_row([], |row| row.get(0)).map_err(classify)?;
        if self
            .data_version
            .replace(version)
            .is_some_and(|before| before != version)
        {
            self.others = Some(Instant::now());
        }
        Ok(())
    }
}

/// Runs a group in the transaction that was begun and ends it. Gives back the requests that were not begun because the transaction
/// was lost.
fn transact(session: &mut Session, group: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
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

fn execute(session: &Session, sql: &str) -> rusqlite::Result<()> {
    session.connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

fn roll_back(session: &mut Session) {
    session.catalog.undone();
    if !session.connection.is_autocommit()
        && let Err(error) = session.connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

/// Tells everybody the same.
fn fail(group: Vec<Box<dyn Job>>, error: &Error) {
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

/// Brings the log back into the database file and closes the connection.
fn finish(session: Session) -> Result<()> {
    // Somebody else may be reading or writing; then it is up to them. The log holds everything either way.
    let checkpoint = session
        .connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let checkpoint = match checkpoint {
        Err(error) if !is_busy(&error) => Err(classify(error)),
        _ => Ok(()),
    };
    session.connection.close().map_err(|(_, error)| classify(error))?;
    checkpoint
}

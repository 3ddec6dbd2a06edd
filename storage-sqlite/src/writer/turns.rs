//! [`Turns`]: what the thread does: forms groups and takes its turn at the write lock.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use storage_core::{Error, ErrorKind, Result, Retry};

use super::group::{execute, fail, roll_back, transact};
use super::job::Job;
use super::{Shared, closed};
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

/// The thread's own state.
pub(super) struct Turns {
    session: Shared,
    busy_timeout: Duration,
    last_commit: Option<Instant>,
    /// When another connection was last seen to write.
    others: Option<Instant>,
    data_version: Option<i64>,
}

impl Turns {
    pub(super) const fn new(session: Shared, busy_timeout: Duration) -> Self {
        Self {
            session,
            busy_timeout,
            last_commit: None,
            others: None,
            data_version: None,
        }
    }

    pub(super) fn serve(mut self, requests: &Receiver<Box<dyn Job>>) -> Result<()> {
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

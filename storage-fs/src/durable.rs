//! What is made to survive, and what is known not to have.
//!
//! A failed sync is never repeated: the system reports it once and then forgets the pages (see `fsync(2)`, and PostgreSQL's
//! answer to it). Before publication the old value stands, and the error is an ordinary one. After it nobody knows, and this
//! handle takes no more writes until it is opened again.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::fstat;
use rustix::io::Errno;
use storage_core::{Applied, Durability, Error, ErrorKind, Result};

use crate::error::{doubtful, failed};
use crate::system::System;

/// How many directories are remembered as durable before the memory is emptied; each costs one sync to learn again.
const MAX_KNOWN: usize = 100_000;

/// Syncs files and directories, or does not, as configured.
#[derive(Debug)]
pub(crate) struct Durable {
    system: System,
    level: Durability,
    poisoned: AtomicBool,
    /// Directories whose entry in their parent is known to be durable.
    known: Mutex<HashSet<String>>,
    /// One turn for each directory that is being synced now.
    turns: Mutex<HashMap<(u64, u64), Arc<Turn>>>,
}

/// Syncs of one directory: those who come while one is under way share the next.
#[derive(Debug, Default)]
struct Turn {
    state: Mutex<TurnState>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct TurnState {
    begun: u64,
    ended: u64,
}

impl Durable {
    pub(crate) fn new(system: System, level: Durability) -> Self {
        Self {
            system,
            level,
            poisoned: AtomicBool::new(false),
            known: Mutex::default(),
            turns: Mutex::default(),
        }
    }

    /// Whether anything is synced at all.
    fn syncs(&self) -> bool {
        self.level >= Durability::PowerLoss
    }

    /// Refuses to write once a sync failed after publication.
    pub(crate) fn check(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Io,
                "an earlier write could not be made durable, so this handle only reads; check the disk and open it again",
            ));
        }
        Ok(())
    }

    /// Takes note of a step whose outcome nobody knows.
    pub(crate) fn judge<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome
            .as_ref()
            .is_err_and(|error| error.applied() == Applied::Unknown)
        {
            self.poisoned.store(true, Ordering::Release);
        }
        outcome
    }

    /// Makes a file's content and attributes durable, before it is published.
    pub(crate) fn file(&self, file: BorrowedFd<'_>) -> Result<()> {
        if !self.syncs() {
            return Ok(());
        }
        self.system.sync_file(file).map_err(failed)
    }

    /// Makes what was appended to a file durable. A failure is the caller's to judge.
    pub(crate) fn data(&self, file: BorrowedFd<'_>) -> rustix::io::Result<()> {
        if !self.syncs() {
            return Ok(());
        }
        self.system.sync_data(file)
    }

    /// Makes the entries of a directory durable, after one was added, replaced or removed. On failure the outcome is unknown and
    /// the handle takes no more writes.
    pub(crate) fn directory(&self, directory: BorrowedFd<'_>) -> Result<()> {
        if !self.syncs() {
            return Ok(());
        }
        let outcome = self.share(directory);
        outcome.map_err(|errno| {
            self.poisoned.store(true, Ordering::Release);
            doubtful(errno)
        })
    }

    /// Makes the entries of a directory durable that others created: it may be none of ours to open, or on a disk that is only read
    /// and knows no syncing.
    pub(crate) fn found(&self, directory: rustix::io::Result<impl AsFd>) -> Result<()> {
        if !self.syncs() {
            return Ok(());
        }
        match directory.and_then(|directory| self.system.sync_directory(directory.as_fd())) {
            Ok(()) | Err(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::INVAL) => Ok(()),
            Err(errno) => Err(failed(errno)),
        }
    }

    fn share(&self, directory: BorrowedFd<'_>) -> rustix::io::Result<()> {
        let stat = fstat(directory)?;
        #[allow(clippy::unnecessary_cast, reason = "not unnecessary everywhere")]
        let id = (stat.st_dev as u64, stat.st_ino as u64);
        let turn = Arc::clone(lock(&self.turns).entry(id).or_default());
        let outcome = self.take(&turn, directory);
        let mut turns = lock(&self.turns);
        // Only the map and this caller: nobody waits, and whoever comes next begins anew.
        if Arc::strong_count(&turn) == 2 {
            turns.remove(&id);
        }
        outcome
    }

    fn take(&self, turn: &Turn, directory: BorrowedFd<'_>) -> rustix::io::Result<()> {
        let mut state = lock(&turn.state);
        // Only a sync that begins after this moment is sure to hold what the caller did.
        let needed = state.begun + 1;
        while state.begun > state.ended {
            state = turn.over.wait(state).unwrap_or_else(PoisonError::into_inner);
            if state.ended >= needed {
                // The system tells only one of those who share a failure; the poison tells the others.
                return if self.poisoned.load(Ordering::Acquire) {
                    Err(Errno::IO)
                } else {
                    Ok(())
                };
            }
        }
        if state.ended >= needed {
            return if self.poisoned.load(Ordering::Acquire) {
                Err(Errno::IO)
            } else {
                Ok(())
            };
        }
        state.begun += 1;
        drop(state);
        let outcome = self.system.sync_directory(directory);
        if outcome.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        let mut state = lock(&turn.state);
        state.ended = state.begun;
        drop(state);
        turn.over.notify_all();
        outcome
    }

    /// Whether a directory's entry in its parent is durable as far as this handle knows.
    pub(crate) fn knows(&self, path: &str) -> bool {
        !self.syncs() || lock(&self.known).contains(path)
    }

    /// Remembers that a directory's entry in its parent is durable.
    pub(crate) fn remember(&self, path: &str) {
        if self.syncs() {
            let mut known = lock(&self.known);
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
            known.insert(path.to_owned());
        }
    }

    /// Forgets a directory that somebody removed.
    pub(crate) fn forget(&self, path: &str) {
        lock(&self.known).remove(path);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

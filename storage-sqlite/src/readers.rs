//! [`Readers`]: connections that read. Short reads run at once on the calling thread, long ones on a thread of their own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use storage_core::{Error, ErrorKind, Result};
use tokio::sync::Semaphore;

use crate::config::{Place, SqliteConfig};
use crate::connect::{self, Session};
use crate::error::classify;
use crate::writer::{Shared, closed};

/// The connections that read.
#[derive(Debug, Clone)]
pub(crate) enum Readers {
    /// The writer's own; it is never within a transaction while it is not locked.
    Memory(Shared),
    /// Connections of their own, which see what is committed.
    File(Arc<FileReaders>),
}

#[derive(Debug)]
pub(crate) struct FileReaders {
    config: SqliteConfig,
    path: PathBuf,
    /// For short reads; held for microseconds, so a wait on the calling thread is one too.
    short: Vec<Mutex<Option<Session>>>,
    turn: AtomicUsize,
    /// For long reads: those that are idle, opened when first needed.
    long: Mutex<Option<Vec<Session>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn open(config: &SqliteConfig, writing: &Shared) -> Result<Self> {
        let Place::File(path) = &config.place else {
            return Ok(Self::Memory(Arc::clone(writing)));
        };
        let short = (0..config.read_connections)
            .map(|_| Ok(Mutex::new(Some(connect::reading(config, path)?))))
            .collect::<Result<_>>()?;
        Ok(Self::File(Arc::new(FileReaders {
            path: path.clone(),
            short,
            turn: AtomicUsize::new(0),
            long: Mutex::new(Some(Vec::new())),
            permits: Arc::new(Semaphore::new(config.read_connections)),
            config: config.clone(),
        })))
    }

    /// Reads at once, on the calling thread: only what takes microseconds.
    pub(crate) fn short<T>(&self, read: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        let mut session = match self {
            Self::Memory(shared) => shared.lock().unwrap_or_else(PoisonError::into_inner),
            Self::File(readers) => readers.idle(),
        };
        let session = session.as_mut().ok_or_else(closed)?;
        if !session.connection.is_autocommit() {
            // A read that panicked left its transaction open.
            session.connection.execute_batch("ROLLBACK").map_err(classify)?;
        }
        read(session)
    }

    /// Reads on a thread where blocking is fine.
    pub(crate) async fn long<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // The permit goes with the work, also when nobody waits for it any more.
        let permit = match self {
            Self::Memory(_) => None,
            Self::File(readers) => Some(
                Arc::clone(&readers.permits)
                    .acquire_owned()
                    .await
                    .map_err(|_| closed())?,
            ),
        };
        let readers = self.clone();
        let work = move || {
            let result = match &readers {
                Self::Memory(_) => readers.short(read),
                Self::File(readers) => readers.with_long(read),
            };
            drop(permit);
            result
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Internal, "a read panicked").with_source(error))
        })
    }

    /// Closes what is idle now and the rest when it comes back. Blocks for a moment.
    pub(crate) fn close(&self) -> Result<()> {
        let Self::File(readers) = self else { return Ok(()) };
        readers.permits.close();
        let long = readers.long.lock().unwrap_or_else(PoisonError::into_inner).take();
        let short = readers
            .short
            .iter()
            .filter_map(|slot| slot.lock().unwrap_or_else(PoisonError::into_inner).take());
        for session in short.chain(long.unwrap_or_default()) {
            session.connection.close().map_err(|(_, error)| classify(error))?;
        }
        Ok(())
    }
}

impl FileReaders {
    /// A connection nobody uses at the moment, or else the first that becomes free in its turn.
    fn idle(&self) -> MutexGuard<'_, Option<Session>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        for at in 0..self.short.len() {
            match self.short[(turn + at) % self.short.len()].try_lock() {
                Ok(session) => return session,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.short[turn % self.short.len()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn with_long<T>(&self, read: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        let idle = self
            .long
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .ok_or_else(closed)?
            .pop();
        let mut session = match idle {
            Some(session) => session,
            None => connect::reading(&self.config, &self.path)?,
        };
        // A panic drops the connection, and the next read opens another.
        let result = read(&mut session);
        if let Some(idle) = self.long.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            idle.push(session);
        }
        result
    }
}

/// Reads from one state of the database, whatever is committed meanwhile, with the collections and indexes there are in it.
pub(crate) fn snapshot<T>(session: &mut Session, read: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
    plain_snapshot(session, |session| {
        session.catalog.refresh(&session.connection)?;
        read(session)
    })
}

/// As [`snapshot`], for what has nothing to do with collections.
pub(crate) fn plain_snapshot<T>(
    session: &mut Session,
    read: impl FnOnce(&mut Session) -> Result<T>,
) -> Result<T> {
    let execute = |session: &Session, sql: &str| session.connection.prepare_cached(sql)?.execute([]);
    execute(session, "BEGIN").map_err(classify)?;
    let result = read(session);
    match execute(session, "COMMIT") {
        Ok(_) => {}
        Err(error) if result.is_ok() => return Err(classify(error)),
        Err(_) => {
            let _ = session.connection.execute_batch("ROLLBACK");
        }
    }
    result
}

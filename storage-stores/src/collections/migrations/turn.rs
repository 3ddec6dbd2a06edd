//! [`Turn`]: being the only migrator at work.
//!
//! The lease keeps others out. What protects the data from a migrator that was paused for longer than its lease lives is the state:
//! every write of it is conditional on what this migrator read or wrote last, and whoever comes next writes it before anything else.
//! Where the backend has atomic batches, documents are written in the same batch as the state; where it has guarded writes, under the
//! lease's fence; elsewhere conditionally on what was read of each document.

use std::time::Duration;

use futures::future::{Either, select};
use storage_core::bson::RawDocumentBuf;
use storage_core::{
    Collection, Condition, Error, ErrorKind, Fence, KeepAlive, Lease, PutOptions, Result, Storage, Version,
};

use super::options::MigrationOptions;
use super::state::{COLLECTION, STATE, State};

/// The lease of whoever migrates, backs up or restores.
const LEASE: &str = "migrations";

/// Documents as bytes.
pub(crate) type Documents = Collection<RawDocumentBuf>;

/// Being the only migrator at work, and the state as this one knows it.
pub(crate) struct Turn {
    pub(super) storage: Storage,
    lease: Lease,
    state: State,
    version: Option<Version>,
}

/// The state on the medium, and its version; the initial one where there is none.
pub(crate) async fn read_state(storage: &Storage) -> Result<(State, Option<Version>)> {
    let documents: Documents = storage.collection(COLLECTION);
    match documents.get(STATE).await? {
        Some(document) => Ok((State::of_document(&document.value)?, Some(document.version))),
        None => Ok((State::default(), None)),
    }
}

impl Turn {
    /// Waits for the lease, then reads the state.
    ///
    /// # Errors
    /// `Timeout` where another migrator keeps it for longer than the options say; `Corrupt` for a damaged state.
    pub(crate) async fn take(storage: &Storage, options: &MigrationOptions) -> Result<(Self, KeepAlive)> {
        let request = storage.lease(LEASE, options.lease_ttl);
        let lease = tokio::time::timeout(options.wait, request.acquire())
            .await
            .map_err(|_| busy(options.wait))??;
        let keep = lease.keep_alive();
        match read_state(storage).await {
            Ok((state, version)) => {
                let turn = Self {
                    storage: storage.clone(),
                    lease,
                    state,
                    version,
                };
                Ok((turn, keep))
            }
            Err(error) => {
                // The error matters; the lease runs out by itself.
                let _ = lease.release().await;
                Err(error)
            }
        }
    }

    /// Lets others in. Where that fails the lease runs out by itself, so it is no failure of the work.
    pub(crate) async fn end(self) {
        let _ = self.lease.release().await;
    }

    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    pub(crate) const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Refuses to go on once the lease may be another's.
    pub(crate) fn check_held(&self) -> Result<()> {
        if self.lease.is_held() { Ok(()) } else { Err(lost()) }
    }

    /// Under what single documents are written, where the backend can.
    pub(super) fn fence(&self) -> Option<Fence> {
        let declaration = self.storage.declaration();
        declaration
            .support(storage_core::Capability::GuardedWrite)
            .is_present()
            .then(|| self.lease.fence())
    }

    /// Options for writing a document.
    pub(super) fn guarded(&self, condition: Condition) -> PutOptions {
        let options = PutOptions::new().condition(condition);
        match self.fence() {
            Some(fence) => options.fence(fence),
            None => options,
        }
    }

    /// The condition under which the state is still what this migrator knows.
    pub(super) fn unchanged(&self) -> Condition {
        match &self.version {
            Some(version) => Condition::IfVersion(version.clone()),
            None => Condition::IfAbsent,
        }
    }

    pub(super) fn state_documents(&self) -> Documents {
        self.storage.collection(COLLECTION)
    }

    /// Writes a changed state.
    ///
    /// # Errors
    /// `LeaseLost` when another migrator has taken over.
    pub(crate) async fn record(&mut self, change: impl FnOnce(&mut State) + Send) -> Result<()> {
        self.check_held()?;
        let mut state = self.state.clone();
        change(&mut state);
        let options = self.guarded(self.unchanged());
        let version = self
            .state_documents()
            .put_with(STATE, &state.to_document()?, options)
            .await
            .map_err(taken_over)?;
        self.adopt(state, version);
        Ok(())
    }

    /// Makes the state what it was in a backup, which may be that there was none.
    pub(crate) async fn replace_state(&mut self, state: Option<State>) -> Result<()> {
        match (state, self.version.clone()) {
            (Some(state), _) => self.record(|current| *current = state).await,
            (None, None) => Ok(()),
            (None, Some(version)) => {
                self.check_held()?;
                let deleted = self.state_documents().delete_if(STATE, version).await;
                deleted.map_err(taken_over)?;
                (self.state, self.version) = (State::default(), None);
                Ok(())
            }
        }
    }

    /// The state was written in a batch.
    pub(super) fn adopt(&mut self, state: State, version: Version) {
        (self.state, self.version) = (state, Some(version));
    }

    /// Whether the state on the medium is still what this migrator knows.
    pub(super) async fn confirm(&self) -> Result<()> {
        let (_, version) = read_state(&self.storage).await?;
        if version == self.version {
            Ok(())
        } else {
            Err(lost())
        }
    }
}

/// The work, unless the lease is lost first.
pub(crate) async fn while_kept<R>(
    keep: &mut KeepAlive,
    work: impl Future<Output = Result<R>> + Send,
) -> Result<R> {
    match select(Box::pin(work), Box::pin(keep.lost())).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(lost()),
    }
}

fn lost() -> Error {
    Error::new(
        ErrorKind::LeaseLost,
        "another migrator has taken over; look at `storage migrate status`, and run it again where something is left to do",
    )
    .with_key(LEASE)
}

/// A lost condition on the state says that somebody else wrote it.
fn taken_over(error: Error) -> Error {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed => lost().with_source(error),
        _ => error,
    }
}

fn busy(waited: Duration) -> Error {
    let message = format!(
        "another migrator has been at work for {waited:?}; wait for it (`storage migrate status` shows how far it is), or end its \
         turn with `storage lease break {LEASE}` if its process is gone"
    );
    Error::new(ErrorKind::Timeout, message)
        .with_key(LEASE)
        .with_retry(storage_core::Retry::Later)
}

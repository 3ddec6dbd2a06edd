//! [`Audit`]: who did what to which key, when, and what came of it, in a log that shows if it was touched.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use storage_core::{
    AppendRequest, Appended, Area, BatchOperation, BatchRequest, Capability, Clock, Error, ErrorKind, Key,
    Name, PutRequest, Result, StorageAdapter, StorageBackend, SystemClock, Version,
};

use crate::call::{Answer, Around, Call, Operation};
use crate::forward::{around, forward};
use crate::outcome::{OK, kind, outcome};

mod entry;
mod journal;
mod log;
mod verify;

use self::entry::Draft;
pub use self::entry::{AuditEntry, AuditPhase};
use self::journal::Journal;
pub use self::log::{AuditCall, AuditLog};
pub use self::verify::{AuditAnchor, AuditProblem, AuditReport, AuditTrail};

/// The log, unless another is chosen. The library's own by its name.
pub const DEFAULT_LOG: &str = "_storage.audit";

tokio::task_local! {
    static ACTOR: Arc<str>;
}

/// Does this work in somebody's name: what an [`Audit`] records meanwhile, in this task, is theirs.
///
/// ```
/// # async fn f(storage: storage_core::Storage) -> storage_core::Result<()> {
/// storage_layers::acting_as("ada", storage.objects().write("a", "1")).await?;
/// # Ok(()) }
/// ```
pub async fn acting_as<F: Future>(actor: impl Into<Arc<str>>, work: F) -> F::Output {
    ACTOR.scope(actor.into(), work).await
}

/// Records every change in an append-only log of the storage itself, or of another.
///
/// # What is promised
/// - No change without a record: what is about to be done is in the log, as durable as its appends are, before it begins. If that cannot be
///   written nothing is done, and the error says `applied: No`.
/// - What came of it follows. Where it is missing, nobody lived, or waited, to see it: [`AuditReport::unfinished`] counts those.
/// - Each entry holds the hash of the one before it, and a record beside the log, the *head*, says how many there are and the hash of the
///   last. [`AuditTrail::verify`] finds entries that were changed, removed, put in another order or cut off the end; a log that is shorter
///   than its head takes no more entries.
/// - With a [`key`](AuditOptions::key) the hashes cannot be made anew by who does not have it. Without one they show accidents and careless
///   hands, not somebody who writes the whole log and its head anew. Log and head put back together to an earlier state are found only by an
///   [anchor](AuditAnchor) kept elsewhere.
/// - Through this layer the log can be read and not be written; it is not among the names of [`logs`](StorageAdapter::logs).
///
/// Keys and names are recorded, values never. Reads are recorded, once they are over, where that is asked for.
///
/// # What it costs
/// Two appends and two writes of the head for each change; what waits at the same moment shares them. It works on a tokio runtime. It belongs
/// near the top: above retries, so that one call is one record, and above what seals, so that names are those that were used.
#[derive(Debug)]
pub struct Audit<A: ?Sized> {
    journal: Arc<Journal>,
    actor: Arc<str>,
    reads: bool,
    /// Whether the log lies in what this wraps.
    within: bool,
    inner: Arc<A>,
}

/// Who is recorded, where, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuditOptions {
    /// Who acts, where nobody says [`acting_as`].
    pub actor: String,
    /// The log; [`DEFAULT_LOG`].
    pub log: String,
    /// Whether reads are recorded too; off.
    pub reads: bool,
    /// What the hashes are made with; without one they are plain.
    pub key: Option<AuditKey>,
}

impl AuditOptions {
    /// Changes, recorded in this name.
    pub fn new(actor: impl Into<String>) -> Self {
        Self {
            actor: actor.into(),
            log: DEFAULT_LOG.to_owned(),
            reads: false,
            key: None,
        }
    }
}

/// A secret that hashes are made with.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditKey(pub(crate) [u8; 32]);

impl AuditKey {
    /// The key of these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key in this text: 64 hexadecimal digits, white space around them left out.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else; what was given is not shown.
    pub fn from_hex(text: &str) -> Result<Self> {
        let hash = blake3::Hash::from_hex(text.trim());
        let hash = hash.map_err(|_| Error::invalid_argument("an audit key is 64 hexadecimal digits"))?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey(…)")
    }
}

impl<A: StorageAdapter> Audit<A> {
    /// Records in a log of the storage itself.
    ///
    /// # Errors
    /// `Unsupported` where there are no logs or documents; `Corrupt` when the log is not what its head says; those of the adapter.
    pub async fn open(inner: A, options: AuditOptions) -> Result<Self> {
        let inner = Arc::new(inner);
        let place = Arc::clone(&inner) as Arc<dyn StorageAdapter>;
        Self::with(inner, place, true, options).await
    }

    /// Records in a log of another storage, which is closed with this one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_in(inner: A, place: Arc<dyn StorageAdapter>, options: AuditOptions) -> Result<Self> {
        Self::with(Arc::new(inner), place, false, options).await
    }

    async fn with(
        inner: Arc<A>,
        place: Arc<dyn StorageAdapter>,
        within: bool,
        options: AuditOptions,
    ) -> Result<Self> {
        for needed in [Capability::Logs, Capability::Documents] {
            place.declaration().require(needed)?;
        }
        Ok(Self {
            journal: Arc::new(Journal::open(place, Name::new(&options.log)?, options.key).await?),
            actor: options.actor.into(),
            reads: options.reads,
            within,
            inner,
        })
    }

    /// What was recorded so far.
    pub fn trail(&self) -> AuditTrail {
        self.journal.trail()
    }

    /// Records the calls, does the work, records what came of each.
    async fn recorded<R: Answer>(
        &self,
        calls: Vec<Call>,
        work: BoxFuture<'_, Result<R>>,
        outcomes: impl Fn(&R) -> Vec<&'static str> + Send + Sync,
    ) -> Result<R> {
        let drafts: Vec<Draft> = calls
            .iter()
            .map(|call| self.draft(call, AuditPhase::Began))
            .collect();
        let ended = drafts.clone();
        self.journal.record(drafts).await?;
        let answer = work.await;
        let single = outcome(&answer);
        let each = answer.as_ref().map(&outcomes).unwrap_or_default();
        let ended = ended.into_iter().enumerate().map(|(at, draft)| {
            draft.ended(
                SystemClock::default().now(),
                each.get(at).copied().unwrap_or(single),
            )
        });
        if let Err(error) = self.journal.record(ended.collect()).await {
            // It was done, or refused, whatever can be recorded of it; the log shows that the end is missing.
            tracing::warn!(%error, "what came of a call could not be recorded");
        }
        answer
    }

    fn draft(&self, call: &Call, phase: AuditPhase) -> Draft {
        let actor = ACTOR
            .try_with(Arc::clone)
            .unwrap_or_else(|_| Arc::clone(&self.actor));
        Draft::new(actor, call, phase, SystemClock::default().now())
    }

    fn check_log(&self, log: &Name) -> Result<()> {
        if self.within && log == self.journal.log() {
            return Err(Error::new(
                ErrorKind::PermissionDenied,
                "this log is the audit's; only what is done is written to it",
            ));
        }
        Ok(())
    }
}

impl<A: StorageAdapter> Around for Audit<A> {
    async fn around<'a, R: Answer>(&'a self, call: Call, work: BoxFuture<'a, Result<R>>) -> Result<R> {
        if call.operation.changes() {
            return self.recorded(vec![call], work, |_| Vec::new()).await;
        }
        let step = matches!(
            call.operation,
            Operation::AbortWrite | Operation::OpenWriter | Operation::WritePart
        );
        let answer = work.await;
        if self.reads && !step {
            let draft = self.draft(&call, AuditPhase::Did).with_outcome(outcome(&answer));
            if let Err(error) = self.journal.record(vec![draft]).await {
                // Who may read only what is recorded must not read what cannot be.
                return answer.and(Err(error));
            }
        }
        answer
    }
}

fn words<T>(results: &[Result<T>]) -> Vec<&'static str> {
    let word = |result: &Result<T>| result.as_ref().map_or_else(|error| kind(error.kind()), |_| OK);
    results.iter().map(word).collect()
}

#[async_trait]
impl<A: StorageAdapter> StorageBackend for Audit<A> {
    forward! { inner: declaration }

    around! { inner: read, write, stat, delete, list, open_writer, copy, presign }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        let calls = keys
            .iter()
            .map(|key| Call::object(Operation::Delete, area, key))
            .collect();
        let work = self.inner.delete_many(area, keys);
        self.recorded(calls, work, |results| words(results)).await
    }

    async fn health(&self) -> Result<()> {
        self.inner.health().await?;
        if self.within {
            Ok(())
        } else {
            self.journal.health().await
        }
    }

    /// Closes what is below and, where it is another, the storage of the log, also when the first fails.
    async fn close(&self) -> Result<()> {
        let closed = self.inner.close().await;
        if self.within {
            closed
        } else {
            closed.and(self.journal.close().await)
        }
    }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Audit<A> {
    around! { inner:
        put, get, get_many, delete_document, find, count, explain, collections,
        ensure_index, drop_index, indexes, rebuild_index, index_stats, watch, read_log, sweep
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        let call = |request: &PutRequest| Call::document(Operation::Put, collection, &request.id);
        let calls = requests.iter().map(call).collect();
        let work = self.inner.put_many(collection, requests);
        self.recorded(calls, work, |results| words(results)).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        let call = |(collection, operation): &(Name, BatchOperation)| match operation {
            BatchOperation::Put(request) => Call::document(Operation::Put, collection, &request.id),
            BatchOperation::Delete(request) => {
                Call::document(Operation::DeleteDocument, collection, &request.id)
            }
        };
        let calls = batch.operations.iter().map(call).collect();
        self.recorded(calls, self.inner.commit(batch), |_| Vec::new())
            .await
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        self.check_log(log)?;
        let call = Call::log(Operation::Append, log);
        self.around(call, self.inner.append(log, request)).await
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        self.check_log(log)?;
        let call = Call::log(Operation::CloseLog, log);
        self.around(call, self.inner.close_log(log)).await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        self.check_log(log)?;
        let call = Call::log(Operation::DeleteLog, log);
        self.around(call, self.inner.delete_log(log)).await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        // One more than asked for, so that leaving one out never makes a page look like the last.
        let names = self.inner.logs(after, limit.saturating_add(1)).await?;
        let others = names.into_iter().filter(|name| self.check_log(name).is_ok());
        Ok(others.take(limit).collect())
    }
}

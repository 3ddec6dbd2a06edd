//! [`Journal`]: appends entries one behind the other, also where other handles and processes do the same.
//!
//! An append names its place, so of two that meet one is refused, reads who was first and chains its entries anew. Appends run in tasks of
//! their own: a caller that goes away leaves no half entry, and those who wait at the same moment share one append.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use storage_core::bson::{Document, RawDocumentBuf, doc};
use storage_core::{
    AppendRequest, Applied, Clock, Condition, DocumentId, Error, ErrorKind, Name, PutRequest, Result,
    StorageAdapter, SystemClock, Version,
};
use tokio::sync::oneshot;

use super::AuditKey;
use super::entry::{AuditEntry, Draft, Hash};
use super::verify::AuditTrail;

/// Where heads lie, each under the name of its log.
const HEADS: &str = "_storage.audit";
/// The most entries of one append: far below what every backend takes, with the longest keys.
const MOST: usize = 1000;
/// How often an append whose answer is lost is tried again.
const ATTEMPTS: u32 = 5;

#[derive(Debug)]
pub(super) struct Journal {
    place: Arc<dyn StorageAdapter>,
    log: Name,
    key: Option<AuditKey>,
    /// Where the next entry goes, while that is known.
    tail: tokio::sync::Mutex<Option<Tail>>,
    queue: Mutex<Vec<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    drafts: Vec<Draft>,
    done: oneshot::Sender<Result<()>>,
}

#[derive(Debug, Clone)]
struct Tail {
    next: u64,
    previous: Hash,
    head: Option<Version>,
}

/// How many entries there are, and the hash of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) next: u64,
    pub(super) last: Hash,
}

impl Journal {
    pub(super) async fn open(
        place: Arc<dyn StorageAdapter>,
        log: Name,
        key: Option<AuditKey>,
    ) -> Result<Self> {
        let journal = Self {
            place,
            log,
            key,
            tail: tokio::sync::Mutex::default(),
            queue: Mutex::default(),
        };
        *journal.tail.lock().await = Some(journal.look().await?);
        Ok(journal)
    }

    pub(super) const fn log(&self) -> &Name {
        &self.log
    }

    pub(super) fn trail(&self) -> AuditTrail {
        AuditTrail::of(Arc::clone(&self.place), self.log.clone(), self.key.clone())
    }

    pub(super) async fn health(&self) -> Result<()> {
        self.place.health().await
    }

    pub(super) async fn close(&self) -> Result<()> {
        self.place.close().await
    }

    /// Appends these entries, together and in this order.
    pub(super) async fn record(self: &Arc<Self>, drafts: Vec<Draft>) -> Result<()> {
        if drafts.is_empty() {
            return Ok(());
        }
        let (done, answer) = oneshot::channel();
        self.queue().push(Waiting { drafts, done });
        let journal = Arc::clone(self);
        tokio::spawn(async move { journal.drain().await });
        let gone = |_| {
            Err(Error::new(
                ErrorKind::Closed,
                "the runtime that keeps the audit log is gone",
            ))
        };
        answer.await.unwrap_or_else(gone)
    }

    /// Appends whatever waits.
    async fn drain(&self) {
        let mut tail = self.tail.lock().await;
        let waiting = std::mem::take(&mut *self.queue());
        let drafts: Vec<&Draft> = waiting.iter().flat_map(|waiting| &waiting.drafts).collect();
        let mut outcome = Ok(());
        for some in drafts.chunks(MOST) {
            outcome = self.append(&mut tail, some).await;
            if outcome.is_err() {
                *tail = None;
                break;
            }
        }
        for Waiting { done, .. } in waiting {
            // Who does not wait any more needs no answer.
            let _ = done.send(outcome.as_ref().copied().map_err(refused));
        }
    }

    async fn append(&self, tail: &mut Option<Tail>, drafts: &[&Draft]) -> Result<()> {
        let mut attempts = 0;
        loop {
            let here = match tail.take() {
                Some(here) => here,
                None => self.look().await?,
            };
            let Some(here) = self.with_head(here).await? else {
                continue;
            };
            let (entries, last) = self.chain(&here, drafts)?;
            let mut request = AppendRequest::new(entries);
            request.expected = Some(here.next);
            match self.place.append(&self.log, request).await {
                Ok(appended) => {
                    *tail = Some(self.move_head(appended.next, last, here.head).await);
                    return Ok(());
                }
                // Others were first, or this is the second attempt and the first was it.
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {
                    if attempts > 0 && self.stands_at(here.next, drafts).await? {
                        return Ok(());
                    }
                }
                Err(error) if error.applied() == Applied::Unknown && attempts < ATTEMPTS => {
                    attempts += 1;
                    tokio::time::sleep(Duration::from_millis(10 << attempts)).await;
                    *tail = Some(here);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Where the log ends, with a head: entries without one are a sign that it was taken away, so it is there before the first of them.
    /// `None` where somebody else was faster.
    async fn with_head(&self, here: Tail) -> Result<Option<Tail>> {
        if here.next > 0 || here.head.is_some() {
            return Ok(Some(here));
        }
        let head = Head {
            next: 0,
            last: here.previous,
        };
        match write_head(&*self.place, &self.log, head, None).await {
            Ok(version) => Ok(Some(Tail {
                head: Some(version),
                ..here
            })),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn chain(&self, here: &Tail, drafts: &[&Draft]) -> Result<(Vec<bytes::Bytes>, Hash)> {
        let (mut entries, mut previous) = (Vec::with_capacity(drafts.len()), here.previous);
        for (number, draft) in (here.next..).zip(drafts) {
            let entry = draft.place(number, &previous)?;
            previous = Hash::of(&entry, self.key.as_ref());
            entries.push(entry);
        }
        Ok((entries, previous))
    }

    /// Whether what stands there is ours.
    async fn stands_at(&self, number: u64, drafts: &[&Draft]) -> Result<bool> {
        let page = self.place.read_log(&self.log, number, 1).await?;
        let entry = page
            .entries
            .first()
            .and_then(|entry| AuditEntry::read(&entry.bytes));
        Ok(entry
            .zip(drafts.first())
            .is_some_and(|(entry, draft)| entry.call == draft.call() && entry.phase == draft.phase()))
    }

    /// Where the log ends, once it is sure that it is what its head says.
    async fn look(&self) -> Result<Tail> {
        // The head first: the log only grows, so it can only be longer than its head.
        let head = read_head(&*self.place, &self.log).await?;
        let end = self.place.read_log(&self.log, u64::MAX, 1).await?.end;
        if let Some((head, _)) = &head {
            if head.next > end {
                return Err(self.shortened(head.next, end));
            }
            if self.hash_before(head.next).await? != head.last {
                return Err(Error::corrupt(
                    self.log.as_str(),
                    "the audit log is not what its head says; look at it with `storage audit verify`",
                ));
            }
        }
        Ok(Tail {
            next: end,
            previous: self.hash_before(end).await?,
            head: head.map(|(_, version)| version),
        })
    }

    fn shortened(&self, expected: u64, found: u64) -> Error {
        let message = format!(
            "the audit log has {found} entries where its head says {expected}: it was cut, and takes no more; look at it with `storage audit verify`"
        );
        Error::corrupt(self.log.as_str(), message)
    }

    async fn hash_before(&self, number: u64) -> Result<Hash> {
        let Some(last) = number.checked_sub(1) else {
            return Ok(Hash::first(self.log.as_str(), self.key.as_ref()));
        };
        let page = self.place.read_log(&self.log, last, 1).await?;
        let entry = page.entries.first().ok_or_else(|| self.shortened(number, last))?;
        Ok(Hash::of(&entry.bytes, self.key.as_ref()))
    }

    /// Moves the head on. A head that lags behind loses nothing but that a cut right behind it would not show, so it is not worth failing.
    async fn move_head(&self, next: u64, last: Hash, known: Option<Version>) -> Tail {
        let mut version = known;
        let head = Head { next, last };
        for _ in 0..ATTEMPTS {
            match write_head(&*self.place, &self.log, head, version.as_ref()).await {
                Ok(written) => {
                    version = Some(written);
                    break;
                }
                Err(error) => match read_head(&*self.place, &self.log).await {
                    // Somebody else is further already.
                    Ok(Some((there, at))) if there.next >= next => {
                        version = Some(at);
                        break;
                    }
                    Ok(there) => version = there.map(|(_, at)| at),
                    Err(_) => {
                        tracing::warn!(%error, "the head of the audit log could not be moved on");
                        break;
                    }
                },
            }
        }
        Tail {
            next,
            previous: last,
            head: version,
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing of what was to be recorded was done.
fn refused(error: &Error) -> Error {
    let message = format!("it cannot be recorded, so it was not done: {}", error.message());
    let mut refused = Error::new(error.kind(), message).with_retry(error.retry());
    if let Some(key) = error.key() {
        refused = refused.with_context("log", key);
    }
    refused
}

pub(super) async fn read_head(place: &dyn StorageAdapter, log: &Name) -> Result<Option<(Head, Version)>> {
    let (collection, id) = (Name::new(HEADS)?, DocumentId::new(log.as_str())?);
    let Some(stored) = place.get(&collection, &id, SystemClock::default().now()).await? else {
        return Ok(None);
    };
    let damaged = || {
        Error::corrupt(
            format!("{HEADS}/{id}"),
            "the head of the audit log cannot be read",
        )
    };
    let document = Document::try_from(stored.body.as_ref()).map_err(|_| damaged())?;
    let next = document
        .get_i64("next")
        .ok()
        .and_then(|next| u64::try_from(next).ok());
    let last = document.get_str("last").ok().and_then(Hash::from_hex);
    let (next, last) = next.zip(last).ok_or_else(damaged)?;
    Ok(Some((Head { next, last }, stored.version)))
}

async fn write_head(
    place: &dyn StorageAdapter,
    log: &Name,
    head: Head,
    replaces: Option<&Version>,
) -> Result<Version> {
    let next = i64::try_from(head.next).unwrap_or(i64::MAX);
    let failed = |error| Error::new(ErrorKind::Internal, "the head cannot be encoded").with_source(error);
    let body =
        RawDocumentBuf::try_from(&doc! { "next": next, "last": head.last.to_hex() }).map_err(failed)?;
    let mut request = PutRequest::new(DocumentId::new(log.as_str())?, body, SystemClock::default().now());
    request.condition = replaces.map_or(Condition::IfAbsent, |version| {
        Condition::IfVersion(version.clone())
    });
    place.put(&Name::new(HEADS)?, request).await
}

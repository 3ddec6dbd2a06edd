//! [`Ledger`]: how many bytes a namespace takes, kept in one document, so that a limit holds across processes.
//!
//! A handle takes credit from the document before it writes, more than it needs at once, and spends it in memory. So the document says
//! at any time at least what is stored: what was settled, and all credit. A handle that crashed leaves its credit behind; once that is
//! [old](CREDIT_AGE) it is counted as spent, and [a recount](Ledger::recount) puts that right. Nothing is ever counted as less than it is,
//! also not by a write whose answer was lost: each has a stamp, and is recognised by it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage_core::bson::RawDocumentBuf;
use storage_core::{
    Applied, Collection, Condition, Error, ErrorKind, PutOptions, Result, Storage, Timestamp, Version,
};

use super::names;
use crate::race::{MAX_ATTEMPTS, busy, pause, unless_lost};

/// The most credit taken beyond what is needed.
const CHUNK: u64 = 16 * 1024 * 1024;
/// And never more than this part of what is free, so that handles that crash do not eat up a small limit.
const PART_OF_FREE: u64 = 16;
/// Credit that its owner has not touched for so long is counted as spent.
const CREDIT_AGE: Duration = Duration::from_secs(600);

const FORMAT: i64 = 1;

/// The document of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Book {
    format: i64,
    used: i64,
    entries: i64,
    #[serde(default)]
    recounts: i64,
    #[serde(default)]
    credits: BTreeMap<String, Credit>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Credit {
    stamp: String,
    bytes: i64,
    at: Timestamp,
}

pub(super) struct Ledger {
    storage: Storage,
    namespace: String,
    limit: Option<u64>,
    /// Whose credit it is.
    owner: String,
    state: Mutex<State>,
    /// Held by whoever asks the document.
    exchange: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Credit that is not spent.
    available: i64,
    /// What was spent, or given back, since the document was told.
    spent: i64,
    entries: i64,
    /// What is being told to the document, and may have been.
    pending: Option<Pending>,
    /// Our credit in the document as of the last answer, and the number of recounts then.
    granted: i64,
    recounts: i64,
    /// Reservations that are neither spent nor given back, and how often anything was spent.
    open: u64,
    moves: u64,
}

#[derive(Debug, Clone)]
struct Pending {
    stamp: String,
    spent: i64,
    entries: i64,
    returned: i64,
}

/// Room for a write that is about to happen.
pub(super) struct Reservation {
    ledger: Arc<Ledger>,
    bytes: u64,
    /// Once the write is under way nobody knows whether it happened.
    in_doubt: bool,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) bytes: u64,
    pub(super) entries: u64,
    /// Credit of other handles.
    pub(super) reserved: u64,
}

impl Ledger {
    pub(super) fn new(storage: Storage, namespace: &str, limit: Option<u64>) -> Self {
        Self {
            storage,
            namespace: namespace.to_owned(),
            limit,
            owner: names::nonce(),
            state: Mutex::default(),
            exchange: tokio::sync::Mutex::default(),
        }
    }

    /// Nothing yet.
    pub(super) fn reserve(self: &Arc<Self>) -> Reservation {
        self.state().open += 1;
        Reservation {
            ledger: Arc::clone(self),
            bytes: 0,
            in_doubt: false,
        }
    }

    /// Something is gone that was counted.
    pub(super) fn release(&self, bytes: u64, entries: u64) {
        let mut state = self.state();
        state.available += signed(bytes);
        state.spent -= signed(bytes);
        state.entries -= signed(entries);
        state.moves += 1;
    }

    /// Tells the document everything and gives back all credit.
    pub(super) async fn settle(&self) -> Result<()> {
        let idle = {
            let state = self.state();
            state.pending.is_none() && state.granted == 0 && state.spent == 0 && state.entries == 0
        };
        if idle {
            return Ok(());
        }
        self.settle_now().await
    }

    async fn settle_now(&self) -> Result<()> {
        // Where nothing is needed nothing can be missing.
        self.ask(None).await.map(drop)
    }

    /// How much there is, as far as this handle and the document know.
    pub(super) async fn usage(&self) -> Result<Usage> {
        let (_, book) = self.read().await?;
        let state = self.state();
        let pending = state
            .pending
            .as_ref()
            .map_or((0, 0), |pending| (pending.spent, pending.entries));
        let others = book.credits.iter().filter(|(owner, _)| **owner != self.owner);
        Ok(Usage {
            bytes: unsigned(book.used + state.spent + pending.0),
            entries: unsigned(book.entries + state.entries + pending.1),
            reserved: unsigned(others.map(|(_, credit)| credit.bytes).sum()),
        })
    }

    /// How many bytes too many there are, all credit counted.
    pub(super) async fn excess(&self) -> Result<u64> {
        let Some(limit) = self.limit else { return Ok(0) };
        let usage = self.usage().await?;
        Ok((usage.bytes + usage.reserved).saturating_sub(limit))
    }

    /// How many handles left credit behind that is old by now; their bytes count as spent from here on.
    pub(super) async fn reclaim(&self) -> Result<u64> {
        let (_, book) = self.read().await?;
        let now = self.storage.now();
        let stale = book
            .credits
            .values()
            .filter(|credit| credit.bytes > 0 && credit.is_stale(now))
            .count() as u64;
        if stale > 0 {
            self.settle_now().await?;
        }
        Ok(stale)
    }

    /// Counts anew by `count`, which walks over everything. `false`, and nothing changed, when anybody wrote meanwhile or may be about to.
    pub(super) async fn recount(
        &self,
        count: impl Future<Output = Result<(u64, u64)>> + Send,
    ) -> Result<bool> {
        self.settle_now().await?;
        let (version, mut book) = self.read().await?;
        let before = {
            let state = self.state();
            (state.open == 0 && state.spent == 0 && state.pending.is_none()).then_some(state.moves)
        };
        let settled = book.credits.values().all(|credit| credit.bytes == 0);
        let (Some(moves), Some(version), true) = (before, version, settled) else {
            return Ok(false);
        };
        let (bytes, entries) = count.await?;
        {
            let state = self.state();
            if state.open > 0 || state.moves != moves {
                return Ok(false);
            }
        }
        (book.used, book.entries) = (signed(bytes), signed(entries));
        book.recounts += 1;
        let recounts = book.recounts;
        let done = self.write(&book, Some(version)).await?;
        if done {
            self.state().recounts = recounts;
        }
        Ok(done)
    }

    /// Forgets that there was anything.
    pub(super) async fn erase(&self) -> Result<()> {
        self.documents().delete(&self.namespace).await?;
        *self.state() = State::default();
        Ok(())
    }

    /// Every namespace there is.
    pub(super) async fn namespaces(storage: &Storage) -> Result<Vec<String>> {
        let documents: Collection<RawDocumentBuf> = storage.collection(names::NAMESPACES);
        let mut found = documents.find(storage_core::Query::all()).await?;
        let mut namespaces = Vec::new();
        while let Some(document) = found.next().await? {
            namespaces.push(document.id.as_str().to_owned());
        }
        Ok(namespaces)
    }

    /// Takes `needed` bytes from what is available; how many are missing when there is no way.
    async fn take(&self, needed: u64) -> Result<Result<(), u64>> {
        if self.spend(needed) {
            return Ok(Ok(()));
        }
        self.ask(Some(needed)).await
    }

    fn spend(&self, needed: u64) -> bool {
        let mut state = self.state();
        if state.available < signed(needed) {
            return false;
        }
        state.available -= signed(needed);
        state.spent += signed(needed);
        state.moves += 1;
        true
    }

    /// Tells the document what was spent, and takes credit for what is needed, or gives all back where nothing is.
    async fn ask(&self, needed: Option<u64>) -> Result<Result<(), u64>> {
        let _turn = self.exchange.lock().await;
        for attempt in 0..MAX_ATTEMPTS {
            if let Some(needed) = needed
                && self.spend(needed)
            {
                return Ok(Ok(()));
            }
            let pending = self.pending();
            let (version, mut book) = self.read().await?;
            if book
                .credits
                .get(&self.owner)
                .is_some_and(|credit| credit.stamp == pending.stamp)
            {
                // An earlier attempt whose answer was lost.
                self.told(&book);
                continue;
            }
            let missing = self.balance(&mut book, &pending, needed);
            let written = self.write(&book, version).await;
            match written {
                Ok(true) => {
                    self.told(&book);
                    match (needed, missing) {
                        (None, _) => return Ok(Ok(())),
                        (Some(_), 0) => {}
                        (Some(_), missing) => return Ok(Err(missing)),
                    }
                }
                Ok(false) => pause(attempt).await,
                Err(error) if error.applied() == Applied::Unknown => return Err(error),
                Err(error) => {
                    self.untold();
                    return Err(error);
                }
            }
        }
        Err(busy().with_key(format!("{}/{}", names::NAMESPACES, self.namespace)))
    }

    /// The document as it is to be; how many bytes are missing from what is needed.
    fn balance(&self, book: &mut Book, pending: &Pending, needed: Option<u64>) -> u64 {
        let now = self.storage.now();
        book.format = FORMAT;
        book.used += pending.spent;
        book.entries += pending.entries;
        let state = self.state();
        if book.credits.remove(&self.owner).is_none() && state.granted > 0 && book.recounts == state.recounts
        {
            // Somebody counted all of our credit as spent.
            book.used -= state.granted;
        }
        drop(state);
        let stale: Vec<String> = book
            .credits
            .iter()
            .filter(|(_, credit)| credit.is_stale(now))
            .map(|(owner, _)| owner.clone())
            .collect();
        for owner in stale {
            if let Some(credit) = book.credits.remove(&owner) {
                book.used += credit.bytes;
            }
        }
        let Some(needed) = needed else {
            // No credit, but the stamp: an answer that is lost must be recognised here, too.
            self.credit(book, pending, 0);
            return 0;
        };
        let others: i64 = book.credits.values().map(|credit| credit.bytes).sum();
        let free = self
            .limit
            .map_or(i64::MAX / 2, |limit| signed(limit) - book.used - others);
        let needed = signed(needed);
        let (grant, missing) = if free >= needed {
            let more = (free - needed) / signed(PART_OF_FREE);
            (needed + more.min(signed(CHUNK)), 0)
        } else {
            (free.max(0), unsigned(needed - free.max(0)))
        };
        self.credit(book, pending, grant);
        missing
    }

    fn credit(&self, book: &mut Book, pending: &Pending, bytes: i64) {
        let credit = Credit {
            stamp: pending.stamp.clone(),
            bytes,
            at: self.storage.now(),
        };
        book.credits.insert(self.owner.clone(), credit);
    }

    /// What the document is to be told: what was left from an attempt that came to no end, or all there is.
    fn pending(&self) -> Pending {
        let mut state = self.state();
        if state.pending.is_none() {
            state.pending = Some(Pending {
                stamp: names::nonce(),
                spent: std::mem::take(&mut state.spent),
                entries: std::mem::take(&mut state.entries),
                returned: std::mem::take(&mut state.available),
            });
        }
        // It was just put there.
        state.pending.clone().unwrap_or_else(|| Pending {
            stamp: names::nonce(),
            spent: 0,
            entries: 0,
            returned: 0,
        })
    }

    fn told(&self, book: &Book) {
        let mut state = self.state();
        state.pending = None;
        state.granted = book.credits.get(&self.owner).map_or(0, |credit| credit.bytes);
        state.available += state.granted;
        state.recounts = book.recounts;
    }

    fn untold(&self) {
        let mut state = self.state();
        if let Some(pending) = state.pending.take() {
            state.spent += pending.spent;
            state.entries += pending.entries;
            state.available += pending.returned;
        }
    }

    async fn read(&self) -> Result<(Option<Version>, Book)> {
        let Some(found) = self.documents().get(&self.namespace).await? else {
            return Ok((None, Book::default()));
        };
        if found.value.get_i64("format").unwrap_or_default() > FORMAT {
            let message = "the namespace was written by a newer version of this library";
            return Err(Error::new(ErrorKind::FormatTooNew, message).with_key(&self.namespace));
        }
        let book = storage_core::bson::deserialize_from_slice(found.value.as_bytes()).map_err(|error| {
            Error::corrupt(&self.namespace, "the document of the namespace is not one").with_source(error)
        })?;
        Ok((Some(found.version), book))
    }

    /// Writes the document where this version is; `false` when somebody else was faster.
    async fn write(&self, book: &Book, version: Option<Version>) -> Result<bool> {
        let raw = storage_core::bson::serialize_to_raw_document_buf(book).map_err(|error| {
            Error::new(ErrorKind::Internal, "a namespace cannot be written as a document").with_source(error)
        })?;
        let condition = version.map_or(Condition::IfAbsent, Condition::IfVersion);
        let options = PutOptions::new().condition(condition);
        let written = self.documents().put_with(&self.namespace, &raw, options).await;
        Ok(unless_lost(written)?.is_some())
    }

    fn documents(&self) -> Collection<RawDocumentBuf> {
        self.storage.collection(names::NAMESPACES)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Credit {
    fn is_stale(&self, now: Timestamp) -> bool {
        self.at.after(CREDIT_AGE) <= now
    }
}

impl Reservation {
    /// Makes it at least so many bytes; how many are missing when there is no way.
    pub(super) async fn at_least(&mut self, bytes: u64) -> Result<Result<(), u64>> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(Ok(()));
        }
        let taken = self.ledger.take(more).await?;
        if taken.is_ok() {
            self.bytes += more;
        }
        Ok(taken)
    }

    /// The write is under way.
    pub(super) fn begins(&mut self) {
        self.in_doubt = true;
    }

    /// The write did not happen.
    pub(super) fn did_not_happen(&mut self) {
        self.in_doubt = false;
    }

    /// The write happened: of so many bytes as there were before it there are now so many.
    pub(super) fn happened(&mut self, before: u64, after: u64, entries: i64) {
        self.in_doubt = false;
        let spent = signed(after) - signed(before);
        let mut state = self.ledger.state();
        let back = signed(self.bytes) - spent;
        state.available += back;
        state.spent -= back;
        state.entries += entries;
        drop(state);
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.ledger.state();
        state.open -= 1;
        state.moves += 1;
        if !self.in_doubt {
            state.available += signed(self.bytes);
            state.spent -= signed(self.bytes);
        }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX / 4)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use storage_core::Memory;

    use super::*;

    #[tokio::test]
    async fn what_was_settled_is_counted_once_though_the_answer_was_lost() {
        let ledger = Arc::new(Ledger::new(Storage::new(Memory::new()), "n", Some(1 << 30)));
        let written = async |before, after, entries| {
            let mut reservation = ledger.reserve();
            reservation.at_least(1_000).await.unwrap().unwrap();
            reservation.happened(before, after, entries);
        };
        written(0, 1_000, 1).await;
        for (before, after) in [(1_000, 300), (300, 800)] {
            written(before, after, 0).await;
            let pending = ledger.pending();
            let (version, mut book) = ledger.read().await.unwrap();
            ledger.balance(&mut book, &pending, None);
            assert!(ledger.write(&book, version).await.unwrap());
            // Nobody tells the handle.
            ledger.settle().await.unwrap();
            let usage = ledger.usage().await.unwrap();
            assert_eq!((usage.bytes, usage.entries), (after, 1));
        }
        assert!(ledger.recount(async { Ok((800, 1)) }).await.unwrap());
    }
}

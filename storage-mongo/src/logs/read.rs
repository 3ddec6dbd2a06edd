//! Reading: buckets up to where the head begins, then the head.

use bson::{Document, RawDocument, RawDocumentBuf, doc};
use bytes::Bytes;
use storage_core::{Error, LogEntry, LogPage, Name, Result, Version};

use super::head::{Head, binary, entries, load_whole, sequence, stored};
use super::{ATTEMPTS, restless};
use crate::names;
use crate::store::Inner;

/// The most bytes in one page, unless a single entry has more: the largest append.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// How many buckets one answer of the server brings: about 2 MiB where entries are small.
const BUCKETS_PER_ANSWER: u32 = 8;

/// Reads a page.
pub(crate) async fn read(inner: &Inner, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
    let mut before = None;
    for _ in 0..ATTEMPTS {
        let Some(head) = load_whole(inner, log).await? else {
            return Ok(LogPage::default());
        };
        let mut page = LogPage::default();
        page.end = head.next;
        page.closed = head.closed;
        page.incarnation = Some(Version::from_u128(head.incarnation));
        let mut filling = Filling {
            log,
            page,
            at: from,
            limit,
            bytes: 0,
        };
        if from < head.first && !filling.take_buckets(inner, &head).await? {
            // Deleted under the reader, unless it still says the same.
            if before == Some(head.incarnation) {
                return Err(Error::corrupt(
                    format!("{log}/{}", filling.at),
                    "the entry is missing from the log; restore the database",
                ));
            }
            before = Some(head.incarnation);
            continue;
        }
        // Buckets never change, and the head was read before them: both belong together.
        if filling.at >= head.first && filling.at < head.next {
            let first = head.first;
            filling.take(first, head.into_entries(log)?);
        }
        return Ok(filling.page);
    }
    Err(restless())
}

/// A page that is being filled.
struct Filling<'a> {
    log: &'a Name,
    page: LogPage,
    /// The next entry it takes.
    at: u64,
    limit: usize,
    bytes: usize,
}

impl Filling<'_> {
    /// Takes what there is room for of the entries from a sequence number on; `false` when it is full.
    fn take(&mut self, first: u64, entries: Vec<Bytes>) -> bool {
        let skipped = usize::try_from(self.at.saturating_sub(first)).unwrap_or(usize::MAX);
        for bytes in entries.into_iter().skip(skipped) {
            let room = self.page.entries.is_empty() || self.bytes + bytes.len() <= PAGE_BYTES;
            if self.page.entries.len() >= self.limit || !room {
                return false;
            }
            self.bytes += bytes.len();
            self.page.entries.push(LogEntry {
                sequence: self.at,
                bytes,
            });
            self.at += 1;
        }
        true
    }

    /// Takes entries from buckets up to the head's; `false` where some are missing.
    async fn take_buckets(&mut self, inner: &Inner, head: &Head) -> Result<bool> {
        let buckets = inner.collection::<RawDocumentBuf>(names::LOG_ENTRIES);
        let id = |first: u64| doc! { "i": binary(head.incarnation), "f": stored(first) };
        // The one that has the first entry is the last that begins at or before it.
        let find = buckets
            .find_one(doc! { "_id": { "$gte": id(0), "$lte": id(self.at) } })
            .sort(doc! { "_id": -1 })
            .max_time(inner.config.operation_timeout);
        let Some(bucket) = inner.read(find).await? else {
            return Ok(false);
        };
        let Some((first, next)) = place(&bucket).filter(|(first, next)| (*first..*next).contains(&self.at))
        else {
            return Ok(false);
        };
        if !self.take(first, entries(self.log, bucket, first, next)?) || next == head.first {
            return Ok(true);
        }
        let rest: Document = doc! { "_id": { "$gte": id(next), "$lt": id(head.first) } };
        let find = buckets
            .find(rest)
            .sort(doc! { "_id": 1 })
            .batch_size(BUCKETS_PER_ANSWER)
            .max_time(inner.config.operation_timeout);
        let mut cursor = inner.read(find).await?;
        while inner.read(cursor.advance()).await? {
            let bucket = cursor.current();
            let Some((first, next)) = place(bucket).filter(|(first, _)| *first == self.at) else {
                return Ok(false);
            };
            if !self.take(first, entries(self.log, bucket.to_owned(), first, next)?) {
                return Ok(true);
            }
        }
        Ok(self.at == head.first)
    }
}

/// Which entries a bucket has: from the first number up to the second.
fn place(bucket: &RawDocument) -> Option<(u64, u64)> {
    let first = bucket.get("_id").ok()??.as_document()?.get("f").ok()??;
    let (first, next) = (sequence(first)?, sequence(bucket.get("next").ok()??)?);
    (first < next).then_some((first, next))
}

//! Counting what is there, beside writers.

use std::collections::BTreeMap;

use storage_core::{Area, Clock, Filter, FindRequest, ListEntry, ListRequest, Name, Result, StorageAdapter};

use super::amount::Usage;
use super::ledger::{Ledger, lost, pause, read, write};

/// Library's own collections: leases and the record itself.
pub(super) const OWN: &str = "_storage.";

const PAGE: usize = 1000;

/// Looks at everything and puts the record right.
///
/// Whatever is there when the new record is written was there when it was looked at, or was written since; what was written since is in
/// `added`, or still in a share. So the record is never too low. Shares that were not confirmed for `abandoned_after` are taken back.
pub(super) async fn recount<A: StorageAdapter>(ledger: &Ledger, inner: &A) -> Result<Usage> {
    let (before, _) = read(inner, ledger.clock()).await?;
    let found = look(ledger, inner).await?;
    let mut attempt = 0;
    loop {
        let (mut record, condition) = read(inner, ledger.clock()).await?;
        record.used = found.plus(record.added.minus(before.added));
        record.epoch += 1;
        let now = ledger.clock().now();
        let kept = |at: storage_core::Timestamp| at.after(ledger.options.abandoned_after) > now;
        record.shares = record
            .shares
            .into_iter()
            .filter(|(_, share)| kept(share.at))
            .collect::<BTreeMap<_, _>>();
        match write(inner, ledger.clock(), &record, condition).await {
            Ok(()) => return Ok(record.used.plus(record.shared())),
            Err(error) if lost(&error) => pause(&mut attempt).await,
            Err(error) => return Err(error),
        }
    }
}

async fn look<A: StorageAdapter>(ledger: &Ledger, inner: &A) -> Result<Usage> {
    let mut found = objects(inner).await?;
    if inner.declaration().documents.is_some() {
        let mut after: Option<Name> = None;
        loop {
            let page = inner.collections(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            for collection in page.iter().filter(|name| !name.as_str().starts_with(OWN)) {
                found = found.plus(documents(ledger, inner, collection).await?);
            }
        }
    }
    if inner.declaration().logs.is_some() {
        let mut after: Option<Name> = None;
        loop {
            let page = inner.logs(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            for log in &page {
                found = found.plus(entries(inner, log).await?);
            }
        }
    }
    Ok(found)
}

async fn objects<A: StorageAdapter>(inner: &A) -> Result<Usage> {
    let mut found = Usage::default();
    let mut request = ListRequest::new("");
    request.with_meta = true;
    loop {
        let page = inner.list(Area::Objects, request.clone()).await?;
        for entry in page.entries {
            let ListEntry::Object(key, meta) = entry else {
                continue;
            };
            let meta = match meta {
                Some(meta) => Some(meta),
                None => inner.stat(Area::Objects, &key).await?,
            };
            found = found.plus(meta.map_or(Usage::default(), |meta| Usage::object(meta.size)));
        }
        match page.next {
            Some(next) => request.start_after = Some(next),
            None => return Ok(found),
        }
    }
}

/// What cannot be read is not counted: its size is not known.
async fn documents<A: StorageAdapter>(ledger: &Ledger, inner: &A, collection: &Name) -> Result<Usage> {
    let mut found = Usage::default();
    let mut request = FindRequest::new(Filter::All, Vec::new(), ledger.clock().now());
    request.allow_scan = true;
    loop {
        let page = inner.find(collection, request.clone()).await?;
        for document in page.documents {
            found = found.plus(Usage::document(document.body.as_bytes().len() as u64));
        }
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(found),
        }
    }
}

async fn entries<A: StorageAdapter>(inner: &A, log: &Name) -> Result<Usage> {
    let (mut found, mut from) = (Usage::default(), 0);
    loop {
        let page = inner.read_log(log, from, PAGE).await?;
        let Some(last) = page.entries.last() else {
            return Ok(found);
        };
        from = last.sequence + 1;
        let bytes = page.entries.iter().map(|entry| entry.bytes.len() as u64).sum();
        found = found.plus(Usage::bytes(bytes));
    }
}

//! Entries of logs that are kept in another form: the same for every layer that changes bytes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{
    AppendRequest, Appended, Error, ErrorKind, LogPage, LogsDeclaration, Name, Result, StorageAdapter,
};

use crate::heavy::heavy;

/// How one entry is kept.
#[async_trait]
pub(crate) trait Entries: Send + Sync + 'static {
    /// Makes ready to write.
    async fn prepare(&self) -> Result<()>;

    /// Whether something was learned since an entry could not be read, so that another look makes sense.
    async fn learns_from(&self, error: &Error) -> bool;

    /// The form an entry is kept in.
    fn encode(&self, log: &Name, plain: &Bytes) -> Result<Bytes>;

    /// The entry that is kept so.
    fn decode(&self, log: &Name, stored: &Bytes) -> Result<Bytes>;
}

/// Appends entries in their other form.
pub(crate) async fn append<A: StorageAdapter + ?Sized, E: Entries>(
    inner: &A,
    how: &Arc<E>,
    log: &Name,
    request: AppendRequest,
) -> Result<Appended> {
    how.prepare().await?;
    let plain = request.entries.clone();
    let mut request = request;
    let bytes = plain.iter().map(Bytes::len).sum();
    request.entries = heavy(bytes, {
        let (how, log, plain) = (Arc::clone(how), log.clone(), plain.clone());
        move || plain.iter().map(|entry| how.encode(&log, entry)).collect()
    })
    .await?;
    let Some(expected) = request.expected else {
        return inner.append(log, request).await;
    };
    match inner.append(log, request).await {
        // The same entry need not be kept in the same bytes twice, so whether exactly these stand there is decided here.
        Err(error) if matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::LogClosed) => {
            if stand_there(inner, how, log, expected, &plain).await? {
                return Ok(Appended {
                    first: expected,
                    next: expected + plain.len() as u64,
                });
            }
            Err(error)
        }
        answer => answer,
    }
}

/// Whether exactly these entries stand at this place.
async fn stand_there<A: StorageAdapter + ?Sized, E: Entries>(
    inner: &A,
    how: &Arc<E>,
    log: &Name,
    first: u64,
    wanted: &[Bytes],
) -> Result<bool> {
    let mut compared = 0;
    while compared < wanted.len() {
        let page = read(
            inner,
            how,
            log,
            first.saturating_add(compared as u64),
            wanted.len() - compared,
        )
        .await?;
        if page.entries.is_empty() {
            return Ok(false);
        }
        for entry in page.entries {
            if wanted.get(compared) != Some(&entry.bytes) {
                return Ok(false);
            }
            compared += 1;
        }
    }
    // An append of nothing was judged by whoever keeps the log.
    Ok(!wanted.is_empty())
}

/// Reads entries and brings them back into their own form.
pub(crate) async fn read<A: StorageAdapter + ?Sized, E: Entries>(
    inner: &A,
    how: &Arc<E>,
    log: &Name,
    from: u64,
    limit: usize,
) -> Result<LogPage> {
    let page = inner.read_log(log, from, limit).await?;
    match decode(how, log, page.clone()).await {
        Err(error) if how.learns_from(&error).await => decode(how, log, page).await,
        answer => answer,
    }
}

async fn decode<E: Entries>(how: &Arc<E>, log: &Name, mut page: LogPage) -> Result<LogPage> {
    let bytes = page.entries.iter().map(|entry| entry.bytes.len()).sum();
    let (how, log) = (Arc::clone(how), log.clone());
    heavy(bytes, move || {
        for entry in &mut page.entries {
            entry.bytes = how
                .decode(&log, &entry.bytes)
                .map_err(|error| error.with_key(format!("{log}#{}", entry.sequence)))?;
        }
        Ok(page)
    })
    .await
}

/// What is left of the limits of logs when every entry takes `entry` bytes more, and every `of` bytes another `per`.
pub(crate) fn limits(section: &mut LogsDeclaration, entry: u64, per: u64, of: u64) {
    let fixed = entry.saturating_mul(section.max_entries);
    // Where headers would eat more than half, fewer entries go into one append.
    if fixed > section.max_append_bytes / 2 {
        section.max_entries = (section.max_append_bytes / 2 / entry).max(1);
    }
    let left = section
        .max_append_bytes
        .saturating_sub(entry * section.max_entries);
    section.max_append_bytes = left - (left / of + 1).saturating_mul(per).min(left);
}

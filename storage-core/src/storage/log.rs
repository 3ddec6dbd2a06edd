//! [`Log`]: an append-only sequence of entries, numbered 0, 1, 2, …

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};

use super::{Storage, check_limit};
use crate::adapter::{AppendRequest, Appended, LogEntry, LogPage};
use crate::error::{Error, ErrorKind, Result};
use crate::name::Name;
use crate::version::Version;

/// One log of a [`Storage`].
#[derive(Debug, Clone)]
pub struct Log {
    storage: Storage,
    name: String,
}

/// Entries in order, fetched a page at a time.
pub type LogEntries = BoxStream<'static, Result<LogEntry>>;

/// Entries in order as they are appended, until the log is closed.
pub type Follow = BoxStream<'static, Result<LogEntry>>;

/// How many entries one page asks for.
const ENTRIES_PER_PAGE: usize = 1000;

impl Log {
    pub(super) fn new(storage: Storage, name: &str) -> Self {
        Self {
            storage,
            name: name.to_owned(),
        }
    }

    /// Its name as given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends one entry.
    ///
    /// # Errors
    /// As [`append_all`](Self::append_all).
    pub async fn append(&self, entry: impl Into<Bytes>) -> Result<Appended> {
        self.append_all([entry]).await
    }

    /// Appends entries, all or nothing. None at all is `Ok` and changes nothing.
    ///
    /// # Errors
    /// `LogClosed`; `LimitExceeded`; `InvalidName`; those of the medium.
    pub async fn append_all<E: Into<Bytes>>(&self, entries: impl IntoIterator<Item = E>) -> Result<Appended> {
        self.append_with(AppendRequest::new(entries.into_iter().map(Into::into).collect()))
            .await
    }

    /// Appends entries so that the first gets the number `expected`. Repeating it after a crash or a lost answer adds nothing:
    /// where exactly these entries stand there already it is `Ok`.
    ///
    /// # Errors
    /// `PreconditionFailed` when other entries stand there, or the log is not that long; as [`append_all`](Self::append_all).
    pub async fn append_at<E: Into<Bytes>>(
        &self,
        expected: u64,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<Appended> {
        let mut request = AppendRequest::new(entries.into_iter().map(Into::into).collect());
        request.expected = Some(expected);
        self.append_with(request).await
    }

    async fn append_with(&self, request: AppendRequest) -> Result<Appended> {
        self.call("append to log", async {
            let name = self.checked_name()?;
            let section = self.storage.logs_section()?;
            check_limit(
                "the number of entries in one append",
                section.max_entries,
                request.entries.len(),
            )?;
            let bytes = request.entries.iter().map(Bytes::len).sum();
            check_limit("the append in bytes", section.max_append_bytes, bytes)?;
            self.storage.adapter().append(&name, request).await
        })
        .await
    }

    /// One page of entries from a number on. A log that does not exist reads as empty.
    ///
    /// # Errors
    /// `Corrupt` naming the entry; `InvalidArgument` for a page of none.
    pub async fn read(&self, from: u64, limit: usize) -> Result<LogPage> {
        self.call("read log", async {
            let name = self.checked_name()?;
            if limit == 0 {
                return Err(Error::invalid_argument("a page has at least one entry"));
            }
            let most = usize::try_from(self.storage.logs_section()?.max_entries).unwrap_or(usize::MAX);
            self.storage
                .adapter()
                .read_log(&name, from, limit.min(most))
                .await
        })
        .await
    }

    /// Every entry from a number on, up to the end as it is when the reading gets there.
    pub fn entries(&self, from: u64) -> LogEntries {
        let log = self.clone();
        futures::stream::try_unfold(from, move |from| {
            let log = log.clone();
            async move {
                let page = log.read(from, ENTRIES_PER_PAGE).await?;
                let Some(last) = page.entries.last() else {
                    return Ok(None);
                };
                let next = last.sequence + 1;
                Ok(Some((
                    futures::stream::iter(page.entries.into_iter().map(Ok)),
                    next,
                )))
            }
        })
        .try_flatten()
        .boxed()
    }

    /// Every entry from a number on, each once, waiting for more, until the log is closed and read to its end. Looks for more
    /// every 100 ms. A log that does not exist yet is waited for.
    ///
    /// The stream fails with `NotFound` when the log is deleted meanwhile.
    pub fn follow(&self, from: u64) -> Follow {
        self.follow_every(from, Duration::from_millis(100))
    }

    /// As [`follow`](Self::follow), looking for more at this interval.
    pub fn follow_every(&self, from: u64, interval: Duration) -> Follow {
        let log = self.clone();
        let start = Following {
            next: from,
            incarnation: None,
        };
        futures::stream::try_unfold(start, move |mut following| {
            let log = log.clone();
            async move {
                loop {
                    let page = log.read(following.next, ENTRIES_PER_PAGE).await?;
                    if following.incarnation.is_some() && page.incarnation != following.incarnation {
                        return Err(log.deleted());
                    }
                    following.incarnation = page.incarnation;
                    if let Some(last) = page.entries.last() {
                        following.next = last.sequence + 1;
                        return Ok(Some((
                            futures::stream::iter(page.entries.into_iter().map(Ok)),
                            following,
                        )));
                    }
                    if page.closed {
                        return Ok(None);
                    }
                    tokio::time::sleep(interval).await;
                }
            }
        })
        .try_flatten()
        .boxed()
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn len(&self) -> Result<u64> {
        Ok(self.read(u64::MAX, 1).await?.end)
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.len().await? == 0)
    }

    /// Closes the log: nothing can be appended from now on, and who follows it comes to an end. Idempotent.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn close(&self) -> Result<()> {
        self.call("close log", async {
            self.storage.adapter().close_log(&self.checked_name()?).await
        })
        .await
    }

    /// Deletes the log with all its entries; a new one of the name begins at 0. Idempotent.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn delete(&self) -> Result<()> {
        self.call("delete log", async {
            self.storage.adapter().delete_log(&self.checked_name()?).await
        })
        .await
    }

    fn deleted(&self) -> Error {
        let error = Error::new(ErrorKind::NotFound, "the log was deleted while it was followed");
        self.storage.stamped(error, "follow log", &self.name)
    }

    async fn call<R>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<R>> + Send,
    ) -> Result<R> {
        self.storage.call(operation, &self.name, work).await
    }

    fn checked_name(&self) -> Result<Name> {
        let limit = self.storage.logs_section()?.max_name_bytes;
        let name = Name::new(&self.name)?;
        check_limit("the log name in bytes", limit, self.name.len())?;
        Ok(name)
    }
}

/// How far somebody who follows has come, and in which life of the log.
struct Following {
    next: u64,
    incarnation: Option<Version>,
}

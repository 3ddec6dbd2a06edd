//! [`Found`]: the documents a query found, fetched page by page.

use std::collections::VecDeque;

use futures::stream::{Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::collection::{Collection, Document};
use crate::adapter::{Explanation, FindRequest, StoredDocument};
use crate::declaration::Capability;
use crate::error::{Error, ErrorKind, Result};
use crate::query::{PageToken, Position, Query};

/// What errors say was being done.
const FIND: &str = "find documents of collection";

/// How many documents one page holds unless the query has a limit; MongoDB's first batch.
const DOCUMENTS_PER_PAGE: usize = 101;

/// The documents a query found: a stream that fetches the next page when the last one is used up.
///
/// Not a snapshot: a document that does not change meanwhile is returned exactly once.
#[derive(Debug)]
pub struct Found<T> {
    collection: Collection<T>,
    request: FindRequest,
    /// How many more the query wants.
    wanted: Option<u64>,
    page: VecDeque<StoredDocument>,
    /// What the page met and could not read.
    unreadable: VecDeque<Error>,
    /// Whether more may follow after the page.
    more: bool,
}

/// One page of documents.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// In the order asked.
    pub documents: Vec<Document<T>>,
    /// One `Corrupt` error, naming the entry, for each document met that cannot be read.
    pub unreadable: Vec<Error>,
    /// What [`Query::after`] takes to go on; `None` at the end.
    pub next: Option<PageToken>,
}

impl<T: Serialize + DeserializeOwned + Send + Sync> Collection<T> {
    /// Finds documents. The first page is read now, so that a query no index answers is refused here.
    ///
    /// # Errors
    /// `IndexRequired` naming the missing index, unless the query allows a scan; `InvalidArgument` for a value or token that
    /// cannot be; `Corrupt`; those of the medium.
    pub async fn find(&self, query: impl Into<Query>) -> Result<Found<T>> {
        let query = query.into().checked()?;
        let wanted = query.limit_value();
        if wanted == Some(0) {
            // Nothing is read, and a query no index answers is refused all the same.
            self.explain(query.clone()).await?;
        }
        let mut found = Found {
            collection: self.clone(),
            request: self.request(query)?,
            wanted,
            page: VecDeque::new(),
            unreadable: VecDeque::new(),
            more: true,
        };
        found.fetch().await?;
        Ok(found)
    }

    /// One page of a query, of its limit (101 by default), and where the next begins.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn find_page(&self, query: impl Into<Query>) -> Result<Page<T>> {
        let query = query.into().checked()?;
        let limit = query.limit_value().map_or(DOCUMENTS_PER_PAGE, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        let mut request = self.request(query)?;
        let (mut documents, mut unreadable) = (Vec::new(), Vec::new());
        // An adapter may end a page early, where it grows too large; the user's page is filled all the same.
        while documents.len() < limit {
            let page = self.fetch(&request, limit - documents.len()).await?;
            if documents.is_empty() {
                documents = page.documents;
            } else {
                documents.extend(page.documents);
            }
            unreadable.extend(page.unreadable);
            request.after = page.next;
            if request.after.is_none() {
                break;
            }
        }
        let next = request
            .after
            .map(|position| PageToken::new(&position, &self.name, &request.filter, &request.sort))
            .transpose()?;
        Ok(Page {
            documents: documents.into_iter().map(Document::read).collect::<Result<_>>()?,
            unreadable,
            next,
        })
    }

    /// How many documents match, up to the query's limit.
    ///
    /// # Errors
    /// As [`find`](Self::find); `InvalidArgument` for a query with a page token.
    pub async fn count(&self, query: impl Into<Query>) -> Result<u64> {
        let query = query.into().checked()?;
        if query.token().is_some() {
            return Err(Error::invalid_argument(
                "a count is over all documents that match; it takes no page token",
            ));
        }
        let limit = query.limit_value();
        let request = self.request(query)?;
        let count = self
            .call("count documents of collection", async {
                self.check_supported(&request)?;
                self.storage.adapter().count(&self.checked_name()?, request).await
            })
            .await?;
        Ok(limit.map_or(count, |limit| count.min(limit)))
    }

    /// How a query would be answered.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn explain(&self, query: impl Into<Query>) -> Result<Explanation> {
        let request = self.request(query.into().checked()?)?;
        self.call("explain query on collection", async {
            self.check_supported(&request)?;
            self.storage
                .adapter()
                .explain(&self.checked_name()?, &request)
                .await
        })
        .await
    }

    /// Whether the backend answers more than "everything in the order of ids" when it is asked to.
    fn check_supported(&self, request: &FindRequest) -> Result<()> {
        if request.filter == crate::query::Filter::All && request.sort.is_empty() {
            return Ok(());
        }
        self.storage.require_one(Capability::Indexes)
    }

    fn request(&self, query: Query) -> Result<FindRequest> {
        let sort = query.effective_sort();
        let after: Option<Position> = query
            .token()
            .map(|token| token.position(&self.name, query.filter_ref(), &sort))
            .transpose()?;
        let after = match query.begins_after()? {
            Some(position) => Some(position),
            None => after,
        };
        let allow_scan = query.scan_allowed();
        let mut request = FindRequest::new(query.into(), sort, self.storage.now());
        request.after = after;
        request.allow_scan = allow_scan;
        Ok(request)
    }

    async fn fetch(&self, request: &FindRequest, limit: usize) -> Result<crate::adapter::FindPage> {
        let mut request = request.clone();
        request.now = self.storage.now();
        self.call(FIND, async {
            self.check_supported(&request)?;
            let most = self.storage.documents_section()?.max_page_documents;
            request.limit = limit.min(usize::try_from(most).unwrap_or(usize::MAX));
            let mut page = self
                .storage
                .adapter()
                .find(&self.checked_name()?, request)
                .await?;
            let stamped = |error: Error| {
                let error = self.storage.stamped(error, FIND, &self.name);
                let document = error.key().unwrap_or_default().to_owned();
                error.with_context("document", document)
            };
            page.unreadable = page.unreadable.into_iter().map(stamped).collect();
            Ok(page)
        })
        .await
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync> Found<T> {
    /// The next document; `None` at the end, and from then on. After a `Corrupt` error with the context `document` the next call goes on
    /// behind that document; after any other `Corrupt` there is no way on.
    ///
    /// # Errors
    /// As [`Collection::find`]; `Corrupt` for each document that cannot be read, after the others of its page.
    pub async fn next(&mut self) -> Result<Option<Document<T>>> {
        while self.page.is_empty() {
            if let Some(error) = self.unreadable.pop_front() {
                return Err(error);
            }
            if !self.more {
                return Ok(None);
            }
            // There is no way past a page that is damaged as a whole; without this a caller that skips `Corrupt` never ends.
            let fetched = self.fetch().await;
            self.more &= !matches!(&fetched, Err(error) if error.kind() == ErrorKind::Corrupt);
            fetched?;
        }
        self.page.pop_front().map(Document::read).transpose()
    }

    /// All that follow, in memory.
    ///
    /// # Errors
    /// As [`Collection::find`].
    pub async fn collect(mut self) -> Result<Vec<Document<T>>> {
        let mut documents = Vec::new();
        while let Some(document) = self.next().await? {
            documents.push(document);
        }
        Ok(documents)
    }

    /// All that follow, as a stream. It goes on after a document that cannot be read, and ends after any other error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Document<T>>> + Send {
        let found = futures::stream::unfold(Some(self), |found| async move {
            let mut found = found?;
            match found.next().await {
                Ok(Some(document)) => Some((Ok(document), Some(found))),
                Ok(None) => None,
                Err(error) if error.context_value("document").is_some() => Some((Err(error), Some(found))),
                Err(error) => Some((Err(error), None)),
            }
        });
        found.fuse()
    }

    async fn fetch(&mut self) -> Result<()> {
        let limit = self.wanted.map_or(DOCUMENTS_PER_PAGE, |wanted| {
            usize::try_from(wanted)
                .unwrap_or(usize::MAX)
                .min(DOCUMENTS_PER_PAGE)
        });
        if limit == 0 {
            self.more = false;
            return Ok(());
        }
        let page = self.collection.fetch(&self.request, limit).await?;
        if let Some(wanted) = &mut self.wanted {
            *wanted = wanted.saturating_sub(page.documents.len() as u64);
        }
        self.more = page.next.is_some() && self.wanted != Some(0);
        self.request.after = page.next;
        self.page.extend(page.documents);
        self.unreadable.extend(page.unreadable);
        Ok(())
    }
}

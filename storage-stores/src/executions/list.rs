//! Lists. What cannot be read is reported beside what can, and hides nothing.

use std::ops::Deref;

use storage_core::bson::RawDocumentBuf;
use storage_core::{Document, Error, ErrorKind, Found, Index, Page, PageToken, Query, Result};

use super::delete::is_mark;
use super::execution::Execution;
use super::state::ExecutionState;
use super::store::{Documents, Executions};

/// A list: what could be read, and what could not. It is a slice of the former, and iterates over it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listing<T> {
    /// What could be read, in order.
    pub items: Vec<T>,
    /// One `Corrupt` error for each document that is not what it must be; [`Error::key`] names it.
    pub unreadable: Vec<Error>,
}

impl<T> Listing<T> {
    /// The items, if all of them could be read.
    ///
    /// # Errors
    /// The first that could not.
    pub fn all(mut self) -> Result<Vec<T>> {
        if self.unreadable.is_empty() {
            return Ok(self.items);
        }
        Err(self.unreadable.swap_remove(0))
    }
}

impl<T> Deref for Listing<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> IntoIterator for Listing<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Listing<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

/// Which executions to list, a page at a time, in the order of their creation, ties by id.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ExecutionQuery {
    state: Option<ExecutionState>,
    program: Option<String>,
    newest_first: bool,
    limit: Option<u64>,
    after: Option<PageToken>,
}

/// One page of executions.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExecutionPage {
    /// The executions. Fewer than the limit does not mean the end.
    pub executions: Listing<Execution>,
    /// What [`ExecutionQuery::after`] takes to go on; `None` at the end.
    pub next: Option<PageToken>,
}

impl ExecutionQuery {
    /// All, oldest first, 100 to a page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those in this state.
    #[must_use]
    pub fn state(mut self, state: ExecutionState) -> Self {
        self.state = Some(state);
        self
    }

    /// Only those of this program.
    #[must_use]
    pub fn program(mut self, program_id: impl Into<String>) -> Self {
        self.program = Some(program_id.into());
        self
    }

    /// The newest first.
    #[must_use]
    pub const fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self
    }

    /// The most executions in a page; 100 by default.
    #[must_use]
    pub const fn limit(mut self, executions: u64) -> Self {
        self.limit = Some(executions);
        self
    }

    /// Go on where the page with this token ended. The query must otherwise be the same.
    #[must_use]
    pub fn after(mut self, token: PageToken) -> Self {
        self.after = Some(token);
        self
    }

    /// The query, and the index that answers it.
    fn plan(self) -> (Query, Index) {
        let by_state = || {
            self.state
                .as_ref()
                .map(|state| Query::eq("state", state.as_str()))
        };
        let (query, index) = match (&self.program, by_state()) {
            (Some(program), state) => {
                let query = Query::eq("programId", program.as_str());
                (
                    state.map_or_else(|| query.clone(), |state| query.clone().and(state)),
                    by("by_program", "programId"),
                )
            }
            (None, Some(state)) => (state, by("by_state", "state")),
            (None, None) => (Query::all(), Index::btree("by_created", ["created"])),
        };
        let query = if self.newest_first {
            query.sort_descending("created")
        } else {
            query.sort("created")
        };
        let query = query.limit(self.limit.unwrap_or(100));
        (self.after.into_iter().fold(query, Query::after), index)
    }
}

fn by(name: &str, field: &str) -> Index {
    Index::btree(name, [field, "created"])
}

impl Executions {
    /// Every execution, in the UTF-8 byte order of ids, in memory. See [`list_executions_page`](Self::list_executions_page) for many.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn list_executions(&self) -> Result<Listing<Execution>> {
        self.list(&self.executions(), read_execution).await
    }

    /// One page of executions, filtered by state and program, in the order of creation. The index it needs is made by the first
    /// call that needs it, on any handle.
    ///
    /// # Errors
    /// `InvalidArgument` for a token of another query; `Unsupported` unless `indexes` is declared; those of the medium.
    pub async fn list_executions_page(&self, query: ExecutionQuery) -> Result<ExecutionPage> {
        let (query, index) = query.plan();
        let executions = self.executions();
        let Page {
            documents,
            unreadable,
            next,
            ..
        } = match executions.find_page(query.clone()).await {
            Err(error) if error.kind() == ErrorKind::IndexRequired => {
                executions.ensure_index(index).await?;
                executions.find_page(query).await?
            }
            page => page?,
        };
        let mut page = Listing {
            items: Vec::with_capacity(documents.len()),
            unreadable,
        };
        for document in documents {
            self.sort_in(&mut page, read_execution(document.id.as_str(), &document.value));
        }
        Ok(ExecutionPage {
            executions: page,
            next,
        })
    }

    /// The documents whose state is this value, in the order of creation.
    pub(super) async fn find_by_state(&self, state: impl Into<storage_core::bson::Bson>) -> Result<Walk> {
        let query = Query::eq("state", state).sort("created");
        let executions = self.executions();
        let found = match executions.find(query.clone()).await {
            Err(error) if error.kind() == ErrorKind::IndexRequired => {
                executions.ensure_index(by("by_state", "state")).await?;
                executions.find(query).await
            }
            found => found,
        };
        found.map(Walk::new)
    }

    pub(super) async fn list<T>(
        &self,
        documents: &Documents,
        read: impl Fn(&str, &RawDocumentBuf) -> Result<Option<T>> + Send,
    ) -> Result<Listing<T>>
    where
        T: Send,
    {
        let mut listing = Listing {
            items: Vec::new(),
            unreadable: Vec::new(),
        };
        let mut found = Walk::new(documents.find(Query::all()).await?);
        while let Some(document) = found.next(&mut listing.unreadable).await? {
            self.sort_in(&mut listing, read(document.id.as_str(), &document.value));
        }
        Ok(listing)
    }

    fn sort_in<T>(&self, listing: &mut Listing<T>, read: Result<Option<T>>) {
        match read {
            Ok(item) => listing.items.extend(item),
            Err(error) => listing.unreadable.push(self.named(error, "list", "")),
        }
    }
}

/// The documents a query found, past those that cannot be read.
pub(super) struct Walk {
    found: Found<RawDocumentBuf>,
}

impl Walk {
    const fn new(found: Found<RawDocumentBuf>) -> Self {
        Self { found }
    }

    /// The next that can be read; those that cannot are added to `unreadable`.
    pub(super) async fn next(
        &mut self,
        unreadable: &mut Vec<Error>,
    ) -> Result<Option<Document<RawDocumentBuf>>> {
        loop {
            match self.found.next().await {
                Err(error) if error.context_value("document").is_some() => unreadable.push(error),
                next => return next,
            }
        }
    }
}

/// `None` for what is being deleted.
fn read_execution(id: &str, body: &RawDocumentBuf) -> Result<Option<Execution>> {
    if is_mark(body) {
        return Ok(None);
    }
    Execution::from_stored(id, body).map(Some)
}

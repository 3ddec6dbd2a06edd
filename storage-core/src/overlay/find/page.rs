//! [`Sink`]: what becomes of the documents a walk finds: a page, a count, or figures about an index.

use std::collections::{BTreeMap, HashSet};

use crate::adapter::{FindPage, FindRequest, StoredDocument};
use crate::error::{Error, Result};
use crate::index::IndexStats;
use crate::name::DocumentId;
use crate::query::{Position, Sort, sort_key};

/// How many bytes of documents one page holds at most, unless a single one is larger: as much as the largest document may have.
const MAX_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// Takes the documents that match, in the order of the walk.
pub(super) trait Sink: Send {
    /// How many more would be of use, as far as can be told now: how much is worth reading ahead.
    fn wanted(&self) -> usize;

    /// Takes one, with the escaped key of the entry that led to it; `false` when no further one is needed.
    fn take(&mut self, document: StoredDocument, value: &str) -> Result<bool>;

    /// Is told of a document that cannot be read and so can be neither taken nor left out.
    fn unreadable(&mut self, error: Error) -> Result<()> {
        Err(error)
    }
}

/// One page of documents.
pub(super) struct Page<'a> {
    limit: usize,
    bytes: usize,
    /// What is in: a document that changes between two looks comes once.
    ids: HashSet<DocumentId>,
    /// Whether a document was left out that comes after all that are in.
    more: bool,
    unreadable: Vec<Error>,
    order: Order<'a>,
}

enum Order<'a> {
    /// The walk delivers the order asked.
    Delivered(Vec<StoredDocument>),
    /// The least by sort key of all that come.
    Sorted {
        sort: &'a [Sort],
        after: Option<Vec<u8>>,
        least: BTreeMap<Vec<u8>, StoredDocument>,
        /// The least key that was put out again; nothing from there on may come in any more.
        cut: Option<Vec<u8>>,
    },
}

impl<'a> Page<'a> {
    pub(super) fn new(request: &'a FindRequest, sort: bool) -> Result<Self> {
        let order = if sort {
            Order::Sorted {
                sort: &request.sort,
                after: request
                    .after
                    .as_ref()
                    .map(|position| position.sort_key(&request.sort)),
                least: BTreeMap::new(),
                cut: None,
            }
        } else {
            Order::Delivered(Vec::new())
        };
        Ok(Self {
            limit: request.limit.max(1),
            bytes: 0,
            ids: HashSet::new(),
            more: false,
            unreadable: Vec::new(),
            order,
        })
    }

    pub(super) fn finish(self, sort: &[Sort]) -> Result<FindPage> {
        let documents = match self.order {
            Order::Delivered(documents) => documents,
            Order::Sorted { least, .. } => least.into_values().collect(),
        };
        let next = match documents.last() {
            Some(last) if self.more => Some(Position::of(&last.body, &last.id, sort)?),
            _ => None,
        };
        Ok(FindPage {
            documents,
            unreadable: self.unreadable,
            next,
        })
    }
}

impl Sink for Page<'_> {
    fn wanted(&self) -> usize {
        match &self.order {
            // One more than fits, to know whether another page follows.
            Order::Delivered(documents) => self.limit + 1 - documents.len(),
            Order::Sorted { .. } => usize::MAX,
        }
    }

    fn take(&mut self, document: StoredDocument, _value: &str) -> Result<bool> {
        if self.ids.contains(&document.id) {
            return Ok(true);
        }
        let size = document.body.as_bytes().len();
        match &mut self.order {
            Order::Delivered(documents) => {
                if documents.len() == self.limit
                    || (self.bytes + size > MAX_PAGE_BYTES && !documents.is_empty())
                {
                    self.more = true;
                    return Ok(false);
                }
                self.ids.insert(document.id.clone());
                documents.push(document);
                self.bytes += size;
            }
            Order::Sorted {
                sort,
                after,
                least,
                cut,
            } => {
                let key = sort_key(&document.body, &document.id, sort)?;
                if after.as_ref().is_some_and(|after| key <= *after) {
                    return Ok(true);
                }
                if cut.as_ref().is_some_and(|cut| key >= *cut) {
                    self.more = true;
                    return Ok(true);
                }
                self.ids.insert(document.id.clone());
                least.insert(key, document);
                self.bytes += size;
                while least.len() > self.limit || (self.bytes > MAX_PAGE_BYTES && least.len() > 1) {
                    let Some((key, document)) = least.pop_last() else {
                        break;
                    };
                    self.ids.remove(&document.id);
                    self.bytes -= document.body.as_bytes().len();
                    self.more = true;
                    *cut = Some(key);
                }
            }
        }
        Ok(true)
    }

    fn unreadable(&mut self, error: Error) -> Result<()> {
        // A sorted page walks over everything, so the pages after the first would only say it again.
        if !matches!(&self.order, Order::Sorted { after: Some(_), .. }) {
            self.unreadable.push(error);
        }
        Ok(())
    }
}

/// How many there are.
#[derive(Default)]
pub(super) struct Counter {
    pub(super) documents: u64,
}

impl Sink for Counter {
    fn wanted(&self) -> usize {
        usize::MAX
    }

    fn take(&mut self, _document: StoredDocument, _value: &str) -> Result<bool> {
        self.documents += 1;
        Ok(true)
    }
}

/// Figures about an index whose entries come in the order of their keys.
#[derive(Default)]
pub(super) struct Statistics {
    keys: u64,
    entries: u64,
    last: Option<String>,
}

impl Statistics {
    pub(super) const fn finish(&self) -> IndexStats {
        IndexStats {
            unique_keys: self.keys,
            total_entries: self.entries,
        }
    }
}

impl Sink for Statistics {
    fn wanted(&self) -> usize {
        usize::MAX
    }

    fn take(&mut self, _document: StoredDocument, value: &str) -> Result<bool> {
        self.entries += 1;
        if self.last.as_deref() != Some(value) {
            self.keys += 1;
            self.last = Some(value.to_owned());
        }
        Ok(true)
    }
}

//! [`Page`]: what becomes of the documents a query meets.

use std::collections::HashSet;

use bson::raw::RawBsonRef;
use bson::{RawDocument, RawDocumentBuf};
use storage_core::value::{Bracket, bracket, encode_to_vec};
use storage_core::{Error, FieldPath, FindPage, FindRequest, Index, Position, Result, StoredDocument};

use crate::body::decode;

/// The most bytes of documents in a page, unless a single one has more: what a client can hold while it waits for the rest.
pub(super) const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// The most unreadable documents named in one page. Of a collection full of another program's data, more would tell nobody more.
pub(super) const UNREADABLE: usize = 1000;

/// A document a query met, by the order of ids.
#[derive(Debug)]
pub(super) struct Met {
    /// Orders as ids do, whatever their type.
    pub(super) id: Vec<u8>,
    /// The size of what is stored.
    pub(super) bytes: usize,
    pub(super) document: Result<StoredDocument>,
}

/// Decides which documents belong to a query.
#[derive(Debug)]
pub(super) struct Matcher<'a> {
    request: &'a FindRequest,
    /// What the index orders by, under which no array may stand.
    order: Option<Index>,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(request: &'a FindRequest, open: &[FieldPath]) -> Self {
        Self {
            request,
            order: (!open.is_empty()).then(|| Index::btree("order", open.iter().cloned())),
        }
    }

    /// What the server handed over, if it belongs to the query, or if nobody can say because it cannot be read.
    pub(super) fn meet(&self, found: &RawDocument) -> Result<Option<Met>> {
        let document = match decode(found) {
            Ok(stored) if !stored.is_live(self.request.now) => return Ok(None),
            Ok(stored) => {
                let document = stored.document;
                if !self.request.filter.matches(&document.body)? {
                    return Ok(None);
                }
                self.check_order(&document).map(|()| document)
            }
            Err(error) => Err(error),
        };
        Ok(Some(Met {
            id: id_key(found),
            bytes: found.as_bytes().len(),
            document,
        }))
    }

    fn check_order(&self, document: &StoredDocument) -> Result<()> {
        let Some(order) = &self.order else { return Ok(()) };
        order.keys(&document.body, u64::MAX).map(drop).map_err(|error| {
            Error::corrupt(
                document.id.as_str(),
                "another program put an array where an index takes single values, so the document has no place in the order",
            )
            .with_source(error)
        })
    }
}

/// The bytes that order as ids do.
pub(super) fn id_key(found: &RawDocument) -> Vec<u8> {
    encode_to_vec(found.get("_id").ok().flatten())
}

/// Whether the id sorts before every id of this library.
pub(super) fn is_before_ids(found: &RawDocument) -> bool {
    match found.get("_id") {
        Ok(Some(id)) => bracket(id) < Bracket::String || matches!(id, RawBsonRef::MinKey),
        _ => true,
    }
}

/// One page, while it fills.
#[derive(Debug)]
pub(super) struct Page<'a> {
    request: &'a FindRequest,
    documents: Vec<StoredDocument>,
    bytes: usize,
    unreadable: Vec<Error>,
    /// Met since the last document of the page: they are told by the next page if there is one, because it begins before them.
    pending: Vec<Error>,
    told: HashSet<Vec<u8>>,
    more: bool,
}

impl<'a> Page<'a> {
    pub(super) fn new(request: &'a FindRequest) -> Self {
        Self {
            request,
            documents: Vec::new(),
            bytes: 0,
            unreadable: Vec::new(),
            pending: Vec::new(),
            told: HashSet::new(),
            more: false,
        }
    }

    /// Takes the next document in the order asked; `false` once the page is full and another document follows.
    pub(super) fn take(&mut self, met: Met) -> bool {
        match met.document {
            Ok(_) if self.has_no_room(met.bytes) => {
                self.more = true;
                return false;
            }
            Ok(document) => {
                self.bytes += met.bytes;
                self.documents.push(document);
                self.unreadable.append(&mut self.pending);
            }
            Err(error) => {
                if self.told.insert(met.id) && self.unreadable.len() + self.pending.len() < UNREADABLE {
                    self.pending.push(error);
                }
            }
        }
        true
    }

    fn has_no_room(&self, bytes: usize) -> bool {
        self.documents.len() >= self.request.limit || (self.bytes > 0 && self.bytes + bytes > PAGE_BYTES)
    }

    /// How many more documents the page takes.
    pub(super) fn room(&self) -> usize {
        self.request.limit.saturating_sub(self.documents.len())
    }

    /// Whether so many bytes more are too many.
    pub(super) const fn is_full_with(&self, bytes: usize) -> bool {
        self.bytes + bytes > PAGE_BYTES
    }

    pub(super) fn finish(mut self) -> Result<FindPage> {
        if !self.more {
            self.unreadable.append(&mut self.pending);
        }
        if self.told.len() > UNREADABLE {
            tracing::warn!(
                met = self.told.len(),
                "more documents are unreadable than a page names"
            );
        }
        let next = match self.documents.last() {
            Some(last) if self.more => Some(Position::of(&last.body, &last.id, &self.request.sort)?),
            _ => None,
        };
        Ok(FindPage {
            documents: self.documents,
            unreadable: self.unreadable,
            next,
        })
    }
}

/// The key of what the index orders by, of a document as it is stored; `None` where an array is in the way.
pub(super) fn order_key(found: &RawDocument, stored: &[FieldPath]) -> Result<Option<Vec<u8>>> {
    if stored.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let order = Index::btree("order", stored.iter().cloned());
    Ok(order
        .keys(found, u64::MAX)
        .ok()
        .and_then(|keys| keys.keys.into_iter().next()))
}

/// The values of what the index orders by, of a document as it is stored.
pub(super) fn order_values(found: &RawDocumentBuf, stored: &[FieldPath]) -> Result<Vec<bson::Bson>> {
    stored
        .iter()
        .map(|field| match field.lookup(found)? {
            Some(value) => bson::Bson::try_from(value).map_err(storage_core::malformed),
            None => Ok(bson::Bson::Null),
        })
        .collect()
}

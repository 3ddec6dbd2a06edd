//! [`Walk`]: every document of a collection, in pages as large as memory allows.

use std::collections::VecDeque;

use storage_core::bson::RawDocumentBuf;
use storage_core::{Document, PageToken, Query, Result};

use super::turn::Documents;
use super::write::PAGE_BYTES;

/// How many documents the first page has; the later ones have as many as fit, by the size of those before.
const FIRST_PAGE: u64 = 100;
/// The most documents of a page.
const LARGEST_PAGE: u64 = 1000;

/// Every document of a collection, in the order of ids. It ends at the first that cannot be read.
pub(crate) struct Walk {
    documents: Documents,
    page: VecDeque<Document<RawDocumentBuf>>,
    next: Option<PageToken>,
    limit: u64,
    more: bool,
}

impl Walk {
    pub(crate) fn over(documents: &Documents) -> Self {
        Self {
            documents: documents.clone(),
            page: VecDeque::new(),
            next: None,
            limit: FIRST_PAGE,
            more: true,
        }
    }

    /// The next document; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Document<RawDocumentBuf>>> {
        while self.page.is_empty() && self.more {
            let query = Query::all().limit(self.limit);
            let query = self.next.take().into_iter().fold(query, Query::after);
            let page = self.documents.find_page(query).await?;
            if let Some(error) = page.unreadable.into_iter().next() {
                return Err(error);
            }
            let bytes: usize = page.documents.iter().map(|one| one.value.as_bytes().len()).sum();
            if let Some(fitting) = (PAGE_BYTES * page.documents.len()).checked_div(bytes) {
                self.limit = (fitting as u64).clamp(1, LARGEST_PAGE);
            }
            self.more = page.next.is_some();
            self.next = page.next;
            self.page = page.documents.into();
        }
        Ok(self.page.pop_front())
    }
}

//! A page where no index delivers the order asked: every match is looked at, and the least are kept.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use storage_core::{FindPage, Position, Result, StoredDocument, sort_key};

use super::page::{Matcher, PAGE_BYTES, UNREADABLE};
use super::{Prepared, options};

/// The least documents met, as many as a page holds.
#[derive(Default)]
struct Least {
    documents: BTreeMap<Vec<u8>, (StoredDocument, usize)>,
    bytes: usize,
    /// The least key that was let go: nothing from it on belongs to the page.
    bound: Option<Vec<u8>>,
}

impl Least {
    fn insert(&mut self, key: Vec<u8>, document: StoredDocument, bytes: usize, limit: usize) {
        if self.bound.as_ref().is_some_and(|bound| key >= *bound) {
            return;
        }
        self.bytes += bytes;
        if let Some((_, before)) = self.documents.insert(key, (document, bytes)) {
            self.bytes -= before;
        }
        while self.documents.len() > limit || (self.bytes > PAGE_BYTES && self.documents.len() > 1) {
            let Some((key, (_, bytes))) = self.documents.pop_last() else {
                break;
            };
            self.bytes -= bytes;
            self.bound = Some(key);
        }
    }
}

/// One page.
pub(super) async fn page(prepared: &Prepared<'_>) -> Result<FindPage> {
    let request = prepared.request;
    let after = request
        .after
        .as_ref()
        .map(|position| position.sort_key(&request.sort));
    let matcher = Matcher::new(request, &[]);
    let mut least = Least::default();
    let mut unreadable = Vec::new();
    let documents = prepared.documents();
    let find = documents
        .find(prepared.base.clone())
        .with_options(options(prepared));
    let mut cursor = prepared.inner.read(find).await?;
    while let Some(found) = prepared.inner.read(cursor.try_next()).await? {
        let Some(met) = matcher.meet(&found)? else {
            continue;
        };
        match met.document {
            Ok(document) => {
                let key = sort_key(&document.body, &document.id, &request.sort)?;
                if after.as_ref().is_none_or(|after| key > *after) {
                    least.insert(key, document, met.bytes, request.limit);
                }
            }
            // Every page walks over everything, so the pages after the first would only say it again.
            Err(error) if request.after.is_none() && unreadable.len() < UNREADABLE => unreadable.push(error),
            Err(_) => {}
        }
    }
    let more = least.bound.is_some();
    let documents: Vec<StoredDocument> = least
        .documents
        .into_values()
        .map(|(document, _)| document)
        .collect();
    let next = match documents.last() {
        Some(last) if more => Some(Position::of(&last.body, &last.id, &request.sort)?),
        _ => None,
    };
    Ok(FindPage {
        documents,
        unreadable,
        next,
    })
}

#[cfg(test)]
mod tests {
    use storage_core::bson::rawdoc;
    use storage_core::{DocumentId, Version};

    use super::*;

    fn document() -> StoredDocument {
        StoredDocument {
            id: DocumentId::new("x").unwrap(),
            version: Version::random(),
            expires_at: None,
            body: rawdoc! {},
        }
    }

    #[test]
    fn what_is_let_go_leaves_no_gap() {
        let mut least = Least::default();
        let large = PAGE_BYTES / 2 + 1;
        for (key, bytes) in [(2, large), (4, large), (5, 1), (3, 1), (1, 1)] {
            least.insert(vec![key], document(), bytes, 10);
        }
        // 4 did not fit, so 5 must wait for the next page with it.
        let kept: Vec<_> = least.documents.keys().flatten().copied().collect();
        assert_eq!((kept, least.bound), (vec![1, 2, 3], Some(vec![4])));
    }
}

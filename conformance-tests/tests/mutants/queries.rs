//! Faults of queries and indexes.

use std::sync::Mutex;

use async_trait::async_trait;
use storage_core::*;

use crate::frame::Fault;

/// Takes the first so many by id and sorts those.
#[derive(Debug, Default)]
struct LimitsBeforeSorting;

#[async_trait]
impl Fault for LimitsBeforeSorting {
    async fn find(&self, memory: &Memory, collection: &Name, mut request: FindRequest) -> Result<FindPage> {
        let sort = std::mem::take(&mut request.sort);
        request.allow_scan = true;
        let mut page = memory.find(collection, request).await?;
        page.documents
            .sort_by_key(|document| sort_key(&document.body, &document.id, &sort).unwrap());
        if !sort.is_empty() {
            page.next = None;
        }
        Ok(page)
    }
}

/// Takes the first so many and then looks which of them match.
#[derive(Debug, Default)]
struct LimitsBeforeFiltering;

#[async_trait]
impl Fault for LimitsBeforeFiltering {
    async fn find(&self, memory: &Memory, collection: &Name, mut request: FindRequest) -> Result<FindPage> {
        let filter = std::mem::replace(&mut request.filter, Filter::All);
        request.allow_scan = true;
        let mut page = memory.find(collection, request).await?;
        page.documents
            .retain(|document| filter.matches(&document.body).unwrap());
        if filter != Filter::All {
            page.next = None;
        }
        Ok(page)
    }
}

/// Delivers equal keys in the order of their ids turned round.
#[derive(Debug, Default)]
struct TiesTurnedRound;

#[async_trait]
impl Fault for TiesTurnedRound {
    async fn find(&self, memory: &Memory, collection: &Name, request: FindRequest) -> Result<FindPage> {
        let sort = request.sort.clone();
        let mut page = memory.find(collection, request).await?;
        if !sort.is_empty() {
            let key = |document: &StoredDocument| {
                sort_key(&document.body, &document.id, &sort)
                    .map(|key| key[..key.len() - document.id.as_str().len()].to_vec())
            };
            page.documents.reverse();
            page.documents.sort_by_key(|document| key(document).unwrap());
        }
        Ok(page)
    }
}

/// Answers a query no index answers with nothing.
#[derive(Debug, Default)]
struct UnindexedIsEmpty;

#[async_trait]
impl Fault for UnindexedIsEmpty {
    async fn find(&self, memory: &Memory, collection: &Name, request: FindRequest) -> Result<FindPage> {
        match memory.find(collection, request).await {
            Err(error) if error.kind() == ErrorKind::IndexRequired => Ok(FindPage::default()),
            result => result,
        }
    }
}

/// Goes on after the document itself, so that the one behind it is left out once it is deleted.
#[derive(Debug, Default)]
struct PagesByOffset(Mutex<Vec<(Position, usize)>>);

#[async_trait]
impl Fault for PagesByOffset {
    async fn find(&self, memory: &Memory, collection: &Name, mut request: FindRequest) -> Result<FindPage> {
        let limit = request.limit;
        let skip = request.after.take().map_or(0, |after| {
            self.0
                .lock()
                .unwrap()
                .iter()
                .find(|(position, _)| *position == after)
                .map_or(0, |(_, skip)| *skip)
        });
        let sort = request.sort.clone();
        request.limit = 10_000;
        let mut page = memory.find(collection, request).await?;
        page.documents = page.documents.into_iter().skip(skip).take(limit + 1).collect();
        page.next = None;
        if page.documents.len() > limit {
            page.documents.truncate(limit);
            let last = page.documents.last().unwrap();
            let next = Position::of(&last.body, &last.id, &sort)?;
            self.0.lock().unwrap().push((next.clone(), skip + limit));
            page.next = Some(next);
        }
        Ok(page)
    }
}

/// Counts a document once for each of its entries.
#[derive(Debug, Default)]
struct CountCountsEntries;

#[async_trait]
impl Fault for CountCountsEntries {
    async fn count(&self, memory: &Memory, collection: &Name, mut request: FindRequest) -> Result<u64> {
        let Filter::In { field, values } = request.filter.clone() else {
            return memory.count(collection, request).await;
        };
        let mut count = 0;
        for value in values {
            let field = field.clone();
            request.filter = Filter::Compare {
                field,
                comparison: Comparison::Eq,
                value,
            };
            count += memory.count(collection, request.clone()).await?;
        }
        Ok(count)
    }
}

/// Leaves the entries of documents that are deleted, and what they were with them.
#[derive(Debug, Default)]
struct DeleteLeavesTheEntries(Mutex<Vec<(Name, StoredDocument)>>);

#[async_trait]
impl Fault for DeleteLeavesTheEntries {
    async fn delete_document(
        &self,
        memory: &Memory,
        collection: &Name,
        request: DeleteDocumentRequest,
    ) -> Result<bool> {
        let before = memory.get(collection, &request.id, request.now).await?;
        let deleted = memory.delete_document(collection, request).await?;
        self.0
            .lock()
            .unwrap()
            .extend(before.map(|before| (collection.clone(), before)));
        Ok(deleted)
    }

    async fn find(&self, memory: &Memory, collection: &Name, request: FindRequest) -> Result<FindPage> {
        let filter = request.filter.clone();
        let mut page = memory.find(collection, request).await?;
        if filter != Filter::All {
            let ghosts = self.0.lock().unwrap();
            let ghosts = ghosts
                .iter()
                .filter(|(of, ghost)| of == collection && filter.matches(&ghost.body).unwrap());
            page.documents.extend(ghosts.map(|(_, ghost)| ghost.clone()));
        }
        Ok(page)
    }
}

/// Makes an index without looking at what is there already.
#[derive(Debug, Default)]
struct EnsureForgetsToBackfill(Mutex<Vec<DocumentId>>);

#[async_trait]
impl Fault for EnsureForgetsToBackfill {
    async fn ensure_index(
        &self,
        memory: &Memory,
        collection: &Name,
        index: &Index,
        now: Timestamp,
    ) -> Result<bool> {
        let mut all = FindRequest::new(Filter::All, Vec::new(), now);
        all.limit = 10_000;
        let there = memory.find(collection, all).await?;
        self.0
            .lock()
            .unwrap()
            .extend(there.documents.into_iter().map(|document| document.id));
        memory.ensure_index(collection, index, now).await
    }

    async fn find(&self, memory: &Memory, collection: &Name, request: FindRequest) -> Result<FindPage> {
        let indexed = memory.explain(collection, &request).await?.access == AccessKind::Index;
        let mut page = memory.find(collection, request).await?;
        page.documents
            .retain(|document| !indexed || !self.0.lock().unwrap().contains(&document.id));
        Ok(page)
    }
}

/// Makes every index anew under its name, whatever is there.
#[derive(Debug, Default)]
struct EnsureReplaces;

#[async_trait]
impl Fault for EnsureReplaces {
    async fn ensure_index(
        &self,
        memory: &Memory,
        collection: &Name,
        index: &Index,
        now: Timestamp,
    ) -> Result<bool> {
        memory.drop_index(collection, &Name::new(&index.name)?).await?;
        memory.ensure_index(collection, index, now).await
    }
}

/// Takes a unique index for a plain one.
#[derive(Debug, Default)]
struct UniqueIsIgnored;

#[async_trait]
impl Fault for UniqueIsIgnored {
    async fn ensure_index(
        &self,
        memory: &Memory,
        collection: &Name,
        index: &Index,
        now: Timestamp,
    ) -> Result<bool> {
        let mut plain = index.clone();
        plain.unique = false;
        memory.ensure_index(collection, &plain, now).await
    }
}

/// Looks whether the key is free, and writes then, so that two clients find it free.
#[derive(Debug, Default)]
struct UniqueIsCheckedFirst(Mutex<Vec<Index>>);

#[async_trait]
impl Fault for UniqueIsCheckedFirst {
    async fn ensure_index(
        &self,
        memory: &Memory,
        collection: &Name,
        index: &Index,
        now: Timestamp,
    ) -> Result<bool> {
        let mut plain = index.clone();
        plain.unique = false;
        self.0.lock().unwrap().push(index.clone());
        memory.ensure_index(collection, &plain, now).await
    }

    async fn put(&self, memory: &Memory, collection: &Name, request: PutRequest) -> Result<Version> {
        let mut all = FindRequest::new(Filter::All, Vec::new(), request.now);
        all.limit = 10_000;
        let there = memory.find(collection, all).await?.documents;
        for index in self.0.lock().unwrap().iter() {
            let keys = index.keys(&request.body, u64::MAX)?;
            let holds = |other: &&StoredDocument| {
                other.id != request.id
                    && index
                        .keys(&other.body, u64::MAX)
                        .is_ok_and(|others| others == keys)
            };
            if let Some(holder) = there.iter().find(holds) {
                return Err(Error::unique_violation(&index.name, holder.id.as_str()));
            }
        }
        tokio::task::yield_now().await;
        memory.put(collection, request).await
    }
}

crate::found! {
    LimitsBeforeSorting: 1,
    LimitsBeforeFiltering: 1,
    TiesTurnedRound: 3,
    UnindexedIsEmpty: 1,
    PagesByOffset: 5,
    CountCountsEntries: 1,
    DeleteLeavesTheEntries: 3,
    EnsureForgetsToBackfill: 3,
    EnsureReplaces: 2,
    UniqueIsIgnored: 1,
}

mod killed {
    crate::kills! {
        LimitsBeforeSorting: "query.order-is-global";
        LimitsBeforeFiltering: "query.order-is-global", "query.random-queries-vs-reference";
        TiesTurnedRound: "query.ties-are-in-order-of-ids";
        UnindexedIsEmpty: "query.unindexed-is-refused";
        PagesByOffset: "pages.unchanged-documents-come-once", "pages.unchanged-documents-come-once-in-an-order";
        CountCountsEntries: "index.each-has-one-entry-per-element", "query.arrays-match-by-element";
        DeleteLeavesTheEntries: "index.follows-put-and-delete";
        EnsureForgetsToBackfill: "index.backfills-what-is-there";
        EnsureReplaces: "index.ensure-is-idempotent";
        UniqueIsIgnored: "unique.violation-changes-nothing", "unique.cannot-be-made-over-duplicates";
        UniqueIsCheckedFirst: "unique.insert-race-has-one-winner";
    }
}

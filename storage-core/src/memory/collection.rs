//! One collection in memory: documents by id, and for each index the set of its entries.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::adapter::{DeleteDocumentRequest, FindPage, FindRequest, PutRequest, StoredDocument};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Index, IndexInfo, IndexStats};
use crate::name::DocumentId;
use crate::plan::{Access, Plan};
use crate::query::{Position, sort_key};
use crate::version::Version;

#[derive(Debug, Clone, Default)]
pub(super) struct Collection {
    documents: BTreeMap<DocumentId, StoredDocument>,
    indexes: BTreeMap<String, IndexTable>,
}

#[derive(Debug, Clone)]
struct IndexTable {
    index: Index,
    entries: BTreeSet<(Vec<u8>, DocumentId)>,
}

impl Collection {
    pub(super) fn live(&self, id: &DocumentId, now: Timestamp) -> Option<&StoredDocument> {
        self.documents.get(id).filter(|document| is_live(document, now))
    }

    pub(super) fn put(&mut self, request: PutRequest, max_index_key_bytes: u64) -> Result<Version> {
        request.condition.check(
            self.live(&request.id, request.now)
                .map(|document| &document.version),
        )?;
        let mut keys = Vec::new();
        for (name, table) in &self.indexes {
            let of_index = table.index.keys(&request.body, max_index_key_bytes)?;
            if table.index.unique && of_index.complete {
                for key in &of_index.keys {
                    self.check_unique(table, key, &request.id, request.now)?;
                }
            }
            keys.push((name.clone(), of_index.keys));
        }
        self.unlink(&request.id);
        for (name, keys) in keys {
            if let Some(table) = self.indexes.get_mut(&name) {
                table
                    .entries
                    .extend(keys.into_iter().map(|key| (key, request.id.clone())));
            }
        }
        let version = Version::random();
        let PutRequest {
            id, body, expires_at, ..
        } = request;
        self.documents.insert(
            id.clone(),
            StoredDocument {
                id,
                version: version.clone(),
                expires_at,
                body,
            },
        );
        Ok(version)
    }

    pub(super) fn delete(&mut self, request: &DeleteDocumentRequest) -> Result<bool> {
        let current = self
            .live(&request.id, request.now)
            .map(|document| document.version.clone());
        if let Some(expected) = &request.if_version
            && current.as_ref() != Some(expected)
        {
            return Err(Error::precondition_failed(current.as_ref()));
        }
        self.unlink(&request.id);
        self.documents.remove(&request.id);
        Ok(current.is_some())
    }

    /// What is kept under an id, expired or not.
    pub(super) fn kept(&self, id: &DocumentId) -> Option<&StoredDocument> {
        self.documents.get(id)
    }

    /// Makes what is kept under an id what it was, without asking whether it may be.
    pub(super) fn restore(&mut self, id: &DocumentId, document: Option<StoredDocument>) {
        self.unlink(id);
        let Some(document) = document else {
            self.documents.remove(id);
            return;
        };
        for table in self.indexes.values_mut() {
            if let Ok(keys) = table.index.keys(&document.body, u64::MAX) {
                let entries = keys.keys.into_iter().map(|key| (key, id.clone()));
                table.entries.extend(entries);
            }
        }
        self.documents.insert(id.clone(), document);
    }

    /// Removes a document's entries from every index.
    fn unlink(&mut self, id: &DocumentId) {
        let Some(document) = self.documents.get(id) else {
            return;
        };
        for table in self.indexes.values_mut() {
            // A document that is there fitted the index when it came in, so its keys can be computed again.
            if let Ok(keys) = table.index.keys(&document.body, u64::MAX) {
                for key in keys.keys {
                    table.entries.remove(&(key, id.clone()));
                }
            }
        }
    }

    fn check_unique(&self, table: &IndexTable, key: &[u8], id: &DocumentId, now: Timestamp) -> Result<()> {
        for holder in table.holders(key) {
            if holder != id
                && let Some(document) = self.live(holder, now)
                && table.index.keys(&document.body, u64::MAX)?.complete
            {
                return Err(Error::unique_violation(&table.index.name, holder.as_str()));
            }
        }
        Ok(())
    }

    pub(super) fn ensure_index(
        &mut self,
        index: &Index,
        now: Timestamp,
        max_index_key_bytes: u64,
    ) -> Result<bool> {
        if let Some(existing) = self.indexes.get(&index.name) {
            if existing.index == *index {
                return Ok(false);
            }
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!(
                    "index {:?} exists with another definition; drop it first",
                    index.name
                ),
            ));
        }
        let table = self.build(index, now, max_index_key_bytes)?;
        self.indexes.insert(index.name.clone(), table);
        Ok(true)
    }

    pub(super) fn rebuild_index(
        &mut self,
        name: &str,
        now: Timestamp,
        max_index_key_bytes: u64,
    ) -> Result<()> {
        let index = self.table(name)?.index.clone();
        let table = self.build(&index, now, max_index_key_bytes)?;
        self.indexes.insert(name.to_owned(), table);
        Ok(())
    }

    fn build(&self, index: &Index, now: Timestamp, max_index_key_bytes: u64) -> Result<IndexTable> {
        let mut table = IndexTable {
            index: index.clone(),
            entries: BTreeSet::new(),
        };
        for document in self.documents.values().filter(|document| is_live(document, now)) {
            let of_document = |error: Error| error.with_context("document", document.id.as_str());
            let keys = index
                .keys(&document.body, max_index_key_bytes)
                .map_err(of_document)?;
            for key in keys.keys {
                if index.unique && keys.complete {
                    self.check_unique(&table, &key, &document.id, now)
                        .map_err(of_document)?;
                }
                table.entries.insert((key, document.id.clone()));
            }
        }
        Ok(table)
    }

    pub(super) fn drop_index(&mut self, name: &str) -> bool {
        self.indexes.remove(name).is_some()
    }

    pub(super) fn indexes(&self) -> Vec<IndexInfo> {
        self.indexes
            .values()
            .map(|table| IndexInfo {
                index: table.index.clone(),
                ready: true,
            })
            .collect()
    }

    pub(super) fn index_stats(&self, name: &str, now: Timestamp) -> Result<IndexStats> {
        let table = self.table(name)?;
        let mut stats = IndexStats {
            unique_keys: 0,
            total_entries: 0,
        };
        let mut last = None;
        for (key, _) in table
            .entries
            .iter()
            .filter(|(_, id)| self.live(id, now).is_some())
        {
            stats.total_entries += 1;
            if last != Some(key) {
                stats.unique_keys += 1;
                last = Some(key);
            }
        }
        Ok(stats)
    }

    fn table(&self, name: &str) -> Result<&IndexTable> {
        self.indexes
            .get(name)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no index {name:?}")))
    }

    pub(super) fn plan(&self, request: &FindRequest) -> Result<Plan> {
        let indexes: Vec<Index> = self.indexes.values().map(|table| table.index.clone()).collect();
        Plan::of(request, &indexes)
    }

    pub(super) fn find(&self, request: &FindRequest) -> Result<FindPage> {
        let plan = self.plan(request)?;
        // One more than the page holds, to know whether another follows.
        let most = request.limit.saturating_add(1);
        let found = if request.sort.is_empty() && !matches!(plan.access, Access::Index(_)) {
            let after = request.after.as_ref().map(|position| &position.id);
            self.by_id(&plan, after, request.now)
                .take(most)
                .collect::<Result<_>>()?
        } else {
            self.sorted(&plan, request, most)?
        };
        let more = found.len() > request.limit;
        let documents: Vec<StoredDocument> = found.into_iter().take(request.limit).cloned().collect();
        let next = match documents.last() {
            Some(last) if more => Some(Position::of(&last.body, &last.id, &request.sort)?),
            _ => None,
        };
        Ok(FindPage {
            documents,
            unreadable: Vec::new(),
            next,
        })
    }

    /// What a plan without an index leads to behind an id, in the order of ids: a walk over everything reads each document once.
    fn by_id<'a>(
        &'a self,
        plan: &'a Plan,
        after: Option<&DocumentId>,
        now: Timestamp,
    ) -> impl Iterator<Item = Result<&'a StoredDocument>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let candidates = self.documents.range::<DocumentId, _>((from, Bound::Unbounded));
        matching(candidates.map(|(_, document)| document), plan, now)
    }

    /// The first so many documents of a page, sorted here whatever order the plan promises: other adapters rely on that promise and
    /// are compared with this one.
    fn sorted<'a>(
        &'a self,
        plan: &'a Plan,
        request: &FindRequest,
        most: usize,
    ) -> Result<Vec<&'a StoredDocument>> {
        let after = request
            .after
            .as_ref()
            .map(|position| position.sort_key(&request.sort));
        let mut found: BTreeMap<Vec<u8>, &StoredDocument> = BTreeMap::new();
        for document in self.matching(plan, request.now) {
            let document = document?;
            let key = sort_key(&document.body, &document.id, &request.sort)?;
            if after.as_ref().is_some_and(|after| key <= *after) {
                continue;
            }
            found.insert(key, document);
            if found.len() > most {
                found.pop_last();
            }
        }
        Ok(found.into_values().collect())
    }

    pub(super) fn count(&self, request: &FindRequest) -> Result<u64> {
        let plan = self.plan(request)?;
        let mut ids = BTreeSet::new();
        for document in self.matching(&plan, request.now) {
            ids.insert(&document?.id);
        }
        Ok(ids.len() as u64)
    }

    /// The documents a plan leads to; one that has several entries may come several times.
    fn matching<'a>(
        &'a self,
        plan: &'a Plan,
        now: Timestamp,
    ) -> impl Iterator<Item = Result<&'a StoredDocument>> {
        let candidates: Box<dyn Iterator<Item = &'a StoredDocument>> = match &plan.access {
            Access::Ids | Access::Scan => Box::new(self.documents.values()),
            Access::Index(access) => {
                let table = self.indexes.get(&access.index.name);
                Box::new(access.ranges.iter().flat_map(move |range| {
                    let upper = range.upper.as_deref();
                    table
                        .into_iter()
                        .flat_map(|table| table.starting_at(&range.lower))
                        .take_while(move |(key, _)| upper.is_none_or(|upper| key.as_slice() < upper))
                        .filter_map(|(_, id)| self.documents.get(id))
                }))
            }
        };
        matching(candidates, plan, now)
    }

    pub(super) fn purge(&mut self, now: Timestamp) -> u64 {
        let expired: Vec<DocumentId> = self
            .documents
            .values()
            .filter(|document| !is_live(document, now))
            .map(|document| document.id.clone())
            .collect();
        for id in &expired {
            self.unlink(id);
            self.documents.remove(id);
        }
        expired.len() as u64
    }
}

impl IndexTable {
    fn starting_at<'a>(&'a self, key: &[u8]) -> impl Iterator<Item = &'a (Vec<u8>, DocumentId)> + use<'a> {
        // The empty id does not exist, so this bound lies before every entry with the key.
        let from = (key.to_vec(), DocumentId::least());
        self.entries.range((Bound::Excluded(from), Bound::Unbounded))
    }

    fn holders(&self, key: &[u8]) -> impl Iterator<Item = &DocumentId> {
        self.starting_at(key)
            .take_while(move |(held, _)| held == key)
            .map(|(_, id)| id)
    }
}

/// Those of the candidates that are there and that the plan leaves.
fn matching<'a>(
    candidates: impl Iterator<Item = &'a StoredDocument>,
    plan: &'a Plan,
    now: Timestamp,
) -> impl Iterator<Item = Result<&'a StoredDocument>> {
    candidates
        .filter(move |document| is_live(document, now))
        .filter_map(|document| match plan.residual.matches(&document.body) {
            Ok(true) => Some(Ok(document)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        })
}

fn is_live(document: &StoredDocument, now: Timestamp) -> bool {
    document.expires_at.is_none_or(|expires_at| expires_at > now)
}

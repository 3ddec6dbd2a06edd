//! [`Pair`]: the adapter and the reference side by side, and what is known of both.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use storage_core::{
    Capability, Error, Filter, FindRequest, Memory, Name, Result, StorageAdapter, StoredDocument, Timestamp,
    Version,
};

use super::check;
use crate::case::{Failure, Verdict, ensure, ensure_eq};
use crate::random::Random;

/// How many versions of a document are remembered, to write on condition of old ones too.
const REMEMBERED: usize = 3;

pub(super) struct Pair<'a> {
    pub(super) memory: Memory,
    clients: &'a [Arc<dyn StorageAdapter>],
    pub(super) random: Random,
    pub(super) collection: Name,
    /// Of each document, the same states by the reference and by the adapter.
    versions: BTreeMap<String, Vec<(Version, Version)>>,
    pub(super) now: Timestamp,
}

impl<'a> Pair<'a> {
    /// # Errors
    /// What cannot be compared.
    pub(super) fn new(
        clients: &'a [Arc<dyn StorageAdapter>],
        seed: u64,
    ) -> std::result::Result<Self, Failure> {
        check(clients)?;
        Ok(Self {
            memory: Memory::new(),
            clients,
            random: Random::new(seed),
            collection: Name::new("Things")?,
            versions: BTreeMap::new(),
            // In 2100, so that no engine purges by its own clock what is not expired here.
            now: Timestamp::from_millis(4_102_444_800_000),
        })
    }

    /// One of the clients.
    pub(super) fn client(&mut self) -> Arc<dyn StorageAdapter> {
        Arc::clone(self.random.pick(self.clients))
    }

    /// Whether the adapter declares it.
    pub(super) fn has(&self, capability: Capability) -> bool {
        let declared = self
            .clients
            .first()
            .map(|client| client.declaration().support(capability));
        declared.is_some_and(|support| support.is_present())
    }

    /// Remembers one state of a document.
    pub(super) fn learn(&mut self, id: &str, versions: (Version, Version)) {
        let known = self.versions.entry(id.to_owned()).or_default();
        known.push(versions);
        if known.len() > REMEMBERED {
            known.remove(0);
        }
    }

    /// A version a document has, or had.
    pub(super) fn known(&mut self, id: &str) -> Option<(Version, Version)> {
        let known = self.versions.get(id)?;
        Some(self.random.pick(known).clone())
    }

    /// Checks that both give the same document, at the same state.
    pub(super) fn same_document(
        &self,
        expected: &StoredDocument,
        got: &StoredDocument,
        what: &str,
    ) -> Verdict {
        ensure_eq!(
            (&got.id, got.expires_at, &got.body),
            (&expected.id, expected.expires_at, &expected.body),
            "{what}"
        );
        let known = self.versions.get(expected.id.as_str());
        let known = known.is_some_and(|known| {
            known
                .iter()
                .any(|(one, other)| *one == expected.version && *other == got.version)
        });
        ensure!(known, "{what}: it has a version no write gave it: {got:?}");
        Ok(())
    }

    /// Compares the names of collections, the indexes and every document.
    pub(super) async fn compare_all(&mut self) -> Verdict {
        let client = self.client();
        let expected = self.memory.indexes(&self.collection).await?;
        ensure_eq!(client.indexes(&self.collection).await?, expected, "the indexes");
        let mut request = FindRequest::new(Filter::All, Vec::new(), self.now);
        request.limit = 1000;
        request.allow_scan = true;
        let expected = self
            .memory
            .find(&self.collection, request.clone())
            .await?
            .documents;
        let got = client.find(&self.collection, request).await?.documents;
        let ids = |documents: &[StoredDocument]| -> Vec<_> {
            documents.iter().map(|document| document.id.clone()).collect()
        };
        ensure_eq!(ids(&got), ids(&expected), "all documents");
        for (expected, got) in expected.iter().zip(&got) {
            self.same_document(expected, got, "all documents")?;
        }
        Ok(())
    }
}

/// Both answers, or `None` where both refuse in the same way.
pub(super) fn both<T: fmt::Debug, U: fmt::Debug>(
    expected: Result<T>,
    got: Result<U>,
    what: &str,
) -> std::result::Result<Option<(T, U)>, Failure> {
    match (expected, got) {
        (Ok(expected), Ok(got)) => Ok(Some((expected, got))),
        (Err(expected), Err(got)) if are_alike(&expected, &got) => Ok(None),
        (expected, got) => Err(Failure::new(format!(
            "{what}: got {got:?}, expected {expected:?}"
        ))),
    }
}

/// Whether a caller learns the same from both. A document that two indexes refuse may be refused for either.
fn are_alike(expected: &Error, got: &Error) -> bool {
    let fact = |name| (expected.context_value(name), got.context_value(name));
    let (operation, index) = (fact("operation"), fact("index"));
    let of_two_indexes = index.0.is_some() && index.1.is_some() && index.0 != index.1;
    (expected.kind() == got.kind() || of_two_indexes)
        && expected.is_guard_failed() == got.is_guard_failed()
        && operation.0 == operation.1
}

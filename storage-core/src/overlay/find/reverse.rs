//! [`Tail`]: the end of a range, read backwards.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::name::DocumentId;
use crate::overlay::layout::{self, Entry};

/// The most names kept at once, and the fewest worth another listing of the whole range.
const MAX_TAIL: usize = 64 * 1024;
const MIN_TAIL: usize = 1024;

/// The place a descending walk has reached: keys descend, ids of equal keys ascend.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    value: String,
    id: DocumentId,
    nonce: String,
}

impl Reached {
    /// Behind every entry of this key and id.
    pub(super) fn document(value: String, id: DocumentId) -> Self {
        Self {
            value,
            id,
            nonce: layout::AFTER_NONCES.to_string(),
        }
    }

    /// Behind this entry.
    pub(super) fn entry(entry: &Entry) -> Self {
        Self {
            value: entry.value.clone(),
            id: entry.id.clone(),
            nonce: entry.nonce.clone(),
        }
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }

    pub(super) const fn id(&self) -> &DocumentId {
        &self.id
    }

    /// Whether the entry is still to come.
    pub(super) fn is_before(&self, entry: &Entry) -> bool {
        (Reverse(&self.value), &self.id, &self.nonce) < (Reverse(&entry.value), &entry.id, &entry.nonce)
    }
}

/// The last entries of a range in descending order, as many as fit.
pub(super) struct Tail {
    entries: BTreeSet<(Reverse<String>, DocumentId, String)>,
    capacity: usize,
    all: bool,
}

impl Tail {
    /// Room for a few times what is wanted: some candidates do not count.
    pub(super) fn for_wanted(documents: usize) -> Self {
        Self {
            entries: BTreeSet::new(),
            capacity: documents.saturating_mul(4).clamp(MIN_TAIL, MAX_TAIL),
            all: true,
        }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.insert((Reverse(entry.value), entry.id, entry.nonce));
        if self.entries.len() > self.capacity {
            self.entries.pop_last();
            self.all = false;
        }
    }

    /// The entries in descending order, and whether these were all.
    pub(super) fn finish(self) -> (Vec<Entry>, bool) {
        let entries = self
            .entries
            .into_iter()
            .map(|(Reverse(value), id, nonce)| Entry { value, id, nonce });
        (entries.collect(), self.all)
    }
}

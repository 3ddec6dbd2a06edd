//! [`Tail`]: the end of a range, read backwards.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::name::DocumentId;
use crate::overlay::layout::Entry;

/// The most names kept at once, and the fewest worth another listing of the whole range.
const MAX_TAIL: usize = 64 * 1024;
const MIN_TAIL: usize = 1024;

/// The place a descending walk has reached: keys descend, ids of equal keys ascend.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub(super) value: String,
    pub(super) id: DocumentId,
}

impl Reached {
    /// Whether the entry is still to come.
    pub(super) fn is_before(&self, entry: &Entry) -> bool {
        (&entry.value, Reverse(&entry.id)) < (&self.value, Reverse(&self.id))
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

    /// The entries in descending order, and whether these were all. What follows begins behind the last document in full, so a
    /// document whose entries were cut apart is left out as a whole, unless it is the only one.
    pub(super) fn finish(self) -> (Vec<Entry>, bool) {
        let entries = self.entries.into_iter().map(|(Reverse(value), id, nonce)| Entry { value, id, nonce });
        let mut entries: Vec<Entry> = entries.collect();
        if !self.all
            && let Some(last) = entries.last().cloned()
        {
            let kept = entries.iter().take_while(|entry| entry.value != last.value || entry.id != last.id).count();
            if kept > 0 {
                entries.truncate(kept);
            }
        }
        (entries, self.all)
    }
}

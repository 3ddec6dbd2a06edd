//! [`Walk`]: from names to documents, in the order of the names, reading a few documents ahead.

use std::ops::Bound;

use super::page::Sink;
use super::reverse::{Reached, Tail};
use crate::backend::Listing;
use crate::clock::Timestamp;
use crate::error::{ErrorKind, Result};
use crate::name::{DocumentId, Name};
use crate::overlay::engine::{Engine, Loaded};
use crate::overlay::layout::{self, Entry};
use crate::overlay::medium::{MAX_NAMES, PARALLEL};
use crate::plan::KeyRange;
use crate::query::Filter;
use crate::value::escape;

/// The fewest names asked for at once, however few documents are wanted: some candidates do not match.
const MIN_NAMES: usize = 16;

pub(super) struct Walk<'a> {
    engine: &'a Engine,
    collection: &'a Name,
    residual: &'a Filter,
    now: Timestamp,
    /// The generation whose entries lead to the documents; empty where ids do.
    generation: &'a str,
    /// Whether one document may have several entries in the ranges.
    each: bool,
    /// Of which all pages of names are, and those of the pages of documents after this one.
    listing: Listing,
}

/// A range of escaped keys.
pub(super) struct EscapedRange {
    lower: String,
    upper: Option<String>,
}

impl EscapedRange {
    fn of(range: &KeyRange) -> Self {
        Self {
            lower: escape(&range.lower),
            upper: range.upper.as_deref().map(escape),
        }
    }

    pub(super) fn contains(&self, value: &str) -> bool {
        *self.lower <= *value && self.is_above(value)
    }

    fn is_above(&self, value: &str) -> bool {
        self.upper.as_deref().is_none_or(|upper| value < upper)
    }
}

/// What follows a range of entries.
enum Behind {
    /// Nobody looked.
    Unknown,
    /// This value comes next.
    Entry(String),
    /// There are no more entries.
    Nothing,
}

impl Behind {
    /// Whether a later range is known to be empty.
    fn shows_empty(&self, range: &EscapedRange) -> bool {
        match self {
            Self::Unknown => false,
            Self::Entry(value) => !range.is_above(value),
            Self::Nothing => true,
        }
    }
}

impl<'a> Walk<'a> {
    pub(super) fn of_documents(
        engine: &'a Engine,
        collection: &'a Name,
        residual: &'a Filter,
        now: Timestamp,
        listing: Listing,
    ) -> Self {
        Self {
            engine,
            collection,
            residual,
            now,
            generation: "",
            each: false,
            listing,
        }
    }

    pub(super) fn of_index(
        engine: &'a Engine,
        collection: &'a Name,
        generation: &'a str,
        residual: &'a Filter,
        now: Timestamp,
        each: bool,
        listing: Listing,
    ) -> Self {
        Self {
            engine,
            collection,
            residual,
            now,
            generation,
            each,
            listing,
        }
    }

    /// Every document in the order of ids.
    pub(super) async fn ids(&self, from: Bound<&DocumentId>, sink: &mut dyn Sink) -> Result<()> {
        let prefix = layout::documents(self.collection);
        let mut start_after = match from {
            Bound::Excluded(id) => Some(layout::document(self.collection, id)?.as_str().to_owned()),
            _ => None,
        };
        loop {
            let names = sink.wanted().clamp(MIN_NAMES, MAX_NAMES);
            let (objects, next) = self
                .engine
                .medium
                .page(self.listing, &prefix, start_after, names, false)
                .await?;
            let ids = objects.iter().filter_map(|(key, _)| {
                let id = layout::last_segment(&prefix, key.as_str()).and_then(layout::text);
                if id.is_none() {
                    tracing::warn!(key = key.as_str(), "ignored an object that is not a document");
                }
                DocumentId::new(id?).ok()
            });
            let candidates: Vec<_> = ids
                .map(|id| Entry {
                    value: String::new(),
                    id,
                    nonce: String::new(),
                })
                .collect();
            if !self.offer(candidates, &[], sink).await? || next.is_none() {
                return Ok(());
            }
            start_after = next;
        }
    }

    /// The documents entries in the ranges lead to, in the order of keys and ids; keys descend when `reverse`. Begins behind
    /// `resume`.
    pub(super) async fn ranges(
        &self,
        ranges: &[KeyRange],
        resume: Option<(Vec<u8>, DocumentId)>,
        reverse: bool,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let ranges: Vec<EscapedRange> = ranges.iter().map(EscapedRange::of).collect();
        let resume = resume.map(|(key, id)| Reached::document(escape(&key), id));
        let mut more = true;
        if reverse {
            for range in ranges.iter().rev() {
                more = more && self.descend(range, &ranges, resume.as_ref(), sink).await?;
            }
        } else {
            // Between the ranges of a long list there is mostly nothing: what one look shows is not looked at again.
            let mut next = Behind::Unknown;
            for range in &ranges {
                if next.shows_empty(range) {
                    continue;
                }
                match self.ascend(range, &ranges, resume.as_ref(), sink).await? {
                    Some(behind) => next = behind,
                    None => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// What follows the range, as far as it was seen; `None` when the sink needs no more.
    async fn ascend(
        &self,
        range: &EscapedRange,
        ranges: &[EscapedRange],
        resume: Option<&Reached>,
        sink: &mut dyn Sink,
    ) -> Result<Option<Behind>> {
        let mut start_after = match resume {
            Some(resume) if !range.is_above(resume.value()) => return Ok(Some(Behind::Unknown)),
            Some(resume) if *range.lower <= *resume.value() => {
                layout::behind_entries(self.generation, resume.value(), resume.id())
            }
            _ => self.before(range),
        };
        loop {
            let names = sink.wanted().clamp(MIN_NAMES, MAX_NAMES);
            let (entries, next) = self.entries(start_after, names).await?;
            let beyond = entries
                .iter()
                .find(|entry| !range.is_above(&entry.value))
                .map(|entry| entry.value.clone());
            let within = entries
                .into_iter()
                .filter(|entry| range.contains(&entry.value))
                .collect();
            if !self.offer(within, ranges, sink).await? {
                return Ok(None);
            }
            match (beyond, next) {
                (Some(value), _) => return Ok(Some(Behind::Entry(value))),
                (None, Some(next)) => start_after = next,
                (None, None) => return Ok(Some(Behind::Nothing)),
            }
        }
    }

    /// As [`ascend`](Self::ascend), from the greatest key down. A list goes one way only, so the whole range is listed, names
    /// only, and its tail kept; when that was not enough, listed again up to where the tail began.
    async fn descend(
        &self,
        range: &EscapedRange,
        ranges: &[EscapedRange],
        resume: Option<&Reached>,
        sink: &mut dyn Sink,
    ) -> Result<bool> {
        let mut reached = resume.cloned();
        loop {
            let mut tail = Tail::for_wanted(sink.wanted());
            let mut start_after = self.before(range);
            loop {
                let (entries, next) = self.entries(start_after, MAX_NAMES).await?;
                let beyond = entries.iter().any(|entry| {
                    !range.is_above(&entry.value)
                        || reached
                            .as_ref()
                            .is_some_and(|reached| *entry.value > *reached.value())
                });
                for entry in entries {
                    if range.contains(&entry.value)
                        && reached.as_ref().is_none_or(|reached| reached.is_before(&entry))
                    {
                        tail.push(entry);
                    }
                }
                match next {
                    Some(next) if !beyond => start_after = next,
                    _ => break,
                }
            }
            let (entries, all) = tail.finish();
            let last = entries.last().map(Reached::entry);
            if !self.offer(entries, ranges, sink).await? {
                return Ok(false);
            }
            if all {
                return Ok(true);
            }
            reached = last;
        }
    }

    /// A listing that starts after this begins with the first entry of the range.
    fn before(&self, range: &EscapedRange) -> String {
        format!("{}{}", layout::entries(self.generation), range.lower)
    }

    async fn entries(&self, start_after: String, names: usize) -> Result<(Vec<Entry>, Option<String>)> {
        let prefix = layout::entries(self.generation);
        let (objects, next) = self
            .engine
            .medium
            .page(self.listing, &prefix, Some(start_after), names, false)
            .await?;
        let entries = objects
            .iter()
            .filter_map(|(key, _)| Entry::parse(&prefix, key.as_str()))
            .collect();
        Ok((entries, next))
    }

    /// Reads the documents candidates lead to and gives the sink those that count; `false` when it needs no more.
    async fn offer(
        &self,
        mut candidates: Vec<Entry>,
        ranges: &[EscapedRange],
        sink: &mut dyn Sink,
    ) -> Result<bool> {
        while !candidates.is_empty() {
            let ahead = sink.wanted().clamp(1, PARALLEL).min(candidates.len());
            let rest = candidates.split_off(ahead);
            let ids = candidates.iter().map(|entry| entry.id.clone()).collect();
            let loaded = self.engine.load_many(self.collection, ids).await;
            for (entry, (id, loaded)) in candidates.into_iter().zip(loaded) {
                let loaded = match loaded {
                    Err(error) if error.kind() == ErrorKind::Corrupt => {
                        sink.unreadable(error)?;
                        continue;
                    }
                    loaded => loaded?,
                };
                let Some(loaded) = loaded.filter(|loaded| self.counts(loaded, &entry, ranges)) else {
                    continue;
                };
                let Some(document) = loaded.record.into_document(id, self.now) else {
                    continue;
                };
                if self.residual.matches(&document.body)? && !sink.take(document, &entry.value)? {
                    return Ok(false);
                }
            }
            candidates = rest;
        }
        Ok(true)
    }

    /// Whether the document names the entry, and this is the one of its entries in the ranges that stands for it.
    fn counts(&self, loaded: &Loaded, entry: &Entry, ranges: &[EscapedRange]) -> bool {
        if self.generation.is_empty() {
            return true;
        }
        if !loaded.record.names(self.generation, &entry.value, &entry.nonce) {
            return false;
        }
        let Some(values) = loaded.record.entries.get(self.generation).filter(|_| self.each) else {
            return true;
        };
        let least = values
            .keys()
            .find(|value| ranges.iter().any(|range| range.contains(value)));
        least.is_some_and(|least| *least == entry.value)
    }
}

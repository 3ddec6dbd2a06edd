//! A page where the engine's index delivers the order asked.

use std::collections::VecDeque;

use bson::{Bson, RawDocumentBuf};
use futures::TryStreamExt;
use mongodb::options::FindOptions;
use storage_core::{Access, FieldPath, FindPage, Position, Result};

use super::page::{Matcher, Met, Page, is_before_ids, order_key, order_values};
use super::segments::{Order, Segment};
use super::{Prepared, all_of, options};
use crate::body::names::{path, stored};
use crate::query::filter::stored_value;

/// The documents in one answer of the engine where nobody knows how many will match.
const BATCH: u32 = 128;

/// How reading a segment ended.
enum Flow {
    /// There is no more in it.
    End,
    /// The page is full, and more follows.
    Full,
    /// Too many documents have these values to be turned round in memory.
    Ties(Vec<Bson>),
    /// As many as were asked for came, and not all of them belong to the page.
    Unsure,
}

/// One page.
pub(super) async fn page(prepared: &Prepared<'_>) -> Result<FindPage> {
    // To ask for no more than the page holds spares the engine a cursor, and is wrong only where something cannot be read.
    if prepared.exact
        && let Some(page) = attempt(prepared, true).await?
    {
        return Ok(page);
    }
    attempt(prepared, false).await.map(Option::unwrap_or_default)
}

async fn attempt(prepared: &Prepared<'_>, limited: bool) -> Result<Option<FindPage>> {
    let open = prepared.open();
    let mut reading = Reading {
        prepared,
        order: Order {
            paths: open.iter().map(path).collect(),
            reverse: prepared.is_reverse(),
        },
        stored: open
            .iter()
            .map(|field| FieldPath::new(stored(field)))
            .collect::<Result<_>>()?,
        matcher: Matcher::new(prepared.request, &open),
        page: Page::new(prepared.request),
        limited,
    };
    let mut segments: VecDeque<Segment> = match &prepared.request.after {
        None => VecDeque::from([reading.order.whole()]),
        Some(position) => reading
            .order
            .after(&values(prepared, position), position.id.as_str())
            .into(),
    };
    while let Some(segment) = segments.pop_front() {
        let flow = if reading.order.reverse && !segment.tied {
            reading.turned(&segment).await?
        } else {
            reading.straight(&segment).await?
        };
        match flow {
            Flow::End => {}
            Flow::Full => break,
            Flow::Ties(values) => segments = reading.order.from(&values).into(),
            Flow::Unsure => return Ok(None),
        }
    }
    reading.page.finish().map(Some)
}

/// A position's values of what the index orders by, as they are stored.
fn values(prepared: &Prepared<'_>, position: &Position) -> Vec<Bson> {
    match &prepared.plan.access {
        Access::Index(access) => access
            .sorted
            .iter()
            .filter_map(|at| position.values.get(*at))
            .map(stored_value)
            .collect(),
        Access::Ids | Access::Scan => Vec::new(),
    }
}

/// Reads segments into a page.
struct Reading<'a> {
    prepared: &'a Prepared<'a>,
    order: Order,
    /// What the index orders by, under the names it is stored by.
    stored: Vec<FieldPath>,
    matcher: Matcher<'a>,
    page: Page<'a>,
    limited: bool,
}

/// Documents of equal values that came with their ids descending.
#[derive(Default)]
struct Group {
    key: Option<Vec<u8>>,
    values: Vec<Bson>,
    met: Vec<Met>,
    bytes: usize,
}

impl Reading<'_> {
    async fn open(&self, segment: &Segment) -> Result<(mongodb::Cursor<RawDocumentBuf>, Option<usize>)> {
        let mut options: FindOptions = options(self.prepared);
        options.sort = Some(self.order.sort(segment));
        // One more than the page holds, to know whether another follows.
        let limit = self.limited.then(|| self.page.room().saturating_add(1));
        match limit.and_then(|limit| u32::try_from(limit).ok()) {
            Some(limit) => {
                options.limit = Some(limit.into());
                // Were the two equal, servers would keep a cursor nobody needs.
                options.batch_size = Some(limit.saturating_add(1));
            }
            None => options.batch_size = Some(BATCH),
        }
        let filter = all_of(vec![self.prepared.base.clone(), segment.filter.clone()]);
        let documents = self.prepared.documents();
        let cursor = self
            .prepared
            .inner
            .read(documents.find(filter).with_options(options))
            .await?;
        Ok((cursor, limit))
    }

    /// A segment that comes in the order asked.
    async fn straight(&mut self, segment: &Segment) -> Result<Flow> {
        let resumed = segment.filter.contains_key("_id");
        let (mut cursor, limit) = self.open(segment).await?;
        let mut received = 0;
        while let Some(found) = self.prepared.inner.read(cursor.try_next()).await? {
            received += 1;
            // An earlier page met it.
            if resumed && is_before_ids(&found) {
                continue;
            }
            if let Some(met) = self.matcher.meet(&found)?
                && !self.page.take(met)
            {
                return Ok(Flow::Full);
            }
        }
        Ok(if limit == Some(received) {
            Flow::Unsure
        } else {
            Flow::End
        })
    }

    /// A segment read backwards: equal values come with their ids descending, and are turned round.
    async fn turned(&mut self, segment: &Segment) -> Result<Flow> {
        let (mut cursor, limit) = self.open(segment).await?;
        let mut received = 0;
        let mut group = Group::default();
        while let Some(found) = self.prepared.inner.read(cursor.try_next()).await? {
            received += 1;
            // What has an array there has no key, and goes with its neighbours.
            if let Some(key) = order_key(&found, &self.stored)?
                && group.key.as_ref() != Some(&key)
            {
                if group.key.is_some() && !self.flush(std::mem::take(&mut group)) {
                    return Ok(Flow::Full);
                }
                group.key = Some(key);
                group.values = order_values(&found, &self.stored)?;
            }
            let Some(met) = self.matcher.meet(&found)? else {
                continue;
            };
            group.bytes += met.bytes;
            group.met.push(met);
            let many = group.met.len() > self.page.room()
                || (group.met.len() > 1 && self.page.is_full_with(group.bytes));
            if many && group.key.is_some() {
                return Ok(Flow::Ties(group.values));
            }
        }
        if limit == Some(received) {
            return Ok(match group.key {
                Some(_) => Flow::Ties(group.values),
                None => Flow::Unsure,
            });
        }
        Ok(if self.flush(group) { Flow::End } else { Flow::Full })
    }

    fn flush(&mut self, mut group: Group) -> bool {
        group.met.sort_by(|a, b| a.id.cmp(&b.id));
        group.met.into_iter().all(|met| self.page.take(met))
    }
}

//! Listing: ranges of keys, and a jump over everything that rolls up into one prefix.

use bson::{Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use storage_core::{Area, Key, ListEntry, ListPage, ListRequest, Result};

use super::head::meta;
use super::heads_of;
use crate::store::Inner;
use crate::text::after_prefix;

/// The most heads one exchange asks for. At the longest key this is about 1 MiB.
const HEADS_PER_EXCHANGE: usize = 1000;

/// One page of keys.
pub(crate) async fn list(inner: &Inner, area: Area, request: &ListRequest) -> Result<ListPage> {
    let mut page = ListPage::default();
    let mut from = Some(match &request.start_after {
        Some(after) if *after >= request.prefix => From::After(after.clone()),
        _ => From::At(request.prefix.clone()),
    });
    while let Some(start) = from {
        // One more than the page takes tells whether another follows.
        let asked = (request.limit - page.entries.len())
            .saturating_add(1)
            .min(HEADS_PER_EXCHANGE);
        let found = heads_from(inner, area, request, &start, asked).await?;
        let exhausted = found.len() < asked;
        match fill(&mut page, request, found)? {
            Filled::Full => return Ok(page),
            Filled::To(_) if exhausted => return Ok(page),
            Filled::To(next) => from = next,
        }
    }
    Ok(page)
}

/// Where a range of keys begins.
enum From {
    At(String),
    After(String),
}

/// How far a page was filled.
enum Filled {
    /// It is complete.
    Full,
    /// It has room; more may follow from here, and nothing where there is no such place.
    To(Option<From>),
}

async fn heads_from(
    inner: &Inner,
    area: Area,
    request: &ListRequest,
    from: &From,
    limit: usize,
) -> Result<Vec<RawDocumentBuf>> {
    let mut range = match from {
        From::At(key) => doc! { "$gte": key },
        From::After(key) => doc! { "$gt": key },
    };
    if let Some(end) = after_prefix(&request.prefix) {
        range.insert("$lt", end);
    }
    let fields: Document = if request.with_meta {
        doc! { "size": 1, "version": 1, "modified": 1 }
    } else {
        // Answered from the index alone.
        doc! { "_id": 1 }
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let heads = heads_of::<RawDocumentBuf>(inner, area);
    let find = heads
        .find(doc! { "_id": range })
        .sort(doc! { "_id": 1 })
        .projection(fields)
        .limit(limit)
        // Above the limit, so that the first answer is also the last.
        .batch_size(u32::try_from(limit + 1).unwrap_or(u32::MAX))
        .max_time(inner.config.operation_timeout);
    let cursor = inner.read(find).await?;
    inner.read(cursor.try_collect()).await
}

/// Takes keys in order into a page.
fn fill(page: &mut ListPage, request: &ListRequest, found: Vec<RawDocumentBuf>) -> Result<Filled> {
    let mut last = None;
    let mut rolling: Option<String> = None;
    for head in found {
        let Some(name) = head.get("_id").ok().flatten().and_then(|id| id.as_str()) else {
            continue;
        };
        if rolling
            .as_ref()
            .is_some_and(|prefix| name.starts_with(prefix.as_str()))
        {
            continue;
        }
        rolling = rolled(request, name);
        let told = rolling
            .as_ref()
            .is_some_and(|prefix| request.start_after.as_ref().is_some_and(|after| prefix <= after));
        if !told && page.entries.len() >= request.limit {
            page.next = page.entries.last().map(|last| last.name().to_owned());
            return Ok(Filled::Full);
        }
        match &rolling {
            Some(prefix) if !told => page.entries.push(ListEntry::Prefix(prefix.clone())),
            Some(_) => {}
            None => page.entries.push(object(request, name, &head)?),
        }
        last = Some(name.to_owned());
    }
    let next = match (rolling, last) {
        // Over everything that begins with the prefix.
        (Some(prefix), _) => after_prefix(&prefix).map(From::At),
        (None, Some(last)) => Some(From::After(last)),
        (None, None) => None,
    };
    Ok(Filled::To(next))
}

/// The prefix a key rolls up into.
fn rolled(request: &ListRequest, name: &str) -> Option<String> {
    let rest = name.get(request.prefix.len()..)?;
    let at = rest.find('/').filter(|_| request.delimiter)?;
    Some(name[..=request.prefix.len() + at].to_owned())
}

/// The entry of one key. A head that cannot be read is there all the same and does not hide its neighbours.
fn object(request: &ListRequest, name: &str, head: &RawDocumentBuf) -> Result<ListEntry> {
    let facts = if request.with_meta {
        meta(name, head)
            .inspect_err(|error| tracing::warn!(%error, "listed without its facts"))
            .ok()
    } else {
        None
    };
    Ok(ListEntry::Object(Key::new(name)?, facts))
}

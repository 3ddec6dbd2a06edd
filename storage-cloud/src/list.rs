//! Listings: pages of the server put together into pages of keys.
//!
//! Users' keys come in two ordered streams, those stored as they are and those that had to be [escaped](crate::odd); a page merges
//! both. Names in the bucket that stand for no key are passed over.

use futures::future::try_join;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use object_store::ObjectMeta as Found;
use object_store::list::PaginatedListOptions;
use storage_core::{
    Area, Error, ErrorKind, Key, ListEntry, ListPage, ListRequest, ObjectMeta, Result, Timestamp,
};

use crate::client::Client;
use crate::error::failed;
use crate::layout::{Layout, Stream};
use crate::wire::{listed, watch};

/// What S3 and Google give at most; Azure would give five times as many.
const MAX_PAGE: usize = 1000;

/// What one stream has, from where the page begins.
#[derive(Debug, Default)]
struct Gathered {
    entries: Vec<ListEntry>,
    /// Whether there may be more behind them.
    more: bool,
}

impl Client {
    pub(crate) async fn list(&self, layout: &Layout, area: Area, request: &ListRequest) -> Result<ListPage> {
        let mut page = match area {
            Area::Overlay => page_of(
                self.gather(layout, Stream::Overlay, request).await?,
                request.limit,
            ),
            Area::Objects => {
                let (plain, odd) = try_join(
                    self.gather(layout, Stream::Plain, request),
                    self.gather(layout, Stream::Odd, request),
                )
                .await?;
                page_of(merged(plain, odd), request.limit)
            }
        };
        if request.with_meta {
            page.entries = self.with_meta(layout, area, page.entries).await?;
        }
        Ok(page)
    }

    /// The entries of one stream, as many as a page has.
    async fn gather(&self, layout: &Layout, stream: Stream, request: &ListRequest) -> Result<Gathered> {
        let mut gathered = Gathered::default();
        if !layout.may_hold(stream, &request.prefix) {
            return Ok(gathered);
        }
        let start_after = match &request.start_after {
            Some(start) if start.starts_with(&request.prefix) => Some(start.as_str()),
            Some(start) if *start > request.prefix => return Ok(gathered),
            _ => None,
        };
        let mut walk = Walk {
            prefix: layout.name(stream, &request.prefix),
            // Escaped keys have no slash that the server could roll up by.
            delimiter: request.delimiter && stream != Stream::Odd,
            offset: start_after.map(|start| layout.offset(stream, start)),
            token: None,
            jumped: false,
        };
        loop {
            let wanted = request.limit - gathered.entries.len();
            let names = self.names(&walk, wanted, stream).await?;
            let mut in_reserved = false;
            for name in names.names {
                in_reserved = stream == Stream::Plain && layout.is_reserved(name.text());
                let Some(entry) = self.entry(layout, stream, request, name)? else {
                    continue;
                };
                let is_new = start_after.is_none_or(|start| entry.name() > start)
                    && gathered
                        .entries
                        .last()
                        .is_none_or(|last| last.name() < entry.name());
                if is_new {
                    gathered.entries.push(entry);
                }
            }
            gathered.more = names.token.is_some();
            if names.token.is_none() || gathered.entries.len() >= request.limit {
                gathered.more |= gathered.entries.len() > request.limit;
                return Ok(gathered);
            }
            walk.token = names.token;
            // A server that cannot start anywhere is walked through page by page.
            if in_reserved && !walk.jumped {
                walk.jumped = true;
                walk.token = None;
                walk.offset = Some(layout.behind_reserved());
            }
        }
    }

    /// What a name stands for; `None` for one that stands for no key.
    fn entry(
        &self,
        layout: &Layout,
        stream: Stream,
        request: &ListRequest,
        name: Listed,
    ) -> Result<Option<ListEntry>> {
        match name {
            Listed::Prefix(name) => {
                let key = name
                    .strip_suffix('/')
                    .and_then(|directory| layout.key(stream, directory));
                Ok(key.map(|key| ListEntry::Prefix(format!("{key}/"))))
            }
            Listed::Object(name, found, generation) => {
                let Some(key) = layout
                    .key(stream, &name)
                    .filter(|key| key.starts_with(&request.prefix))
                else {
                    return Ok(None);
                };
                let rolled = (request.delimiter && stream == Stream::Odd)
                    .then(|| key[request.prefix.len()..].find('/'))
                    .flatten();
                if let Some(at) = rolled {
                    return Ok(Some(ListEntry::Prefix(
                        key[..=request.prefix.len() + at].to_owned(),
                    )));
                }
                let version = self
                    .dialect
                    .version(found.e_tag.as_deref(), generation.as_deref());
                let meta = version.ok().map(|version| ObjectMeta {
                    size: found.size,
                    version,
                    modified: Some(Timestamp::from_millis(found.last_modified.timestamp_millis())),
                });
                let meta = meta.filter(|_| request.with_meta);
                Ok(Some(ListEntry::Object(Key::new(key)?, meta)))
            }
        }
    }

    /// One page of the server.
    async fn names(&self, walk: &Walk, wanted: usize, stream: Stream) -> Result<Names> {
        // Rolled up here, many names may be one entry; so a whole page is asked for.
        let wanted = if stream == Stream::Odd { MAX_PAGE } else { wanted };
        let options = PaginatedListOptions {
            offset: walk.offset.clone(),
            delimiter: walk.delimiter.then_some("/".into()),
            max_keys: Some(wanted.clamp(1, MAX_PAGE)),
            page_token: walk.token.clone(),
            ..PaginatedListOptions::default()
        };
        let prefix = (!walk.prefix.is_empty()).then_some(walk.prefix.as_str());
        let (answer, reply) = watch(self.stores.patient.list_paginated(prefix, options)).await;
        let answer = answer.map_err(|error| failed(&error, &reply))?;
        let mut names = Vec::with_capacity(answer.result.objects.len() + answer.result.common_prefixes.len());
        for found in answer.result.objects {
            let name = listed(found.location.as_ref()).ok_or_else(unreadable)?;
            names.push(Listed::Object(name.name, found, name.generation));
        }
        for prefix in answer.result.common_prefixes {
            names.push(Listed::Prefix(
                listed(prefix.as_ref()).ok_or_else(unreadable)?.name,
            ));
        }
        names.sort_by(|a, b| a.text().cmp(b.text()));
        Ok(Names {
            names,
            token: answer.page_token,
        })
    }

    /// Asks for what the listing did not say.
    async fn with_meta(
        &self,
        layout: &Layout,
        area: Area,
        entries: Vec<ListEntry>,
    ) -> Result<Vec<ListEntry>> {
        let asked: Vec<_> = entries
            .into_iter()
            .map(|entry| async move {
                match entry {
                    ListEntry::Object(key, None) => {
                        let meta = self.stat(&layout.path(area, &key)?).await?;
                        // What is gone by now was deleted during the listing.
                        Ok(meta.map(|meta| ListEntry::Object(key, Some(meta))))
                    }
                    entry => Ok(Some(entry)),
                }
            })
            .collect();
        stream::iter(asked)
            .buffered(self.parallel)
            .try_filter_map(|entry: Option<ListEntry>| async move { Ok(entry) })
            .try_collect()
            .await
    }
}

/// Where in the bucket a stream is being read.
struct Walk {
    prefix: String,
    delimiter: bool,
    offset: Option<String>,
    token: Option<String>,
    jumped: bool,
}

struct Names {
    names: Vec<Listed>,
    token: Option<String>,
}

/// One line of the server's listing.
enum Listed {
    Object(String, Found, Option<String>),
    Prefix(String),
}

impl Listed {
    fn text(&self) -> &str {
        match self {
            Self::Object(name, ..) | Self::Prefix(name) => name,
        }
    }
}

/// Both streams in order, each entry once: a directory may hold keys of both kinds.
fn merged(a: Gathered, b: Gathered) -> Gathered {
    // Behind the last entry of a stream that has more, the other one must not run ahead.
    let horizon = [&a, &b]
        .into_iter()
        .filter(|gathered| gathered.more)
        .filter_map(|gathered| Some(gathered.entries.last()?.name().to_owned()))
        .min();
    let more = a.more || b.more;
    let mut entries: Vec<_> = a.entries.into_iter().chain(b.entries).collect();
    entries.sort_by(|a, b| a.name().cmp(b.name()));
    entries.dedup_by(|a, b| a.name() == b.name());
    if let Some(horizon) = horizon {
        entries.retain(|entry| *entry.name() <= *horizon);
    }
    Gathered { entries, more }
}

fn page_of(gathered: Gathered, limit: usize) -> ListPage {
    let mut entries = gathered.entries;
    let more = gathered.more || entries.len() > limit;
    entries.truncate(limit);
    let next = entries
        .last()
        .filter(|_| more)
        .map(|entry| entry.name().to_owned());
    ListPage { entries, next }
}

fn unreadable() -> Error {
    Error::new(
        ErrorKind::Internal,
        "the server's listing has a name that cannot be read",
    )
}

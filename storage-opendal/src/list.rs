//! Listings in the order of keys, which no service promises: a directory is listed whole, and sorted here, for each page.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use storage_core::{Area, Key, ListEntry, ListPage, ListRequest, Result};

use crate::backend::OpenDal;
use crate::error::{failed, is_missing};
use crate::layout;

impl OpenDal {
    pub(crate) async fn page(&self, area: Area, request: &ListRequest) -> Result<ListPage> {
        let mut names: BTreeSet<(String, bool)> = BTreeSet::new();
        let after = |name: &str| request.start_after.as_deref().is_none_or(|start| name > start);
        for key in self.keys(area, &request.prefix).await? {
            let text = key.as_str();
            let Some(rest) = text.strip_prefix(&request.prefix) else {
                continue;
            };
            let rolled = request.delimiter.then(|| rest.find('/')).flatten();
            let (name, is_prefix) = match rolled {
                Some(at) => (&text[..request.prefix.len() + at + 1], true),
                None => (text, false),
            };
            if after(name) {
                names.insert((name.to_owned(), is_prefix));
            }
        }
        let more = names.len() > request.limit;
        let mut entries = Vec::new();
        let mut last = None;
        for (name, is_prefix) in names.into_iter().take(request.limit) {
            last = Some(name.clone());
            if is_prefix {
                entries.push(ListEntry::Prefix(name));
                continue;
            }
            let key = Key::new(name)?;
            if request.with_meta {
                // One that was deleted meanwhile is left out.
                if let Some(meta) = self.facts(&layout::path(area, &key)).await? {
                    entries.push(ListEntry::Object(key, Some(meta)));
                }
            } else {
                entries.push(ListEntry::Object(key, None));
            }
        }
        Ok(ListPage {
            entries,
            next: last.filter(|_| more),
        })
    }

    /// Every key below the directory of a prefix.
    async fn keys(&self, area: Area, prefix: &str) -> Result<Vec<Key>> {
        let directory = layout::directory(area, prefix);
        let lister = self
            .operator
            .lister_with(if directory.is_empty() { "/" } else { &directory });
        let mut lister = match lister.recursive(true).await {
            Ok(lister) => lister,
            Err(error) if is_missing(&error) => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut keys = Vec::new();
        loop {
            match lister.try_next().await {
                Ok(Some(entry)) if entry.metadata().is_file() => keys.extend(layout::key(area, entry.path())),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(keys),
                // A directory that went away while it was listed.
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

//! Faults of listing.

use async_trait::async_trait;
use storage_core::*;

use crate::frame::Fault;

/// Every entry a request may ask for, from the reference adapter.
async fn all(memory: &Memory, area: Area, request: &ListRequest) -> Result<Vec<ListEntry>> {
    let mut whole = request.clone();
    whole.limit = usize::MAX;
    Ok(memory.list(area, whole).await?.entries)
}

/// A page of these, which begin where the request does.
fn page(mut entries: Vec<ListEntry>, limit: usize) -> ListPage {
    let next = (entries.len() > limit).then(|| entries[limit - 1].name().to_owned());
    entries.truncate(limit);
    ListPage { entries, next }
}

/// Takes a full page for the last.
#[derive(Debug, Default)]
struct FullPageIsTheLast;

#[async_trait]
impl Fault for FullPageIsTheLast {
    async fn list(&self, memory: &Memory, area: Area, request: ListRequest) -> Result<ListPage> {
        let mut page = memory.list(area, request.clone()).await?;
        if page.entries.len() == request.limit {
            page.next = None;
        }
        Ok(page)
    }
}

/// Returns the key it was to begin after.
#[derive(Debug, Default)]
struct StartAfterIsInclusive;

#[async_trait]
impl Fault for StartAfterIsInclusive {
    async fn list(&self, memory: &Memory, area: Area, request: ListRequest) -> Result<ListPage> {
        let after = request.start_after.clone().unwrap_or_default();
        let mut whole = request.clone();
        whole.start_after = None;
        let mut entries = all(memory, area, &whole).await?;
        // A medium with this fault still gets on: only the first page of a listing that was told where to begin shows it.
        entries.retain(|entry| entry.name() > after.as_str() || (entry.name() == after && request.limit > 1));
        Ok(page(entries, request.limit))
    }
}

/// Keeps its position as a count of keys.
#[derive(Debug, Default)]
struct PositionIsACount(std::sync::Mutex<std::collections::HashMap<String, usize>>);

#[async_trait]
impl Fault for PositionIsACount {
    async fn list(&self, memory: &Memory, area: Area, request: ListRequest) -> Result<ListPage> {
        let mut whole = request.clone();
        whole.start_after = None;
        let entries = all(memory, area, &whole).await?;
        let known = request
            .start_after
            .as_ref()
            .and_then(|after| self.0.lock().unwrap().get(after).copied());
        let skipped = known.unwrap_or_else(|| {
            let after = request.start_after.as_deref().unwrap_or_default();
            entries.iter().filter(|entry| entry.name() <= after).count()
        });
        let page = page(entries.into_iter().skip(skipped).collect(), request.limit);
        if let Some(next) = &page.next {
            self.0
                .lock()
                .unwrap()
                .insert(next.clone(), skipped + page.entries.len());
        }
        Ok(page)
    }
}

/// Takes a prefix for a directory.
#[derive(Debug, Default)]
struct PrefixIsADirectory;

#[async_trait]
impl Fault for PrefixIsADirectory {
    async fn list(&self, memory: &Memory, area: Area, request: ListRequest) -> Result<ListPage> {
        let mut entries = all(memory, area, &request).await?;
        let prefix = request.prefix.as_str();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            entries.retain(|entry| entry.name()[prefix.len()..].starts_with('/') || entry.name() == prefix);
        }
        Ok(page(entries, request.limit))
    }
}

/// Orders keys by UTF-16, as JavaScript, Java and Windows do.
#[derive(Debug, Default)]
struct OrdersByUtf16;

#[async_trait]
impl Fault for OrdersByUtf16 {
    async fn list(&self, memory: &Memory, area: Area, request: ListRequest) -> Result<ListPage> {
        let mut entries = all(memory, area, &request).await?;
        entries.sort_by_key(|entry| entry.name().encode_utf16().collect::<Vec<_>>());
        Ok(page(entries, request.limit))
    }
}

/// Orders directory by directory, as a walk over a tree does.
#[derive(Debug, Default)]
struct OrdersByDirectory;

#[async_trait]
impl Fault for OrdersByDirectory {
    async fn list(&self, memory: &Memory, area: Area, request: ListRequest) -> Result<ListPage> {
        let mut entries = all(memory, area, &request).await?;
        entries.sort_by_key(|entry| entry.name().replace('/', "\0"));
        Ok(page(entries, request.limit))
    }
}

/// Rolls up within a page only, so a directory comes again with the next.
#[derive(Debug, Default)]
struct RollsUpPerPage;

#[async_trait]
impl Fault for RollsUpPerPage {
    async fn list(&self, memory: &Memory, area: Area, request: ListRequest) -> Result<ListPage> {
        if !request.delimiter {
            return memory.list(area, request).await;
        }
        let mut flat = request.clone();
        flat.delimiter = false;
        let found = memory.list(area, flat).await?;
        let mut entries: Vec<ListEntry> = Vec::new();
        for entry in found.entries {
            let rolled = entry.name()[request.prefix.len()..].find('/');
            let entry = match rolled {
                Some(at) => ListEntry::Prefix(entry.name()[..=request.prefix.len() + at].to_owned()),
                None => entry,
            };
            if entries.last() != Some(&entry) {
                entries.push(entry);
            }
        }
        Ok(ListPage {
            entries,
            next: found.next,
        })
    }
}

/// Gives at most 1,000 keys, and calls that all.
#[derive(Debug, Default)]
struct StopsAtTheNativePage;

#[async_trait]
impl Fault for StopsAtTheNativePage {
    async fn list(&self, memory: &Memory, area: Area, request: ListRequest) -> Result<ListPage> {
        let mut found = memory.list(area, request).await?;
        if found.entries.len() >= 1000 {
            found.entries.truncate(1000);
            found.next = None;
        }
        Ok(found)
    }
}

/// Lists the temporary of every write that goes over something.
#[derive(Debug, Default)]
struct ListsTemporaries;

#[async_trait]
impl Fault for ListsTemporaries {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        if memory.stat(area, key).await?.is_some() {
            let temporary = Key::new(format!("{key}.tmp"))?;
            memory
                .write(area, &temporary, bytes.clone(), WriteRequest::default())
                .await?;
        }
        memory.write(area, key, bytes, request).await
    }
}

/// Lists from a copy made at the first listing.
#[derive(Debug, Default)]
struct ListsFromACache(std::sync::Mutex<std::collections::HashMap<String, ListPage>>);

#[async_trait]
impl Fault for ListsFromACache {
    async fn list(&self, memory: &Memory, area: Area, request: ListRequest) -> Result<ListPage> {
        // All but which listing it is: that is where the fault lies.
        let asked = format!(
            "{area:?} {} {:?} {} {} {}",
            request.prefix, request.start_after, request.delimiter, request.limit, request.with_meta
        );
        if let Some(page) = self.0.lock().unwrap().get(&asked) {
            return Ok(page.clone());
        }
        let page = memory.list(area, request).await?;
        self.0.lock().unwrap().insert(asked, page.clone());
        Ok(page)
    }
}

crate::found! {
    FullPageIsTheLast: 3,
    PrefixIsADirectory: 2,
    RollsUpPerPage: 2,
    ListsFromACache: 2,
}

mod killed {
    crate::kills! {
        FullPageIsTheLast: "listing.pages-concat-equals-full", "listing.rollup-pages-concat-equals-full";
        StartAfterIsInclusive: "listing.start-after-exclusive";
        PositionIsACount: "listing.insert-behind-cursor-not-returned", "listing.delete-behind-cursor-no-skip";
        PrefixIsADirectory: "listing.prefix-is-bytewise";
        OrdersByUtf16: "listing.utf8-byte-order";
        OrdersByDirectory: "listing.utf8-byte-order", "listing.siblings-sorting-before-delimiter";
        RollsUpPerPage: "listing.rollup-pages-concat-equals-full";
        StopsAtTheNativePage: "listing.over-native-page";
        ListsTemporaries: "listing.hides-internals";
        ListsFromACache: "listing.sees-own-write-and-delete", "objects.delete-then-get";
    }
}

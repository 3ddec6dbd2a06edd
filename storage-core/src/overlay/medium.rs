//! [`Medium`]: the overlay's area of a backend, in the few words the protocols are written in.

use std::sync::Arc;

use bytes::Bytes;

use crate::backend::{
    Area, Condition, DeleteRequest, ListEntry, ListRequest, Listing, ObjectGuard, ObjectMeta, ReadRequest,
    StorageBackend, WriteRequest,
};
use crate::error::{Applied, Error, ErrorKind, Result};
use crate::name::Key;
use crate::version::Version;

/// How many requests of one operation are under way at once: enough to hide a network, few enough for one connection pool.
pub(super) const PARALLEL: usize = 16;

/// One page of names: what S3 gives at most.
pub(super) const MAX_NAMES: usize = 1000;

#[derive(Debug, Clone)]
pub(super) struct Medium {
    backend: Arc<dyn StorageBackend>,
}

/// What a swap came to.
#[derive(Debug)]
pub(super) enum Swap {
    /// The new medium version.
    Done(Version),
    /// Somebody else was first, or the guard no longer holds; nothing changed, and nothing will.
    Lost,
    /// It failed in another way; the error says whether it may still happen.
    Failed(Error),
}

impl Medium {
    pub(super) fn new(backend: Arc<dyn StorageBackend>) -> Self {
        Self { backend }
    }

    pub(super) fn removes_by_version(&self) -> bool {
        self.backend.declaration().objects.delete_if.is_present()
    }

    /// The bytes and the medium version.
    pub(super) async fn read(&self, key: &Key) -> Result<Option<(Bytes, Version)>> {
        let object = self
            .backend
            .read(Area::Overlay, key, ReadRequest::default())
            .await?;
        Ok(object.map(|object| (object.bytes, object.meta.version)))
    }

    /// Whether this is still the medium version.
    pub(super) async fn is_still(&self, key: &Key, version: &Version) -> Result<bool> {
        let request = ReadRequest {
            unless_version: Some(version.clone()),
            ..ReadRequest::default()
        };
        match self.backend.read(Area::Overlay, key, request).await {
            Err(error) if error.kind() == ErrorKind::NotModified => Ok(true),
            other => other.map(|_| false),
        }
    }

    /// Writes what nobody else writes: an object whose name holds a fresh nonce.
    pub(super) async fn write(&self, key: &Key, bytes: Bytes) -> Result<Version> {
        self.backend
            .write(Area::Overlay, key, bytes, WriteRequest::default())
            .await
    }

    pub(super) async fn create(&self, key: &Key, bytes: Bytes) -> Swap {
        self.conditional(key, bytes, WriteRequest::when(Condition::IfAbsent))
            .await
    }

    pub(super) async fn swap(&self, key: &Key, bytes: Bytes, base: &Version) -> Swap {
        self.swap_guarded(key, bytes, base, None).await
    }

    pub(super) async fn swap_guarded(
        &self,
        key: &Key,
        bytes: Bytes,
        base: &Version,
        guard: Option<ObjectGuard>,
    ) -> Swap {
        let request = WriteRequest {
            condition: Condition::IfVersion(base.clone()),
            guard,
        };
        self.conditional(key, bytes, request).await
    }

    async fn conditional(&self, key: &Key, bytes: Bytes, request: WriteRequest) -> Swap {
        match self.backend.write(Area::Overlay, key, bytes, request).await {
            Ok(version) => Swap::Done(version),
            Err(error)
                if error.applied() == Applied::No
                    && matches!(
                        error.kind(),
                        ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed
                    ) =>
            {
                Swap::Lost
            }
            Err(error) => Swap::Failed(error),
        }
    }

    /// After a write whose outcome was unknown, and which is seen now: writes it again over what is seen, and says whether that was
    /// acknowledged. Seeing it proves that it was written, not that it stays: a disk shows what it could not sync.
    pub(super) async fn confirm(&self, key: &Key, seen: &Version, bytes: Bytes) -> bool {
        matches!(self.swap(key, bytes, seen).await, Swap::Done(_))
    }

    /// Removes exactly this version, where the medium can; `true` if it did.
    pub(super) async fn remove_version(&self, key: &Key, version: Version) -> Result<bool> {
        if !self.removes_by_version() {
            return Ok(false);
        }
        match self
            .backend
            .delete(Area::Overlay, key, DeleteRequest::if_version(version))
            .await
        {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes what nobody can need any more.
    pub(super) async fn remove_all(&self, keys: &[Key]) -> Result<()> {
        for keys in keys.chunks(MAX_NAMES) {
            for result in self.backend.delete_many(Area::Overlay, keys).await? {
                result?;
            }
        }
        Ok(())
    }

    /// One page of what begins with the prefix, and where the next one starts.
    pub(super) async fn page(
        &self,
        listing: Listing,
        prefix: &str,
        start_after: Option<String>,
        limit: usize,
        with_meta: bool,
    ) -> Result<(Vec<(Key, Option<ObjectMeta>)>, Option<String>)> {
        let mut request = ListRequest::new(prefix);
        request.start_after = start_after;
        request.limit = limit;
        request.with_meta = with_meta;
        request.listing = listing;
        let page = self.backend.list(Area::Overlay, request).await?;
        let objects = page.entries.into_iter().filter_map(|entry| match entry {
            ListEntry::Object(key, meta) => Some((key, meta)),
            ListEntry::Prefix(_) => None,
        });
        Ok((objects.collect(), page.next))
    }

    /// The first name with the prefix, if there is any.
    pub(super) async fn first(&self, prefix: &str) -> Result<Option<Key>> {
        let listing = Listing::new();
        let mut start_after = None;
        loop {
            let (mut objects, next) = self.page(listing, prefix, start_after, 1, false).await?;
            if !objects.is_empty() {
                return Ok(Some(objects.swap_remove(0).0));
            }
            if next.is_none() {
                return Ok(None);
            }
            start_after = next;
        }
    }

    /// Up to `limit` names directly under a prefix, objects and rolled-up prefixes alike, after `start_after`.
    pub(super) async fn children(
        &self,
        prefix: &str,
        mut start_after: Option<String>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let listing = Listing::new();
        while names.len() < limit {
            let mut request = ListRequest::new(prefix);
            request.listing = listing;
            request.start_after = start_after;
            request.delimiter = true;
            request.limit = (limit - names.len()).min(MAX_NAMES);
            let page = self.backend.list(Area::Overlay, request).await?;
            names.extend(page.entries.iter().map(|entry| entry.name().to_owned()));
            if page.next.is_none() {
                break;
            }
            start_after = page.next;
        }
        Ok(names)
    }

    /// Removes everything with this prefix; gives how much it was.
    pub(super) async fn remove_prefix(&self, prefix: &str) -> Result<u64> {
        let listing = Listing::new();
        let mut removed = 0;
        let mut start_after = None;
        loop {
            let (objects, next) = self.page(listing, prefix, start_after, MAX_NAMES, false).await?;
            let keys: Vec<Key> = objects.into_iter().map(|(key, _)| key).collect();
            self.remove_all(&keys).await?;
            removed += keys.len() as u64;
            if next.is_none() {
                return Ok(removed);
            }
            start_after = next;
        }
    }
}

//! Faults of reading and writing objects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use storage_core::*;

use crate::frame::Fault;

/// Reads a missing object as an empty one.
#[derive(Debug, Default)]
struct MissingReadsAsEmpty;

#[async_trait]
impl Fault for MissingReadsAsEmpty {
    async fn read(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        let found = memory.read(area, key, request).await?;
        Ok(found.or_else(|| {
            let meta = ObjectMeta {
                size: 0,
                version: Version::random(),
                modified: None,
            };
            Some(Object {
                meta,
                range: 0..0,
                bytes: Bytes::new(),
            })
        }))
    }
}

/// Writes over the beginning of what was there, and leaves its tail.
#[derive(Debug, Default)]
struct KeepsTheTail;

#[async_trait]
impl Fault for KeepsTheTail {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        let old = memory.read(area, key, ReadRequest::default()).await?;
        let tail = old
            .map(|old| old.bytes.slice(bytes.len().min(old.bytes.len())..))
            .unwrap_or_default();
        memory
            .write(area, key, Bytes::from([bytes, tail].concat()), request)
            .await
    }
}

/// Takes an empty object for none.
#[derive(Debug, Default)]
struct EmptyIsMissing;

#[async_trait]
impl Fault for EmptyIsMissing {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        if bytes.is_empty() {
            memory.delete(area, key, DeleteRequest::default()).await?;
            return Ok(Version::random());
        }
        memory.write(area, key, bytes, request).await
    }
}

/// Refuses to delete what is not there.
#[derive(Debug, Default)]
struct DeleteOfNothingFails;

#[async_trait]
impl Fault for DeleteOfNothingFails {
    async fn delete(&self, memory: &Memory, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        if memory.stat(area, key).await?.is_none() {
            return Err(Error::new(ErrorKind::NotFound, "nothing is there"));
        }
        memory.delete(area, key, request).await
    }
}

/// Deletes a directory with the object of its name.
#[derive(Debug, Default)]
struct DeletesWhatLiesUnder;

#[async_trait]
impl Fault for DeletesWhatLiesUnder {
    async fn delete(&self, memory: &Memory, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        memory.delete(area, key, request).await?;
        for entry in memory
            .list(area, ListRequest::new(format!("{key}/")))
            .await?
            .entries
        {
            memory
                .delete(area, &Key::new(entry.name())?, DeleteRequest::default())
                .await?;
        }
        Ok(())
    }
}

/// Takes a suffix for an offset.
#[derive(Debug, Default)]
struct SuffixFromTheStart;

#[async_trait]
impl Fault for SuffixFromTheStart {
    async fn read(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        mut request: ReadRequest,
    ) -> Result<Option<Object>> {
        if let Some(ByteRange::Suffix(length)) = request.range {
            request.range = Some(ByteRange::From(length));
        }
        memory.read(area, key, request).await
    }
}

/// Refuses a range that begins after the end, as HTTP does.
#[derive(Debug, Default)]
struct RangePastTheEndFails;

#[async_trait]
impl Fault for RangePastTheEndFails {
    async fn read(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        let size = memory.stat(area, key).await?.map_or(0, |meta| meta.size);
        if let Some(ByteRange::From(start) | ByteRange::Bounded(start, _)) = request.range
            && start > size
        {
            return Err(Error::invalid_argument("the range is not satisfiable"));
        }
        memory.read(area, key, request).await
    }
}

/// Gives equal bytes equal versions, and does not say so.
#[derive(Debug, Default)]
struct VersionsAreContentHashes(Mutex<HashMap<Bytes, Version>>, Mutex<HashMap<Version, Version>>);

impl VersionsAreContentHashes {
    fn outer(&self, bytes: Bytes, inner: Version) -> Version {
        let outer = self
            .0
            .lock()
            .unwrap()
            .entry(bytes)
            .or_insert_with(|| inner.clone())
            .clone();
        self.1.lock().unwrap().insert(inner, outer.clone());
        outer
    }
}

#[async_trait]
impl Fault for VersionsAreContentHashes {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        mut request: WriteRequest,
    ) -> Result<Version> {
        if let Condition::IfVersion(expected) = &request.condition
            && let Some(meta) = memory.stat(area, key).await?
            && self.1.lock().unwrap().get(&meta.version) == Some(expected)
        {
            request.condition = Condition::IfVersion(meta.version);
        }
        let inner = memory.write(area, key, bytes.clone(), request).await?;
        Ok(self.outer(bytes, inner))
    }

    async fn stat(&self, memory: &Memory, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        let mut meta = memory.stat(area, key).await?;
        if let Some(meta) = &mut meta
            && let Some(outer) = self.1.lock().unwrap().get(&meta.version)
        {
            meta.version = outer.clone();
        }
        Ok(meta)
    }
}

/// Lets every client name the versions of its own.
#[derive(Debug, Default)]
struct VersionsEndWithTheClient;

impl VersionsEndWithTheClient {
    /// A client's versions, there and back.
    fn turned(memory: &Memory, version: &Version) -> Version {
        let client = std::ptr::from_ref(memory) as usize as u128;
        Version::from_u128(version.as_u128().unwrap_or_default() ^ (client << 64))
    }
}

#[async_trait]
impl Fault for VersionsEndWithTheClient {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        mut request: WriteRequest,
    ) -> Result<Version> {
        if let Condition::IfVersion(version) = &mut request.condition {
            *version = Self::turned(memory, version);
        }
        Ok(Self::turned(
            memory,
            &memory.write(area, key, bytes, request).await?,
        ))
    }

    async fn stat(&self, memory: &Memory, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        let meta = memory.stat(area, key).await?;
        Ok(meta.map(|meta| ObjectMeta {
            version: Self::turned(memory, &meta.version),
            ..meta
        }))
    }
}

/// Remembers where a copy came from instead of copying.
#[derive(Debug, Default)]
struct CopyIsAnAlias(Mutex<HashMap<Key, Key>>);

impl CopyIsAnAlias {
    fn source(&self, key: &Key) -> Key {
        self.0.lock().unwrap().get(key).unwrap_or(key).clone()
    }
}

#[async_trait]
impl Fault for CopyIsAnAlias {
    async fn copy(
        &self,
        memory: &Memory,
        area: Area,
        from: &Key,
        to: &Key,
        request: WriteRequest,
    ) -> Result<Option<Version>> {
        self.0.lock().unwrap().insert(to.clone(), from.clone());
        memory.copy(area, from, to, request).await
    }

    async fn read(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        memory.read(area, &self.source(key), request).await
    }
}

/// Publishes every piece of an upload as it comes.
#[derive(Debug, Default)]
struct UploadsShowEarly;

#[derive(Debug)]
struct EagerWriter(Memory, Area, Key, Vec<u8>);

#[async_trait]
impl ObjectWriter for EagerWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.3.extend_from_slice(&bytes);
        tokio::task::yield_now().await;
        self.0
            .write(self.1, &self.2, self.3.clone().into(), WriteRequest::default())
            .await
            .map(drop)
    }

    async fn finish(self: Box<Self>) -> Result<Version> {
        self.0
            .write(self.1, &self.2, self.3.into(), WriteRequest::default())
            .await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Fault for UploadsShowEarly {
    async fn open_writer(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        _request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        Ok(Box::new(EagerWriter(
            memory.clone(),
            area,
            key.clone(),
            Vec::new(),
        )))
    }
}

/// Decides the condition of an upload when it begins.
#[derive(Debug, Default)]
struct UploadsDecideEarly;

#[async_trait]
impl Fault for UploadsDecideEarly {
    async fn open_writer(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        request
            .condition
            .check(memory.stat(area, key).await?.as_ref().map(|meta| &meta.version))?;
        Arc::new(memory.clone())
            .open_writer(area, key, WriteRequest::default())
            .await
    }
}

/// Writes in two halves.
#[derive(Debug, Default)]
struct TearsLargeWrites;

#[async_trait]
impl Fault for TearsLargeWrites {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        if let Some(old) = memory.read(area, key, ReadRequest::default()).await?
            && request.condition == Condition::Always
            && old.bytes.len() == bytes.len()
            && bytes.len() > 1
        {
            let half = bytes.len() / 2;
            let torn = [&bytes[..half], &old.bytes[half..]].concat();
            memory
                .write(area, key, torn.into(), WriteRequest::default())
                .await?;
            tokio::task::yield_now().await;
        }
        memory.write(area, key, bytes, request).await
    }
}

/// Removes what was there before it writes.
#[derive(Debug, Default)]
struct DeletesBeforeItWrites;

#[async_trait]
impl Fault for DeletesBeforeItWrites {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        if request.condition == Condition::Always {
            memory.delete(area, key, DeleteRequest::default()).await?;
            // Long enough for a reader to look in between, however busy the machine is.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        memory.write(area, key, bytes, request).await
    }
}

/// Answers every other read of a client from what it read before, unless it wrote since.
#[derive(Debug, Default)]
struct ReadsFromACache(Mutex<HashMap<(usize, Area, Key), Cached>>);

/// What was read, and whether it was already given again.
type Cached = (Option<Object>, bool);

#[async_trait]
impl Fault for ReadsFromACache {
    async fn read(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        let place = (std::ptr::from_ref(memory) as usize, area, key.clone());
        if let Some((cached, used)) = self.0.lock().unwrap().get_mut(&place)
            && !std::mem::replace(used, true)
        {
            return Ok(cached.clone());
        }
        let read = memory.read(area, key, request).await?;
        self.0.lock().unwrap().insert(place, (read.clone(), false));
        Ok(read)
    }

    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        self.0
            .lock()
            .unwrap()
            .remove(&(std::ptr::from_ref(memory) as usize, area, key.clone()));
        memory.write(area, key, bytes, request).await
    }
}

crate::found! {
    MissingReadsAsEmpty: 1,
    KeepsTheTail: 2,
    EmptyIsMissing: 1,
    DeleteOfNothingFails: 1,
    DeletesWhatLiesUnder: 2,
    SuffixFromTheStart: 2,
    RangePastTheEndFails: 1,
    VersionsAreContentHashes: 2,
    VersionsEndWithTheClient: 1,
    CopyIsAnAlias: 2,
    UploadsShowEarly: 1,
    UploadsDecideEarly: 2,
    ReadsFromACache: 2,
}

mod killed {
    crate::kills! {
        MissingReadsAsEmpty: "objects.get-missing-is-none", "objects.delete-then-get";
        KeepsTheTail: "objects.overwrite-with-shorter";
        EmptyIsMissing: "objects.empty-object";
        DeleteOfNothingFails: "objects.delete-missing-is-ok";
        DeletesWhatLiesUnder: "objects.delete-keeps-what-lies-under", "names.file-and-directory-of-the-same-name";
        SuffixFromTheStart: "objects.range-table";
        RangePastTheEndFails: "objects.range-table";
        VersionsAreContentHashes: "objects.version-changes-on-every-write", "conditional.aba";
        VersionsEndWithTheClient: "conditional.version-roundtrips-as-string-and-reopen";
        CopyIsAnAlias: "objects.copy-is-not-alias";
        UploadsShowEarly: "uploads.unfinished-is-invisible", "uploads.dropped-writer-leaves-nothing",
            "uploads.dropped-overwrite-keeps-old", "concurrency.cancel-upload-at-every-poll";
        UploadsDecideEarly: "uploads.create-is-decided-at-finish", "uploads.swap-is-decided-at-finish";
        TearsLargeWrites: "concurrency.cancel-objects-at-every-poll";
        ReadsFromACache: "concurrency.register-linearizable-per-key";
        DeletesBeforeItWrites: "concurrency.readers-never-miss-during-overwrites",
            "concurrency.cancel-objects-at-every-poll";
    }
}

//! [`MemoryBackend`]: objects in two ordered maps.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use crate::backend::{
    Area, DeleteRequest, ListEntry, ListPage, ListRequest, Object, ObjectMeta, ObjectWriter, ReadRequest,
    StorageBackend, WriteRequest,
};
use crate::clock::{Clock, SystemClock};
use crate::declaration::{Declaration, Support};
use crate::error::{Error, Result};
use crate::name::Key;
use crate::version::Version;

/// Objects in memory, and nothing but objects. Clones share their data, as two clients of one server do.
#[derive(Debug, Clone)]
pub struct MemoryBackend {
    declaration: Arc<Declaration>,
    areas: Arc<Mutex<Areas>>,
}

#[derive(Debug, Default)]
struct Areas {
    objects: BTreeMap<String, Stored>,
    overlay: BTreeMap<String, Stored>,
}

#[derive(Debug, Clone)]
struct Stored {
    meta: ObjectMeta,
    bytes: Bytes,
}

impl MemoryBackend {
    /// An empty one.
    pub fn new() -> Self {
        let mut declaration = Declaration::new("memory");
        let objects = &mut declaration.objects;
        objects.create_if_absent = Support::Native;
        objects.compare_and_swap = Support::Native;
        objects.delete_if = Support::Native;
        objects.guarded_write = Support::Native;
        objects.streaming_write = Support::Native;
        objects.copy = Support::Native;
        Self {
            declaration: Arc::new(declaration),
            areas: Arc::default(),
        }
    }

    /// The maps. A panic elsewhere cannot leave them half changed: every change is one insertion or one removal.
    fn areas(&self) -> MutexGuard<'_, Areas> {
        self.areas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, area: Area, key: &Key, bytes: Bytes, request: &WriteRequest) -> Result<Version> {
        let mut areas = self.areas();
        let map = areas.of(area);
        request
            .condition
            .check(map.get(key.as_str()).map(|stored| &stored.meta.version))?;
        if let Some(guard) = &request.guard
            && map.get(guard.key.as_str()).map(|stored| &stored.meta.version) != Some(&guard.version)
        {
            return Err(Error::guard_failed(guard.key.as_str()));
        }
        let version = Version::random();
        let meta = ObjectMeta {
            size: bytes.len() as u64,
            version: version.clone(),
            modified: Some(SystemClock.now()),
        };
        map.insert(key.as_str().to_owned(), Stored { meta, bytes });
        Ok(version)
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl Areas {
    const fn of(&mut self, area: Area) -> &mut BTreeMap<String, Stored> {
        match area {
            Area::Objects => &mut self.objects,
            Area::Overlay => &mut self.overlay,
        }
    }
}

#[async_trait]
impl StorageBackend for MemoryBackend {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        let stored = self.areas().of(area).get(key.as_str()).cloned();
        stored
            .map(|stored| Object::answer(stored.meta, &stored.bytes, &request))
            .transpose()
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.publish(area, key, bytes, &request)
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        Ok(self
            .areas()
            .of(area)
            .get(key.as_str())
            .map(|stored| stored.meta.clone()))
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        let mut areas = self.areas();
        let map = areas.of(area);
        if let Some(expected) = &request.if_version {
            let current = map.get(key.as_str()).map(|stored| &stored.meta.version);
            if current != Some(expected) {
                return Err(Error::precondition_failed(current));
            }
        }
        map.remove(key.as_str());
        Ok(())
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        let mut areas = self.areas();
        let map = areas.of(area);
        let mut page = ListPage::default();
        let mut from = match &request.start_after {
            Some(after) if *after >= request.prefix => Bound::Excluded(after.clone()),
            _ => Bound::Included(request.prefix.clone()),
        };
        while let Some((key, stored)) = map.range((from.clone(), Bound::Unbounded)).next() {
            let Some(rest) = key.strip_prefix(&request.prefix) else {
                break;
            };
            let rolled = rest
                .find('/')
                .filter(|_| request.delimiter)
                .map(|at| &key[..=request.prefix.len() + at]);
            let entry = match rolled {
                Some(prefix) => {
                    // The first text after everything that begins with the prefix: its final `/` becomes the next byte, `0`.
                    from = Bound::Included(format!("{}0", &prefix[..prefix.len() - 1]));
                    if request
                        .start_after
                        .as_deref()
                        .is_some_and(|after| prefix <= after)
                    {
                        continue;
                    }
                    ListEntry::Prefix(prefix.to_owned())
                }
                None => {
                    from = Bound::Excluded(key.clone());
                    ListEntry::Object(Key::new(key)?, request.with_meta.then(|| stored.meta.clone()))
                }
            };
            if page.entries.len() == request.limit {
                page.next = page.entries.last().map(|last| last.name().to_owned());
                break;
            }
            page.entries.push(entry);
        }
        Ok(page)
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        Ok(Box::new(Writer {
            backend: self,
            area,
            key: key.clone(),
            request,
            staged: BytesMut::new(),
        }))
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        let Some(bytes) = self
            .areas()
            .of(area)
            .get(from.as_str())
            .map(|stored| stored.bytes.clone())
        else {
            return Ok(None);
        };
        self.publish(area, to, bytes, &request).map(Some)
    }
}

/// Stages in memory; publishing is one write.
#[derive(Debug)]
struct Writer {
    backend: Arc<MemoryBackend>,
    area: Area,
    key: Key,
    request: WriteRequest,
    staged: BytesMut,
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.staged.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Version> {
        let Self {
            backend,
            area,
            key,
            request,
            staged,
        } = *self;
        backend.publish(area, &key, staged.freeze(), &request)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

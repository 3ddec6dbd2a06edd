//! [`FsBackend`]: the contract of bytes, over files.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{
    Area, Declaration, DeleteRequest, Key, ListPage, ListRequest, Object, ObjectMeta, ObjectWriter,
    ReadRequest, Result, StorageBackend, Support, SweepReport, Version, WriteRequest,
};

use crate::cached;
use crate::config::FsConfig;
use crate::handle::Handle;
use crate::layout::Place;
use crate::lock::Locks;
use crate::objects::{self, Terms};
use crate::root::Root;
use crate::walk;
use crate::writer::FileWriter;

/// Objects as plain files under a directory. Cheap to clone; clones share locks and the knowledge of what is durable.
///
/// Every operation is one hop to a blocking thread of tokio's, on whose runtime it must be used; what a hop began it finishes,
/// also when the future is dropped. A streamed write makes a hop for every 256 KiB. A read of up to 1 MiB that the system has in
/// memory takes none.
#[derive(Debug, Clone)]
pub struct FsBackend {
    handle: Arc<Handle>,
    declaration: Arc<Declaration>,
}

impl FsBackend {
    /// Opens a root, creating and probing it where it is new, and removes temporaries of writers that are gone.
    ///
    /// # Errors
    /// `FormatTooNew` for a root of a newer version, which is left untouched; `InvalidArgument` where the root is a file or was
    /// created with other answers than the configuration now gives; `NotFound` where it does not exist and may not be created;
    /// `Corrupt` where the record of its format cannot be read; `Unsupported` for a disk that can keep no versions.
    pub async fn open(config: FsConfig) -> Result<Self> {
        let blocking = crate::blocking::Blocking::default();
        let declaration = Arc::new(declare(&config));
        let system = config.system.clone();
        let open = move || Root::open(&config);
        let (root, locks) = blocking
            .run(open)
            .await
            .map_err(|error| error.with_operation("open").with_backend(NAME))?;
        let handle = Handle {
            root: Arc::new(root),
            locks: Locks::new(system, locks),
            blocking,
        };
        Ok(Self {
            handle: Arc::new(handle),
            declaration,
        })
    }

    /// Removes temporaries that are older than configured and whose writer is gone.
    ///
    /// # Errors
    /// Those of the disk; what was removed stays removed.
    pub async fn sweep(&self) -> Result<SweepReport> {
        let root = Arc::clone(&self.handle.root);
        self.handle.blocking.run(move || root.sweep()).await
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    fn place(&self, area: Area, key: &Key) -> Place {
        self.handle.root.layout.place(area, key.as_str())
    }

    fn terms(&self, area: Area, request: WriteRequest) -> Terms {
        let guard = request.guard.map(|guard| {
            let place = self.place(area, &guard.key);
            (guard, place)
        });
        Terms {
            condition: request.condition,
            guard,
        }
    }
}

/// What errors and declarations call this backend.
pub(crate) const NAME: &str = "fs";

fn declare(config: &FsConfig) -> Declaration {
    let mut declaration = Declaration::new(NAME);
    let objects = &mut declaration.objects;
    objects.create_if_absent = Support::Native;
    objects.compare_and_swap = Support::Native;
    objects.delete_if = Support::Native;
    objects.guarded_write = Support::Native;
    objects.streaming_write = Support::Native;
    objects.copy = Support::Native;
    objects.durability = config.durability;
    // Paths are walked in pieces, so no bound of the system applies. From 2,347 on the overlay has the limits of every other
    // backend; much longer ones would only allow thousands of directories for one key.
    objects.max_key_bytes = 2_400;
    declaration
}

#[async_trait]
impl StorageBackend for FsBackend {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        let place = self.place(area, key);
        if self.handle.blocking.is_open()
            && let Some(object) = cached::read(&self.handle.root, &place, &request)
        {
            cached::let_others_run(object.as_ref().map_or(0, |object| object.bytes.len())).await;
            return object.map(Some);
        }
        let root = Arc::clone(&self.handle.root);
        self.handle
            .blocking
            .run(move || objects::read(&root, &place, &request))
            .await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        let (root, place, terms) = (
            Arc::clone(&self.handle.root),
            self.place(area, key),
            self.terms(area, request),
        );
        let claim = self.handle.claim(&place, &terms).await;
        let write = move || {
            let temporary = objects::stage(&root, &bytes)?;
            objects::settle(&root, &temporary)?;
            objects::place(&root, temporary, &place, &terms, claim)
        };
        self.handle.blocking.run(write).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        let place = self.place(area, key);
        if self.handle.blocking.is_open()
            && let Some(meta) = cached::stat(&self.handle.root, &place)
        {
            cached::let_others_run(0).await;
            return Ok(Some(meta));
        }
        let root = Arc::clone(&self.handle.root);
        self.handle
            .blocking
            .run(move || objects::stat(&root, &place))
            .await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        let (root, place) = (Arc::clone(&self.handle.root), self.place(area, key));
        let claim = self.handle.locks.claim(&[place.path()]).await;
        self.handle
            .blocking
            .run(move || objects::delete(&root, &place, &request, claim))
            .await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        let root = Arc::clone(&self.handle.root);
        self.handle
            .blocking
            .run(move || walk::list(&root, area, &request))
            .await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        let (place, terms) = (self.place(area, key), self.terms(area, request));
        Ok(Box::new(
            FileWriter::open(Arc::clone(&self.handle), place, terms).await?,
        ))
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        let (root, from, to) = (
            Arc::clone(&self.handle.root),
            self.place(area, from),
            self.place(area, to),
        );
        let terms = self.terms(area, request);
        let claim = self.handle.claim(&to, &terms).await;
        let copy = move || {
            let Some(temporary) = objects::stage_copy(&root, &from)? else {
                return Ok(None);
            };
            objects::settle(&root, &temporary)?;
            objects::place(&root, temporary, &to, &terms, claim).map(Some)
        };
        self.handle.blocking.run(copy).await
    }

    async fn health(&self) -> Result<()> {
        let root = Arc::clone(&self.handle.root);
        self.handle.blocking.run(move || root.healthy()).await
    }

    async fn close(&self) -> Result<()> {
        self.handle.blocking.close().await;
        self.handle.root.buffers.clear();
        Ok(())
    }
}

//! A bucket in memory: objects that are written under conditions and deleted by name alone, and documents of the overlay on them.

use std::sync::Arc;

use async_trait::async_trait;
use storage_core::{
    Area, Bytes, Capability, Declaration, DeleteRequest, Key, ListPage, ListRequest, MemoryBackend, Object,
    ObjectMeta, Overlay, ReadRequest, Result, StorageAdapter, StorageBackend, Support, Version, WriteRequest,
};

pub(crate) fn bucket(medium: MemoryBackend) -> Arc<dyn StorageAdapter> {
    let mut declaration = Declaration::new("bucket");
    declaration.objects.create_if_absent = Support::Native;
    declaration.objects.compare_and_swap = Support::Native;
    Arc::new(Overlay::new(Bucket { declaration, medium }))
}

#[derive(Debug)]
struct Bucket {
    declaration: Declaration,
    medium: MemoryBackend,
}

#[async_trait]
impl StorageBackend for Bucket {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.medium.read(area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.medium.write(area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.medium.stat(area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        if request.if_version.is_some() {
            return Err(self.declaration.unsupported(Capability::DeleteIf));
        }
        self.medium.delete(area, key, request).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.medium.list(area, request).await
    }
}

//! Objects are the backend's own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::Overlay;
use crate::backend::{
    Area, DeleteRequest, ListPage, ListRequest, Object, ObjectMeta, ObjectWriter, ReadRequest,
    StorageBackend, WriteRequest,
};
use crate::declaration::Declaration;
use crate::error::Result;
use crate::name::Key;
use crate::version::Version;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: StorageBackend> StorageBackend for Overlay<B> {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.backend.read(area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.backend.write(area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.backend.stat(area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        self.backend.delete(area, key, request).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.backend.list(area, request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        B::open_writer(Arc::clone(&self.backend), area, key, request).await
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.backend.copy(area, from, to, request).await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        self.backend.delete_many(area, keys).await
    }

    async fn presign(&self, area: Area, key: &Key, valid_for: Duration) -> Result<String> {
        self.backend.presign(area, key, valid_for).await
    }

    async fn health(&self) -> Result<()> {
        self.backend.health().await
    }

    async fn close(&self) -> Result<()> {
        self.backend.close().await
    }
}

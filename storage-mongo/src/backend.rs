//! [`StorageBackend`] for [`Mongo`]: objects.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bson::doc;
use bytes::Bytes;
use storage_core::{
    Area, Capability, Condition, Declaration, DeleteRequest, Key, ListPage, ListRequest, Object, ObjectMeta,
    ObjectWriter, ReadRequest, Result, StorageBackend, Version, WriteRequest,
};

use crate::objects::{self, Stream};
use crate::store::{Inner, Mongo};

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StorageBackend for Mongo {
    fn declaration(&self) -> &Declaration {
        &self.inner.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        let _busy = self.inner.begin()?;
        objects::read(&self.inner, area, key, &request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.inner.check_write(&request)?;
        let (inner, key) = (Arc::clone(&self.inner), key.clone());
        self.inner
            .whole(async move { objects::write(&inner, area, &key, bytes, request).await })
            .await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        let _busy = self.inner.begin()?;
        objects::stat(&self.inner, area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        if request.if_version.is_some() {
            self.inner.declaration.require(Capability::DeleteIf)?;
        }
        let (inner, key) = (Arc::clone(&self.inner), key.clone());
        self.inner
            .whole(async move { objects::delete(&inner, area, &key, request.if_version.as_ref()).await })
            .await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        let _busy = self.inner.begin()?;
        objects::list(&self.inner, area, &request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        drop(self.inner.begin()?);
        self.inner.check_write(&request)?;
        Ok(Box::new(Stream::new(Arc::clone(&self.inner), area, key, request)))
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.inner.check_write(&request)?;
        let (inner, from, to) = (Arc::clone(&self.inner), from.clone(), to.clone());
        self.inner
            .whole(async move { objects::copy(&inner, area, &from, &to, &request).await })
            .await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        let (inner, keys) = (Arc::clone(&self.inner), keys.to_vec());
        self.inner
            .whole(async move { Ok(objects::delete_many(&inner, area, &keys).await) })
            .await
    }

    async fn presign(&self, _area: Area, _key: &Key, _valid_for: Duration) -> Result<String> {
        Err(self.inner.declaration.unsupported(Capability::Presign))
    }

    /// Asks the server for an answer.
    async fn health(&self) -> Result<()> {
        let _busy = self.inner.begin()?;
        self.inner
            .read(self.inner.database.run_command(doc! { "ping": 1 }))
            .await
            .map(drop)
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await;
        Ok(())
    }
}

impl Inner {
    /// Refuses what the server at hand cannot decide in one step.
    fn check_write(&self, request: &WriteRequest) -> Result<()> {
        if request.guard.is_some() {
            self.declaration.require(Capability::ObjectGuard)?;
        }
        match request.condition {
            Condition::Always => Ok(()),
            Condition::IfAbsent => self.declaration.require(Capability::CreateIfAbsent),
            Condition::IfVersion(_) => self.declaration.require(Capability::CompareAndSwap),
        }
    }
}

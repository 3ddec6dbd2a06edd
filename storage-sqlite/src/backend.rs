//! [`StorageBackend`] for [`Sqlite`]: objects.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{
    Area, Declaration, DeleteRequest, Error, Key, ListPage, ListRequest, Object, ObjectMeta, ObjectWriter,
    ReadRequest, Result, StorageBackend, Version, WriteRequest,
};

use crate::error::classify;
use crate::objects::{self, STAGE_BYTES, Stream};
use crate::readers::plain_snapshot;
use crate::short::Short;
use crate::store::Sqlite;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl StorageBackend for Sqlite {
    fn declaration(&self) -> &Declaration {
        &self.inner.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.inner.check_open()?;
        let short = |session: &mut _| {
            plain_snapshot(session, |session| {
                objects::read_short(session, area, key, &request)
            })
        };
        if let Short::Done(object) = self.inner.readers.short(short)? {
            return Ok(object);
        }
        let key = key.clone();
        let long = move |session: &mut _| {
            plain_snapshot(session, |session| {
                objects::read_long(session, area, &key, &request)
            })
        };
        self.inner.readers.long(long).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.inner.check_open()?;
        if bytes.len() > 2 * STAGE_BYTES {
            // In pieces, so that no other writer waits for all of it.
            let mut stream: Box<dyn ObjectWriter> =
                Box::new(Stream::new(Arc::clone(&self.inner), area, key, request));
            stream.write(bytes).await?;
            return stream.finish().await;
        }
        let (key, handle, length) = (key.clone(), Arc::clone(&self.inner.handle), bytes.len());
        let work = move |session: &mut _| objects::write(session, area, &key, &bytes, &request, &handle);
        self.inner.writer.run(length, work).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.inner.check_open()?;
        self.inner
            .readers
            .short(|session| objects::stat(session, area, key))
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        self.inner.check_open()?;
        let key = key.clone();
        let work = move |session: &mut _| objects::delete(session, area, &key, request.if_version.as_ref());
        self.inner.writer.run(0, work).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.inner.check_open()?;
        let work =
            move |session: &mut _| plain_snapshot(session, |session| objects::list(session, area, &request));
        self.inner.readers.long(work).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        self.inner.check_open()?;
        Ok(Box::new(Stream::new(Arc::clone(&self.inner), area, key, request)))
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.inner.check_open()?;
        let (from, to, handle) = (from.clone(), to.clone(), Arc::clone(&self.inner.handle));
        let work = move |session: &mut _| objects::copy(session, area, &from, &to, &request, &handle);
        self.inner.writer.run(0, work).await
    }

    /// All in one transaction, so all or none.
    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        self.inner.check_open()?;
        let keys = keys.to_vec();
        let work = move |session: &mut _| {
            keys.iter()
                .try_for_each(|key| objects::delete(session, area, key, None))
                .map(|()| keys.len())
        };
        let deleted = self.inner.writer.run(0, work).await?;
        Ok((0..deleted).map(|_| Ok(())).collect())
    }

    async fn presign(&self, _area: Area, _key: &Key, _valid_for: Duration) -> Result<String> {
        Err(Error::unsupported("presign"))
    }

    /// Reads from the database and takes the write lock for a moment.
    async fn health(&self) -> Result<()> {
        self.inner.check_open()?;
        let format = |session: &mut crate::connect::Session| {
            session
                .connection
                .query_row("SELECT value FROM _storage WHERE name = 'format'", [], |_| Ok(()))
                .map_err(classify)
        };
        self.inner.readers.short(format)?;
        self.inner.writer.run(0, |_| Ok(())).await
    }

    async fn close(&self) -> Result<()> {
        Arc::clone(&self.inner).close().await
    }
}

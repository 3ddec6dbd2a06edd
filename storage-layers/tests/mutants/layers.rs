//! The real layers, and those with one fault each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use storage_core::bson::spec::BinarySubtype;
use storage_core::bson::{Binary, RawDocumentBuf, doc};
use storage_core::*;
use storage_layers::compression::{Codec, Compression, Limits};
use storage_layers::encryption::{Context, Key as Secret, KeyProvider, Keyring, Kind};
use storage_layers::{
    Audit, AuditOptions, Cache, CacheOptions, Checksum, Compress, Encrypt, EncryptOptions, Namespace, Quota,
    QuotaLimits, QuotaOptions, ReadOnly, Retry, RetryOptions, Timeout, TimeoutOptions,
};

use crate::bent::{Bend, Bent};

type Adapter = Arc<dyn StorageAdapter>;
type Opening = BoxFuture<'static, Adapter>;

fn keys() -> Keyring {
    Keyring::new(Secret::from_bytes(&mut [7; 32]))
}

pub(crate) fn encrypted(inner: Adapter) -> Opening {
    let options = EncryptOptions::new(KeyProvider::key(Secret::from_bytes(&mut [7; 32])));
    Box::pin(async { Arc::new(Encrypt::with_keys(inner, keys(), b"mutants", options).unwrap()) as _ })
}

pub(crate) fn checked(inner: Adapter) -> Opening {
    Box::pin(async { Arc::new(Checksum::new(inner)) as _ })
}

pub(crate) fn compressed(inner: Adapter) -> Opening {
    let how = Compression::new(Codec::Zstd).limits(Limits::new().max_plain_bytes(1 << 20));
    Box::pin(async move { Arc::new(Compress::new(inner, how)) as _ })
}

pub(crate) fn cached(inner: Adapter) -> Opening {
    Box::pin(async { Arc::new(Cache::new(inner, CacheOptions::default())) as _ })
}

pub(crate) fn retried(inner: Adapter) -> Opening {
    Box::pin(async { Arc::new(Retry::new(inner, RetryOptions::default())) as _ })
}

pub(crate) fn tenant(inner: Adapter) -> Opening {
    Box::pin(async { Arc::new(Namespace::new(inner, "tenant-1").unwrap()) as _ })
}

pub(crate) fn limited(inner: Adapter) -> Opening {
    let options = QuotaOptions::new(QuotaLimits::of_bytes(100));
    Box::pin(async { Arc::new(Quota::open(inner, options).await.unwrap()) as _ })
}

pub(crate) fn read_only(inner: Adapter) -> Opening {
    Box::pin(async { Arc::new(ReadOnly::new(inner)) as _ })
}

pub(crate) fn audited(inner: Adapter) -> Opening {
    Box::pin(async { Arc::new(Audit::open(inner, AuditOptions::new("mutants")).await.unwrap()) as _ })
}

pub(crate) fn timed(inner: Adapter) -> Opening {
    let options = TimeoutOptions::of(Duration::from_secs(1));
    Box::pin(async { Arc::new(Timeout::new(inner, options)) as _ })
}

/// A mutant over a medium, or over a real layer on it.
macro_rules! mutant {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* } over $below:expr) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            $($field: $type),*
        }

        impl $name {
            pub(crate) fn over(inner: Adapter) -> Opening {
                Box::pin(async move {
                    let inner = $below(inner).await;
                    Arc::new(Bent { bend: Self::default(), inner }) as _
                })
            }
        }
    };
}

fn bare(inner: Adapter) -> Opening {
    Box::pin(async { inner })
}

/// Sealed without saying where it belongs.
const NOWHERE: Context<'static> = Context::new(Kind::Object, "");

fn replaced(mut object: Object, bytes: Bytes) -> Object {
    object.range = 0..bytes.len() as u64;
    object.meta.size = bytes.len() as u64;
    object.bytes = bytes;
    object
}

mutant! {
    /// The associated data do not have the key.
    EncryptForgetsTheKey {} over bare
}

#[async_trait]
impl Bend for EncryptForgetsTheKey {
    async fn write(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        inner
            .write(area, key, keys().seal(&NOWHERE, &bytes)?, request)
            .await
    }

    async fn read(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        let Some(object) = inner.read(area, key, request).await? else {
            return Ok(None);
        };
        let opened = keys().open(&NOWHERE, &object.bytes)?;
        Ok(Some(replaced(object, opened)))
    }
}

mutant! {
    /// The associated data do not have the id.
    EncryptForgetsTheId {} over bare
}

#[async_trait]
impl Bend for EncryptForgetsTheId {
    async fn put(
        &self,
        inner: &dyn StorageAdapter,
        collection: &Name,
        mut request: PutRequest,
    ) -> Result<Version> {
        let sealed = keys().seal(&NOWHERE, request.body.as_bytes())?;
        let binary = Binary {
            subtype: BinarySubtype::Generic,
            bytes: sealed.to_vec(),
        };
        request.body = RawDocumentBuf::try_from(&doc! { "_sealed": binary }).map_err(malformed)?;
        inner.put(collection, request).await
    }

    async fn get(
        &self,
        inner: &dyn StorageAdapter,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        let Some(mut stored) = inner.get(collection, id, now).await? else {
            return Ok(None);
        };
        let sealed = stored
            .body
            .get_binary("_sealed")
            .map_err(|_| Error::corrupt("it", "no envelope"))?;
        let opened = keys().open(&NOWHERE, sealed.bytes)?;
        stored.body = RawDocumentBuf::from_bytes(opened.to_vec()).map_err(malformed)?;
        Ok(Some(stored))
    }
}

mutant! {
    /// The same bytes under the same name are sealed the same way.
    EncryptSealsAlike { sealed: Mutex<HashMap<(String, Bytes), Bytes>> } over bare
}

#[async_trait]
impl Bend for EncryptSealsAlike {
    async fn write(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        let fresh = keys().seal(&Context::new(Kind::Object, key.as_str()), &bytes)?;
        let place = (key.as_str().to_owned(), bytes);
        let sealed = self.sealed.lock().unwrap().entry(place).or_insert(fresh).clone();
        inner.write(area, key, sealed, request).await
    }
}

mutant! {
    /// What is not sealed is given as it is.
    EncryptTakesPlainBytes {} over encrypted
}

#[async_trait]
impl Bend for EncryptTakesPlainBytes {
    async fn read(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        match inner.read(area, key, request).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let meta = ObjectMeta {
                    size: 2,
                    version: Version::random(),
                    modified: None,
                };
                Ok(Some(Object {
                    meta,
                    range: 0..2,
                    bytes: "ab".into(),
                }))
            }
            answer => answer,
        }
    }
}

mutant! {
    /// Only the beginning is looked at.
    ChecksumSkipsTheEnd {} over checked
}

#[async_trait]
impl Bend for ChecksumSkipsTheEnd {
    async fn read(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        mut request: ReadRequest,
    ) -> Result<Option<Object>> {
        request.range = Some(ByteRange::Bounded(0, 10));
        inner.read(area, key, request).await
    }
}

mutant! {
    /// It gives what the medium makes of it, however much that is.
    CompressTrustsTheMedium {} over unbounded
}

fn unbounded(inner: Adapter) -> Opening {
    let how = Compression::new(Codec::Zstd).limits(Limits::new().max_plain_bytes(u64::MAX));
    Box::pin(async move { Arc::new(Compress::new(inner, how)) as _ })
}

#[async_trait]
impl Bend for CompressTrustsTheMedium {}

mutant! {
    /// What was read once is given for good.
    CacheServesStale { kept: Mutex<HashMap<String, Object>> } over bare
}

#[async_trait]
impl Bend for CacheServesStale {
    async fn read(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        if let Some(kept) = self.kept.lock().unwrap().get(key.as_str()) {
            return Ok(Some(kept.clone()));
        }
        let read = inner.read(area, key, request).await?;
        if let Some(object) = &read {
            self.kept
                .lock()
                .unwrap()
                .insert(key.as_str().to_owned(), object.clone());
        }
        Ok(read)
    }
}

mutant! {
    /// What was not there once is not there.
    CacheRemembersAbsence { absent: Mutex<Vec<String>> } over cached
}

#[async_trait]
impl Bend for CacheRemembersAbsence {
    async fn read(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        if self
            .absent
            .lock()
            .unwrap()
            .iter()
            .any(|absent| absent == key.as_str())
        {
            return Ok(None);
        }
        let read = inner.read(area, key, request).await?;
        if read.is_none() {
            self.absent.lock().unwrap().push(key.as_str().to_owned());
        }
        Ok(read)
    }
}

mutant! {
    /// A part is given from the beginning.
    CacheIgnoresTheRange {} over cached
}

#[async_trait]
impl Bend for CacheIgnoresTheRange {
    async fn read(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        mut request: ReadRequest,
    ) -> Result<Option<Object>> {
        request.range = None;
        inner.read(area, key, request).await
    }
}

mutant! {
    /// Whatever fails is tried again.
    RetryRepeatsTheUnknown {} over bare
}

#[async_trait]
impl Bend for RetryRepeatsTheUnknown {
    async fn append(
        &self,
        inner: &dyn StorageAdapter,
        log: &Name,
        request: AppendRequest,
    ) -> Result<Appended> {
        match inner.append(log, request.clone()).await {
            Err(_) => inner.append(log, request).await,
            answer => answer,
        }
    }
}

mutant! {
    /// Tries a create again that may have happened.
    RetryTakesItsEchoForAnother {} over bare
}

#[async_trait]
impl Bend for RetryTakesItsEchoForAnother {
    async fn write(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        match inner.write(area, key, bytes.clone(), request.clone()).await {
            Err(_) => inner.write(area, key, bytes, request).await,
            answer => answer,
        }
    }
}

mutant! {
    /// The boundary is a prefix without an end.
    NamespaceListsTheNeighbour {} over bare
}

#[async_trait]
impl Bend for NamespaceListsTheNeighbour {
    async fn write(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        inner
            .write(area, &Key::new(format!("@tenant-1/{key}"))?, bytes, request)
            .await
    }

    async fn list(&self, inner: &dyn StorageAdapter, area: Area, _: ListRequest) -> Result<ListPage> {
        inner.list(area, ListRequest::new("@tenant-1")).await
    }
}

mutant! {
    /// Names of collections are not looked at.
    NamespaceShowsCollections {} over bare
}

#[async_trait]
impl Bend for NamespaceShowsCollections {}

mutant! {
    /// What is written over is counted as if it were new.
    QuotaCountsTwice { used: AtomicUsize } over bare
}

fn counted(used: &AtomicUsize, bytes: &Bytes) -> Result<()> {
    if used.fetch_add(bytes.len(), Ordering::SeqCst) + bytes.len() > 100 {
        return Err(Error::new(ErrorKind::NoSpace, "it is full"));
    }
    Ok(())
}

#[async_trait]
impl Bend for QuotaCountsTwice {
    async fn write(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        counted(&self.used, &bytes)?;
        inner.write(area, key, bytes, request).await
    }
}

mutant! {
    /// What is deleted stays counted.
    QuotaKeepsTheDeleted { used: AtomicUsize } over bare
}

#[async_trait]
impl Bend for QuotaKeepsTheDeleted {
    async fn write(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        counted(&self.used, &bytes)?;
        inner.write(area, key, bytes, request).await
    }
}

mutant! {
    /// One way in was forgotten.
    ReadOnlyLetsABatchThrough { } over bare
}

fn refused<T>() -> Result<T> {
    Err(Error::new(ErrorKind::PermissionDenied, "it is read-only"))
}

#[async_trait]
impl Bend for ReadOnlyLetsABatchThrough {
    async fn write(
        &self,
        _: &dyn StorageAdapter,
        _: Area,
        _: &Key,
        _: Bytes,
        _: WriteRequest,
    ) -> Result<Version> {
        refused()
    }

    async fn put(&self, _: &dyn StorageAdapter, _: &Name, _: PutRequest) -> Result<Version> {
        refused()
    }

    async fn append(&self, _: &dyn StorageAdapter, _: &Name, _: AppendRequest) -> Result<Appended> {
        refused()
    }

    async fn open_writer(
        &self,
        _: Adapter,
        _: Area,
        _: &Key,
        _: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        refused()
    }
}

mutant! {
    /// Another way in was forgotten.
    ReadOnlyLetsAWriterThrough {} over bare
}

#[async_trait]
impl Bend for ReadOnlyLetsAWriterThrough {
    async fn write(
        &self,
        _: &dyn StorageAdapter,
        _: Area,
        _: &Key,
        _: Bytes,
        _: WriteRequest,
    ) -> Result<Version> {
        refused()
    }

    async fn put(&self, _: &dyn StorageAdapter, _: &Name, _: PutRequest) -> Result<Version> {
        refused()
    }

    async fn append(&self, _: &dyn StorageAdapter, _: &Name, _: AppendRequest) -> Result<Appended> {
        refused()
    }

    async fn commit(&self, _: &dyn StorageAdapter, _: BatchRequest) -> Result<Vec<Option<Version>>> {
        refused()
    }
}

/// Writes down that a write was done.
async fn recorded(inner: &dyn StorageAdapter, outcome: &str) -> Result<()> {
    let entry = format!("{{\"operation\":\"write\",\"outcome\":\"{outcome}\"}}");
    let log = Name::new(storage_layers::audit::DEFAULT_LOG)?;
    inner
        .append(&log, AppendRequest::new(vec![entry.into()]))
        .await
        .map(drop)
}

mutant! {
    /// Only what succeeds is recorded.
    AuditSkipsTheFailed {} over bare
}

#[async_trait]
impl Bend for AuditSkipsTheFailed {
    async fn write(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        let version = inner.write(area, key, bytes, request).await?;
        recorded(inner, "ok").await?;
        Ok(version)
    }
}

mutant! {
    /// It is done first and recorded afterwards.
    AuditComesAfterwards {} over bare
}

#[async_trait]
impl Bend for AuditComesAfterwards {
    async fn write(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        let version = inner.write(area, key, bytes, request).await;
        recorded(inner, if version.is_ok() { "ok" } else { "failed" }).await?;
        version
    }
}

mutant! {
    /// What it did not wait for did not happen, it says.
    TimeoutSaysNo {} over bare
}

#[async_trait]
impl Bend for TimeoutSaysNo {
    async fn write(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        let work = inner.write(area, key, bytes, request);
        tokio::time::timeout(Duration::from_secs(1), work)
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "it took too long")))
    }
}

//! [`OpenDal`]: the contract of bytes, over an operator.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use opendal::Operator;
use sha2::{Digest, Sha256};
use storage_core::{
    Area, Capability, Condition, Declaration, DeleteRequest, Error, Key, ListPage, ListRequest, Object,
    ObjectMeta, ObjectWriter, ReadRequest, Result, StorageBackend, Support, Timestamp, Version, Versions,
    WriteRequest,
};

use crate::config::OpenDalConfig;
use crate::error::{failed, is_missing, write_failed};
use crate::layout;
use crate::probe::{Creates, probe};
use crate::writer::OpenDalWriter;

/// Objects below the root of an operator. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OpenDal {
    pub(crate) operator: Operator,
    declaration: Arc<Declaration>,
}

impl OpenDal {
    /// Opens what is below the operator's root, and tries on scratch objects what its service can do.
    ///
    /// # Errors
    /// `Unsupported` for a service that cannot read, write, list or delete, or whose writes show before they are finished; what stands in
    /// the way of trying.
    pub async fn open(config: OpenDalConfig) -> Result<Self> {
        let scheme = config.operator.info().scheme();
        let creates = probe(&config.operator)
            .await
            .map_err(|error| error.with_operation("open").with_backend(scheme))?;
        Ok(Self {
            declaration: Arc::new(declare(&config, creates)),
            operator: config.operator,
        })
    }

    /// What is asked for must be offered; `Storage` asks for nothing else, but others may.
    fn check(&self, request: &WriteRequest) -> Result<()> {
        if request.guard.is_some() {
            return Err(Error::unsupported(Capability::ObjectGuard));
        }
        match request.condition {
            Condition::Always => Ok(()),
            Condition::IfAbsent => self.declaration.require(Capability::CreateIfAbsent),
            Condition::IfVersion(_) => Err(self.declaration.unsupported(Capability::CompareAndSwap)),
        }
    }

    /// Facts about an object, which is read whole, a piece at a time.
    pub(crate) async fn facts(&self, path: &str) -> Result<Option<ObjectMeta>> {
        let modified = match self.operator.stat(path).await {
            Ok(found) => modified(&found),
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let reader = match self.operator.reader(path).await {
            Ok(reader) => reader.into_bytes_stream(..).await,
            Err(error) => Err(error),
        };
        let mut pieces = match reader {
            Ok(pieces) => pieces,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let (mut size, mut hasher) = (0, Sha256::new());
        loop {
            match pieces.try_next().await {
                Ok(Some(piece)) => {
                    size += piece.len() as u64;
                    hasher.update(&piece);
                }
                Ok(None) => break,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => {
                    return Err(
                        Error::new(storage_core::ErrorKind::Io, "the service failed").with_source(error)
                    );
                }
            }
        }
        Ok(Some(ObjectMeta {
            size,
            version: version(&hasher.finalize().into()),
            modified,
        }))
    }
}

fn modified(found: &opendal::Metadata) -> Option<Timestamp> {
    let modified = found.last_modified()?.into_inner();
    Some(Timestamp::from_millis(modified.as_millisecond()))
}

/// The version of these contents: half of their hash, which two of them share by no accident anybody will see.
pub(crate) fn version(hash: &[u8; 32]) -> Version {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    Version::from_u128(u128::from_be_bytes(half))
}

fn declare(config: &OpenDalConfig, creates: Creates) -> Declaration {
    let capability = config.operator.info().full_capability();
    let mut declaration = Declaration::new(config.operator.info().scheme());
    let objects = &mut declaration.objects;
    match creates {
        Creates::Decided => objects.create_if_absent = Support::Native,
        Creates::Undecided(why) => {
            declaration.reasons.insert(Capability::CreateIfAbsent, why.into());
        }
    }
    let why = "services behind OpenDAL have no common way to replace exactly one state of an object";
    for missing in [Capability::CompareAndSwap, Capability::DeleteIf] {
        declaration.reasons.insert(missing, why.into());
    }
    if capability.write_can_multi {
        objects.streaming_write = Support::Native;
    }
    objects.versions = Versions::ContentHash;
    objects.durability = config.effective_durability();
    objects.consistency = config.effective_consistency();
    objects.max_object_bytes = capability.write_total_max_size.map(|size| size as u64);
    declaration
}

#[async_trait]
impl StorageBackend for OpenDal {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        let path = layout::path(area, key);
        let bytes = match self.operator.read(&path).await {
            Ok(buffer) => buffer.to_bytes(),
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let modified = match self.operator.stat(&path).await {
            Ok(found) => modified(&found),
            Err(error) if is_missing(&error) => None,
            Err(error) => return Err(failed(error)),
        };
        let meta = ObjectMeta {
            size: bytes.len() as u64,
            version: version(&Sha256::digest(&bytes).into()),
            modified,
        };
        Object::answer(meta, &bytes, &request).map(Some)
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.check(&request)?;
        let path = layout::path(area, key);
        let version = version(&Sha256::digest(&bytes).into());
        let creates = request.condition == Condition::IfAbsent;
        let written = if creates {
            self.operator.write_with(&path, bytes).if_not_exists(true).await
        } else {
            self.operator.write(&path, bytes).await
        };
        written.map(|_| version).map_err(write_failed)
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.facts(&layout::path(area, key)).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        if request.if_version.is_some() {
            return Err(self.declaration.unsupported(Capability::DeleteIf));
        }
        match self.operator.delete(&layout::path(area, key)).await {
            Err(error) if is_missing(&error) => Ok(()),
            deleted => deleted.map_err(write_failed),
        }
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.page(area, &request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        self.declaration.require(Capability::StreamingWrite)?;
        self.check(&request)?;
        let path = layout::path(area, key);
        let writer = if request.condition == Condition::IfAbsent {
            self.operator.writer_with(&path).if_not_exists(true).await
        } else {
            self.operator.writer(&path).await
        };
        Ok(Box::new(OpenDalWriter::new(writer.map_err(write_failed)?)))
    }

    async fn health(&self) -> Result<()> {
        self.operator.check().await.map_err(failed)
    }
}

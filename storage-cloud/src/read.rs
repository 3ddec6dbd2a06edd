//! Reading objects: whole or in part, large ones in several requests that must all see the same version.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult};
use storage_core::{ByteRange, Error, ErrorKind, Object, ObjectMeta, ReadRequest, Result, Retry, Version};

use crate::client::Client;
use crate::error::failed;
use crate::wire::watch;
use crate::write::is_missing;

/// How often a read begins anew because the object was replaced under it.
const MAX_ATTEMPTS: usize = 5;

/// Beyond any object (Azure's largest has 190 TiB). Servers that read the numbers of a range as signed, or as floating point, pass over
/// one they cannot read.
const FARTHEST: u64 = 1 << 48;

/// What one request of a read came to.
enum Got {
    Result(Box<GetResult>),
    Missing,
    NotModified,
    /// The range begins behind the end, or the version asked for is gone.
    Elsewhere,
}

impl Client {
    pub(crate) async fn read(&self, path: &Path, request: &ReadRequest) -> Result<Option<Object>> {
        for _ in 0..MAX_ATTEMPTS {
            let range = match request.range {
                None | Some(ByteRange::From(0)) => None,
                Some(ByteRange::From(start)) if start <= FARTHEST => Some(GetRange::Offset(start)),
                Some(ByteRange::Bounded(start, end)) if start < end && end <= FARTHEST => {
                    Some(GetRange::Bounded(start..end))
                }
                Some(ByteRange::Suffix(length)) if self.asks_for_suffix(length) => {
                    Some(GetRange::Suffix(length))
                }
                Some(range) => match self.read_resolved(path, range, request).await? {
                    Some(read) => return Ok(read),
                    None => continue,
                },
            };
            match self
                .get(path, range, request.unless_version.as_ref(), None)
                .await?
            {
                Got::Missing => return Ok(None),
                Got::NotModified => return Err(Error::not_modified()),
                Got::Elsewhere => {
                    let behind = request.range.unwrap_or(ByteRange::From(0));
                    if let Some(read) = self.read_resolved(path, behind, request).await? {
                        return Ok(read);
                    }
                }
                Got::Result(result) => {
                    if let Some(object) = self.collect(path, *result, request).await? {
                        return Ok(Some(object));
                    }
                }
            }
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "the object was replaced during every attempt to read it; try again when there is less going on",
        )
        .with_retry(Retry::Later))
    }

    fn asks_for_suffix(&self, length: u64) -> bool {
        self.dialect.suffix_ranges && (1..=FARTHEST).contains(&length)
    }

    pub(crate) async fn stat(&self, path: &Path) -> Result<Option<ObjectMeta>> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        match watch(self.stores.patient.get_opts(path, options)).await {
            (Ok(result), _) => self.dialect.meta(&result.meta).map(Some),
            (Err(error), reply) if is_missing(&error, &reply) => Ok(None),
            (Err(error), reply) => Err(failed(&error, &reply)),
        }
    }

    /// Reads a range that only the size can tell the bounds of; `None` when the object changed in between.
    async fn read_resolved(
        &self,
        path: &Path,
        range: ByteRange,
        request: &ReadRequest,
    ) -> Result<Option<Option<Object>>> {
        let Some(meta) = self.stat(path).await? else {
            return Ok(Some(None));
        };
        meta.check_read(request)?;
        let range = range.resolve(meta.size);
        let bytes = if range.is_empty() {
            Bytes::new()
        } else {
            match self.range(path, range.clone(), &meta.version).await? {
                Some(bytes) => bytes,
                None => return Ok(None),
            }
        };
        Ok(Some(Some(Object { meta, range, bytes })))
    }

    /// The bytes an answer began with; `None` when the object changed before they were all there.
    async fn collect(&self, path: &Path, result: GetResult, request: &ReadRequest) -> Result<Option<Object>> {
        let meta = self.dialect.meta(&result.meta)?;
        meta.check_read(request)?;
        let range = result.range.clone();
        let length = range.end - range.start;
        let bytes = if length > 2 * self.part_bytes as u64 {
            drop(result);
            match self.parts(path, range.clone(), &meta.version).await? {
                Some(bytes) => bytes,
                None => return Ok(None),
            }
        } else {
            body(result).await?
        };
        Ok(Some(Object { meta, range, bytes }))
    }

    /// A large range, some parts of it at a time, so that no request takes long.
    async fn parts(&self, path: &Path, range: Range<u64>, version: &Version) -> Result<Option<Bytes>> {
        let size = self.part_bytes as u64;
        let parts = (range.start..range.end)
            .step_by(self.part_bytes)
            .map(|start| start..(start + size).min(range.end));
        let mut parts = stream::iter(parts)
            .map(|part| self.range(path, part, version))
            .buffered(self.parallel);
        let mut whole = BytesMut::with_capacity(usize::try_from(range.end - range.start).unwrap_or(0));
        while let Some(part) = parts.try_next().await? {
            match part {
                Some(bytes) => whole.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
        Ok(Some(whole.freeze()))
    }

    /// Exactly these bytes of exactly this version; `None` when it is gone.
    async fn range(&self, path: &Path, range: Range<u64>, version: &Version) -> Result<Option<Bytes>> {
        let wanted = Some(GetRange::Bounded(range.clone()));
        match self.get(path, wanted, None, Some(version)).await? {
            Got::Result(result)
                if self.dialect.meta(&result.meta)?.version == *version && result.range == range =>
            {
                body(*result).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn get(
        &self,
        path: &Path,
        range: Option<GetRange>,
        unless: Option<&Version>,
        only: Option<&Version>,
    ) -> Result<Got> {
        let token = |version: Option<&Version>| {
            version
                .filter(|_| !self.dialect.generations)
                .and_then(|version| self.dialect.token(version))
        };
        let ranged = range.is_some();
        let options = GetOptions {
            range,
            if_none_match: token(unless),
            if_match: token(only),
            ..GetOptions::default()
        };
        match watch(self.stores.patient.get_opts(path, options)).await {
            (Ok(result), _) => Ok(Got::Result(Box::new(result))),
            (Err(error), reply) if is_missing(&error, &reply) => Ok(Got::Missing),
            (Err(object_store::Error::NotModified { .. }), _) => Ok(Got::NotModified),
            (Err(object_store::Error::Precondition { .. }), _) => Ok(Got::Elsewhere),
            // A range that begins at the end or behind it: 416, or an answer that fits no range (Azurite's).
            (Err(_), reply)
                if ranged && reply.transport.is_none() && matches!(reply.status, Some(200 | 206 | 416)) =>
            {
                Ok(Got::Elsewhere)
            }
            (Err(error), reply) => Err(failed(&error, &reply)),
        }
    }
}

/// The whole body, or an error: never less than was announced.
async fn body(result: GetResult) -> Result<Bytes> {
    let length = result.range.end - result.range.start;
    match watch(result.bytes()).await {
        (Ok(bytes), _) if bytes.len() as u64 == length => Ok(bytes),
        (Ok(bytes), _) => Err(Error::new(
            ErrorKind::Io,
            format!(
                "the server sent {} bytes where it announced {length}",
                bytes.len()
            ),
        )
        .with_retry(Retry::Later)),
        (Err(error), reply) => Err(failed(&error, &reply)),
    }
}

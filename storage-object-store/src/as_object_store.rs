//! [`AsObjectStore`]: any backend of ours, for programs that are written against `object_store`.

mod error;
mod multipart;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, Extensions, GetOptions, GetRange, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, RenameOptions, RenameTargetMode, UpdateVersion,
};
use storage_core::{
    Area, ByteRange, Capability, Condition, ErrorKind, Key, ListEntry, ListRequest, ObjectMeta, ReadRequest,
    Storage, Version, WriteOptions, WriteRequest,
};

use self::error::{failed, invalid, not_implemented};
use self::multipart::Parts;

/// How much one read of a body asks for.
const PIECE_BYTES: u64 = 1024 * 1024;

/// The objects of a [`Storage`] as an [`ObjectStore`]: files, SQLite, MongoDB or memory for whatever speaks to S3 through that crate.
///
/// Versions are its `ETag`s. What the storage does not declare is `NotImplemented`, before any effect: attributes and tags always, a put or
/// copy only where nothing is, or only over one version. A key that is no [`Path`] of `object_store`, such as `a//b`, cannot be named here
/// and is not listed. Where the medium does not know when an object was written, that is the beginning of 1970.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use object_store::{ObjectStoreExt, path::Path};
/// use storage_object_store::AsObjectStore;
/// use storage_core::{Memory, Storage};
///
/// let store = AsObjectStore::new(Storage::new(Memory::new()));
/// store.put(&Path::from("notes/a.txt"), "hello".into()).await?;
/// assert_eq!(store.get(&Path::from("notes/a.txt")).await?.bytes().await?, "hello");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct AsObjectStore {
    storage: Storage,
}

impl AsObjectStore {
    /// The objects of this storage.
    pub const fn new(storage: Storage) -> Self {
        Self { storage }
    }

    /// The storage underneath.
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    fn has(&self, capability: Capability) -> bool {
        self.storage.declaration().support(capability).is_present()
    }

    /// The condition of a put, which has to be declared.
    fn condition(&self, mode: PutMode) -> object_store::Result<Condition> {
        let (condition, capability) = match mode {
            PutMode::Overwrite => return Ok(Condition::Always),
            PutMode::Create => (Condition::IfAbsent, Capability::CreateIfAbsent),
            PutMode::Update(UpdateVersion { e_tag, .. }) => {
                let e_tag = e_tag.ok_or_else(|| invalid("an update takes the ETag of what it replaces"))?;
                // What is no version of ours is that of nothing here.
                let version: Version = e_tag.parse().map_err(|error| failed("", error))?;
                (Condition::IfVersion(version), Capability::CompareAndSwap)
            }
        };
        if self.has(capability) {
            Ok(condition)
        } else {
            Err(not_implemented("put_opts with such a mode"))
        }
    }

    fn found(location: Path, meta: &ObjectMeta) -> object_store::ObjectMeta {
        let modified = meta.modified.map_or(0, storage_core::Timestamp::as_millis);
        object_store::ObjectMeta {
            location,
            last_modified: DateTime::<Utc>::from_timestamp_millis(modified).unwrap_or_default(),
            size: meta.size,
            e_tag: Some(meta.version.to_string()),
            version: None,
        }
    }

    /// Objects below a directory, those after an offset.
    fn entries(
        &self,
        prefix: Option<&Path>,
        delimiter: bool,
        offset: Option<&Path>,
    ) -> BoxStream<'static, object_store::Result<ListEntry>> {
        let prefix = prefix.map(Path::as_ref).filter(|prefix| !prefix.is_empty());
        let mut request = ListRequest::new(prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default());
        request.delimiter = delimiter;
        request.with_meta = true;
        request.start_after = offset.map(|offset| offset.as_ref().to_owned());
        let entries = self.storage.objects().list_with(request);
        entries.map_err(|error| failed("", error)).boxed()
    }

    fn listed(
        entries: BoxStream<'static, object_store::Result<ListEntry>>,
    ) -> BoxStream<'static, object_store::Result<object_store::ObjectMeta>> {
        let listed = entries.try_filter_map(|entry| async move {
            Ok(match entry {
                ListEntry::Object(key, Some(meta)) => path(key.as_str()).map(|path| Self::found(path, &meta)),
                _ => None,
            })
        });
        listed.boxed()
    }

    async fn copy(&self, from: &Path, to: &Path, condition: Condition) -> object_store::Result<()> {
        if condition == Condition::IfAbsent && !self.has(Capability::CreateIfAbsent) {
            return Err(not_implemented("copy_opts where nothing is"));
        }
        let fail = |error| failed(to.as_ref(), error);
        let copied = if self.has(Capability::Copy) {
            let key = |path: &Path| Key::new(path.as_ref());
            let (from, to) = (key(from).map_err(fail)?, key(to).map_err(fail)?);
            let request = WriteRequest::when(condition);
            self.storage
                .adapter()
                .copy(Area::Objects, &from, &to, request)
                .await
                .map_err(fail)?
        } else {
            match self.storage.objects().read(from).await.map_err(fail)? {
                Some(bytes) => {
                    let options = WriteOptions::new().condition(condition);
                    Some(
                        self.storage
                            .objects()
                            .write_with(to, bytes, options)
                            .await
                            .map_err(fail)?,
                    )
                }
                None => None,
            }
        };
        copied.map(drop).ok_or_else(|| error::missing(from))
    }
}

/// The path of a key; `None` for a key that is none.
fn path(key: &str) -> Option<Path> {
    Path::parse(key).ok().filter(|path| path.as_ref() == key)
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl ObjectStore for AsObjectStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        if !opts.attributes.is_empty() || !opts.tags.encoded().is_empty() {
            return Err(not_implemented("put_opts with attributes or tags"));
        }
        let options = WriteOptions::new().condition(self.condition(opts.mode)?);
        let written = self
            .storage
            .objects()
            .write_with(location, bytes::Bytes::from(payload), options)
            .await;
        written
            .map(|version| put_result(&version))
            .map_err(|error| failed(location.as_ref(), error))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        if !opts.attributes.is_empty() || !opts.tags.encoded().is_empty() {
            return Err(not_implemented("put_multipart_opts with attributes or tags"));
        }
        let parts = Parts::begin(&self.storage, location.clone()).await?;
        Ok(Box::new(parts))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        if options.version.is_some() {
            return Err(not_implemented("get_opts of an older version"));
        }
        let fail = |error| failed(location.as_ref(), error);
        let objects = self.storage.objects();
        let (found, range, payload) = loop {
            let meta = objects.stat(location).await.map_err(fail)?;
            let meta = meta.ok_or_else(|| error::missing(location))?;
            let found = Self::found(location.clone(), &meta);
            options.check_preconditions(&found)?;
            let range = bytes_of(options.range.as_ref(), meta.size)?;
            if options.head {
                break (found, range, futures::stream::empty().boxed());
            }
            // The first piece at once, so that what is replaced right now is read as it is then.
            let end = range.end.min(range.start + PIECE_BYTES);
            let mut request = ReadRequest::default();
            request.range = Some(ByteRange::Bounded(range.start, end));
            request.if_version = Some(meta.version.clone());
            match objects.read_with(location, request).await {
                Ok(Some(object)) => {
                    let first = futures::stream::once(async move { Ok(object.bytes) });
                    let rest = self.body(location.clone(), meta.version, end..range.end);
                    break (found, range, first.chain(rest).boxed());
                }
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
                Err(error) => return Err(fail(error)),
            }
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(payload),
            meta: found,
            range,
            attributes: Attributes::new(),
            extensions: Extensions::default(),
        })
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[std::ops::Range<u64>],
    ) -> object_store::Result<Vec<bytes::Bytes>> {
        let mut parts = Vec::with_capacity(ranges.len());
        for range in ranges {
            let options = GetOptions::new().with_range(Some(range.clone()));
            parts.push(self.get_opts(location, options).await?.bytes().await?);
        }
        Ok(parts)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let objects = self.storage.objects();
        let deleted = locations.and_then(move |location| {
            let objects = objects.clone();
            async move {
                let deleted = objects.delete(&location).await;
                deleted.map_err(|error| failed(location.as_ref(), error))?;
                Ok(location)
            }
        });
        deleted.boxed()
    }

    fn list(
        &self,
        prefix: Option<&Path>,
    ) -> BoxStream<'static, object_store::Result<object_store::ObjectMeta>> {
        Self::listed(self.entries(prefix, false, None))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<object_store::ObjectMeta>> {
        Self::listed(self.entries(prefix, false, Some(offset)))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        let mut entries = self.entries(prefix, true, None);
        let (mut common_prefixes, mut objects) = (Vec::new(), Vec::new());
        while let Some(entry) = entries.try_next().await? {
            match entry {
                ListEntry::Prefix(prefix) => common_prefixes.extend(path(prefix.trim_end_matches('/'))),
                ListEntry::Object(key, Some(meta)) => {
                    objects.extend(path(key.as_str()).map(|path| Self::found(path, &meta)));
                }
                ListEntry::Object(_, None) => {}
            }
        }
        Ok(ListResult {
            common_prefixes,
            objects,
            extensions: Extensions::default(),
        })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        let condition = match options.mode {
            CopyMode::Overwrite => Condition::Always,
            CopyMode::Create => Condition::IfAbsent,
        };
        self.copy(from, to, condition).await
    }

    /// A copy, and then a deletion of what was copied: a crash between them leaves both.
    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> object_store::Result<()> {
        let condition = match options.target_mode {
            RenameTargetMode::Overwrite => Condition::Always,
            RenameTargetMode::Create => Condition::IfAbsent,
        };
        self.copy(from, to, condition).await?;
        if from != to {
            let deleted = self.storage.objects().delete(from).await;
            deleted.map_err(|error| failed(from.as_ref(), error))?;
        }
        Ok(())
    }
}

/// Which bytes a range means.
fn bytes_of(range: Option<&GetRange>, size: u64) -> object_store::Result<std::ops::Range<u64>> {
    match range {
        None => Ok(0..size),
        Some(GetRange::Suffix(length)) => Ok(size.saturating_sub(*length)..size),
        Some(range) => range
            .as_range(size)
            .map_err(|error| object_store::Error::Generic {
                store: error::STORE,
                source: Box::new(error),
            }),
    }
}

impl AsObjectStore {
    /// The bytes of one version, a piece at a time; the stream fails where it is replaced meanwhile.
    fn body(
        &self,
        location: Path,
        version: Version,
        range: std::ops::Range<u64>,
    ) -> BoxStream<'static, object_store::Result<bytes::Bytes>> {
        let objects = self.storage.objects();
        let pieces = futures::stream::try_unfold(range.start, move |at| {
            let (objects, location, version) = (objects.clone(), location.clone(), version.clone());
            let end = range.end.min(at + PIECE_BYTES);
            async move {
                if at >= end {
                    return Ok(None);
                }
                let mut request = ReadRequest::default();
                request.range = Some(ByteRange::Bounded(at, end));
                request.if_version = Some(version);
                let read = objects.read_with(&location, request).await;
                let read = read.map_err(|error| failed(location.as_ref(), error))?;
                let object = read.ok_or_else(|| error::missing(&location))?;
                Ok(Some((object.bytes, object.range.end)))
            }
        });
        pieces.boxed()
    }
}

fn put_result(version: &Version) -> PutResult {
    PutResult {
        e_tag: Some(version.to_string()),
        version: None,
        extensions: Extensions::default(),
    }
}

impl fmt::Display for AsObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsObjectStore({})", self.storage.declaration().backend)
    }
}

impl fmt::Debug for AsObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsObjectStore")
            .field("storage", &self.storage)
            .finish()
    }
}

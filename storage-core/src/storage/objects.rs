//! [`Objects`]: bytes under keys.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::reader::ObjectReader;
use super::writer::ObjectUpload;
use super::{Storage, check_limit};
use crate::backend::{
    Area, ByteRange, Condition, DeleteRequest, ListEntry, ListPage, ListRequest, Object, ObjectMeta,
};
use crate::backend::{ReadRequest, WriteRequest};
use crate::declaration::Capability;
use crate::error::{Error, Result};
use crate::name::Key;
use crate::version::Version;

/// The most entries in one page of a listing whose pages nobody sees: fewer exchanges for a long one, and fewer readings of a directory
/// of files that is too large to be kept between two pages.
const LARGEST_PAGE: usize = 16_000;

/// The objects of a [`Storage`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// # let storage = storage_core::Storage::new(storage_core::Memory::new());
/// let objects = storage.objects();
/// let version = objects.write("notes/a.txt", "hello").await?;
/// assert_eq!(objects.read("notes/a.txt").await?.as_deref(), Some(b"hello".as_slice()));
/// objects.write_if("notes/a.txt", "hello again", version).await?;
/// assert_eq!(objects.list_files("notes").await?, ["a.txt"]);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Objects {
    storage: Storage,
}

/// A listing: every entry in order, fetched a page at a time.
pub type ListObjects = BoxStream<'static, Result<ListEntry>>;

/// How to write an object.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WriteOptions {
    pub(super) condition: Condition,
    pub(super) sha256: Option<[u8; 32]>,
}

impl WriteOptions {
    /// Unconditional, unverified.
    pub fn new() -> Self {
        Self::default()
    }

    /// When the write may happen; always by default.
    #[must_use]
    pub fn condition(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// Refuse with `InvalidArgument`, keeping what was there, unless the bytes have this SHA-256.
    #[must_use]
    pub const fn sha256(mut self, digest: [u8; 32]) -> Self {
        self.sha256 = Some(digest);
        self
    }
}

impl Objects {
    pub(super) const fn new(storage: Storage) -> Self {
        Self { storage }
    }

    /// Writes an object whole, replacing what was there, and gives its version.
    ///
    /// # Errors
    /// `InvalidName`, `LimitExceeded`; those of the medium.
    pub async fn write(&self, key: impl AsRef<str>, bytes: impl Into<Bytes>) -> Result<Version> {
        self.write_with(key, bytes, WriteOptions::new()).await
    }

    /// Writes an object only where nothing is.
    ///
    /// # Errors
    /// `AlreadyExists`; `Unsupported` unless `create-if-absent` is declared; as [`write`](Self::write).
    pub async fn create(&self, key: impl AsRef<str>, bytes: impl Into<Bytes>) -> Result<Version> {
        self.write_with(key, bytes, WriteOptions::new().condition(Condition::IfAbsent))
            .await
    }

    /// Replaces exactly this version of an object.
    ///
    /// # Errors
    /// `PreconditionFailed` when another version is there, or nothing; `Unsupported` unless `compare-and-swap` is declared; as
    /// [`write`](Self::write).
    pub async fn write_if(
        &self,
        key: impl AsRef<str>,
        bytes: impl Into<Bytes>,
        version: Version,
    ) -> Result<Version> {
        self.write_with(
            key,
            bytes,
            WriteOptions::new().condition(Condition::IfVersion(version)),
        )
        .await
    }

    /// Writes an object as the options say.
    ///
    /// # Errors
    /// As the methods above.
    pub async fn write_with(
        &self,
        key: impl AsRef<str>,
        bytes: impl Into<Bytes>,
        options: WriteOptions,
    ) -> Result<Version> {
        let (key, bytes) = (key.as_ref(), bytes.into());
        self.storage
            .call("write object", key, async {
                let valid = self.key(key)?;
                self.check_condition(&options.condition)?;
                self.check_size(bytes.len() as u64)?;
                if let Some(expected) = options.sha256 {
                    check_digest(expected, Sha256::digest(&bytes).into())?;
                }
                let request = WriteRequest::when(options.condition);
                self.storage
                    .adapter()
                    .write(Area::Objects, &valid, bytes, request)
                    .await
            })
            .await
    }

    /// Begins a streamed write of any size; nothing is visible until it is finished.
    ///
    /// # Errors
    /// `Unsupported` unless `streaming-write` is declared; as [`write`](Self::write).
    pub async fn upload(&self, key: impl AsRef<str>, options: WriteOptions) -> Result<ObjectUpload> {
        let key = key.as_ref();
        let adapter = std::sync::Arc::clone(self.storage.adapter());
        let writer = self
            .storage
            .call("open writer for object", key, async {
                let valid = self.key(key)?;
                self.storage.require_one(Capability::StreamingWrite)?;
                self.check_condition(&options.condition)?;
                let request = WriteRequest::when(options.condition.clone());
                adapter.open_writer(Area::Objects, &valid, request).await
            })
            .await?;
        Ok(ObjectUpload::new(
            self.storage.clone(),
            key.to_owned(),
            writer,
            options.sha256,
        ))
    }

    /// Writes an object from a stream; an error of the stream leaves everything as it was.
    ///
    /// # Errors
    /// The stream's; as [`upload`](Self::upload).
    pub async fn write_stream<S>(
        &self,
        key: impl AsRef<str>,
        stream: S,
        options: WriteOptions,
    ) -> Result<Version>
    where
        S: Stream<Item = Result<Bytes>> + Send,
    {
        let mut upload = self.upload(key, options).await?;
        let mut stream = std::pin::pin!(stream);
        loop {
            match stream.try_next().await {
                Ok(Some(bytes)) => upload.write(bytes).await?,
                Ok(None) => return upload.finish().await,
                Err(error) => {
                    upload.abort().await?;
                    return Err(error);
                }
            }
        }
    }

    /// The bytes of an object; `None` when there is nothing.
    ///
    /// # Errors
    /// `InvalidName`; `Corrupt`; those of the medium.
    pub async fn read(&self, key: impl AsRef<str>) -> Result<Option<Bytes>> {
        Ok(self
            .read_with(key, ReadRequest::default())
            .await?
            .map(|object| object.bytes))
    }

    /// Some bytes of an object, cut at its end; a range after the end is empty.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_range(&self, key: impl AsRef<str>, range: ByteRange) -> Result<Option<Bytes>> {
        let request = ReadRequest {
            range: Some(range),
            ..ReadRequest::default()
        };
        Ok(self.read_with(key, request).await?.map(|object| object.bytes))
    }

    /// Bytes and facts, as the request says.
    ///
    /// # Errors
    /// `PreconditionFailed` for `if_version`, `NotModified` for `unless_version`; as [`read`](Self::read).
    pub async fn read_with(&self, key: impl AsRef<str>, request: ReadRequest) -> Result<Option<Object>> {
        let key = key.as_ref();
        self.storage
            .call("read object", key, async {
                let valid = self.key(key)?;
                if let Some(ByteRange::Bounded(start, end)) = request.range
                    && start > end
                {
                    return Err(Error::invalid_argument(format!(
                        "the range {start}..{end} ends before it begins"
                    )));
                }
                self.storage.adapter().read(Area::Objects, &valid, request).await
            })
            .await
    }

    /// A stream over an object of any size, 1 MiB at a time, all of one version. `None` when there is nothing.
    ///
    /// # Errors
    /// As [`read`](Self::read); the stream itself fails with `PreconditionFailed` when the object is replaced meanwhile.
    pub async fn reader(&self, key: impl AsRef<str>) -> Result<Option<ObjectReader>> {
        let key = key.as_ref();
        Ok(self
            .stat(key)
            .await?
            .map(|meta| ObjectReader::new(self.clone(), key.to_owned(), meta)))
    }

    /// Size, version and time of an object; `None` when there is nothing.
    ///
    /// # Errors
    /// `InvalidName`; those of the medium.
    pub async fn stat(&self, key: impl AsRef<str>) -> Result<Option<ObjectMeta>> {
        let key = key.as_ref();
        self.storage
            .call("stat object", key, async {
                let valid = self.key(key)?;
                self.storage.adapter().stat(Area::Objects, &valid).await
            })
            .await
    }

    /// Whether there is an object of this name, or any object under it as a directory.
    ///
    /// # Errors
    /// `InvalidName`; those of the medium: an error is never taken for absence.
    pub async fn exists(&self, path: impl AsRef<str>) -> Result<bool> {
        let path = path.as_ref();
        if self.stat(path).await?.is_some() {
            return Ok(true);
        }
        let mut request = ListRequest::new(directory(path));
        request.limit = 1;
        Ok(!self.list_page(request).await?.entries.is_empty())
    }

    /// Deletes an object. Deleting what is not there is `Ok`. What lies under it as a directory stays.
    ///
    /// # Errors
    /// `InvalidName`; those of the medium.
    pub async fn delete(&self, key: impl AsRef<str>) -> Result<()> {
        self.delete_with(key.as_ref(), DeleteRequest::default()).await
    }

    /// Deletes exactly this version of an object.
    ///
    /// # Errors
    /// `PreconditionFailed` when another version is there, or nothing; `Unsupported` unless `delete-if` is declared.
    pub async fn delete_if(&self, key: impl AsRef<str>, version: Version) -> Result<()> {
        self.delete_with(key.as_ref(), DeleteRequest::if_version(version))
            .await
    }

    async fn delete_with(&self, key: &str, request: DeleteRequest) -> Result<()> {
        self.storage
            .call("delete object", key, async {
                let valid = self.key(key)?;
                if request.if_version.is_some() {
                    self.storage.require_one(Capability::DeleteIf)?;
                }
                self.storage
                    .adapter()
                    .delete(Area::Objects, &valid, request)
                    .await
            })
            .await
    }

    /// Deletes many objects, one result each, in the order asked.
    ///
    /// # Errors
    /// `InvalidName` before any effect; what fails for one key is in its place.
    pub async fn delete_many<K: AsRef<str>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Result<()>>> {
        let keys: Result<Vec<Key>> = keys.into_iter().map(|key| self.key(key.as_ref())).collect();
        self.storage
            .call("delete objects", "", async {
                self.storage.adapter().delete_many(Area::Objects, &keys?).await
            })
            .await
    }

    /// Copies an object; the copy is independent from then on. `None` when there is nothing to copy.
    ///
    /// # Errors
    /// `Unsupported` unless `copy` is declared; as [`write`](Self::write).
    pub async fn copy(&self, from: impl AsRef<str>, to: impl AsRef<str>) -> Result<Option<Version>> {
        let (from, to) = (from.as_ref(), to.as_ref());
        self.storage
            .call("copy object", from, async {
                self.storage.require_one(Capability::Copy)?;
                let (from, to) = (self.key(from)?, self.key(to)?);
                self.storage
                    .adapter()
                    .copy(Area::Objects, &from, &to, WriteRequest::default())
                    .await
            })
            .await
    }

    /// A URL under which anyone can read the object for `valid_for`.
    ///
    /// # Errors
    /// `Unsupported` unless `presign` is declared.
    pub async fn presign(&self, key: impl AsRef<str>, valid_for: Duration) -> Result<String> {
        let key = key.as_ref();
        self.storage
            .call("presign object", key, async {
                self.storage.require_one(Capability::Presign)?;
                self.storage
                    .adapter()
                    .presign(Area::Objects, &self.key(key)?, valid_for)
                    .await
            })
            .await
    }

    /// Every object whose key begins with `prefix`, in the UTF-8 byte order of keys, names only.
    pub fn list(&self, prefix: impl Into<String>) -> ListObjects {
        self.pages(ListRequest::new(prefix), LARGEST_PAGE)
    }

    /// A listing as the request says; its `limit` is the size of a page.
    pub fn list_with(&self, request: ListRequest) -> ListObjects {
        let largest = request.limit;
        self.pages(request, largest)
    }

    /// A listing in pages that grow fourfold up to the largest.
    fn pages(&self, request: ListRequest, largest: usize) -> ListObjects {
        let objects = self.clone();
        futures::stream::try_unfold(Some(request), move |request| {
            let objects = objects.clone();
            async move {
                let Some(mut request) = request else {
                    return Ok(None);
                };
                let page = objects.list_page(request.clone()).await?;
                let next = page.next.map(|next| {
                    request.start_after = Some(next);
                    request.limit = request.limit.saturating_mul(4).min(largest);
                    request
                });
                Ok(Some((
                    futures::stream::iter(page.entries.into_iter().map(Ok)),
                    next,
                )))
            }
        })
        .try_flatten()
        .boxed()
    }

    /// One page of a listing.
    ///
    /// # Errors
    /// `InvalidArgument` for a page of none; those of the medium.
    pub async fn list_page(&self, request: ListRequest) -> Result<ListPage> {
        let prefix = request.prefix.clone();
        self.storage
            .call("list objects under", &prefix, async {
                if request.limit == 0 {
                    return Err(Error::invalid_argument("a page has at least one entry"));
                }
                if request.prefix.contains('\0') {
                    return Err(Error::new(
                        crate::ErrorKind::InvalidName,
                        "a prefix must not contain NUL",
                    ));
                }
                self.storage.adapter().list(Area::Objects, request).await
            })
            .await
    }

    /// The names of the objects directly in a directory, without the directory; a missing directory is empty. The root is `""`.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn list_files(&self, path: impl AsRef<str>) -> Result<Vec<String>> {
        let prefix = directory(path.as_ref());
        let mut request = ListRequest::new(&prefix);
        request.delimiter = true;
        let mut files = Vec::new();
        let mut entries = self.pages(request, LARGEST_PAGE);
        while let Some(entry) = entries.try_next().await? {
            if let ListEntry::Object(key, _) = entry {
                files.push(key.as_str()[prefix.len()..].to_owned());
            }
        }
        Ok(files)
    }

    /// Makes sure objects can be written under a path. Directories need no making: they are there as soon as something is in
    /// them, so this only checks the name.
    ///
    /// # Errors
    /// `InvalidName`; `LimitExceeded`.
    pub async fn create_directory(&self, path: impl AsRef<str>) -> Result<()> {
        let path = path.as_ref();
        self.storage
            .call("create directory", path, async { self.key(path).map(|_| ()) })
            .await
    }

    fn key(&self, key: &str) -> Result<Key> {
        let valid = Key::new(key)?;
        check_limit(
            "the key in bytes",
            self.storage.declaration().objects.max_key_bytes,
            key.len(),
        )?;
        Ok(valid)
    }

    fn check_condition(&self, condition: &Condition) -> Result<()> {
        match condition {
            Condition::Always => Ok(()),
            Condition::IfAbsent => self.storage.require_one(Capability::CreateIfAbsent),
            Condition::IfVersion(_) => self.storage.require_one(Capability::CompareAndSwap),
        }
    }

    fn check_size(&self, size: u64) -> Result<()> {
        match self.storage.declaration().objects.max_object_bytes {
            Some(limit) if size > limit => Err(Error::limit_exceeded("the object in bytes", limit, size)),
            _ => Ok(()),
        }
    }
}

/// The prefix of what lies in a directory.
fn directory(path: &str) -> String {
    if path.is_empty() || path.ends_with('/') {
        path.to_owned()
    } else {
        format!("{path}/")
    }
}

pub(super) fn check_digest(expected: [u8; 32], got: [u8; 32]) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(Error::invalid_argument(
        "the bytes do not have the SHA-256 that was given for them; nothing was written",
    ))
}

//! [`StorageBackend`]: the contract of bytes. An adapter author implements its six required operations.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock::Timestamp;
use crate::declaration::Declaration;
use crate::error::{Error, Result};
use crate::name::Key;
use crate::version::Version;

/// Which of a backend's two separate spaces a key lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(clippy::exhaustive_enums, reason = "a third space would be a new contract")]
pub enum Area {
    /// Users' objects.
    Objects,
    /// What [`Overlay`](crate::Overlay) keeps: documents, indexes, logs. A user's key never meets it.
    Overlay,
}

/// Bytes under keys, on one medium.
///
/// [`Storage`](crate::Storage) calls it: names are valid, limits are checked, and nothing undeclared is asked for.
///
/// An implementation MUST:
/// - acknowledge a write only when it is as durable as declared, and make it visible whole or not at all, also to another
///   process and after a crash at any point;
/// - give every write a new version, and decide a condition and apply the write in one atomic step;
/// - leave everything as it was when it returns an error with `applied: No`, and say `Unknown` where it cannot know;
/// - keep the two [`Area`]s apart and list in the UTF-8 byte order of keys;
/// - stay whole when a future is dropped at any await point: the operation happens completely or not at all, perhaps a little later.
///
/// It MUST NOT retry a conditional write by itself, or answer `Ok` for an option it ignored.
#[async_trait]
pub trait StorageBackend: Send + Sync + fmt::Debug + 'static {
    /// What this backend can do. The same answer for the life of the handle.
    fn declaration(&self) -> &Declaration;

    /// Reads an object, whole or a range. `None` where there is none.
    ///
    /// A range is cut at the end of the object; one that begins at or after the end is empty, not an error. Where nothing is there it
    /// is `None`, whatever version was asked for.
    ///
    /// # Errors
    /// `PreconditionFailed` when `if_version` is not the current one; `NotModified` when `unless_version` is.
    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>>;

    /// Writes an object whole and gives its new version.
    ///
    /// # Errors
    /// `AlreadyExists` for a lost `IfAbsent`; `PreconditionFailed` for a lost `IfVersion`, also where nothing is there;
    /// [`Error::guard_failed`] when the guard does not hold. Nothing changed in any of these.
    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version>;

    /// Size, version and time of an object, without its bytes. `None` where there is none.
    ///
    /// # Errors
    /// Those of the medium.
    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>>;

    /// Deletes an object. Deleting what is not there is `Ok`, unless a version was asked for.
    ///
    /// # Errors
    /// `PreconditionFailed` when `if_version` is not the current one, also where nothing is there.
    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()>;

    /// One page of keys in UTF-8 byte order.
    ///
    /// With `delimiter`, keys that contain `/` after the prefix roll up into one [`ListEntry::Prefix`] that ends there. An
    /// entry, key or rolled-up prefix, is returned when its text is greater than `start_after`. Whatever exists throughout the
    /// listing is returned exactly once over its pages.
    ///
    /// # Errors
    /// Those of the medium.
    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage>;

    /// Opens a streamed write that becomes visible, whole, when [`ObjectWriter::finish`] returns. The condition is decided then.
    ///
    /// # Errors
    /// `Unsupported` unless `streaming_write` is declared.
    async fn open_writer(
        self: Arc<Self>,
        _area: Area,
        _key: &Key,
        _request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        Err(Error::unsupported("streaming-write"))
    }

    /// Copies an object within the area. `None` where there is none; onto itself it gives a new version.
    ///
    /// # Errors
    /// `Unsupported` unless `copy` is declared; otherwise those of `write`.
    async fn copy(
        &self,
        _area: Area,
        _from: &Key,
        _to: &Key,
        _request: WriteRequest,
    ) -> Result<Option<Version>> {
        Err(Error::unsupported("copy"))
    }

    /// Deletes many objects, one result each, in the order asked.
    ///
    /// # Errors
    /// Only when nothing could be attempted; what fails for one key is in its place.
    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        let mut results = Vec::with_capacity(keys.len());
        for key in keys {
            results.push(self.delete(area, key, DeleteRequest::default()).await);
        }
        Ok(results)
    }

    /// A URL under which anyone can read the object for `valid_for`.
    ///
    /// # Errors
    /// `Unsupported` unless `presign` is declared.
    async fn presign(&self, _area: Area, _key: &Key, _valid_for: Duration) -> Result<String> {
        Err(Error::unsupported("presign"))
    }

    /// Whether the medium answers now.
    ///
    /// # Errors
    /// What stands in the way.
    async fn health(&self) -> Result<()> {
        Ok(())
    }

    /// Ends the work of this handle: waits for what is under way, releases files and connections. Called once.
    ///
    /// # Errors
    /// What could not be released or made durable.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// A streamed write. Dropping it before [`finish`](ObjectWriter::finish) leaves no trace and keeps what was there.
#[async_trait]
pub trait ObjectWriter: Send + fmt::Debug {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// Those of the medium; the writer is then of no further use.
    async fn write(&mut self, bytes: Bytes) -> Result<()>;

    /// Publishes what was written, whole and durable, and gives its version.
    ///
    /// # Errors
    /// As [`StorageBackend::write`].
    async fn finish(self: Box<Self>) -> Result<Version>;

    /// Gives up and frees what was staged; where `drop` can only do it later, this does it now.
    ///
    /// # Errors
    /// What could not be freed.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// How to read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReadRequest {
    /// Which bytes; all when `None`.
    pub range: Option<ByteRange>,
    /// Refuse with `PreconditionFailed` unless this is the current version.
    pub if_version: Option<Version>,
    /// Refuse with `NotModified` when this is the current version.
    pub unless_version: Option<Version>,
}

/// Which bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "these are the three kinds of HTTP range")]
pub enum ByteRange {
    /// From this offset to the end.
    From(u64),
    /// From the first offset up to, not including, the second.
    Bounded(u64, u64),
    /// The last so many bytes.
    Suffix(u64),
}

impl ByteRange {
    /// The bytes meant in an object of `size` bytes, cut at its end.
    pub fn resolve(self, size: u64) -> Range<u64> {
        match self {
            Self::From(start) => start.min(size)..size,
            Self::Bounded(start, end) => start.min(size)..end.min(size).max(start.min(size)),
            Self::Suffix(length) => size.saturating_sub(length)..size,
        }
    }
}

/// When a write may happen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a backend must decide every condition; a new one is a new contract"
)]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// Only where nothing is there.
    IfAbsent,
    /// Only where this is the current version.
    IfVersion(Version),
}

/// How to write.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WriteRequest {
    /// When the write may happen.
    pub condition: Condition,
    /// Only while a second object of the same area has this version, decided atomically with the write.
    pub guard: Option<ObjectGuard>,
}

impl WriteRequest {
    /// A write under this condition.
    pub const fn when(condition: Condition) -> Self {
        Self {
            condition,
            guard: None,
        }
    }
}

/// A second object a write depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a key and a version are all there is to it"
)]
pub struct ObjectGuard {
    /// The object that must not have changed.
    pub key: Key,
    /// The version it must have.
    pub version: Version,
}

/// How to delete.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeleteRequest {
    /// Only where this is the current version.
    pub if_version: Option<Version>,
}

impl DeleteRequest {
    /// A delete of exactly this version.
    pub const fn if_version(version: Version) -> Self {
        Self {
            if_version: Some(version),
        }
    }
}

/// What to list.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListRequest {
    /// Only keys that begin with these bytes; `a` matches `ab`.
    pub prefix: String,
    /// Only entries greater than this.
    pub start_after: Option<String>,
    /// Roll up what contains `/` after the prefix.
    pub delimiter: bool,
    /// The most entries in the page, at least 1.
    pub limit: usize,
    /// Whether each object comes with its [`ObjectMeta`]; names alone are cheaper.
    pub with_meta: bool,
    /// Which listing the page is of.
    pub listing: Listing,
}

impl ListRequest {
    /// Everything under a prefix, 1,000 entries a page (S3's page), names only.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            start_after: None,
            delimiter: false,
            limit: 1000,
            with_meta: false,
            listing: Listing::new(),
        }
    }
}

/// One listing, of which each page is asked for by itself.
///
/// A request that is cloned for the next page goes on with its listing; a new request begins one. A backend may show the later pages of a
/// listing as it found the names when the listing began, so that a page costs what is on it, however much is written meanwhile. Pages of
/// different listings show what was there when the later one began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Listing(u64);

impl Listing {
    /// A listing that nobody else in this process has.
    #[allow(clippy::new_without_default, reason = "no two are alike")]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct ListPage {
    /// In UTF-8 byte order; may be fewer than asked for, even none, while more follow.
    pub entries: Vec<ListEntry>,
    /// The `start_after` of the next page; `None` at the end.
    pub next: Option<String>,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "authors and users match on it")]
pub enum ListEntry {
    /// An object, with its metadata where asked for.
    Object(Key, Option<ObjectMeta>),
    /// Everything that shares this prefix, which ends in `/`.
    Prefix(String),
}

impl ListEntry {
    /// The text it is ordered by.
    pub fn name(&self) -> &str {
        match self {
            Self::Object(key, _) => key.as_str(),
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// Facts about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct ObjectMeta {
    /// Bytes.
    pub size: u64,
    /// The token of this state.
    pub version: Version,
    /// When it was written, where the medium knows.
    pub modified: Option<Timestamp>,
}

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "authors build it")]
pub struct Object {
    /// Facts about the whole object.
    pub meta: ObjectMeta,
    /// Which of its bytes these are.
    pub range: Range<u64>,
    /// The bytes.
    pub bytes: Bytes,
}

impl Object {
    /// Decides a read request against an object that is held whole: what a backend without ranges of its own calls.
    ///
    /// # Errors
    /// As [`StorageBackend::read`].
    pub fn answer(meta: ObjectMeta, whole: &Bytes, request: &ReadRequest) -> Result<Self> {
        meta.check_read(request)?;
        let range = request.range.unwrap_or(ByteRange::From(0)).resolve(meta.size);
        #[allow(clippy::cast_possible_truncation, reason = "the object is in memory")]
        let bytes = whole.slice(range.start as usize..range.end as usize);
        Ok(Self { meta, range, bytes })
    }
}

impl ObjectMeta {
    /// Decides the conditions of a read.
    ///
    /// # Errors
    /// As [`StorageBackend::read`].
    pub fn check_read(&self, request: &ReadRequest) -> Result<()> {
        if let Some(expected) = &request.if_version
            && *expected != self.version
        {
            return Err(Error::precondition_failed(Some(&self.version)));
        }
        if request.unless_version.as_ref() == Some(&self.version) {
            return Err(Error::not_modified());
        }
        Ok(())
    }
}

impl Condition {
    /// Decides the condition against the current version, `None` where nothing is there.
    ///
    /// # Errors
    /// `AlreadyExists` for a lost `IfAbsent`, `PreconditionFailed` for a lost `IfVersion`.
    pub fn check(&self, current: Option<&Version>) -> Result<()> {
        match (self, current) {
            (Self::Always, _) | (Self::IfAbsent, None) => Ok(()),
            (Self::IfAbsent, Some(_)) => Err(Error::already_exists()),
            (Self::IfVersion(expected), Some(current)) if expected == current => Ok(()),
            (Self::IfVersion(_), current) => Err(Error::precondition_failed(current)),
        }
    }
}

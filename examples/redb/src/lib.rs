//! A backend of one's own, whole: objects in a file of redb, the embedded database.
//!
//! Only the six operations that [`StorageBackend`] asks for are written here. `Overlay::new(Redb::open(path)?)` has documents, indexes,
//! queries, logs and leases beside them, because redb decides conditions and applies writes in one transaction.
//!
//! # Crash recovery
//! redb's: a commit that was acknowledged survives loss of power, and one that was cut short never happened.
//!
//! # Concurrent writers
//! One process has the file; its handles are clones of one another. Writers take turns.

use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use storage_core::{
    Applied, Area, Clock, Declaration, DeleteRequest, Durability, Error, ErrorKind, Key, ListEntry, ListPage,
    ListRequest, Object, ObjectGuard, ObjectMeta, ReadRequest, Result, StorageBackend, Support, SystemClock,
    Timestamp, Version, WriteRequest,
};

/// A table for each area: a key to its version, its time and its bytes.
type Table = TableDefinition<'static, &'static str, (u128, i64, &'static [u8])>;

const fn table(area: Area) -> Table {
    match area {
        Area::Objects => TableDefinition::new("objects"),
        Area::Overlay => TableDefinition::new("overlay"),
    }
}

/// Objects in a file of redb. Clones share the file.
#[derive(Clone)]
pub struct Redb {
    database: Arc<Database>,
    declaration: Arc<Declaration>,
}

impl Redb {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    /// `Conflict` when another process has it open; `Corrupt` when it is no file of redb; those of the disk.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let database = Database::create(path).map_err(classify)?;
        let transaction = database.begin_write().map_err(classify)?;
        for area in [Area::Objects, Area::Overlay] {
            transaction.open_table(table(area)).map_err(classify)?;
        }
        transaction.commit().map_err(classify)?;
        let mut declaration = Declaration::new("redb");
        declaration.objects.create_if_absent = Support::Native;
        declaration.objects.compare_and_swap = Support::Native;
        declaration.objects.delete_if = Support::Native;
        declaration.objects.guarded_write = Support::Native;
        declaration.objects.durability = Durability::PowerLoss;
        Ok(Self {
            database: Arc::new(database),
            declaration: Arc::new(declaration),
        })
    }

    /// Runs work that may block where that is allowed. If the future is dropped, work that began is finished.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(&self.database);
        let done = tokio::task::spawn_blocking(move || work(&database)).await;
        done.map_err(|stopped| Error::new(ErrorKind::Internal, "redb's thread stopped").with_source(stopped))?
    }

    /// Changes one key in a transaction of its own, if the guard holds. `change` is shown the current version and gives what is to be
    /// there.
    async fn change(
        &self,
        area: Area,
        key: &Key,
        guard: Option<ObjectGuard>,
        change: impl FnOnce(Option<Version>) -> Result<Option<(Version, Bytes)>> + Send + 'static,
    ) -> Result<()> {
        let key = key.clone();
        self.blocking(move |database| {
            let transaction = database.begin_write().map_err(classify)?;
            {
                let mut table = transaction.open_table(table(area)).map_err(classify)?;
                let current = table.get(key.as_str()).map_err(classify)?;
                let current = current.map(|found| Version::from_u128(found.value().0));
                // An error leaves the transaction to be dropped, and everything as it was.
                let change = change(current)?;
                if let Some(guard) = guard {
                    let guarded = table.get(guard.key.as_str()).map_err(classify)?;
                    let version = guarded.map(|found| Version::from_u128(found.value().0));
                    if version != Some(guard.version) {
                        return Err(Error::guard_failed(guard.key.as_str()));
                    }
                }
                match change {
                    Some((version, bytes)) => {
                        let bits = version.as_u128().unwrap_or_default();
                        let now = SystemClock::default().now().as_millis();
                        table
                            .insert(key.as_str(), (bits, now, bytes.as_ref()))
                            .map_err(classify)?;
                    }
                    None => drop(table.remove(key.as_str()).map_err(classify)?),
                }
            }
            // Whether a commit that failed was applied, nobody knows.
            transaction
                .commit()
                .map_err(|error| classify(error).with_applied(Applied::Unknown))
        })
        .await
    }
}

impl fmt::Debug for Redb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redb").finish_non_exhaustive()
    }
}

#[async_trait]
impl StorageBackend for Redb {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        let key = key.clone();
        self.blocking(move |database| {
            let transaction = database.begin_read().map_err(classify)?;
            let table = transaction.open_table(table(area)).map_err(classify)?;
            let Some(found) = table.get(key.as_str()).map_err(classify)? else {
                return Ok(None);
            };
            let bytes = Bytes::copy_from_slice(found.value().2);
            Object::answer(meta(found.value()), &bytes, &request).map(Some)
        })
        .await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        let version = Version::random();
        let written = version.clone();
        self.change(area, key, request.guard, move |current| {
            request.condition.check(current.as_ref())?;
            Ok(Some((written, bytes)))
        })
        .await?;
        Ok(version)
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        let key = key.clone();
        self.blocking(move |database| {
            let transaction = database.begin_read().map_err(classify)?;
            let table = transaction.open_table(table(area)).map_err(classify)?;
            let found = table.get(key.as_str()).map_err(classify)?;
            Ok(found.map(|found| meta(found.value())))
        })
        .await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        self.change(area, key, None, move |current| match request.if_version {
            Some(expected) if current.as_ref() != Some(&expected) => {
                Err(Error::precondition_failed(current.as_ref()))
            }
            _ => Ok(None),
        })
        .await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.blocking(move |database| {
            let transaction = database.begin_read().map_err(classify)?;
            let table = transaction.open_table(table(area)).map_err(classify)?;
            let after = request.start_after.as_deref().unwrap_or_default();
            let mut page = ListPage::default();
            // Where the next look begins: behind a key, or behind everything that shares a rolled-up prefix.
            let mut from = Bound::Included(request.prefix.clone());
            if after >= request.prefix.as_str() {
                from = Bound::Excluded(after.to_owned());
            }
            loop {
                let range = (from.as_ref().map(String::as_str), Bound::Unbounded);
                let Some(found) = table.range::<&str>(range).map_err(classify)?.next() else {
                    return Ok(page);
                };
                let (key, value) = found.map_err(classify)?;
                let key = key.value();
                let Some(rest) = key.strip_prefix(&request.prefix) else {
                    return Ok(page);
                };
                let rolled = rest.find('/').filter(|_| request.delimiter);
                let entry = match rolled.map(|at| &key[..=request.prefix.len() + at]) {
                    Some(prefix) => {
                        // `0` is the byte after `/`.
                        from = Bound::Included(format!("{}0", &prefix[..prefix.len() - 1]));
                        if prefix <= after {
                            continue;
                        }
                        ListEntry::Prefix(prefix.to_owned())
                    }
                    None => {
                        from = Bound::Excluded(key.to_owned());
                        ListEntry::Object(Key::new(key)?, request.with_meta.then(|| meta(value.value())))
                    }
                };
                if page.entries.len() == request.limit {
                    page.next = page.entries.last().map(|last| last.name().to_owned());
                    return Ok(page);
                }
                page.entries.push(entry);
            }
        })
        .await
    }
}

fn meta((version, modified, bytes): (u128, i64, &[u8])) -> ObjectMeta {
    ObjectMeta {
        size: bytes.len() as u64,
        version: Version::from_u128(version),
        modified: Some(Timestamp::from_millis(modified)),
    }
}

/// From redb's errors to ours. Nothing was applied: whoever commits knows better.
fn classify(error: impl Into<redb::Error>) -> Error {
    use redb::Error as Native;
    let error = error.into();
    let (kind, message) = match &error {
        Native::Corrupted(_) => (ErrorKind::Corrupt, "the file is damaged; restore it"),
        Native::DatabaseAlreadyOpen => (ErrorKind::Conflict, "another process has the file open"),
        Native::UpgradeRequired(_) => (ErrorKind::FormatTooNew, "the file is of another version of redb"),
        Native::ValueTooLarge(_) => (ErrorKind::LimitExceeded, "redb takes no value as large as this"),
        Native::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            (ErrorKind::NoSpace, "the disk is full; make room")
        }
        Native::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => (
            ErrorKind::PermissionDenied,
            "the file may not be read or written; check its permissions",
        ),
        Native::Io(_) | Native::PreviousIo => {
            (ErrorKind::Io, "the disk failed; check it and open the file again")
        }
        _ => (ErrorKind::Internal, "redb was used in a way it refuses"),
    };
    Error::new(kind, message).with_source(error)
}

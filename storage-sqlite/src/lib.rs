//! One SQLite database file as a storage backend: objects, documents with indexes, and logs.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use storage_core::{Area, Bytes, Key, StorageBackend, WriteRequest};
//! use storage_sqlite::{Sqlite, SqliteConfig};
//!
//! let sqlite = Sqlite::open(SqliteConfig::in_memory()).await?;
//! let key = Key::new("notes/a.txt")?;
//! sqlite.write(Area::Objects, &key, Bytes::from_static(b"hello"), WriteRequest::default()).await?;
//! assert_eq!(sqlite.stat(Area::Objects, &key).await?.unwrap().size, 5);
//! sqlite.close().await?;
//! # Ok::<(), storage_core::Error>(())
//! # }).unwrap();
//! ```
//!
//! # What is in the file
//!
//! Every table of the library is named `_storage…`; the table `_storage` holds the version of the format. Each collection also
//! has a view of its own name for the `sqlite3` shell: `SELECT content_id FROM content_metadata` works, with one column for each of
//! the first 100 plain top-level fields its documents brought, and `id`, `version`, `expires_at` (milliseconds, UTC) and `body`
//! (JSON). A field whose name equals one of these, or another field, but for case is only in `body`. Names of collections that
//! differ only in case, or that begin with `sqlite_` or `_storage`, get a view with a number or `collection_` added; the table
//! `_storage_collections` says which. The view shows expired documents until they are purged. Do not write to the tables by hand.
//!
//! # Who may read it
//!
//! A new database file is made with the permissions 0600, whatever the umask, because it may hold secrets; SQLite gives the files `-wal`
//! and `-shm` beside it those of the database. A file that is there keeps its own, so loosen them by hand where others have to read. A
//! directory that is made for it has those of the umask. On Windows the file inherits from its directory.
//!
//! # Crash recovery
//!
//! The database runs with a write-ahead log. With [`Durability::PowerLoss`](storage_core::Durability::PowerLoss), the default, the
//! log is flushed (`synchronous=FULL`) before a write is acknowledged. With
//! [`Durability::ProcessCrash`](storage_core::Durability::ProcessCrash) it is flushed only at checkpoints, so the loss of power can
//! undo the last writes, never tear one. After a crash SQLite replays the log when the file is next opened; an unacknowledged write is
//! there whole or not at all. A streamed object write that a crash cut short leaves staged chunks that nobody sees; `sweep`
//! removes them once they have not grown for a day ([`SqliteConfig::staging_age`]). Never copy the file while it is open, and keep the `-wal`
//! file beside it: it holds acknowledged writes.
//!
//! # Concurrent writers
//!
//! Each handle has one thread that writes. It takes all requests that wait, applies them in one transaction, each behind a savepoint
//! of its own where it is not alone, commits once and then acknowledges them: a request that is refused leaves the others alone. A request whose future is dropped still
//! happens whole. Several handles and several processes may open the same file on one machine; they take turns at the write lock and
//! give way to each other after each transaction. Who does not get it within [`SqliteConfig::busy_timeout`] is told `Timeout`, not
//! applied. Readers never wait for writers. Do not put the file on a network file system.

mod adapter;
mod backend;
mod catalog;
mod config;
mod connect;
mod documents;
mod error;
mod indexes;
mod logs;
mod objects;
mod query;
mod readers;
mod schema;
mod short;
mod store;
mod sweep;
mod view;
mod writer;

pub use self::config::SqliteConfig;
pub use self::store::Sqlite;

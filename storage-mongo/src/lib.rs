//! MongoDB as a storage backend: native documents, the engine's own indexes, objects and logs.
//!
//! ```no_run
//! # async fn example() -> storage_core::Result<()> {
//! use storage_core::{Area, Bytes, Key, StorageBackend, WriteRequest};
//! use storage_mongo::{Mongo, MongoConfig};
//!
//! let mongo = Mongo::connect(MongoConfig::new("mongodb://localhost:27017/app")).await?;
//! let key = Key::new("notes/a.txt")?;
//! mongo.write(Area::Objects, &key, Bytes::from_static(b"hello"), WriteRequest::default()).await?;
//! assert_eq!(mongo.stat(Area::Objects, &key).await?.unwrap().size, 5);
//! mongo.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is in the database
//!
//! A collection of documents is a collection of that name; `%`, `$` and what else MongoDB gives a meaning in names is written as `%` and
//! two hexadecimal digits. A document is `{ _id: "ada", _storage: { version, expires_at }, name: "Ada", age: 36 }`: the user's fields
//! beside the library's one. Names of fields that begin with `$`, contain `.` or `%` or are empty are written as `%` and digits too.
//!
//! Other programs may read and write these collections. Documents they insert or replace, without `_storage`, are documents like any
//! other, with a version made from their content. A program that updates fields in place should remove the version with
//! `$unset: { _storage: "" }`; otherwise a conditional write does not notice the change. What is not a document of the contract, such as one
//! with a numeric `_id`, is reported as `Corrupt`, never hidden and never overwritten.
//!
//! A collection that another program made with a default collation is not supported: the server would compare ids and values by it, and
//! take different ones for one.
//!
//! Everything else is in collections that begin with `_storage.`; no other program should write there.
//!
//! # Crash recovery
//!
//! Every write waits until a majority has it in the journal (`w: "majority", j: true`); reads see what a majority has. A document, the head of
//! an object and the head of a log change in one write of one document each, so that a crash of client or server leaves the old or
//! the new state. What takes more steps is written first and named last: the chunks of a large object before its head, the bucket of a
//! full log before its head is emptied. `sweep` removes what a crash left unnamed, uploads once they have rested for
//! [`MongoConfig::upload_age`]. One thing is left for good: the chunks of an upload whose client crashed at the very point where
//! a head was about to name them, because a late head may still do so.
//!
//! A write whose answer is lost is sent once more by the driver; the server recognises it. Where the second is lost as well, the error
//! says that it may have been applied.
//!
//! # Concurrent writers
//!
//! Any number of handles, processes and machines may use one database. Conditions are decided by the server in the same step as the
//! write; batches and guarded writes are transactions, which need a replica set or a sharded cluster. What the server can do is tried when
//! connecting, with a few racing writes to `_storage.probe`: where conditional updates are not atomic, as in FerretDB 1, objects are
//! all there is, and documents and logs are `Unsupported`. A write goes on to its end when its future is dropped, and closing waits for
//! it. A watch is a change stream of the server, which a replica set and a sharded cluster have; it keeps one connection busy while somebody
//! waits for the next change, out of [`MongoConfig::max_pool_size`]. Reads go to the primary; a primary that was deposed and does not know it yet may answer with what was true before.

mod adapter;
mod backend;
mod batch;
mod body;
mod catalog;
mod config;
mod deployment;
mod documents;
mod error;
mod format;
mod indexes;
mod logs;
mod names;
mod objects;
mod query;
mod session;
mod store;
mod sweep;
mod text;
mod watch;
mod work;

pub use self::config::MongoConfig;
pub use self::store::Mongo;

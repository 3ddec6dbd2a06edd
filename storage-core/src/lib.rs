//! The contract of the storage library: what applications call, and what backends implement.
//!
//! # For applications
//! [`Storage`] is what you hold. It is usually opened by the crate `storage-factory` from a URL or the environment; here it stands
//! on [`Memory`]:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
//! use serde::{Deserialize, Serialize};
//! use storage_core::{Document, Index, Memory, Query, Storage};
//!
//! #[derive(Serialize, Deserialize)]
//! struct User { name: String, age: u32 }
//!
//! let storage = Storage::new(Memory::new());
//! storage.objects().write("notes/a.txt", "hello").await?;
//!
//! let users = storage.collection::<User>("users");
//! users.ensure_index(Index::btree("by_age", ["age"])).await?;
//! let version = users.put("ada", &User { name: "Ada".into(), age: 36 }).await?;
//! let adults: Vec<Document<User>> = users.find(Query::ge("age", 18).limit(10)).await?.collect().await?;
//! assert_eq!((adults[0].value.name.as_str(), &adults[0].version), ("Ada", &version));
//!
//! storage.log("events").append("started").await?;
//! storage.close().await?;
//! # Ok(()) }
//! ```
//!
//! | to | use |
//! |---|---|
//! | keep bytes under keys | [`Storage::objects`], [`Objects`] |
//! | keep typed documents, find them by index | [`Storage::collection`], [`Collection`], [`Index`], [`Query`] |
//! | be told of changes | [`Collection::watch`], [`Change`] |
//! | append and follow | [`Storage::log`], [`Log`] |
//! | be the only one at work | [`Storage::lease`], [`Lease`], [`Fence`] |
//! | change several documents or none | [`Storage::batch`] |
//! | know what a backend can do | [`Storage::declaration`], [`Declaration`] |
//! | know what went wrong, and whether it was written | [`Error`], [`ErrorKind`], [`Applied`] |
//!
//! # For adapter authors
//! Implement the six required operations of [`StorageBackend`]; `Overlay` makes a full [`StorageAdapter`] of it where it has
//! conditional writes. An engine with documents of its own implements [`StorageAdapter`] itself, with [`Plan`] to plan queries,
//! [`Filter::matches`] to evaluate them and [`value`] to order and encode values as everybody does. Then run the suite of the
//! crate `conformance-tests`.

mod adapter;
mod backend;
mod change;
mod clock;
mod composed;
mod declaration;
mod error;
mod index;
mod memory;
mod name;
mod overlay;
mod plan;
mod query;
mod random;
mod raw;
mod shared;
mod storage;
pub mod value;
mod version;

pub use bson;
pub use bytes::Bytes;

pub use self::adapter::*;
pub use self::backend::*;
pub use self::change::{Change, ChangeKind, ChangePosition, Changes, WatchRequest};
pub use self::clock::{Clock, SystemClock, Timestamp};
pub use self::composed::Composed;
pub use self::declaration::*;
pub use self::error::{Applied, Error, ErrorKind, Result, Retry};
pub use self::index::{Index, IndexInfo, IndexKeys, IndexKind, IndexStats};
pub use self::memory::{Memory, MemoryBackend};
pub use self::name::{DocumentId, Key, Name};
pub use self::overlay::Overlay;
pub use self::plan::{Access, IndexAccess, KeyRange, Plan};
pub use self::query::{Comparison, Direction, Filter, PageToken, Position, Query, Sort, sort_key};
pub use self::random::{random_bytes, random_u128};
pub use self::raw::{encode_bson, malformed};
pub use self::storage::*;
pub use self::value::FieldPath;
pub use self::version::Version;

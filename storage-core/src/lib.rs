//! The contract of the storage library: what every backend implements and what every application calls.

mod adapter;
mod backend;
mod clock;
mod declaration;
mod error;
mod index;
mod memory;
mod name;
mod plan;
mod query;
mod random;
mod raw;
mod storage;
pub mod value;
mod version;

pub use bson;
pub use bytes::Bytes;

pub use self::adapter::*;
pub use self::backend::*;
pub use self::clock::{Clock, SystemClock, Timestamp};
pub use self::declaration::*;
pub use self::error::{Applied, Error, ErrorKind, Result, Retry};
pub use self::index::{Index, IndexInfo, IndexKeys, IndexKind, IndexStats};
pub use self::memory::{Memory, MemoryBackend};
pub use self::name::{DocumentId, Key, Name};
pub use self::plan::{Access, IndexAccess, KeyRange, Plan};
pub use self::query::{Comparison, Direction, Filter, PageToken, Position, Query, Sort, sort_key};
pub use self::random::random_u128;
pub use self::raw::{encode_bson, malformed};
pub use self::storage::*;
pub use self::value::FieldPath;
pub use self::version::Version;

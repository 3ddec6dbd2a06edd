//! Content that arrives in pieces, grouped by session: for clipboards, chats and uploads. Chunks come out of order and more than once,
//! encrypted by their senders; newcomers fetch the newest; old content goes away by itself.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
//! # let storage = storage_core::Storage::new(storage_core::Memory::new());
//! use storage_stores::chunks::{ChunkInfo, ChunkOptions, ChunkStore};
//!
//! let store = ChunkStore::open(storage, ChunkOptions::new()).await?;
//!
//! // In any order, from any number of senders, again after any error:
//! store.save_chunk("world", ChunkInfo::new("greeting", "room-7", 1, 2).iv(vec![1; 12])).await?;
//! assert_eq!(store.missing_chunks("greeting").await?, Some(vec![0]));
//! store.save_chunk("hello ", ChunkInfo::new("greeting", "room-7", 0, 2).iv(vec![2; 12])).await?;
//! let content = store.mark_content_complete("greeting").await?;
//! assert_eq!((content.total_size, content.is_complete), (11, true));
//!
//! assert_eq!(store.get_chunk("greeting", 0).await?.as_deref(), Some(&b"hello "[..]));
//! assert_eq!(store.newest("room-7").await?.items, [content]);
//! store.close().await?;
//! # Ok(()) }
//! ```
//!
//! # What is stored
//!
//! | where | what |
//! |---|---|
//! | object `chunks/<hex of the content's id>/<index>.bin` | the bytes of a chunk; where objects are not deleted by their version, on buckets, `<upload>/<index>.bin` in that directory |
//! | collection `content_metadata` | a document per content, under its id; index `by_session` |
//! | collection `chunk_metadata` | a document per chunk, under `<content's id>/<index, 8 digits>` |
//! | collection `sessions` | a document per session, under its id, with what its contents have reserved |
//! | collection `chunk_totals` | with a limit over all sessions: a document with what each has reserved |
//! | lease `chunks/cleanup` | who cleans up |
//!
//! Times are milliseconds since 1970. A chunk's object is durable before its record is written, so an object without a record is an
//! orphan, never data. Every chunk has a BLAKE3 hash, and so has every complete content; what is read is compared with them.
//!
//! Ids are data: `../../x` names a content like any other. They may be as long as documents, objects and the index of the backend all
//! allow, and longer ones are `LimitExceeded` before anything happens. A content belongs to one session; [`ChunkStore::session`] is the
//! store as one session sees it.

mod begin;
mod change;
mod cleanup;
mod complete;
mod content;
mod delete;
mod fields;
mod info;
mod list;
mod names;
mod options;
mod read;
mod record;
mod save;
mod session;
mod sessions;
mod store;
mod timer;
mod totals;
mod verify;

/// The fields of its documents that this store searches for. A layer that seals documents leaves them readable: see
/// `storage_layers::Fields::plain`.
pub const SEARCHED_FIELDS: &[&str] = &[
    "created_at",
    "is_complete",
    "is_pinned",
    "last_accessed",
    "session_id",
];

pub use self::cleanup::CleanupReport;
pub use self::content::ContentMetadata;
pub use self::info::ChunkInfo;
pub use self::list::{ContentList, Usage};
pub use self::options::ChunkOptions;
pub use self::read::{Chunk, ReadContent};
pub use self::session::Session;
pub use self::sessions::SessionInfo;
pub use self::store::ChunkStore;
pub use self::verify::{Problem, ProblemKind, VerifyReport};

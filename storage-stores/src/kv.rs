//! Values under keys, to keep or to cache: atomic, with a time to live, limits and eviction, compressed and encrypted, in two levels.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
//! # let storage = storage_core::Storage::new(storage_core::Memory::new());
//! use std::time::Duration;
//! use serde::{Deserialize, Serialize};
//! use storage_stores::kv::{Kv, KvOptions, SetOptions};
//!
//! #[derive(Serialize, Deserialize, Debug, PartialEq)]
//! struct Preferences { theme: String, volume: u8 }
//!
//! let kv = Kv::open(storage, KvOptions::new().size_limit(1 << 30)).await?;
//!
//! let dark = Preferences { theme: "dark".into(), volume: 75 };
//! kv.set_with("user-preferences", &dark, SetOptions::new().ttl(Duration::from_secs(86_400))).await?;
//! assert_eq!(kv.get("user-preferences").await?, Some(dark));
//! assert_eq!(kv.get::<Preferences>("somebody-else").await?, None);
//!
//! kv.lock("user-preferences", |entry| async move {
//!     let mut preferences: Preferences = entry.get().await?.expect("it was set");
//!     preferences.volume += 1;
//!     entry.set(&preferences).await
//! })
//! .await?;
//! kv.close().await?;
//! # Ok(()) }
//! ```
//!
//! # What is stored
//!
//! | where | what |
//! |---|---|
//! | collection `kv.<namespace>` | a document per entry under its key: where the value is, its size, expiry, last use, codec, cipher and key; a small value itself |
//! | object `kv/<hex of the namespace>/<hex of the key>/<nonce>` | a value larger than [`KvOptions::inline_limit`] |
//! | collection `kv` | a document per namespace: how much it takes |
//! | collection `kv_secrets` | a document per encrypted namespace: its keys, sealed under the one given for it |
//! | collection `kv_keys.<namespace>` | a document per value that has a key of its own |
//! | lease `kv/<namespace>/<key>` | who has the lock of a key |
//! | log `kv/<namespace>/audit` | who did what |
//!
//! # Crashes
//! What commits an entry is one conditional write of its document. A larger value is in an object with a name of its own, which the document
//! names before it is written. So a crash between any two steps leaves the old value or the new one; what is left of the other is named by
//! no document, or by one only as what might have come, and a [cleanup](Kv::cleanup) removes it without asking how old it is: nobody can
//! commit it any more. Objects the store did not write are never touched.
//!
//! Opening reads no values: what a namespace takes is in one document, and what is known of an entry is found by index.
//!
//! # Time
//! A value without a time to live stays. Expired entries are invisible to everybody at once, by the clock of who looks; reading never
//! prolongs a life. The store keeps expiry in its own documents, so that what expired is still counted and cleaned up with its object.
//!
//! # Memory
//! Values read or written are kept in memory up to [`KvOptions::memory_limit`] bytes. What this process writes is seen at once; what another
//! process wrote after [`KvOptions::staleness`] at the latest, 1 second by default. Writes go through to the backend before they are
//! acknowledged, unless [`KvOptions::write_back`] is chosen: then what was acknowledged in the last moments before a crash is lost.
//!
//! # Names
//! Keys are data: `../../x` names an entry like any other, and `a/b` is not `ab`. They may be as long as documents and objects of the backend
//! both allow, and longer ones are `LimitExceeded`; an empty one is `InvalidName`. Keys, sizes and times are not encrypted.

mod access;
mod audit;
mod cleanup;
mod codec;
mod delete;
mod entry;
mod erase;
mod evict;
mod export;
mod flight;
mod get;
mod hold;
mod keys;
mod ledger;
mod lifetime;
mod list;
mod lock;
mod make;
mod many;
mod memory;
mod names;
mod options;
mod rotate;
mod sealing;
mod set;
mod settings;
mod store;
mod timer;
mod touch;
mod value;
mod verify;
mod write_back;

/// The fields of its documents that this store searches for. A layer that seals documents leaves them readable: see
/// [`Fields::plain`](storage_layers::Fields::plain). They are times, sizes and how often something was used.
pub const SEARCHED_FIELDS: &[&str] = &["evict", "expires_at"];

pub use storage_layers::compression::Codec;
pub use storage_layers::encryption::{Key, KeyProvider, Suite};

pub use self::access::Access;
pub use self::cleanup::CleanupReport;
pub use self::delete::ClearReport;
pub use self::entry::Kind;
pub use self::erase::ErasureReceipt;
pub use self::evict::{AlignReport, EvictionReport};
pub use self::export::{Export, ExportedEntry};
pub use self::hold::Hold;
pub use self::lifetime::{Lifetime, SetOptions};
pub use self::list::{Entries, EntryInfo, Location, Stats};
pub use self::lock::Locked;
pub use self::options::{Eviction, KvOptions};
pub use self::rotate::RotationReport;
pub use self::sealing::Sealing;
pub use self::settings::{KvSettings, Setting};
pub use self::store::Kv;
pub use self::verify::{Problem, VerifyReport};

//! Content-addressed blocks, signed events, and volumes made of them: on any backend, in one storage or several.
//!
//! ```text
//! volumes.json                                what the store is: format, hash, fan-out, grace
//! blocks/<hash>.bin                           blocks, see [`Blocks`]
//! channels/<public key>/<event hash>.bin      signed events, see [`Channel`]
//! changed/<public key>                        another with each new event, so that nobody lists the channel to find none
//! quarantine/…                                what was found damaged; nothing deletes it
//! staging/…                                   large blocks that are still arriving
//! ```
//!
//! Paths of blocks and events follow from content and keys alone: same content, same path. What is read is verified, always: a block is
//! handed out only if it has its hash, an event only if it has its hash, its channel's key and its signature.
//!
//! A [`Volume`] is names and their blocks, as the events of a channel tell them; [`VolumeStore::open_replicas`] keeps it in several
//! storages; [`Blocks::gc`] collects what nothing names any more.
//!
//! No lock on a directory is needed, as the predecessor had one: blocks and events never change, two processes that write the same write
//! the same bytes, and every backend here publishes a write whole, also beside other processes.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
//! # let storage = storage_core::Storage::new(storage_core::Memory::new());
//! use storage_stores::volumes::{Ed25519Key, Volume, VolumeOptions, VolumeStore};
//!
//! let store = VolumeStore::open(storage, VolumeOptions::new()).await?;
//! let volume = Volume::open(&store, Ed25519Key::generate()).await?;
//! volume.put("notes/a.txt", "hello").await?;
//! assert_eq!(volume.get("notes/a.txt").await?.as_deref(), Some(&b"hello"[..]));
//! volume.delete("notes/a.txt").await?;
//! assert!(volume.list("").is_empty());
//! # Ok(()) }
//! ```

mod blocks;
mod channel;
mod check;
mod event;
mod format;
mod hash;
mod names;
mod options;
mod order;
mod reconcile;
mod replica;
mod signing;
mod site;
mod store;
mod volume;

pub use self::blocks::{Blocks, CollectReport, Repair, Roots, VerifyReport};
pub use self::channel::{Channel, Refreshed, Refused};
pub use self::event::Event;
pub use self::hash::{Hash, HashAlgorithm};
pub use self::options::VolumeOptions;
pub use self::reconcile::{PruneReport, ReconcileReport};
pub use self::replica::{Failure, Replica, Role};
pub use self::signing::{Ed25519Key, PublicKey, Signer, Verifier};
pub use self::store::VolumeStore;
pub use self::volume::{Change, Entry, Keep, Snapshot, Volume};

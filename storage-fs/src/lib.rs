//! Files on a local disk as a storage: readable paths, whole writes, JSON documents, JSON-lines logs.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> storage_core::Result<()> {
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path();
//! use storage_core::{Area, Key, StorageBackend, WriteRequest};
//! use storage_fs::{Fs, FsConfig};
//!
//! let fs = Fs::open(FsConfig::new(path)).await?;
//! fs.write(Area::Objects, &Key::new("notes/a.txt")?, "hello".into(), WriteRequest::default()).await?;
//! assert_eq!(std::fs::read(path.join("notes/a.txt")).unwrap(), b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! # What stands where
//! An object stands under its key: `notes/a.txt`, `blocks/<hash>.bin`. Only what a disk would misread is escaped, by a written
//! rule that never gives two keys one file; `a` beside `a/b` is the file `a%` beside the directory `a`. Regular files that others
//! put there under such names are objects; links and other names are left alone and listed nowhere. Everything of ours is in
//! `.storage`: `documents/users/ada.json`, `logs/<name>.jsonl`, `format.json`, and the directories of locks and temporaries.
//!
//! A version is 128 random bits in the attribute `user.storage.version`, folded with size and modification time, so an edit by
//! another program shows as a new one. Where the disk has no attributes the modification time itself is random below the second.
//! A file that others put there is told by inode, size and times: an edit that restores all of them goes unnoticed.
//!
//! # Crash recovery
//! A write goes to a temporary, is synced, gets its name in one step, and the directory is synced before it is acknowledged. After a
//! crash at any point there is the old value, the new one or, for a first write, none: never a mix. What is acknowledged survives
//! loss of power on ext4, XFS and btrfs, as far as the disk keeps what it says it wrote; on tmpfs nothing survives one. Opening
//! removes temporaries of writers that are gone, known by the lock a living writer holds, and says how many. An append to a log
//! that was cut short is left out by readers, counted in `torn_bytes`, and cut off by the next append.
//!
//! A process that is killed leaves in memory what it had not synced, where the next one sees it. So nothing is built on what is only
//! seen: opening syncs the root and what it stands in, the first write into a directory syncs what that stands in, and an append
//! syncs what others appended before it.
//!
//! With [`ProcessCrash`](storage_core::Durability::ProcessCrash) nothing is synced: a crash of the process loses nothing that was
//! acknowledged, loss of power may.
//!
//! All this is tried on a simulated disk that keeps only what `fsync(2)` promises to keep: every workload of up to three
//! operations, power lost after each call to the system and once more during recovery, every mixture of what was on its way; a
//! process killed at each call and another after it; each call failing.
//!
//! A sync that fails before the name is given is an ordinary error, and the old value stands. One that fails after it leaves
//! the outcome unknown: the error says so and the handle only reads until it is opened again. No sync is repeated.
//!
//! # Concurrent writers
//! Any number of tasks, handles and processes on one machine may share a root. Unconditional writes of one key all succeed and
//! the last one stands, whole. Conditions are decided under a lock (`flock`) that programs of this library share, so no swap is
//! lost among them; other programs do not take it, and a file they change in place can be read half changed. Network disks
//! with unreliable locks are not for more than one machine.

mod adapter;
mod atomic;
mod backend;
mod blocking;
mod buffers;
mod cached;
mod config;
mod confine;
mod durable;
mod error;
mod files;
mod handle;
mod layout;
mod lock;
mod logs;
mod objects;
mod remembered;
mod root;
mod settled;
#[cfg(test)]
mod simulation;
mod staging;
#[cfg(test)]
mod syncs;
mod system;
mod version;
mod walk;
mod writer;

pub use self::adapter::Fs;
pub use self::backend::FsBackend;
pub use self::config::{Confinement, FsConfig, VersionKeeping};

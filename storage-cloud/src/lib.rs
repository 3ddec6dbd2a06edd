//! Buckets of object stores as a storage: S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage.
//!
//! Each vendor is a feature: `s3`, `gcs`, `azure`. A [`Cloud`] is a backend of objects; documents, indexes and logs come from
//! `storage_core::Overlay`.
//!
//! ```no_run
//! # #[cfg(feature = "s3")]
//! # async fn example() -> storage_core::Result<()> {
//! use storage_cloud::{Cloud, CloudConfig, S3Config};
//! use storage_core::Overlay;
//!
//! let bucket = S3Config::new("my-bucket").region("eu-central-1");
//! let cloud = Cloud::open(CloudConfig::from(bucket).prefix("app")).await?;
//! let adapter = Overlay::new(cloud);
//! # Ok(())
//! # }
//! ```
//!
//! # What stands where
//! The object `notes/a.txt` stands under that name, behind the prefix, so other programs read it and what they put there is read
//! here. Keys the vendor would not carry as they are, and everything of the library's own, stand under `_storage/`. Names in the
//! bucket that are no key here, such as `folder/` or `a//b`, are left alone and listed nowhere.
//!
//! A version is the object's generation on Google and its `ETag` elsewhere. On S3 that is a hash of the content, so a change and
//! a change back goes unnoticed; the overlay's records carry a fresh revision and never repeat.
//!
//! # Crash recovery
//! An object becomes visible whole when the server acknowledges it; what was begun and not acknowledged is there whole or not at all.
//! A streamed write that a crash cut short leaves parts that no listing shows and that cost room: give the bucket a rule that
//! removes unfinished uploads (Azure does so after a week by itself). Scratch objects of an opening that was cut short stay under
//! `_storage/probe/` and may be deleted.
//!
//! # Concurrent writers
//! Any number of tasks, processes and machines may share a bucket. Unconditional writes of one key all succeed and the last one
//! stands. Conditions are decided by the server; whether it does so is tried when the bucket is opened. Nothing that changes
//! something is sent again by itself, with one exception: a conditional write whose answer was lost carries a nonce, is
//! looked for, and is sent again only while its condition still stands. If somebody else has written by then, the error
//! says that the outcome is unknown. Neither vendor's interface deletes by version here, so marks of deleted documents stay until
//! `Overlay::compact`, which needs the store to itself.

#![cfg(any(feature = "azure", feature = "gcs", feature = "s3"))]

mod backend;
mod backoff;
mod client;
mod config;
mod copy;
mod error;
mod layout;
mod leftovers;
mod list;
mod odd;
mod probe;
mod read;
mod remove;
mod upload;
mod version;
mod wire;
mod write;

pub use self::backend::Cloud;
#[cfg(feature = "azure")]
pub use self::config::AzureConfig;
#[cfg(feature = "gcs")]
pub use self::config::GcsConfig;
#[cfg(feature = "s3")]
pub use self::config::S3Config;
pub use self::config::{CloudConfig, ConditionalWrites};

//! Files on a local disk as a storage.

mod atomic;
mod backend;
mod blocking;
mod config;
mod confine;
mod durable;
mod error;
mod files;
mod handle;
mod layout;
mod lock;
mod objects;
mod root;
mod staging;
mod version;
mod walk;
mod writer;

pub use self::backend::FsBackend;
pub use self::config::{Confinement, FsConfig, VersionKeeping};

//! The cases of the stores: a directory for each store, a file for each group.

#[cfg(feature = "chunks")]
pub(crate) mod chunks;
#[cfg(feature = "collections")]
pub(crate) mod collections;
#[cfg(feature = "kv")]
pub(crate) mod kv;
#[cfg(feature = "volumes")]
pub(crate) mod volumes;

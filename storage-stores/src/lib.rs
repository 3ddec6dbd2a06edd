//! What people build on storage, written once on the contract alone: no store here names a backend, so each works on every one.
//!
//! Each store is a feature, and a type that takes a [`Storage`](storage_core::Storage); most come as an extension trait too, so that
//! their methods are there on the storage itself.

#[cfg(feature = "chunks")]
pub mod chunks;
#[cfg(feature = "collections")]
pub mod collections;
#[cfg(feature = "executions")]
pub mod executions;
#[cfg(any(feature = "collections", feature = "kv"))]
mod keyed;
#[cfg(feature = "kv")]
pub mod kv;
#[cfg(any(
    feature = "chunks",
    feature = "collections",
    feature = "executions",
    feature = "kv",
    feature = "volumes"
))]
pub mod quarantine;
#[cfg(any(
    feature = "chunks",
    feature = "collections",
    feature = "executions",
    feature = "kv"
))]
mod race;
#[cfg(feature = "volumes")]
pub mod volumes;

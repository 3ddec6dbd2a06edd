//! One file per command, or per family of commands.

pub(crate) mod audit;
pub(crate) mod backends;
pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod conformance;
pub(crate) mod documents;
pub(crate) mod executions;
pub(crate) mod fsck;
#[cfg(feature = "encryption")]
pub(crate) mod keys;
pub(crate) mod kv;
pub(crate) mod leases;
pub(crate) mod logs;
pub(crate) mod migrate;
pub(crate) mod objects;
pub(crate) mod reference;
pub(crate) mod sessions;
pub(crate) mod sweep;
pub(crate) mod tour;
pub(crate) mod volumes;

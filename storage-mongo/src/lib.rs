//! MongoDB as a storage backend: native documents, the engine's own indexes, objects and logs.

mod adapter;
mod backend;
mod batch;
mod body;
mod catalog;
mod config;
mod deployment;
mod documents;
mod error;
mod format;
mod indexes;
mod logs;
mod names;
mod objects;
mod query;
mod session;
mod store;
mod sweep;
mod text;
mod work;

pub use self::config::MongoConfig;
pub use self::store::Mongo;

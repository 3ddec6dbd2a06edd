//! MongoDB as a storage backend: native documents, the engine's own indexes, objects and logs.

mod body;
mod backend;
mod config;
mod deployment;
mod error;
mod names;
mod objects;
mod query;
mod session;
mod store;
mod text;
mod work;

pub use self::config::MongoConfig;
pub use self::store::Mongo;

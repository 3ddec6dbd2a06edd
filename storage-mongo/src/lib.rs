//! MongoDB as a storage backend: native documents, the engine's own indexes, objects and logs.

mod config;
mod deployment;
mod error;
mod names;
mod session;
mod store;
mod work;

pub use self::config::MongoConfig;
pub use self::store::Mongo;

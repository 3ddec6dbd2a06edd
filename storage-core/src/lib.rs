//! storage-core
pub mod error;
pub mod name;
pub mod random;
pub mod version;
pub use error::*;

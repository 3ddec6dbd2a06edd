//! One URL, or one variable of the environment, to a [`Storage`]. The one crate an application depends on.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
//! use storage_factory::prelude::*;
//!
//! let storage = storage_factory::open("memory:").await?;
//! storage.objects().write("notes/a.txt", "hello").await?;
//! storage.close().await?;
//! # Ok(()) }
//! ```

mod environment;
mod factory;
mod option;
pub mod prelude;
mod scheme;
mod url;

pub use storage_core;
use storage_core::{Result, Storage};

pub use self::environment::{Choice, VARIABLES, Variable};
pub use self::factory::Factory;
pub use self::option::{Address, UrlOption, UrlOptionKind};
pub use self::scheme::{Place, Scheme};
pub use self::url::StorageUrl;

/// Opens the storage a URL names: [`Factory::open`] of the default factory.
///
/// # Errors
/// As [`Factory::open`].
pub async fn open(url: &str) -> Result<Storage> {
    Factory::default().open(url).await
}

/// Opens the storage the environment names, files in `./data` when it names none: [`Factory::open_from_env`] of the default
/// factory. [`VARIABLES`] are the rules.
///
/// # Errors
/// As [`Factory::open_from_env`].
pub async fn open_from_env() -> Result<Storage> {
    Factory::default().open_from_env().await
}

//! Layers: adapters that wrap an adapter. What is above does not notice, but for what the layer is there for.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
//! use storage_core::{Memory, Storage};
//! use storage_layers::ReadOnly;
//!
//! let storage = Storage::new(ReadOnly::new(Memory::new()));
//! assert!(storage.objects().write("a", "no").await.is_err());
//! # Ok(()) }
//! ```
//!
//! A layer takes anything that implements [`StorageAdapter`](storage_core::StorageAdapter), an `Arc<dyn StorageAdapter>` included, and
//! is one. Those that have to do with bytes alone also take a mere [`StorageBackend`](storage_core::StorageBackend), under
//! [`Overlay`](storage_core::Overlay). A layer changes the [`Declaration`](storage_core::Declaration) where it changes what holds, and
//! forwards everything it is not about; the compiler sees to it that no method is forgotten.

#![deny(clippy::missing_trait_methods)]

#[cfg(feature = "audit")]
pub mod audit;
#[cfg(feature = "cache")]
mod cache;
mod call;
#[cfg(feature = "checksum")]
mod checksum;
#[cfg(any(feature = "checksum", feature = "encryption"))]
pub mod chunked;
#[cfg(feature = "compression")]
mod compress;
#[cfg(feature = "compression")]
pub mod compression;
#[cfg(feature = "encryption")]
mod encrypt;
#[cfg(feature = "encryption")]
pub mod encryption;
#[cfg(any(feature = "checksum", feature = "compression", feature = "encryption"))]
mod entries;
mod fault;
mod forward;
#[cfg(any(feature = "checksum", feature = "compression", feature = "encryption"))]
mod heavy;
#[cfg(feature = "metrics")]
pub mod metrics;
mod namespace;
mod outcome;
mod quota;
mod read_only;
mod retry;
mod stack;
mod timeout;
mod trace;
mod writer;

#[cfg(feature = "audit")]
pub use self::audit::{Audit, AuditKey, AuditLog, AuditOptions, AuditTrail, acting_as};
#[cfg(feature = "cache")]
pub use self::cache::{Cache, CacheOptions, CacheStats};
pub use self::call::{Operation, OperationClass};
#[cfg(feature = "checksum")]
pub use self::checksum::Checksum;
#[cfg(feature = "compression")]
pub use self::compress::Compress;
#[cfg(feature = "encryption")]
pub use self::encrypt::{Encrypt, EncryptOptions, Fields, References, ResealReport};
pub use self::fault::{Fault, FaultAction, FaultPlan, FaultRule};
#[cfg(feature = "metrics")]
pub use self::metrics::Metrics;
pub use self::namespace::Namespace;
pub use self::quota::{Quota, QuotaLimits, QuotaOptions, Usage};
pub use self::read_only::ReadOnly;
pub use self::retry::{Retry, RetryOptions, RetryStats};
pub use self::stack::{LayerKind, RULES, Rule, Stack};
pub use self::timeout::{Timeout, TimeoutOptions};
pub use self::trace::Trace;

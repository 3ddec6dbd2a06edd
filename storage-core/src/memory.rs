//! In memory: the strict reference adapter, and a bytes-only backend for the overlay to stand on.

mod adapter;
mod backend;
mod collection;
mod feed;
mod log;
mod state;

pub use self::adapter::Memory;
pub use self::backend::MemoryBackend;

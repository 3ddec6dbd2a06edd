//! [`Flight`]: of those who read one key at once, one reads and the others get what it read.

use std::sync::Arc;

use super::memory::{Cached, ReadAt};

/// Whoever has the turn reads; what was read last is left for those who waited.
#[derive(Default)]
pub(super) struct Flight {
    pub(super) turn: tokio::sync::Mutex<Option<Landed>>,
}

/// What was read, and when.
#[derive(Clone)]
pub(super) struct Landed {
    pub(super) read: ReadAt,
    pub(super) value: Option<Arc<Cached>>,
}

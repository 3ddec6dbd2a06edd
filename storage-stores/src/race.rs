//! Writes under a condition that somebody else won: told from failures, and tried again after a pause.

use std::time::Duration;

use storage_core::{Error, ErrorKind, random_u128};

/// Each attempt lost means that somebody else's succeeded; with pauses that grow, so many in a row do not happen by chance.
#[cfg(any(feature = "chunks", feature = "executions", feature = "kv"))]
pub(crate) const MAX_ATTEMPTS: u32 = 100;

/// Whether somebody else was faster, so that looking again helps.
pub(crate) fn is_lost(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed
    )
}

/// `None` in place of an error that says that somebody else was faster.
#[cfg(feature = "kv")]
pub(crate) fn unless_lost<T>(result: storage_core::Result<T>) -> storage_core::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_lost(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Steps aside for a random time, longer after each loss, up to 64 ms.
pub(crate) async fn pause(attempt: u32) {
    let most = 1_000_u128 << attempt.min(6);
    let micros = u64::try_from(random_u128() % most).unwrap_or_default();
    tokio::time::sleep(Duration::from_micros(micros)).await;
}

/// What is said after [`MAX_ATTEMPTS`].
#[cfg(any(feature = "chunks", feature = "executions", feature = "kv"))]
pub(crate) fn busy() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "others changed it each time before this call could; try again",
    )
}

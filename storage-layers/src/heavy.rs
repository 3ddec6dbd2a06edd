//! Work on many bytes, off the threads that answer everybody.

use storage_core::{Error, ErrorKind, Result};

/// From how many bytes on a hop to another thread costs less than it saves: a hop takes some ten microseconds, compressing or sealing
/// so many takes hundreds.
const LARGE: usize = 1024 * 1024;

/// Does this work on so many bytes: at once where they are few, on a thread for blocking work where they are many.
pub(crate) async fn heavy<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if bytes < LARGE || tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::new(
            ErrorKind::Internal,
            "the work on the bytes ended without an answer",
        )
        .with_source(error))
    })
}

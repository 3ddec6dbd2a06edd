//! [`Leftovers`]: multipart uploads that were given up by dropping them, being removed from the server.

use std::sync::{Mutex, PoisonError};

use object_store::MultipartUpload;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::wire::watch;

#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    aborts: Mutex<JoinSet<()>>,
}

impl Leftovers {
    /// Has the server forget an upload. Without a runtime, or if it fails, the bucket's own rule for unfinished uploads has to.
    pub(crate) fn abort(&self, mut upload: Box<dyn MultipartUpload>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut aborts = self.aborts.lock().unwrap_or_else(PoisonError::into_inner);
        while aborts.try_join_next().is_some() {}
        aborts.spawn_on(
            async move {
                if let (Err(_), reply) = watch(upload.abort()).await {
                    tracing::warn!(status = reply.status, "an unfinished upload could not be removed");
                }
            },
            &runtime,
        );
    }

    /// Waits until all of them are gone, or could not be removed.
    pub(crate) async fn settle(&self) {
        let mut aborts = std::mem::take(&mut *self.aborts.lock().unwrap_or_else(PoisonError::into_inner));
        while aborts.join_next().await.is_some() {}
    }
}

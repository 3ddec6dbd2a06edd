//! [`Parts`]: a multipart upload, over one streamed write.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, UploadPart};
use storage_core::{Capability, ObjectUpload, Storage, WriteOptions};

use super::error::{failed, invalid};
use super::put_result;

/// Parts in the order they were given, whichever of their futures is polled first. Dropped, it leaves no trace.
#[derive(Debug)]
pub(super) struct Parts {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    storage: Storage,
    location: Path,
    /// Given and not yet written, in order.
    waiting: Mutex<VecDeque<Bytes>>,
    /// Whoever has it writes what waits.
    target: tokio::sync::Mutex<Option<Target>>,
}

#[derive(Debug)]
enum Target {
    Streamed(ObjectUpload),
    /// Where the backend has no streamed write, all of it is held until the end.
    Held(BytesMut),
}

impl Parts {
    pub(super) async fn begin(storage: &Storage, location: Path) -> object_store::Result<Self> {
        let streams = storage
            .declaration()
            .support(Capability::StreamingWrite)
            .is_present();
        let target = if streams {
            let upload = storage.objects().upload(&location, WriteOptions::new()).await;
            Target::Streamed(upload.map_err(|error| failed(location.as_ref(), error))?)
        } else {
            Target::Held(BytesMut::new())
        };
        Ok(Self {
            shared: Arc::new(Shared {
                storage: storage.clone(),
                location,
                waiting: Mutex::default(),
                target: tokio::sync::Mutex::new(Some(target)),
            }),
        })
    }
}

impl Shared {
    fn next(&self) -> Option<Bytes> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    async fn write_waiting(&self) -> object_store::Result<()> {
        let mut slot = self.target.lock().await;
        let Some(mut target) = slot.take() else {
            return Err(invalid("the upload failed, was completed or was given up"));
        };
        // A part that fails, or is dropped half way, ends the upload: it is not put back.
        while let Some(bytes) = self.next() {
            match &mut target {
                Target::Streamed(upload) => {
                    let written = upload.write(bytes).await;
                    written.map_err(|error| failed(self.location.as_ref(), error))?;
                }
                Target::Held(held) => held.extend_from_slice(&bytes),
            }
        }
        *slot = Some(target);
        Ok(())
    }
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let shared = Arc::clone(&self.shared);
        let mut waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(data);
        drop(waiting);
        async move { shared.write_waiting().await }.boxed()
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let shared = &self.shared;
        shared.write_waiting().await?;
        let target = shared.target.lock().await.take();
        let finished = match target {
            Some(Target::Streamed(upload)) => upload.finish().await,
            Some(Target::Held(held)) => {
                shared
                    .storage
                    .objects()
                    .write(&shared.location, held.freeze())
                    .await
            }
            None => return Err(invalid("the upload failed, was completed or was given up")),
        };
        finished
            .map(|version| put_result(&version))
            .map_err(|error| failed(shared.location.as_ref(), error))
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        let target = self.shared.target.lock().await.take();
        match target {
            Some(Target::Streamed(upload)) => {
                let aborted = upload.abort().await;
                aborted.map_err(|error| failed(self.shared.location.as_ref(), error))
            }
            _ => Ok(()),
        }
    }
}

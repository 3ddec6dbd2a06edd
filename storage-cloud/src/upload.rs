//! Streamed writes: parts that are sent while bytes come, and become an object when the last is there.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use object_store::{MultipartUpload, PutMultipartOptions, PutPayload};
use storage_core::{Condition, Error, ErrorKind, ObjectWriter, Result, Version};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::error::write_failed;
use crate::leftovers::Leftovers;
use crate::wire::watch;

/// A streamed write. What fits one part is written like any object, and so is whatever has a condition: up to a bound it is held here.
#[derive(Debug)]
pub(crate) struct CloudWriter {
    client: Client,
    leftovers: Arc<Leftovers>,
    path: Path,
    condition: Condition,
    gathered: BytesMut,
    upload: Option<Upload>,
    failed: bool,
}

/// Parts under way to the server.
#[derive(Debug)]
struct Upload {
    /// `None` once it is completed or given up.
    native: Option<Box<dyn MultipartUpload>>,
    parts: JoinSet<Result<()>>,
    leftovers: Arc<Leftovers>,
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.parts.abort_all();
        if let Some(native) = self.native.take() {
            self.leftovers.abort(native);
        }
    }
}

impl CloudWriter {
    pub(crate) fn new(client: Client, leftovers: Arc<Leftovers>, path: Path, condition: Condition) -> Self {
        Self {
            client,
            leftovers,
            path,
            condition,
            gathered: BytesMut::new(),
            upload: None,
            failed: false,
        }
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<()> {
        if self.condition != Condition::Always {
            let size = self.gathered.len() + bytes.len();
            let limit = self.client.conditional_upload_bytes;
            if size > limit {
                return Err(Error::limit_exceeded(
                    "a streamed write with a condition is held in memory (conditional_upload_bytes): its size in bytes",
                    limit as u64,
                    size as u64,
                ));
            }
            self.gathered.extend_from_slice(&bytes);
            return Ok(());
        }
        while self.gathered.len() + bytes.len() > self.client.part_bytes {
            let part = bytes.split_to(self.client.part_bytes - self.gathered.len());
            self.gathered.extend_from_slice(&part);
            let part = std::mem::take(&mut self.gathered).freeze();
            self.send(part).await?;
        }
        self.gathered.extend_from_slice(&bytes);
        Ok(())
    }

    async fn send(&mut self, part: Bytes) -> Result<()> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(Upload::open(&self.client, &self.leftovers, &self.path).await?),
        };
        upload.send(part, self.client.parallel).await
    }
}

impl Upload {
    async fn open(client: &Client, leftovers: &Arc<Leftovers>, path: &Path) -> Result<Self> {
        let opening = client
            .stores
            .once
            .put_multipart_opts(path, PutMultipartOptions::default());
        match watch(opening).await {
            (Ok(native), _) => Ok(Self {
                native: Some(native),
                parts: JoinSet::new(),
                leftovers: Arc::clone(leftovers),
            }),
            // An upload that was opened and not answered holds no object.
            (Err(error), reply) => Err(write_failed(&error, &reply).with_applied(storage_core::Applied::No)),
        }
    }

    async fn send(&mut self, part: Bytes, parallel: usize) -> Result<()> {
        while self.parts.len() >= parallel {
            self.next_part().await?;
        }
        let native = self.native.as_mut().ok_or_else(spent)?;
        let sending = native.put_part(PutPayload::from(part));
        self.parts.spawn(async move {
            let (sent, reply) = watch(sending).await;
            // A part is not the object.
            sent.map_err(|error| write_failed(&error, &reply).with_applied(storage_core::Applied::No))
        });
        Ok(())
    }

    async fn next_part(&mut self) -> Result<()> {
        match self.parts.join_next().await {
            Some(Ok(sent)) => sent,
            Some(Err(error)) => {
                Err(Error::new(ErrorKind::Internal, "a part could not be sent").with_source(error))
            }
            None => Ok(()),
        }
    }

    async fn complete(mut self, client: &Client) -> Result<Version> {
        while !self.parts.is_empty() {
            self.next_part().await?;
        }
        let mut native = self.native.take().ok_or_else(spent)?;
        match watch(native.complete()).await {
            (Ok(put), _) => client
                .dialect
                .version(put.e_tag.as_deref(), put.version.as_deref()),
            (Err(error), reply) => {
                let error = write_failed(&error, &reply);
                if error.applied() == storage_core::Applied::No {
                    self.native = Some(native); // dropping aborts it
                }
                Err(error)
            }
        }
    }
}

fn spent() -> Error {
    Error::invalid_argument("the writer failed earlier, or its future was dropped; open another")
}

#[async_trait]
impl ObjectWriter for CloudWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        // Until it is known to have gone well; so a future that is dropped midway leaves no hole.
        if std::mem::replace(&mut self.failed, true) {
            return Err(spent());
        }
        self.take(bytes).await?;
        self.failed = false;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Version> {
        if self.failed {
            return Err(spent());
        }
        let last = std::mem::take(&mut self.gathered).freeze();
        let Some(mut upload) = self.upload.take() else {
            return self.client.put(&self.path, last, &self.condition).await;
        };
        upload.send(last, self.client.parallel).await?;
        upload.complete(&self.client).await
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        let Some(mut upload) = self.upload.take() else {
            return Ok(());
        };
        upload.parts.shutdown().await;
        let Some(mut native) = upload.native.take() else {
            return Ok(());
        };
        match watch(native.abort()).await {
            (Ok(()), _) => Ok(()),
            (Err(error), reply) => Err(write_failed(&error, &reply)),
        }
    }
}

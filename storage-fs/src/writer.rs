//! Streamed writes: to a temporary while bytes come, published when they are all there.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{Error, ErrorKind, ObjectWriter, Result, Version};

use crate::blocking::dispose;
use crate::handle::Handle;
use crate::layout::Place;
use crate::objects::{Terms, place, settle};
use crate::staging::Temporary;

/// How many bytes are gathered before one hop writes them. Large enough that the hop costs little beside the copy.
const GATHERED: usize = 256 * 1024;

/// A streamed write.
#[derive(Debug)]
pub(crate) struct FileWriter {
    handle: Arc<Handle>,
    place: Place,
    terms: Terms,
    /// `None` while a hop has it, and for good after a failure.
    temporary: Option<Temporary>,
    gathered: Vec<Bytes>,
    bytes: usize,
}

impl FileWriter {
    pub(crate) async fn open(handle: Arc<Handle>, place: Place, terms: Terms) -> Result<Self> {
        let root = Arc::clone(&handle.root);
        let create = move || {
            root.durable.check()?;
            root.staging.create()
        };
        let temporary = Some(handle.blocking.run(create).await?);
        Ok(Self {
            handle,
            place,
            terms,
            temporary,
            gathered: Vec::new(),
            bytes: 0,
        })
    }

    /// Writes what was gathered. If the future is dropped the temporary goes with it.
    async fn flush(&mut self) -> Result<()> {
        let temporary = self.temporary.take().ok_or_else(spent)?;
        let gathered = std::mem::take(&mut self.gathered);
        self.bytes = 0;
        let write = move || {
            for bytes in gathered {
                temporary.write(&bytes)?;
            }
            Ok(temporary)
        };
        self.temporary = Some(self.handle.blocking.run(write).await?);
        Ok(())
    }
}

fn spent() -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        "the writer failed earlier, or its future was dropped; open another",
    )
}

#[async_trait]
impl ObjectWriter for FileWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if self.temporary.is_none() {
            return Err(spent());
        }
        self.bytes += bytes.len();
        // A small piece may be a window on a large buffer: copying it keeps what is held bounded by what was written.
        self.gathered.push(if bytes.len() < GATHERED / 16 {
            Bytes::copy_from_slice(&bytes)
        } else {
            bytes
        });
        if self.bytes >= GATHERED {
            self.flush().await
        } else {
            Ok(())
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<Version> {
        self.flush().await?;
        let temporary = self.temporary.take().ok_or_else(spent)?;
        let root = Arc::clone(&self.handle.root);
        let settled = move || settle(&root, &temporary).map(|()| temporary);
        let temporary = self.handle.blocking.run(settled).await?;
        let claim = self.handle.claim(&self.place, &self.terms).await;
        let root = Arc::clone(&self.handle.root);
        let terms = Terms {
            condition: self.terms.condition.clone(),
            guard: self.terms.guard.clone(),
        };
        let at = self.place.clone();
        self.handle
            .blocking
            .run(move || place(&root, temporary, &at, &terms, claim))
            .await
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        match self.temporary.take() {
            Some(temporary) => self.handle.blocking.run(move || temporary.discard()).await,
            None => Ok(()),
        }
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            dispose(temporary);
        }
    }
}

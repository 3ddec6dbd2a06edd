//! A streamed write: room is taken as its bytes come.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{Area, Condition, Key, ObjectWriter, Result, StorageAdapter, Version, WriteRequest};

use super::amount::Usage;
use super::ledger::Ticket;
use super::{Quota, size};

/// What it replaces is known only where it is bound to a version; otherwise a recount takes that off.
pub(super) async fn open<A: StorageAdapter>(
    quota: &Quota<A>,
    inner: Arc<A>,
    key: &Key,
    request: WriteRequest,
) -> Result<Box<dyn ObjectWriter>> {
    let freed = match &request.condition {
        Condition::IfVersion(expected) => {
            let before = inner.stat(Area::Objects, key).await?;
            let expected = before.filter(|meta| meta.version == *expected);
            expected.as_ref().map_or(Usage::default(), |meta| size(meta).1)
        }
        _ => Usage::default(),
    };
    let ticket = quota.take(Usage::object(0)).await?;
    let writer = Arc::clone(&inner).open_writer(Area::Objects, key, request).await;
    match writer {
        Err(error) => {
            ticket.settle_part(Usage::default(), Usage::default());
            Err(error)
        }
        Ok(writer) => Ok(Box::new(Upload {
            inner,
            writer,
            ticket,
            freed,
        })),
    }
}

#[derive(Debug)]
struct Upload<A> {
    inner: Arc<A>,
    writer: Box<dyn ObjectWriter>,
    ticket: Ticket,
    freed: Usage,
}

#[async_trait]
impl<A: StorageAdapter> ObjectWriter for Upload<A> {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.ticket
            .grow(&*self.inner, Usage::bytes(bytes.len() as u64))
            .await?;
        self.writer.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<Version> {
        let answer = self.writer.finish().await;
        self.ticket.settle(&answer, self.freed);
        answer
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let answer = self.writer.abort().await;
        // It was never published, whatever could not be freed.
        self.ticket.settle_part(Usage::default(), Usage::default());
        answer
    }
}

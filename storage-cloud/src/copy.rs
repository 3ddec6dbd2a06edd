//! Copies: by the server where it copies in one step, through here otherwise.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{CopyMode, CopyOptions};
use storage_core::{
    Applied, ByteRange, Condition, Error, ErrorKind, ObjectWriter as _, ReadRequest, Result, Retry, Version,
    Versions,
};

use crate::backoff::Backoff;
use crate::client::Client;
use crate::error::write_failed;
use crate::leftovers::Leftovers;
use crate::upload::CloudWriter;
use crate::wire::watch;
use crate::write::is_missing;

/// How often a copy begins anew because its source, or for a copy onto itself its target, was replaced under it.
const MAX_ATTEMPTS: usize = 20;

impl Client {
    /// # Errors
    /// As [`StorageBackend::copy`](storage_core::StorageBackend::copy).
    pub(crate) async fn copy(
        &self,
        leftovers: &Arc<Leftovers>,
        from: &Path,
        to: &Path,
        condition: &Condition,
        swaps: bool,
    ) -> Result<Option<Version>> {
        let always = *condition == Condition::Always;
        if always && from == to && self.dialect.versions == Versions::ContentHash {
            // The same bytes have the same version.
            return Ok(self.stat(from).await?.map(|meta| meta.version));
        }
        if always && self.dialect.server_copy && (from != to || self.dialect.copies_onto_itself) {
            return self.copy_on_server(from, to).await;
        }
        let mut backoff = Backoff::new();
        for _ in 0..MAX_ATTEMPTS {
            match self.copy_through(leftovers, from, to, condition, swaps).await {
                Err(error) if error.kind() == ErrorKind::PreconditionFailed && replaced(&error) => {}
                copied => return copied,
            }
            backoff.pause().await;
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "the object was replaced during every attempt to copy it; try again when there is less going on",
        )
        .with_retry(Retry::Later))
    }

    async fn copy_on_server(&self, from: &Path, to: &Path) -> Result<Option<Version>> {
        let options = CopyOptions {
            mode: CopyMode::Overwrite,
            ..CopyOptions::default()
        };
        match watch(self.stores.once.copy_opts(from, to, options)).await {
            (Ok(()), reply) => match self
                .dialect
                .version(reply.e_tag.as_deref(), reply.generation.as_deref())
            {
                Ok(version) => Ok(Some(version)),
                // Some servers do not say. What is there now is the copy, unless somebody has replaced it already.
                Err(_) => match self.stat(to).await {
                    Ok(meta) => Ok(meta.map(|meta| meta.version)),
                    Err(error) => Err(error.with_applied(Applied::Unknown)),
                },
            },
            (Err(error), reply) if is_missing(&error, &reply) => Ok(None),
            (Err(error), reply) => Err(write_failed(&error, &reply)),
        }
    }

    /// Reads part by part, all of one version, and writes.
    async fn copy_through(
        &self,
        leftovers: &Arc<Leftovers>,
        from: &Path,
        to: &Path,
        condition: &Condition,
        swaps: bool,
    ) -> Result<Option<Version>> {
        let part = self.part_bytes as u64;
        let mut request = ReadRequest::default();
        request.range = Some(ByteRange::Bounded(0, part));
        let Some(first) = self.read(from, &request).await? else {
            return Ok(None);
        };
        let (size, source) = (first.meta.size, first.meta.version);
        // Onto itself, what others write meanwhile must not be undone.
        let onto_itself = from == to && *condition == Condition::Always && swaps;
        let target = if onto_itself {
            Condition::IfVersion(source.clone())
        } else {
            condition.clone()
        };
        let mut writer = Box::new(CloudWriter::new(
            self.clone(),
            Arc::clone(leftovers),
            to.clone(),
            target,
        ));
        writer.write(first.bytes).await?;
        let mut at = part;
        while at < size {
            let mut request = ReadRequest::default();
            request.range = Some(ByteRange::Bounded(at, at + part));
            request.if_version = Some(source.clone());
            let read = self.read(from, &request).await.map_err(mark_replaced)?;
            let Some(read) = read else {
                return Err(mark_replaced(Error::precondition_failed(None)));
            };
            writer.write(read.bytes).await?;
            at += part;
        }
        match writer.finish().await {
            Err(error) if onto_itself => Err(mark_replaced(error)),
            written => written.map(Some),
        }
    }
}

/// The context of a failed precondition that is the copy's own, not the caller's.
const SOURCE: &str = "copied from";

fn mark_replaced(error: Error) -> Error {
    error.with_context(SOURCE, "an object that was replaced meanwhile")
}

fn replaced(error: &Error) -> bool {
    error.context_value(SOURCE).is_some()
}

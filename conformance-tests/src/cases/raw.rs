//! What is left on the medium, seen in its files.

use std::time::Duration;

use storage_core::bson::doc;
use storage_core::{PutOptions, WriteOptions};

use super::sample::documents;
use crate::case::{Failure, Verdict, cases, ensure};
use crate::context::Ctx;

cases! { raw:
    standard [Expiry] expired_documents_free_their_room from Raw =
        "documents that expire and are swept, again and again, take no more room each time";
    standard [] deletions_free_their_room from Raw =
        "objects that are written and deleted, again and again, take no more room each time";
    standard [Logs] deleted_logs_free_their_room from Raw =
        "logs that are written and deleted, again and again, take no more room each time";
    standard [StreamingWrite] abandoned_uploads_free_their_room from Raw =
        "uploads that are dropped or aborted leave nothing on the medium once it was swept";
}

/// How often something comes and goes. Engines take room for what is yet to come, so the first times are not compared.
const CYCLES: usize = 6;
const SETTLED: usize = 2;

/// What a cycle writes and takes away again.
const PER_CYCLE: usize = 512 * 1024;

fn bytes(ctx: &Ctx) -> Result<u64, Failure> {
    let raw = ctx.harness().raw(ctx.place());
    let raw = raw.ok_or_else(|| Failure::new("the harness offers files, and gives none"))?;
    raw.bytes()
        .map_err(|error| Failure::new(format!("the files of the place cannot be read: {error}")))
}

/// Checks that what is taken after each cycle stays as it was after the first few, but for less than one cycle's own.
fn is_steady(sizes: &[u64]) -> Verdict {
    let (Some(settled), Some(last)) = (sizes.get(SETTLED), sizes.last()) else {
        return Ok(());
    };
    ensure!(
        *last < settled + PER_CYCLE as u64,
        "the files grow with what is gone: {sizes:?} bytes"
    );
    Ok(())
}

async fn expired_documents_free_their_room(ctx: &Ctx) -> Verdict {
    let mut sizes = Vec::new();
    let text = "x".repeat(PER_CYCLE / 16);
    for cycle in 0..CYCLES {
        let storage = ctx.second().await?;
        let documents = documents(&storage, "documents");
        for part in 0..16 {
            let options = PutOptions::new().ttl(Duration::from_secs(1));
            let body = doc! { "text": &text };
            documents
                .put_with(format!("{cycle}-{part}"), &body, options)
                .await?;
        }
        ctx.clock().advance(Duration::from_secs(5));
        storage.sweep().await?;
        storage.close().await?;
        sizes.push(bytes(ctx)?);
    }
    is_steady(&sizes)
}

async fn deletions_free_their_room(ctx: &Ctx) -> Verdict {
    let mut sizes = Vec::new();
    for cycle in 0..CYCLES {
        let storage = ctx.second().await?;
        for part in 0..8 {
            let key = format!("{cycle}/{part}");
            storage.objects().write(&key, vec![b'x'; PER_CYCLE / 8]).await?;
            storage.objects().delete(&key).await?;
        }
        storage.close().await?;
        sizes.push(bytes(ctx)?);
    }
    is_steady(&sizes)
}

async fn deleted_logs_free_their_room(ctx: &Ctx) -> Verdict {
    let mut sizes = Vec::new();
    for cycle in 0..CYCLES {
        let storage = ctx.second().await?;
        for part in 0..8 {
            let log = storage.log(format!("{cycle}/{part}"));
            log.append(vec![b'x'; PER_CYCLE / 8]).await?;
            log.delete().await?;
        }
        storage.close().await?;
        sizes.push(bytes(ctx)?);
    }
    is_steady(&sizes)
}

async fn abandoned_uploads_free_their_room(ctx: &Ctx) -> Verdict {
    let mut sizes = Vec::new();
    for cycle in 0..CYCLES {
        let storage = ctx.second().await?;
        for part in 0..4 {
            let options = WriteOptions::new();
            let mut upload = storage
                .objects()
                .upload(format!("{cycle}/{part}"), options)
                .await?;
            upload.write(vec![b'x'; PER_CYCLE / 4]).await?;
            if part % 2 == 0 {
                upload.abort().await?;
            }
        }
        storage.sweep().await?;
        storage.close().await?;
        sizes.push(bytes(ctx)?);
    }
    is_steady(&sizes)
}

//! Limits of logs.

use storage_core::{Bytes, Result};

use super::{names_of, refused, tried};
use crate::case::{Failure, Verdict, ensure, ensure_eq};
use crate::context::Ctx;

fn logs(ctx: &Ctx) -> Result<&storage_core::LogsDeclaration, Failure> {
    ctx.declaration()
        .logs
        .as_ref()
        .ok_or_else(|| Failure::new("logs are not declared"))
}

pub(super) async fn log_name_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = logs(ctx)?.max_name_bytes;
    let Some(at) = tried(limit) else { return Ok(()) };
    let names = names_of(at);
    for name in &names {
        let log = ctx.storage().log(name);
        log.append(name.clone()).await?;
        ensure_eq!(
            log.read(0, 10).await?.entries[0].bytes,
            *name,
            "the entry of {name:?}"
        );
    }
    let listed: Vec<String> = ctx
        .storage()
        .logs()
        .await?
        .iter()
        .map(ToString::to_string)
        .collect();
    ensure_eq!(listed, names, "the logs");
    for name in names_of(at + 1) {
        let log = ctx.storage().log(&name);
        refused(
            "appending to a log of too long a name",
            log.append("x").await,
            limit,
        )?;
        refused("reading a log of too long a name", log.read(0, 1).await, limit)?;
        refused("deleting a log of too long a name", log.delete().await, limit)?;
    }
    ensure_eq!(
        ctx.storage().logs().await?.len(),
        names.len(),
        "logs after refusals"
    );
    Ok(())
}

/// All entries of a log, as bytes.
pub(super) async fn entries(ctx: &Ctx, log: &str) -> Result<Vec<Bytes>, Failure> {
    use futures::TryStreamExt;
    let entries: Vec<_> = ctx.storage().log(log).entries(0).try_collect().await?;
    Ok(entries.into_iter().map(|entry| entry.bytes).collect())
}

pub(super) async fn append_bytes_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = logs(ctx)?.max_append_bytes;
    let Some(at) = tried(limit) else { return Ok(()) };
    let largest = Bytes::from(ctx.random().bytes(at));
    let pieces: Vec<Bytes> = largest
        .chunks(at.div_ceil(7))
        .map(Bytes::copy_from_slice)
        .collect();
    for (name, given) in [("one", vec![largest.clone()]), ("many", pieces)] {
        let log = ctx.storage().log(name);
        log.append_all(given.clone()).await?;
        ensure!(
            entries(ctx, name).await? == given,
            "an append of {at} bytes came back different"
        );
        let over = given.iter().cloned().chain([Bytes::from_static(b"!")]);
        refused("appending too many bytes", log.append_all(over).await, limit)?;
        ensure_eq!(
            log.len().await?,
            given.len() as u64,
            "entries after an append that was refused"
        );
        log.append("after").await?;
        ensure_eq!(
            log.len().await?,
            given.len() as u64 + 1,
            "entries after the next append"
        );
    }
    Ok(())
}

pub(super) async fn append_entries_at_and_over(ctx: &Ctx) -> Verdict {
    let limit = logs(ctx)?.max_entries;
    let Some(at) = tried(limit).filter(|at| *at <= 1_000_000) else {
        return Ok(());
    };
    let log = ctx.storage().log("log");
    let given: Vec<String> = (0..at).map(|number| number.to_string()).collect();
    let appended = log.append_all(given.clone()).await?;
    ensure_eq!(
        (appended.first, appended.next),
        (0, at as u64),
        "where the largest append landed"
    );
    ensure!(
        entries(ctx, "log").await? == given,
        "{at} entries came back different"
    );
    refused(
        "appending too many entries",
        log.append_all(vec!["x"; at + 1]).await,
        limit,
    )?;
    ensure_eq!(
        log.len().await?,
        at as u64,
        "entries after an append that was refused"
    );
    Ok(())
}

//! Limits: what is declared works up to the last byte, and one more is refused before any effect.

mod documents;
mod logs;

use storage_core::{Bytes, Capability, Error, ErrorKind, ListRequest, Result, WriteOptions};

use self::documents::*;
use self::logs::*;
use super::objects::{expect, keys};
use crate::case::{Failure, Verdict, cases, check_kind, ensure, ensure_eq};
use crate::context::Ctx;

cases! { limits:
    standard [] object_key_at_and_over = "the longest key works; one byte more is LimitExceeded and stores nothing";
    standard [] object_size_at_and_over timeout 600 = "the largest object works, or 64 MiB where none is declared; one byte more is LimitExceeded and keeps what was there";
    standard [Documents] document_id_at_and_over = "the longest id works; one byte more is LimitExceeded and stores nothing";
    standard [Documents] collection_name_at_and_over = "the longest collection name works; one byte more is LimitExceeded and stores nothing";
    standard [Documents] document_size_at_and_over timeout 600 = "the largest document works; one byte more is LimitExceeded and keeps what was there";
    standard [Documents] batch_at_and_over = "one document more than a call takes is LimitExceeded and stores none";
    standard [AtomicBatch] commit_at_and_over timeout 600 = "the largest batch commits; one operation more is LimitExceeded and stores none";
    standard [Documents] page_within = "no page of documents is larger than declared, and nothing is missed";
    standard [Indexes] index_name_at_and_over = "the longest index name works; one byte more is LimitExceeded and makes no index";
    standard [Indexes] index_key_at_and_over = "the longest key of a B-tree index works; more is LimitExceeded naming the field and stores nothing, while a hash index takes it";
    standard [Logs] log_name_at_and_over = "the longest log name works; one byte more is LimitExceeded and stores nothing";
    standard [Logs] append_bytes_at_and_over timeout 600 = "the largest append works, in one entry and in many; one byte more is LimitExceeded and appends nothing";
    standard [Logs] append_entries_at_and_over timeout 600 = "the most entries in one append work; one more is LimitExceeded and appends nothing";
    standard [] forged_position_is_harmless = "any text is a position to list after: no panic, nothing of another place, nothing twice";
}

/// More than this is not tried, whatever is declared: the suite has to run on small machines.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A limit as a length, where it is small enough to be tried.
fn tried(limit: u64) -> Option<usize> {
    usize::try_from(limit).ok().filter(|_| limit <= MOST_BYTES)
}

/// Checks that a call was refused because of a limit, with the numbers said.
fn refused<R: std::fmt::Debug>(what: &str, result: Result<R>, limit: u64) -> Verdict {
    let error = check_kind(result.map(drop), ErrorKind::LimitExceeded);
    let error: Error = error.map_err(|problem| Failure::new(format!("{what}: {problem}")))?;
    ensure_eq!(
        error.context_value("limit"),
        Some(limit.to_string().as_str()),
        "{what}: the limit said"
    );
    let got = error.context_value("got").and_then(|got| got.parse::<u64>().ok());
    ensure!(
        got.is_some_and(|got| got > limit),
        "{what}: what was given is said to be {got:?}"
    );
    Ok(())
}

/// Names of exactly so many bytes, of different kinds.
fn names_of(length: usize) -> Vec<String> {
    let mut names = vec![
        "n".repeat(length),
        "N".repeat(length),
        "%".repeat(length),
        ".".repeat(length),
    ];
    let mut wide = "é".repeat(length / 2);
    wide.push_str(&"e".repeat(length % 2));
    names.push(wide);
    let mut wider = "😀".repeat(length / 4);
    wider.push_str(&"e".repeat(length % 4));
    names.push(wider);
    let mut directories = "d/".repeat(length / 2);
    directories.push_str(&"d".repeat(length % 2));
    names.push(directories);
    names.sort_unstable();
    names.dedup();
    names
}

async fn object_key_at_and_over(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let limit = ctx.declaration().objects.max_key_bytes;
    // No service takes more than a few KiB, so a larger limit is tried this far only.
    let at = tried(limit).unwrap_or(usize::MAX).min(16 * 1024);
    for name in names_of(at) {
        objects.write(&name, "at the limit").await?;
        expect(ctx, &name, Some(b"at the limit")).await?;
        ensure_eq!(keys(ctx).await?, [name.as_str()], "the keys");
        objects.delete(&name).await?;
    }
    if limit == at as u64 {
        for name in names_of(at + 1) {
            refused(
                "writing under too long a key",
                objects.write(&name, "x").await,
                limit,
            )?;
            refused("reading too long a key", objects.read(&name).await, limit)?;
            refused("deleting too long a key", objects.delete(&name).await, limit)?;
            if ctx.has(Capability::Copy) {
                objects.write("source", "x").await?;
                refused(
                    "copying to too long a key",
                    objects.copy("source", &name).await,
                    limit,
                )?;
                objects.delete("source").await?;
            }
        }
    }
    ensure_eq!(keys(ctx).await?, Vec::<String>::new(), "the keys after refusals");
    Ok(())
}

async fn object_size_at_and_over(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let limit = ctx.declaration().objects.max_object_bytes;
    objects.write("kept", "old").await?;
    let size = limit.unwrap_or(MOST_BYTES).min(MOST_BYTES);
    let at = ctx.random().bytes(usize::try_from(size).unwrap_or(0));
    objects.write("large", at.clone()).await?;
    let read = objects.read("large").await?;
    ensure!(
        read.as_deref() == Some(at.as_slice()),
        "{size} bytes came back different"
    );
    if let Some(limit) = limit.filter(|limit| *limit == size) {
        let over = Bytes::from([at.as_slice(), b"!"].concat());
        refused(
            "writing too large an object",
            objects.write("kept", over.clone()).await,
            limit,
        )?;
        refused(
            "writing too large an object",
            objects.write("new", over.clone()).await,
            limit,
        )?;
        if ctx.has(Capability::StreamingWrite) {
            let mut upload = objects.upload("kept", WriteOptions::new()).await?;
            upload.write(at).await?;
            refused("streaming too large an object", upload.write("!").await, limit)?;
            drop(upload);
        }
        expect(ctx, "kept", Some(b"old")).await?;
        expect(ctx, "new", None).await?;
    }
    Ok(())
}

async fn forged_position_is_harmless(ctx: &Ctx) -> Verdict {
    let neighbour = ctx.other_place("1").await?.objects();
    neighbour.write("neighbours", "x").await?;
    super::listing::write_all(ctx, ["a", "b/c", "d"]).await?;
    let long = "z".repeat(5000);
    for after in [
        "../",
        "%",
        "%zz",
        "\u{10ffff}",
        "{\"token\":1}",
        "' OR 1=1 --",
        "MDAwMDA=",
        "\u{1}",
        "a\u{0}",
        &long,
    ] {
        for prefix in ["", "b"] {
            for delimiter in [false, true] {
                let mut request = ListRequest::new(prefix);
                request.start_after = Some(after.to_owned());
                request.delimiter = delimiter;
                let page = match ctx.storage().objects().list_page(request).await {
                    Ok(page) => page,
                    Err(error)
                        if matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::InvalidName) =>
                    {
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                let names: Vec<&str> = page.entries.iter().map(storage_core::ListEntry::name).collect();
                let rolled = if delimiter { "b/" } else { "b/c" };
                let expected: Vec<&str> = ["a", rolled, "d"]
                    .into_iter()
                    .filter(|name| name.starts_with(prefix) && *name > after)
                    .collect();
                ensure_eq!(names, expected, "under {prefix:?} after {after:?}");
            }
        }
    }
    Ok(())
}

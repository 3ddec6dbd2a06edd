//! Logs: append-only, numbered 0, 1, 2, …

mod entries;
mod expected;
mod races;

use futures::TryStreamExt;
use storage_core::{Appended, ErrorKind, Log, Storage};

use self::entries::*;
use self::expected::*;
use self::races::*;
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { log:
    smoke [Logs] numbers_are_contiguous = "entries are numbered from 0 without a gap, over appends of one and of many";
    smoke [Logs] missing_log_is_empty = "a log that does not exist reads as empty, and reading does not make it";
    smoke [Logs] expected_number_is_idempotent = "the same append at the same number is Ok and adds nothing; other bytes there are refused";
    smoke [Logs] closed_log_takes_nothing = "after close every append is LogClosed, and reading goes on";
    standard [Logs] expected_number_beyond_the_end_is_refused = "an append may leave no gap";
    standard [Logs] repeats_are_recognised_after_close = "an append that stands there is Ok after close, another one is refused";
    standard [Logs] any_bytes_come_back = "empty entries, line breaks, NUL, invalid UTF-8 and a mebibyte come back as they went in";
    standard [Logs] refused_append_adds_nothing = "what is refused adds no part of itself";
    standard [Logs] appending_nothing_changes_nothing = "no entries are Ok, make no log, and do not move its end";
    standard [Logs] limits_are_as_declared = "the largest append and the longest name work, one more is LimitExceeded";
    standard [Logs] deleted_log_begins_anew = "after delete the log is gone, and a new one begins at 0 as another incarnation";
    standard [Logs] reading_in_pages = "ten thousand entries in pages of any size are the same entries";
    standard [Logs] two_appenders_share_the_numbers = "of two clients that append at once every entry is there once, each append together, in each one's order";
    standard [Logs] expected_number_race_has_one_winner = "of many appends at one number over two handles exactly one succeeds";
    standard [Logs] close_race_loses_no_entry = "an append beside a close is either refused or there";
    standard [Logs] names_are_isolated = "logs of different names know nothing of each other, hostile names included, and are listed in byte order";
    standard [Logs] survives_reopen = "entries, numbers, closing and incarnation are the same after closing and opening again";
}

/// Every entry's number and bytes.
async fn all(log: &Log) -> storage_core::Result<Vec<(u64, Vec<u8>)>> {
    let entries: Vec<_> = log.entries(0).try_collect().await?;
    Ok(entries
        .into_iter()
        .map(|entry| (entry.sequence, entry.bytes.to_vec()))
        .collect())
}

/// The numbers and bytes of these texts, from 0.
fn numbered<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Vec<(u64, Vec<u8>)> {
    (0..)
        .zip(texts.into_iter().map(|text| text.as_ref().to_vec()))
        .collect()
}

async fn numbers_are_contiguous(ctx: &Ctx) -> Verdict {
    let log = ctx.storage().log("events");
    ensure_eq!(
        log.append("a").await?,
        Appended { first: 0, next: 1 },
        "the first append"
    );
    ensure_eq!(
        log.append_all(["b", "c", "d"]).await?,
        Appended { first: 1, next: 4 },
        "an append of three"
    );
    let second = ctx.second().await?.log("events");
    ensure_eq!(
        second.append("e").await?,
        Appended { first: 4, next: 5 },
        "by another client"
    );
    for log in [&log, &second] {
        ensure_eq!(
            all(log).await?,
            numbered(["a", "b", "c", "d", "e"]),
            "all entries"
        );
        ensure_eq!(log.len().await?, 5, "how many");
        ensure!(!log.is_empty().await?, "it is not empty");
    }
    Ok(())
}

async fn missing_log_is_empty(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let log = storage.log("nothing");
    for from in [0, 1, u64::MAX] {
        let page = log.read(from, 10).await?;
        ensure!(
            page.entries.is_empty() && page.end == 0 && !page.closed,
            "it is empty from {from}: {page:?}"
        );
        ensure!(page.incarnation.is_none(), "it has no incarnation");
    }
    ensure!(
        log.is_empty().await? && all(&log).await?.is_empty(),
        "it is empty"
    );
    log.delete().await?;
    ensure!(
        storage.logs().await?.is_empty(),
        "neither reading nor deleting makes it"
    );
    ensure_kind!(log.read(0, 0).await, ErrorKind::InvalidArgument, "a page of none");
    Ok(())
}

async fn closed_log_takes_nothing(ctx: &Ctx) -> Verdict {
    let log = ctx.storage().log("events");
    let second = ctx.second().await?.log("events");
    log.append_all(["a", "b"]).await?;
    second.close().await?;
    second.close().await?;
    log.close().await?;
    for log in [&log, &second] {
        ensure_kind!(log.append("c").await, ErrorKind::LogClosed, "an append");
        ensure_kind!(
            log.append_all(["c", "d"]).await,
            ErrorKind::LogClosed,
            "an append of two"
        );
        ensure_kind!(
            log.append_at(2, ["c"]).await,
            ErrorKind::LogClosed,
            "an append at the end"
        );
        let page = log.read(0, 10).await?;
        ensure!(page.closed, "it reads as closed");
        ensure_eq!(page.end, 2, "its end");
        ensure_eq!(all(log).await?, numbered(["a", "b"]), "its entries");
    }
    let empty = ctx.storage().log("empty");
    empty.close().await?;
    ensure!(
        empty.read(0, 1).await?.closed && empty.is_empty().await?,
        "a log can be closed before its first entry"
    );
    ensure_kind!(
        empty.append("a").await,
        ErrorKind::LogClosed,
        "and takes none then"
    );
    Ok(())
}

async fn deleted_log_begins_anew(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let log = storage.log("events");
    let second = ctx.second().await?.log("events");
    log.append_all(["a", "b", "c"]).await?;
    let before = log.read(0, 1).await?.incarnation;
    ensure!(before.is_some(), "a log that exists has an incarnation");
    log.close().await?;
    second.delete().await?;
    log.delete().await?;
    ensure!(
        all(&log).await?.is_empty() && all(&second).await?.is_empty(),
        "nothing is left"
    );
    ensure!(!log.read(0, 1).await?.closed, "not even that it was closed");
    ensure!(storage.logs().await?.is_empty(), "it is not listed");
    ensure_eq!(
        second.append_at(0, ["x"]).await?,
        Appended { first: 0, next: 1 },
        "a new one begins at 0"
    );
    ensure_eq!(all(&log).await?, numbered(["x"]), "with its own entries only");
    let after = log.read(0, 1).await?.incarnation;
    ensure!(after.is_some() && after != before, "it is another incarnation");
    let again = log.append_at(1, ["b", "c"]).await?;
    ensure_eq!(
        again,
        Appended { first: 1, next: 3 },
        "what stood at 1 in the old log is not taken for a repeat"
    );
    ensure_eq!(
        all(&log).await?,
        numbered(["x", "b", "c"]),
        "the new log's entries"
    );
    Ok(())
}

async fn reading_in_pages(ctx: &Ctx) -> Verdict {
    let log = ctx.storage().log("long");
    for chunk in 0..10 {
        log.append_all((0..1000).map(|n| format!("entry {}", chunk * 1000 + n)))
            .await?;
    }
    let whole = all(&log).await?;
    ensure!(
        whole == numbered((0..10_000).map(|n| format!("entry {n}"))),
        "all entries, in order"
    );
    for limit in [999, 1000, 1001, 4096, 10_000, 20_000] {
        let mut read = Vec::new();
        loop {
            let page = log.read(read.len() as u64, limit).await?;
            ensure!(
                page.entries.len() <= limit,
                "a page of {limit} has {} entries",
                page.entries.len()
            );
            ensure_eq!(page.end, 10_000, "the end, in a page of {limit}");
            if page.entries.is_empty() {
                break;
            }
            read.extend(
                page.entries
                    .into_iter()
                    .map(|entry| (entry.sequence, entry.bytes.to_vec())),
            );
        }
        ensure!(read == whole, "pages of {limit} give other entries");
    }
    for from in [1_u64, 999, 1000, 1001, 5500, 9_999] {
        let page = log.read(from, 3).await?;
        let expected: Vec<u64> = (from..10_000).take(3).collect();
        let numbers: Vec<u64> = page.entries.iter().map(|entry| entry.sequence).collect();
        ensure_eq!(numbers, expected, "three from {from}");
    }
    for from in [10_000, 10_001, u64::MAX] {
        ensure!(
            log.read(from, 3).await?.entries.is_empty(),
            "nothing from {from} on"
        );
    }
    let tail: Vec<_> = log.entries(9_990).try_collect().await?;
    ensure_eq!(tail.len(), 10, "a stream from the middle");
    Ok(())
}

async fn names_are_isolated(ctx: &Ctx) -> Verdict {
    let names = super::document_names::HOSTILE;
    let storage = ctx.storage();
    for name in names {
        storage.log(name).append_all([*name, "second"]).await?;
    }
    let mut sorted = names.to_vec();
    sorted.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    ensure_eq!(
        listed(&ctx.second().await?).await?,
        sorted,
        "all logs, in byte order"
    );
    for name in names {
        ensure_eq!(
            all(&storage.log(name)).await?,
            numbered([*name, "second"]),
            "the log {name:?}"
        );
    }
    storage.log("a").delete().await?;
    storage.log("..").close().await?;
    for name in names.iter().filter(|name| **name != "a") {
        let page = storage.log(name).read(0, 9).await?;
        ensure_eq!(
            page.entries.len(),
            2,
            "the log {name:?} after another was deleted"
        );
        ensure_eq!(page.closed, *name == "..", "whether {name:?} is closed");
    }
    for impossible in ["", "a\0b"] {
        let log = storage.log(impossible);
        ensure_kind!(
            log.append("a").await,
            ErrorKind::InvalidName,
            "append to {impossible:?}"
        );
        ensure_kind!(
            log.read(0, 1).await,
            ErrorKind::InvalidName,
            "read of {impossible:?}"
        );
        ensure_kind!(
            log.close().await,
            ErrorKind::InvalidName,
            "close of {impossible:?}"
        );
        ensure_kind!(
            log.delete().await,
            ErrorKind::InvalidName,
            "delete of {impossible:?}"
        );
    }
    Ok(())
}

async fn listed(storage: &Storage) -> storage_core::Result<Vec<String>> {
    Ok(storage
        .logs()
        .await?
        .into_iter()
        .map(|name| name.to_string())
        .collect())
}

async fn survives_reopen(ctx: &Ctx) -> Verdict {
    let (open, closed) = (ctx.storage().log("open"), ctx.storage().log("closed"));
    open.append_all(["a", "b"]).await?;
    closed.append("x").await?;
    closed.close().await?;
    let incarnation = open.read(0, 1).await?.incarnation;
    let storage = ctx.reopen().await?;
    let (open, closed) = (storage.log("open"), storage.log("closed"));
    ensure_eq!(all(&open).await?, numbered(["a", "b"]), "its entries");
    ensure_eq!(open.read(0, 1).await?.incarnation, incarnation, "its incarnation");
    ensure_eq!(
        open.append("c").await?,
        Appended { first: 2, next: 3 },
        "the next number"
    );
    ensure_kind!(
        closed.append("y").await,
        ErrorKind::LogClosed,
        "what was closed stays closed"
    );
    ensure_eq!(open.read(0, 1).await?.torn_bytes, 0, "nothing was cut short");
    Ok(())
}

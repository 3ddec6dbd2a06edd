//! Pages and positions.

use std::collections::BTreeSet;

use storage_core::{ErrorKind, ListRequest};

use super::{names, rolled_up, write_all};
use crate::case::{Failure, Verdict, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;
use crate::settle::settled;

const KEYS: [&str; 9] = ["a", "b", "b/1", "b/2", "b/2/x", "b0", "c", "d/1", "é"];

fn page(prefix: &str, limit: usize, start_after: Option<&str>) -> ListRequest {
    let mut request = ListRequest::new(prefix);
    request.limit = limit;
    request.start_after = start_after.map(str::to_owned);
    request
}

pub(super) async fn pages_concat_equals_full(ctx: &Ctx) -> Verdict {
    write_all(ctx, KEYS).await?;
    for limit in [1, 2, 3, KEYS.len() - 1, KEYS.len(), KEYS.len() + 1, 100_000] {
        ensure_eq!(
            names(ctx, page("", limit, None)).await?,
            KEYS,
            "the keys, {limit} a page"
        );
        ensure_eq!(
            names(ctx, page("b", limit, None)).await?,
            KEYS[1..6],
            "the keys under \"b\", {limit} a page"
        );
    }
    Ok(())
}

pub(super) async fn rollup_pages_concat_equals_full(ctx: &Ctx) -> Verdict {
    write_all(ctx, KEYS).await?;
    let expected = ["a", "b", "b/", "b0", "c", "d/", "é"];
    for limit in [1, 2, 3, 6, 7, 8, 1000] {
        let mut request = rolled_up("");
        request.limit = limit;
        ensure_eq!(
            names(ctx, request).await?,
            expected,
            "the root, rolled up, {limit} a page"
        );
    }
    Ok(())
}

pub(super) async fn page_never_exceeds_limit_and_terminates(ctx: &Ctx) -> Verdict {
    write_all(ctx, KEYS).await?;
    let objects = ctx.storage().objects();
    ensure_kind!(
        objects.list_page(page("", 0, None)).await,
        ErrorKind::InvalidArgument,
        "a page of none"
    );
    for limit in 1..=KEYS.len() + 1 {
        let (mut after, mut seen, mut pages) = (None, 0, 0);
        loop {
            let answer = objects.list_page(page("", limit, after.as_deref())).await?;
            ensure!(
                answer.entries.len() <= limit,
                "{} entries in a page of {limit}",
                answer.entries.len()
            );
            seen += answer.entries.len();
            pages += 1;
            // A page may be short, even empty; but a medium that never gets on is caught.
            ensure!(pages <= 10 * KEYS.len(), "{pages} pages of {limit} and no end");
            let Some(next) = answer.next else { break };
            ensure!(
                after.as_ref().is_none_or(|after| *after < next),
                "the position went from {after:?} back to {next:?}"
            );
            after = Some(next);
        }
        ensure_eq!(seen, KEYS.len(), "entries over all pages of {limit}");
    }
    Ok(())
}

pub(super) async fn position_survives_reopen_and_other_client(ctx: &Ctx) -> Verdict {
    write_all(ctx, KEYS).await?;
    let first = ctx.storage().objects().list_page(page("", 4, None)).await?;
    ensure_eq!(first.entries.len(), 4, "entries of the first page");
    let next = first.next;
    settled(ctx).await;
    for storage in [ctx.second().await?, ctx.reopen().await?] {
        let rest = storage
            .objects()
            .list_page(page("", 100, next.as_deref()))
            .await?;
        let rest: Vec<&str> = rest.entries.iter().map(storage_core::ListEntry::name).collect();
        ensure_eq!(rest, KEYS[4..], "what follows the first page");
    }
    Ok(())
}

/// The first page of three, and where it ended.
async fn first_page(ctx: &Ctx) -> Result<Option<String>, Failure> {
    write_all(ctx, KEYS).await?;
    let first = ctx.storage().objects().list_page(page("", 3, None)).await?;
    let seen: Vec<&str> = first.entries.iter().map(storage_core::ListEntry::name).collect();
    ensure_eq!(seen, KEYS[..3], "the first page");
    ensure!(first.next.is_some(), "the first page says that nothing follows");
    Ok(first.next)
}

pub(super) async fn insert_behind_cursor_not_returned(ctx: &Ctx) -> Verdict {
    let next = first_page(ctx).await?;
    write_all(ctx, ["A", "a/new", "b/0", "cc"]).await?;
    let rest = names(ctx, page("", 2, next.as_deref())).await?;
    ensure_eq!(
        rest,
        ["b/2", "b/2/x", "b0", "c", "cc", "d/1", "é"],
        "what follows the first page"
    );
    Ok(())
}

pub(super) async fn delete_behind_cursor_no_skip(ctx: &Ctx) -> Verdict {
    let next = first_page(ctx).await?;
    for key in ["a", "b"] {
        ctx.storage().objects().delete(key).await?;
    }
    ensure_eq!(
        names(ctx, page("", 2, next.as_deref())).await?,
        KEYS[3..],
        "what follows the first page"
    );
    Ok(())
}

pub(super) async fn delete_at_cursor_continues(ctx: &Ctx) -> Verdict {
    let next = first_page(ctx).await?;
    for key in ["b/1", "b/2"] {
        ctx.storage().objects().delete(key).await?;
    }
    ensure_eq!(
        names(ctx, page("", 2, next.as_deref())).await?,
        KEYS[4..],
        "what follows the first page"
    );
    Ok(())
}

pub(super) async fn start_after_exclusive(ctx: &Ctx) -> Verdict {
    write_all(ctx, KEYS).await?;
    let after = [
        "",
        "!",
        "a",
        "a\u{1}",
        "aa",
        "b",
        "b/",
        "b/1",
        "b/2",
        "b/2/",
        "b/2/x",
        "b/9",
        "b0",
        "c",
        "d",
        "d/",
        "é",
        "z",
        "\u{10ffff}",
    ];
    for prefix in ["", "b", "b/", "d/", "z"] {
        for after in after {
            let all = KEYS.iter().filter(|key| key.starts_with(prefix));
            let expected: Vec<&str> = all.clone().copied().filter(|key| *key > after).collect();
            let listed = names(ctx, page(prefix, 2, Some(after))).await?;
            ensure_eq!(listed, expected, "under {prefix:?} after {after:?}");
            let rolled: BTreeSet<&str> = all
                .map(|key| {
                    key[prefix.len()..]
                        .find('/')
                        .map_or(*key, |at| &key[..=prefix.len() + at])
                })
                .filter(|entry| *entry > after)
                .collect();
            let mut request = page(prefix, 2, Some(after));
            request.delimiter = true;
            let listed = names(ctx, request).await?;
            ensure!(
                listed.iter().eq(rolled.iter()),
                "under {prefix:?} after {after:?}, rolled up: {listed:?}, not {rolled:?}"
            );
        }
    }
    Ok(())
}

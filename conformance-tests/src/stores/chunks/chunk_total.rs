//! The limit over all sessions.

use std::time::Duration;

use futures::future::join_all;
use storage_core::{Error, ErrorKind, Result};
use storage_stores::chunks::ChunkInfo;

use super::sample::{open, open_with, options, save_in};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;
use crate::faulty::Fault;

cases! { chunk_total:
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] all_sessions_keep_to_their_bytes = "an upload that does not fit beside those of all other sessions is refused, saying which limit, how much is used and when it frees";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] room_comes_back = "what is deleted, alone or with its session, and what an upload announced and did not need can be used by others at once";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] uploads_in_many_sessions_do_not_overshoot = "of uploads side by side over many handles exactly as many get in as fit";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_limit_that_comes_later_counts_what_is_there = "a store opened with a limit counts what was saved without one, keeps it, and lets nothing more in";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_crash_takes_no_room_for_good = "whatever call a sender dies at, the next cleanup after the upload's age gives all of its room to others";
    deep [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_crash_after_any_call_takes_no_room_for_good = "the same, dying before it learns that the call succeeded";
}

async fn all_sessions_keep_to_their_bytes(ctx: &Ctx) -> Verdict {
    let limited = options().max_total_bytes(10).max_session_bytes(8);
    let store = open_with(ctx.storage(), limited).await?;
    save_in(&store, "one", "a", &["123456"]).await?;
    store.save_chunk("1", ChunkInfo::new("b", "two", 0, 3)).await?;
    let refused = store.save_chunk("12", ChunkInfo::new("c", "three", 0, 1)).await;
    let error = match crate::case::check_kind(refused, ErrorKind::LimitExceeded) {
        Ok(error) => error,
        Err(problem) => return Err(problem.into()),
    };
    let facts = ["limit of", "limit", "used", "got"].map(|name| error.context_value(name));
    ensure_eq!(
        facts,
        [Some("all sessions together"), Some("10"), Some("9"), Some("2")],
        "what the refusal says: {error}"
    );
    let frees: i64 = error
        .context_value("frees_at")
        .and_then(|time| time.parse().ok())
        .unwrap_or_default();
    ensure!(
        frees > storage_core::Clock::now(ctx.clock()).as_millis(),
        "when it frees: {error}"
    );
    ensure_eq!(store.content_metadata("c").await?, None, "what was refused");
    ensure_kind!(
        store.save_chunk("12", ChunkInfo::new("b", "two", 1, 3)).await,
        ErrorKind::LimitExceeded,
        "a larger chunk of one that is under way"
    );
    let refused = store.save_chunk("123", ChunkInfo::new("d", "one", 0, 1)).await;
    let of = refused
        .err()
        .and_then(|error| error.context_value("limit of").map(str::to_owned));
    ensure_eq!(
        of.as_deref(),
        Some("the session"),
        "the limit of one session beside it"
    );
    store.save_chunk("1", ChunkInfo::new("c", "three", 0, 1)).await?;
    Ok(())
}

async fn room_comes_back(ctx: &Ctx) -> Verdict {
    let store = open_with(ctx.storage(), options().max_total_bytes(10)).await?;
    save_in(&store, "one", "a", &["123456"]).await?;
    save_in(&store, "two", "b", &["1234"]).await?;
    let full = || store.save_chunk("1", ChunkInfo::new("full", "three", 0, 1));
    ensure_kind!(full().await, ErrorKind::LimitExceeded, "a full store");
    store.delete_content("a").await?;
    save_in(&store, "three", "c", &["123456"]).await?;
    ensure_kind!(full().await, ErrorKind::LimitExceeded, "full again");
    store.delete_session("two").await?;
    ensure_eq!(store.session_info("two").await?, None, "the session that went");
    store.save_chunk("12", ChunkInfo::new("d", "four", 0, 2)).await?;
    ensure_kind!(full().await, ErrorKind::LimitExceeded, "two chunks of two bytes");
    store.save_chunk("", ChunkInfo::new("d", "four", 1, 2)).await?;
    store.mark_content_complete("d").await?;
    ensure_kind!(
        store.save_chunk("123", ChunkInfo::new("e", "five", 0, 1)).await,
        ErrorKind::LimitExceeded,
        "beside two bytes"
    );
    store.save_chunk("12", ChunkInfo::new("e", "five", 0, 1)).await?;
    Ok(())
}

async fn uploads_in_many_sessions_do_not_overshoot(ctx: &Ctx) -> Verdict {
    let limited = || options().max_total_bytes(35);
    let mut uploads = Vec::new();
    for upload in 0..8 {
        let store = open_with(&ctx.second().await?, limited()).await?;
        uploads.push(tokio::spawn(async move {
            // Some of them in one session.
            let (id, session) = (format!("c{upload}"), format!("s{}", upload / 2));
            for index in 0..2 {
                let info = ChunkInfo::new(&id, &session, index, 2).content_size(10);
                store.save_chunk("12345", info).await?;
            }
            store.mark_content_complete(&id).await?;
            Ok::<_, Error>(())
        }));
    }
    let mut done = 0;
    for upload in join_all(uploads).await {
        let upload: Result<()> = upload.map_err(|error| error.to_string())?;
        match upload {
            Ok(()) => done += 1,
            Err(error) => ensure_eq!(
                error.kind(),
                ErrorKind::LimitExceeded,
                "an upload that lost: {error}"
            ),
        }
    }
    ensure_eq!(done, 3, "how many got in");
    let store = open_with(ctx.storage(), limited()).await?;
    store
        .save_chunk("12345", ChunkInfo::new("rest", "s", 0, 1))
        .await?;
    ensure_kind!(
        store.save_chunk("1", ChunkInfo::new("more", "s", 0, 1)).await,
        ErrorKind::LimitExceeded,
        "more than the rest"
    );
    Ok(())
}

async fn a_limit_that_comes_later_counts_what_is_there(ctx: &Ctx) -> Verdict {
    let unlimited = open(ctx.storage()).await?;
    save_in(&unlimited, "one", "a", &["123456"]).await?;
    save_in(&unlimited, "two", "b", &["123456"]).await?;
    let store = open_with(ctx.storage(), options().max_total_bytes(10)).await?;
    let more = || store.save_chunk("1", ChunkInfo::new("c", "two", 0, 1));
    ensure_kind!(more().await, ErrorKind::LimitExceeded, "more than is there");
    ensure_eq!(store.usage("two").await?.bytes, 6, "what is there stays");
    store.delete_content("a").await?;
    more().await?;
    Ok(())
}

async fn crash(ctx: &Ctx, fault: Fault) -> Verdict {
    let limited = || options().max_total_bytes(15);
    let mut points = ctx.points(fault);
    while let Some(dying) = points.next().await? {
        let at = points.at();
        if let Ok(store) = open_with(&dying, limited()).await {
            drop(store.save_chunk("abc", ChunkInfo::new("c", "s", 0, 5)).await);
            drop(store.delete_content("c").await);
        }
        let store = open_with(ctx.storage(), limited()).await?;
        ctx.clock().advance_wall(Duration::from_secs(24 * 3600 + 1));
        store.cleanup().await?;
        let whole = ["12345", "12345", "12345"];
        let saved = save_in(&store, "t", "whole", &whole).await;
        saved.map_err(|failure| failure.in_context(&format!("after a crash at call {at}")))?;
        ensure_kind!(
            store.save_chunk("1", ChunkInfo::new("more", "u", 0, 1)).await,
            ErrorKind::LimitExceeded,
            "more than all, at {at}"
        );
        for session in ["s", "t", "u"] {
            store.delete_session(session).await?;
        }
    }
    ensure!(points.at() > 20, "only {} calls were tried", points.at());
    Ok(())
}

async fn a_crash_takes_no_room_for_good(ctx: &Ctx) -> Verdict {
    crash(ctx, Fault::BeforeTheCall).await
}

async fn a_crash_after_any_call_takes_no_room_for_good(ctx: &Ctx) -> Verdict {
    crash(ctx, Fault::AfterTheCall).await
}

//! Ids are data, and bounds are said.

use storage_core::ErrorKind;
use storage_stores::chunks::ChunkInfo;

use super::sample::{ids, info, open, open_with, options, read_all, save_in};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { chunk_ids:
    smoke [Documents, Indexes, CreateIfAbsent, CompareAndSwap] ids_are_data = "ids that look like paths, drives, patterns or numbers name contents and sessions, each its own";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] no_two_ids_share_a_chunk = "contents whose ids are made of another's and an index keep their own chunks";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] empty_and_nul_are_refused = "an empty id and one with NUL are InvalidName before anything happens";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] the_longest_ids_work_and_one_more_is_refused = "an id of 300 bytes is LimitExceeded naming the limit, and one of the limit works throughout";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_chunk_out_of_bounds_is_refused = "an index at the total, no chunks, too many, a wrong size or a long vector are refused, and nothing is stored";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] what_contradicts_an_earlier_chunk_is_refused = "another total, another announced size or another session are refused, naming what they contradict";
}

async fn ids_are_data(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let names = [
        "../../../x",
        "..",
        ".",
        "a/b",
        "a",
        "A",
        "C:\\x",
        "CON",
        "%2F",
        "$x",
        "/",
        "a b",
        "a\nb",
        "é",
        "e\u{301}",
        "🦀",
        "-1",
    ];
    for name in names {
        save_in(&store, name, name, &[name, "/"]).await?;
    }
    for name in names {
        ensure_eq!(
            read_all(&store, name).await?,
            format!("{name}/"),
            "content {name:?}"
        );
        let list = store.list_content(name, usize::MAX, 0).await?;
        ensure_eq!(ids(&list), [name], "session {name:?}");
    }
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    let sessions = store.sessions().await?;
    let sessions: Vec<&str> = sessions
        .iter()
        .map(|session| session.session_id.as_str())
        .collect();
    ensure_eq!(sessions, sorted, "every session");
    for name in names {
        ensure!(store.delete_content(name).await?, "{name:?} was there to delete");
    }
    Ok(())
}

async fn no_two_ids_share_a_chunk(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let names = ["a", "a/0", "a/00000000", "a/00000000/00000000", "61"];
    for name in names {
        save_in(&store, "s", name, &[name, name]).await?;
    }
    for name in names {
        ensure_eq!(read_all(&store, name).await?, name.repeat(2), "content {name:?}");
    }
    ensure!(store.delete_content("a").await?, "it was there");
    for name in &names[1..] {
        ensure_eq!(
            read_all(&store, name).await?,
            name.repeat(2),
            "{name:?} beside one that was deleted"
        );
    }
    Ok(())
}

async fn empty_and_nul_are_refused(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let invalid = ErrorKind::InvalidName;
    for id in ["", "a\0b"] {
        ensure_kind!(
            store.save_chunk("x", ChunkInfo::new(id, "s", 0, 1)).await,
            invalid,
            "content {id:?}"
        );
        ensure_kind!(
            store.save_chunk("x", ChunkInfo::new("c", id, 0, 1)).await,
            invalid,
            "session {id:?}"
        );
        ensure_kind!(store.get_chunk(id, 0).await, invalid, "getting {id:?}");
        ensure_kind!(store.delete_content(id).await, invalid, "deleting {id:?}");
        ensure_kind!(store.pin(id).await, invalid, "pinning {id:?}");
        ensure_kind!(store.list_content(id, 1, 0).await, invalid, "listing {id:?}");
        ensure_kind!(
            store.set_session_metadata(id, None).await,
            invalid,
            "session {id:?}"
        );
    }
    ensure!(
        store.sessions().await?.is_empty(),
        "a refused chunk made a session"
    );
    Ok(())
}

async fn the_longest_ids_work_and_one_more_is_refused(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let long = "x".repeat(300);
    let mut limits = Vec::new();
    for (content, session) in [(long.as_str(), "s"), ("c", long.as_str())] {
        let saved = store
            .save_chunk("x", ChunkInfo::new(content, session, 0, 1))
            .await;
        let error = match crate::case::check_kind(saved, ErrorKind::LimitExceeded) {
            Ok(error) => error,
            Err(problem) => return Err(problem.into()),
        };
        ensure!(
            error.message().contains("id in bytes"),
            "the refusal names no limit: {error}"
        );
        let limit: usize = error
            .context_value("limit")
            .and_then(|limit| limit.parse().ok())
            .unwrap_or_default();
        ensure!(limit >= 64, "a limit of {limit} bytes is of no use");
        limits.push(limit);
    }
    let (content, session) = ("c".repeat(limits[0]), "s".repeat(limits[1]));
    save_in(&store, &session, &content, &["a", "b"]).await?;
    ensure_eq!(read_all(&store, &content).await?, "ab", "the longest ids");
    store.pin(&content).await?;
    ensure_eq!(
        ids(&store.newest(&session).await?),
        [content.as_str()],
        "the longest session id in a list"
    );
    store.cleanup().await?;
    ensure_eq!(store.verify().await?.found, 0, "problems with the longest ids");
    ensure_eq!(store.delete_session(&session).await?, 1, "deleting the longest");
    for (content, session) in [
        (format!("{content}c"), "s".to_owned()),
        ("c".to_owned(), format!("{session}s")),
    ] {
        let saved = store
            .save_chunk("x", ChunkInfo::new(content, session, 0, 1))
            .await;
        ensure_kind!(saved, ErrorKind::LimitExceeded, "one byte more");
    }
    ensure!(
        store.sessions().await?.is_empty(),
        "a refused chunk made a session"
    );
    Ok(())
}

async fn a_chunk_out_of_bounds_is_refused(ctx: &Ctx) -> Verdict {
    let store = open_with(ctx.storage(), options().max_chunk_bytes(10)).await?;
    let (invalid, exceeded) = (ErrorKind::InvalidArgument, ErrorKind::LimitExceeded);
    let refused = [
        (ChunkInfo::new("c", "s", 3, 3), invalid, "an index at the total"),
        (ChunkInfo::new("c", "s", 0, 0), invalid, "no chunks at all"),
        (
            ChunkInfo::new("c", "s", 0, 10_000_001),
            exceeded,
            "too many chunks",
        ),
        (
            ChunkInfo::new("c", "s", 0, 1).size(4),
            invalid,
            "another size than it has",
        ),
        (
            ChunkInfo::new("c", "s", 0, 1).content_size(2),
            invalid,
            "a content smaller than its chunk",
        ),
        (
            ChunkInfo::new("c", "s", 0, 1).iv(vec![0; 65]),
            exceeded,
            "a long vector",
        ),
    ];
    for (info, kind, what) in refused {
        ensure_kind!(store.save_chunk("abc", info).await, kind, "{what}");
    }
    ensure_kind!(
        store.save_chunk("12345678901", info("c", 0, 1)).await,
        exceeded,
        "a chunk over the bound"
    );
    ensure!(
        store.sessions().await?.is_empty(),
        "a refused chunk made a session"
    );
    ensure!(
        !ctx.storage().objects().exists("chunks").await?,
        "a refused chunk left an object"
    );
    Ok(())
}

async fn what_contradicts_an_earlier_chunk_is_refused(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("abc", info("c", 0, 3).content_size(9)).await?;
    let error = store.save_chunk("abc", info("c", 1, 4)).await;
    ensure_kind!(error, ErrorKind::InvalidArgument, "another total");
    let Err(error) = store.save_chunk("abc", info("c", 1, 4)).await else {
        return Err("another total was taken".into());
    };
    ensure!(
        error.message().contains('3') && error.message().contains('4'),
        "it names not both totals: {error}"
    );
    let other = store.save_chunk("abc", info("c", 1, 3).content_size(8)).await;
    ensure_kind!(other, ErrorKind::InvalidArgument, "another announced size");
    let secret = ChunkInfo::new("c", "another", 1, 3);
    let Err(error) = store.save_chunk("abc", secret).await else {
        return Err("another session was let in".into());
    };
    ensure_eq!(error.kind(), ErrorKind::AlreadyExists, "another session");
    ensure_eq!(error.key(), Some("c"), "the content it names");
    ensure_eq!(
        store.session_info("another").await?,
        None,
        "the session that was refused"
    );
    Ok(())
}

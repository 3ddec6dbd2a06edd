//! What an append may hold.

use storage_core::{Appended, ErrorKind};

use super::{all, numbered};
use crate::case::{Verdict, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

pub(super) async fn any_bytes_come_back(ctx: &Ctx) -> Verdict {
    let log = ctx.storage().log("bytes");
    let every: Vec<u8> = (0..=255).collect();
    let mut entries: Vec<Vec<u8>> = vec![
        vec![],
        b"\n".to_vec(),
        b"\r\n".to_vec(),
        b"a\nb\n".to_vec(),
        vec![0],
        vec![0; 1000],
        vec![0xFF, 0xFE],
        every,
        "é 😀 \u{2028}".as_bytes().to_vec(),
        b"{\"a\":1}".to_vec(),
        b"{\"$base64\":\"YQ==\"}".to_vec(),
        b"\"".to_vec(),
        b"null".to_vec(),
        b"1".to_vec(),
        b"[]".to_vec(),
        b"\\n".to_vec(),
        vec![],
        vec![0xED, 0xA0, 0x80],
    ];
    entries.push(ctx.random().bytes(1 << 20));
    let together = ctx.storage().log("together");
    for entry in &entries {
        log.append(entry.clone()).await?;
    }
    together.append_all(entries.clone()).await?;
    let second = ctx.second().await?;
    ensure!(
        all(&second.log("bytes")).await? == numbered(&entries),
        "entries appended one by one came back changed"
    );
    ensure!(
        all(&second.log("together")).await? == numbered(&entries),
        "entries appended together came back changed"
    );
    ensure_eq!(
        together.append_at(0, entries.clone()).await?.next,
        entries.len() as u64,
        "they are recognised"
    );
    Ok(())
}

pub(super) async fn refused_append_adds_nothing(ctx: &Ctx) -> Verdict {
    let Some(section) = &ctx.declaration().logs else {
        return Ok(());
    };
    let log = ctx.storage().log("events");
    log.append("a").await?;
    let most = usize::try_from(section.max_append_bytes).unwrap_or(usize::MAX);
    if most <= 64 << 20 {
        // Each fits, together they do not.
        let halves = vec![vec![b'x'; most / 2 + 1]; 2];
        ensure_kind!(
            log.append_all(halves).await,
            ErrorKind::LimitExceeded,
            "over the limit together"
        );
    }
    ensure_kind!(
        log.append_at(0, ["b", "c"]).await,
        ErrorKind::PreconditionFailed,
        "other entries there"
    );
    ensure_eq!(all(&log).await?, numbered(["a"]), "nothing was added");
    Ok(())
}

pub(super) async fn appending_nothing_changes_nothing(ctx: &Ctx) -> Verdict {
    let log = ctx.storage().log("events");
    let nothing = Vec::<&str>::new;
    ensure_eq!(
        log.append_all(nothing()).await?,
        Appended { first: 0, next: 0 },
        "in no log"
    );
    ensure_eq!(
        log.append_at(0, nothing()).await?,
        Appended { first: 0, next: 0 },
        "in no log, at 0"
    );
    ensure!(ctx.storage().logs().await?.is_empty(), "no log was made");
    log.append_all(["a", "b"]).await?;
    ensure_eq!(
        log.append_all(nothing()).await?,
        Appended { first: 2, next: 2 },
        "at the end"
    );
    ensure_eq!(
        log.append_at(1, nothing()).await?,
        Appended { first: 1, next: 1 },
        "nothing stands anywhere"
    );
    ensure_kind!(
        log.append_at(3, nothing()).await,
        ErrorKind::PreconditionFailed,
        "nothing beyond the end"
    );
    ensure_eq!(all(&log).await?, numbered(["a", "b"]), "nothing was added");
    Ok(())
}

pub(super) async fn limits_are_as_declared(ctx: &Ctx) -> Verdict {
    let Some(section) = &ctx.declaration().logs else {
        return Ok(());
    };
    let storage = ctx.storage();
    let longest = usize::try_from(section.max_name_bytes)
        .unwrap_or(usize::MAX)
        .min(1 << 20);
    for letter in ["x", "/", "%", "É", "😀"] {
        let name = letter.repeat(longest / letter.len());
        let log = storage.log(&name);
        log.append(letter).await?;
        ensure_eq!(
            all(&log).await?,
            numbered([letter]),
            "the longest name of {letter:?}"
        );
        ensure!(
            storage.logs().await?.iter().any(|listed| listed.as_str() == name),
            "it is listed"
        );
    }
    let too_long = storage.log("x".repeat(longest + 1));
    ensure_kind!(
        too_long.append("a").await,
        ErrorKind::LimitExceeded,
        "a name over the limit"
    );
    ensure_kind!(
        too_long.read(0, 1).await,
        ErrorKind::LimitExceeded,
        "reading a name over the limit"
    );
    let log = storage.log("events");
    let entries = usize::try_from(section.max_entries).unwrap_or(usize::MAX);
    if entries <= 100_000 {
        ensure_kind!(
            log.append_all(vec!["x"; entries + 1]).await,
            ErrorKind::LimitExceeded,
            "{entries} entries and one"
        );
        ensure_eq!(
            log.append_all(vec!["x"; entries]).await?.next,
            entries as u64,
            "{entries} entries"
        );
    }
    let bytes = usize::try_from(section.max_append_bytes).unwrap_or(usize::MAX);
    if bytes <= 16 << 20 {
        let before = log.len().await?;
        log.append(vec![b'y'; bytes]).await?;
        let page = log.read(before, 1).await?;
        ensure!(
            page.entries.len() == 1 && page.entries[0].bytes.len() == bytes,
            "the largest append came back changed"
        );
    }
    Ok(())
}

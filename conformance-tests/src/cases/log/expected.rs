//! Appends at an expected number.

use storage_core::{Appended, ErrorKind};

use super::{all, numbered};
use crate::case::{Verdict, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

pub(super) async fn expected_number_is_idempotent(ctx: &Ctx) -> Verdict {
    let log = ctx.storage().log("events");
    let second = ctx.second().await?.log("events");
    let first = log.append_at(0, ["a", "b"]).await?;
    ensure_eq!(first, Appended { first: 0, next: 2 }, "the append");
    ensure_eq!(second.append_at(0, ["a", "b"]).await?, first, "the same again");
    log.append_at(2, ["c"]).await?;
    ensure_eq!(
        second.append_at(0, ["a", "b"]).await?,
        first,
        "the same again, with more behind it"
    );
    for other in [
        vec!["a", "x"],
        vec!["x", "b"],
        vec!["b", "a"],
        vec!["ab"],
        vec!["a", "b", "x"],
        vec!["a", ""],
    ] {
        let refused = log.append_at(0, other.clone()).await;
        ensure_kind!(refused, ErrorKind::PreconditionFailed, "{other:?} at 0");
    }
    ensure_kind!(
        log.append_at(2, ["d"]).await,
        ErrorKind::PreconditionFailed,
        "other bytes at 2"
    );
    ensure_eq!(all(&log).await?, numbered(["a", "b", "c"]), "nothing was added");
    ensure_eq!(
        log.append_at(3, ["c"]).await?,
        Appended { first: 3, next: 4 },
        "equal bytes at the end are a new entry"
    );
    Ok(())
}

pub(super) async fn expected_number_beyond_the_end_is_refused(ctx: &Ctx) -> Verdict {
    let log = ctx.storage().log("events");
    for expected in [1, 2, u64::MAX] {
        ensure_kind!(
            log.append_at(expected, ["x"]).await,
            ErrorKind::PreconditionFailed,
            "at {expected}, in no log"
        );
    }
    ensure!(ctx.storage().logs().await?.is_empty(), "nothing was made");
    log.append_all(["a", "b"]).await?;
    for expected in [3, 4, u64::MAX - 1, u64::MAX] {
        ensure_kind!(
            log.append_at(expected, ["x"]).await,
            ErrorKind::PreconditionFailed,
            "at {expected}"
        );
    }
    // Half of it stands there, half would be new: neither a repeat nor an append at the end.
    ensure_kind!(
        log.append_at(1, ["b", "c"]).await,
        ErrorKind::PreconditionFailed,
        "over the end"
    );
    ensure_eq!(all(&log).await?, numbered(["a", "b"]), "nothing was added");
    Ok(())
}

pub(super) async fn repeats_are_recognised_after_close(ctx: &Ctx) -> Verdict {
    let log = ctx.storage().log("events");
    log.append_at(0, ["a"]).await?;
    log.append_at(1, ["b", "c"]).await?;
    log.close().await?;
    ensure_eq!(
        log.append_at(1, ["b", "c"]).await?,
        Appended { first: 1, next: 3 },
        "what stands there"
    );
    ensure_eq!(
        log.append_at(0, ["a"]).await?,
        Appended { first: 0, next: 1 },
        "what stands there"
    );
    ensure_kind!(
        log.append_at(1, ["x", "c"]).await,
        ErrorKind::PreconditionFailed,
        "other bytes"
    );
    ensure_kind!(
        log.append_at(3, ["d"]).await,
        ErrorKind::LogClosed,
        "more at the end"
    );
    ensure_eq!(all(&log).await?, numbered(["a", "b", "c"]), "nothing was added");
    Ok(())
}

//! The harness itself: places are empty, apart, shared by their clients, and wiped alone.

use crate::case::{Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;
use futures::TryStreamExt;

cases! { harness:
    smoke [] fresh_place_is_empty = "a place starts without objects, collections or logs";
    smoke [] places_are_isolated = "what is written in one place is not in another, even when one's name begins with the other's";
    smoke [] second_open_sees_first = "two clients of one place share its data";
    smoke [] wipe_only_its_place = "wiping one place leaves its neighbour";
}

async fn fresh_place_is_empty(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let objects: Vec<_> = storage.objects().list("").try_collect().await?;
    ensure!(objects.is_empty(), "a fresh place has objects: {objects:?}");
    if ctx.has(storage_core::Capability::Documents) {
        let collections = storage.collections().await?;
        ensure!(
            collections.is_empty(),
            "a fresh place has collections: {collections:?}"
        );
    }
    if ctx.has(storage_core::Capability::Logs) {
        let logs = storage.logs().await?;
        ensure!(logs.is_empty(), "a fresh place has logs: {logs:?}");
    }
    Ok(())
}

async fn places_are_isolated(ctx: &Ctx) -> Verdict {
    let (here, there) = (ctx.storage().objects(), ctx.other_place("1").await?.objects());
    here.write("shared", "here").await?;
    ensure_eq!(
        there.read("shared").await?,
        None,
        "the neighbour sees what was written here"
    );
    there.write("shared", "there").await?;
    there.write("1/x", "there").await?;
    ensure_eq!(
        here.read("shared").await?.as_deref(),
        Some(b"here".as_slice()),
        "the neighbour's write reached here"
    );
    let listed: Vec<_> = here.list("").try_collect().await?;
    ensure_eq!(listed.len(), 1, "objects here, listed");
    Ok(())
}

async fn second_open_sees_first(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    ctx.storage().objects().write("a", "from the first").await?;
    let seen = second.objects().read("a").await?;
    ensure_eq!(
        seen.as_deref(),
        Some(b"from the first".as_slice()),
        "what the second client sees"
    );
    second.objects().write("b", "from the second").await?;
    let seen = ctx.storage().objects().read("b").await?;
    ensure_eq!(
        seen.as_deref(),
        Some(b"from the second".as_slice()),
        "what the first client sees"
    );
    Ok(())
}

async fn wipe_only_its_place(ctx: &Ctx) -> Verdict {
    let there = ctx.other_place("1").await?;
    ctx.storage().objects().write("kept", "x").await?;
    there.objects().write("wiped", "y").await?;
    ctx.wipe_other("1", &there).await?;
    ensure!(
        ctx.storage().objects().read("kept").await?.is_some(),
        "wiping the neighbour took what was here"
    );
    let again = ctx.other_place("1").await?;
    ensure!(
        again.objects().read("wiped").await?.is_none(),
        "what was wiped is still there"
    );
    Ok(())
}

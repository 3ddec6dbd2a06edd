//! Copies.

use storage_core::Versions;

use super::{OLD, expect};
use crate::case::{Verdict, ensure, ensure_eq};
use crate::context::Ctx;

pub(super) async fn copy_missing_source_is_none(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("target", OLD).await?;
    ensure_eq!(
        objects.copy("missing", "target").await?,
        None,
        "a copy of nothing"
    );
    ensure_eq!(objects.copy("missing", "new").await?, None, "a copy of nothing");
    expect(ctx, "target", Some(OLD)).await?;
    expect(ctx, "new", None).await
}

pub(super) async fn copy_onto_self(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let before = objects.write("a", OLD).await?;
    let after = objects.copy("a", "a").await?;
    ensure!(after.is_some(), "a copy onto itself found nothing");
    expect(ctx, "a", Some(OLD)).await?;
    ensure_eq!(
        objects.stat("a").await?.map(|meta| meta.version),
        after,
        "the version after a copy onto itself"
    );
    if ctx.declaration().objects.versions == Versions::Unique {
        ensure!(
            after != Some(before),
            "a copy onto itself is a write, so it gives a new version"
        );
    }
    Ok(())
}

pub(super) async fn copy_is_not_alias(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("a", OLD).await?;
    objects.copy("a", "dir/b").await?;
    expect(ctx, "dir/b", Some(OLD)).await?;
    objects.write("a", "changed").await?;
    expect(ctx, "dir/b", Some(OLD)).await?;
    objects.write("dir/b", "changed too").await?;
    expect(ctx, "a", Some(b"changed")).await?;
    objects.delete("a").await?;
    expect(ctx, "dir/b", Some(b"changed too")).await
}

pub(super) async fn copy_replaces_target(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let target = objects.write("target", vec![b'x'; 10_000]).await?;
    objects.write("a", "short").await?;
    let copied = objects.copy("a", "target").await?;
    expect(ctx, "target", Some(b"short")).await?;
    ensure!(
        copied != Some(target),
        "the target still has the version of what it was"
    );
    expect(ctx, "a", Some(b"short")).await
}

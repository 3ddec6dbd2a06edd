//! What a version stands for: one state, for good.

use storage_core::{Capability, ErrorKind, Version, Versions};

use super::facts;
use crate::case::{Verdict, ensure, ensure_eq, ensure_kind};
use crate::cases::objects::{OLD, keys};
use crate::context::Ctx;

pub(super) async fn aba(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let first = objects.write("a", "A").await?;
    objects.write("a", "B").await?;
    objects.write("a", "A").await?;
    noticed(ctx, objects.write_if("a", "C", first).await)
}

pub(super) async fn deleted_and_recreated_is_noticed(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let first = objects.write("a", "A").await?;
    objects.delete("a").await?;
    objects.write("a", "A").await?;
    noticed(ctx, objects.write_if("a", "C", first).await)
}

/// A write over a version that was there before, of the same bytes: lost, unless versions are content hashes and say so.
fn noticed(ctx: &Ctx, written: storage_core::Result<Version>) -> Verdict {
    match ctx.declaration().objects.versions {
        Versions::ContentHash if written.is_ok() => Ok(()),
        _ => {
            ensure_kind!(
                written,
                ErrorKind::PreconditionFailed,
                "replacing a version that was changed and changed back"
            );
            Ok(())
        }
    }
}

pub(super) async fn version_roundtrips_as_string_and_reopen(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let (text, stale) = (
        objects.write("a", OLD).await?.to_string(),
        objects.write("b", "first").await?.to_string(),
    );
    objects.write("b", "second").await?;
    let objects = ctx.reopen().await?.objects();
    let lost = objects.write_if("b", "new", stale.parse()?).await;
    ensure_kind!(
        lost,
        ErrorKind::PreconditionFailed,
        "replacing a stale version after a reopen"
    );
    ensure_eq!(
        objects.stat("a").await?.map(|meta| meta.version.to_string()),
        Some(text.clone()),
        "the version after a reopen"
    );
    objects.write_if("a", "new", text.parse()?).await?;
    ensure_eq!(
        objects.read("a").await?.as_deref(),
        Some(b"new".as_slice()),
        "what replaced it"
    );
    Ok(())
}

pub(super) async fn forged_version_never_ok(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let other = objects.write("other", "other bytes").await?;
    objects.write("a", OLD).await?;
    let before = facts(ctx, "a").await?;
    let mut forged = vec![
        Version::random(),
        Version::from_u128(0),
        Version::from_u128(u128::MAX),
        other,
    ];
    for text in [
        "*",
        "0",
        "\"\"",
        "W/\"1\"",
        "null",
        "1;DROP",
        "../a",
        "%00",
        &"9".repeat(256),
    ] {
        forged.push(text.parse()?);
    }
    for version in forged {
        // A medium may see from its shape alone that the text cannot be a version of its own.
        for (what, answer) in [
            (
                "replacing",
                objects.write_if("a", "new", version.clone()).await.map(|_| ()),
            ),
            (
                "replacing where nothing is",
                objects
                    .write_if("missing", "new", version.clone())
                    .await
                    .map(|_| ()),
            ),
        ] {
            let kind = answer.as_ref().err().map(storage_core::Error::kind);
            let refused = matches!(
                kind,
                Some(ErrorKind::PreconditionFailed | ErrorKind::InvalidArgument)
            );
            ensure!(refused, "{what} the forged version {version}: {answer:?}");
        }
        if ctx.has(Capability::DeleteIf) {
            let kind = objects
                .delete_if("a", version.clone())
                .await
                .err()
                .map(|error| error.kind());
            let refused = matches!(
                kind,
                Some(ErrorKind::PreconditionFailed | ErrorKind::InvalidArgument)
            );
            ensure!(refused, "deleting the forged version {version}: {kind:?}");
        }
    }
    ensure_eq!(facts(ctx, "a").await?, before, "the object after forged versions");
    ensure_eq!(keys(ctx).await?, ["a", "other"], "the keys after forged versions");
    Ok(())
}

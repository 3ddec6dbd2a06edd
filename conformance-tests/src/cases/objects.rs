//! Objects: bytes under keys.

use storage_core::ErrorKind;

use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { objects:
    smoke [] put_get_roundtrip = "bytes come back as they went in";
    smoke [] get_missing_is_none = "reading what is not there is None, not an error";
    standard [CreateIfAbsent] create_present_fails = "x";
}

async fn create_present_fails(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.create("a", "1").await?;
    ensure_kind!(
        objects.create("a", "2").await,
        ErrorKind::AlreadyExists,
        "creating what is there"
    );
    Ok(())
}

async fn put_get_roundtrip(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("notes/a.txt", "hello").await?;
    ensure_eq!(
        objects.read("notes/a.txt").await?.as_deref(),
        Some(b"hello".as_slice()),
        "what was written"
    );
    Ok(())
}

async fn get_missing_is_none(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    ensure!(
        objects.read("nothing").await?.is_none(),
        "reading a missing object must be None"
    );
    ensure!(
        objects.stat("nothing").await?.is_none(),
        "stat of a missing object must be None"
    );
    Ok(())
}

//! Reading: ranges, readers, facts.

use futures::TryStreamExt;
use storage_core::{ByteRange, Bytes, Capability, ErrorKind, ListEntry, ListRequest, ReadRequest};

use super::{OLD, keys};
use crate::case::{Verdict, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

pub(super) async fn stat_matches_read_and_list(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    for (key, bytes) in [("a", "x"), ("dir/b", ""), ("dir/c", "longer than the others")] {
        let version = objects.write(key, bytes).await?;
        let Some(stat) = objects.stat(key).await? else {
            return Err("a written object has no stat".into());
        };
        ensure_eq!(stat.version, version, "the version stat gives for {key:?}");
        ensure_eq!(stat.size, bytes.len() as u64, "the size stat gives for {key:?}");
        let read = objects.read_with(key, ReadRequest::default()).await?;
        ensure_eq!(
            read.map(|object| object.meta),
            Some(stat.clone()),
            "the facts read gives for {key:?}"
        );
        let mut request = ListRequest::new(key);
        request.with_meta = true;
        let page = objects.list_page(request).await?;
        let Some(ListEntry::Object(_, Some(listed))) = page.entries.first() else {
            return Err(format!("a list with facts gives none for {key:?}: {page:?}").into());
        };
        ensure_eq!(
            (listed.size, &listed.version),
            (stat.size, &stat.version),
            "the facts list gives for {key:?}"
        );
        ensure_eq!(
            listed.modified.is_some(),
            stat.modified.is_some(),
            "whether list knows the time of {key:?}"
        );
    }
    Ok(())
}

pub(super) async fn version_stable_on_read(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let version = objects.write("a", OLD).await?;
    objects.write("b", "a neighbour").await?;
    for _ in 0..3 {
        objects.read("a").await?;
        objects.read_range("a", ByteRange::Suffix(2)).await?;
        keys(ctx).await?;
        if ctx.has(Capability::CreateIfAbsent) {
            ensure_kind!(
                objects.create("a", "x").await,
                ErrorKind::AlreadyExists,
                "create over an object"
            );
        }
        objects.write("b", "changed").await?;
        objects.delete("b").await?;
    }
    ensure_eq!(
        objects.stat("a").await?.map(|meta| meta.version),
        Some(version),
        "the version after reading"
    );
    Ok(())
}

pub(super) async fn range_table(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let (whole, far) = (b"0123456789", u64::MAX);
    objects.write("a", whole.to_vec()).await?;
    for (range, expected) in [
        (ByteRange::From(0), "0123456789"),
        (ByteRange::From(7), "789"),
        (ByteRange::From(10), ""),
        (ByteRange::From(11), ""),
        (ByteRange::From(far), ""),
        (ByteRange::Bounded(0, 1), "0"),
        (ByteRange::Bounded(3, 6), "345"),
        (ByteRange::Bounded(0, 10), "0123456789"),
        (ByteRange::Bounded(8, 100), "89"),
        (ByteRange::Bounded(9, far), "9"),
        (ByteRange::Bounded(4, 4), ""),
        (ByteRange::Bounded(10, 12), ""),
        (ByteRange::Bounded(50, 60), ""),
        (ByteRange::Suffix(0), ""),
        (ByteRange::Suffix(3), "789"),
        (ByteRange::Suffix(10), "0123456789"),
        (ByteRange::Suffix(11), "0123456789"),
        (ByteRange::Suffix(far), "0123456789"),
    ] {
        let mut request = ReadRequest::default();
        request.range = Some(range);
        let Some(object) = objects.read_with("a", request).await? else {
            return Err(format!("{range:?} of an object is None").into());
        };
        ensure_eq!(object.bytes.as_ref(), expected.as_bytes(), "{range:?}");
        ensure_eq!(
            object.meta.size,
            10,
            "the size of the whole object, read by {range:?}"
        );
        ensure_eq!(
            object.range.end - object.range.start,
            expected.len() as u64,
            "the range said for {range:?}"
        );
        if !expected.is_empty() {
            ensure_eq!(
                object.range.start,
                u64::from(expected.as_bytes()[0] - b'0'),
                "the start said for {range:?}"
            );
        }
    }
    Ok(())
}

pub(super) async fn range_backwards_is_invalid(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("a", "0123").await?;
    let read = objects.read_range("a", ByteRange::Bounded(3, 1)).await;
    ensure_kind!(
        read,
        ErrorKind::InvalidArgument,
        "a range that ends before it begins"
    );
    Ok(())
}

pub(super) async fn reader_streams_whole(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    // Around the size of one piece, 1 MiB, and several of them.
    for length in [0, 1, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 2_500_000] {
        let bytes = ctx.random().bytes(length);
        let version = objects.write("a", bytes.clone()).await?;
        let Some(reader) = objects.reader("a").await? else {
            return Err("no reader of an object".into());
        };
        ensure_eq!(reader.meta().version, version, "the version the reader reads");
        let pieces: Vec<Bytes> = reader.try_collect().await?;
        ensure!(
            pieces.concat() == bytes,
            "the pieces of {length} bytes are not what was written"
        );
    }
    Ok(())
}

pub(super) async fn reader_survives_overwrite_or_fails_definitely(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let (old, new) = (vec![b'o'; 3_000_000], vec![b'n'; 3_000_000]);
    objects.write("a", old.clone()).await?;
    let Some(mut reader) = objects.reader("a").await? else {
        return Err("no reader of an object".into());
    };
    let mut read = reader.try_next().await?.unwrap_or_default().to_vec();
    objects.write("a", new).await?;
    loop {
        match reader.try_next().await {
            Ok(Some(piece)) => read.extend_from_slice(&piece),
            Ok(None) => break,
            Err(error) => {
                ensure_eq!(
                    error.kind(),
                    ErrorKind::PreconditionFailed,
                    "how a reader fails when the object is replaced"
                );
                return Ok(());
            }
        }
    }
    ensure!(
        read == old,
        "a reader that ended well read {} bytes, not the version it began with",
        read.len()
    );
    Ok(())
}

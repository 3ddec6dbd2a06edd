//! Streamed writes: invisible until finished, then whole.

use futures::stream;
use sha2::{Digest, Sha256};
use storage_core::{Bytes, Condition, Error, ErrorKind, WriteOptions};

use super::objects::{OLD, expect, keys};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { uploads:
    standard [StreamingWrite] any_chunking = "the result does not depend on where the pieces end";
    standard [StreamingWrite] unfinished_is_invisible = "nothing of an upload is seen, by any client, before it is finished";
    standard [StreamingWrite] dropped_writer_leaves_nothing = "an upload that is dropped leaves no object";
    standard [StreamingWrite] dropped_overwrite_keeps_old = "an upload over an object, dropped or aborted, leaves it as it was";
    standard [StreamingWrite] source_error_midway_keeps_old = "a stream that fails midway never commits, and its error comes back";
    standard [StreamingWrite] checksum_mismatch_keeps_old = "an upload without the SHA-256 given for it is refused and what was there stays";
    standard [StreamingWrite] finish_gives_the_version = "finishing gives the version read and stat give";
    standard [StreamingWrite] two_uploads_of_one_key_one_whole_winner = "of two interleaved uploads of one key the last to finish wins, whole";
    standard [StreamingWrite, CreateIfAbsent] create_is_decided_at_finish = "an upload to be created only where nothing is loses to what came meanwhile, and changes nothing";
    standard [StreamingWrite, CompareAndSwap] swap_is_decided_at_finish = "an upload over a version loses to what came meanwhile, and changes nothing";
}

async fn any_chunking(ctx: &Ctx) -> Verdict {
    let (objects, mut random) = (ctx.storage().objects(), ctx.random());
    for round in 0..12 {
        let length = *random.pick(&[0, 1, 4095, 4096, 4097, 70_000, 1_200_000]);
        let bytes = random.bytes(length);
        let mut upload = objects.upload("a", WriteOptions::new()).await?;
        let mut rest = Bytes::from(bytes.clone());
        while !rest.is_empty() {
            let piece = match random.below(8) {
                0 => 0,
                1 => rest.len(),
                _ => random.below(rest.len().min(200_000)) + 1,
            };
            upload.write(rest.split_to(piece)).await?;
        }
        upload.finish().await?;
        let read = objects.read("a").await?;
        ensure!(
            read.as_deref() == Some(bytes.as_slice()),
            "round {round}: {length} bytes in pieces came back different"
        );
    }
    let pieces = stream::iter(["he", "", "llo"].map(|piece| Ok(Bytes::from_static(piece.as_bytes()))));
    objects.write_stream("b", pieces, WriteOptions::new()).await?;
    expect(ctx, "b", Some(b"hello")).await
}

async fn unfinished_is_invisible(ctx: &Ctx) -> Verdict {
    let (objects, second) = (ctx.storage().objects(), ctx.second().await?.objects());
    let mut upload = objects.upload("dir/new", WriteOptions::new()).await?;
    for _ in 0..3 {
        upload.write(vec![b'x'; 300_000]).await?;
        expect(ctx, "dir/new", None).await?;
        ensure!(
            second.read("dir/new").await?.is_none(),
            "another client reads an unfinished upload"
        );
        ensure!(
            !objects.exists("dir").await?,
            "an unfinished upload made its directory exist"
        );
        ensure_eq!(
            keys(ctx).await?,
            Vec::<String>::new(),
            "the keys during an upload"
        );
    }
    upload.finish().await?;
    crate::settle::settled(ctx).await;
    ensure_eq!(
        second.read("dir/new").await?.map(|bytes| bytes.len()),
        Some(900_000),
        "the size after finishing"
    );
    Ok(())
}

async fn dropped_writer_leaves_nothing(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    for length in [0, 10, 500_000] {
        let mut upload = objects.upload("dir/new", WriteOptions::new()).await?;
        upload.write(vec![b'x'; length]).await?;
        drop(upload);
        expect(ctx, "dir/new", None).await?;
        ensure_eq!(
            keys(ctx).await?,
            Vec::<String>::new(),
            "the keys after a dropped upload"
        );
    }
    objects.write("dir/new", "later").await?;
    expect(ctx, "dir/new", Some(b"later")).await
}

async fn dropped_overwrite_keeps_old(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let version = objects.write("a", OLD).await?;
    for aborted in [false, true] {
        let mut upload = objects.upload("a", WriteOptions::new()).await?;
        upload.write(vec![b'x'; 300_000]).await?;
        expect(ctx, "a", Some(OLD)).await?;
        if aborted {
            upload.abort().await?;
        } else {
            drop(upload);
        }
        expect(ctx, "a", Some(OLD)).await?;
        let now = objects.stat("a").await?.map(|meta| meta.version);
        ensure_eq!(
            now,
            Some(version.clone()),
            "the version after an upload that came to nothing"
        );
    }
    ensure_eq!(
        keys(ctx).await?,
        ["a"],
        "the keys after uploads that came to nothing"
    );
    Ok(())
}

async fn source_error_midway_keeps_old(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("a", OLD).await?;
    for key in ["a", "new"] {
        let broken = Error::new(ErrorKind::Io, "the source broke");
        let pieces = stream::iter([Ok(Bytes::from(vec![b'x'; 200_000])), Err(broken)]);
        let written = objects.write_stream(key, pieces, WriteOptions::new()).await;
        ensure_kind!(written, ErrorKind::Io, "a write from a stream that breaks");
    }
    expect(ctx, "a", Some(OLD)).await?;
    ensure_eq!(keys(ctx).await?, ["a"], "the keys after streams that broke");
    Ok(())
}

async fn checksum_mismatch_keeps_old(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("a", OLD).await?;
    let options = |bytes: &[u8]| WriteOptions::new().sha256(Sha256::digest(bytes).into());
    for (expected, fits) in [(b"others".as_slice(), false), (b"one two", true)] {
        let mut upload = objects.upload("a", options(expected)).await?;
        upload.write("one ").await?;
        upload.write("two").await?;
        if fits {
            upload.finish().await?;
        } else {
            ensure_kind!(
                upload.finish().await,
                ErrorKind::InvalidArgument,
                "an upload without its checksum"
            );
            expect(ctx, "a", Some(OLD)).await?;
        }
    }
    expect(ctx, "a", Some(b"one two")).await
}

async fn finish_gives_the_version(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let before = objects.write("a", OLD).await?;
    let mut upload = objects.upload("a", WriteOptions::new()).await?;
    upload.write("streamed").await?;
    let version = upload.finish().await?;
    ensure!(
        version != before,
        "an upload gave the version of what was there before"
    );
    ensure_eq!(
        objects.stat("a").await?.map(|meta| meta.version),
        Some(version),
        "the version after the upload"
    );
    Ok(())
}

async fn two_uploads_of_one_key_one_whole_winner(ctx: &Ctx) -> Verdict {
    let (first, second) = (ctx.storage().objects(), ctx.second().await?.objects());
    let mut one = first.upload("a", WriteOptions::new()).await?;
    let mut two = second.upload("a", WriteOptions::new()).await?;
    for _ in 0..4 {
        one.write(vec![b'1'; 50_000]).await?;
        two.write(vec![b'2'; 70_000]).await?;
    }
    two.finish().await?;
    crate::settle::settled(ctx).await;
    expect(ctx, "a", Some(&[b'2'; 280_000])).await?;
    one.finish().await?;
    expect(ctx, "a", Some(&[b'1'; 200_000])).await
}

async fn create_is_decided_at_finish(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let create = || WriteOptions::new().condition(Condition::IfAbsent);
    let mut upload = objects.upload("a", create()).await?;
    upload.write("streamed").await?;
    let version = objects.write("a", OLD).await?;
    ensure_kind!(
        upload.finish().await,
        ErrorKind::AlreadyExists,
        "an upload to be created, finished over an object"
    );
    expect(ctx, "a", Some(OLD)).await?;
    ensure_eq!(
        objects.stat("a").await?.map(|meta| meta.version),
        Some(version),
        "the version after the lost upload"
    );
    objects.delete("a").await?;
    let mut upload = objects.upload("a", create()).await?;
    upload.write("streamed").await?;
    upload.finish().await?;
    expect(ctx, "a", Some(b"streamed")).await
}

async fn swap_is_decided_at_finish(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let first = objects.write("a", "first").await?;
    let swap = |version| WriteOptions::new().condition(Condition::IfVersion(version));
    let mut upload = objects.upload("a", swap(first)).await?;
    upload.write("streamed").await?;
    let version = objects.write("a", OLD).await?;
    ensure_kind!(
        upload.finish().await,
        ErrorKind::PreconditionFailed,
        "an upload over a version that is gone"
    );
    expect(ctx, "a", Some(OLD)).await?;
    let mut upload = objects.upload("a", swap(version)).await?;
    upload.write("streamed").await?;
    upload.finish().await?;
    expect(ctx, "a", Some(b"streamed")).await
}

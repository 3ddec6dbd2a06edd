//! Objects: bytes under keys, written whole.

mod copies;
mod reading;

use futures::TryStreamExt;
use storage_core::{ByteRange, Bytes, Capability, ErrorKind, ListEntry, ReadRequest, Versions, WriteOptions};

use self::copies::*;
use self::reading::*;

use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { objects:
    smoke [] put_get_roundtrip = "bytes come back as they went in";
    smoke [] empty_object = "an object of no bytes exists, and is told from a missing one by read, stat and list";
    smoke [] all_byte_values = "every byte value, line ends and invalid UTF-8 survive";
    smoke [] overwrite_with_shorter = "a shorter object leaves no tail of the longer one before it";
    smoke [] get_missing_is_none = "reading what is not there is None, not an error";
    smoke [] delete_then_get = "what was deleted is gone for read, stat, exists and list";
    smoke [] delete_missing_is_ok = "deleting is idempotent and creates nothing";
    smoke [] returned_buffer_is_owned = "changing the bytes read, or those written, does not change the store";
    standard [] stat_matches_read_and_list = "size, version and time agree in stat, read and list";
    standard [] version_changes_on_every_write = "every write gives a version nobody has seen, also of equal bytes unless versions are content hashes";
    standard [] version_stable_on_read = "reading, listing and failing conditions leave the version";
    standard [] range_table = "ranges from the start, the middle, the end and past it give exactly their bytes";
    standard [] range_backwards_is_invalid = "a range that ends before it begins is refused";
    standard [] checksum_mismatch_rejected_keeps_old = "bytes without the SHA-256 given for them are refused and what was there stays";
    standard [] delete_many_answers_each = "deleting many gives one answer each, in order, missing ones included";
    standard [] delete_keeps_what_lies_under = "deleting an object leaves the objects under it as a directory";
    standard [] exists_sees_objects_and_directories = "exists is true for an object and for whatever has objects under it, and for nothing else";
    standard [] list_files_of_a_directory = "the files directly in a directory, by name; a missing directory is empty";
    standard [] areas_are_apart = "a key in the library's own area is not a key of the user's";
    standard [] reader_streams_whole = "a reader gives an object larger than its pieces, byte for byte";
    standard [] reader_survives_overwrite_or_fails_definitely = "a reader never mixes two versions and never ends short";
    standard [Copy] copy_missing_source_is_none = "copying what is not there is None and creates nothing";
    standard [Copy] copy_onto_self = "an object copied onto itself keeps its bytes";
    standard [Copy] copy_is_not_alias = "a copy and its source change apart";
    standard [Copy] copy_replaces_target = "a copy replaces what was at its target, whole";
    standard [Presign] presign_gives_an_address = "a presigned address names a scheme and a host";
}

pub(super) const OLD: &[u8] = b"what was there before";

/// What an object must be.
pub(super) async fn expect(ctx: &Ctx, key: &str, bytes: Option<&[u8]>) -> Verdict {
    let read = ctx.storage().objects().read(key).await?;
    ensure!(
        read.as_deref() == bytes,
        "{key:?} reads as {}, expected {}",
        shown(read.as_deref()),
        shown(bytes)
    );
    let size = ctx.storage().objects().stat(key).await?.map(|meta| meta.size);
    ensure_eq!(size, bytes.map(|bytes| bytes.len() as u64), "the size of {key:?}");
    Ok(())
}

/// Bytes for a message, which stays short.
fn shown(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "nothing".to_owned(),
        Some(bytes) if bytes.len() <= 64 => format!("{:?}", Bytes::copy_from_slice(bytes)),
        Some(bytes) => format!("{} bytes", bytes.len()),
    }
}

/// Every key there is.
pub(super) async fn keys(ctx: &Ctx) -> storage_core::Result<Vec<String>> {
    let entries: Vec<ListEntry> = ctx.storage().objects().list("").try_collect().await?;
    Ok(entries.iter().map(|entry| entry.name().to_owned()).collect())
}

async fn put_get_roundtrip(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("notes/a.txt", "hello").await?;
    expect(ctx, "notes/a.txt", Some(b"hello")).await?;
    // Larger than any buffer, page or block that might be in the way.
    let large = ctx.random().bytes(3 * 1024 * 1024 + 7);
    objects.write("large", large.clone()).await?;
    expect(ctx, "large", Some(&large)).await?;
    expect(ctx, "notes/a.txt", Some(b"hello")).await
}

async fn empty_object(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("empty", "").await?;
    expect(ctx, "empty", Some(b"")).await?;
    expect(ctx, "missing", None).await?;
    ensure_eq!(keys(ctx).await?, ["empty"], "the keys");
    let range = objects.read_range("empty", ByteRange::From(0)).await?;
    ensure_eq!(
        range.as_deref(),
        Some(b"".as_slice()),
        "a range of the empty object"
    );
    Ok(())
}

async fn all_byte_values(ctx: &Ctx) -> Verdict {
    let every: Vec<u8> = (0..=255).collect();
    for (key, bytes) in [
        ("every", every.as_slice()),
        ("line-ends", b"a\r\nb\nc\rd\x1a"),
        ("nul", b"\0\0"),
        ("not-utf8", b"\xff\xfe\xc3\x28\xed\xa0\x80"),
        ("byte-order-mark", b"\xef\xbb\xbfx"),
    ] {
        ctx.storage().objects().write(key, bytes.to_vec()).await?;
        expect(ctx, key, Some(bytes)).await?;
    }
    Ok(())
}

async fn overwrite_with_shorter(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    for length in [100_000, 4096, 10, 1, 0] {
        objects.write("a", vec![b'x'; length]).await?;
        expect(ctx, "a", Some(&vec![b'x'; length])).await?;
    }
    Ok(())
}

async fn get_missing_is_none(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    expect(ctx, "nothing", None).await?;
    ensure!(
        objects.read_range("nothing", ByteRange::From(1)).await?.is_none(),
        "a range of nothing must be None"
    );
    ensure!(
        objects.reader("nothing").await?.is_none(),
        "a reader of nothing must be None"
    );
    objects.write("nothing/under", "x").await?;
    expect(ctx, "nothing", None).await?;
    expect(ctx, "nothing/unde", None).await?;
    expect(ctx, "nothing/under/further", None).await
}

async fn delete_then_get(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("a", OLD).await?;
    ensure_eq!(keys(ctx).await?, ["a"], "the keys before the delete");
    objects.delete("a").await?;
    expect(ctx, "a", None).await?;
    ensure!(!objects.exists("a").await?, "a deleted object exists");
    ensure_eq!(
        keys(ctx).await?,
        Vec::<String>::new(),
        "the keys after the delete"
    );
    objects.write("a", "again").await?;
    expect(ctx, "a", Some(b"again")).await
}

async fn delete_missing_is_ok(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.delete("never/there").await?;
    objects.write("a", OLD).await?;
    objects.delete("a").await?;
    objects.delete("a").await?;
    ensure_eq!(
        keys(ctx).await?,
        Vec::<String>::new(),
        "the keys after deleting what is not there"
    );
    Ok(())
}

async fn returned_buffer_is_owned(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let given = Bytes::from(OLD.to_vec());
    objects.write("a", given.clone()).await?;
    // Where the buffer is nobody else's any more, it may be written to.
    if let Ok(mut buffer) = given.try_into_mut() {
        buffer.fill(b'!');
    }
    expect(ctx, "a", Some(OLD)).await?;
    if let Some(Ok(mut buffer)) = objects.read("a").await?.map(Bytes::try_into_mut) {
        buffer.fill(b'!');
    }
    expect(ctx, "a", Some(OLD)).await
}

async fn version_changes_on_every_write(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let unique = ctx.declaration().objects.versions == Versions::Unique;
    let mut seen = std::collections::HashSet::new();
    for round in 0..32 {
        let bytes = if unique {
            "the same".to_owned()
        } else {
            format!("number {round}")
        };
        ensure!(
            seen.insert(objects.write("a", bytes).await?),
            "write {round} gave a version that was there before"
        );
        if round % 8 == 7 {
            objects.delete("a").await?;
        }
    }
    if ctx.has(Capability::Copy) {
        objects.write("a", "to copy").await?;
        let first = objects.copy("a", "copy").await?;
        let Some(first) = first else {
            return Err("the copy found nothing".into());
        };
        ensure!(
            seen.insert(first.clone()) || !unique,
            "a copy gave a version that was there before"
        );
        ensure_eq!(
            objects.stat("copy").await?.map(|meta| meta.version),
            Some(first),
            "the version of the copy"
        );
    }
    Ok(())
}

async fn checksum_mismatch_rejected_keeps_old(ctx: &Ctx) -> Verdict {
    use sha2::{Digest, Sha256};
    let objects = ctx.storage().objects();
    objects.write("a", OLD).await?;
    let options = |bytes: &[u8]| WriteOptions::new().sha256(Sha256::digest(bytes).into());
    for key in ["a", "new"] {
        let written = objects.write_with(key, "these", options(b"others")).await;
        ensure_kind!(
            written,
            ErrorKind::InvalidArgument,
            "bytes without their checksum"
        );
    }
    expect(ctx, "a", Some(OLD)).await?;
    expect(ctx, "new", None).await?;
    objects.write_with("a", "these", options(b"these")).await?;
    expect(ctx, "a", Some(b"these")).await
}

async fn delete_many_answers_each(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    for key in ["a", "b", "c", "d/e"] {
        objects.write(key, OLD).await?;
    }
    let answers = objects.delete_many(["a", "missing", "d/e", "a"]).await?;
    ensure_eq!(answers.len(), 4, "the number of answers");
    for answer in answers {
        answer?;
    }
    ensure_eq!(keys(ctx).await?, ["b", "c"], "the keys that stay");
    ensure_eq!(
        objects.delete_many(Vec::<String>::new()).await?.len(),
        0,
        "the answers to deleting none"
    );
    let refused = objects.delete_many(["b", ""]).await;
    ensure_kind!(
        refused.map(|answers| answers.len()),
        ErrorKind::InvalidName,
        "deleting an empty name among others"
    );
    expect(ctx, "b", Some(OLD)).await
}

async fn delete_keeps_what_lies_under(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    for key in ["a", "a/b", "a/b/c"] {
        objects.write(key, OLD).await?;
    }
    objects.delete("a").await?;
    ensure_eq!(
        keys(ctx).await?,
        ["a/b", "a/b/c"],
        "the keys after deleting \"a\""
    );
    objects.delete("a/b/c").await?;
    ensure_eq!(keys(ctx).await?, ["a/b"], "the keys after deleting \"a/b/c\"");
    Ok(())
}

async fn exists_sees_objects_and_directories(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("dir/sub/file", "").await?;
    for (path, expected) in [
        ("dir/sub/file", true),
        ("dir/sub", true),
        ("dir/sub/", true),
        ("dir", true),
        ("di", false),
        ("dir/su", false),
        ("dir/sub/fil", false),
        ("dir/sub/file/x", false),
        ("sub", false),
    ] {
        ensure_eq!(objects.exists(path).await?, expected, "whether {path:?} exists");
    }
    Ok(())
}

async fn list_files_of_a_directory(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.create_directory("made").await?;
    for key in ["top", "dir/b", "dir/a", "dir/sub/c", "dir2/d"] {
        objects.write(key, "").await?;
    }
    ensure_eq!(
        objects.list_files("dir").await?,
        ["a", "b"],
        "the files of \"dir\""
    );
    ensure_eq!(
        objects.list_files("dir/").await?,
        ["a", "b"],
        "the files of \"dir/\""
    );
    ensure_eq!(objects.list_files("").await?, ["top"], "the files of the root");
    ensure_eq!(
        objects.list_files("made").await?,
        Vec::<String>::new(),
        "the files of a directory made and left empty"
    );
    ensure_eq!(
        objects.list_files("nowhere").await?,
        Vec::<String>::new(),
        "the files of a missing directory"
    );
    Ok(())
}

async fn areas_are_apart(ctx: &Ctx) -> Verdict {
    use storage_core::{Area, DeleteRequest, Key, WriteRequest};
    let adapter = ctx.storage().adapter();
    let key = Key::new("conformance/apart")?;
    ctx.storage().objects().write(key.as_str(), OLD).await?;
    let own = adapter.read(Area::Overlay, &key, ReadRequest::default()).await?;
    ensure!(own.is_none(), "a user's object is in the library's own area");
    adapter
        .write(
            Area::Overlay,
            &key,
            Bytes::from_static(b"own"),
            WriteRequest::default(),
        )
        .await?;
    expect(ctx, key.as_str(), Some(OLD)).await?;
    ensure_eq!(keys(ctx).await?, [key.as_str()], "the user's keys");
    adapter
        .delete(Area::Overlay, &key, DeleteRequest::default())
        .await?;
    expect(ctx, key.as_str(), Some(OLD)).await
}

async fn presign_gives_an_address(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    objects.write("dir/a b", OLD).await?;
    let address = objects
        .presign("dir/a b", std::time::Duration::from_secs(60))
        .await?;
    let host = address
        .split_once("://")
        .map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    ensure!(
        host.is_some_and(|host| !host.is_empty()),
        "a presigned address without scheme or host: {address:?}"
    );
    ensure!(
        !address.contains(' '),
        "a presigned address with a space: {address:?}"
    );
    Ok(())
}

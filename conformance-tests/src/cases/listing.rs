//! Listing: every key once, in UTF-8 byte order, over any size of page.

mod pages;

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
use storage_core::{Bytes, Capability, ListEntry, ListRequest, WriteOptions};

use self::pages::*;
use super::objects::keys;
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;
use crate::settle::settled;

cases! { listing:
    smoke [] empty = "an empty place, and a prefix nothing has, list nothing and end";
    smoke [] prefix_is_bytewise = "a prefix is bytes, not a directory: a matches ab";
    smoke [] utf8_byte_order = "keys come in the order of their UTF-8 bytes, across lengths, separators and planes";
    smoke [] pages_concat_equals_full = "pages of any size, one after the other, are the whole listing";
    smoke [] sees_own_write_and_delete = "a listing shows every write and delete before it";
    standard [] page_never_exceeds_limit_and_terminates = "no page is larger than asked for, and the last one says so";
    standard [] position_survives_reopen_and_other_client = "where a page ended is good for another client and after a reopen";
    standard [] insert_behind_cursor_not_returned = "what is written behind the position does not come, what is written ahead may";
    standard [] delete_behind_cursor_no_skip = "deleting behind the position skips nothing ahead";
    standard [] delete_at_cursor_continues = "deleting the key a page ended with continues after it";
    standard [] rollup_dirs_once = "with the delimiter each directory comes once, objects in it not at all";
    standard [] rollup_under_any_prefix = "rolling up begins after the prefix, wherever in a name that ends";
    standard [] rollup_pages_concat_equals_full = "rolled-up pages of any size are the whole rolled-up listing";
    standard [] siblings_sorting_before_delimiter = "a! and a- come before a/ and a0 after it, rolled up and not";
    standard [] start_after_exclusive = "a listing begins after the text given, whether or not that is a key, under any prefix";
    standard [] hides_internals = "uploads, overwrites, deletes, documents, logs and leases never show in a listing of objects";
    standard [] over_native_page timeout 600 = "2,500 keys, more than any page of a medium, come exactly once";
    deep [] stable_keys_exactly_once_under_writes timeout 600 = "while others write and delete, what does not change comes exactly once";
}

/// Writes an object of its own name under each key, several at a time.
pub(super) async fn write_all<K: AsRef<str>>(ctx: &Ctx, names: impl IntoIterator<Item = K>) -> Verdict {
    let objects = ctx.storage().objects();
    let names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
    futures::stream::iter(names.into_iter().map(Ok::<_, Failure>))
        .try_for_each_concurrent(16, |name| {
            let objects = objects.clone();
            async move {
                objects
                    .write(&name, Bytes::from(name.clone().into_bytes()))
                    .await?;
                Ok(())
            }
        })
        .await
}

/// The names of a listing.
pub(super) async fn names(ctx: &Ctx, request: ListRequest) -> storage_core::Result<Vec<String>> {
    let entries: Vec<ListEntry> = ctx.storage().objects().list_with(request).try_collect().await?;
    Ok(entries.iter().map(|entry| entry.name().to_owned()).collect())
}

pub(super) fn rolled_up(prefix: &str) -> ListRequest {
    let mut request = ListRequest::new(prefix);
    request.delimiter = true;
    request
}

async fn empty(ctx: &Ctx) -> Verdict {
    for prefix in ["", "a", "a/"] {
        let page = ctx
            .storage()
            .objects()
            .list_page(ListRequest::new(prefix))
            .await?;
        ensure_eq!(
            (page.entries.len(), page.next),
            (0, None),
            "a page of nothing under {prefix:?}"
        );
    }
    write_all(ctx, ["b", "c/d"]).await?;
    for prefix in ["a", "bb", "b/", "c/e", "c/d/"] {
        ensure_eq!(
            names(ctx, ListRequest::new(prefix)).await?,
            Vec::<String>::new(),
            "the keys under {prefix:?}"
        );
        ensure_eq!(
            names(ctx, rolled_up(prefix)).await?,
            Vec::<String>::new(),
            "rolled up under {prefix:?}"
        );
    }
    Ok(())
}

async fn prefix_is_bytewise(ctx: &Ctx) -> Verdict {
    write_all(ctx, ["a", "ab", "a/b", "a/bc", "b", "A", "é", "e\u{301}"]).await?;
    for (prefix, expected) in [
        ("a", vec!["a", "a/b", "a/bc", "ab"]),
        ("a/", vec!["a/b", "a/bc"]),
        ("a/b", vec!["a/b", "a/bc"]),
        ("ab", vec!["ab"]),
        ("A", vec!["A"]),
        ("é", vec!["é"]),
        ("e", vec!["e\u{301}"]),
        ("%", vec![]),
        ("_", vec![]),
        ("*", vec![]),
        ("[a", vec![]),
    ] {
        ensure_eq!(
            names(ctx, ListRequest::new(prefix)).await?,
            expected,
            "the keys under {prefix:?}"
        );
    }
    Ok(())
}

async fn utf8_byte_order(ctx: &Ctx) -> Verdict {
    // U+FF5E is greater than U+1F600 in UTF-16 and less in UTF-8.
    let unordered = [
        "\u{1f600}",
        "\u{ff5e}",
        "\u{e000}",
        "é",
        "z",
        "a0",
        "a/b",
        "a.b",
        "a-b",
        "a",
        "Z",
        "ab",
        "a/",
        "a b",
        "a!",
        "10",
        "9",
        "~",
        "a/b/c",
        "a/b-c",
        "a/b0",
        "\u{7f}",
        "ß",
        "ss",
    ];
    write_all(ctx, unordered).await?;
    let mut expected = unordered.map(str::to_owned).to_vec();
    expected.sort_unstable();
    ensure_eq!(keys(ctx).await?, expected, "the order of keys");
    Ok(())
}

async fn sees_own_write_and_delete(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let second = ctx.second().await?.objects();
    for round in 0..10 {
        let key = format!("dir/{round}");
        objects.write(&key, "x").await?;
        ensure!(
            keys(ctx).await?.contains(&key),
            "round {round}: a listing misses the write before it"
        );
        settled(ctx).await;
        let seen: Vec<ListEntry> = second.list("dir/").try_collect().await?;
        ensure_eq!(seen.len(), 1, "round {round}: what another client lists");
        objects.delete(&key).await?;
        ensure!(
            keys(ctx).await?.is_empty(),
            "round {round}: a listing shows what was deleted before it"
        );
    }
    Ok(())
}

async fn rollup_dirs_once(ctx: &Ctx) -> Verdict {
    write_all(ctx, ["a", "d/1", "d/2", "d/e/3", "f/g/h", "z"]).await?;
    let mut request = rolled_up("");
    request.with_meta = true;
    let entries: Vec<ListEntry> = ctx.storage().objects().list_with(request).try_collect().await?;
    let shown: Vec<String> = entries
        .iter()
        .map(|entry| match entry {
            ListEntry::Object(key, meta) => {
                format!("object {key} {}", meta.as_ref().map_or(0, |meta| meta.size))
            }
            ListEntry::Prefix(prefix) => format!("prefix {prefix}"),
        })
        .collect();
    ensure_eq!(
        shown,
        ["object a 1", "prefix d/", "prefix f/", "object z 1"],
        "the root, rolled up"
    );
    ensure_eq!(
        names(ctx, rolled_up("d/")).await?,
        ["d/1", "d/2", "d/e/"],
        "\"d/\", rolled up"
    );
    ensure_eq!(names(ctx, rolled_up("f/")).await?, ["f/g/"], "\"f/\", rolled up");
    Ok(())
}

async fn rollup_under_any_prefix(ctx: &Ctx) -> Verdict {
    write_all(ctx, ["/lead", "a", "a/", "a//b", "a/b", "ab/c", "abc", "b/c"]).await?;
    for (prefix, expected) in [
        ("", vec!["/", "a", "a/", "ab/", "abc", "b/"]),
        ("a", vec!["a", "a/", "ab/", "abc"]),
        ("ab", vec!["ab/", "abc"]),
        ("a/", vec!["a/", "a//", "a/b"]),
        ("a//", vec!["a//b"]),
        ("/", vec!["/lead"]),
        ("ab/c", vec!["ab/c"]),
    ] {
        ensure_eq!(
            names(ctx, rolled_up(prefix)).await?,
            expected,
            "{prefix:?}, rolled up"
        );
    }
    Ok(())
}

async fn siblings_sorting_before_delimiter(ctx: &Ctx) -> Verdict {
    write_all(
        ctx,
        [
            "a/1", "a/2", "a!", "a!/x", "a-", "a-/y", "a.txt", "a", "a0", "a0/z", "b",
        ],
    )
    .await?;
    let expected = [
        "a", "a!", "a!/x", "a-", "a-/y", "a.txt", "a/1", "a/2", "a0", "a0/z", "b",
    ];
    ensure_eq!(keys(ctx).await?, expected, "the keys");
    let expected = ["a", "a!", "a!/", "a-", "a-/", "a.txt", "a/", "a0", "a0/", "b"];
    ensure_eq!(names(ctx, rolled_up("")).await?, expected, "the root, rolled up");
    for limit in [1, 2, 3] {
        let mut request = rolled_up("");
        request.limit = limit;
        ensure_eq!(
            names(ctx, request).await?,
            expected,
            "the root, rolled up, {limit} a page"
        );
    }
    Ok(())
}

async fn hides_internals(ctx: &Ctx) -> Verdict {
    let (storage, objects) = (ctx.storage(), ctx.storage().objects());
    write_all(ctx, ["a", "dir/b", "gone"]).await?;
    write_all(ctx, ["a", "dir/b", "gone"]).await?;
    objects.delete("gone").await?;
    let mut unfinished = None;
    if ctx.has(Capability::StreamingWrite) {
        let mut upload = objects.upload("dir/unfinished", WriteOptions::new()).await?;
        upload.write(vec![b'x'; 400_000]).await?;
        unfinished = Some(upload);
    }
    if ctx.has(Capability::CreateIfAbsent) {
        ensure!(
            objects.create("a", "x").await.is_err(),
            "creating over an object worked"
        );
    }
    if ctx.has(Capability::Documents) {
        let documents = storage.collection::<storage_core::bson::Document>("documents");
        documents
            .put("a", &storage_core::bson::doc! { "n": 1_i64 })
            .await?;
        documents.delete("a").await?;
        documents
            .put("b", &storage_core::bson::doc! { "n": 1_i64 })
            .await?;
        storage
            .lease("lease", std::time::Duration::from_secs(60))
            .try_acquire()
            .await?;
    }
    if ctx.has(Capability::Logs) {
        storage.log("log").append("entry").await?;
    }
    ensure_eq!(keys(ctx).await?, ["a", "dir/b"], "the keys");
    ensure_eq!(
        names(ctx, rolled_up("")).await?,
        ["a", "dir/"],
        "the root, rolled up"
    );
    drop(unfinished);
    storage.sweep().await?;
    ensure_eq!(keys(ctx).await?, ["a", "dir/b"], "the keys after a sweep");
    Ok(())
}

async fn over_native_page(ctx: &Ctx) -> Verdict {
    let expected: BTreeSet<String> = (0..2500)
        .map(|number| format!("many/{}/{number:05}", number % 7))
        .collect();
    write_all(ctx, &expected).await?;
    let expected: Vec<String> = expected.into_iter().collect();
    ensure_eq!(keys(ctx).await?.len(), 2500, "how many keys there are");
    for limit in [1000, 2499, 2500, 10_000] {
        let mut request = ListRequest::new("many/");
        request.limit = limit;
        ensure!(
            names(ctx, request).await? == expected,
            "the keys, {limit} a page, are not those written"
        );
    }
    let directories = [
        "many/0/", "many/1/", "many/2/", "many/3/", "many/4/", "many/5/", "many/6/",
    ];
    ensure_eq!(
        names(ctx, rolled_up("many/")).await?,
        directories,
        "2,500 keys in 7 directories, rolled up"
    );
    Ok(())
}

async fn stable_keys_exactly_once_under_writes(ctx: &Ctx) -> Verdict {
    let stable: Vec<String> = (0..300).map(|number| format!("k/{number:04}/stable")).collect();
    write_all(ctx, &stable).await?;
    let writer = ctx.second().await?.objects();
    let task = tokio::spawn(async move {
        let mut number = 0_usize;
        loop {
            let key = format!(
                "k/{:04}/{}",
                number * 7 % 300,
                if number.is_multiple_of(2) { "a" } else { "z" }
            );
            writer.write(&key, "x").await?;
            writer.delete(&format!("k/{:04}/a", number * 11 % 300)).await?;
            number += 1;
            tokio::task::yield_now().await;
        }
        #[allow(unreachable_code, reason = "gives the loop's errors their type")]
        Ok::<(), storage_core::Error>(())
    });
    let result = async {
        for round in 0..20 {
            let mut request = ListRequest::new("k/");
            request.limit = 37;
            let mut entries = ctx.storage().objects().list_with(request);
            let mut seen = Vec::new();
            while let Some(entry) = entries.next().await {
                seen.push(entry?.name().to_owned());
            }
            ensure!(
                seen.is_sorted_by(|a, b| a < b),
                "round {round}: out of order or twice"
            );
            seen.retain(|name| name.ends_with("/stable"));
            ensure!(
                seen == stable,
                "round {round}: {} of {} unchanged keys",
                seen.len(),
                stable.len()
            );
        }
        Ok(())
    }
    .await;
    task.abort();
    result
}

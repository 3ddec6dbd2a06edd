//! Setting, getting and deleting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use storage_core::{Error, ErrorKind};
use storage_stores::kv::{Kind, Lifetime, SetOptions};

use super::sample::{large, open, open_with, options, put, text};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { kv_basics:
    smoke [Documents, Indexes] values_come_back_as_they_were = "every value JSON can hold comes back, 0, false, the empty text, null and no bytes included; what is absent is none";
    smoke [Documents, Indexes] what_was_set_survives_a_reopen = "values small and large, their expiry and what is used are there after closing and opening again";
    standard [Documents, Indexes] a_value_of_another_type_is_an_error = "reading a value as a type it does not fit is InvalidArgument, bytes as JSON too, and changes nothing";
    standard [Documents, Indexes] keys_are_data = "keys such as ../.., a/b and ab name entries of their own, and list in the order of their bytes";
    standard [Documents, Indexes] keys_that_cannot_be_are_refused = "an empty key is InvalidName, one beyond the limit LimitExceeded, and the longest is taken, also for a large value";
    standard [Documents, Indexes] setting_without_options_works_and_locks_nothing = "a value that cannot be JSON is refused, and the key is free for the next";
    standard [Documents, Indexes] overwriting_replaces_value_kind_and_place = "small, large, bytes and JSON replace each other, and nothing of the old value is left";
    standard [Documents, Indexes] deleting_is_idempotent = "a deleted entry is gone everywhere, deleting it again says so, and what it took is free";
    standard [Documents, Indexes] existence_is_told_three_ways = "has, exists and get agree on what is there, expired, deleted and absent";
    standard [Documents, Indexes] if_absent_has_one_winner = "of many who set a key only where nothing is, over two handles, one does and the others are told";
    standard [Documents, Indexes] an_entry_tells_about_itself = "info gives kind, length, size, codec, times and life without the value, and size counts stored bytes and the key";
    standard [Documents, Indexes] sizes_are_bytes_however_often_it_is_written = "a text of 10 characters of 2 bytes counts 20 at the first write and at the second";
    standard [Documents, Indexes] many_at_once_have_a_result_each = "set_many, get_many and delete_many keep the order and fail one by one";
    standard [Documents, Indexes] keys_are_listed_by_prefix = "keys with a prefix come in order, the prefix itself included, over more than a page";
    standard [Documents, Indexes] a_value_is_made_once = "of many who ask for a missing value at once one makes it, and where that one fails the next does";
    standard [Documents, Indexes] racing_writers_leave_a_whole_value = "writers of small and large values over two handles leave the value of one of them, whole, and no object of the others";
    standard [Documents, Indexes] backups_are_kept_and_restored = "with backups an overwritten value is kept, counted and restored, and only so many are";
    standard [Documents, Indexes] bytes_are_compressed_and_decompressed = "compress and decompress give bytes back, and what is no frame is an error";
    standard [Documents, Indexes] after_closing_everything_is_closed = "every call after close is Closed, and closing again is Ok";
    standard [Documents, Indexes] a_location_names_document_and_object = "resolve says where an entry lives, and none for what is absent";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Preferences {
    theme: String,
    volume: u8,
    nested: BTreeMap<String, Vec<Option<i64>>>,
}

fn preferences() -> Preferences {
    Preferences {
        theme: "dark".into(),
        volume: 75,
        nested: BTreeMap::from([("é".into(), vec![Some(-1), None])]),
    }
}

async fn values_come_back_as_they_were(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    ensure_eq!(kv.get::<i64>("absent").await?, None, "a key nobody set");
    kv.set("struct", &preferences()).await?;
    ensure_eq!(kv.get("struct").await?, Some(preferences()), "a struct");
    kv.set("zero", &0).await?;
    ensure_eq!(kv.get("zero").await?, Some(0), "0");
    kv.set("false", &false).await?;
    ensure_eq!(kv.get("false").await?, Some(false), "false");
    kv.set("empty", "").await?;
    ensure_eq!(kv.get("empty").await?, Some(String::new()), "the empty text");
    kv.set("null", &()).await?;
    ensure_eq!(kv.get("null").await?, Some(()), "null");
    kv.set("none", &None::<i64>).await?;
    ensure_eq!(
        kv.get::<Option<i64>>("none").await?,
        Some(None),
        "none as a value"
    );
    kv.set("large number", &u64::MAX).await?;
    ensure_eq!(
        kv.get("large number").await?,
        Some(u64::MAX),
        "the greatest number of 64 bits"
    );
    kv.set("float", &0.1).await?;
    ensure_eq!(kv.get("float").await?, Some(0.1), "a fraction");
    put(&kv, "no bytes", "").await?;
    ensure_eq!(
        kv.get_raw("no bytes").await?.as_deref(),
        Some(&b""[..]),
        "no bytes"
    );
    let all: Vec<u8> = (0..=255).collect();
    kv.set_raw("all bytes", all.clone(), SetOptions::new()).await?;
    ensure_eq!(
        kv.get_raw("all bytes").await?,
        Some(all.into()),
        "every byte there is"
    );
    put(&kv, "large", &large('x')).await?;
    ensure_eq!(text(&kv, "large").await?, Some(large('x')), "a large value");
    ensure_eq!(
        kv.get_raw("zero").await?.as_deref(),
        Some(&b"0"[..]),
        "the JSON of a value"
    );
    let shared = kv.get_shared::<Preferences>("struct").await?;
    ensure_eq!(shared.as_deref(), Some(&preferences()), "a shared value");
    Ok(())
}

async fn what_was_set_survives_a_reopen(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set("small", &7).await?;
    put(&kv, "large", &large('x')).await?;
    kv.set_with("brief", &1, SetOptions::new().ttl(Duration::from_secs(60)))
        .await?;
    let before = (kv.stats().await?.bytes, kv.stats().await?.entries);
    kv.finish().await?;
    let storage = ctx.reopen().await?;
    let kv = open(&storage).await?;
    ensure_eq!(kv.get("small").await?, Some(7), "a small value");
    ensure_eq!(text(&kv, "large").await?, Some(large('x')), "a large value");
    let after = (kv.stats().await?.bytes, kv.stats().await?.entries);
    ensure_eq!(after, before, "bytes and entries");
    ensure_eq!(after.1, 3, "entries");
    ctx.clock().advance_wall(Duration::from_secs(61));
    ensure!(!kv.has("brief").await?, "an expiry did not survive");
    Ok(())
}

async fn a_value_of_another_type_is_an_error(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set("text", "seven").await?;
    ensure_kind!(
        kv.get::<i64>("text").await,
        ErrorKind::InvalidArgument,
        "text as a number"
    );
    put(&kv, "bytes", "7").await?;
    ensure_kind!(
        kv.get::<i64>("bytes").await,
        ErrorKind::InvalidArgument,
        "bytes as a number"
    );
    ensure_eq!(
        kv.get("text").await?,
        Some("seven".to_owned()),
        "what was read wrongly"
    );
    ensure_eq!(
        kv.get_shared::<String>("text")
            .await?
            .as_deref()
            .map(String::as_str),
        Some("seven"),
        "shared as what it is"
    );
    ensure_kind!(
        kv.get_shared::<i64>("text").await,
        ErrorKind::InvalidArgument,
        "shared as a number"
    );
    Ok(())
}

const KEYS: [&str; 12] = [
    "../..",
    "a/b",
    "ab",
    "a\\b",
    "C:\\x",
    "CON",
    " ",
    "é",
    "🦀",
    "A",
    "a",
    "kv/x.json",
];

async fn keys_are_data(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    for key in KEYS {
        kv.set(key, key).await?;
        put(&kv, &format!("{key}+"), &large('x')).await?;
    }
    for key in KEYS {
        ensure_eq!(kv.get(key).await?, Some(key.to_owned()), "the value of {key:?}");
    }
    let mut expected: Vec<String> = KEYS
        .iter()
        .flat_map(|key| [(*key).to_owned(), format!("{key}+")])
        .collect();
    expected.sort_unstable();
    ensure_eq!(kv.keys("").await?, expected, "the keys");
    ensure!(kv.delete("ab").await?, "ab was there");
    ensure_eq!(
        kv.get("a/b").await?,
        Some("a/b".to_owned()),
        "a/b once ab is deleted"
    );
    ensure_eq!(objects_of(ctx).await?, KEYS.len(), "objects");
    Ok(())
}

async fn objects_of(ctx: &Ctx) -> Result<usize, crate::case::Failure> {
    super::sample::objects(ctx.storage()).await
}

async fn keys_that_cannot_be_are_refused(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    ensure_kind!(kv.set("", &1).await, ErrorKind::InvalidName, "an empty key");
    ensure_kind!(
        kv.get::<i64>("").await,
        ErrorKind::InvalidName,
        "reading an empty key"
    );
    ensure_kind!(kv.set("a\0b", &1).await, ErrorKind::InvalidName, "a key with NUL");
    let endless = "k".repeat(100_000);
    let error = kv.set(&endless, &1).await;
    let error = crate::case::check_kind(error, ErrorKind::LimitExceeded)?;
    let limit: usize = error
        .context_value("limit")
        .unwrap_or_default()
        .parse()
        .unwrap_or(0);
    ensure!(limit >= 100, "keys of {limit} bytes are too short to be of use");
    let longest = "k".repeat(limit);
    kv.set(&longest, &1).await?;
    put(&kv, &longest, &large('x')).await?;
    ensure_eq!(text(&kv, &longest).await?, Some(large('x')), "the longest key");
    ensure_kind!(
        kv.set(format!("{longest}k"), &1).await,
        ErrorKind::LimitExceeded,
        "one byte more"
    );
    ensure_eq!(kv.keys("").await?.len(), 1, "what was refused is not there");
    Ok(())
}

async fn setting_without_options_works_and_locks_nothing(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let impossible = BTreeMap::from([((1, 2), 3)]);
    ensure_kind!(
        kv.set("k", &impossible).await,
        ErrorKind::InvalidArgument,
        "a map without text keys"
    );
    ensure_eq!(kv.get::<i64>("k").await?, None, "what was refused");
    kv.set("k", &1).await?;
    kv.lock("k", |entry| async move { entry.set(&2).await }).await?;
    ensure_eq!(kv.get("k").await?, Some(2), "what was set after it");
    Ok(())
}

async fn overwriting_replaces_value_kind_and_place(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set("k", &1).await?;
    put(&kv, "k", &large('x')).await?;
    ensure_eq!(text(&kv, "k").await?, Some(large('x')), "large over small");
    put(&kv, "k", &large('y')).await?;
    ensure_eq!(text(&kv, "k").await?, Some(large('y')), "large over large");
    ensure_eq!(objects_of(ctx).await?, 1, "objects while it is large");
    kv.set("k", &2).await?;
    ensure_eq!(kv.get("k").await?, Some(2), "small over large");
    ensure_eq!(objects_of(ctx).await?, 0, "objects once it is small");
    ensure_eq!(kv.stats().await?.entries, 1, "entries");
    ensure_eq!(
        kv.stats().await?.bytes,
        2,
        "bytes: one of the value, one of the key"
    );
    Ok(())
}

async fn deleting_is_idempotent(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    ensure!(!kv.delete("k").await?, "nothing was there");
    for value in ["small".to_owned(), large('x')] {
        put(&kv, "k", &value).await?;
        ensure!(kv.delete("k").await?, "it was there");
        ensure!(!kv.delete("k").await?, "it was gone already");
        ensure_eq!(text(&kv, "k").await?, None, "the value");
        ensure!(kv.keys("").await?.is_empty(), "it is listed");
    }
    ensure_eq!(objects_of(ctx).await?, 0, "objects");
    let stats = kv.stats().await?;
    ensure_eq!((stats.bytes, stats.entries), (0, 0), "what is used");
    Ok(())
}

async fn existence_is_told_three_ways(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set("small", &1).await?;
    put(&kv, "large", &large('x')).await?;
    kv.set_with("brief", &1, SetOptions::new().ttl(Duration::from_secs(1)))
        .await?;
    kv.set("gone", &1).await?;
    kv.delete("gone").await?;
    ctx.clock().advance_wall(Duration::from_secs(2));
    for (key, there) in [
        ("small", true),
        ("large", true),
        ("brief", false),
        ("gone", false),
        ("never", false),
    ] {
        ensure_eq!(kv.has(key).await?, there, "has {key}");
        ensure_eq!(kv.exists(key).await?, there, "exists {key}");
        ensure_eq!(kv.get_raw(key).await?.is_some(), there, "get {key}");
        ensure_eq!(kv.info(key).await?.is_some(), there, "info {key}");
    }
    Ok(())
}

async fn if_absent_has_one_winner(ctx: &Ctx) -> Verdict {
    let (one, two) = (open(ctx.storage()).await?, open(&ctx.second().await?).await?);
    for size in ["small".to_owned(), large('x')] {
        let key = format!("of {} bytes", size.len());
        let writes = (0..8).map(|writer| {
            let kv = if writer % 2 == 0 { &one } else { &two };
            kv.set_raw(&key, format!("{writer}{size}"), SetOptions::new().if_absent())
        });
        let mut won = Vec::new();
        for (writer, outcome) in join_all(writes).await.into_iter().enumerate() {
            match outcome {
                Ok(()) => won.push(writer),
                Err(error) => ensure_eq!(error.kind(), ErrorKind::AlreadyExists, "writer {writer}: {error}"),
            }
        }
        ensure_eq!(won.len(), 1, "winners");
        ensure_eq!(
            text(&one, &key).await?,
            Some(format!("{}{size}", won[0])),
            "what is there"
        );
    }
    one.cleanup().await?;
    ensure_eq!(objects_of(ctx).await?, 1, "objects after a cleanup");
    Ok(())
}

async fn an_entry_tells_about_itself(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    put(&kv, "key", &large('x')).await?;
    let info = kv.info("key").await?.ok_or("it is there")?;
    ensure_eq!(
        (info.kind, info.length, info.stored),
        (Kind::Bytes, 1000, 1000),
        "kind and lengths"
    );
    ensure_eq!((info.size, kv.size("key").await?), (1003, Some(1003)), "size");
    ensure_eq!(
        (info.codec.as_str(), info.cipher, info.expires_at),
        ("none", None, None),
        "form and life"
    );
    ensure!(
        !info.permanent && info.written_at <= ctx.storage().now(),
        "permanence and time"
    );
    let compress = SetOptions::new().compress(true).permanent();
    kv.set_raw("key", large('x'), compress).await?;
    let info = kv.info("key").await?.ok_or("it is there")?;
    ensure!(
        info.stored < 200 && info.length == 1000,
        "a compressed value takes {}",
        info.stored
    );
    ensure_eq!(info.codec, "zstd", "how it is compressed");
    ensure!(info.permanent, "it is permanent");
    ensure_eq!(text(&kv, "key").await?, Some(large('x')), "the value");
    ensure_eq!(kv.info("absent").await?, None, "what is absent");
    Ok(())
}

async fn sizes_are_bytes_however_often_it_is_written(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    for round in 0..3 {
        put(&kv, "k", &"é".repeat(10)).await?;
        ensure_eq!(
            kv.size("k").await?,
            Some(21),
            "the size, written {} times",
            round + 1
        );
        ensure_eq!(
            kv.stats().await?.bytes,
            21,
            "what is used, written {} times",
            round + 1
        );
    }
    Ok(())
}

async fn many_at_once_have_a_result_each(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let values: Vec<(String, usize)> = (0..40).map(|number| (format!("k{number}"), number)).collect();
    let results = kv.set_many(&values, SetOptions::new()).await;
    ensure!(
        results.iter().all(Result::is_ok) && results.len() == 40,
        "all are set"
    );
    let keys = ["k7", "absent", "k39"];
    ensure_eq!(
        kv.get_many::<_, usize>(&keys).await?,
        [Some(7), None, Some(39)],
        "in the order asked"
    );
    let mixed = kv
        .set_many(&[("fine", 1), ("", 2), ("fine too", 3)], SetOptions::new())
        .await;
    ensure_eq!(
        mixed.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true],
        "one by one"
    );
    let deleted: Result<Vec<bool>, Error> = kv.delete_many(&keys).await.into_iter().collect();
    ensure_eq!(deleted?, [true, false, true], "what was deleted");
    Ok(())
}

async fn keys_are_listed_by_prefix(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let mut users: Vec<String> = (0..150).map(|number| format!("user/{number:03}")).collect();
    users.push("user/".to_owned());
    users.sort_unstable();
    let results = kv
        .set_many(
            &users.iter().map(|key| (key, 1)).collect::<Vec<_>>(),
            SetOptions::new(),
        )
        .await;
    ensure!(results.iter().all(Result::is_ok), "all are set");
    for other in ["user", "user0", "usez", "a", "z"] {
        kv.set(other, &1).await?;
    }
    ensure_eq!(kv.keys("user/").await?, users, "keys with the prefix");
    ensure_eq!(kv.keys("user/14").await?.len(), 10, "keys with a longer prefix");
    ensure!(kv.keys("nobody").await?.is_empty(), "keys with no prefix of any");
    ensure_eq!(kv.keys("").await?.len(), users.len() + 5, "all keys");
    Ok(())
}

async fn a_value_is_made_once(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let made = Arc::new(AtomicU32::new(0));
    let asks = (0..8).map(|_| {
        let (kv, made) = (kv.clone(), Arc::clone(&made));
        async move {
            kv.get_or_set("k", SetOptions::new(), || async move {
                tokio::task::yield_now().await;
                match made.fetch_add(1, Ordering::SeqCst) {
                    0 => Err(Error::new(ErrorKind::Unavailable, "the first attempt fails")),
                    _ => Ok(7),
                }
            })
            .await
        }
    });
    let results = join_all(asks).await;
    let (fine, failed): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    ensure_eq!((fine.len(), failed.len()), (7, 1), "who got it and who failed");
    ensure_eq!(made.load(Ordering::SeqCst), 2, "how often it was made");
    ensure_eq!(kv.get("k").await?, Some(7), "what was made");
    Ok(())
}

async fn racing_writers_leave_a_whole_value(ctx: &Ctx) -> Verdict {
    let (one, two) = (open(ctx.storage()).await?, open(&ctx.second().await?).await?);
    let letters = ['a', 'b', 'c', 'd', 'e', 'f'];
    for round in 0..4 {
        let writes = letters.iter().enumerate().map(|(writer, letter)| {
            let kv = if writer % 2 == 0 { &one } else { &two };
            let value = if (writer + round) % 3 == 0 {
                letter.to_string()
            } else {
                large(*letter)
            };
            async move { put(kv, "k", &value).await }
        });
        for written in join_all(writes).await {
            written?;
        }
        let value = text(&one, "k").await?.ok_or("one of them is there")?;
        let first = value.chars().next().ok_or("no writer's value is empty")?;
        ensure!(
            value == first.to_string() || value == large(first),
            "a value of nobody: {value:?}"
        );
        ensure_eq!(text(&two, "k").await?, Some(value.clone()), "the other handle");
        one.cleanup().await?;
        ensure_eq!(
            objects_of(ctx).await?,
            usize::from(value.len() > 64),
            "objects after a cleanup"
        );
        ensure_eq!(one.verify().await?.problems, [], "problems");
        one.finish().await?;
        two.finish().await?;
        ensure_eq!(one.stats().await?.bytes, value.len() as u64 + 1, "what is used");
    }
    Ok(())
}

async fn backups_are_kept_and_restored(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), options().backups(2)).await?;
    for value in ["one".to_owned(), large('2'), "three".to_owned(), large('4')] {
        put(&kv, "k", &value).await?;
    }
    let info = kv.info("k").await?.ok_or("it is there")?;
    ensure_eq!(
        (info.backups, info.size),
        (2, 1000 + 5 + 1000 + 1),
        "backups and what they take"
    );
    ensure_eq!(kv.stats().await?.bytes, 2006, "what is used");
    ensure_eq!(objects_of(ctx).await?, 2, "objects");
    kv.restore("k").await?;
    ensure_eq!(
        text(&kv, "k").await?,
        Some("three".to_owned()),
        "the value before"
    );
    kv.restore("k").await?;
    ensure_eq!(text(&kv, "k").await?, Some(large('4')), "and back");
    ensure_eq!(kv.verify().await?.sound, 3, "values that are sound");
    ensure!(kv.delete("k").await?, "it was there");
    ensure_eq!(objects_of(ctx).await?, 0, "objects once it is deleted");
    put(&kv, "k", "alone").await?;
    ensure_kind!(
        kv.restore("k").await,
        ErrorKind::NotFound,
        "an entry without a backup"
    );
    ensure_kind!(kv.restore("absent").await, ErrorKind::NotFound, "no entry");
    Ok(())
}

async fn bytes_are_compressed_and_decompressed(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let frame = kv.compress(large('x')).await?;
    ensure!(frame.len() < 200, "{} bytes", frame.len());
    ensure_eq!(kv.decompress(frame).await?, large('x'), "what comes out");
    ensure_kind!(
        kv.decompress("no frame").await,
        ErrorKind::Corrupt,
        "something else"
    );
    Ok(())
}

async fn after_closing_everything_is_closed(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set("k", &1).await?;
    kv.close().await?;
    kv.close().await?;
    ensure_kind!(kv.set("k", &2).await, ErrorKind::Closed, "set");
    ensure_kind!(kv.get::<i64>("other").await, ErrorKind::Closed, "get");
    ensure_kind!(kv.delete("k").await, ErrorKind::Closed, "delete");
    ensure_kind!(kv.touch("k", Lifetime::Forever).await, ErrorKind::Closed, "touch");
    ensure_kind!(kv.keys("").await, ErrorKind::Closed, "keys");
    ensure_kind!(kv.stats().await, ErrorKind::Closed, "stats");
    ensure_kind!(kv.align().await, ErrorKind::Closed, "align");
    ensure_kind!(
        kv.lock("k", |_| async { Ok(()) }).await,
        ErrorKind::Closed,
        "lock"
    );
    Ok(())
}

async fn a_location_names_document_and_object(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set("small", &1).await?;
    put(&kv, "large", &large('x')).await?;
    let small = kv.resolve("small").await?.ok_or("it is there")?;
    ensure_eq!(
        (small.id.as_str(), small.object),
        ("small", None),
        "a small value"
    );
    let place = kv.resolve("large").await?.ok_or("it is there")?;
    let object = place.object.ok_or("a large value is in an object")?;
    ensure_eq!(
        ctx.storage().objects().read(object).await?,
        Some(large('x').into()),
        "the object"
    );
    let presigns = ctx.has(storage_core::Capability::Presign);
    ensure_eq!(place.url.is_some(), presigns, "an address where there are such");
    ensure_eq!(kv.resolve("absent").await?, None, "what is absent");
    Ok(())
}

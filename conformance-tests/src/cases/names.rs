//! Names are data: whatever a key is made of, it stays itself and never meets another.

mod weird;

use std::collections::BTreeMap;

use storage_core::{Capability, ErrorKind, ListRequest};

pub(crate) use self::weird::WEIRD;
use super::listing::{names as listed, write_all};
use super::objects::{expect, keys};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { names:
    smoke [] weird_table_roundtrip = "slashes, dots, quotes, controls, escapes and every plane of Unicode come back in read, list, copy and delete";
    smoke [] empty_and_nul_rejected = "an empty name and one with NUL are InvalidName, everywhere, before any effect";
    standard [] traversal_is_data = "names that look like paths out of the place stay in it";
    standard [] escape_is_injective timeout 600 = "names that look like escapes of each other never collide";
    standard [] case_sensitive = "names that differ in case alone are different names";
    standard [] nfc_nfd_distinct = "names that differ in normalization alone are different names, and neither is changed";
    standard [] windows_reserved = "names Windows reserves are ordinary names";
    standard [] looks_internal = "names that look like a library's own files are ordinary names";
    standard [] file_and_directory_of_the_same_name = "a and a/b exist beside each other, in either order";
    standard [] long_segments = "one segment, or very many, up to the longest key are ordinary names";
}

async fn weird_table_roundtrip(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    write_all(ctx, WEIRD).await?;
    let mut expected: Vec<&str> = WEIRD.to_vec();
    expected.sort_unstable();
    ensure_eq!(keys(ctx).await?, expected, "the keys");
    for name in WEIRD {
        expect(ctx, name, Some(name.as_bytes())).await?;
        let under = listed(ctx, ListRequest::new(*name)).await?;
        ensure!(
            under.iter().any(|key| key == name),
            "a listing under {name:?} misses it: {under:?}"
        );
    }
    for name in WEIRD {
        if ctx.has(Capability::Copy) {
            let copy = format!("copies/{name}");
            objects.copy(name, &copy).await?;
            expect(ctx, &copy, Some(name.as_bytes())).await?;
            objects.delete(&copy).await?;
        }
        objects.delete(name).await?;
        expect(ctx, name, None).await?;
        expected.retain(|kept| kept != name);
    }
    ensure_eq!(keys(ctx).await?, expected, "the keys after deleting each");
    Ok(())
}

async fn empty_and_nul_rejected(ctx: &Ctx) -> Verdict {
    let (storage, objects) = (ctx.storage(), ctx.storage().objects());
    for name in ["", "\0", "a\0b", "a/\0"] {
        ensure_kind!(
            objects.write(name, "x").await,
            ErrorKind::InvalidName,
            "writing {name:?}"
        );
        ensure_kind!(
            objects.read(name).await,
            ErrorKind::InvalidName,
            "reading {name:?}"
        );
        ensure_kind!(
            objects.stat(name).await,
            ErrorKind::InvalidName,
            "stat of {name:?}"
        );
        ensure_kind!(
            objects.delete(name).await,
            ErrorKind::InvalidName,
            "deleting {name:?}"
        );
        ensure_kind!(
            objects.exists(name).await,
            ErrorKind::InvalidName,
            "whether {name:?} exists"
        );
        if ctx.has(Capability::Documents) {
            let documents = storage.collection::<BTreeMap<String, i64>>("documents");
            ensure_kind!(
                documents.put(name, &BTreeMap::new()).await,
                ErrorKind::InvalidName,
                "putting {name:?}"
            );
            ensure_kind!(
                documents.get(name).await,
                ErrorKind::InvalidName,
                "getting {name:?}"
            );
            let strange = storage.collection::<BTreeMap<String, i64>>(name);
            ensure_kind!(
                strange.put("a", &BTreeMap::new()).await,
                ErrorKind::InvalidName,
                "a collection {name:?}"
            );
        }
        if ctx.has(Capability::Logs) {
            ensure_kind!(
                storage.log(name).append("x").await,
                ErrorKind::InvalidName,
                "a log {name:?}"
            );
        }
    }
    ensure_kind!(
        objects.list_page(ListRequest::new("a\0")).await,
        ErrorKind::InvalidName,
        "a prefix with NUL"
    );
    ensure_eq!(
        crate::digest::digest(storage).await?.len(),
        0,
        "what is stored under names that cannot be"
    );
    Ok(())
}

async fn traversal_is_data(ctx: &Ctx) -> Verdict {
    let neighbour = ctx.other_place("1").await?.objects();
    neighbour.write("victim", "untouched").await?;
    let place = ctx.place();
    let names: Vec<String> = [
        "../victim",
        "../../victim",
        "/victim",
        "..\\victim",
        "a/../../victim",
        "%2e%2e/victim",
        "..",
        "../..",
        "/etc/passwd",
    ]
    .iter()
    .map(|name| (*name).to_owned())
    .chain([
        format!("../{place}1/victim"),
        format!("/{place}1/victim"),
        format!("..%2f{place}1%2fvictim"),
    ])
    .collect();
    write_all(ctx, &names).await?;
    for name in &names {
        expect(ctx, name, Some(name.as_bytes())).await?;
    }
    let mut expected = names.clone();
    expected.sort_unstable();
    ensure_eq!(keys(ctx).await?, expected, "the keys");
    for name in &names {
        ctx.storage().objects().delete(name).await?;
    }
    crate::settle::settled(ctx).await;
    let read = neighbour.read("victim").await?;
    ensure_eq!(
        read.as_deref(),
        Some(b"untouched".as_slice()),
        "an object of the neighbour"
    );
    Ok(())
}

async fn escape_is_injective(ctx: &Ctx) -> Verdict {
    // Made of what escapes are made of, so that one name is likely to be another's escape.
    const PARTS: &[&str] = &[
        "%", "%2", "%25", "%2F", "/", "//", ".", "..", "~", "_", "a", "A", "25", "2F", "2f", "\\", " ", "é",
        "\u{1}", "=", "$", "#", "tmp",
    ];
    let (objects, mut random) = (ctx.storage().objects(), ctx.random());
    let mut model = BTreeMap::new();
    for _ in 0..400 {
        let name: String = (0..=random.below(5)).map(|_| *random.pick(PARTS)).collect();
        if model.contains_key(&name) && random.below(2) == 0 {
            objects.delete(&name).await?;
            model.remove(&name);
        } else {
            let bytes = random.bytes(8);
            objects.write(&name, bytes.clone()).await?;
            model.insert(name, bytes);
        }
    }
    ensure_eq!(
        keys(ctx).await?,
        model.keys().cloned().collect::<Vec<_>>(),
        "the keys"
    );
    for (name, bytes) in &model {
        expect(ctx, name, Some(bytes)).await?;
    }
    Ok(())
}

/// Names that must stay apart: each is written, read, and deleted while the others stay.
async fn stay_apart(ctx: &Ctx, names: &[&str]) -> Verdict {
    let objects = ctx.storage().objects();
    for name in names {
        ensure!(
            objects.read(name).await?.is_none(),
            "{name:?} is there before it was written"
        );
        objects.write(name, name.as_bytes().to_vec()).await?;
    }
    let mut expected = names.to_vec();
    expected.sort_unstable();
    ensure_eq!(keys(ctx).await?, expected, "the keys");
    for (at, name) in names.iter().enumerate() {
        expect(ctx, name, Some(name.as_bytes())).await?;
        objects.delete(name).await?;
        expect(ctx, name, None).await?;
        for kept in &names[at + 1..] {
            expect(ctx, kept, Some(kept.as_bytes())).await?;
        }
    }
    ensure_eq!(
        keys(ctx).await?,
        Vec::<String>::new(),
        "the keys after deleting each"
    );
    Ok(())
}

async fn case_sensitive(ctx: &Ctx) -> Verdict {
    stay_apart(
        ctx,
        &[
            "a", "A", "Readme", "README", "readme", "dir/x", "DIR/x", "Dir/X", "ß", "ẞ", "ss", "SS", "É",
            "é", "ſ", "K", "\u{212a}", "k",
        ],
    )
    .await
}

async fn nfc_nfd_distinct(ctx: &Ctx) -> Verdict {
    stay_apart(
        ctx,
        &[
            "é",
            "e\u{301}",
            "Å",
            "\u{212b}",
            "A\u{30a}",
            "가",
            "\u{1100}\u{1161}",
            "ﬁ",
            "fi",
            "dir-é/x",
            "dir-e\u{301}/x",
        ],
    )
    .await
}

async fn windows_reserved(ctx: &Ctx) -> Verdict {
    stay_apart(
        ctx,
        &[
            "CON", "con", "PRN", "AUX", "NUL", "nul.txt", "COM1", "com1.log", "LPT9", "COM¹", "CONIN$", "a.",
            "a", "a ", "a. .", "dir./x", "dir /x", "dir/x", "a:b", "a::$DATA",
        ],
    )
    .await
}

async fn looks_internal(ctx: &Ctx) -> Verdict {
    stay_apart(
        ctx,
        &[
            "x",
            "x.tmp",
            "x.temp",
            "x.attrs",
            "x.lock",
            ".lock",
            ".tmp",
            ".tmp/x",
            "tmp/x",
            "x~",
            "x.part",
            "x.partial",
            "x.json",
            "x.meta",
            "x.version",
            ".storage",
            ".storage/x",
            "_storage",
            "_storage.x",
            "_storage/x",
            "storage.json",
            "format",
            "FORMAT",
            "version",
            "objects/x",
            "overlay/x",
            "documents/x",
            "logs/x",
            "catalog/x",
            "entries/x",
            "claims/x",
            "head",
            "x.log",
            "x.jsonl",
            "x-wal",
            "x-shm",
            "x-journal",
            ".git/config",
            ".DS_Store",
            "lost+found",
            "x%",
            "x.%",
            "x%/y",
        ],
    )
    .await
}

async fn file_and_directory_of_the_same_name(ctx: &Ctx) -> Verdict {
    stay_apart(
        ctx,
        &[
            "a",
            "a/b",
            "a/b/c",
            "a/",
            "a//",
            "x/y/z",
            "x/y",
            "x",
            "f.txt/g.txt",
            "f.txt",
        ],
    )
    .await
}

async fn long_segments(ctx: &Ctx) -> Verdict {
    let limit = usize::try_from(ctx.declaration().objects.max_key_bytes)
        .unwrap_or(usize::MAX)
        .min(4096);
    let fill = |text: &str| {
        text.repeat(limit / text.len() + 1)
            .chars()
            .fold(String::new(), |mut name, letter| {
                if name.len() + letter.len_utf8() <= limit {
                    name.push(letter);
                }
                name
            })
    };
    // 255 bytes are the longest segment of most file systems; escapes take up to three bytes for one.
    let segment = |length: usize| "s".repeat(length.min(limit));
    let names = [
        fill("a"),
        fill("A"),
        fill("/"),
        fill("a/"),
        fill("%"),
        fill(" "),
        fill("é"),
        fill("日"),
        fill("😀"),
        fill("."),
        segment(254),
        segment(255),
        segment(256),
        format!("{}/{}", segment(255.min(limit / 3)), segment(255.min(limit / 3))),
        "é".repeat(86.min(limit / 2)),
        "%".repeat(85.min(limit)),
        "%".repeat(86.min(limit)),
    ];
    let distinct: std::collections::BTreeSet<&str> = names.iter().map(String::as_str).collect();
    stay_apart(ctx, &distinct.into_iter().collect::<Vec<_>>()).await
}

//! Names that mean something to somebody else.

use storage_core::bson::doc;
use storage_core::{Index, Query};

use super::listed;
use crate::case::{Verdict, ensure, ensure_eq};
use crate::cases::sample::{documents, ids, load};
use crate::context::Ctx;

/// Text that means something to a file system, a query language, an escape or a person.
pub(in crate::cases) const HOSTILE: &[&str] = &[
    "..",
    ".",
    "../x",
    "a/b",
    "/a",
    "a/",
    "a//b",
    "a\\b",
    "C:\\x",
    "CON",
    "nul.txt",
    "a.json",
    "a.json%",
    ".tmp",
    "x.tmp",
    ".lock",
    "%",
    "%2F",
    "%00",
    "a%2Fb",
    "a%252Fb",
    "+",
    "?",
    "#",
    "&=;",
    "*",
    "a*",
    "~",
    "-",
    "--",
    "_",
    "$",
    "$where",
    "$set",
    "a.b",
    ".a",
    "__proto__",
    "sqlite_master",
    "system.indexes",
    "'; DROP TABLE x; --",
    "\"",
    "`",
    "[x]",
    "{x}",
    "<x>",
    "|",
    "a b",
    " ",
    " a",
    "a ",
    "a.",
    "\n",
    "\t",
    "\r\n",
    "\u{1}",
    "\u{7F}",
    "\u{202E}abc",
    "\u{FEFF}",
    "é",
    "e\u{301}",
    "ß",
    "İ",
    "ı",
    "K",
    "\u{212A}",
    "k",
    "😀",
    "\u{FFFF}",
    "\u{10FFFF}",
    "A",
    "a",
    "AA",
    "aa",
    "aA",
    "null",
    "undefined",
    "0",
    "00",
    "1e5",
    "true",
    "documents",
    "catalog",
];

pub(super) async fn hostile_ids_are_ids(ctx: &Ctx) -> Verdict {
    let hostile = documents(ctx.storage(), "hostile");
    let all: Vec<_> = HOSTILE
        .iter()
        .map(|id| ((*id).to_owned(), doc! { "id": *id }))
        .collect();
    load(&hostile, &all).await?;
    for id in HOSTILE {
        let read = hostile
            .get(id)
            .await?
            .map(|read| (read.id.to_string(), read.value));
        ensure_eq!(
            read,
            Some(((*id).to_owned(), doc! { "id": *id })),
            "the document {id:?}"
        );
    }
    let mut sorted = HOSTILE.to_vec();
    sorted.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    ensure_eq!(
        ids(&hostile, Query::all()).await?,
        sorted,
        "all ids, in byte order"
    );
    for (at, id) in sorted.iter().enumerate().step_by(2) {
        ensure!(hostile.delete(id).await?, "{id:?} was there to delete");
        ensure!(hostile.get(id).await?.is_none(), "{id:?} is deleted, {at}");
    }
    let kept: Vec<_> = sorted.iter().skip(1).step_by(2).copied().collect();
    ensure_eq!(
        ids(&hostile, Query::all()).await?,
        kept,
        "deleting some left the others"
    );
    Ok(())
}

pub(super) async fn hostile_collection_names_are_names(ctx: &Ctx) -> Verdict {
    for name in HOSTILE {
        documents(ctx.storage(), name)
            .put(name, &doc! { "name": *name })
            .await?;
    }
    let second = ctx.second().await?;
    for name in HOSTILE {
        let found = documents(&second, name)
            .find(Query::all())
            .await?
            .collect()
            .await?;
        ensure_eq!(found.len(), 1, "the size of collection {name:?}");
        ensure_eq!(
            found[0].value,
            doc! { "name": *name },
            "the document of collection {name:?}"
        );
    }
    let mut sorted = HOSTILE.to_vec();
    sorted.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    ensure_eq!(listed(&second).await?, sorted, "all collections, in byte order");
    if ctx.has(storage_core::Capability::Indexes) {
        let people = documents(ctx.storage(), "people");
        people.put("ada", &doc! { "n": 1_i64 }).await?;
        for name in HOSTILE.iter().step_by(8) {
            people.ensure_index(Index::btree(*name, ["n"])).await?;
        }
        let known: Vec<String> = people
            .indexes()
            .await?
            .into_iter()
            .map(|info| info.index.name)
            .collect();
        let mut named: Vec<_> = HOSTILE.iter().step_by(8).copied().collect();
        named.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
        ensure_eq!(known, named, "the indexes, in byte order");
        for name in HOSTILE.iter().step_by(8) {
            ensure_eq!(
                people.index_stats(name).await?.total_entries,
                1,
                "the index {name:?}"
            );
            ensure!(people.drop_index(name).await?, "index {name:?} was there to drop");
        }
    }
    Ok(())
}

//! Pages: a query in pieces gives what it gives at once, also while others write.

mod writers;

use base64::Engine;
use storage_core::bson::doc;
use storage_core::{ErrorKind, Index, PageToken, Query};

use self::writers::{
    concurrent_writers_hide_nothing, dropped_cursors_release_what_they_hold, unchanged_documents_come_once,
    unchanged_documents_come_once_in_an_order,
};
use super::sample::{Documents, documents, ids, load};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;
use crate::reference::{Order, answer, condition, documents_of};

cases! { pages:
    smoke [Documents] pages_concatenate = "pages of 1, 2, 7 and all, one after the other, give every document once and in order";
    standard [Indexes] pages_of_random_queries_concatenate = "the same for random conditions and orders, with indexes and without";
    standard [Documents] limit_zero_is_nothing = "a limit of 0 gives nothing, and no error";
    standard [Documents] end_stays_the_end = "after the last document there is None, however often it is asked";
    standard [Documents] token_goes_on_elsewhere = "a token taken as text goes on in another client";
    standard [Indexes] token_belongs_to_its_query = "with another filter or order a token is InvalidArgument";
    standard [Documents] forged_token_is_refused = "text that is no token, however it is made, is InvalidArgument";
    standard [Documents] unchanged_documents_come_once = "while others insert, change and delete, what does not change comes exactly once";
    standard [Indexes] unchanged_documents_come_once_in_an_order = "the same in the order of an index, and of a scan";
    standard [Documents] concurrent_writers_hide_nothing = "a long find beside two writers misses no document that stands still";
    standard [Documents] dropped_cursors_release_what_they_hold = "200 finds given up half way leave the storage usable and closable";
}

async fn pages_concatenate(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let all: Vec<_> = (0..120_i64)
        .map(|n| (format!("{n:03}"), doc! { "n": n }))
        .collect();
    load(&things, &all).await?;
    let expected: Vec<&String> = all.iter().map(|(id, _)| id).collect();
    ensure_eq!(
        ids(&things, Query::all()).await?.iter().collect::<Vec<_>>(),
        expected,
        "a stream over pages"
    );
    for limit in [1, 2, 7, 119, 120, 121] {
        let paged = paged(&things, &Query::all(), limit).await?;
        ensure_eq!(paged.iter().collect::<Vec<_>>(), expected, "pages of {limit}");
    }
    Ok(())
}

/// The ids over all pages of a query.
async fn paged(things: &Documents, query: &Query, limit: usize) -> Result<Vec<String>, crate::case::Failure> {
    let mut all: Vec<String> = Vec::new();
    let mut query = query.clone().limit(limit as u64);
    loop {
        let page = things.find_page(query.clone()).await?;
        ensure!(
            page.documents.len() <= limit,
            "a page of {limit} has {} documents",
            page.documents.len()
        );
        ensure!(
            page.next.is_none() || page.documents.len() == limit,
            "a page before the last is full"
        );
        all.extend(page.documents.into_iter().map(|document| document.id.to_string()));
        ensure!(all.len() < 10_000, "paging does not come to an end");
        match page.next {
            Some(token) => query = query.after(token),
            None => return Ok(all),
        }
    }
}

async fn pages_of_random_queries_concatenate(ctx: &Ctx) -> Verdict {
    let mut random = ctx.random();
    let things = documents(ctx.storage(), "things");
    let all = documents_of(&mut random, 60, false);
    load(&things, &all).await?;
    for indexed in [false, true] {
        if indexed {
            for index in [
                Index::btree("a", ["a"]),
                Index::btree("b_a", ["b", "a"]),
                Index::btree("b_each", ["b"]).each(),
            ] {
                things.ensure_index(index).await?;
            }
        }
        for _ in 0..12 {
            let condition = condition(&mut random, 1);
            let order: Order = match random.below(5) {
                0 => vec![("a", random.below(2) == 1)],
                1 => vec![("b", random.below(2) == 1), ("a", random.below(2) == 1)],
                2 => vec![("b", true)],
                _ => vec![],
            };
            let mut query = condition.query().allow_scan();
            for (field, descending) in &order {
                query = if *descending {
                    query.sort_descending(*field)
                } else {
                    query.sort(*field)
                };
            }
            let expected = answer(&all, Some(&condition), &order);
            for limit in [1, 2, 7, 60] {
                let paged = paged(&things, &query, limit).await?;
                ensure_eq!(
                    paged,
                    expected,
                    "{condition:?} by {order:?} in pages of {limit}, indexed: {indexed}"
                );
            }
        }
    }
    Ok(())
}

async fn limit_zero_is_nothing(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    things.put("a", &doc! {}).await?;
    ensure!(
        ids(&things, Query::all().limit(0)).await?.is_empty(),
        "find up to none"
    );
    ensure!(
        things
            .find_page(Query::all().limit(0))
            .await?
            .documents
            .is_empty(),
        "a page of none"
    );
    Ok(())
}

async fn end_stays_the_end(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    things.put("a", &doc! {}).await?;
    let mut found = things.find(Query::all()).await?;
    ensure!(found.next().await?.is_some(), "the one document");
    for again in 0..3 {
        ensure!(found.next().await?.is_none(), "the end, {again}");
        things.put(format!("b{again}"), &doc! {}).await?;
    }
    let page = things.find_page(Query::all().limit(4)).await?;
    ensure!(
        page.next.is_none(),
        "a page that ends with the last document is the last"
    );
    Ok(())
}

async fn token_goes_on_elsewhere(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    let names = ["a", "b", "é", "😀", "a\u{FFFF}", "z/z", "..", "%2F"];
    for name in names {
        things.put(name, &doc! {}).await?;
    }
    let all = ids(&things, Query::all()).await?;
    let second = documents(&ctx.second().await?, "things");
    for at in 1..all.len() {
        let page = things.find_page(Query::all().limit(at as u64)).await?;
        let Some(token) = page.next else {
            return Err(format!("a page of {at} of {} has no next", all.len()).into());
        };
        let carried: PageToken = token.to_string().parse()?;
        ensure_eq!(
            ids(&second, Query::all().after(carried)).await?,
            all[at..],
            "what follows the first {at}"
        );
    }
    Ok(())
}

async fn token_belongs_to_its_query(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    for n in 0..5_i64 {
        things.put(n.to_string(), &doc! { "a": n, "b": 1_i64 }).await?;
    }
    let queries = [
        Query::all(),
        Query::ge("a", 0_i64),
        Query::ge("a", 0.5),
        Query::gt("a", -1_i64),
        Query::ge("b", 0_i64),
        Query::ge("a", 0_i64).and(Query::eq("b", 1_i64)),
        Query::ge("a", 0_i64).or(Query::eq("b", 1_i64)),
        Query::ge("a", 0_i64).sort_descending("a"),
        Query::all().sort("a"),
        Query::all().sort("b"),
        Query::eq("b", 1_i64),
        Query::is_in("b", [1_i64, 2]),
        Query::exists("b", true),
    ];
    for (at, query) in queries.iter().enumerate() {
        let query = query.clone().limit(1).allow_scan();
        let Some(token) = things.find_page(query.clone()).await?.next else {
            return Err("there is no next page".into());
        };
        for (other_at, other) in queries.iter().enumerate() {
            let reused = other.clone().after(token.clone()).allow_scan();
            if at == other_at {
                // How many are wanted at a time is not part of the query.
                things.find(reused.limit(3)).await?;
            } else {
                ensure_kind!(
                    things.find(reused.clone()).await,
                    ErrorKind::InvalidArgument,
                    "{query:?} goes on as {other:?}"
                );
                ensure_kind!(
                    things.find_page(reused).await,
                    ErrorKind::InvalidArgument,
                    "a page of {other:?}"
                );
            }
        }
    }
    Ok(())
}

async fn forged_token_is_refused(ctx: &Ctx) -> Verdict {
    let things = documents(ctx.storage(), "things");
    for id in ["a", "b", "c"] {
        things.put(id, &doc! {}).await?;
    }
    let Some(token) = things.find_page(Query::all().limit(1)).await?.next else {
        return Err("there is no next page".into());
    };
    let text = token.to_string();
    let coded = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let deep = nested_in_arrays(50_000);
    let mut hollow = Vec::new();
    doc! { "query": 1_i64, "values": {}, "id": "\0" }
        .to_writer(&mut hollow)
        .map_err(|error| error.to_string())?;
    let forged = [
        String::new(),
        "x".to_owned(),
        "a".repeat(100_000),
        "😀".to_owned(),
        "../../etc/passwd".to_owned(),
        "{}".to_owned(),
        text[..text.len() - 1].to_owned(),
        format!("{text}A"),
        format!(" {text}"),
        text.to_lowercase(),
        text.chars().rev().collect(),
        coded(b""),
        coded(&[0xFF; 64]),
        coded(&[5, 0, 0, 0, 0]),
        coded(&[0xFF, 0xFF, 0xFF, 0x7F, 0]),
        coded(&deep),
        coded(&hollow),
    ];
    for forged in forged {
        if forged == text {
            continue;
        }
        let token: PageToken = forged.parse()?;
        let refused = things.find(Query::all().after(token)).await;
        ensure_kind!(
            refused,
            ErrorKind::InvalidArgument,
            "a token of {} bytes: {forged:.60}",
            forged.len()
        );
    }
    Ok(())
}

/// The bytes of a token whose one value is so many arrays deep: reading it level by level would overflow the stack.
fn nested_in_arrays(depth: i32) -> Vec<u8> {
    let mut inner = Vec::new();
    for level in 0..depth {
        // A length, one array named "0", and the end: eight bytes around each level, five for the empty one.
        inner.extend_from_slice(&(5 + 8 * (depth - level)).to_le_bytes());
        inner.extend_from_slice(&[4, b'0', 0]);
    }
    inner.extend_from_slice(&[5, 0, 0, 0, 0]);
    inner.extend(std::iter::repeat_n(0, usize::try_from(depth).unwrap_or(0)));
    let mut token = vec![0; 4];
    token.extend_from_slice(b"\x05query\0\0\0\0\0\0\x04values\0");
    token.extend_from_slice(&inner);
    token.extend_from_slice(b"\x02id\0\x02\0\0\0a\0\0");
    let length = i32::try_from(token.len()).unwrap_or(i32::MAX);
    token[..4].copy_from_slice(&length.to_le_bytes());
    token
}

//! Documents written and deleted on a condition.

use storage_core::bson::doc;
use storage_core::{Error, ErrorKind, Version};

use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::cases::sample::{Documents, documents, in_parallel, winners};
use crate::context::Ctx;

cases! { document_conditions:
    smoke [Documents] insert_refuses_what_is_there = "insert over a document is AlreadyExists and changes nothing";
    smoke [Documents] put_if_current = "put_if with the current version writes, with a stale one it is PreconditionFailed and changes nothing";
    smoke [Documents] put_if_missing_is_precondition_failed = "put_if where nothing is, or nothing is any more, is refused";
    smoke [Documents] delete_if_current = "delete_if deletes the current version only";
    standard [Documents] change_and_change_back_is_noticed = "a version does not come back with the value";
    standard [Documents] versions_travel_as_text = "a version read back from text is as good as the one returned";
    standard [Documents] forged_version_is_refused = "a version nobody gave never matches";
    standard [Documents] insert_race_has_one_winner = "of many inserts over two handles exactly one succeeds, and its value stays";
    standard [Documents] put_if_race_has_one_winner = "of many put_if of one version over two handles exactly one succeeds";
    standard [Documents] delete_if_race_has_one_winner = "a put_if and a delete_if of one version never both succeed";
}

async fn insert_refuses_what_is_there(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let version = people.insert("ada", &doc! { "n": 1_i64 }).await?;
    ensure_kind!(
        people.insert("ada", &doc! { "n": 2_i64 }).await,
        ErrorKind::AlreadyExists,
        "insert over a document"
    );
    unchanged(&people, "ada", 1, &version).await?;
    let second = documents(&ctx.second().await?, "people");
    ensure_kind!(
        second.insert("ada", &doc! { "n": 3_i64 }).await,
        ErrorKind::AlreadyExists,
        "by another client"
    );
    unchanged(&people, "ada", 1, &version).await
}

async fn put_if_current(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let first = people.put("ada", &doc! { "n": 1_i64 }).await?;
    // The version from a put is good for the next write, without reading in between.
    let second = people.put_if("ada", &doc! { "n": 2_i64 }, first.clone()).await?;
    let stale = people.put_if("ada", &doc! { "n": 3_i64 }, first).await;
    ensure_eq!(
        current(&stale),
        Some(second.to_string()),
        "the refusal names the current version"
    );
    ensure_kind!(stale, ErrorKind::PreconditionFailed, "a stale version");
    unchanged(&people, "ada", 2, &second).await?;
    people.put("bob", &doc! {}).await?;
    let other = people.put_if("bob", &doc! { "n": 4_i64 }, second).await;
    ensure_kind!(
        other,
        ErrorKind::PreconditionFailed,
        "the version of another document"
    );
    Ok(())
}

async fn put_if_missing_is_precondition_failed(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let refused = people.put_if("ada", &doc! {}, Version::random()).await;
    ensure_kind!(refused, ErrorKind::PreconditionFailed, "where nothing ever was");
    ensure_eq!(people.get("ada").await?, None, "nothing was written");
    let version = people.put("ada", &doc! {}).await?;
    people.delete("ada").await?;
    let refused = people.put_if("ada", &doc! {}, version).await;
    ensure_kind!(refused, ErrorKind::PreconditionFailed, "where it was deleted");
    ensure_eq!(people.get("ada").await?, None, "it stays deleted");
    Ok(())
}

async fn delete_if_current(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let refused = people.delete_if("ada", Version::random()).await;
    ensure_kind!(refused, ErrorKind::PreconditionFailed, "where nothing ever was");
    let first = people.put("ada", &doc! { "n": 1_i64 }).await?;
    let second = people.put("ada", &doc! { "n": 2_i64 }).await?;
    ensure_kind!(
        people.delete_if("ada", first).await,
        ErrorKind::PreconditionFailed,
        "a stale version"
    );
    unchanged(&people, "ada", 2, &second).await?;
    people.delete_if("ada", second.clone()).await?;
    ensure_eq!(people.get("ada").await?, None, "the current version is deleted");
    ensure_kind!(
        people.delete_if("ada", second).await,
        ErrorKind::PreconditionFailed,
        "a second time"
    );
    Ok(())
}

async fn change_and_change_back_is_noticed(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let original = people.put("ada", &doc! { "n": 1_i64 }).await?;
    people.put("ada", &doc! { "n": 2_i64 }).await?;
    let back = people.put("ada", &doc! { "n": 1_i64 }).await?;
    let refused = people.put_if("ada", &doc! { "n": 3_i64 }, original.clone()).await;
    ensure_kind!(
        refused,
        ErrorKind::PreconditionFailed,
        "the version before the change"
    );
    unchanged(&people, "ada", 1, &back).await?;
    people.delete("ada").await?;
    let again = people.insert("ada", &doc! { "n": 1_i64 }).await?;
    ensure_kind!(
        people.delete_if("ada", original).await,
        ErrorKind::PreconditionFailed,
        "the version before the delete"
    );
    unchanged(&people, "ada", 1, &again).await
}

async fn versions_travel_as_text(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let version = people.put("ada", &doc! { "n": 1_i64 }).await?;
    let carried: Version = version.to_string().parse()?;
    ensure_eq!(carried, version, "text there and back");
    let second = documents(&ctx.second().await?, "people");
    second.put_if("ada", &doc! { "n": 2_i64 }, carried).await?;
    Ok(())
}

async fn forged_version_is_refused(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let version = people.put("ada", &doc! { "n": 1_i64 }).await?;
    let mut forged = vec![
        Version::random(),
        Version::from_u128(0),
        Version::from_u128(u128::MAX),
    ];
    for text in [
        "0",
        "1",
        "*",
        "\"*\"",
        "W/\"1\"",
        "ffffffffffffffffffffffffffffffff",
        "'OR'1'='1",
    ] {
        forged.push(text.parse()?);
    }
    for version in forged {
        let refused = people.put_if("ada", &doc! { "n": 2_i64 }, version.clone()).await;
        ensure_kind!(refused, ErrorKind::PreconditionFailed, "put_if with {version}");
        let refused = people.delete_if("ada", version.clone()).await;
        ensure_kind!(refused, ErrorKind::PreconditionFailed, "delete_if with {version}");
    }
    unchanged(&people, "ada", 1, &version).await
}

async fn insert_race_has_one_winner(ctx: &Ctx) -> Verdict {
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let people = documents(ctx.storage(), "people");
    for round in 0..10 {
        let contenders = (0..6_i64).map(|n| {
            let people = documents(&handles[usize::from(n % 2 == 0)], "people");
            async move { people.insert(format!("round-{round}"), &doc! { "n": n }).await }
        });
        let results = in_parallel(contenders).await?;
        ensure_eq!(
            winners(&results, ErrorKind::AlreadyExists)?,
            1,
            "winners of round {round}"
        );
        for (n, version) in results
            .into_iter()
            .enumerate()
            .filter_map(|(n, result)| Some((n, result.ok()?)))
        {
            unchanged(
                &people,
                &format!("round-{round}"),
                i64::try_from(n).unwrap_or(-1),
                &version,
            )
            .await?;
        }
    }
    Ok(())
}

async fn put_if_race_has_one_winner(ctx: &Ctx) -> Verdict {
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let people = documents(ctx.storage(), "people");
    let mut version = people.put("ada", &doc! { "n": -1_i64 }).await?;
    for round in 0..10 {
        let contenders = (0..6_i64).map(|n| {
            let (people, version) = (
                documents(&handles[usize::from(n % 2 == 0)], "people"),
                version.clone(),
            );
            async move { people.put_if("ada", &doc! { "n": n }, version).await }
        });
        let results = in_parallel(contenders).await?;
        ensure_eq!(
            winners(&results, ErrorKind::PreconditionFailed)?,
            1,
            "winners of round {round}"
        );
        for (n, won) in results
            .into_iter()
            .enumerate()
            .filter_map(|(n, result)| Some((n, result.ok()?)))
        {
            unchanged(&people, "ada", i64::try_from(n).unwrap_or(-1), &won).await?;
            version = won;
        }
    }
    Ok(())
}

async fn delete_if_race_has_one_winner(ctx: &Ctx) -> Verdict {
    let (first, second) = (
        documents(ctx.storage(), "people"),
        documents(&ctx.second().await?, "people"),
    );
    for round in 0..10 {
        let version = first.put("ada", &doc! { "n": 1_i64 }).await?;
        let contend = |put: bool| {
            let (first, second, version) = (first.clone(), second.clone(), version.clone());
            async move {
                match put {
                    true => first
                        .put_if("ada", &doc! { "n": 2_i64 }, version)
                        .await
                        .map(|_| ()),
                    false => second.delete_if("ada", version).await,
                }
            }
        };
        // Each goes first in every other round.
        let put_first = round % 2 == 0;
        let mut results = in_parallel([contend(put_first), contend(!put_first)]).await?;
        if !put_first {
            results.reverse();
        }
        ensure_eq!(
            winners(&results, ErrorKind::PreconditionFailed)?,
            1,
            "winners of round {round}"
        );
        let there = first.get("ada").await?.is_some();
        ensure_eq!(there, results[0].is_ok(), "it is there exactly if the put won");
    }
    Ok(())
}

/// The document is still what it was: its number and its version.
async fn unchanged(people: &Documents, id: &str, n: i64, version: &Version) -> Verdict {
    let Some(read) = people.get(id).await? else {
        return Err(format!("{id} is gone").into());
    };
    ensure_eq!(read.value, doc! { "n": n }, "the value of {id}");
    ensure_eq!(read.version, *version, "the version of {id}");
    ensure!(read.expires_at.is_none(), "{id} does not expire");
    Ok(())
}

fn current(result: &Result<Version, Error>) -> Option<String> {
    result
        .as_ref()
        .err()
        .and_then(|error| error.context_value("current").map(ToOwned::to_owned))
}

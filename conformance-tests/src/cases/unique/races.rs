//! Unique indexes while many write at once.

use storage_core::bson::{Bson, doc};
use storage_core::{ErrorKind, Index, Query};

use crate::case::{Verdict, ensure, ensure_eq};
use crate::cases::sample::{documents, ids, in_parallel, winners};
use crate::context::Ctx;

pub(super) async fn insert_race_has_one_winner(ctx: &Ctx) -> Verdict {
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::hash("by_mail", ["mail"]).unique())
        .await?;
    for round in 0..8_i64 {
        let contenders = (0..6).map(|n| {
            let people = documents(&handles[n % 2], "people");
            async move { people.put(format!("{round}-{n}"), &doc! { "mail": round }).await }
        });
        let results = in_parallel(contenders).await?;
        ensure_eq!(
            winners(&results, ErrorKind::UniqueViolation)?,
            1,
            "winners of round {round}"
        );
        let holders = ids(&people, Query::eq("mail", round)).await?;
        ensure_eq!(
            holders.len(),
            1,
            "holders of the key of round {round}: {holders:?}"
        );
    }
    ensure_eq!(
        people.count(Query::all()).await?,
        8,
        "one document for each round"
    );
    Ok(())
}

pub(super) async fn race_for_a_freed_key_has_one_winner(ctx: &Ctx) -> Verdict {
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let people = documents(ctx.storage(), "people");
    people
        .ensure_index(Index::btree("by_mail", ["mail"]).unique())
        .await?;
    people.put("0", &doc! { "mail": "m" }).await?;
    for round in 0..8_usize {
        let holder = ids(&people, Query::eq("mail", "m")).await?;
        ensure_eq!(holder.len(), 1, "holders before round {round}");
        people
            .put(&holder[0], &doc! { "mail": format!("own-{}", holder[0]) })
            .await?;
        let contenders = (0..4).map(|n| {
            let people = documents(&handles[n % 2], "people");
            async move { people.put(n.to_string(), &doc! { "mail": "m" }).await }
        });
        let results = in_parallel(contenders).await?;
        ensure_eq!(
            winners(&results, ErrorKind::UniqueViolation)?,
            1,
            "winners of round {round}"
        );
        let all = people.find(Query::all()).await?.collect().await?;
        let holders = all
            .iter()
            .filter(|document| document.value.get_str("mail").ok() == Some("m"))
            .count();
        ensure_eq!(holders, 1, "documents with the key after round {round}");
    }
    Ok(())
}

pub(super) async fn made_during_writes_holds(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    for round in 0..6 {
        let handles = [ctx.storage().clone(), ctx.second().await?];
        let writing = (0..2).map(|n| {
            let people = documents(&handles[n], "people");
            tokio::spawn(async move {
                let mut written = Vec::new();
                for step in 0..6 {
                    written.push(
                        people
                            .put(format!("{n}-{step}"), &doc! { "mail": step.to_string() })
                            .await,
                    );
                    tokio::task::yield_now().await;
                }
                written
            })
        });
        let writing: Vec<_> = writing.collect();
        let made = people
            .ensure_index(Index::hash("by_mail", ["mail"]).unique())
            .await;
        for writer in writing {
            for result in writer.await.map_err(|error| error.to_string())? {
                winners(&[result], ErrorKind::UniqueViolation)?;
            }
        }
        let all = people.find(Query::all()).await?.collect().await?;
        let mut keys: Vec<Bson> = all
            .iter()
            .filter_map(|document| document.value.get("mail").cloned())
            .collect();
        let count = keys.len();
        keys.sort_unstable_by_key(ToString::to_string);
        keys.dedup();
        match made {
            Ok(_) => ensure_eq!(
                keys.len(),
                count,
                "the index exists, and so do duplicates, in round {round}"
            ),
            Err(error) if error.kind() == ErrorKind::UniqueViolation => {
                ensure!(
                    people.indexes().await?.is_empty(),
                    "the index was refused, and exists"
                );
            }
            Err(error) => return Err(error.into()),
        }
        people.drop_index("by_mail").await?;
        for document in all {
            people.delete(document.id).await?;
        }
    }
    Ok(())
}

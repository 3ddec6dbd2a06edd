//! Many at once on the same entities.

use std::time::Duration;

use futures::future::FutureExt;
use storage_core::{Applied, ErrorKind, Index, Query};
use storage_stores::collections::{Entities, EntityOptions};

use super::sample::{Person, note, notes, people, person, there, uncached};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::cases::sample::{in_parallel, winners};
use crate::context::Ctx;

cases! { entity_races:
    smoke [Documents] twenty_creates_all_succeed = "twenty concurrent creates through two clients all succeed and are all there";
    standard [Documents] concurrent_updates_lose_none = "of updates through clones and another client none is lost";
    standard [Documents] one_create_of_an_id_wins = "of concurrent creates under one id exactly one succeeds, the others see AlreadyExists";
    standard [Documents] an_update_overtaken_anywhere_loses_nothing = "whenever somebody else changes the entity during an update, both changes are there";
    standard [Documents] an_update_overtaken_by_a_delete_revives_nothing = "whenever the entity is deleted during an update, it stays deleted or was updated before, and nothing comes back";
    standard [Documents] an_update_gives_up_after_its_time = "an update that lost its race and may not wait is Timeout with nothing applied";
    standard [Indexes, UniqueIndexes] one_holder_of_a_unique_value = "of concurrent creates with one unique value exactly one succeeds, and nothing of the others is left";
    standard [Indexes, UniqueIndexes] indexes_agree_with_documents_after_a_storm = "after concurrent creates, updates and deletes each index holds exactly what the documents say";
}

async fn twenty_creates_all_succeed(ctx: &Ctx) -> Verdict {
    let clients = [notes(ctx.storage()), notes(&ctx.second().await?)];
    let creates = (0..20).map(|n: usize| {
        let notes = clients[n % 2].clone();
        async move { notes.create(note(&n.to_string())).await }
    });
    let mut ids = Vec::new();
    for created in in_parallel(creates).await? {
        ids.push(created?.id);
    }
    ids.sort();
    let listed = uncached(ctx.storage()).list().await?.collect().await?;
    let listed: Vec<_> = listed.into_iter().map(|note| note.id).collect();
    ensure_eq!(listed, ids, "what is there");
    Ok(())
}

async fn concurrent_updates_lose_none(ctx: &Ctx) -> Verdict {
    let patient = EntityOptions::new().lock_timeout(Duration::from_secs(120));
    let clients = [
        Entities::with_options(ctx.storage().clone(), patient.clone()),
        Entities::with_options(ctx.second().await?, patient),
    ];
    clients[0].create_with_id("a", note("a")).await?;
    let updates = (0..24).map(|n: usize| {
        let notes = clients[n % 2].clone();
        async move {
            let updated = notes
                .update("a", |note: &mut super::sample::Note| note.n += 1)
                .await;
            (notes, updated)
        }
    });
    for (_, updated) in in_parallel(updates).await? {
        there(updated?)?;
    }
    ensure_eq!(
        there(uncached(ctx.storage()).get_by_id("a").await?)?.n,
        24,
        "how many arrived"
    );
    Ok(())
}

async fn one_create_of_an_id_wins(ctx: &Ctx) -> Verdict {
    let clients = [notes(ctx.storage()), notes(&ctx.second().await?)];
    let creates = (0..8).map(|n: usize| {
        let notes = clients[n % 2].clone();
        async move { notes.create_with_id("a", note(&n.to_string())).await }
    });
    let results = in_parallel(creates).await?;
    ensure_eq!(
        winners(&results, ErrorKind::AlreadyExists)?,
        1,
        "how many succeed"
    );
    let won = results.into_iter().flatten().next().ok_or("one succeeded")?;
    ensure_eq!(
        there(uncached(ctx.storage()).get_by_id("a").await?)?,
        won,
        "what is there"
    );
    Ok(())
}

async fn an_update_overtaken_anywhere_loses_nothing(ctx: &Ctx) -> Verdict {
    let others = uncached(&ctx.second().await?);
    let first = notes(ctx.storage());
    let mut points = ctx.overtakings(move || {
        let others = others.clone();
        async move {
            // The case sees whether it arrived.
            let _ = others.update("a", |note| note.n += 100).await;
        }
        .boxed()
    });
    while let Some(storage) = points.next().await? {
        first.delete("a").await?;
        first.create_with_id("a", note("a")).await?;
        let updated = there(notes(&storage).update("a", |note| note.n += 1).await?)?;
        let there_is = there(uncached(ctx.storage()).get_by_id("a").await?)?;
        let at = points.at();
        ensure!(updated.n % 100 == 1, "its own change at step {at}");
        ensure!(
            there_is.n == 101 || there_is.n == 1,
            "{} at step {at}: a change was lost",
            there_is.n
        );
        ensure!(
            there_is.n == 101 || updated.n == 1,
            "the other's change at step {at}"
        );
    }
    ensure!(points.at() >= 2, "an update has two steps");
    Ok(())
}

async fn an_update_overtaken_by_a_delete_revives_nothing(ctx: &Ctx) -> Verdict {
    let others = uncached(&ctx.second().await?);
    let first = uncached(ctx.storage());
    let mut points = ctx.overtakings(move || {
        let others = others.clone();
        async move {
            let _ = others.delete("a").await;
        }
        .boxed()
    });
    let mut gone = 0;
    while let Some(storage) = points.next().await? {
        first.delete("a").await?;
        first.create_with_id("a", note("a")).await?;
        let updated = notes(&storage).update("a", |note| note.n += 1).await?;
        if updated.is_none() {
            gone += 1;
            ensure_eq!(
                first.get_by_id("a").await?,
                None,
                "what was deleted at step {}",
                points.at()
            );
        }
    }
    ensure!(gone >= 2, "it was deleted before the read and before the write");
    Ok(())
}

async fn an_update_gives_up_after_its_time(ctx: &Ctx) -> Verdict {
    let others = uncached(&ctx.second().await?);
    let first = uncached(ctx.storage());
    first.create_with_id("a", note("a")).await?;
    let mut points = ctx.overtakings(move || {
        let others = others.clone();
        async move {
            let _ = others.update("a", |note| note.n += 100).await;
        }
        .boxed()
    });
    let mut timeouts = 0;
    while let Some(storage) = points.next().await? {
        let before = there(first.get_by_id("a").await?)?.n;
        let hasty = EntityOptions::new().lock_timeout(Duration::ZERO);
        let hasty = Entities::<super::sample::Note>::with_options(storage, hasty);
        match hasty.update("a", |note| note.n += 1).await {
            Ok(updated) => ensure!(updated.is_some(), "it is there"),
            Err(error) => {
                ensure_eq!(
                    (error.kind(), error.applied()),
                    (ErrorKind::Timeout, Applied::No),
                    "the error"
                );
                let now = there(first.get_by_id("a").await?)?.n;
                ensure_eq!(now, before + 100, "only the other's change");
                timeouts += 1;
            }
        }
    }
    ensure!(timeouts >= 1, "it lost once");
    Ok(())
}

fn with_email(name: &str, email: &str) -> Person {
    Person {
        email: Some(email.to_owned()),
        ..person(name, "Delft", 1)
    }
}

async fn one_holder_of_a_unique_value(ctx: &Ctx) -> Verdict {
    let clients = [people(ctx.storage()), people(&ctx.second().await?)];
    for round in 0..3 {
        let email = format!("{round}@x");
        let creates = (0..6).map(|n: usize| {
            let (people, one) = (clients[n % 2].clone(), with_email(&n.to_string(), &email));
            async move { people.create(one).await }
        });
        let results = in_parallel(creates).await?;
        ensure_eq!(
            winners(&results, ErrorKind::UniqueViolation)?,
            1,
            "how many succeed"
        );
        let found = clients[0].find_by("by_email", &email).await?.collect().await?;
        ensure_eq!(found.len(), 1, "who has it");
        let all = clients[0]
            .count(Query::eq("city", "Delft").and(Query::ge("age", 0)))
            .await?;
        ensure_eq!(all, round + 1, "how many there are, by another index");
    }
    let again = clients[1].create(with_email("late", "0@x")).await;
    ensure_kind!(again, ErrorKind::UniqueViolation, "one more");
    Ok(())
}

async fn indexes_agree_with_documents_after_a_storm(ctx: &Ctx) -> Verdict {
    let clients = [people(ctx.storage()), people(&ctx.second().await?)];
    let work = (0..6_u64).map(|worker| {
        let people = clients[usize::from(worker % 2 == 1)].clone();
        let mut random = crate::random::Random::new(worker);
        async move {
            for _ in 0..12 {
                let id = random.below(5).to_string();
                let age = i64::try_from(random.below(4)).unwrap_or(0);
                let outcome = match random.below(3) {
                    0 => people
                        .create_with_id(&id, person(&id, "Delft", age))
                        .await
                        .map(drop),
                    1 => people.update(&id, |one| one.age = age).await.map(drop),
                    _ => people.delete(&id).await.map(drop),
                };
                if let Err(error) = outcome
                    && error.kind() != ErrorKind::AlreadyExists
                {
                    return Err(error);
                }
            }
            Ok(())
        }
    });
    for outcome in in_parallel(work).await? {
        outcome?;
    }
    let all = clients[0].list().await?.collect().await?;
    for age in 0..4 {
        let found = clients[0].find_by("by_age", age).await?.collect().await?;
        let expected: Vec<_> = all.iter().filter(|one| one.age == age).cloned().collect();
        ensure_eq!(found, expected, "who is {age}");
    }
    let stats = clients[0].index_stats("by_age").await?;
    ensure_eq!(stats.total_entries, all.len() as u64, "entries of the index");
    ensure!(
        clients[1].create_index(Index::btree("late", ["age"])).await?,
        "an index over what is left"
    );
    Ok(())
}

//! The process dies at any call, before it or after it.

use std::time::Duration;

use storage_core::{Applied, Error, ErrorKind, Query};
use storage_stores::collections::{Entities, EntityOptions};

use super::sample::{Note, Person, note, notes, people, person, there, uncached};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;
use crate::faulty::Fault;

cases! { entity_crash:
    standard [Indexes, UniqueIndexes] a_create_is_whole_or_not_at_all = "after a crash anywhere in a create the entity is there whole and in every index, or not at all, and the error says so";
    standard [Indexes, UniqueIndexes] an_update_is_the_old_state_or_the_new = "after a crash anywhere in an update the entity is the old one or the new one, and found as that only";
    standard [Documents] a_delete_is_done_or_not = "after a crash anywhere in a delete the entity is as it was or gone";
    standard [Documents] many_are_created_as_told = "after a crash anywhere in create_many all that was reported as stored is, and what was reported as not is not";
    standard [Documents] delete_all_is_finished_by_another = "after a crash anywhere in delete_all the rest is whole, and another call deletes it";
    standard [Documents] a_lock_is_not_held_by_the_dead = "after a crash anywhere in taking, using or releasing a lock somebody else gets it in its time";
    standard [Documents] a_failed_write_leaves_no_stale_cache = "after an update whose outcome nobody learned, the same cache gives what is stored";
}

const FAULTS: [Fault; 2] = [Fault::BeforeTheCall, Fault::AfterTheCall];

async fn a_create_is_whole_or_not_at_all(ctx: &Ctx) -> Verdict {
    let looking = people(ctx.storage());
    looking.count(Query::all()).await?;
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(storage) = points.next().await? {
            looking.delete("a").await?;
            looking.clear_cache();
            let ada = person("Ada", "Delft", 36);
            let outcome = people(&storage).create_with_id("a", ada.clone()).await;
            let found = looking.get_by_id("a").await?;
            let at = points.at();
            match &outcome {
                Ok(created) => ensure_eq!(found.as_ref(), Some(created), "reported at {at}"),
                Err(error) if error.applied() == Applied::No => {
                    ensure_eq!(found, None, "not applied at {at}");
                }
                Err(_) => {}
            }
            let expected: Vec<_> = found.into_iter().collect();
            ensure!(expected.iter().all(|one| one.value == ada), "whole at {at}");
            let by_name = looking.find_by("by_name", "Ada").await?.collect().await?;
            ensure_eq!(by_name, expected, "by name at {at}");
            let by_both = looking.find_by("by_city_and_age", ("Delft", 36)).await?;
            ensure_eq!(by_both.collect().await?, expected, "by city and age at {at}");
        }
    }
    Ok(())
}

async fn an_update_is_the_old_state_or_the_new(ctx: &Ctx) -> Verdict {
    let looking =
        Entities::<Person>::with_options(ctx.storage().clone(), EntityOptions::new().cache_enabled(false));
    looking.create_with_id("a", person("Ada", "Delft", 0)).await?;
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(storage) = points.next().await? {
            let old = there(looking.get_by_id("a").await?)?;
            let outcome = people(&storage).update("a", |ada| ada.age += 1).await;
            let now = there(looking.get_by_id("a").await?)?;
            let at = points.at();
            match outcome {
                Ok(updated) => ensure_eq!(now, there(updated)?, "reported at {at}"),
                Err(error) if error.applied() == Applied::No => ensure_eq!(now, old, "not applied at {at}"),
                Err(_) => ensure!(
                    now.age == old.age || now.age == old.age + 1,
                    "{} at {at}",
                    now.age
                ),
            }
            for age in [old.age, old.age + 1] {
                let found = looking.find_by("by_age", age).await?.collect().await?;
                let expected: Vec<_> = Some(now.clone())
                    .filter(|now| now.age == age)
                    .into_iter()
                    .collect();
                ensure_eq!(found, expected, "of age {age} at {at}");
            }
        }
    }
    Ok(())
}

async fn a_delete_is_done_or_not(ctx: &Ctx) -> Verdict {
    let looking = uncached(ctx.storage());
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(storage) = points.next().await? {
            looking.delete("a").await?;
            let stored = looking.create_with_id("a", note("a")).await?;
            let outcome = notes(&storage).delete("a").await;
            let now = looking.get_by_id("a").await?;
            match outcome {
                Ok(was_there) => ensure!(was_there && now.is_none(), "reported"),
                Err(error) if error.applied() == Applied::No => ensure_eq!(now, Some(stored), "not applied"),
                Err(_) => ensure!(now.is_none() || now == Some(stored), "one of both"),
            }
        }
    }
    Ok(())
}

async fn many_are_created_as_told(ctx: &Ctx) -> Verdict {
    let looking = uncached(ctx.storage());
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(storage) = points.next().await? {
            looking.delete_all().await?;
            let texts = ["a", "b", "forbidden", "c"];
            let results = notes(&storage).create_many(texts.map(note)).await;
            ensure_eq!(results.len(), texts.len(), "a result for each");
            let stored = looking.list().await?.collect().await?;
            for (text, result) in texts.iter().zip(results) {
                let there = stored.iter().find(|one| one.text == *text);
                match result {
                    Ok(created) => ensure_eq!(there, Some(&created), "{text} was reported as stored"),
                    Err(error) if error.applied() == Applied::No => {
                        ensure_eq!(there, None, "{text} was reported as not stored");
                    }
                    Err(_) => {}
                }
            }
        }
    }
    Ok(())
}

async fn delete_all_is_finished_by_another(ctx: &Ctx) -> Verdict {
    let looking = uncached(ctx.storage());
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(storage) = points.next().await? {
            for result in looking.create_many((0..4).map(|n| note(&n.to_string()))).await {
                result?;
            }
            // Whatever became of it.
            let _ = notes(&storage).delete_all().await;
            let left = looking.list().await?.collect().await?.len() as u64;
            ensure_eq!(looking.delete_all().await?, left, "what another call deletes");
            ensure_eq!(looking.count(Query::all()).await?, 0, "what is left");
        }
    }
    Ok(())
}

async fn a_lock_is_not_held_by_the_dead(ctx: &Ctx) -> Verdict {
    async fn work(notes: &Entities<Note>) -> Result<(), Error> {
        let lock = notes.lock("a").await?;
        lock.update(|note| note.n += 1).await?;
        lock.release().await
    }
    let hasty = EntityOptions::new().lock_timeout(Duration::ZERO);
    let looking = Entities::<Note>::with_options(ctx.storage().clone(), hasty);
    looking.create_with_id("a", note("a")).await?;
    for fault in FAULTS {
        let mut points = ctx.points(fault);
        while let Some(storage) = points.next().await? {
            let before = there(looking.get_by_id("a").await?)?.n;
            let outcome = work(&notes(&storage)).await;
            looking.clear_cache();
            let now = there(looking.get_by_id("a").await?)?.n;
            ensure!(now == before || now == before + 1, "it was updated once or not");
            ensure!(outcome.is_err() || now == before + 1, "a success is one");
            let mut lock = looking.lock("a").await;
            if matches!(&lock, Err(error) if error.kind() == ErrorKind::Timeout) {
                ctx.clock().advance_elapsed(Duration::from_secs(11));
                lock = looking.lock("a").await;
            }
            let lock = lock.map_err(|error| Failure::from(error).in_context("the lock of the dead"))?;
            lock.release().await?;
        }
    }
    Ok(())
}

async fn a_failed_write_leaves_no_stale_cache(ctx: &Ctx) -> Verdict {
    let looking = uncached(ctx.storage());
    looking.create_with_id("a", note("a")).await?;
    // Dead, the client reads nothing from the medium; what it gives is from its cache.
    let mut points = ctx.points(Fault::AfterTheCall);
    while let Some(storage) = points.next().await? {
        let notes = notes(&storage);
        if notes.get_by_id("a").await.is_err() {
            continue;
        }
        let outcome = notes.update("a", |note| note.n += 1).await;
        if let Ok(Some(cached)) = notes.get_by_id("a").await {
            let now = there(looking.get_by_id("a").await?)?;
            ensure_eq!(cached, now, "the cache, after {outcome:?}");
        }
    }
    Ok(())
}

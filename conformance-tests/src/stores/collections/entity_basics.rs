//! Creating, reading, changing and deleting entities.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use storage_core::bson::doc;
use storage_core::{ErrorKind, Query};

use super::sample::{note, notes, there, uncached};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::clock::TestClock;
use crate::context::Ctx;

cases! { entity_basics:
    smoke [Documents] create_then_get = "an entity comes back as it was created, under a generated id, created and updated now";
    smoke [Documents] update_changes_the_value_and_the_time = "an update stores what the closure made, moves `updated` and the version, keeps `created`; of an unknown id it is None";
    smoke [Documents] replace_is_checked_by_version = "a replacement of a state that is no more is PreconditionFailed and changes nothing";
    standard [Documents] delete_says_whether_it_was_there = "a delete removes exactly one entity and says whether it was there; delete_if only in the state it was read in";
    standard [Documents] a_given_id_is_taken_once = "create_with_id refuses an id that is there and changes nothing";
    standard [Documents] generated_ids_are_unique_and_in_the_order_of_time = "ids of several makers are UUIDs of version 7, never alike, of one maker ascending, never ahead of the clock";
    standard [Documents] a_returned_value_is_the_callers_own = "changing what a read, a create or an update gave changes nothing that others read";
    standard [Documents] ids_are_data = "constructor, __proto__, ../../evil, a:b beside a_b and their like are ids as any other; only empty and NUL are not";
    standard [Documents] lists_are_in_the_order_of_ids_and_in_pages = "list gives every entity once in the byte order of ids, whole and in pages";
    standard [Documents] create_many_has_a_result_for_each = "many are created in one call, an invalid one among them fails alone";
    standard [Documents] delete_all_leaves_nothing = "delete_all removes every entity of its collection and none of another's";
    standard [Documents] everything_survives_a_reopen = "after a reopen an entity is as it was, with its times and version";
    standard [Documents] updated_never_steps_back = "an update by a client whose clock is behind leaves `updated` no earlier than it was";
}

async fn create_then_get(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let before = ctx.storage().now();
    let created = notes.create(note("first")).await?;
    ensure_eq!(created.value, note("first"), "what create gave");
    ensure_eq!(created.created, created.updated, "the times of a new entity");
    ensure!(
        created.created >= before && created.created <= ctx.storage().now(),
        "it was created now, not at {}",
        created.created
    );
    ensure_eq!(
        there(notes.get_by_id(&created.id).await?)?,
        created,
        "the same client's read"
    );
    let second = uncached(&ctx.second().await?);
    ensure_eq!(
        there(second.get_by_id(&created.id).await?)?,
        created,
        "another client's read"
    );
    ensure_eq!(notes.get_by_id("nobody").await?, None, "an unknown id");
    Ok(())
}

async fn update_changes_the_value_and_the_time(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let first = notes.create(note("first")).await?;
    ctx.clock().advance(Duration::from_secs(60));
    let second = there(
        notes
            .update(&first.id, |note| note.text.push_str(" and second"))
            .await?,
    )?;
    ensure_eq!(second.text, "first and second", "the text");
    ensure_eq!(second.created, first.created, "when it was created");
    ensure!(
        second.updated >= first.updated.after(Duration::from_secs(60)),
        "it was updated a minute later"
    );
    ensure!(
        second.version != first.version,
        "another state has another version"
    );
    ensure_eq!(
        there(notes.get_by_id(&first.id).await?)?,
        second,
        "what is read then"
    );
    let mut called = false;
    let unknown = notes.update("nobody", |_| called = true).await?;
    ensure_eq!(unknown, None, "an update of an unknown id");
    ensure!(!called, "there was nothing to change");
    ensure_eq!(
        notes.get_by_id("nobody").await?,
        None,
        "an update creates nothing"
    );
    Ok(())
}

async fn replace_is_checked_by_version(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let second = self::notes(&ctx.second().await?);
    let mut mine = notes.create(note("first")).await?;
    let mut theirs = there(second.get_by_id(&mine.id).await?)?;
    theirs.text = "theirs".to_owned();
    second.replace(&mut theirs).await?;
    mine.text = "mine".to_owned();
    let stale = mine.clone();
    ensure_kind!(
        notes.replace(&mut mine).await,
        ErrorKind::PreconditionFailed,
        "a replacement of a state that is no more"
    );
    ensure_eq!(mine, stale, "a refused replacement leaves the caller's value");
    let current = there(uncached(ctx.storage()).get_by_id(&mine.id).await?)?;
    ensure_eq!(
        current,
        theirs,
        "what stays, with the version its writer was given"
    );
    let mut again = current;
    again.text = "mine after all".to_owned();
    notes.replace(&mut again).await?;
    again.text = "and once more".to_owned();
    notes.replace(&mut again).await?;
    ensure_eq!(
        there(notes.get_by_id(&again.id).await?)?,
        again,
        "after two in a row"
    );
    notes.delete(&again.id).await?;
    ensure_kind!(
        notes.replace(&mut again).await,
        ErrorKind::PreconditionFailed,
        "a replacement of what was deleted"
    );
    ensure_eq!(notes.get_by_id(&again.id).await?, None, "it stays deleted");
    Ok(())
}

async fn delete_says_whether_it_was_there(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let (one, mut two) = (notes.create(note("1")).await?, notes.create(note("2")).await?);
    ensure!(notes.delete(&one.id).await?, "it was there");
    ensure!(!notes.delete(&one.id).await?, "it is not there any more");
    ensure!(!notes.delete("nobody").await?, "it never was there");
    ensure_eq!(notes.get_by_id(&one.id).await?, None, "what is read then");
    let stale = two.clone();
    two.text.push('!');
    notes.replace(&mut two).await?;
    ensure_kind!(
        notes.delete_if(&stale).await,
        ErrorKind::PreconditionFailed,
        "a delete of a state that is no more"
    );
    ensure_eq!(there(notes.get_by_id(&two.id).await?)?, two, "it stays");
    notes.delete_if(&two).await?;
    ensure_eq!(notes.count(Query::all()).await?, 0, "what is left");
    Ok(())
}

async fn a_given_id_is_taken_once(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let first = notes.create_with_id("mine", note("first")).await?;
    ensure_kind!(
        notes.create_with_id("mine", note("second")).await,
        ErrorKind::AlreadyExists,
        "a second one"
    );
    ensure_eq!(there(notes.get_by_id("mine").await?)?, first, "what stays");
    Ok(())
}

async fn generated_ids_are_unique_and_in_the_order_of_time(ctx: &Ctx) -> Verdict {
    let makers = [
        notes(ctx.storage()),
        notes(ctx.storage()),
        notes(&ctx.second().await?),
    ];
    let mut all = BTreeSet::new();
    for round in 0..3 {
        for maker in &makers {
            let mut last = None;
            for _ in 0..500 {
                let id = maker.generate_id()?;
                ensure!(
                    last.as_ref() < Some(&id),
                    "{id} comes after {last:?} in round {round}"
                );
                let text = id.as_str();
                ensure!(
                    text.len() == 36 && text.as_bytes()[14] == b'7',
                    "{text} is of version 7"
                );
                let millis = i64::from_str_radix(&text[..13].replace('-', ""), 16).unwrap_or(i64::MAX);
                let now = ctx.storage().now().as_millis();
                ensure!(millis <= now, "{text} is of {millis}, which is after {now}");
                last = Some(id.clone());
                ensure!(all.insert(id.clone()), "{id} came twice");
            }
        }
    }
    Ok(())
}

async fn a_returned_value_is_the_callers_own(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let mut created = notes.create(note("as it is")).await?;
    let id = created.id.clone();
    created.value.text = "changed by whoever created it".to_owned();
    let mut read = there(notes.get_by_id(&id).await?)?;
    ensure_eq!(read.text, "as it is", "after a created value was changed");
    read.text = "changed by a reader".to_owned();
    ensure_eq!(
        there(notes.get_by_id(&id).await?)?.text,
        "as it is",
        "after a read value was changed"
    );
    let mut updated = there(notes.update(&id, |note| note.n = 1).await?)?;
    updated.text = "changed by an updater".to_owned();
    ensure_eq!(
        there(notes.get_by_id(&id).await?)?.text,
        "as it is",
        "after an updated value was changed"
    );
    Ok(())
}

async fn ids_are_data(ctx: &Ctx) -> Verdict {
    let notes = uncached(ctx.storage());
    let ids = [
        "constructor",
        "__proto__",
        "../../evil",
        "a/b",
        "a:b",
        "a_b",
        "x.tmp.y",
        "x.tx.y",
        "..",
        " ",
        "é",
        "%2F",
        "null",
    ];
    for id in ids {
        notes.create_with_id(id, note(id)).await?;
    }
    for id in ids {
        ensure_eq!(
            there(notes.get_by_id(id).await?)?.text,
            id,
            "the entity of {id:?}"
        );
    }
    let listed = notes.list().await?.collect().await?;
    let listed: Vec<&str> = listed.iter().map(|note| note.id.as_str()).collect();
    let mut expected = ids.to_vec();
    expected.sort_unstable();
    ensure_eq!(listed, expected, "the list");
    for id in ["", "a\0b"] {
        ensure_kind!(
            notes.create_with_id(id, note("x")).await,
            ErrorKind::InvalidName,
            "create {id:?}"
        );
        ensure_kind!(notes.get_by_id(id).await, ErrorKind::InvalidName, "get {id:?}");
        ensure_kind!(
            notes.update(id, |_| ()).await,
            ErrorKind::InvalidName,
            "update {id:?}"
        );
        ensure_kind!(notes.delete(id).await, ErrorKind::InvalidName, "delete {id:?}");
    }
    for id in ids {
        ensure!(notes.delete(id).await?, "{id:?} was there");
    }
    Ok(())
}

async fn lists_are_in_the_order_of_ids_and_in_pages(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let mut ids = Vec::new();
    for result in notes.create_many((0..25).map(|n| note(&n.to_string()))).await {
        ids.push(result?.id);
    }
    ids.sort();
    let listed = notes.list().await?.collect().await?;
    let listed: Vec<_> = listed.into_iter().map(|note| note.id).collect();
    ensure_eq!(listed, ids, "the whole list");
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = notes.list_page(10, after).await?;
        ensure!(page.entities.len() <= 10, "a page of {}", page.entities.len());
        paged.extend(page.entities.into_iter().map(|note| note.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ensure_eq!(paged, ids, "the pages");
    Ok(())
}

async fn create_many_has_a_result_for_each(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let results = notes
        .create_many([note("a"), note("forbidden"), note("b"), note("a")])
        .await;
    ensure_eq!(results.len(), 4, "results");
    let mut texts = Vec::new();
    for (at, result) in results.into_iter().enumerate() {
        if at == 1 {
            ensure_kind!(result, ErrorKind::InvalidArgument, "the invalid one");
        } else {
            let stored = result?;
            ensure_eq!(there(notes.get_by_id(&stored.id).await?)?, stored, "number {at}");
            texts.push(stored.value.text);
        }
    }
    ensure_eq!(texts, ["a", "b", "a"], "those that were stored, in their order");
    ensure_eq!(notes.count(Query::all()).await?, 3, "how many there are");
    Ok(())
}

async fn delete_all_leaves_nothing(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let others = ctx.storage().collection::<storage_core::bson::Document>("notes2");
    others.put("a", &doc! {}).await?;
    for result in notes.create_many((0..230).map(|n| note(&n.to_string()))).await {
        result?;
    }
    let kept = notes.create(note("read before")).await?;
    notes.get_by_id(&kept.id).await?;
    ensure_eq!(notes.delete_all().await?, 231, "how many it deleted");
    ensure_eq!(notes.get_by_id(&kept.id).await?, None, "one that was read before");
    ensure_eq!(
        uncached(&ctx.second().await?).count(Query::all()).await?,
        0,
        "how many are left"
    );
    ensure_eq!(notes.delete_all().await?, 0, "a second time");
    ensure!(others.get("a").await?.is_some(), "another collection's stay");
    Ok(())
}

async fn everything_survives_a_reopen(ctx: &Ctx) -> Verdict {
    let stored = notes(ctx.storage()).create(note("kept")).await?;
    let reopened = notes(&ctx.reopen().await?);
    ensure_eq!(
        there(reopened.get_by_id(&stored.id).await?)?,
        stored,
        "after a reopen"
    );
    ensure_kind!(
        notes(ctx.storage()).create(note("late")).await,
        ErrorKind::Closed,
        "the closed client"
    );
    Ok(())
}

async fn updated_never_steps_back(ctx: &Ctx) -> Verdict {
    let stored = notes(ctx.storage()).create(note("a")).await?;
    let behind = Arc::new(TestClock::default());
    behind.step_back_wall(Duration::from_secs(3600));
    let second = notes(&ctx.second_with(behind).await?);
    let updated = there(second.update(&stored.id, |note| note.n += 1).await?)?;
    ensure_eq!(updated.updated, stored.updated, "when it was updated");
    ensure_eq!(updated.created, stored.created, "when it was created");
    Ok(())
}

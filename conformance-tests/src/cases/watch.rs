//! Watching a collection: every change is told, those of one document in order, and not before they can be read.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use storage_core::bson::doc;
use storage_core::{Change, ChangeKind, ChangePosition, Changes, ErrorKind, Storage};

use super::sample::{Documents, documents, in_parallel};
use crate::case::{Failure, Verdict, cases, check_kind, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { watch:
    smoke [Watch] tells_what_is_written_and_deleted = "a creation, a replacement and a deletion are told in this order, with the document's id";
    standard [Watch] tells_what_others_do = "what another client does is told, and two who watch are both told";
    standard [Watch] every_way_to_write_is_told = "put_many, update, add and conditional writes and deletions are told like any other";
    standard [AtomicBatch, Watch] batches_are_told_once_they_are_done = "each change of a batch is told, and none of a batch that was refused";
    standard [Watch] another_collection_is_not_told = "who watches a collection is told of nothing else, whatever the names";
    standard [Watch] the_order_of_one_document_is_kept = "beside several writers the changes of each document are told in the order they were made";
    standard [Watch] a_change_is_told_once_it_can_be_read = "who reads a document after its change was told has that state or a later one";
    standard [Watch] goes_on_behind_a_position = "behind the position of a change come all later ones, over another client, after a restart and through text";
    standard [Watch] a_position_that_is_not_known_is_refused = "a position that is none is NotFound, and tells nobody that nothing changed";
    standard [Watch] giving_up_a_wait_loses_nothing = "waiting for the next change may be given up and begun again without losing one";
    standard [Watch] ends_with_its_storage = "closing a storage ends who waits on it in Closed, and nobody else";
    standard [Watch] names_are_checked = "a collection that cannot be, or is the library's own, cannot be watched";
}

/// The next change, but not waited for for ever.
async fn next(changes: &mut Changes) -> Result<Change, Failure> {
    let limit = Duration::from_secs(20);
    let next = tokio::time::timeout(limit, changes.next()).await;
    let next = next.map_err(|_| Failure::new("a change was not told"))?;
    Ok(next.ok_or_else(|| Failure::new("the changes ended"))??)
}

/// What was told of each document. What is told twice in a row counts once: that much is allowed.
type Told = BTreeMap<String, Vec<ChangeKind>>;

/// What is written last before watching begins: it may be told or not.
const BEFORE: &str = "before";

/// Reads until everything expected was told, and nothing else.
async fn tells(changes: &mut Changes, expected: &Told) -> Verdict {
    let mut told = Told::new();
    while told != *expected {
        let Change { id, kind, .. } = next(changes).await?;
        if id.as_str() == BEFORE {
            continue;
        }
        let kinds = told.entry(id.to_string()).or_default();
        if kinds.last() != Some(&kind) {
            kinds.push(kind);
        }
        let fits = expected
            .get(id.as_str())
            .is_some_and(|all| all.starts_with(kinds));
        ensure!(
            fits,
            "{id:?}: {kinds:?} was told, expected {:?}",
            expected.get(id.as_str())
        );
    }
    Ok(())
}

fn expect(ids: &[&str], kinds: &[ChangeKind]) -> Told {
    ids.iter().map(|id| ((*id).to_owned(), kinds.to_vec())).collect()
}

const WRITTEN: ChangeKind = ChangeKind::Written;
const DELETED: ChangeKind = ChangeKind::Deleted;

async fn tells_what_is_written_and_deleted(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let mut changes = people.watch().await?;
    people.put("ada", &doc! { "n": 1_i64 }).await?;
    let first = next(&mut changes).await?;
    ensure_eq!((first.id.as_str(), first.kind), ("ada", WRITTEN), "the creation");
    people.put("ada", &doc! { "n": 2_i64 }).await?;
    people.delete("ada").await?;
    people.put("bob", &doc! {}).await?;
    let expected: Told = [
        ("ada".to_owned(), vec![WRITTEN, DELETED]),
        ("bob".to_owned(), vec![WRITTEN]),
    ]
    .into();
    tells(&mut changes, &expected).await
}

async fn tells_what_others_do(ctx: &Ctx) -> Verdict {
    let other = ctx.second().await?;
    let mut here = documents(ctx.storage(), "people").watch().await?;
    let mut there = documents(&other, "people").watch().await?;
    documents(ctx.storage(), "people").put("ada", &doc! {}).await?;
    documents(&other, "people").put("bob", &doc! {}).await?;
    documents(&other, "people").delete("ada").await?;
    let expected: Told = [
        ("ada".to_owned(), vec![WRITTEN, DELETED]),
        ("bob".to_owned(), vec![WRITTEN]),
    ]
    .into();
    for changes in [&mut here, &mut there] {
        tells(changes, &expected).await?;
    }
    Ok(())
}

async fn every_way_to_write_is_told(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let before = people.put("conditional", &doc! { "n": 1_i64 }).await?;
    let removed = people.put("removed", &doc! {}).await?;
    people.put("updated", &doc! { "n": 1_i64 }).await?;
    people.put(BEFORE, &doc! {}).await?;
    let mut changes = people.watch().await?;
    let body = doc! { "n": 2_i64 };
    for result in people
        .put_many([("one", &body), ("two", &body), ("three", &body)])
        .await?
    {
        result?;
    }
    people
        .update("updated", |value| drop(value.insert("n", 3_i64)))
        .await?;
    people.put_if("conditional", &body, before).await?;
    people.insert("inserted", &body).await?;
    people.delete_if("removed", removed).await?;
    let (added, _) = people.add(&body).await?;
    let mut expected = expect(
        &[
            "one",
            "two",
            "three",
            "updated",
            "conditional",
            "inserted",
            added.as_str(),
        ],
        &[WRITTEN],
    );
    expected.insert("removed".to_owned(), vec![DELETED]);
    tells(&mut changes, &expected).await
}

async fn batches_are_told_once_they_are_done(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let people = documents(storage, "people");
    people.put("gone", &doc! {}).await?;
    people.put("there", &doc! {}).await?;
    people.put(BEFORE, &doc! {}).await?;
    let mut changes = people.watch().await?;
    let refused = storage
        .batch()
        .put(&people, "never", &doc! {})
        .delete(&people, "there")
        .insert(&people, "there", &doc! {})
        .insert(&people, "there", &doc! {})
        .commit()
        .await;
    ensure_kind!(refused, ErrorKind::AlreadyExists, "a batch that meets itself");
    storage
        .batch()
        .put(&people, "a", &doc! {})
        .delete(&people, "gone")
        .put(&people, "b", &doc! {})
        .commit()
        .await?;
    let mut expected = expect(&["a", "b"], &[WRITTEN]);
    expected.insert("gone".to_owned(), vec![DELETED]);
    tells(&mut changes, &expected).await
}

async fn another_collection_is_not_told(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let mut changes = documents(storage, "people").watch().await?;
    for other in ["people2", "peopl", "People", "people.x", "other"] {
        documents(storage, other)
            .put(format!("in {other}"), &doc! {})
            .await?;
    }
    storage.objects().write("people/x", "an object").await?;
    // Two, so that whoever mixes two collections has to mix them before the last.
    documents(storage, "people").put("here", &doc! {}).await?;
    documents(storage, "people").delete("here").await?;
    let expected = expect(&["here"], &[WRITTEN, DELETED]);
    tells(&mut changes, &expected).await
}

/// How many documents each writer creates, deletes and creates again.
const EACH: usize = 20;

async fn the_order_of_one_document_is_kept(ctx: &Ctx) -> Verdict {
    let watching = ctx.second().await?;
    let mut changes = documents(&watching, "people").watch().await?;
    let storages: Vec<Storage> = vec![ctx.storage().clone(), ctx.second().await?];
    let writers = storages
        .into_iter()
        .enumerate()
        .map(|(writer, storage)| async move {
            let people = documents(&storage, "people");
            for n in 0..EACH {
                let id = format!("{writer} {n}");
                people.put(&id, &doc! { "n": 1_i64 }).await?;
                people.delete(&id).await?;
                people.put(&id, &doc! { "n": 2_i64 }).await?;
            }
            Ok::<_, storage_core::Error>(())
        });
    for outcome in in_parallel(writers).await? {
        outcome?;
    }
    let expected: Told = (0..2)
        .flat_map(|writer| (0..EACH).map(move |n| format!("{writer} {n}")))
        .map(|id| (id, vec![WRITTEN, DELETED, WRITTEN]))
        .collect();
    tells(&mut changes, &expected).await
}

async fn a_change_is_told_once_it_can_be_read(ctx: &Ctx) -> Verdict {
    let watching = documents(&ctx.second().await?, "people");
    let mut changes = watching.watch().await?;
    let writing = ctx.storage().clone();
    let writer = tokio::spawn(async move {
        let people = documents(&writing, "people");
        for n in 0..60_i64 {
            people.put(format!("{n}"), &doc! { "n": n }).await?;
            people.put("counter", &doc! { "n": n }).await?;
        }
        Ok::<_, storage_core::Error>(())
    });
    let mut seen = 0;
    while seen < 59 {
        let change = next(&mut changes).await?;
        let read = watching.get(&change.id).await?;
        let read = read.ok_or_else(|| Failure::new(format!("{:?} was told and is not there", change.id)))?;
        if change.id.as_str() == "counter" {
            let n = read.value.get_i64("n").unwrap_or(-1);
            ensure!(
                n >= seen,
                "the counter was at {seen} already, and is now read as {n}"
            );
            seen = n;
        }
    }
    writer.await.map_err(|error| error.to_string())??;
    Ok(())
}

async fn goes_on_behind_a_position(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let mut changes = people.watch().await?;
    people.put("a", &doc! {}).await?;
    people.put("b", &doc! {}).await?;
    people.put("c", &doc! {}).await?;
    let first = next(&mut changes).await?;
    ensure_eq!(first.id.as_str(), "a", "the first change");
    drop(changes);
    people.delete("a").await?;
    let text = first.position.to_string();
    let position: ChangePosition = text.parse()?;
    ensure!(
        position == first.position,
        "a position comes through text as it was"
    );
    let mut expected = expect(&["b", "c"], &[WRITTEN]);
    expected.insert("a".to_owned(), vec![DELETED]);
    let other = documents(&ctx.second().await?, "people");
    let mut again = other.watch_after(&position).await?;
    tells(&mut again, &expected).await?;
    let reopened = documents(&ctx.reopen().await?, "people");
    let mut again = reopened.watch_after(&position).await?;
    tells(&mut again, &expected).await?;
    reopened.put("d", &doc! {}).await?;
    ensure_eq!(next(&mut again).await?.id.as_str(), "d", "and on from there");
    Ok(())
}

async fn a_position_that_is_not_known_is_refused(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    people.put("a", &doc! {}).await?;
    for bytes in [&b"x"[..], &[0; 24], &[5, 0, 0, 0, 0], "no position".as_bytes()] {
        let position = ChangePosition::new(bytes.to_vec());
        let answer = people.watch_after(&position).await.map(|_| ());
        ensure_kind!(answer, ErrorKind::NotFound, "watching behind {bytes:?}");
    }
    Ok(())
}

async fn giving_up_a_wait_loses_nothing(ctx: &Ctx) -> Verdict {
    let people = documents(ctx.storage(), "people");
    let mut changes = people.watch().await?;
    let early = tokio::time::timeout(Duration::from_millis(5), changes.next()).await;
    ensure!(early.is_err(), "nothing was written yet: {early:?}");
    let ids: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let mut told = Vec::new();
    for id in &ids {
        people.put(id, &doc! {}).await?;
        // Polled once or twice and dropped.
        if let Ok(Some(change)) = tokio::time::timeout(Duration::ZERO, changes.next()).await {
            told.push(change?.id.to_string());
        }
    }
    while told.last() != ids.last() {
        told.push(next(&mut changes).await?.id.to_string());
    }
    told.dedup();
    let mut sorted = told.clone();
    sorted.sort_by_key(|id| id.parse::<u32>().unwrap_or(u32::MAX));
    ensure_eq!(sorted, ids, "every write, whatever waits were given up");
    Ok(())
}

async fn ends_with_its_storage(ctx: &Ctx) -> Verdict {
    let closing = ctx.second().await?;
    let mut ending = documents(&closing, "people").watch().await?;
    let mut staying = documents(ctx.storage(), "people").watch().await?;
    let waiting = tokio::spawn(async move {
        let end = ending.next().await;
        (end, ending.next().await.is_none())
    });
    tokio::task::yield_now().await;
    closing.close().await?;
    let ended = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    let (end, over) = ended
        .map_err(|_| Failure::new("who waited on a closed storage waits on"))?
        .map_err(|error| error.to_string())?;
    let end = end.unwrap_or_else(|| Err(storage_core::Error::invalid_argument("it ended without a word")));
    check_kind(end, ErrorKind::Closed)?;
    ensure!(over, "nothing comes after Closed");
    let answer = documents(&closing, "people").watch().await.map(|_| ());
    ensure_kind!(answer, ErrorKind::Closed, "watching on a closed storage");
    documents(ctx.storage(), "people").put("ada", &doc! {}).await?;
    ensure_eq!(
        next(&mut staying).await?.id.as_str(),
        "ada",
        "who watches on another"
    );
    Ok(())
}

async fn names_are_checked(ctx: &Ctx) -> Verdict {
    for name in ["", "_storage.leases", "nul\0"] {
        let refused: Documents = documents(ctx.storage(), name);
        let answer = refused.watch().await.map(|_| ());
        ensure_kind!(answer, ErrorKind::InvalidName, "watching {name:?}");
    }
    let long = "n".repeat(100_000);
    let answer = documents(ctx.storage(), &long).watch().await.map(|_| ());
    ensure_kind!(
        answer,
        ErrorKind::LimitExceeded,
        "watching a collection with a long name"
    );
    Ok(())
}

//! What indexes of entities do as entities and indexes come and go.

use serde::{Deserialize, Serialize};
use storage_core::{AccessKind, ErrorKind, Index, Query};
use storage_stores::collections::{Entities, Entity};

use super::entity_index::{four, ids};
use super::sample::{Person, people, person};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { entity_upkeep:
    standard [Indexes, UniqueIndexes] a_violation_leaves_nothing_behind = "an entity refused by one index is found by no other, and its values are free for others";
    standard [Indexes, UniqueIndexes] a_sparse_unique_index_ignores_those_without = "any number of entities may lack a field that is unique where it is";
    standard [Indexes, UniqueIndexes] indexes_follow_changes_and_deletions = "after an update or a delete an entity is found by what it is, not by what it was";
    standard [Indexes, UniqueIndexes] indexes_are_created_listed_counted_and_dropped = "an index made over existing entities finds them, is listed, has figures, and is gone when dropped";
    standard [Indexes, UniqueIndexes] figures_count_entries_not_calls = "unique keys, entries and average are those of what is there, also after nulls and tags were taken away";
    standard [Indexes, UniqueIndexes] rebuilding_changes_no_answer = "rebuild_indexes gives the same answers, on an empty collection too";
    standard [Indexes, UniqueIndexes] names_of_indexes_are_data = "an index named ../../evil or __proto__ is an index as any other";
    standard [Indexes, UniqueIndexes] explain_proves_the_index = "find_by, find_range and a query by an indexed field use that index and scan nothing";
    standard [Indexes, UniqueIndexes] the_indexes_of_the_type_are_there_before_the_first_write = "of two first writes by two clients that violate a unique index one is refused";
}

async fn a_violation_leaves_nothing_behind(ctx: &Ctx) -> Verdict {
    let people = people(ctx.storage());
    let with_email = |name: &str, email: &str| Person {
        email: Some(email.to_owned()),
        tags: vec![format!("tag of {name}")],
        ..person(name, name, 40)
    };
    let ada = people.create_with_id("ada", with_email("Ada", "a@x")).await?;
    people.create_with_id("bob", with_email("Bob", "b@x")).await?;
    ensure_kind!(
        people.create_with_id("eve", with_email("Eve", "a@x")).await,
        ErrorKind::UniqueViolation,
        "a create"
    );
    ensure_kind!(
        people
            .update("bob", |bob| *bob = with_email("Robert", "a@x"))
            .await,
        ErrorKind::UniqueViolation,
        "an update"
    );
    ensure_eq!(people.get_by_id("eve").await?, None, "the refused entity");
    for name in ["Eve", "Robert"] {
        ensure_eq!(
            ids(people.find_by("by_name", name).await?).await?,
            "",
            "{name} by name"
        );
        let tag = format!("tag of {name}");
        ensure_eq!(
            ids(people.find_by("by_tag", tag).await?).await?,
            "",
            "{name} by tag"
        );
        let tuple = people.find_by("by_city_and_age", (name, 40)).await?;
        ensure_eq!(ids(tuple).await?, "", "{name} by city and age");
    }
    ensure_eq!(
        ids(people.find_by("by_email", "a@x").await?).await?,
        "ada",
        "whose address it is"
    );
    ensure_eq!(
        ids(people.find_by("by_name", "Bob").await?).await?,
        "bob",
        "who was not updated"
    );
    people.delete_if(&ada).await?;
    people.create_with_id("eve", with_email("Eve", "a@x")).await?;
    ensure_eq!(
        ids(people.find_by("by_email", "a@x").await?).await?,
        "eve",
        "a freed address"
    );
    Ok(())
}

async fn a_sparse_unique_index_ignores_those_without(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    let stats = people.index_stats("by_email").await?;
    ensure_eq!(
        (stats.unique_keys, stats.total_entries),
        (0, 0),
        "nobody has an address"
    );
    ensure_kind!(
        people.find_range::<&str>("by_email", ..).await,
        ErrorKind::InvalidArgument,
        "everything a sparse hash index does not hold"
    );
    Ok(())
}

async fn indexes_follow_changes_and_deletions(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    people.update("a", |ada| ada.age = 37).await?;
    ensure_eq!(
        ids(people.find_by("by_age", 36).await?).await?,
        "",
        "what she was"
    );
    ensure_eq!(
        ids(people.find_by("by_age", 37).await?).await?,
        "a",
        "what she is"
    );
    people.delete("d").await?;
    ensure_eq!(
        ids(people.find_by("by_age", 30).await?).await?,
        "c",
        "after a delete"
    );
    people.delete_all().await?;
    ensure_eq!(
        ids(people.find_range::<i64>("by_age", ..).await?).await?,
        "",
        "after all were deleted"
    );
    Ok(())
}

async fn indexes_are_created_listed_counted_and_dropped(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    let index = Index::btree("by_name_in_order", ["name"]);
    ensure!(people.create_index(index.clone()).await?, "it is new");
    ensure!(!people.create_index(index).await?, "it is there already");
    ensure_kind!(
        people
            .create_index(Index::btree("by_name_in_order", ["age"]))
            .await,
        ErrorKind::AlreadyExists,
        "another of the name"
    );
    let found = people.find_range("by_name_in_order", "Ada".."Cyd").await?;
    ensure_eq!(ids(found).await?, "a b", "those that were there before it");
    let mut names: Vec<String> = Person::indexes().into_iter().map(|index| index.name).collect();
    names.push("by_name_in_order".to_owned());
    names.sort();
    let listed = people.indexes().await?;
    let listed: Vec<String> = listed.into_iter().map(|info| info.index.name).collect();
    ensure_eq!(listed, names, "the list");
    let stats = people.index_stats("by_name_in_order").await?;
    ensure_eq!((stats.unique_keys, stats.total_entries), (4, 4), "its figures");
    ensure!(people.drop_index("by_name_in_order").await?, "it was there");
    ensure_kind!(
        people.find_by("by_name_in_order", "Ada").await,
        ErrorKind::NotFound,
        "a question by it"
    );
    Ok(())
}

async fn figures_count_entries_not_calls(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    let stats = people.index_stats("by_age").await?;
    ensure_eq!(
        (stats.unique_keys, stats.total_entries),
        (3, 4),
        "three ages of four people"
    );
    let average = stats.average_entries_per_key();
    ensure_eq!((average * 3.0).round(), 4.0, "three times the average");
    let before = people.index_stats("by_tag").await?.total_entries;
    let tags = || vec!["x".to_owned(), "y".to_owned(), "z".to_owned()];
    people.update("a", |ada| ada.tags = tags()).await?;
    let with = people.index_stats("by_tag").await?;
    ensure_eq!(with.total_entries - before, 3, "an entry for each tag");
    people.update("a", |ada| ada.tags.clear()).await?;
    ensure_eq!(
        people.index_stats("by_tag").await?.total_entries,
        before,
        "without tags again"
    );
    let before = people.index_stats("by_boss").await?.total_entries;
    people.create_with_id("e", person("Eve", "Rome", 9)).await?;
    people.delete("e").await?;
    ensure_eq!(
        people.index_stats("by_boss").await?.total_entries,
        before,
        "after a null came and went"
    );
    Ok(())
}

async fn rebuilding_changes_no_answer(ctx: &Ctx) -> Verdict {
    people(&ctx.second().await?).rebuild_indexes().await?;
    let people = four(ctx).await?;
    people.delete("b").await?;
    people.rebuild_indexes().await?;
    ensure_eq!(
        ids(people.find_range::<i64>("by_age", ..).await?).await?,
        "c d a",
        "a range"
    );
    ensure_eq!(
        ids(people.find_by("by_name", "Ada").await?).await?,
        "a",
        "a value"
    );
    people.delete_all().await?;
    people.rebuild_indexes().await?;
    let reopened = self::people(&ctx.reopen().await?);
    ensure_eq!(
        ids(reopened.find_range::<i64>("by_age", ..).await?).await?,
        "",
        "of nothing, after a reopen"
    );
    Ok(())
}

async fn names_of_indexes_are_data(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    for name in ["../../evil", "__proto__", "a b", "é"] {
        people.create_index(Index::btree(name, ["age"])).await?;
        ensure_eq!(
            ids(people.find_by(name, 30).await?).await?,
            "c d",
            "by index {name:?}"
        );
        ensure!(people.drop_index(name).await?, "{name:?} was there");
    }
    ensure_kind!(
        people.create_index(Index::btree("", ["age"])).await,
        ErrorKind::InvalidName,
        "no name"
    );
    Ok(())
}

async fn explain_proves_the_index(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    for (query, index) in [
        (Query::eq("name", "Ada"), "by_name"),
        (Query::ge("age", 18).and(Query::lt("age", 30)), "by_age"),
        (
            Query::eq("city", "Delft").and(Query::eq("age", 30)),
            "by_city_and_age",
        ),
        (Query::eq("tags", "red"), "by_tag"),
        (Query::eq("address.zip", "2611"), "by_zip"),
        (Query::ge("created", 0), "by_created"),
    ] {
        let how = people.explain(query).await?;
        ensure_eq!(how.access, AccessKind::Index, "how {index} is used");
        ensure_eq!(how.index.as_deref(), Some(index), "which index is used");
    }
    Ok(())
}

/// Unique from the first.
#[derive(Debug, Serialize, Deserialize)]
struct Account {
    login: String,
}

impl Entity for Account {
    const COLLECTION: &'static str = "accounts";

    fn indexes() -> Vec<Index> {
        vec![Index::hash("by_login", ["login"]).unique()]
    }
}

async fn the_indexes_of_the_type_are_there_before_the_first_write(ctx: &Ctx) -> Verdict {
    let clients = [ctx.second().await?, ctx.second().await?];
    let creates = clients.map(|client| async move {
        let accounts = Entities::<Account>::new(client);
        let login = "ada".to_owned();
        accounts.create(Account { login }).await
    });
    let results = crate::cases::sample::in_parallel(creates).await?;
    let created = crate::cases::sample::winners(&results, ErrorKind::UniqueViolation)?;
    ensure_eq!(created, 1, "how many were created");
    Ok(())
}

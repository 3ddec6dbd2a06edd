//! Asking for entities by index, by range and by query.

mod values;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use storage_core::{ErrorKind, Index, Query};
use storage_stores::collections::{Entities, FoundEntities};

use self::values::{
    arrays_are_indexed_by_each_element, nested_fields_are_indexed, null_is_a_value_of_its_own,
    strange_values_are_values,
};
use super::sample::{Person, people, person, there};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { entity_index:
    smoke [Indexes, UniqueIndexes] find_by_gives_those_with_the_value = "find_by gives exactly the entities whose field has the value, in the order of ids";
    smoke [Indexes, UniqueIndexes] ranges_are_ordered_and_bounded_as_asked = "find_range gives what lies within, inclusive or exclusive as written, in the index's order, ties by id";
    standard [Indexes, UniqueIndexes] ranges_over_times = "the store's own times can be indexed and ranged over";
    standard [Indexes, UniqueIndexes] a_composite_index_takes_the_whole_tuple = "of an index over two fields only the tuple finds anything; one value alone is refused";
    standard [Indexes, UniqueIndexes] a_composite_range_shares_all_but_the_last = "a range over a composite index runs over its last field; bounds with other prefixes are refused";
    standard [Indexes, UniqueIndexes] composite_unique_is_unique_on_the_tuple = "unique over two fields lets (x, z) in beside (x, y), and refuses a second (x, y)";
    standard [Indexes, UniqueIndexes] arrays_are_indexed_by_each_element = "an entity is found by each of its tags once, and by none it lost";
    standard [Indexes, UniqueIndexes] nested_fields_are_indexed = "a field of a nested struct is found by its path";
    standard [Indexes, UniqueIndexes] null_is_a_value_of_its_own = "null finds null: not the text __null__, not an empty text, not a missing field";
    standard [Indexes, UniqueIndexes] strange_values_are_values = "constructor, __proto__, the empty text and ../../evil are values that find themselves only";
    standard [Indexes, UniqueIndexes] an_index_that_is_not_there_is_not_found = "find_by, find_range and figures of an unknown index are NotFound and name those there are, on an empty collection too";
    standard [Indexes, UniqueIndexes] a_hash_index_has_no_ranges = "a range on a hash index or one over each element is InvalidArgument";
    standard [Indexes, UniqueIndexes] queries_combine_sort_and_page = "a query with several conditions, an order and a limit gives exactly what a filter in memory gives, in pages too";
    standard [Indexes] a_query_without_an_index_is_refused_unless_it_may_scan = "a query no index answers is IndexRequired; with allow_scan it is answered";
}

/// Ada, Bob, Cyd and Dan, under the ids a, b, c and d.
pub(super) async fn four(ctx: &Ctx) -> Result<Entities<Person>, Failure> {
    let people = people(ctx.storage());
    for (id, name, city, age) in [
        ("d", "Dan", "Delft", 30),
        ("a", "Ada", "Delft", 36),
        ("c", "Cyd", "Paris", 30),
        ("b", "Bob", "Delft", 18),
    ] {
        people.create_with_id(id, person(name, city, age)).await?;
    }
    Ok(people)
}

pub(super) async fn ids(found: FoundEntities<Person>) -> Result<String, Failure> {
    let found = found.collect().await?;
    Ok(found
        .iter()
        .map(|person| person.id.as_str())
        .collect::<Vec<_>>()
        .join(" "))
}

async fn find_by_gives_those_with_the_value(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    ensure_eq!(
        ids(people.find_by("by_name", "Ada").await?).await?,
        "a",
        "by a hash index"
    );
    ensure_eq!(
        ids(people.find_by("by_age", 30).await?).await?,
        "c d",
        "by a B-tree index"
    );
    ensure_eq!(
        ids(people.find_by("by_age", 30.0).await?).await?,
        "c d",
        "a number is a number"
    );
    ensure_eq!(
        ids(people.find_by("by_age", "30").await?).await?,
        "",
        "a text is no number"
    );
    ensure_eq!(ids(people.find_by("by_name", "Eve").await?).await?, "", "nobody");
    let ada = there(people.find_one_by("by_name", "Ada").await?)?;
    ensure_eq!(ada.value, person("Ada", "Delft", 36), "the one");
    ensure_eq!(people.find_one_by("by_name", "Eve").await?, None, "no one");
    let second = self::people(&ctx.second().await?);
    ensure_eq!(
        ids(second.find_by("by_age", 30).await?).await?,
        "c d",
        "another client"
    );
    Ok(())
}

async fn ranges_are_ordered_and_bounded_as_asked(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    let by_age = "by_age";
    ensure_eq!(
        ids(people.find_range(by_age, 18..36).await?).await?,
        "b c d",
        "18..36"
    );
    ensure_eq!(
        ids(people.find_range(by_age, 18..=36).await?).await?,
        "b c d a",
        "18..=36"
    );
    ensure_eq!(
        ids(people.find_range(by_age, 19..).await?).await?,
        "c d a",
        "19.."
    );
    ensure_eq!(ids(people.find_range(by_age, ..30).await?).await?, "b", "..30");
    ensure_eq!(
        ids(people.find_range(by_age, ..=30).await?).await?,
        "b c d",
        "..=30"
    );
    let open = (Bound::Excluded(18), Bound::Excluded(36));
    ensure_eq!(
        ids(people.find_range(by_age, open).await?).await?,
        "c d",
        "between, both excluded"
    );
    ensure_eq!(
        ids(people.find_range::<i64>(by_age, ..).await?).await?,
        "b c d a",
        "everything"
    );
    ensure_eq!(ids(people.find_range(by_age, 40..).await?).await?, "", "beyond");
    let inverted = (Bound::Included(36), Bound::Included(18));
    ensure_eq!(
        ids(people.find_range(by_age, inverted).await?).await?,
        "",
        "upside down"
    );
    // As text 9 comes after 18; as a number it does not.
    people.create_with_id("e", person("Eve", "Rome", 9)).await?;
    ensure_eq!(
        ids(people.find_range(by_age, 0..=18).await?).await?,
        "e b",
        "numbers order as numbers"
    );
    Ok(())
}

async fn ranges_over_times(ctx: &Ctx) -> Verdict {
    let people = people(ctx.storage());
    let mut times = Vec::new();
    for name in ["a", "b", "c"] {
        times.push(people.create_with_id(name, person(name, "", 1)).await?.created);
        ctx.clock().advance(Duration::from_secs(1));
    }
    let found = people.find_range("by_created", times[1]..=times[2]).await?;
    ensure_eq!(ids(found).await?, "b c", "by timestamps");
    let found = people.find_range("by_created", ..times[1].as_millis()).await?;
    ensure_eq!(ids(found).await?, "a", "by milliseconds");
    Ok(())
}

async fn a_composite_index_takes_the_whole_tuple(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    let by = "by_city_and_age";
    ensure_eq!(
        ids(people.find_by(by, ("Delft", 30)).await?).await?,
        "d",
        "the tuple"
    );
    ensure_eq!(
        ids(people.find_by(by, ("Delft", 31)).await?).await?,
        "",
        "another tuple"
    );
    ensure_eq!(
        ids(people.find_by(by, ("Delft:30", 0)).await?).await?,
        "",
        "not joined as text"
    );
    ensure_kind!(
        people.find_by(by, "Delft").await,
        ErrorKind::InvalidArgument,
        "one value alone"
    );
    ensure_kind!(
        people.find_by(by, ("Delft", 30, 1)).await,
        ErrorKind::InvalidArgument,
        "three values"
    );
    Ok(())
}

async fn a_composite_range_shares_all_but_the_last(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    let by = "by_city_and_age";
    let found = people.find_range(by, ("Delft", 18)..("Delft", 36)).await?;
    ensure_eq!(ids(found).await?, "b d", "both bounds");
    let found = people.find_range(by, ("Delft", 19)..).await?;
    ensure_eq!(ids(found).await?, "d a", "one bound stays within the city");
    let found = people.find_range::<(&str, i64)>(by, ..).await?;
    ensure_eq!(ids(found).await?, "b d a c", "everything");
    ensure_kind!(
        people.find_range(by, ("Delft", 18)..("Paris", 36)).await,
        ErrorKind::InvalidArgument,
        "over two cities"
    );
    ensure_kind!(
        people.find_range(by, "Delft".."Paris").await,
        ErrorKind::InvalidArgument,
        "bounds of one value"
    );
    Ok(())
}

async fn composite_unique_is_unique_on_the_tuple(ctx: &Ctx) -> Verdict {
    let people = people(ctx.storage());
    people
        .create_index(Index::hash("by_both", ["name", "city"]).unique())
        .await?;
    people.create_with_id("1", person("x", "y", 1)).await?;
    people.create_with_id("2", person("x", "z", 1)).await?;
    people.create_with_id("3", person("w", "y", 1)).await?;
    let again = people.create_with_id("4", person("x", "y", 1)).await;
    let reason = again.as_ref().err().map(ToString::to_string).unwrap_or_default();
    ensure!(reason.contains("by_both"), "the error names the index: {reason}");
    ensure_kind!(again, ErrorKind::UniqueViolation, "the same tuple");
    let found = people.find_by("by_both", ("x", "y")).await?;
    ensure_eq!(ids(found).await?, "1", "whose it is");
    Ok(())
}

async fn an_index_that_is_not_there_is_not_found(ctx: &Ctx) -> Verdict {
    let people = people(ctx.storage());
    for round in ["empty", "with an entity"] {
        let found = people.find_by("by_shoe", 43).await;
        let reason = found.as_ref().err().map(ToString::to_string).unwrap_or_default();
        ensure!(
            reason.contains("by_shoe") && reason.contains("by_age") && reason.contains("by_tag"),
            "the error names it and those there are: {reason}"
        );
        ensure_kind!(found, ErrorKind::NotFound, "find_by, {round}");
        ensure_kind!(
            people.find_range("by_shoe", 1..2).await,
            ErrorKind::NotFound,
            "find_range, {round}"
        );
        ensure_kind!(
            people.index_stats("by_shoe").await,
            ErrorKind::NotFound,
            "figures, {round}"
        );
        ensure!(
            !people.drop_index("by_shoe").await?,
            "there is nothing to drop, {round}"
        );
        people.create_with_id(round, person("Ada", "Delft", 36)).await?;
    }
    // One that somebody else dropped is not there either.
    let second = self::people(&ctx.second().await?);
    ensure!(second.drop_index("by_age").await?, "it was there");
    ensure_kind!(
        people.find_by("by_age", 36).await,
        ErrorKind::NotFound,
        "after another client dropped it"
    );
    ensure_kind!(
        second.find_by("by_age", 36).await,
        ErrorKind::NotFound,
        "for who dropped it"
    );
    Ok(())
}

async fn a_hash_index_has_no_ranges(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    for index in ["by_name", "by_tag"] {
        ensure_kind!(
            people.find_range(index, "a".."b").await,
            ErrorKind::InvalidArgument,
            "a range on {index}"
        );
    }
    Ok(())
}

async fn queries_combine_sort_and_page(ctx: &Ctx) -> Verdict {
    let people = people(ctx.storage());
    let mut random = ctx.random();
    let mut all = BTreeMap::new();
    for n in 0..40 {
        let (id, age) = (format!("{n:02}"), i64::try_from(random.below(10)).unwrap_or(0));
        let one = person(&format!("name {}", n % 7), ["Delft", "Paris"][n % 2], age);
        people.create_with_id(&id, one.clone()).await?;
        all.insert(id, one);
    }
    let wanted = |one: &Person| one.city == "Delft" && (3..8).contains(&one.age);
    let mut expected: Vec<(i64, &str)> = all
        .iter()
        .filter(|(_, one)| wanted(one))
        .map(|(id, one)| (one.age, id.as_str()))
        .collect();
    expected.sort_unstable();
    let expected: Vec<&str> = expected.into_iter().map(|(_, id)| id).collect();
    let query = Query::eq("city", "Delft")
        .and(Query::ge("age", 3))
        .and(Query::lt("age", 8));
    let found = ids(people.find(query.clone()).await?).await?;
    ensure_eq!(found, expected.join(" "), "all at once");
    ensure_eq!(
        people.count(query.clone()).await?,
        expected.len() as u64,
        "how many"
    );
    let (mut paged, mut next) = (Vec::new(), query.clone().limit(3));
    loop {
        let page = people.find_page(next).await?;
        paged.extend(page.entities.iter().map(|one| one.id.to_string()));
        let Some(token) = page.next else { break };
        next = query.clone().limit(3).after(token);
    }
    ensure_eq!(paged, expected, "in pages");
    let oldest = people
        .find(Query::all().sort_descending("age").limit(1))
        .await?
        .collect()
        .await?;
    let most = all.values().map(|one| one.age).max();
    ensure_eq!(oldest.first().map(|one| one.age), most, "the oldest");
    Ok(())
}

async fn a_query_without_an_index_is_refused_unless_it_may_scan(ctx: &Ctx) -> Verdict {
    let notes = super::sample::notes(ctx.storage());
    let kept = notes.create(super::sample::note("find me")).await?;
    notes.create(super::sample::note("not me")).await?;
    let query = || Query::eq("text", "find me");
    ensure_kind!(
        notes.find(query()).await,
        ErrorKind::IndexRequired,
        "without an index"
    );
    let found = notes.find(query().allow_scan()).await?.collect().await?;
    ensure_eq!(found, [kept], "by a scan");
    Ok(())
}

//! What a field may hold: elements, nested fields, null, and what other systems trip over.

use storage_core::bson::doc;

use super::super::sample::{Address, Person, people, person};
use super::{four, ids};
use crate::case::{Verdict, ensure_eq};
use crate::context::Ctx;

pub(super) async fn arrays_are_indexed_by_each_element(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    let tagged = |tags: &[&str]| tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<_>>();
    people
        .update("a", |ada| ada.tags = tagged(&["red", "blue", "red"]))
        .await?;
    people.update("b", |bob| bob.tags = tagged(&["blue"])).await?;
    ensure_eq!(ids(people.find_by("by_tag", "blue").await?).await?, "a b", "blue");
    ensure_eq!(
        ids(people.find_by("by_tag", "red").await?).await?,
        "a",
        "red, which is there twice"
    );
    people.update("a", |ada| ada.tags = tagged(&["green"])).await?;
    ensure_eq!(
        ids(people.find_by("by_tag", "red").await?).await?,
        "",
        "red, which is gone"
    );
    ensure_eq!(ids(people.find_by("by_tag", "green").await?).await?, "a", "green");
    ensure_eq!(
        ids(people.find_by("by_tag", "blue").await?).await?,
        "b",
        "blue again"
    );
    Ok(())
}

pub(super) async fn nested_fields_are_indexed(ctx: &Ctx) -> Verdict {
    let people = four(ctx).await?;
    let zip = |zip: &str| Address { zip: zip.to_owned() };
    people.update("a", |ada| ada.address = zip("2611")).await?;
    people.update("b", |bob| bob.address = zip("2628")).await?;
    ensure_eq!(
        ids(people.find_by("by_zip", "2611").await?).await?,
        "a",
        "by its path"
    );
    ensure_eq!(
        ids(people.find_range("by_zip", "2600".."2700").await?).await?,
        "a b",
        "a range of texts"
    );
    Ok(())
}

pub(super) async fn null_is_a_value_of_its_own(ctx: &Ctx) -> Verdict {
    let people = people(ctx.storage());
    for (id, boss) in [
        ("a", None),
        ("b", Some("__null__")),
        ("c", Some("")),
        ("d", Some("null")),
    ] {
        let boss = boss.map(str::to_owned);
        people
            .create_with_id(
                id,
                Person {
                    boss,
                    ..person(id, "", 1)
                },
            )
            .await?;
    }
    let raw = ctx.storage().collection::<storage_core::bson::Document>("people");
    raw.put(
        "e",
        &doc! { "name": "no boss", "created": 1_i64, "updated": 1_i64 },
    )
    .await?;
    let by = "by_boss";
    ensure_eq!(ids(people.find_by(by, None::<String>).await?).await?, "a", "null");
    ensure_eq!(
        ids(people.find_by(by, "__null__").await?).await?,
        "b",
        "the text __null__"
    );
    ensure_eq!(ids(people.find_by(by, "").await?).await?, "c", "the empty text");
    ensure_eq!(
        ids(people.find_by(by, Some("null")).await?).await?,
        "d",
        "the text null"
    );
    Ok(())
}

pub(super) async fn strange_values_are_values(ctx: &Ctx) -> Verdict {
    let people = people(ctx.storage());
    let values = [
        "constructor",
        "__proto__",
        "",
        "../../evil",
        "a:b",
        "a_b",
        "toString",
    ];
    for (at, value) in values.iter().enumerate() {
        let mut strange = person(value, value, 1);
        strange.tags.push((*value).to_owned());
        people.create_with_id(at.to_string(), strange).await?;
    }
    for (at, value) in values.iter().enumerate() {
        let at = at.to_string();
        ensure_eq!(
            ids(people.find_by("by_name", value).await?).await?,
            at,
            "{value:?} by name"
        );
        ensure_eq!(
            ids(people.find_by("by_tag", value).await?).await?,
            at,
            "{value:?} by tag"
        );
        let tuple = people.find_by("by_city_and_age", (value, 1)).await?;
        ensure_eq!(ids(tuple).await?, at, "{value:?} by city and age");
    }
    Ok(())
}

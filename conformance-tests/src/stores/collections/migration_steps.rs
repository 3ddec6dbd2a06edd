//! What each ready-made step does, and how it is undone.

mod files;

use storage_core::bson::{Document, doc};
use storage_core::{ErrorKind, Index, Query};
use storage_stores::collections::{Migration, Step};

use self::files::{files_say_what_code_says, files_that_are_wrong_are_refused};
use super::migration_basics::ensure_failed;
use super::migration_sample::{all, load, migrations, users};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { migration_steps:
    smoke [Documents] fields_are_added_renamed_and_dropped = "add_field leaves a field that is there, rename_field keeps the place of the field, drop_field takes it away; nested fields too";
    standard [Documents] a_rename_over_a_field_fails = "a document that has both names fails the migration, which names it and changes nothing of it";
    standard [Documents] a_transform_makes_another_document = "transform sees the document and gives another; its error fails the migration with its text and the document's name";
    smoke [Documents] a_filter_keeps_what_it_removes = "what a filter removes is in migrations.removed, whole; going back puts it back as it was, expiry included, and leaves nothing there";
    standard [Documents] what_came_instead_stays = "where a document of the same id came since, going back leaves it, and what was removed stays in migrations.removed";
    smoke [Indexes] indexes_come_and_go = "add_index makes an index that answers queries, drop_index takes it away, and going back undoes each";
    standard [UniqueIndexes] documents_change_around_indexes = "a unique index is dropped before and made after the documents change, in the order of the steps";
    standard [Documents] steps_of_one_collection_are_one_write = "several changes of a document are one write: every state that anybody reads is all or none of them";
    standard [Documents] inverses = "each ready-made step knows its inverse, or that it has none";
    standard [Documents] files_say_what_code_says = "a migration read from JSON is the same migration, by its checksum, as one in code, and does the same";
    standard [Documents] files_that_are_wrong_are_refused = "a file with a missing, unknown or wrong entry is InvalidArgument saying where";
}

async fn fields_are_added_renamed_and_dropped(ctx: &Ctx) -> Verdict {
    let users = users(ctx.storage());
    let before = doc! { "a": 1_i64, "b": { "c": 2_i64, "x": true }, "role": "admin", "z": 0_i64 };
    users.put("full", &before).await?;
    users.put("bare", &doc! {}).await?;
    let set = migrations(
        ctx.storage(),
        [Migration::new("1.0.0", "fields")
            .up(Step::add_field("users", "role", "member"))
            .up(Step::add_field("users", "b.new", 5_i64))
            .up(Step::rename_field("users", "a", "first"))
            .up(Step::rename_field("users", "b.c", "b.d"))
            .up(Step::drop_field("users", "z"))
            .up(Step::drop_field("users", "b.x"))],
    )?;
    set.migrate().await?;
    let found = all(ctx.storage(), "users").await?;
    ensure_eq!(
        found["full"],
        doc! { "first": 1_i64, "b": { "d": 2_i64, "new": 5_i64 }, "role": "admin", "_schema": "1.0.0" },
        "a document with every field"
    );
    ensure_eq!(
        found["bare"],
        doc! { "role": "member", "_schema": "1.0.0" },
        "a document with none: a nested field is added only where its document is"
    );
    Ok(())
}

async fn a_rename_over_a_field_fails(ctx: &Ctx) -> Verdict {
    let both = doc! { "mail": "a", "email": "b" };
    users(ctx.storage()).put("both", &both).await?;
    let set = migrations(ctx.storage(), [super::migration_sample::emails()])?;
    let error = ensure_failed(set.migrate().await, ErrorKind::InvalidArgument)?;
    ensure!(error.contains("users/both"), "it names the document: {error}");
    ensure!(
        error.contains("mail") && error.contains("email"),
        "it names the fields: {error}"
    );
    ensure_eq!(all(ctx.storage(), "users").await?["both"], both, "the document");
    Ok(())
}

async fn a_transform_makes_another_document(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let set = migrations(
        ctx.storage(),
        [
            Migration::new("1.0.0", "names").up(Step::transform("users", "split names", |user| {
                let name = user.get_str("name").map_err(|_| "it has no name".to_owned())?;
                Ok(doc! { "names": [name] })
            })),
        ],
    )?;
    set.migrate().await?;
    let found = all(ctx.storage(), "users").await?;
    ensure_eq!(
        found["bob"],
        doc! { "names": ["Bob"], "_schema": "1.0.0" },
        "the document"
    );
    users(ctx.storage()).put("nameless", &doc! {}).await?;
    let next = Migration::new("1.1.0", "more").up(Step::add_field("users", "n", 1_i64));
    let mut set = set;
    set.register(next)?;
    let error = ensure_failed(set.migrate().await, ErrorKind::InvalidArgument)?;
    ensure!(
        error.contains("users/nameless") && error.contains("split names") && error.contains("it has no name"),
        "it names document, function and reason: {error}"
    );
    Ok(())
}

fn only_long_names() -> Migration {
    Migration::new("1.1.0", "no short names")
        .up(Step::add_field("users", "seen", true))
        .up(Step::filter("users", "long names", |user: &Document| {
            user.get_str("name").is_ok_and(|name| name.len() > 3)
        }))
}

async fn a_filter_keeps_what_it_removes(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    users(storage).put("grace", &doc! { "name": "Grace" }).await?;
    if ctx.has(storage_core::Capability::Expiry) {
        let at = storage.now().after(std::time::Duration::from_secs(60));
        let options = storage_core::PutOptions::new().expires_at(at);
        users(storage)
            .put_with("eve", &doc! { "name": "Eve" }, options)
            .await?;
    }
    let before = users(storage).find(Query::all()).await?.collect().await?;
    let set = migrations(storage, [only_long_names()])?;
    set.migrate().await?;
    let ids: Vec<String> = all(storage, "users").await?.into_keys().collect();
    ensure_eq!(ids, ["grace"], "what is left");
    let removed = all(storage, "migrations.removed").await?;
    ensure_eq!(removed.len(), before.len() - 1, "what was removed is kept");
    let ada = removed
        .values()
        .find(|kept| kept.get_str("id").ok() == Some("ada"))
        .ok_or("Ada is kept")?;
    ensure_eq!(
        (
            ada.get_str("collection").ok(),
            ada.get_str("migration").ok(),
            ada.get_document("document").ok()
        ),
        (
            Some("users"),
            Some("1.1.0"),
            Some(&doc! { "name": "Ada", "mail": "ada@x.org" })
        ),
        "what is kept of her"
    );
    set.rollback_to("0.0.0").await?;
    let after = users(storage).find(Query::all()).await?.collect().await?;
    let shown = |all: &[storage_core::Document<Document>]| -> Vec<_> {
        all.iter()
            .map(|one| (one.id.clone(), one.value.clone(), one.expires_at))
            .collect()
    };
    ensure_eq!(shown(&after), shown(&before), "everything is as it was");
    ensure_eq!(
        all(storage, "migrations.removed").await?.len(),
        0,
        "nothing is kept any more"
    );
    Ok(())
}

async fn what_came_instead_stays(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let set = migrations(storage, [only_long_names()])?;
    set.migrate().await?;
    let instead = doc! { "name": "Adelaide", "_schema": "1.1.0" };
    users(storage).put("ada", &instead).await?;
    set.rollback_to("0.0.0").await?;
    let found = all(storage, "users").await?;
    ensure_eq!(found["ada"], doc! { "name": "Adelaide" }, "who came instead");
    ensure_eq!(found["bob"], doc! { "name": "Bob" }, "who was put back");
    let kept = all(storage, "migrations.removed").await?;
    ensure_eq!(kept.len(), 1, "the first Ada is still kept");
    Ok(())
}

async fn indexes_come_and_go(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let (by_name, by_mail) = (
        || Index::btree("by_name", ["name"]),
        || Index::hash("by_mail", ["mail"]),
    );
    users(storage).ensure_index(by_mail()).await?;
    let set = migrations(
        storage,
        [Migration::new("1.0.0", "indexes")
            .up(Step::add_index("users", by_name()))
            .up(Step::drop_index("users", by_mail()))],
    )?;
    set.migrate().await?;
    let found = users(storage)
        .find(Query::eq("name", "Bob"))
        .await?
        .collect()
        .await?;
    ensure_eq!(found.len(), 1, "what the new index finds");
    ensure_kind!(
        users(storage).find(Query::eq("mail", "ada@x.org")).await,
        ErrorKind::IndexRequired,
        "the old index"
    );
    set.rollback_to("0.0.0").await?;
    let names: Vec<String> = users(storage)
        .indexes()
        .await?
        .into_iter()
        .map(|info| info.index.name)
        .collect();
    ensure_eq!(names, ["by_mail"], "the indexes after going back");
    ensure!(
        all(storage, "users")
            .await?
            .values()
            .all(|user| !user.contains_key("_schema")),
        "an index is no change of the documents"
    );
    Ok(())
}

async fn documents_change_around_indexes(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let unique = || Index::btree("by_n", ["n"]).unique();
    for n in 0..4_i64 {
        users(storage).put(n.to_string(), &doc! { "n": n }).await?;
    }
    users(storage).ensure_index(unique()).await?;
    let turned = |sign: i64| {
        move |mut user: Document| {
            // On the way every value is somebody else's.
            let n = user.get_i64("n").unwrap_or(0);
            user.insert("n", (n + sign).rem_euclid(4));
            Ok(user)
        }
    };
    let set = migrations(
        storage,
        [Migration::new("1.0.0", "turn round")
            .up(Step::drop_index("users", unique()))
            .up(Step::transform("users", "turn", turned(1)))
            .up(Step::add_index("users", unique()))
            .down(Step::drop_index("users", unique()))
            .down(Step::transform("users", "turn back", turned(-1)))
            .down(Step::add_index("users", unique()))],
    )?;
    set.migrate().await?;
    let found = users(storage)
        .find(Query::eq("n", 0_i64))
        .await?
        .collect()
        .await?;
    ensure_eq!(found[0].id.as_str(), "3", "who has the lowest number now");
    set.rollback_to("0.0.0").await?;
    let found = users(storage)
        .find(Query::eq("n", 0_i64))
        .await?
        .collect()
        .await?;
    ensure_eq!(found[0].id.as_str(), "0", "who has it after going back");
    Ok(())
}

async fn steps_of_one_collection_are_one_write(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    load(storage).await?;
    let watched = ctx.second().await?;
    let migration = Migration::new("1.0.0", "both")
        .up(Step::add_field("users", "a", 1_i64))
        .up(Step::add_field("cities", "a", 1_i64))
        .up(Step::add_field("users", "b", 1_i64));
    let set = migrations(storage, [migration])?;
    let watching = async {
        let mut seen = Vec::new();
        for _ in 0..50 {
            if let Some(ada) = users(&watched).get("ada").await? {
                seen.push((
                    ada.value.contains_key("a"),
                    ada.value.contains_key("b"),
                    ada.value.contains_key("_schema"),
                ));
            }
        }
        Ok::<_, storage_core::Error>(seen)
    };
    let (done, seen) = futures::join!(set.migrate(), watching);
    done?;
    for (a, b, stamped) in seen? {
        ensure!(
            a == b && b == stamped,
            "a state with half of it: a {a}, b {b}, stamp {stamped}"
        );
    }
    let ada = all(storage, "users").await?.remove("ada").ok_or("she is there")?;
    ensure!(
        ada.contains_key("a") && ada.contains_key("b"),
        "both at the end: {ada}"
    );
    Ok(())
}

async fn inverses(_: &Ctx) -> Verdict {
    let shown = |step: Option<Step>| step.map(|step| format!("{step:?}"));
    let index = || Index::btree("i", ["x"]);
    let pairs = [
        (Step::add_field("c", "a", 1_i64), Some(Step::drop_field("c", "a"))),
        (
            Step::rename_field("c", "a", "b"),
            Some(Step::rename_field("c", "b", "a")),
        ),
        (Step::drop_field("c", "a"), None),
        (Step::transform("c", "t", Ok), None),
        (
            Step::add_index("c", index()),
            Some(Step::drop_index("c", index())),
        ),
        (
            Step::drop_index("c", index()),
            Some(Step::add_index("c", index())),
        ),
        (Step::run("r", |_| async { Ok(()) }), None),
    ];
    for (step, inverse) in pairs {
        ensure_eq!(shown(step.inverse()), shown(inverse), "the inverse of {step:?}");
    }
    ensure!(
        Step::filter("c", "f", |_| true).inverse().is_some(),
        "a filter can be undone"
    );
    Ok(())
}

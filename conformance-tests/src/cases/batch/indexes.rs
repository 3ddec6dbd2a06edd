//! Batches and the indexes of what they write.

use storage_core::bson::doc;
use storage_core::{Capability, ErrorKind, Index, Query};

use crate::case::{Verdict, ensure, ensure_eq, ensure_kind};
use crate::cases::sample::{Documents, documents, ids};
use crate::context::Ctx;

pub(super) async fn indexes_follow_batches(ctx: &Ctx) -> Verdict {
    if !ctx.has(Capability::Indexes) {
        return Ok(());
    }
    let storage = ctx.storage();
    let people = documents(storage, "people");
    people.ensure_index(Index::btree("by_n", ["n"])).await?;
    people.put("a", &doc! { "n": 1_i64 }).await?;
    let one_to_two = |people: &Documents| {
        let batch =
            storage
                .batch()
                .put(people, "a", &doc! { "n": 2_i64 })
                .put(people, "b", &doc! { "n": 2_i64 });
        batch.delete(people, "c")
    };
    let refused = one_to_two(&people).insert(&people, "a", &doc! {});
    ensure_kind!(
        refused.commit().await,
        ErrorKind::AlreadyExists,
        "the last operation"
    );
    ensure_eq!(
        ids(&people, Query::ge("n", 0_i64)).await?,
        ["a"],
        "a batch that is refused leaves the index"
    );
    ensure_eq!(
        ids(&people, Query::eq("n", 1_i64)).await?,
        ["a"],
        "with the old key"
    );
    one_to_two(&people).commit().await?;
    ensure!(
        ids(&people, Query::eq("n", 1_i64)).await?.is_empty(),
        "the old key is gone"
    );
    ensure_eq!(
        ids(&people, Query::eq("n", 2_i64)).await?,
        ["a", "b"],
        "the new one is there twice"
    );
    Ok(())
}

pub(super) async fn unique_holds_within_a_batch(ctx: &Ctx) -> Verdict {
    if !ctx.has(Capability::UniqueIndexes) {
        return Ok(());
    }
    let storage = ctx.storage();
    let people = documents(storage, "people");
    people
        .ensure_index(Index::hash("by_mail", ["mail"]).unique())
        .await?;
    people.put("a", &doc! { "mail": "m" }).await?;
    let (m, n) = (doc! { "mail": "m" }, doc! { "mail": "n" });
    let too_early = storage.batch().put(&people, "b", &m).put(&people, "a", &n);
    ensure_kind!(
        too_early.commit().await,
        ErrorKind::UniqueViolation,
        "taken before it is free"
    );
    ensure_eq!(ids(&people, Query::all()).await?, ["a"], "nothing was applied");
    storage
        .batch()
        .put(&people, "a", &n)
        .put(&people, "b", &m)
        .commit()
        .await?;
    ensure_eq!(
        ids(&people, Query::eq("mail", "m")).await?,
        ["b"],
        "the key moved"
    );
    let both =
        storage
            .batch()
            .put(&people, "c", &doc! { "mail": "x" })
            .put(&people, "d", &doc! { "mail": "x" });
    ensure_kind!(
        both.commit().await,
        ErrorKind::UniqueViolation,
        "two in one batch"
    );
    storage
        .batch()
        .delete(&people, "b")
        .put(&people, "c", &m)
        .commit()
        .await?;
    ensure_eq!(
        ids(&people, Query::eq("mail", "m")).await?,
        ["c"],
        "a delete frees it"
    );
    Ok(())
}

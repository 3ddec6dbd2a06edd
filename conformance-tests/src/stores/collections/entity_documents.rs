//! What entities are on the medium, and what is none.

use futures::stream::StreamExt;
use serde::{Deserialize, Serialize};
use storage_core::bson::{Bson, doc};
use storage_core::{ErrorKind, Query};
use storage_stores::collections::{Entities, Entity};

use super::sample::{note, notes, uncached};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { entity_documents:
    standard [Documents] what_the_type_refuses_is_not_stored = "create, update and replace of an invalid value are InvalidArgument with its reason, and change nothing";
    standard [Documents] fields_of_the_store_are_refused = "a type with a field created, updated or _schema is refused at the first write, naming it";
    standard [Documents] documents_are_the_types_fields_and_two_times = "on the medium are the type's fields, and created and updated as integers";
    standard [Documents] a_foreign_document_hides_no_neighbour = "a document that is no entity is an error that names it, is not overwritten, and hides nobody in a list";
    standard [Documents] a_document_of_another_shape_is_named = "an entity that does not fit the type is InvalidArgument naming it, in get and in lists, and can be deleted";
}

async fn what_the_type_refuses_is_not_stored(ctx: &Ctx) -> Verdict {
    let notes = notes(ctx.storage());
    let mut stored = notes.create(note("allowed")).await?;
    let before = stored.clone();
    let created = notes.create(note("forbidden")).await;
    let reason = created
        .as_ref()
        .err()
        .map(ToString::to_string)
        .unwrap_or_default();
    ensure!(
        reason.contains("the text is forbidden"),
        "the error says why: {reason}"
    );
    ensure_kind!(created, ErrorKind::InvalidArgument, "a create");
    ensure_kind!(
        notes
            .update(&stored.id, |note| note.text = "forbidden".to_owned())
            .await,
        ErrorKind::InvalidArgument,
        "an update"
    );
    stored.text = "forbidden".to_owned();
    ensure_kind!(
        notes.replace(&mut stored).await,
        ErrorKind::InvalidArgument,
        "a replacement"
    );
    let all = uncached(ctx.storage()).list().await?.collect().await?;
    ensure_eq!(all, [before], "what is stored");
    Ok(())
}

macro_rules! of_the_store {
    ($($type:ident: $field:literal)*) => {$(
        #[derive(Debug, Serialize, Deserialize)]
        struct $type {
            #[serde(rename = $field)]
            own: i64,
        }

        impl Entity for $type {
            const COLLECTION: &'static str = "of_the_store";
        }
    )*};
}

of_the_store! { Created: "created" Updated: "updated" Schema: "_schema" }

async fn fields_of_the_store_are_refused(ctx: &Ctx) -> Verdict {
    async fn refused<T: Entity + std::fmt::Debug>(ctx: &Ctx, value: T, field: &str) -> Verdict {
        let entities = Entities::<T>::new(ctx.storage().clone());
        let created = entities.create(value).await;
        let reason = created
            .as_ref()
            .err()
            .map(ToString::to_string)
            .unwrap_or_default();
        ensure!(reason.contains(field), "the error names {field}: {reason}");
        ensure_kind!(created, ErrorKind::InvalidArgument, "a type with a field {field}");
        ensure_eq!(entities.count(Query::all()).await?, 0, "what is stored");
        Ok(())
    }
    refused(ctx, Created { own: 1 }, "created").await?;
    refused(ctx, Updated { own: 1 }, "updated").await?;
    refused(ctx, Schema { own: 1 }, "_schema").await
}

async fn documents_are_the_types_fields_and_two_times(ctx: &Ctx) -> Verdict {
    let stored = notes(ctx.storage()).create(note("plain")).await?;
    let raw = ctx.storage().collection::<storage_core::bson::Document>("notes");
    let document = raw.get(&stored.id).await?.ok_or("the document is there")?;
    let millis = stored.created.as_millis();
    ensure_eq!(
        document.value,
        doc! { "text": "plain", "n": 0_i64, "created": millis, "updated": millis },
        "the document"
    );
    ensure_eq!(document.version, stored.version, "its version");
    Ok(())
}

async fn a_foreign_document_hides_no_neighbour(ctx: &Ctx) -> Verdict {
    let notes = uncached(ctx.storage());
    notes.create_with_id("a", note("a")).await?;
    let raw = ctx.storage().collection::<storage_core::bson::Document>("notes");
    let foreign = doc! { "text": "foreign", "created": "yesterday" };
    raw.put("b", &foreign).await?;
    notes.create_with_id("c", note("c")).await?;
    ensure_kind!(notes.get_by_id("b").await, ErrorKind::Corrupt, "a get");
    ensure_kind!(notes.update("b", |_| ()).await, ErrorKind::Corrupt, "an update");
    ensure_kind!(
        notes.create_with_id("b", note("b")).await,
        ErrorKind::AlreadyExists,
        "a create"
    );
    check_neighbours(&notes, ErrorKind::Corrupt).await?;
    ensure_eq!(
        raw.get("b").await?.map(|read| read.value),
        Some(foreign),
        "it is as it was"
    );
    Ok(())
}

async fn a_document_of_another_shape_is_named(ctx: &Ctx) -> Verdict {
    let notes = uncached(ctx.storage());
    notes.create_with_id("a", note("a")).await?;
    let raw = ctx.storage().collection::<storage_core::bson::Document>("notes");
    let shape = doc! { "text": Bson::Int64(7), "created": 1_i64, "updated": 1_i64 };
    raw.put("b", &shape).await?;
    notes.create_with_id("c", note("c")).await?;
    ensure_kind!(notes.get_by_id("b").await, ErrorKind::InvalidArgument, "a get");
    check_neighbours(&notes, ErrorKind::InvalidArgument).await?;
    ensure!(notes.delete("b").await?, "it can be deleted");
    Ok(())
}

/// The list gives `a` and `c`, and an error of this kind that names `b`.
async fn check_neighbours(notes: &Entities<super::sample::Note>, kind: ErrorKind) -> Verdict {
    let page = notes.list_page(10, None).await?;
    let ids: Vec<&str> = page.entities.iter().map(|note| note.id.as_str()).collect();
    ensure_eq!(ids, ["a", "c"], "a page gives the others");
    let errors: Vec<_> = page
        .unreadable
        .iter()
        .map(|error| (error.kind(), error.key()))
        .collect();
    ensure_eq!(errors, [(kind, Some("notes/b"))], "a page names it");
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let mut all = Box::pin(notes.list().await?.into_stream());
    while let Some(result) = all.next().await {
        match result {
            Ok(note) => good.push(note.id.to_string()),
            Err(error) => bad.push(error.kind()),
        }
    }
    ensure_eq!(good, ["a", "c"], "a stream gives the others");
    ensure_eq!(bad, [kind], "a stream tells once");
    Ok(())
}

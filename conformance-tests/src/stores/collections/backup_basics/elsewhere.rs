//! Backups that are kept on, or restored on, another storage.

use storage_core::bson::{Document, doc};
use storage_stores::collections::Backups;

use super::super::migration_sample::{load, migrations, roles, users};
use super::everything;
use crate::case::{Verdict, ensure_eq};
use crate::context::Ctx;

pub(super) async fn a_backup_on_another_storage(ctx: &Ctx) -> Verdict {
    let (storage, elsewhere) = (ctx.storage(), ctx.other_place("backups").await?);
    load(storage).await?;
    let before = everything(storage).await?;
    let backups = Backups::new(storage.clone()).kept_on(elsewhere.clone());
    backups.create(Some("b")).await?;
    users(storage).delete("ada").await?;
    backups.restore("b").await?;
    ensure_eq!(everything(storage).await?, before, "after the restore");
    let here = storage
        .objects()
        .list_page(storage_core::ListRequest::new(""))
        .await?;
    ensure_eq!(here.entries.len(), 0, "objects here");
    ensure_eq!(everything(&elsewhere).await?, [], "documents there");
    Ok(())
}

pub(super) async fn a_backup_moves_data_elsewhere(ctx: &Ctx) -> Verdict {
    let (storage, elsewhere) = (ctx.storage(), ctx.other_place("moved").await?);
    load(storage).await?;
    migrations(storage, [roles()])?.migrate().await?;
    Backups::new(storage.clone()).create(Some("b")).await?;
    elsewhere
        .collection::<Document>("stale")
        .put("x", &doc! {})
        .await?;
    Backups::new(elsewhere.clone())
        .kept_on(storage.clone())
        .restore("b")
        .await?;
    ensure_eq!(everything(&elsewhere).await?, everything(storage).await?, "both");
    Ok(())
}

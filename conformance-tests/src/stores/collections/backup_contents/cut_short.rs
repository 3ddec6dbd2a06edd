//! A crash at every call of a backup and of a restore with objects and logs.

use storage_core::bson::doc;
use storage_stores::collections::Backups;

use super::super::migration_sample::{all, users, wipe};
use super::{contents, fill, meddle};
use crate::case::{Failure, Verdict, ensure, ensure_eq};
use crate::context::Ctx;
use crate::faulty::Fault;

pub(super) async fn a_backup_of_contents_cut_short_at_any_call(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    fill(storage).await?;
    let backups = Backups::new(storage.clone());
    let mut points = ctx.points(Fault::BeforeTheCall);
    while let Some(dying) = points.next().await? {
        let outcome = Backups::new(dying).create(Some("b")).await;
        storage.break_lease("migrations").await?;
        let listed = backups.list().await?;
        ensure_eq!(listed.unreadable.len(), 0, "damaged ones, at {}", points.at());
        ensure!(
            outcome.is_err() || listed.backups.len() == 1,
            "one that was made is there, at {}",
            points.at()
        );
        // It may have died after the last write.
        for info in listed.backups {
            ensure_eq!(
                backups.verify("b").await?,
                info,
                "what is in it, at {}",
                points.at()
            );
            ensure_eq!(info.objects, Some(4), "its objects, at {}", points.at());
        }
        backups.delete("b").await?;
    }
    ensure!(points.at() > 15, "only {} calls were tried", points.at());
    Ok(())
}

pub(super) async fn a_restore_of_contents_cut_short_anywhere_is_finished(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let backups = Backups::new(storage.clone());
    // Whoever dies after a call leaves what the next one leaves that dies before its own: each state is tried once.
    let mut points = ctx.points(Fault::BeforeTheCall);
    while let Some(dying) = points.next().await? {
        let at = points.at();
        wipe(storage).await?;
        users(storage).put("ada", &doc! { "name": "Ada" }).await?;
        fill(storage).await?;
        backups.create(Some("b")).await?;
        let wanted = (contents(storage).await?, all(storage, "users").await?);
        users(storage).put("ada", &doc! { "changed": true }).await?;
        meddle(storage).await?;
        let changed = (contents(storage).await?, all(storage, "users").await?);

        let outcome = Backups::new(dying).restore("b").await;
        storage.break_lease("migrations").await?;
        if outcome.is_err() {
            backups.restore("b").await?;
        }
        let now = (contents(storage).await?, all(storage, "users").await?);
        ensure_eq!(now, wanted, "what there is, at {at}");
        let safety = backups.list().await?.backups;
        let safety = safety
            .iter()
            .find(|info| info.name.starts_with("before-restore"))
            .ok_or_else(|| Failure::new(format!("what was before is kept, at {at}")))?;
        backups.restore(&safety.name).await?;
        let now = (contents(storage).await?, all(storage, "users").await?);
        ensure_eq!(now, changed, "what there was before, at {at}");
    }
    ensure!(points.at() > 40, "only {} calls were tried", points.at());
    Ok(())
}

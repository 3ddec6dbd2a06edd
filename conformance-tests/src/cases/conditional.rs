//! Conditional writes: decided and applied in one step, and nothing changed when they lose.

mod races;
mod versions;

use storage_core::{Area, Bytes, ErrorKind, Key, ObjectGuard, ReadRequest, Version, WriteRequest};

use self::races::*;
use self::versions::*;
use super::objects::{OLD, expect, keys};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { conditional:
    smoke [CreateIfAbsent] create_absent_ok = "creating where nothing is writes";
    smoke [CreateIfAbsent] create_present_fails_and_changes_nothing = "creating where something is is AlreadyExists; bytes, version and time stay";
    smoke [CompareAndSwap] swap_current_ok = "replacing the current version writes";
    smoke [CompareAndSwap] swap_stale_fails_changes_nothing = "replacing another version is PreconditionFailed; bytes, version and time stay";
    smoke [CompareAndSwap] swap_missing_is_precondition = "replacing where nothing is is PreconditionFailed and creates nothing";
    smoke [CompareAndSwap] version_from_write_usable_directly = "the version a write gives is good for the next without a read";
    standard [DeleteIf] delete_stale_keeps = "deleting another version is PreconditionFailed and keeps the object";
    standard [DeleteIf] delete_current_ok = "deleting the current version deletes";
    standard [DeleteIf] delete_missing_is_precondition = "deleting a version where nothing is is PreconditionFailed";
    standard [CompareAndSwap] aba = "a change and a change back is noticed, unless versions are content hashes";
    standard [CompareAndSwap] deleted_and_recreated_is_noticed = "a version does not outlive a delete, even of equal bytes, unless versions are content hashes";
    standard [CompareAndSwap] version_roundtrips_as_string_and_reopen = "a version kept as text is good after a reopen";
    standard [CompareAndSwap] forged_version_never_ok = "a version nobody was given, and another object's, never wins";
    standard [] get_if_changed = "reading unless changed is NotModified, reading a version that is gone PreconditionFailed";
    standard [ObjectGuard] guard_decides_with_the_write = "a write under a guard happens only while the guard's object has its version, and the errors tell the two apart";
    standard [CreateIfAbsent] create_race_one_winner_same_handle = "of contenders on one handle exactly one creates, and all read what it wrote";
    standard [CreateIfAbsent] create_race_one_winner_two_handles = "of contenders on two handles exactly one creates, and all read what it wrote";
    standard [CompareAndSwap] swap_race_one_winner_two_handles = "of contenders for one version exactly one replaces it";
    standard [DeleteIf, CompareAndSwap] delete_and_swap_race_one_winner = "a delete and a replacement of one version never both succeed";
    standard [CompareAndSwap] cas_counter_no_lost_update = "increments by five workers on two handles are all counted";
}

/// The facts of an object, for before and after.
pub(super) async fn facts(ctx: &Ctx, key: &str) -> Result<String, Failure> {
    Ok(format!(
        "{:?}",
        ctx.storage()
            .objects()
            .read_with(key, ReadRequest::default())
            .await?
    ))
}

async fn create_absent_ok(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let version = objects.create("dir/a", "created").await?;
    expect(ctx, "dir/a", Some(b"created")).await?;
    ensure_eq!(
        objects.stat("dir/a").await?.map(|meta| meta.version),
        Some(version),
        "the version created"
    );
    objects.delete("dir/a").await?;
    objects.create("dir/a", "").await?;
    expect(ctx, "dir/a", Some(b"")).await
}

async fn create_present_fails_and_changes_nothing(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    for old in [OLD, b""] {
        objects.write("a", old).await?;
        let before = facts(ctx, "a").await?;
        ensure_kind!(
            objects.create("a", "new").await,
            ErrorKind::AlreadyExists,
            "creating over an object"
        );
        ensure_kind!(
            objects.create("a", old).await,
            ErrorKind::AlreadyExists,
            "creating over an object of equal bytes"
        );
        ensure_eq!(facts(ctx, "a").await?, before, "the object after a lost create");
    }
    ensure_eq!(keys(ctx).await?, ["a"], "the keys after a lost create");
    Ok(())
}

async fn swap_current_ok(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let first = objects.write("a", OLD).await?;
    let second = objects.write_if("a", "new", first.clone()).await?;
    ensure!(first != second, "replacing gave the version it replaced");
    expect(ctx, "a", Some(b"new")).await?;
    ensure_eq!(
        objects.stat("a").await?.map(|meta| meta.version),
        Some(second),
        "the version after replacing"
    );
    Ok(())
}

async fn swap_stale_fails_changes_nothing(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let stale = objects.write("a", "first").await?;
    objects.write("a", OLD).await?;
    let before = facts(ctx, "a").await?;
    let lost = objects.write_if("a", "new", stale.clone()).await;
    ensure_kind!(lost, ErrorKind::PreconditionFailed, "replacing a stale version");
    ensure_eq!(
        facts(ctx, "a").await?,
        before,
        "the object after a lost replacement"
    );
    let lost = objects.write_if("a", OLD, stale).await;
    ensure_kind!(
        lost,
        ErrorKind::PreconditionFailed,
        "replacing a stale version with equal bytes"
    );
    ensure_eq!(
        facts(ctx, "a").await?,
        before,
        "the object after a lost replacement of equal bytes"
    );
    Ok(())
}

async fn swap_missing_is_precondition(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let version = objects.write("a", OLD).await?;
    objects.delete("a").await?;
    for key in ["a", "never"] {
        let lost = objects.write_if(key, "new", version.clone()).await;
        ensure_kind!(lost, ErrorKind::PreconditionFailed, "replacing where nothing is");
    }
    ensure_eq!(
        keys(ctx).await?,
        Vec::<String>::new(),
        "the keys after lost replacements"
    );
    Ok(())
}

async fn version_from_write_usable_directly(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let mut version = objects.write("a", "0").await?;
    for round in 1..=10 {
        version = objects.write_if("a", round.to_string(), version).await?;
    }
    expect(ctx, "a", Some(b"10")).await
}

async fn delete_stale_keeps(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let stale = objects.write("a", "first").await?;
    objects.write("a", OLD).await?;
    let before = facts(ctx, "a").await?;
    ensure_kind!(
        objects.delete_if("a", stale).await,
        ErrorKind::PreconditionFailed,
        "deleting a stale version"
    );
    ensure_eq!(facts(ctx, "a").await?, before, "the object after a lost delete");
    Ok(())
}

async fn delete_current_ok(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let version = objects.write("a", OLD).await?;
    objects.delete_if("a", version).await?;
    expect(ctx, "a", None).await?;
    ensure_eq!(
        keys(ctx).await?,
        Vec::<String>::new(),
        "the keys after the delete"
    );
    Ok(())
}

async fn delete_missing_is_precondition(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let version = objects.write("a", OLD).await?;
    objects.delete("a").await?;
    for key in ["a", "never"] {
        let lost = objects.delete_if(key, version.clone()).await;
        ensure_kind!(
            lost,
            ErrorKind::PreconditionFailed,
            "deleting a version where nothing is"
        );
    }
    Ok(())
}

async fn get_if_changed(ctx: &Ctx) -> Verdict {
    let objects = ctx.storage().objects();
    let unless = |version: &Version| {
        let mut request = ReadRequest::default();
        request.unless_version = Some(version.clone());
        request
    };
    let only = |version: &Version| {
        let mut request = ReadRequest::default();
        request.if_version = Some(version.clone());
        request
    };
    let first = objects.write("a", "first").await?;
    ensure_kind!(
        objects.read_with("a", unless(&first)).await,
        ErrorKind::NotModified,
        "reading unless changed"
    );
    ensure!(
        objects.read_with("a", only(&first)).await?.is_some(),
        "reading the current version"
    );
    let second = objects.write("a", "second").await?;
    let read = objects.read_with("a", unless(&first)).await?;
    ensure_eq!(
        read.as_ref().map(|object| object.bytes.as_ref()),
        Some(b"second".as_slice()),
        "reading what changed"
    );
    ensure_eq!(
        read.map(|object| object.meta.version),
        Some(second),
        "the version of what changed"
    );
    ensure_kind!(
        objects.read_with("a", only(&first)).await,
        ErrorKind::PreconditionFailed,
        "reading a version that is gone"
    );
    objects.delete("a").await?;
    ensure_eq!(
        objects.read_with("a", unless(&first)).await?,
        None,
        "reading unless changed where nothing is"
    );
    Ok(())
}

async fn guard_decides_with_the_write(ctx: &Ctx) -> Verdict {
    let adapter = ctx.storage().adapter();
    let (guard, target) = (Key::new("guard")?, Key::new("target")?);
    let held = ctx.storage().objects().write("guard", "1").await?;
    let request = |version: &Version| {
        let mut request = WriteRequest::default();
        request.guard = Some(ObjectGuard {
            key: guard.clone(),
            version: version.clone(),
        });
        request
    };
    let bytes = Bytes::from_static(b"guarded");
    adapter
        .write(Area::Objects, &target, bytes.clone(), request(&held))
        .await?;
    expect(ctx, "target", Some(b"guarded")).await?;
    let before = facts(ctx, "target").await?;
    ctx.storage().objects().write("guard", "2").await?;
    match adapter
        .write(
            Area::Objects,
            &target,
            Bytes::from_static(b"late"),
            request(&held),
        )
        .await
    {
        Err(error) => ensure!(
            error.is_guard_failed(),
            "a failed guard is not told apart: failed to {error}"
        ),
        Ok(_) => return Err("a write whose guard does not hold was applied".into()),
    }
    let mut both = request(&held);
    both.condition = storage_core::Condition::IfAbsent;
    ensure!(
        adapter
            .write(Area::Objects, &target, bytes.clone(), both)
            .await
            .is_err(),
        "two failed conditions passed"
    );
    ensure_eq!(
        facts(ctx, "target").await?,
        before,
        "the target after failed guards"
    );
    ctx.storage().objects().delete("guard").await?;
    let lost = adapter.write(Area::Objects, &target, bytes, request(&held)).await;
    ensure!(
        lost.is_err_and(|error| error.is_guard_failed()),
        "a guard that is gone holds"
    );
    Ok(())
}

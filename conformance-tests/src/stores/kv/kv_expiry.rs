//! How long entries live.

use std::time::Duration;

use storage_core::{ErrorKind, Timestamp};
use storage_stores::kv::{Lifetime, SetOptions};

use super::sample::{large, objects, open, open_with, options, put, text};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { kv_expiry:
    smoke [Documents, Indexes] a_time_to_live_is_from_now_on = "a time to live of a day is a day from now, not a day in 1970";
    standard [Documents, Indexes] reading_never_prolongs = "an entry that is read all the while expires when it was to, and reading an expired one does not bring it back";
    standard [Documents, Indexes] expired_is_invisible_everywhere_at_once = "at the moment it expires an entry is gone from get, has, exists, info, keys, export and the memory of every handle";
    standard [Documents, Indexes] without_a_time_to_live_an_entry_stays = "an entry without a time to live is there after years, also where the options have none";
    standard [Documents, Indexes] the_stores_time_to_live_is_a_default = "the options' time to live holds where nothing else is said, and permanent and explicit lives win";
    standard [Documents, Indexes] a_deadline_is_a_point_in_time = "an entry with a deadline lives until then, and one that has passed is stored and gone at once";
    standard [Documents, Indexes] overwriting_replaces_the_expiry = "a value set anew has its own life, not the rest of the old one";
    standard [Documents, Indexes] touching_begins_a_new_life = "touch lets an entry live on as said, keeps its value, and does nothing for what is absent or expired";
    standard [Documents, Indexes] contradicting_lives_are_refused = "a time to live beside permanence is InvalidArgument, and nothing is stored";
    standard [Documents, Indexes] an_expired_entry_is_replaced_as_if_absent = "setting where an entry has expired works, if_absent too, and its backup is not what expired";
}

/// Long beside what a call takes on a slow server.
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

async fn a_time_to_live_is_from_now_on(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set_with("k", &1, SetOptions::new().ttl(DAY)).await?;
    ensure!(kv.has("k").await?, "it is born expired");
    ctx.clock().advance_wall(DAY - MINUTE);
    ensure_eq!(kv.get("k").await?, Some(1), "a minute before");
    ctx.clock().advance_wall(MINUTE);
    ensure_eq!(kv.get::<i64>("k").await?, None, "a day later");
    Ok(())
}

async fn reading_never_prolongs(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set_with("k", &1, SetOptions::new().ttl(10 * MINUTE)).await?;
    for minute in 0..9 {
        ctx.clock().advance_wall(MINUTE);
        ensure_eq!(kv.get("k").await?, Some(1), "after {} minutes", minute + 1);
    }
    ctx.clock().advance_wall(MINUTE);
    for _ in 0..3 {
        ensure_eq!(kv.get::<i64>("k").await?, None, "after 10 minutes");
        ensure!(!kv.has("k").await?, "reading it brought it back");
    }
    Ok(())
}

async fn expired_is_invisible_everywhere_at_once(ctx: &Ctx) -> Verdict {
    let lasting = options().staleness(DAY);
    let (one, two) = (
        open_with(ctx.storage(), lasting.clone()).await?,
        open_with(&ctx.second().await?, lasting).await?,
    );
    for (key, value) in [("small", "x".to_owned()), ("large", large('x'))] {
        one.set_raw(key, value.clone(), SetOptions::new().ttl(MINUTE))
            .await?;
        for kv in [&one, &two] {
            ensure_eq!(text(kv, key).await?, Some(value.clone()), "before");
        }
    }
    ctx.clock().advance_wall(MINUTE);
    for kv in [&one, &two] {
        for key in ["small", "large"] {
            ensure_eq!(text(kv, key).await?, None, "get {key}");
            ensure!(
                !kv.has(key).await? && !kv.exists(key).await?,
                "has or exists {key}"
            );
            ensure_eq!(kv.info(key).await?, None, "info {key}");
            ensure!(!kv.touch(key, DAY).await?, "touch {key}");
            ensure_eq!(kv.resolve(key).await?, None, "resolve {key}");
        }
        ensure!(kv.keys("").await?.is_empty(), "keys");
        ensure!(kv.export().await?.next().await?.is_none(), "export");
    }
    Ok(())
}

async fn without_a_time_to_live_an_entry_stays(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set("k", &1).await?;
    ctx.clock().advance_wall(DAY * 365 * 3);
    kv.cleanup().await?;
    ensure_eq!(kv.get("k").await?, Some(1), "three years later");
    Ok(())
}

async fn the_stores_time_to_live_is_a_default(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), options().ttl(10 * MINUTE)).await?;
    kv.set("default", &1).await?;
    kv.set_with("longer", &1, SetOptions::new().ttl(DAY)).await?;
    kv.set_with("permanent", &1, SetOptions::new().permanent())
        .await?;
    kv.set_with("forever", &1, SetOptions::new().lifetime(Lifetime::Forever))
        .await?;
    ctx.clock().advance_wall(10 * MINUTE);
    ensure_eq!(
        kv.keys("").await?,
        ["forever", "longer", "permanent"],
        "after 10 minutes"
    );
    ctx.clock().advance_wall(DAY);
    ensure_eq!(kv.keys("").await?, ["forever", "permanent"], "after a day");
    Ok(())
}

async fn a_deadline_is_a_point_in_time(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let deadline = ctx.storage().now().after(DAY);
    kv.set_with("k", &1, SetOptions::new().expires_at(deadline))
        .await?;
    ensure_eq!(
        kv.info("k").await?.and_then(|info| info.expires_at),
        Some(deadline),
        "the deadline"
    );
    ctx.clock().advance_wall(DAY);
    ensure!(!kv.has("k").await?, "the deadline has passed");
    let past = SetOptions::new().expires_at(Timestamp::from_millis(86_400));
    kv.set_with("past", &1, past).await?;
    ensure!(!kv.has("past").await?, "it expired in 1970");
    Ok(())
}

async fn overwriting_replaces_the_expiry(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set_with("k", &1, SetOptions::new().ttl(MINUTE)).await?;
    kv.set("k", &2).await?;
    ctx.clock().advance_wall(DAY);
    ensure_eq!(kv.get("k").await?, Some(2), "it has no expiry any more");
    kv.set_with("k", &3, SetOptions::new().ttl(MINUTE)).await?;
    ctx.clock().advance_wall(MINUTE);
    ensure_eq!(kv.get::<i64>("k").await?, None, "and has one again");
    Ok(())
}

async fn touching_begins_a_new_life(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    kv.set_with("k", &1, SetOptions::new().ttl(2 * MINUTE)).await?;
    ctx.clock().advance_wall(MINUTE);
    ensure!(kv.touch("k", 10 * MINUTE).await?, "it was there");
    ctx.clock().advance_wall(9 * MINUTE);
    ensure_eq!(kv.get("k").await?, Some(1), "it lives on");
    ensure!(kv.touch("k", Lifetime::Default).await?, "it is there");
    ctx.clock().advance_wall(MINUTE);
    ensure!(
        !kv.has("k").await?,
        "its life was not prolonged by a touch that says nothing"
    );
    ensure!(!kv.touch("k", DAY).await?, "what has expired stays so");
    ensure!(!kv.touch("absent", DAY).await?, "nothing was there");
    kv.set_with("k", &2, SetOptions::new().ttl(MINUTE)).await?;
    ensure!(kv.touch("k", Lifetime::Permanent).await?, "it is there");
    ctx.clock().advance_wall(DAY);
    ensure!(
        kv.info("k").await?.is_some_and(|info| info.permanent),
        "it is permanent now"
    );
    Ok(())
}

async fn contradicting_lives_are_refused(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let both = SetOptions::new().ttl(MINUTE).permanent();
    ensure_kind!(
        kv.set_with("k", &1, both).await,
        ErrorKind::InvalidArgument,
        "both at once"
    );
    ensure!(!kv.has("k").await?, "it was stored all the same");
    Ok(())
}

async fn an_expired_entry_is_replaced_as_if_absent(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), options().backups(3)).await?;
    kv.set_raw("k", large('x'), SetOptions::new().ttl(MINUTE)).await?;
    ctx.clock().advance_wall(MINUTE);
    kv.set_raw("k", large('y'), SetOptions::new().if_absent()).await?;
    ensure_eq!(text(&kv, "k").await?, Some(large('y')), "the new value");
    ensure_eq!(kv.info("k").await?.map(|info| info.backups), Some(0), "backups");
    ensure_eq!(objects(ctx.storage()).await?, 1, "objects");
    put(&kv, "k", "z").await?;
    ensure_eq!(
        kv.info("k").await?.map(|info| info.backups),
        Some(1),
        "backups of one that lived"
    );
    Ok(())
}

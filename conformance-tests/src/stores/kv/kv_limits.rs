//! The size limit, and who goes when room is needed.

use std::time::Duration;

use futures::future::join_all;
use storage_core::ErrorKind;
use storage_stores::kv::{Eviction, Kv, KvOptions, SetOptions};

use super::sample::{large, objects, open_with, options, put, text};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { kv_limits:
    smoke [Documents, Indexes] a_write_over_the_limit_has_no_effect = "without a policy a write over the limit is LimitExceeded, the old value stays, and deleting makes room";
    standard [Documents, Indexes] the_limit_is_exact_for_one_handle = "a handle alone may use the limit to the last byte, again after each reopen, and an entry that fills it exactly stays";
    standard [Documents, Indexes] a_value_larger_than_the_limit_evicts_nobody = "a value that could never fit is refused before anything goes";
    standard [Documents, Indexes] least_recently_used_goes_first = "lru lets those go that were not used for longest, reads and touches counted";
    standard [Documents, Indexes] least_often_used_goes_first = "lfu lets those go that were used least often";
    standard [Documents, Indexes] the_largest_goes_first = "size lets the largest go";
    standard [Documents, Indexes] the_first_to_expire_goes_first = "ttl lets those go that expire first, and those that never expire stay";
    standard [Documents, Indexes] expired_goes_before_all_others = "what has expired makes room before the policy is asked, also without one";
    standard [Documents, Indexes] permanent_and_held_stay = "permanent and held entries are never evicted: where nothing else is left the write is LimitExceeded";
    standard [Documents, Indexes] an_entry_is_not_evicted_for_its_own_value = "making room for a larger value of an entry never takes the entry's old value first";
    standard [Documents, Indexes] the_limit_holds_under_concurrent_writers = "many writers over two handles never use more than the limit, counted by what is stored";
    standard [Documents, Indexes] racing_evictions_keep_the_count = "handles that evict, overwrite and delete at once leave a count that a recount confirms";
    standard [Documents, Indexes] aligning_brings_usage_under_a_lower_limit = "align under a lower limit evicts until it holds, says what is over where it cannot, and counts anew";
    standard [Documents, Indexes] what_a_crashed_handle_set_aside_comes_back = "room that a handle took which is gone counts as used after a while, and a recount frees it";
    standard [Documents, Indexes] usage_is_known_at_start = "a new handle knows bytes and entries without reading any of them";
    standard [Documents, Indexes] clearing_keeps_what_is_permanent = "clear leaves permanent and held entries, by force only held ones, and frees the rest";
}

/// Long beside what a call takes on a slow server.
const MINUTE: Duration = Duration::from_secs(60);

/// Room for ten entries with a key of one byte and a value of 99.
fn tight() -> KvOptions {
    options().size_limit(1000).inline_limit(50)
}

fn value() -> String {
    "v".repeat(99)
}

async fn fill(ctx: &Ctx, kv: &Kv) -> Verdict {
    for key in "abcdefghij".chars() {
        put(kv, &key.to_string(), &value()).await?;
        ctx.clock().advance_wall(MINUTE);
    }
    Ok(())
}

async fn keys(kv: &Kv) -> Result<String, Failure> {
    Ok(kv.keys("").await?.concat())
}

async fn a_write_over_the_limit_has_no_effect(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), tight()).await?;
    fill(ctx, &kv).await?;
    for (key, value) in [("k", value()), ("a", value() + "w"), ("small", "x".into())] {
        let refused = kv.set_raw(key, value, SetOptions::new()).await;
        ensure_kind!(refused, ErrorKind::LimitExceeded, "writing {key}");
    }
    ensure_eq!(text(&kv, "a").await?, Some(value()), "the old value");
    ensure_eq!(keys(&kv).await?, "abcdefghij", "the keys");
    ensure_eq!(objects(ctx.storage()).await?, 10, "objects");
    put(&kv, "a", "shorter").await?;
    put(&kv, "k", "fits now").await?;
    kv.delete("b").await?;
    put(&kv, "l", &value()).await?;
    kv.finish().await?;
    ensure_eq!(kv.stats().await?.bytes, 8 + 9 + 900, "what is used");
    Ok(())
}

async fn the_limit_is_exact_for_one_handle(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), tight()).await?;
    put(&kv, "a", &"x".repeat(899)).await?;
    put(&kv, "b", &"x".repeat(99)).await?;
    ensure_eq!(kv.stats().await?.bytes, 1000, "what is used");
    kv.align().await?;
    ensure_eq!(keys(&kv).await?, "ab", "what fills the limit exactly");
    ensure_kind!(
        kv.set_raw("c", "", SetOptions::new()).await,
        ErrorKind::LimitExceeded,
        "one byte more"
    );
    kv.finish().await?;
    let storage = ctx.reopen().await?;
    let kv = open_with(&storage, tight()).await?;
    ensure_kind!(
        kv.set_raw("c", "", SetOptions::new()).await,
        ErrorKind::LimitExceeded,
        "after a reopen"
    );
    put(&kv, "a", &"y".repeat(899)).await?;
    kv.delete("b").await?;
    put(&kv, "c", &"x".repeat(99)).await?;
    ensure_eq!(kv.stats().await?.bytes, 1000, "what is used");
    Ok(())
}

async fn a_value_larger_than_the_limit_evicts_nobody(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), tight().eviction(Eviction::Lru)).await?;
    fill(ctx, &kv).await?;
    let refused = kv.set_raw("k", "x".repeat(1000), SetOptions::new()).await;
    ensure_kind!(refused, ErrorKind::LimitExceeded, "a value larger than the limit");
    ensure_eq!(keys(&kv).await?, "abcdefghij", "the keys");
    Ok(())
}

async fn least_recently_used_goes_first(ctx: &Ctx) -> Verdict {
    for remembers in [1 << 20, 0] {
        let options = tight()
            .eviction(Eviction::Lru)
            .memory_limit(remembers)
            .staleness(MINUTE * 3600);
        let kv = open_with(ctx.storage(), options).await?;
        fill(ctx, &kv).await?;
        kv.get_raw("a").await?;
        kv.touch("b", storage_stores::kv::Lifetime::Default).await?;
        ctx.clock().advance_wall(MINUTE);
        put(&kv, "c", &value()).await?;
        put(&kv, "k", &value()).await?;
        ensure_eq!(keys(&kv).await?, "abcefghijk", "one had to go");
        put(&kv, "l", &"x".repeat(199)).await?;
        ensure_eq!(keys(&kv).await?, "abcghijkl", "two more had to go");
        kv.get_raw("g").await?;
        kv.finish().await?;
        // What was used is written down when a handle is done.
        let kv = open_with(ctx.storage(), tight().eviction(Eviction::Lru)).await?;
        put(&kv, "m", &value()).await?;
        ensure_eq!(keys(&kv).await?, "abcgijklm", "the next one, by another handle");
        kv.clear(true).await?;
        kv.finish().await?;
    }
    Ok(())
}

async fn least_often_used_goes_first(ctx: &Ctx) -> Verdict {
    let options = tight().eviction(Eviction::Lfu).staleness(MINUTE * 3600);
    let kv = open_with(ctx.storage(), options).await?;
    fill(ctx, &kv).await?;
    for key in "abcdefgh".chars() {
        for _ in 0..2 {
            ctx.clock().advance_wall(MINUTE);
            kv.get_raw(key.to_string()).await?;
        }
    }
    ctx.clock().advance_wall(MINUTE);
    kv.get_raw("i").await?;
    put(&kv, "k", &value()).await?;
    ensure_eq!(keys(&kv).await?, "abcdefghik", "the one nobody read went");
    ensure_eq!(kv.stats().await?.bytes, 1000, "what is used");
    Ok(())
}

async fn the_largest_goes_first(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), tight().eviction(Eviction::Size)).await?;
    for (key, bytes) in [("a", 99), ("b", 399), ("c", 199), ("d", 299)] {
        put(&kv, key, &"x".repeat(bytes)).await?;
    }
    put(&kv, "e", "x").await?;
    ensure_eq!(keys(&kv).await?, "acde", "the largest went");
    put(&kv, "f", &"x".repeat(499)).await?;
    ensure_eq!(keys(&kv).await?, "acef", "and the next");
    Ok(())
}

async fn the_first_to_expire_goes_first(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), tight().eviction(Eviction::Ttl)).await?;
    for (key, minutes) in [("a", 300), ("b", 100), ("c", 200)] {
        let options = SetOptions::new().ttl(MINUTE * minutes);
        kv.set_raw(key, "x".repeat(199), options).await?;
    }
    put(&kv, "d", &"x".repeat(399)).await?;
    put(&kv, "e", &"x".repeat(299)).await?;
    ensure_eq!(keys(&kv).await?, "ade", "two went");
    let refused = kv.set_raw("f", "x".repeat(499), SetOptions::new()).await;
    ensure_kind!(refused, ErrorKind::LimitExceeded, "those that never expire stay");
    Ok(())
}

async fn expired_goes_before_all_others(ctx: &Ctx) -> Verdict {
    for policy in [None, Some(Eviction::Lru)] {
        let options = match policy {
            Some(policy) => tight().eviction(policy),
            None => tight(),
        };
        let kv = open_with(ctx.storage(), options).await?;
        fill(ctx, &kv).await?;
        kv.set_raw("j", value(), SetOptions::new().ttl(MINUTE)).await?;
        ctx.clock().advance_wall(MINUTE);
        put(&kv, "k", &value()).await?;
        ensure_eq!(
            keys(&kv).await?,
            "abcdefghik",
            "what had expired went, with {policy:?}"
        );
        kv.clear(true).await?;
        kv.finish().await?;
    }
    Ok(())
}

async fn permanent_and_held_stay(ctx: &Ctx) -> Verdict {
    for policy in Eviction::ALL {
        let kv = open_with(ctx.storage(), tight().eviction(*policy)).await?;
        for key in ["a", "b"] {
            kv.set_raw(key, value(), SetOptions::new().permanent()).await?;
        }
        for key in ["c", "d", "e", "f", "g", "h", "i", "j"] {
            kv.set_raw(key, value(), SetOptions::new().ttl(MINUTE * 3600))
                .await?;
        }
        let mut holds = Vec::new();
        for key in ["c", "d", "d"] {
            holds.push(kv.hold(key, MINUTE * 60).await?.ok_or("it is there")?);
        }
        // Releasing one of two holds leaves the other.
        holds.pop().ok_or("there are three")?.release().await?;
        put(&kv, "k", &"x".repeat(599)).await?;
        ensure_eq!(keys(&kv).await?, "abcdk", "with {policy:?}");
        kv.set_raw("k", "x".repeat(599), SetOptions::new().permanent())
            .await?;
        let refused = kv.set_raw("l", "", SetOptions::new()).await;
        ensure_kind!(
            refused,
            ErrorKind::LimitExceeded,
            "nothing may go, with {policy:?}"
        );
        ctx.clock().advance_wall(MINUTE * 60);
        put(&kv, "l", &value()).await?;
        let left = keys(&kv).await?;
        ensure!(
            ["abckl", "abdkl"].contains(&left.as_str()),
            "holds end by themselves: {left}"
        );
        kv.clear(true).await?;
        kv.finish().await?;
    }
    Ok(())
}

async fn an_entry_is_not_evicted_for_its_own_value(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), tight().eviction(Eviction::Lru)).await?;
    put(&kv, "a", &"x".repeat(399)).await?;
    kv.set_raw("b", "x".repeat(399), SetOptions::new().permanent())
        .await?;
    let refused = kv.set_raw("a", "y".repeat(899), SetOptions::new()).await;
    ensure_kind!(refused, ErrorKind::LimitExceeded, "there is only itself to go");
    ensure_eq!(text(&kv, "a").await?, Some("x".repeat(399)), "the old value");
    Ok(())
}

/// What is stored, by looking at every entry.
async fn counted(kv: &Kv) -> Result<u64, Failure> {
    let mut entries = kv.list("").await?;
    let mut bytes = 0;
    while let Some(entry) = entries.next().await? {
        bytes += entry.size;
    }
    Ok(bytes)
}

async fn the_limit_holds_under_concurrent_writers(ctx: &Ctx) -> Verdict {
    let handles = [
        open_with(ctx.storage(), tight()).await?,
        open_with(&ctx.second().await?, tight()).await?,
    ];
    for round in 0..3 {
        let writes = (0..12).map(|writer| {
            let kv = &handles[writer % 2];
            kv.set_raw(format!("{round}{writer:02}"), "x".repeat(97), SetOptions::new())
        });
        for written in join_all(writes).await {
            if let Err(error) = written {
                ensure_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
            }
        }
        let bytes = counted(&handles[0]).await?;
        ensure!(bytes <= 1000, "{bytes} bytes are stored in round {round}");
        ensure!(
            bytes >= 800,
            "only {bytes} bytes could be stored in round {round}"
        );
    }
    Ok(())
}

async fn racing_evictions_keep_the_count(ctx: &Ctx) -> Verdict {
    let options = tight().eviction(Eviction::Lru);
    let handles = [
        open_with(ctx.storage(), options.clone()).await?,
        open_with(&ctx.second().await?, options).await?,
    ];
    for round in 0..4_usize {
        let writes = (0..10_usize).map(|writer| {
            let kv = handles[writer % 2].clone();
            let key = ((round * 7 + writer) % 13).to_string();
            async move {
                if writer % 5 == 4 {
                    return kv.delete(&key).await.map(drop);
                }
                let value = "x".repeat(20 + 30 * (writer % 4));
                kv.set_raw(&key, value, SetOptions::new()).await
            }
        });
        for written in join_all(writes).await {
            written?;
        }
        let bytes = counted(&handles[0]).await?;
        ensure!(bytes <= 1000, "{bytes} bytes are stored");
    }
    for kv in &handles {
        kv.finish().await?;
    }
    let before = handles[0].stats().await?;
    ensure_eq!(
        before.bytes,
        counted(&handles[0]).await?,
        "what is used, counted one by one"
    );
    let aligned = handles[0].align().await?;
    ensure!(aligned.recounted, "nobody writes, so it is counted anew");
    let after = handles[0].stats().await?;
    ensure_eq!(
        (after.bytes, after.entries),
        (before.bytes, before.entries),
        "after a recount"
    );
    Ok(())
}

async fn aligning_brings_usage_under_a_lower_limit(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), tight()).await?;
    fill(ctx, &kv).await?;
    kv.touch("j", storage_stores::kv::Lifetime::Permanent).await?;
    kv.finish().await?;
    let without = open_with(ctx.storage(), tight().size_limit(350)).await?;
    let report = without.align().await?;
    ensure_eq!(
        (report.evicted.entries, report.excess),
        (0, 650),
        "without a policy nothing goes"
    );
    let kv = open_with(ctx.storage(), tight().size_limit(350).eviction(Eviction::Lru)).await?;
    let report = kv.align().await?;
    ensure_eq!(
        (report.evicted.entries, report.evicted.bytes, report.excess),
        (7, 700, 0),
        "what went"
    );
    ensure_eq!(keys(&kv).await?, "hij", "what stays");
    ensure_eq!(kv.stats().await?.bytes, 300, "what is used");
    let kv = open_with(ctx.storage(), tight().size_limit(50).eviction(Eviction::Lru)).await?;
    let report = kv.align().await?;
    ensure_eq!(
        (report.evicted.entries, report.excess),
        (2, 50),
        "the permanent one is over"
    );
    Ok(())
}

async fn what_a_crashed_handle_set_aside_comes_back(ctx: &Ctx) -> Verdict {
    let crashed = open_with(ctx.storage(), tight()).await?;
    put(&crashed, "a", &value()).await?;
    let kv = open_with(&ctx.second().await?, tight()).await?;
    let stats = kv.stats().await?;
    ensure!(
        stats.reserved > 0 && stats.crashed == 0,
        "room is set aside: {stats:?}"
    );
    drop(crashed);
    ctx.clock().advance_wall(MINUTE * 700);
    let kv = open_with(&ctx.second().await?, tight()).await?;
    ensure_eq!(kv.stats().await?.crashed, 1, "handles that crashed");
    ensure_eq!(kv.stats().await?.reserved, 0, "what others have set aside");
    ensure!(kv.stats().await?.bytes >= 100, "it counts as used");
    ensure!(kv.align().await?.recounted, "nobody writes");
    ensure_eq!(kv.stats().await?.bytes, 100, "what is really used");
    ensure_eq!(kv.stats().await?.entries, 1, "entries");
    fill(ctx, &kv).await
}

async fn usage_is_known_at_start(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), tight()).await?;
    fill(ctx, &kv).await?;
    kv.finish().await?;
    let storage = ctx.second().await?;
    let kv = open_with(&storage, tight()).await?;
    let before = storage.counters();
    let stats = kv.stats().await?;
    ensure_eq!((stats.bytes, stats.entries), (1000, 10), "what is used");
    let calls = storage.counters().calls - before.calls;
    ensure!(calls <= 1, "it took {calls} calls");
    Ok(())
}

async fn clearing_keeps_what_is_permanent(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), tight()).await?;
    fill(ctx, &kv).await?;
    kv.set_raw("a", large('x')[..99].to_owned(), SetOptions::new().permanent())
        .await?;
    let hold = kv.hold("b", MINUTE * 60).await?.ok_or("it is there")?;
    let report = kv.clear(false).await?;
    ensure_eq!(
        (report.entries, report.bytes, report.permanent, report.held),
        (8, 800, 1, 1),
        "what went and stayed"
    );
    ensure_eq!(keys(&kv).await?, "ab", "what stays");
    let report = kv.clear(true).await?;
    ensure_eq!((report.entries, report.held), (1, 1), "what force takes");
    hold.release().await?;
    kv.clear(false).await?;
    ensure_eq!(keys(&kv).await?, "", "all of it");
    ensure_eq!(objects(ctx.storage()).await?, 0, "objects");
    ensure_eq!(kv.stats().await?.bytes, 0, "what is used");
    Ok(())
}

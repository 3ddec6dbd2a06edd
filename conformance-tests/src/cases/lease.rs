//! Leases: one holder at a time, a token that only grows, and no clock that is trusted.

mod waiting;

use std::sync::Arc;
use std::time::Duration;

use storage_core::{ErrorKind, Lease, Storage};

use self::waiting::{
    acquire_waits_for_release, contenders_have_at_most_one_holder, keep_alive_renews_and_tells_of_loss,
};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::clock::TestClock;
use crate::context::Ctx;

cases! { lease:
    smoke [Documents] exclusive = "while one holds it nobody else gets it, in this client or another";
    smoke [Documents] same_holder_renews_same_token = "renewing, and asking again with the same request, keep the token";
    smoke [Documents] release_lets_others_in_at_once = "after a release the next contender gets it without waiting, under a greater token";
    smoke [Documents] runs_out_and_token_increases = "watched unchanged for its time to live it can be taken, under a greater token";
    standard [Documents] is_not_taken_early = "a contender that has not watched for the whole time to live gets nothing, whatever the clocks say";
    standard [Documents] renewed_in_time_is_never_taken = "a holder that renews in time keeps it against every contender";
    standard [Documents] lost_holder_cannot_renew = "after it was taken, renew and release are LeaseLost, and change nothing for the new holder";
    standard [Documents] wall_clock_decides_nothing = "a client whose wall clock is an hour ahead takes nothing";
    standard [Documents] holder_knows_when_to_stop = "the time remaining ends before anybody else can have it";
    standard [Documents] token_is_never_given_twice = "over release, loss, break and reopen every holder's token is greater than the last";
    standard [Documents] names_are_independent = "leases of different names know nothing of each other, hostile names included";
    standard [Documents] bounds_of_the_time_to_live = "10 ms to 7 days, nothing else";
    standard [Documents] break_frees_it = "a broken lease is free at once, its holder learns of it, and breaking what is free is false";
    standard [Documents] are_listed = "every lease is listed with its token, and whether it was released";
    standard [Documents] contenders_have_at_most_one_holder = "of many contenders over two handles one holds it at a time, and each gets it";
    standard [Documents] acquire_waits_for_release = "acquire returns once the holder releases";
    standard [Documents] keep_alive_renews_and_tells_of_loss = "kept alive it outlives its time; broken, the holder is told";
    standard [Documents] survives_reopen = "it is held across closing and opening, and so is its token";
}

/// Long enough that no case is slow enough to let it run out by itself.
const TTL: Duration = Duration::from_secs(600);

async fn take(storage: &Storage, name: &str) -> Result<Lease, Failure> {
    let lease = storage.lease(name, TTL).try_acquire().await?;
    lease.ok_or_else(|| Failure::new(format!("lease {name:?} is free and was not given")))
}

/// Takes a lease somebody holds, by watching it run out.
async fn steal(ctx: &Ctx, storage: &Storage, name: &str) -> Result<Lease, Failure> {
    let request = storage.lease(name, TTL);
    ensure!(
        request.try_acquire().await?.is_none(),
        "lease {name:?} was given at first sight"
    );
    ctx.clock().advance_elapsed(TTL + TTL / 50);
    let lease = request.try_acquire().await?;
    lease.ok_or_else(|| Failure::new(format!("lease {name:?} has run out and was not given")))
}

async fn exclusive(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let lease = take(ctx.storage(), "job").await?;
    ensure_eq!(lease.name(), "job", "its name");
    ensure!(lease.is_held() && lease.token() >= 1, "it is held: {lease:?}");
    for storage in [ctx.storage(), &second, ctx.storage(), &second] {
        ensure!(
            storage.lease("job", TTL).try_acquire().await?.is_none(),
            "two hold it"
        );
    }
    lease.renew().await?;
    Ok(())
}

async fn same_holder_renews_same_token(ctx: &Ctx) -> Verdict {
    let request = ctx.storage().lease("job", TTL);
    let lease = request.try_acquire().await?.ok_or("it is free")?;
    let token = lease.token();
    for _ in 0..3 {
        lease.renew().await?;
        ensure_eq!(lease.token(), token, "the token after a renewal");
    }
    let again = request
        .try_acquire()
        .await?
        .ok_or("the same request asks again and is refused")?;
    ensure_eq!(again.token(), token, "the token of the same request");
    lease.renew().await?;
    ensure!(lease.is_held() && again.is_held(), "both stand for one holder");
    Ok(())
}

async fn release_lets_others_in_at_once(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let first = take(ctx.storage(), "job").await?;
    let (token, clone) = (first.token(), first.clone());
    first.release().await?;
    ensure!(!clone.is_held(), "the holder knows that it released it");
    ensure_kind!(
        clone.renew().await,
        ErrorKind::LeaseLost,
        "renewing what was released"
    );
    let next = take(&second, "job").await?;
    ensure!(next.token() > token, "token {} after {token}", next.token());
    ensure_kind!(
        clone.release().await,
        ErrorKind::LeaseLost,
        "releasing a second time"
    );
    next.renew().await?;
    Ok(())
}

async fn runs_out_and_token_increases(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let first = take(ctx.storage(), "job").await?;
    let stolen = steal(ctx, &second, "job").await?;
    ensure!(
        stolen.token() > first.token(),
        "token {} after {}",
        stolen.token(),
        first.token()
    );
    ensure!(stolen.is_held() && !first.is_held(), "one holder after another");
    Ok(())
}

async fn is_not_taken_early(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let lease = take(ctx.storage(), "job").await?;
    // Nobody watched meanwhile, so nobody knows that it was not renewed.
    ctx.clock().advance_elapsed(TTL * 5);
    let request = second.lease("job", TTL);
    ensure!(
        request.try_acquire().await?.is_none(),
        "it was taken at first sight"
    );
    ctx.clock().advance_elapsed(TTL / 2);
    ensure!(
        request.try_acquire().await?.is_none(),
        "it was taken after half its time"
    );
    // A renewal begins the watch anew.
    lease.renew().await?;
    ensure!(
        request.try_acquire().await?.is_none(),
        "it was taken after a renewal"
    );
    ctx.clock().advance_elapsed(TTL * 9 / 10);
    ensure!(
        request.try_acquire().await?.is_none(),
        "the watch did not begin anew with the renewal"
    );
    ctx.clock().advance_elapsed(TTL / 5);
    ensure!(request.try_acquire().await?.is_some(), "it has run out now");
    // The time to live that counts is the holder's, not the contender's.
    let hasty = ctx.storage().lease("job", Duration::from_millis(10));
    ensure!(
        hasty.try_acquire().await?.is_none(),
        "it was taken at first sight"
    );
    ctx.clock().advance_elapsed(TTL / 2);
    ensure!(
        hasty.try_acquire().await?.is_none(),
        "a contender in a hurry took it early"
    );
    Ok(())
}

async fn renewed_in_time_is_never_taken(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let lease = take(ctx.storage(), "job").await?;
    let contender = second.lease("job", TTL);
    for round in 0..10 {
        ctx.clock().advance_elapsed(TTL / 2);
        lease.renew().await?;
        ensure!(
            contender.try_acquire().await?.is_none(),
            "it was taken in round {round}"
        );
    }
    ensure!(lease.is_held(), "it is held all the time");
    Ok(())
}

async fn lost_holder_cannot_renew(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let request = ctx.storage().lease("job", TTL);
    let first = request.try_acquire().await?.ok_or("it is free")?;
    let stolen = steal(ctx, &second, "job").await?;
    ensure_kind!(
        first.renew().await,
        ErrorKind::LeaseLost,
        "renewing what another has"
    );
    ensure!(
        !first.is_held() && first.remaining().is_zero(),
        "the first knows now"
    );
    ensure!(
        request.try_acquire().await?.is_none(),
        "asking again is asking anew, not getting it back"
    );
    ensure_kind!(
        first.release().await,
        ErrorKind::LeaseLost,
        "releasing what another has"
    );
    stolen.renew().await?;
    ensure!(
        second.lease("job", TTL).try_acquire().await?.is_none(),
        "the new holder still has it"
    );
    Ok(())
}

async fn wall_clock_decides_nothing(ctx: &Ctx) -> Verdict {
    let ahead = Arc::new(TestClock::default());
    ahead.advance_wall(Duration::from_secs(3600 * 24 * 400));
    let skewed = ctx.second_with(ahead.clone()).await?;
    let lease = take(ctx.storage(), "job").await?;
    for _ in 0..3 {
        ensure!(
            skewed.lease("job", TTL).try_acquire().await?.is_none(),
            "a clock that is ahead took it"
        );
        ahead.advance_wall(TTL * 2);
        ctx.clock().advance_wall(TTL * 2);
    }
    ensure!(lease.is_held(), "its holder has it all the time");
    lease.renew().await?;
    Ok(())
}

async fn holder_knows_when_to_stop(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let lease = take(ctx.storage(), "job").await?;
    ensure!(
        lease.remaining() <= TTL && lease.remaining() > TTL / 2,
        "all of the time remains: {:?}",
        lease.remaining()
    );
    let contender = second.lease("job", TTL);
    ensure!(contender.try_acquire().await?.is_none(), "it is held");
    for _ in 0..60 {
        ctx.clock().advance_elapsed(TTL / 50);
        if contender.try_acquire().await?.is_some() {
            break;
        }
    }
    ensure!(
        !lease.is_held(),
        "another got it while the holder believed to have {:?} left",
        lease.remaining()
    );
    ensure!(
        contender
            .try_acquire()
            .await?
            .is_some_and(|taken| taken.is_held()),
        "it was taken in the end"
    );
    Ok(())
}

async fn token_is_never_given_twice(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let mut last = 0;
    let mut greater = |lease: &Lease, how: &str| {
        ensure!(
            lease.token() > last,
            "{how}: token {} after {last}",
            lease.token()
        );
        last = lease.token();
        Ok::<_, Failure>(())
    };
    for round in 0..3 {
        let lease = take(ctx.storage(), "job").await?;
        greater(&lease, "after a break, or at first")?;
        lease.release().await?;
        let lease = take(&second, "job").await?;
        greater(&lease, "after a release")?;
        let lease = steal(ctx, ctx.storage(), "job").await?;
        greater(&lease, "after it ran out")?;
        ensure!(second.break_lease("job").await?, "it was held in round {round}");
    }
    let reopened = ctx.reopen().await?;
    let lease = take(&reopened, "job").await?;
    greater(&lease, "after a reopen")?;
    Ok(())
}

async fn names_are_independent(ctx: &Ctx) -> Verdict {
    let names = [
        "a", "ab", "a/b", "A", "..", "%2F", "é", "😀", "$x", "x.lock", " ", "'; --",
    ];
    let mut held = Vec::new();
    for name in names {
        held.push(take(ctx.storage(), name).await?);
    }
    ensure!(ctx.storage().break_lease("a").await?, "it was held");
    for lease in &held[1..] {
        lease.renew().await?;
    }
    ensure_kind!(
        held[0].renew().await,
        ErrorKind::LeaseLost,
        "the one that was broken"
    );
    for impossible in ["", "a\0b"] {
        let refused = ctx.storage().lease(impossible, TTL).try_acquire().await;
        ensure_kind!(refused, ErrorKind::InvalidName, "the name {impossible:?}");
    }
    Ok(())
}

async fn bounds_of_the_time_to_live(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let (day, ms) = (Duration::from_secs(24 * 60 * 60), Duration::from_millis(1));
    for ttl in [Duration::ZERO, ms * 9, day * 7 + ms, Duration::MAX] {
        ensure_kind!(
            storage.lease("job", ttl).try_acquire().await,
            ErrorKind::InvalidArgument,
            "{ttl:?}"
        );
        ensure_kind!(
            storage.lease("job", ttl).acquire().await,
            ErrorKind::InvalidArgument,
            "{ttl:?}"
        );
    }
    ensure!(storage.leases().await?.is_empty(), "nothing was written");
    for (name, ttl) in [("shortest", ms * 10), ("longest", day * 7)] {
        ensure!(storage.lease(name, ttl).try_acquire().await?.is_some(), "{ttl:?}");
    }
    Ok(())
}

async fn break_frees_it(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    ensure!(!second.break_lease("job").await?, "there never was one");
    let lease = take(ctx.storage(), "job").await?;
    ensure!(second.break_lease("job").await?, "it was held");
    ensure!(!second.break_lease("job").await?, "it is not held any more");
    ensure_kind!(
        lease.renew().await,
        ErrorKind::LeaseLost,
        "the holder learns of it"
    );
    let next = take(&second, "job").await?;
    ensure!(next.token() > lease.token(), "a greater token");
    Ok(())
}

async fn are_listed(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    ensure!(storage.leases().await?.is_empty(), "there are none at first");
    let held = take(storage, "b").await?;
    take(storage, "a").await?.release().await?;
    let listed = ctx.second().await?.leases().await?;
    let listed: Vec<_> = listed
        .into_iter()
        .map(|info| (info.name, info.token, info.ttl, info.held))
        .collect();
    let expected = [
        ("a".to_owned(), 1, TTL, false),
        ("b".to_owned(), held.token(), TTL, true),
    ];
    ensure_eq!(
        listed,
        expected,
        "name, token, time to live, and whether it is held"
    );
    Ok(())
}

async fn survives_reopen(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let lease = take(ctx.storage(), "job").await?;
    let reopened = ctx.reopen().await?;
    ensure!(
        reopened.lease("job", TTL).try_acquire().await?.is_none(),
        "the holder may be another process"
    );
    let stolen = steal(ctx, &second, "job").await?;
    ensure!(stolen.token() > lease.token(), "a greater token");
    Ok(())
}

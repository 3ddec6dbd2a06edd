//! Leases that are waited for, fought for and kept alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use storage_core::ErrorKind;

use super::{TTL, take};
use crate::case::{Verdict, ensure, ensure_eq};
use crate::cases::sample::in_parallel;
use crate::context::Ctx;

pub(super) async fn contenders_have_at_most_one_holder(ctx: &Ctx) -> Verdict {
    let handles = [ctx.storage().clone(), ctx.second().await?];
    let inside = Arc::new(AtomicUsize::new(0));
    let contenders = (0..6).map(|n| {
        let (storage, inside) = (handles[n % 2].clone(), inside.clone());
        async move {
            let mut tokens = Vec::new();
            for _ in 0..3 {
                let request = storage.lease("job", TTL);
                let lease = loop {
                    match request.try_acquire().await? {
                        Some(lease) => break lease,
                        None => tokio::task::yield_now().await,
                    }
                };
                let others = inside.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                tokens.push((others, lease.token()));
                lease.release().await?;
            }
            Ok::<_, storage_core::Error>(tokens)
        }
    });
    let mut tokens = Vec::new();
    for result in in_parallel(contenders).await? {
        for (others, token) in result? {
            ensure_eq!(
                others,
                0,
                "others who hold the lease at the same time as token {token}"
            );
            tokens.push(token);
        }
    }
    tokens.sort_unstable();
    ensure_eq!(tokens.len(), 18, "each got it three times");
    ensure!(
        tokens.windows(2).all(|pair| pair[0] < pair[1]),
        "a token was given twice: {tokens:?}"
    );
    Ok(())
}

pub(super) async fn acquire_waits_for_release(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    let lease = take(ctx.storage(), "job").await?;
    let token = lease.token();
    let waiting = tokio::spawn(async move { second.lease("job", TTL).acquire().await });
    tokio::task::yield_now().await;
    ensure!(!waiting.is_finished(), "it was given while it is held");
    lease.release().await?;
    let next = waiting.await.map_err(|error| error.to_string())??;
    ensure!(next.token() > token, "a greater token");
    Ok(())
}

pub(super) async fn keep_alive_renews_and_tells_of_loss(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    // Renewed every 200 ms, by the system's timer.
    let lease = ctx
        .storage()
        .lease("job", Duration::from_millis(600))
        .acquire()
        .await?;
    let mut kept = lease.keep_alive();
    // Time remaining only ever grows by a renewal.
    let renewed = async {
        let mut before = lease.remaining();
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = lease.remaining();
            if now > before {
                break;
            }
            before = now;
        }
    };
    ensure!(
        tokio::time::timeout(Duration::from_secs(30), renewed)
            .await
            .is_ok(),
        "it was never renewed"
    );
    let broken = loop {
        match second.break_lease("job").await {
            // A renewal came first; whoever breaks a lease looks again.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            broken => break broken?,
        }
    };
    ensure!(broken, "it was held");
    ensure!(
        tokio::time::timeout(Duration::from_secs(30), kept.lost())
            .await
            .is_ok(),
        "the holder was never told"
    );
    ensure!(!lease.is_held(), "and knows that it must stop");
    Ok(())
}

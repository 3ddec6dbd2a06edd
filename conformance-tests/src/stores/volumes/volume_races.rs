//! Others that come between, at every call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use storage_core::Timestamp;
use storage_stores::volumes::{Repair, Roots, Volume, VolumeStore};

use super::sample::{contents, flip, open_in, options, volume};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::clock::TestClock;
use crate::context::Ctx;

cases! { volume_races:
    standard [DeleteIf] overtaken_by_a_writer_a_collection_takes_nothing_named = "a collection that a writer overtakes at any call, putting again an old block nothing had named, leaves it there";
    standard [DeleteIf] overtaken_by_a_collection_a_put_is_there = "a put of an old block nothing had named, which a collection overtakes at any call, is there once it is acknowledged";
    standard [] overtaken_by_another_put_a_name_has_one_of_the_two = "a put that another of the same name overtakes at any call leaves one of the two, the same for everybody";
    standard [] overtaken_by_a_put_a_quarantine_takes_nothing_whole = "a look at a damaged block that a put overtakes at any call leaves the block whole";
    standard [] overtaken_by_a_deletion_a_put_is_ordered = "a put and a deletion of one name that overtake each other end the same for everybody";
}

/// Who comes between, and what they work on: something else in each round, so that each begins with nothing.
struct Others<T>(Arc<Mutex<Option<T>>>);

impl<T: Clone + Send + 'static> Others<T> {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn now_on(&self, place: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }

    /// What they do when they come.
    fn doing<F>(
        &self,
        work: impl Fn(T) -> F + Clone + Send + Sync + 'static,
    ) -> impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let places = Arc::clone(&self.0);
        move || {
            let (places, work) = (Arc::clone(&places), work.clone());
            async move {
                let place = places.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(place) = place {
                    work(place).await;
                }
            }
            .boxed()
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Roots that were begun a whole day after everything there is was written, and before whatever is written from now on: the times of
/// objects are the medium's, so it is the collector's clock that is moved, by exactly so much.
async fn roots_of_tomorrow(ctx: &Ctx, store: &VolumeStore, directory: &str) -> Result<Roots, Failure> {
    let oldest = store.blocks().list().await?[0];
    let key = format!("{directory}/blocks/{oldest}.bin");
    let meta = ctx.storage().objects().stat(key).await?.ok_or("it is there")?;
    let written = meta.modified.unwrap_or(Timestamp::from_millis(0));
    // Times are whole milliseconds, so that the next write has to be in another one.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let clock = Arc::new(TestClock::default());
    let collector = ctx.second_with(Arc::clone(&clock)).await?;
    let due = written.after(DAY).as_millis() - collector.now().as_millis();
    clock.advance_wall(Duration::from_millis(u64::try_from(due).unwrap_or_default()));
    let collector = VolumeStore::open(collector, options().directory(directory)).await?;
    Ok(collector.blocks().roots())
}

async fn overtaken_by_a_writer_a_collection_takes_nothing_named(ctx: &Ctx) -> Verdict {
    // Writers see a block that has more than half the grace behind it.
    ctx.clock().advance_wall(DAY / 4 * 3);
    let others = Others::<Volume>::new();
    let put = |writer: Volume| async move { drop(writer.put("a", "old and unnamed").await) };
    let mut points = ctx.overtakings(others.doing(put));
    while let Some(overtaken) = points.next().await? {
        let directory = format!("round {}", points.at());
        let store = open_in(ctx.storage(), &directory).await?;
        store.blocks().put("old and unnamed").await?;
        let roots = roots_of_tomorrow(ctx, &store, &directory).await?;
        let writer = volume(&store).await?;
        others.now_on(writer.clone());
        let slow = open_in(&overtaken, &directory).await?;
        slow.blocks().gc(&roots, DAY).await?;
        if writer.entry("a").is_some() {
            let bytes = writer.get("a").await?;
            ensure_eq!(
                bytes.as_deref(),
                Some(&b"old and unnamed"[..]),
                "what was named at call {}",
                points.at()
            );
        }
    }
    ensure!(
        points.at() > 3,
        "a collection makes more than {} calls",
        points.at()
    );
    Ok(())
}

async fn overtaken_by_a_collection_a_put_is_there(ctx: &Ctx) -> Verdict {
    ctx.clock().advance_wall(DAY / 4 * 3);
    let others = Others::<(VolumeStore, Arc<Roots>)>::new();
    let collect = |(store, roots): (VolumeStore, Arc<Roots>)| async move {
        drop(store.blocks().gc(&roots, DAY).await);
    };
    let mut points = ctx.overtakings(others.doing(collect));
    while let Some(overtaken) = points.next().await? {
        let directory = format!("round {}", points.at());
        let store = open_in(ctx.storage(), &directory).await?;
        store.blocks().put("old and unnamed").await?;
        let roots = roots_of_tomorrow(ctx, &store, &directory).await?;
        others.now_on((store.clone(), Arc::new(roots)));
        let slow = volume(&open_in(&overtaken, &directory).await?).await?;
        slow.put("a", "old and unnamed").await?;
        let bytes = volume(&store).await?.get("a").await?;
        ensure_eq!(
            bytes.as_deref(),
            Some(&b"old and unnamed"[..]),
            "what was put, overtaken at {}",
            points.at()
        );
    }
    ensure!(points.at() > 3, "a put makes more than {} calls", points.at());
    Ok(())
}

async fn overtaken_by_another_put_a_name_has_one_of_the_two(ctx: &Ctx) -> Verdict {
    let others = Others::<Volume>::new();
    let put = |writer: Volume| async move { drop(writer.put("a", "the other").await) };
    let mut points = ctx.overtakings(others.doing(put));
    while let Some(overtaken) = points.next().await? {
        let (at, directory) = (points.at(), format!("round {}", points.at()));
        let store = open_in(ctx.storage(), &directory).await?;
        let writer = volume(&store).await?;
        others.now_on(writer.clone());
        let slow = volume(&open_in(&overtaken, &directory).await?).await?;
        slow.put("a", "the slow one").await?;
        // The last call that is overtaken is one of this.
        slow.refresh().await?;
        writer.refresh().await?;
        slow.refresh().await?;
        let fresh = volume(&open_in(&ctx.second().await?, &directory).await?).await?;
        let seen = contents(&fresh).await?;
        ensure!(
            seen[0].1 == "the other" || seen[0].1 == "the slow one",
            "{seen:?}, overtaken at {at}"
        );
        ensure_eq!(
            contents(&writer).await?,
            seen,
            "the other sees the same, overtaken at {at}"
        );
        ensure_eq!(
            contents(&slow).await?,
            seen,
            "the slow one too, overtaken at {at}"
        );
        ensure!(
            store.verify_all(Repair::Nothing).await?.is_sound(),
            "damage, overtaken at {at}"
        );
    }
    Ok(())
}

async fn overtaken_by_a_put_a_quarantine_takes_nothing_whole(ctx: &Ctx) -> Verdict {
    let others = Others::<VolumeStore>::new();
    let put = |store: VolumeStore| async move { drop(store.blocks().put("abc").await) };
    let mut points = ctx.overtakings(others.doing(put));
    while let Some(overtaken) = points.next().await? {
        let (at, directory) = (points.at(), format!("round {}", points.at()));
        let store = open_in(ctx.storage(), &directory).await?;
        let hash = store.blocks().put("abc").await?;
        flip(ctx.storage(), &format!("{directory}/blocks/{hash}.bin")).await?;
        others.now_on(store.clone());
        let slow = open_in(&overtaken, &directory).await?;
        if let Ok(Some(bytes)) = slow.blocks().get(&hash).await {
            ensure_eq!(bytes, "abc", "what was handed out");
        }
        store.blocks().put("abc").await?;
        let bytes = store.blocks().get(&hash).await?;
        ensure_eq!(
            bytes.as_deref(),
            Some(&b"abc"[..]),
            "the block, overtaken at {at}"
        );
    }
    Ok(())
}

async fn overtaken_by_a_deletion_a_put_is_ordered(ctx: &Ctx) -> Verdict {
    let others = Others::<Volume>::new();
    let delete = |writer: Volume| async move { drop(writer.delete("a").await) };
    let mut points = ctx.overtakings(others.doing(delete));
    while let Some(overtaken) = points.next().await? {
        let (at, directory) = (points.at(), format!("round {}", points.at()));
        let writer = volume(&open_in(ctx.storage(), &directory).await?).await?;
        writer.put("a", "before").await?;
        others.now_on(writer.clone());
        let slow = volume(&open_in(&overtaken, &directory).await?).await?;
        slow.put("a", "after").await?;
        slow.refresh().await?;
        writer.refresh().await?;
        slow.refresh().await?;
        let fresh = volume(&open_in(&ctx.second().await?, &directory).await?).await?;
        ensure_eq!(fresh.list(""), writer.list(""), "overtaken at {at}");
        ensure_eq!(fresh.list(""), slow.list(""), "overtaken at {at}");
        ensure_eq!(fresh.log(), writer.log(), "the log, overtaken at {at}");
    }
    Ok(())
}

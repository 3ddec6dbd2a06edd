//! What a store says about itself.

use std::time::Duration;

use storage_core::{Capability, ErrorKind};
use storage_stores::volumes::{HashAlgorithm, VolumeOptions, VolumeStore};

use super::sample::{keys, open, options};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { volume_format:
    smoke [] a_store_says_what_it_is = "the format, hash, fan-out and grace are in `volumes.json`, and hold for whoever opens the store";
    standard [] another_choice_is_refused_with_what_to_do = "a store with another hash, fan-out or grace is refused untouched, and the refusal says what to do";
    standard [] a_newer_store_is_refused_untouched = "a store of a newer format is refused, by name, and nothing is changed";
    standard [] a_damaged_record_is_corrupt = "a record that cannot be read is `Corrupt`, and never taken for a store that is yet to be made";
    standard [CreateIfAbsent] many_who_make_one_store_agree = "of many who make one store at once, with different choices, those who made the same are let in and the others are refused";
    standard [] without_create_if_absent_making_a_store_has_to_be_meant = "where an object cannot be created only where none is, a store is made only on one's word that nobody else does";
    standard [] two_stores_stand_beside_each_other = "stores in two directories share nothing";
}

async fn a_store_says_what_it_is(ctx: &Ctx) -> Verdict {
    let chosen = options()
        .hash(HashAlgorithm::Blake3)
        .fan_out(1)
        .grace(Duration::from_secs(7200));
    VolumeStore::open(ctx.storage().clone(), chosen).await?;
    let text = ctx
        .storage()
        .objects()
        .read("volumes.json")
        .await?
        .ok_or("it is there")?;
    ensure_eq!(
        text,
        "{\"format\":1,\"hash\":\"blake3\",\"fan_out\":1,\"grace_seconds\":7200}\n",
        "the record"
    );
    let store = VolumeStore::open(ctx.second().await?, VolumeOptions::new()).await?;
    ensure_eq!(store.hash_algorithm(), HashAlgorithm::Blake3, "the hash");
    ensure_eq!(store.grace(), Duration::from_secs(7200), "the grace");
    Ok(())
}

async fn another_choice_is_refused_with_what_to_do(ctx: &Ctx) -> Verdict {
    open(ctx.storage()).await?;
    let before = ctx.storage().objects().read("volumes.json").await?;
    for (what, other) in [
        ("hash", options().hash(HashAlgorithm::Blake3)),
        ("fan-out", options().fan_out(1)),
        ("grace", options().grace(Duration::from_secs(60))),
    ] {
        let result = VolumeStore::open(ctx.second().await?, other).await;
        let Err(error) = &result else {
            return Err(format!("another {what} is taken").into());
        };
        let said = error.message();
        ensure!(said.contains(what) && said.contains("another store"), "{said}");
        ensure_kind!(result, ErrorKind::InvalidArgument, "another {what}");
    }
    for impossible in [
        options().fan_out(3),
        options().grace(Duration::ZERO),
        options().grace(Duration::from_millis(1500)),
    ] {
        let result = VolumeStore::open(ctx.second().await?, impossible.clone()).await;
        ensure!(result.is_err(), "{impossible:?} is taken");
    }
    ensure_eq!(
        ctx.storage().objects().read("volumes.json").await?,
        before,
        "the record"
    );
    VolumeStore::open(
        ctx.second().await?,
        options().hash(HashAlgorithm::Sha256).fan_out(0),
    )
    .await?;
    Ok(())
}

async fn a_newer_store_is_refused_untouched(ctx: &Ctx) -> Verdict {
    let newer = "{\"format\":2,\"what\":\"nobody knows yet\"}";
    ctx.storage().objects().write("volumes.json", newer).await?;
    let result = VolumeStore::open(ctx.second().await?, options()).await;
    ensure_kind!(result, ErrorKind::FormatTooNew, "a newer store");
    ensure_eq!(keys(ctx.storage(), "").await?, ["volumes.json"], "what is there");
    let there = ctx.storage().objects().read("volumes.json").await?;
    ensure_eq!(there.as_deref(), Some(newer.as_bytes()), "the record");
    Ok(())
}

async fn a_damaged_record_is_corrupt(ctx: &Ctx) -> Verdict {
    for text in [
        "",
        "{",
        "{}",
        "null",
        "{\"format\":1,\"hash\":\"sha256\",\"fan_out\":9,\"grace_seconds\":1}",
    ] {
        ctx.storage().objects().write("volumes.json", text).await?;
        let result = VolumeStore::open(ctx.second().await?, options()).await;
        ensure_kind!(result, ErrorKind::Corrupt, "{text:?}");
        let there = ctx.storage().objects().read("volumes.json").await?;
        ensure_eq!(there.as_deref(), Some(text.as_bytes()), "the record");
    }
    Ok(())
}

async fn many_who_make_one_store_agree(ctx: &Ctx) -> Verdict {
    let other = ctx.second().await?;
    for round in 0..4 {
        let directory = format!("round {round}");
        let open = |at: usize| {
            let storage = if at.is_multiple_of(2) {
                ctx.storage()
            } else {
                &other
            };
            let hash = if at.is_multiple_of(3) {
                HashAlgorithm::Blake3
            } else {
                HashAlgorithm::Sha256
            };
            let options = VolumeOptions::new().directory(&directory).hash(hash);
            VolumeStore::open(storage.clone(), options)
        };
        let opened = futures::future::join_all((0..12).map(open)).await;
        let made =
            VolumeStore::open(ctx.storage().clone(), VolumeOptions::new().directory(&directory)).await?;
        for (at, result) in opened.into_iter().enumerate() {
            let wanted = if at.is_multiple_of(3) {
                HashAlgorithm::Blake3
            } else {
                HashAlgorithm::Sha256
            };
            if wanted == made.hash_algorithm() {
                ensure_eq!(result?.hash_algorithm(), wanted, "who wants what was made");
            } else {
                ensure_kind!(result, ErrorKind::InvalidArgument, "who wants something else");
            }
        }
    }
    Ok(())
}

async fn without_create_if_absent_making_a_store_has_to_be_meant(ctx: &Ctx) -> Verdict {
    let made = VolumeStore::open(ctx.storage().clone(), VolumeOptions::new()).await;
    if ctx.has(Capability::CreateIfAbsent) {
        made?;
    } else {
        ensure_kind!(made, ErrorKind::Unsupported, "a store that is yet to be made");
        ensure_eq!(
            keys(ctx.storage(), "").await?,
            Vec::<String>::new(),
            "nothing was written"
        );
    }
    open(ctx.storage()).await?;
    // Opening one that is there needs nobody's word.
    VolumeStore::open(ctx.second().await?, VolumeOptions::new()).await?;
    Ok(())
}

async fn two_stores_stand_beside_each_other(ctx: &Ctx) -> Verdict {
    let one = super::sample::open_in(ctx.storage(), "one").await?;
    let other = super::sample::open_in(ctx.storage(), "one/other").await?;
    let hash = one.blocks().put("x").await?;
    ensure!(!other.blocks().has(&hash).await?, "the other has nothing");
    ensure_eq!(one.blocks().list().await?, [hash], "the one");
    other.blocks().put("y").await?;
    ensure_eq!(one.blocks().list().await?, [hash], "the one still");
    let paths = keys(ctx.storage(), "one/blocks/").await?;
    ensure_eq!(paths, [format!("one/blocks/{hash}.bin")], "where it is");
    Ok(())
}

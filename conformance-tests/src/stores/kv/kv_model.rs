//! Random operations on a store and on a map, compared after each.

use std::collections::BTreeMap;
use std::time::Duration;

use storage_core::Timestamp;
use storage_stores::kv::{Kv, KvOptions, Lifetime, SetOptions};

use super::sample::{open_with, options, sealed, text};
use crate::case::{Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;
use crate::random::Random;

cases! { kv_model:
    standard [Documents, Indexes] random_operations_agree_with_a_map = "random operations over two handles, with a clock that moves, agree with a map after each";
    deep [Documents, Indexes] many_random_operations_agree_with_a_map timeout 900 = "the same for long, with compression, encryption, backups and write-back";
}

/// What a map of values with a life says.
#[derive(Default)]
struct Model {
    values: BTreeMap<String, (String, Option<Timestamp>, bool)>,
}

impl Model {
    fn live(&self, key: &str, now: Timestamp) -> Option<&str> {
        let (value, expires_at, _) = self.values.get(key)?;
        expires_at.is_none_or(|at| at > now).then_some(value.as_str())
    }
}

async fn random_operations_agree_with_a_map(ctx: &Ctx) -> Verdict {
    play(ctx, &options(), 150).await
}

async fn many_random_operations_agree_with_a_map(ctx: &Ctx) -> Verdict {
    let compressed = options()
        .compression(storage_stores::kv::Codec::Lz4)
        .compression_threshold(10);
    for options in [
        options(),
        options().backups(2),
        compressed,
        sealed(1).data_keys(true),
        options().memory_limit(0),
    ] {
        play(ctx, &options, 600).await?;
    }
    Ok(())
}

async fn play(ctx: &Ctx, options: &KvOptions, steps: usize) -> Verdict {
    let handles = [
        open_with(ctx.storage(), options.clone()).await?,
        open_with(&ctx.second().await?, options.clone()).await?,
    ];
    let (mut random, mut model) = (ctx.random(), Model::default());
    for step in 0..steps {
        let kv = &handles[random.below(2)];
        let said = one(ctx, kv, &mut random, &mut model).await?;
        let (now, key) = (ctx.storage().now(), key(&mut random));
        for kv in &handles {
            ensure_eq!(
                text(kv, &key).await?.as_deref(),
                model.live(&key, now),
                "{key} after step {step}: {said}"
            );
        }
    }
    let now = ctx.storage().now();
    let live: Vec<&String> = model
        .values
        .keys()
        .filter(|key| model.live(key, now).is_some())
        .collect();
    ensure_eq!(
        handles[0].keys("").await?.iter().collect::<Vec<_>>(),
        live,
        "the keys"
    );
    for kv in &handles {
        kv.cleanup().await?;
        kv.finish().await?;
    }
    let mut listed = handles[0].list("").await?;
    let (mut bytes, mut entries) = (0, 0);
    while let Some(entry) = listed.next().await? {
        bytes += entry.size;
        entries += 1;
    }
    let stats = handles[0].stats().await?;
    ensure_eq!((stats.bytes, stats.entries), (bytes, entries), "what is used");
    ensure_eq!(handles[0].verify().await?.problems, [], "problems");
    handles[0].erase().await?;
    Ok(())
}

fn key(random: &mut Random) -> String {
    ["a", "b", "a/b", "..", "é"][random.below(5)].to_owned()
}

async fn one(
    ctx: &Ctx,
    kv: &Kv,
    random: &mut Random,
    model: &mut Model,
) -> Result<String, crate::case::Failure> {
    let (key, now) = (key(random), ctx.storage().now());
    let seconds = Duration::from_secs(1 + random.below(10) as u64);
    let operation = random.below(10);
    match operation {
        0..=3 => {
            let length = if random.below(2) == 0 {
                random.below(10)
            } else {
                60 + random.below(200)
            };
            let letter = char::from(b'a' + u8::try_from(random.below(26)).unwrap_or_default());
            let value: String = std::iter::repeat_n(letter, length).collect();
            let (options, expires_at, permanent) = match random.below(3) {
                0 => (SetOptions::new(), None, false),
                1 => (SetOptions::new().permanent(), None, true),
                _ => (
                    SetOptions::new().expires_at(now.after(seconds)),
                    Some(now.after(seconds)),
                    false,
                ),
            };
            kv.set_raw(&key, value.clone(), options).await?;
            model.values.insert(key.clone(), (value, expires_at, permanent));
        }
        4 => {
            let there = model.live(&key, now).is_some();
            ensure_eq!(kv.delete(&key).await?, there, "whether {key} was there");
            model.values.remove(&key);
        }
        5 => {
            let there = model.live(&key, now).is_some();
            let expires_at = now.after(seconds);
            ensure_eq!(
                kv.touch(&key, Lifetime::Until(expires_at)).await?,
                there,
                "whether {key} was touched"
            );
            if let (true, Some(entry)) = (there, model.values.get_mut(&key)) {
                (entry.1, entry.2) = (Some(expires_at), false);
            }
        }
        6 => ctx.clock().advance_wall(seconds),
        7 => drop(kv.cleanup().await?),
        8 => {
            let there = model.live(&key, now).map(str::to_owned);
            let outcome = kv.set_raw(&key, "absent", SetOptions::new().if_absent()).await;
            ensure_eq!(outcome.is_err(), there.is_some(), "whether {key} was there");
            if there.is_none() {
                model
                    .values
                    .insert(key.clone(), ("absent".to_owned(), None, false));
            }
        }
        _ if random.below(10) == 0 => {
            kv.clear(false).await?;
            model
                .values
                .retain(|_, (_, expires_at, permanent)| *permanent && expires_at.is_none());
        }
        _ => {
            ensure_eq!(kv.has(&key).await?, model.live(&key, now).is_some(), "has {key}");
            ensure!(
                kv.info(&key).await?.is_some() == model.live(&key, now).is_some(),
                "info of {key}"
            );
        }
    }
    Ok(format!("operation {operation} on {key}"))
}

//! Preferences to keep, pages to cache, a counter many may raise, and a secret: one key-value store.
//!
//! `cargo run -p storage-factory --features kv --example cache` keeps its data in `./data/storage`, or wherever `KV_STORAGE_PATH` says.

use std::time::Duration;

use storage_factory::prelude::*;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Preferences {
    theme: String,
    volume: u8,
    language: String,
}

/// What takes long, and is worth keeping for a while.
async fn fetch(page: &str) -> String {
    format!("<h1>{page}</h1>").repeat(200)
}

/// Everything, on any store; gives what it has to say.
pub(crate) async fn run(kv: &Kv) -> Result<Vec<String>, Error> {
    let mut said = Vec::new();

    // Kept until it is deleted, and neither evicted nor cleared.
    let preferences = Preferences {
        theme: "dark".into(),
        volume: 75,
        language: "en".into(),
    };
    kv.set_with("user-preferences", &preferences, SetOptions::new().permanent())
        .await?;
    let found: Option<Preferences> = kv.get("user-preferences").await?;
    said.push(format!("the volume is {}", found.map_or(0, |found| found.volume)));

    // Made once, by whoever asks first, and kept for an hour.
    for page in ["home", "about", "home"] {
        let options = SetOptions::new().ttl(Duration::from_secs(3600)).compress(true);
        let text = kv
            .get_or_set(format!("page/{page}"), options, || async {
                Ok(fetch(page).await)
            })
            .await?;
        assert_eq!(text, fetch(page).await);
    }
    let pages = kv.keys("page/").await?;
    let size = kv.size("page/home").await?.unwrap_or(0);
    said.push(format!(
        "{} pages are kept, the first in less than 1000 bytes: {}",
        pages.len(),
        size < 1000
    ));

    // Read, changed and written by one at a time, in this process and all others.
    kv.set("visits", &0).await?;
    let visits = (0..5).map(|_| {
        kv.lock("visits", |entry| async move {
            let visits: u32 = entry.get().await?.unwrap_or(0);
            entry.set(&(visits + 1)).await
        })
    });
    for visit in visits {
        visit.await?;
    }
    said.push(format!("{} visits", kv.get::<u32>("visits").await?.unwrap_or(0)));

    // What is held stays, whatever room is needed.
    let hold = kv.hold("page/about", Duration::from_secs(60)).await?;
    let cleared = kv.clear(false).await?;
    said.push(format!(
        "{} went, {} is permanent, {} is held",
        cleared.entries, cleared.permanent, cleared.held
    ));
    drop(hold);
    Ok(said)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let kv = storage_factory::kv_from_env().await?;
    for line in run(&kv).await? {
        println!("{line}");
    }
    kv.close().await?;
    Ok(())
}
